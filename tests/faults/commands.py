"""Commands in forks of this process, with a fault in the middle: each fork is as good as a fresh process.

A fork counts its *events*: what it does to files under its folder, as the interpreter's audit hooks tell before it is
done. So a fault can be put where something is being written, and at the same place again.
"""

from __future__ import annotations

import ctypes
import fcntl
import importlib
import os
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Kind = Literal["full", "SIGTERM", "SIGINT twice", "a day back", "a year on"]

CLOCKS: Mapping[str, float] = {"a day back": -86_400.0, "a year on": 365 * 86_400.0}
BALLAST = "ballast"

# What the commands import where they use it: once for all forks.
_PRELOADED = (
    "datasets",
    "duckdb",
    "faiss",
    "matplotlib.pyplot",
    "mteb",
    "mteb_hybrid.building.build",
    "mteb_hybrid.evaluation.run",
    "mteb_hybrid.html_report.build",
    "mteb_hybrid.publishing.publish",
    "mteb_hybrid.registry",
    "mteb_hybrid.study.run",
    "mteb_hybrid.training.run",
    "mteb_hybrid.training.trainer",
    "sentence_transformers",
    "transformers",
)

_NOISE = "[transformers] mtime may not be reliable"  # of checkpoints that follow each other fast

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.truncate", "os.chmod"}


@dataclass(frozen=True)
class Fault:
    """What happens in the middle.

    Attributes:
        kind: ``full``: from then on no file takes another byte, as the kernel sees to (RLIMIT_FSIZE; on a disk of the
            test's own by filling it). A signal, or two of them, the second while the first is cleaned up after. The
            clock jumps.
        at: right before the event of this number.
    """

    kind: Kind
    at: int


@dataclass(frozen=True)
class Ended:
    """How a command ended; ``events`` is 0 of one that did not end by itself."""

    code: int
    out: str
    err: str
    events: int = 0


@dataclass(frozen=True)
class Running:
    """A command that goes on in a fork."""

    pid: int
    out: int
    err: int
    told: int

    def wait(self) -> Ended:
        """Wait for its end."""
        out, err, events = (_read(descriptor) for descriptor in (self.out, self.err, self.told))
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        ours = (line for line in err.splitlines(keepends=True) if not line.startswith(_NOISE))
        return Ended(code, out, "".join(ours), int(events or 0))


def _read(descriptor: int) -> str:
    with os.fdopen(descriptor, "rb") as file:
        return file.read().decode(errors="replace")


