"""Studies of seconds: the tiny encoder, a few rows of the generated world, and tasks over a few others.

Run as a script, this file imports what is heavy once, and then forks a process for each piece of code it is sent: each
is as good as a fresh one, and may be killed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from mteb_hybrid.data.corpus_files import save_corpus
from mteb_hybrid.data.parallel_corpus import corpus_from_collection
from mteb_hybrid.data.world import generate_world

LANGUAGES = ("en", "de")
TASKS = ["StudyWorldMultilingual", "StudyWorldLanguageBias"]
TINY = "mteb-hybrid/tiny"


def write_data(folder: Path) -> Path:
    """Write training pairs: ``pairs.jsonl``."""
    path = folder / "pairs.jsonl"
    save_corpus(corpus_from_collection(generate_world(60, languages=LANGUAGES, first=90)), path)
    return path


def study_values(folder: Path, **changes: Any) -> dict[str, Any]:
    """A study of two cells of two steps; what is given takes the place of its keys."""
    values: dict[str, Any] = {
        "recipe": {
            "preset": "tiny",
            "data": [{"source": str(folder / "pairs.jsonl")}],
            "batches": {"size": 8},
            "training": {"max_steps": 2, "use_cpu": True},
        },
        "grids": [{"batches.strategy": ["mono", "cross"], "seed": 1}],
        "tasks": TASKS,
    }
    return {key: value for key, value in (values | changes).items() if value is not None}


def write_study(folder: Path, **changes: Any) -> Path:
    """Write a study to ``study.yaml``."""
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(study_values(folder, **changes), sort_keys=False), encoding="utf-8")
    return path


def register_small_tasks() -> None:
    """Make the tasks known to mteb, in this process."""
    from mteb_hybrid.evaluation.own import collection_tasks
    from mteb_hybrid.registry import register, register_tasks

    register()
    register_tasks(collection_tasks(generate_world(30, languages=LANGUAGES, name="StudyWorld")))


class Forks:
    """Runs pieces of code at once, each in a process of its own."""

    def __init__(self, home: Path) -> None:
        from tests.test_cli import ROOT, child_environment

        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.study.small_study"],
            cwd=ROOT,
            env=child_environment(home) | {"OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *codes: str) -> list[int]:
        """Run pieces of code at once, and return their exit codes; -9 of one that was killed."""
        assert self._server.stdin and self._server.stdout
        self._server.stdin.write(json.dumps(codes) + "\n")
        self._server.stdin.flush()
        return list(json.loads(self._server.stdout.readline()))

    def close(self) -> None:
        """End the process that forks."""
        self._server.communicate(timeout=60)


def serve() -> None:
    """Read lists of code from stdin, and answer with lists of exit codes."""
    register_small_tasks()
    from mteb_hybrid.study import run  # noqa: F401
    from mteb_hybrid.training import run as training  # noqa: F401

    for line in sys.stdin:
        pids = [_fork(code) for code in json.loads(line)]
        codes: Sequence[int] = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        print(json.dumps(codes), flush=True)


def _fork(code: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.dup2(2, 1)  # the parent's answers alone go to its stdout
        exec(compile(code, "forked", "exec"), {"__name__": "forked"})
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    serve()
