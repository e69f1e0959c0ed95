"""A Hub that lies: other types, cut and endless JSON, paths that lead out, redirections that fish for the token."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi
from hypothesis import given
from hypothesis import strategies as st

from mteb_hybrid.data.collection_folder import write_collection
from mteb_hybrid.data.world import generate_world
from mteb_hybrid.errors import HybridError
from mteb_hybrid.training.outcome import RECORD
from tests.hostile.held import Cases
from tests.hostile.strategies import JSON_BOMBS, as_json, fuzzed, spoiled, spoiled_bytes
from tests.hostile.test_model_files import MANIFEST, TRAINING
from tests.hub import server as hub_server
from tests.hub.endpoints import Answer
from tests.hub.server import TOKEN, HubServer

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
Twist = Callable[[str, Answer], Answer]

ASKED = {
    "look": ("whoami", "info", "refs", "resolve"),
    "push": ("whoami", "info", "refs", "preupload", "commit", "branch", "tag"),
    "collection": ("info", "resolve", "tree"),
    "record": ("resolve",),
    "source": ("info",),
    "exists": ("info",),
}
"""Which endpoints each call asks."""


class Liar:
    """The Hub of the tests, whose answers are changed before they are sent, and who asks it."""

    def __init__(self, server: HubServer, process: subprocess.Popen[str]) -> None:
        self.server, self._process = server, process
        self.twist: Twist = lambda endpoint, answer: answer

    def ask(self, call: str) -> None:
        """Let the client do one thing.

        Raises:
            HybridError: it refused.
            AssertionError: it raised something else.
        """
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{call}\n")
        self._process.stdin.flush()
        outcome, line = json.loads(self._process.stdout.readline())
        if outcome == "refused":
            raise HybridError(line)
        assert outcome == "taken", line


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the client keeps its cache in, with another beside it."""
    return tmp_path_factory.mktemp("client")


@pytest.fixture(scope="module")
def liar(home: Path) -> Iterator[Liar]:
    data = home / "data"
    data.mkdir()
    write_collection(generate_world(3, languages=("en", "de")), data, task="X")
    with HubServer() as server, pytest.MonkeyPatch.context() as patch:
        api = HfApi(endpoint=server.url, token=TOKEN)
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        patch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        for repo_type in ("model", "dataset"):
            name = "ORG/model" if repo_type == "model" else "ORG/data"
            api.create_repo(name, repo_type=repo_type)
        for path, content in (
            ("README.md", b"---\nlicense: mit\n---\n# x\n"),
            (".mteb-hybrid/published.json", as_json(MANIFEST)),
            (RECORD, as_json(TRAINING)),
        ):
            api.upload_file(path_or_fileobj=content, path_in_repo=path, repo_id="ORG/model")
        api.upload_folder(folder_path=data, repo_id="ORG/data", repo_type="dataset")
        environment = server.environment(home / "hf") | {"PYTHONPATH": str(ROOT), "TQDM_DISABLE": "1"}
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.client"],
            cwd=home,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout and process.stdin
        assert process.stdout.readline() == "ready\n"
        liar = Liar(server, process)
        send = hub_server._Handler._send

        def lie(self: Any, answer: Answer, record: Any, *, cut: bool) -> None:
            send(self, liar.twist(record.endpoint or "", answer), record, cut=cut)

        patch.setattr(hub_server._Handler, "_send", lie)
        yield liar
        process.stdin.close()
        process.wait(60)


@pytest.fixture(autouse=True)
def _honest_again(liar: Liar) -> Iterator[None]:
    yield
    liar.twist = lambda endpoint, answer: answer


