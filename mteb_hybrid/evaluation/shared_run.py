"""What the tasks of one run share: the encodings of their texts, and the scores of queries until they are saved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from mteb_hybrid.evaluation.encodings import SharedEncodings
from mteb_hybrid.evaluation.query_scores import QueryScores


@dataclass(frozen=True)
class SharedRun:
    """One call of ``mteb.evaluate``."""

    encodings: SharedEncodings = field(default_factory=SharedEncodings)
    query_scores: QueryScores = field(default_factory=QueryScores)


_run: ContextVar[SharedRun | None] = ContextVar("mteb_hybrid_run", default=None)


def current_run() -> SharedRun | None:
    """The run going on; None outside of one."""
    return _run.get()


@contextmanager
def shared_run() -> Iterator[SharedRun]:
    """Let all tasks evaluated inside be one run, and free what they share at its end. Runs nest as one."""
    outer = _run.get()
    if outer is not None:
        yield outer
        return
    run = SharedRun()
    token = _run.set(run)
    try:
        yield run
    finally:
        _run.reset(token)
