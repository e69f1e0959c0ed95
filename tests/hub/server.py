"""A small Hub on loopback for the real client: what is published to it can be loaded from it; it fails when told to.

    with HubServer() as server:
        run(["mteb-hybrid", "publish", ...], env=server.environment(tmp_path / "home"))
        assert "README.md" in server.repository("ORG/name").files()

In the process of the tests, give the client ``endpoint=server.url`` and ``token=TOKEN``.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, get_args
from urllib.parse import parse_qs, urlsplit

from tests.hub.endpoints import ENDPOINTS, Answer, Endpoint, Request, route
from tests.hub.repositories import Account, Hub, HubError, Repository, RepoType

TOKEN = "hf_" + "S" * 34  # writes as alice and for ORG
READ_TOKEN = "hf_" + "R" * 34  # alice's, reads only
FINE_TOKEN = "hf_" + "F" * 34  # alice's, fine-grained: writes for ORG alone
OTHER_TOKEN = "hf_" + "O" * 34  # somebody else's

ACCOUNTS: Mapping[str, Account] = {
    TOKEN: Account("alice", "write", {"ORG": "write"}),
    READ_TOKEN: Account("alice", "read", {"ORG": "write"}),
    FINE_TOKEN: Account("alice", "fineGrained", {"ORG": "write"}, scopes=("ORG",)),
    OTHER_TOKEN: Account("mallory", "write"),
}

# A status: this answer in place of the real one.
# drop: the connection is closed without an answer and nothing is done; an LFS upload is dropped when half is received.
# cut: what was asked is done, and the connection closed in the middle of the answer.
# lost: what was asked is done, and the connection closed without an answer.
# slow: the real answer, after `HubServer.delay` seconds.
Fault = Literal[401, 403, 404, 409, 413, 429, 500, 503, "drop", "cut", "lost", "slow"]
FAULTS: tuple[Fault, ...] = get_args(Fault)

MESSAGES = {
    401: "Invalid credentials in Authorization header",
    403: "Authorization error.",
    404: "Repository not found",
    409: "Another conflicting operation is in progress",
    413: "Payload Too Large",
    429: "We had to rate limit you",
    500: "Internal Error - We're working hard to fix this as soon as possible!",
    503: "Service Unavailable",
}
CHUNK = 1 << 16


class _Dropped(Exception):
    """The connection is to be closed without (the rest of) an answer."""


@dataclass
class Record:
    """One request, as far as it has come.

    Attributes:
        method: GET, HEAD, POST, PUT or DELETE.
        path: the address with its query.
        endpoint: one of ENDPOINTS, or None.
        user: the account's name, None for a request without a token.
        status: of the answer; 0 while there is none, and if the connection was closed without one.
        received: bytes of the body.
    """

    method: str
    path: str
    endpoint: Endpoint | None
    user: str | None = None
    status: int = 0
    received: int = 0


@dataclass
class _Rule:
    endpoint: Endpoint
    fault: Fault
    times: int | None
    after: int
    message: str | None


class Hold:
    """A request that waits in the server.

    Attributes:
        endpoint: which.
        at: when it waits: before anything is done, when half the body is received, or when all is done but the answer.
        taken: whether a request has come that will wait.
        reached: set as soon as it waits.
    """

    def __init__(self, endpoint: Endpoint, at: Literal["start", "middle", "end"]) -> None:
        self.endpoint = endpoint
        self.at = at
        self.taken = False
        self.reached = threading.Event()
        self._released = threading.Event()
        self._dropped = False

    def wait(self, timeout: float = 60) -> None:
        """Wait until the request has come.

        Raises:
            TimeoutError: it has not.
        """
        if not self.reached.wait(timeout):
            raise TimeoutError(f"no request to {self.endpoint} in {timeout} s")

    def release(self) -> None:
        """Let the request go on."""
        self._released.set()

    def drop(self) -> None:
        """Close its connection. After killing the client: what it had sent ahead is not taken either."""
        self._dropped = True
        self._released.set()

    def _stop_here(self) -> None:
        self.reached.set()
        self._released.wait()
        if self._dropped:
            raise _Dropped


class _Body:
    """A request's body: of a stated length, or in chunks of HTTP/1.1.

    Args:
        handler: whose request it is.
        record: where the bytes are counted.
        halfway: called once when half the bytes (of chunks: the first one) are received.
    """

    def __init__(self, handler: _Handler, record: Record, halfway: Callable[[], None]) -> None:
        self._file = handler.rfile
        self._record = record
        self._halfway = halfway
        chunked = handler.headers.get("Transfer-Encoding", "").lower() == "chunked"
        self._pieces = self._chunked() if chunked else self._plain(int(handler.headers.get("Content-Length", 0)))

    def chunks(self) -> Iterator[bytes]:
        """What has not been read yet, piece by piece."""
        for piece in self._pieces:
            self._record.received += len(piece)
            yield piece

    def read(self) -> bytes:
        """What has not been read yet."""
        return b"".join(self.chunks())

    def _plain(self, size: int) -> Iterator[bytes]:
        yield from self._exactly(size // 2)
        self._halfway()
        yield from self._exactly(size - size // 2)

    def _chunked(self) -> Iterator[bytes]:
        for number in itertools.count():
            size = int(self._file.readline().split(b";")[0], 16)
            yield from self._exactly(size)
            self._file.readline()
            if number == 0:
                self._halfway()
            if size == 0:
                return

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size:
            piece = self._file.read(min(size, CHUNK))
            if not piece:
                raise _Dropped
            size -= len(piece)
            yield piece


class _Handler(BaseHTTPRequestHandler):
    """Reads a request, asks the endpoint, sends what it answers or what the faults say."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = CHUNK  # an answer's head and body leave together
    server: _Listener

    def _serve(self) -> None:
        owner = self.server.owner
        address = urlsplit(self.path)
        endpoint, answer, parts = route(self.command, address.path)
        record = Record(self.command, self.path, endpoint)
        owner.requests.append(record)
        rule, hold = owner._take_rule(endpoint), owner._take_hold(endpoint)
        fault = rule.fault if rule else None

        def pause(at: str) -> None:
            if hold is not None and hold.at == at:
                hold._stop_here()
            if fault == "drop" and at == ("middle" if endpoint == "lfs-upload" else "start"):
                raise _Dropped

        body = _Body(self, record, lambda: pause("middle"))
        try:
            pause("start")
            if fault == "slow":
                owner._closed.wait(owner.delay)
            if rule is not None and isinstance(rule.fault, int):
                told = _failed(rule.fault, endpoint, rule.message)
            else:
                told = self._answer(owner, answer, parts, address.query, body, record)
            body.read()
            pause("end")
            if fault == "lost":
                raise _Dropped
            self._send(told, record, cut=fault == "cut")
        except (_Dropped, OSError):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve

    def _answer(
        self,
        owner: HubServer,
        answer: Callable[[Request], Answer],
        parts: Mapping[str, str],
        query: str,
        body: _Body,
        record: Record,
    ) -> Answer:
        try:
            account = owner.hub.account(self.headers.get("Authorization"))
            record.user = account.name if account else None
            values = {key: found[0] for key, found in parse_qs(query).items()}
            return answer(Request(owner.hub, owner.url, account, parts, values, self.headers.get("Range"), body))
        except HubError as refusal:
            return _refused(refusal)

    def _send(self, answer: Answer, record: Record, *, cut: bool) -> None:
        self.send_response_only(answer.status)
        self.send_header("Date", self.date_time_string())
        self.send_header("X-Request-Id", f"Root=1-{len(self.server.owner.requests):08x}")
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.content)))
        content = b"" if self.command == "HEAD" else answer.content
        if cut and not content:
            raise _Dropped
        record.status = 0 if cut else answer.status
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        self.wfile.flush()
        if cut:
            raise _Dropped

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: `HubServer.requests` tells all."""


def _refused(refusal: HubError) -> Answer:
    headers = {"X-Error-Message": _header(refusal.message)}
    if refusal.code is not None:
        headers["X-Error-Code"] = refusal.code
    if refusal.commit is not None:
        headers["X-Repo-Commit"] = refusal.commit
    return Answer.of({"error": refusal.message, **refusal.body}, refusal.status, headers)


def _failed(status: int, endpoint: Endpoint | None, message: str | None) -> Answer:
    """A fault's answer. A proxy before the Hub says 413 and 503 in HTML."""
    text = message or MESSAGES[status]
    # The client waits a second more than it is told, in place of its own 1, 2, 4, 8 and 8 seconds.
    wait = {"Retry-After": "0"} if status in (429, 500, 503) else {}
    if status in (413, 503):
        page = f"<html><head><title>{status} {text}</title></head><body><h1>{text}</h1></body></html>"
        return Answer(status, page.encode(), {"Content-Type": "text/html", **wait})
    in_repository = endpoint not in ("whoami", "create", "validate-yaml")
    code = "RepoNotFound" if status == 404 and in_repository else None
    refused = _refused(HubError(status, text, code))
    return Answer(status, refused.content, {**refused.headers, **wait})


