"""A user who publishes: commands in processes of their own, against the Hub of the tests."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.hub.server import TOKEN, HubServer

ROOT = Path(__file__).parents[2]
# A shell lets its background jobs ignore it, and what they start.
_HEEDING_CTRL_C = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from mteb_hybrid.cli import main
sys.exit(main())
"""
RECIPE = """
preset: tiny
model: {base: mteb-hybrid/tiny}
data: [{source: ParallelWorld, rows: 256}]
batches: {size: 64}
training: {max_steps: 3, use_cpu: true}
"""


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Worker:
    """A process whose forks run commands against one Hub, with one cache: a machine, as far as the Hub can tell.

    Attributes:
        server: the Hub.
        process: see ``worker.py``.
        scratch: a folder for what commands print.
    """

    server: HubServer
    process: subprocess.Popen[str]
    scratch: Path
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def __call__(self, main: str, words: tuple[str, ...], folder: Path, env: dict[str, str]) -> Ended:
        """Run a command to its end."""
        out = self.scratch / str(next(self._numbers))
        request = {"main": main, "words": words, "folder": str(folder), "env": env, "out": str(out)}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        code = int(self.process.stdout.readline())
        printed, told = (out.with_name(f"{out.name}.{name}").read_text() for name in ("stdout", "stderr"))
        return Ended(code, printed, told)


def environment(server: HubServer, cache: Path, token: str | None = TOKEN) -> dict[str, str]:
    """The environment of a process that uses this Hub alone."""
    quiet = {"TQDM_DISABLE": "1", "COLUMNS": "200", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    return server.environment(cache, token) | quiet | {"PYTHONPATH": str(ROOT)}


@contextmanager
def working(server: HubServer, scratch: Path) -> Iterator[Worker]:
    """Start a worker, and end it."""
    scratch.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.publishing.worker"],
        cwd=ROOT,
        env=environment(server, scratch / "hub"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    try:
        yield Worker(server, process, scratch)
    finally:
        process.stdin.close()
        process.wait(60)


@dataclass(frozen=True)
class Desk:
    """A folder to work in, with its own names of models, and one account on the Hub.

    Attributes:
        folder: where commands are run.
        worker: what runs them.
        token: of the account; None for nobody.
        names: the file of names of models; another one is another user's.
    """

    folder: Path
    worker: Worker
    token: str | None = TOKEN
    names: str = "models.toml"

    def run(self, *words: str, main: str = "mteb-hybrid") -> Ended:
        """Run ``mteb-hybrid WORDS`` to its end, or another program."""
        return self.worker(main, words, self.folder, self._own)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Begin ``mteb-hybrid WORDS`` in a process that can be killed."""
        return subprocess.Popen(
            [sys.executable, "-c", _HEEDING_CTRL_C, *words],
            cwd=self.folder,
            env=environment(self.worker.server, self.folder / "cache", self.token) | self._own,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def _own(self) -> dict[str, str]:
        return {"MTEB_HYBRID_MODELS": str(self.folder / self.names), "HF_TOKEN": self.token or ""}


def ok(ended: Ended) -> str:
    """What a command printed that must end well."""
    assert ended.code == 0, ended.err[-3000:]
    return ended.out


def refused(ended: Ended) -> str:
    """The one line of a command that must fail by the user's fault."""
    assert ended.code == 2, (ended.code, ended.out, ended.err[-3000:])
    (line,) = (line for line in ended.err.splitlines() if line.startswith("mteb-hybrid:"))
    assert "Traceback" not in ended.err
    return line.removeprefix("mteb-hybrid: ")
