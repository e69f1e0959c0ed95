"""Downloads by the real client from a server on this machine's loopback."""

from __future__ import annotations

import hashlib
import http.server
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mteb_hybrid.data import download as module
from mteb_hybrid.data.download import cache_folder, download
from mteb_hybrid.errors import HybridError

CONTENT = b"0123456789" * 2_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class _Server(http.server.ThreadingHTTPServer):
    """Answers every request with ``status`` and ``body``, whose length it gives as ``length`` if that is set."""

    daemon_threads = True
    status = 200
    body = CONTENT
    length: int | None = len(CONTENT)
    asked = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/files/de.json"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self.server.asked += 1
        self.send_response(self.server.status)
        if self.server.length is not None:
            self.send_header("Content-Length", str(self.server.length))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own, which is not there yet."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(module, "cache_folder", lambda: folder)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    return folder


def _get(url: str) -> Path:
    return download(url, sha256=SHA256, folder="lareqa/mini", instead="set HERE")


def _fails(url: str, *parts: object) -> None:
    """The download fails with one line that holds all parts and what to do instead."""
    with pytest.raises(HybridError) as caught:
        _get(url)
    message = str(caught.value)
    assert message.isprintable()
    for part in (url, "set HERE", *parts):
        assert str(part) in message


def _left(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_file_is_downloaded_once(server: _Server, cache: Path) -> None:
    path = _get(server.url)
    assert path == cache / "lareqa" / "mini" / "de.json"
    assert path.read_bytes() == CONTENT
    assert _get(server.url) == path
    assert server.asked == 1
    assert _left(cache) == [path]


def test_what_is_there_needs_no_server(cache: Path) -> None:
    path = cache / "lareqa" / "mini" / "de.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    assert _get("http://127.0.0.1:9/files/de.json") == path


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], b"<html>"])
def test_a_corrupt_file_in_the_cache_is_replaced(server: _Server, cache: Path, content: bytes) -> None:
    path = cache / "lareqa" / "mini" / "de.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert _get(server.url).read_bytes() == CONTENT
    assert _left(cache) == [path]


def test_other_content_is_thrown_away(server: _Server, cache: Path) -> None:
    server.body = CONTENT[::-1]
    _fails(server.url, "has changed", SHA256[:12])
    assert _left(cache) == []


@pytest.mark.parametrize("status", [403, 404, 429, 500, 503])
def test_an_error_of_the_server_is_named(server: _Server, cache: Path, status: int) -> None:
    server.status = status
    _fails(server.url, f"status {status}", "try again")
    assert _left(cache) == []


@pytest.mark.parametrize("length", [len(CONTENT), None], ids=["with length", "without length"])
def test_a_connection_dropped_in_the_middle_leaves_nothing(server: _Server, cache: Path, length: int | None) -> None:
    server.body, server.length = CONTENT[: len(CONTENT) // 2], length
    _fails(server.url)
    assert _left(cache) == []


def test_after_a_failure_the_next_call_succeeds(server: _Server) -> None:
    server.status = 503
    _fails(server.url)
    server.status = 200
    assert _get(server.url).read_bytes() == CONTENT


def test_a_refused_connection(cache: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: nobody else gets the port
        port = unused.getsockname()[1]
        _fails(f"http://127.0.0.1:{port}/de.json", "ConnectionError", "try again")
    assert _left(cache) == []


@pytest.mark.parametrize("blocked", ["", "lareqa", "lareqa/mini"])
def test_a_file_where_the_folder_should_be(server: _Server, cache: Path, blocked: str) -> None:
    (cache / blocked).parent.mkdir(parents=True, exist_ok=True)
    (cache / blocked).write_text("in the way")
    _fails(server.url, "cannot keep", cache / "lareqa" / "mini")
    assert (cache / blocked).read_text() == "in the way"


def test_a_folder_where_the_file_should_be(server: _Server, cache: Path) -> None:
    (cache / "lareqa" / "mini" / "de.json").mkdir(parents=True)
    _fails(server.url, "cannot keep")


@pytest.mark.parametrize("exists", [False, True], ids=["to make", "to write to"])
def test_a_cache_without_the_right_to_write(
    server: _Server, cache: Path, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    """Told by the calls themselves, because root may write anywhere."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied", str(cache))

    if exists:
        (cache / "lareqa" / "mini").mkdir(parents=True)
    monkeypatch.setattr("pooch.utils.os.makedirs", refuse)
    monkeypatch.setattr("pooch.utils.tempfile.NamedTemporaryFile", refuse)
    _fails(server.url, "cannot keep", "Permission denied")
    assert server.asked == 0


@pytest.mark.skipif(sys.platform != "linux", reason="XDG_CACHE_HOME counts on Linux")
def test_the_cache_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "mteb-hybrid"