def _header(text: str) -> str:
    """A text that a header can hold."""
    return re.sub(r"\s+", " ", text).encode("latin-1", "replace").decode("latin-1")


class _Listener(ThreadingHTTPServer):
    """Listens on a free port of loopback, and knows its open connections."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, owner: HubServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.owner = owner
        self.connections: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no fault; anything else is one of the server's own and is kept."""
        fault = sys.exception()
        if not isinstance(fault, OSError):
            self.owner.faults.append(fault)


class HubServer:
    """The Hub, in a thread of this process, from entering the context to leaving it.

    Attributes:
        url: the address, for ``HF_ENDPOINT``.
        hub: accounts and repositories.
        requests: every request in the order of coming.
        faults: what went wrong in the server itself.
        delay: seconds that a slow answer takes.

    Args:
        folder: where LFS objects are put; a temporary folder if None.
        accounts: token -> whose it is.
        delay: seconds that a slow answer takes.
    """

    def __init__(
        self, folder: Path | None = None, accounts: Mapping[str, Account] = ACCOUNTS, delay: float = 2.0
    ) -> None:
        self._temporary = (
            tempfile.TemporaryDirectory(prefix="hub-", ignore_cleanup_errors=True) if folder is None else None
        )
        self.hub = Hub(Path(self._temporary.name) if self._temporary else folder or Path(), accounts)
        self.requests: list[Record] = []
        self.faults: list[BaseException | None] = []
        self.delay = delay
        self._rules: list[_Rule] = []
        self._holds: list[Hold] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._listener = _Listener(self)
        self.url = f"http://127.0.0.1:{self._listener.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._listener.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        if kind is None and self.faults:
            raise AssertionError(f"the test Hub failed: {self.faults}") from self.faults[0]

    def close(self) -> None:
        """Stop listening and close every connection: from now on there is no Hub."""
        if self._closed.is_set():
            return
        self._closed.set()
        for hold in self._holds:
            hold.drop()
        self._listener.shutdown()
        self._listener.server_close()
        for connection in list(self._listener.connections):
            with contextlib.suppress(OSError):  # closed by the client
                connection.shutdown(socket.SHUT_RDWR)
        if self._temporary is not None:
            self._temporary.cleanup()

    def environment(self, home: Path, token: str | None = TOKEN) -> dict[str, str]:
        """The environment of a process that is to use this Hub alone.

        Args:
            home: its ``HF_HOME``.
            token: its ``HF_TOKEN``; None for nobody.

        Returns:
            This process's environment without its own settings of the Hub and of proxies, and with these.
        """
        ours = re.compile(r"HF_|HUGGING_?FACE|TRANSFORMERS_OFFLINE|(HTTPS?|ALL)_PROXY", re.IGNORECASE)
        kept = {name: value for name, value in os.environ.items() if not ours.match(name)}
        settings = {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",  # datasets counts its downloads at another server
        }
        return kept | settings | ({"HF_TOKEN": token} if token else {})

    def repository(self, repo_id: str, repo_type: RepoType = "model") -> Repository:
        """What is published under a name.

        Raises:
            KeyError: nothing is.
        """
        return self.hub.repositories[repo_type, repo_id]

    def seen(self, endpoint: Endpoint) -> list[Record]:
        """The requests to one endpoint."""
        return [record for record in self.requests if record.endpoint == endpoint]

    def fail(
        self,
        endpoint: Endpoint,
        fault: Fault,
        times: int | None = None,
        after: int = 0,
        message: str | None = None,
    ) -> None:
        """Let requests to an endpoint fail.

        Args:
            endpoint: one of ENDPOINTS.
            fault: one of FAULTS.
            times: how many requests fail; None for all that come.
            after: how many come through before.
            message: the text of the error, for a status.

        Raises:
            ValueError: there is no such endpoint or fault.
        """
        if endpoint not in ENDPOINTS or fault not in FAULTS:
            raise ValueError(f"no fault {fault!r} of {endpoint!r}")
        with self._lock:
            self._rules.append(_Rule(endpoint, fault, times, after, message))

    def heal(self) -> None:
        """Let nothing fail any more."""
        with self._lock:
            self._rules.clear()

    def hold(self, endpoint: Endpoint, at: Literal["start", "middle", "end"] | None = None) -> Hold:
        """Let the next request to an endpoint wait until it is released.

        Args:
            endpoint: one of ENDPOINTS.
            at: ``start``, before anything is done; ``middle``, with half of the body received; ``end``, with all done
                but the answer. None is the middle of an LFS upload, else the start.
        """
        hold = Hold(endpoint, at or ("middle" if endpoint == "lfs-upload" else "start"))
        with self._lock:
            self._holds.append(hold)
        return hold

    def _take_rule(self, endpoint: Endpoint | None) -> _Rule | None:
        with self._lock:
            for rule in self._rules:
                if rule.endpoint != endpoint or rule.times == 0:
                    continue
                if rule.after:
                    rule.after -= 1
                    continue
                if rule.times is not None:
                    rule.times -= 1
                return rule
        return None

    def _take_hold(self, endpoint: Endpoint | None) -> Hold | None:
        with self._lock:
            for hold in self._holds:
                if hold.endpoint == endpoint and not hold.taken:
                    hold.taken = True
                    return hold
        return None
