"""A process whose forks run commands and are killed in them: each is as good as a fresh one, and costs no imports.

``python -m tests.soak.warm`` reads a request a line (JSON, see ``Warm`` in ``kills.py``) and answers how its fork
ended. A fork counts its *events*: what it does to files under its folder, as the interpreter's audit hooks tell before
it is done, and the calls that the request names. So the same moment can be met again, and the moments lie where
something changes.
"""

from __future__ import annotations

import gc
import importlib
import itertools
import json
import os
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any

# What the commands import where they use it: once for all forks.
PRELOADED = (
    "datasets",
    "duckdb",
    "faiss",
    "mteb.cli.build_cli",
    "mteb_hybrid.building.build",
    "mteb_hybrid.cli",
    "mteb_hybrid.evaluation.run",
    "mteb_hybrid.html_report.build",
    "mteb_hybrid.publishing.publish",
    "mteb_hybrid.study.run",
    "mteb_hybrid.tasks",
    "mteb_hybrid.tiny",
    "mteb_hybrid.training.run",
    "mteb_hybrid.training.trainer",
    "pyarrow.parquet",
    "sentence_transformers",
    "transformers",
)

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod"}


class Events:
    """Counts events, and ends the process at one of them."""

    def __init__(self, folder: str, moment: dict[str, Any] | None) -> None:
        self.count = 0
        self._numbers = itertools.count(1)
        self._folder = os.path.realpath(folder)
        self._moment = moment if moment and moment["kind"] != "clock" else None

    def hook(self, name: str, arguments: tuple[Any, ...]) -> None:
        """An audit hook: called before what it tells of is done."""
        changes = name in _CHANGES or (name == "open" and bool(arguments[2] & _WRITING))
        if changes and self._is_inside(arguments[0]):
            self.passed()

    def passed(self) -> None:
        """Count an event, and end here if it is the one."""
        self.count = next(self._numbers)
        if self._moment is not None and self.count == self._moment["at"]:
            if self._moment["kind"] == "event":
                os.kill(os.getpid(), signal.SIGKILL)
            # from here on the kernel ends the process within the first write that goes beyond so many bytes of a file
            resource.setrlimit(resource.RLIMIT_FSIZE, (self._moment["size"],) * 2)

    def _is_inside(self, path: Any) -> bool:
        if not isinstance(path, str | bytes | os.PathLike):
            return False  # a descriptor: its opening was an event
        text = os.fsdecode(path)
        return not os.path.isabs(text) or text.startswith(self._folder)  # the current folder is that folder


def count_calls(names: list[str], events: Events) -> None:
    """Let calls of functions (``module:name`` or ``module:class.name``) be events."""

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            events.passed()
            return function(*args, **kwargs)

        return call

    for name in names:
        module, _, path = name.partition(":")
        owner: Any = importlib.import_module(module)
        *outer, last = path.split(".")
        for part in outer:
            owner = getattr(owner, part)
        setattr(owner, last, counted(getattr(owner, last)))


def _main(name: str, words: list[str]) -> int:
    sys.argv = [name, *words]
    if name == "mteb":
        from mteb.cli.build_cli import main as mteb

        mteb()
        return 0
    from mteb_hybrid.cli import main

    return main(words)


def _child(request: dict[str, Any], told: int) -> None:
    """In a fork: never returns."""
    code: object = 1
    try:
        os.setsid()  # so that what it leaves running can be ended
        for descriptor, path in ((1, request["out"]), (2, request["err"])):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
        os.chdir(request["folder"])
        os.environ.update(request["env"])
        if (request["moment"] or {}).get("kind") == "torn":
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # the interpreter lets it be ignored
        if request["before"]:
            exec(compile(request["before"], "before", "exec"), {"__name__": "before"})
        events = Events(request["folder"], request["moment"])
        count_calls(request["calls"], events)
        sys.addaudithook(events.hook)
        code = _main(request["main"], request["words"])
        os.write(told, str(events.count).encode())
    except SystemExit as ended:
        code = ended.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


def _run(request: dict[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _child(request, writing)
    os.close(writing)
    moment = request["moment"]
    if moment and moment["kind"] == "clock" and not select.select([reading], [], [], moment["at"])[0]:
        os.kill(pid, signal.SIGKILL)
    _, status, used = os.wait4(pid, 0)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    with os.fdopen(reading, "rb") as file:
        events = int(file.read() or 0)
    return {
        "code": os.waitstatus_to_exitcode(status),
        "events": events,
        "seconds": time.monotonic() - began,
        "cpu": used.ru_utime + used.ru_stime,
    }


def serve() -> None:
    """Answer requests until there are no more."""
    for name in PRELOADED:
        importlib.import_module(name)
    sys.dont_write_bytecode = True  # which the interpreter would take for whole when it was cut
    import torch

    from tests.study.small_study import register_small_tasks

    torch.set_num_threads(1)
    register_small_tasks()
    gc.collect()
    gc.freeze()  # what is imported is shared with the forks, and not looked through in them
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(_run(json.loads(line))), flush=True)


if __name__ == "__main__":
    serve()
    os._exit(0)  # nothing is to be taken down, which would take long