class Commands:
    """Starts commands."""

    def __init__(self) -> None:
        for name in _PRELOADED:
            importlib.import_module(name)

    def start(
        self,
        words: tuple[str, ...],
        folder: Path,
        fault: Fault | None = None,
        *,
        before: str = "",
        unprivileged: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> Running:
        """Begin ``mteb-hybrid WORDS`` in a folder.

        Args:
            words: after the program's name.
            folder: where it runs; its names of models are there as well.
            fault: what happens to it.
            before: code to execute before.
            unprivileged: let the folder's permissions hold also where the tests run as root.
            env: more of the environment.
        """
        pipes = [_pipe() for _ in range(3)]
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            own = {"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1", "MTEB_HYBRID_MODELS": str(folder / "models.toml")}
            _child(words, folder, fault, before, unprivileged, own | {**(env or {})}, [each[1] for each in pipes])
        for _, writing in pipes:
            os.close(writing)
        return Running(pid, *(reading for reading, _ in pipes))

    def __call__(self, words: tuple[str, ...], folder: Path, fault: Fault | None = None, **options: Any) -> Ended:
        """Run a command to its end."""
        return self.start(words, folder, fault, **options).wait()


def _pipe() -> tuple[int, int]:
    """A pipe for all that a command prints: what it writes to files may be limited."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 1 << 20)
    return reading, writing


def _child(
    words: tuple[str, ...],
    folder: Path,
    fault: Fault | None,
    before: str,
    unprivileged: bool,
    env: Mapping[str, str],
    printed: list[int],
) -> None:
    """In a fork: never returns."""
    code: object = 1
    try:
        os.dup2(printed[0], 1)
        os.dup2(printed[1], 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)  # not pytest's
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        warnings.resetwarnings()  # pytest makes errors of some
        warnings.simplefilter("ignore")
        os.chdir(folder)
        os.environ.update(env)
        sys.dont_write_bytecode = True  # the interpreter does not look whether a disk took all of it
        if unprivileged:
            obey_permissions()
        events = _Events(folder, fault)
        if before:
            exec(compile(before, "before", "exec"), {"__name__": "before"})
        sys.addaudithook(events.hook)
        from mteb_hybrid.cli import main

        code = main(list(words))
        os.write(printed[2], str(events.count).encode())
    except SystemExit as ended:
        code = ended.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        _flush()
        os._exit(code if isinstance(code, int) else 1)


def _flush() -> None:
    for file in (sys.stdout, sys.stderr):
        with suppress(OSError):
            file.flush()


class _Events:
    """Counts events, and lets a fault happen at one."""

    def __init__(self, folder: Path, fault: Fault | None) -> None:
        self.count = 0
        self._folder = os.path.realpath(folder)
        self._fault = fault
        self._offset = 0.0
        if fault is not None and fault.kind in CLOCKS:
            self._take_the_clock()

    def hook(self, name: str, arguments: tuple[Any, ...]) -> None:
        """An audit hook: called before what it tells of is done."""
        changes = name in _CHANGES or (name == "open" and bool((arguments[2] or 0) & _WRITING))
        if not (changes and self._is_inside(arguments[0])):
            return
        self.count += 1
        fault = self._fault
        if fault is None:
            return
        if self.count == fault.at:
            self._happen(fault.kind)
        elif fault.kind == "SIGINT twice" and self.count == fault.at + 1:
            os.kill(os.getpid(), signal.SIGINT)

    def _is_inside(self, path: Any) -> bool:
        if not isinstance(path, str | bytes | os.PathLike):
            return False  # a descriptor: its opening was an event
        text = os.fsdecode(path)
        return not os.path.isabs(text) or text.startswith(self._folder)  # the current folder is that folder

    def _happen(self, kind: Kind) -> None:
        if kind in CLOCKS:
            self._offset = CLOCKS[kind]
        elif kind == "SIGTERM":
            os.kill(os.getpid(), signal.SIGTERM)
        elif kind == "SIGINT twice":
            os.kill(os.getpid(), signal.SIGINT)
        elif os.path.ismount(self._folder):
            _fill(Path(self._folder) / BALLAST)
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def _take_the_clock(self) -> None:
        """What the process takes for the time, in whatever module, and what its files are stamped with."""
        now, replace, utime, touch = time.time, os.replace, os.utime, Path.touch

        def jumping() -> float:
            return now() + self._offset

        def stamped(source: Any, target: Any) -> None:
            replace(source, target)
            utime(target, (jumping(), jumping()))

        def beaten(path: Any, times: Any = None, **options: Any) -> None:
            utime(path, (jumping(), jumping()) if times is None and not options else times, **options)

        def touched(path: Path, *arguments: Any, **options: Any) -> None:
            touch(path, *arguments, **options)
            utime(path, (jumping(), jumping()))

        for module in list(sys.modules.values()):
            for name, value in list(getattr(module, "__dict__", {}).items()):
                if value is now:
                    setattr(module, name, jumping)
        os.replace, os.utime = stamped, beaten  # type: ignore[assignment]
        Path.touch = touched  # type: ignore[method-assign, assignment]


def _fill(path: Path) -> None:
    """Fill a disk of the test's own to its last byte."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 10, 1):
            try:
                while file.write(b"\0" * size) == size:
                    pass
            except OSError:
                continue


def obey_permissions() -> None:
    """Let the bits of files and folders hold for root too, whose capabilities else pass over them."""
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this process
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable, twice
    if libc.capget(header, sets):
        raise OSError(ctypes.get_errno(), "capget")
    for word in range(3):
        sets[word] &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    if libc.capset(header, sets):
        raise OSError(ctypes.get_errno(), "capset")


def told(ended: Ended) -> str:
    """The one line on stderr, which is ours."""
    lines = [line for line in ended.err.splitlines() if line.strip()]
    assert "Traceback" not in ended.err, ended.err[-3000:]
    assert len(lines) == 1, ended.err[-3000:]
    assert lines[0].startswith("mteb-hybrid: "), lines[0]
    return lines[0].removeprefix("mteb-hybrid: ")