def changed(answer: Answer, content: bytes, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(answer.status, content, {**answer.headers, **(headers or {})})


def test_an_honest_hub(cases: Cases, liar: Liar) -> None:
    for call in ASKED:
        cases.hold(f"Hub: {call}", partial(liar.ask, call))
        assert cases.took(f"Hub: {call}") == 1, call


@given(data=st.data())
@fuzzed(40)
def test_answers_of_another_form(cases: Cases, liar: Liar, data: st.DataObject) -> None:
    call = data.draw(st.sampled_from(sorted(ASKED)))
    lied = data.draw(st.sampled_from(ASKED[call]))
    honest: list[bytes] = []

    def listen(endpoint: str, answer: Answer) -> Answer:
        if endpoint == lied and answer.status == 200:
            honest.append(answer.content)
        return answer

    liar.twist = listen
    cases.hold(f"Hub: {call}", lambda: liar.ask(call))
    lie = data.draw(lies(honest[-1] if honest else b"{}"))  # here, and not in the server's thread
    liar.twist = lambda endpoint, answer: changed(answer, lie) if endpoint == lied and answer.status == 200 else answer
    cases.hold(f"Hub: {call}", lambda: liar.ask(call))


def lies(honest: bytes) -> st.SearchStrategy[bytes]:
    """What may be said in place of an honest answer."""
    try:
        value = json.loads(honest)
    except ValueError:
        value = {}
    return st.one_of(
        spoiled(value).map(as_json),
        spoiled(value).map(as_json),
        spoiled_bytes(honest),
        st.sampled_from(JSON_BOMBS),
        st.just(b""),
    )


PATHS = (
    "../../../../gone.parquet",
    "queries/../../../../../gone.parquet",
    "/tmp/gone-from-the-hub.parquet",
    "queries/\x00.parquet",
    "queries/..\\..\\gone.parquet",
    "queries/\u202egone.parquet",
    "queries/" + "x" * 5_000 + ".parquet",
    "",
    "corpus/a\nb.parquet",
)


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("path", PATHS)
def test_a_file_whose_name_leads_out(cases: Cases, liar: Liar, home: Path, path: str) -> None:
    def twist(endpoint: str, answer: Answer) -> Answer:
        if endpoint == "info" and answer.status == 200:
            value = json.loads(answer.content)
            value["siblings"] = [*value.get("siblings", ()), {"rfilename": path}]
            return changed(answer, as_json(value))
        if endpoint == "tree" and answer.status == 200:
            entry = {"type": "file", "oid": "1" * 40, "size": 3, "path": path}
            return changed(answer, as_json([*json.loads(answer.content), entry]))
        return Answer(200, b"out", {"ETag": '"abc"', "X-Repo-Commit": "1" * 40}) if answer.status == 404 else answer

    before = {name for name in tree(home) if not name.startswith("hf")}
    liar.twist = twist
    for call in ("collection", "look"):
        cases.hold(f"Hub: {call}", partial(liar.ask, call))
    assert {name for name in tree(home) if not name.startswith("hf")} == before
    assert not [name for name in tree(home / "hf") if "gone" in name and ".." in name]
    assert not Path("/tmp/gone-from-the-hub.parquet").exists()


HEADERS: tuple[Mapping[str, str], ...] = (
    {"ETag": '"../../../../../gone"'},
    {"ETag": '"/tmp/gone-etag"'},
    {"ETag": ""},
    {"ETag": '"' + "x" * 5_000 + '"'},
    {"X-Repo-Commit": "../../../../../gone"},
    {"X-Repo-Commit": "/tmp/gone-commit"},
    {"X-Repo-Commit": ""},
    {"X-Linked-Etag": '"../../../gone"', "X-Linked-Size": "99999999999999999999"},
    {"X-Linked-Size": "many"},
    {"Link": '<http://127.0.0.1:1/next>; rel="next"'},
    {"Content-Encoding": "gzip"},
    {"Content-Range": "bytes 0-99999999999/99999999999999"},
)


@pytest.mark.parametrize(
    "headers", HEADERS, ids=lambda headers: next(iter(headers)) + next(iter(headers.values()))[:12]
)
def test_headers_that_lie(cases: Cases, liar: Liar, home: Path, headers: Mapping[str, str]) -> None:
    before = {name for name in tree(home) if not name.startswith("hf")}
    liar.twist = lambda endpoint, answer: (
        Answer(answer.status, answer.content, {**answer.headers, **headers}) if endpoint == "resolve" else answer
    )
    for call in ("look", "record", "collection"):
        cases.hold(f"Hub: {call}", partial(liar.ask, call))
    assert {name for name in tree(home) if not name.startswith("hf")} == before
    assert not Path("/tmp/gone-etag").exists() and not Path("/tmp/gone-commit").exists()


class _Elsewhere(BaseHTTPRequestHandler):
    """Notes what it is asked for, and by whom."""

    heard: list[str] = []  # noqa: RUF012  # one server, one list

    def _note(self) -> None:
        self.heard.append(f"{self.path} {self.headers}")
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"{}")

    do_GET = do_HEAD = do_POST = do_PUT = _note

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def elsewhere() -> Iterator[str]:
    _Elsewhere.heard.clear()
    server = HTTPServer(("127.0.0.1", 0), _Elsewhere)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://localhost:{server.server_port}"  # another host than 127.0.0.1
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("call", ["look", "collection", "record", "source"])
def test_a_redirection_elsewhere(cases: Cases, liar: Liar, elsewhere: str, call: str) -> None:
    for place in (f"{elsewhere}/fish", "file:///etc/passwd", "//localhost/x", "javascript:alert(1)", "/\x1b[31m", ""):
        for lied in ASKED[call]:
            where = place.encode("latin-1", "replace").decode("latin-1")
            liar.twist = lambda endpoint, answer, lied=lied, where=where: (  # type: ignore[misc]
                Answer(302, b"", {**answer.headers, "Location": where}) if endpoint == lied else answer
            )
            cases.hold(f"Hub: {call}", lambda: liar.ask(call))
    assert not [request for request in _Elsewhere.heard if TOKEN in request], "the token went elsewhere"


def test_an_answer_that_does_not_end(cases: Cases, liar: Liar) -> None:
    endless = b'{"name": "' + b"x" * 50_000_000
    for call in ("look", "source"):
        for lied in ASKED[call][:2]:
            liar.twist = lambda endpoint, answer, lied=lied: (  # type: ignore[misc]
                changed(answer, endless) if endpoint == lied else answer
            )
            cases.hold(f"Hub: {call}", partial(liar.ask, call))
