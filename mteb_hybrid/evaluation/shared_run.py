"""What the tasks of one run share: encodings of texts, how alike pools are ranked, and scores until they are saved."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from mteb_hybrid.evaluation.consistency import QueryConsistency
from mteb_hybrid.evaluation.encodings import SharedEncodings
from mteb_hybrid.evaluation.query_scores import QueryScores
from mteb_hybrid.evaluation.ranking import Floats, Ints
from mteb_hybrid.evaluation.saving import Saving


@dataclass(frozen=True)
class Scored:
    """What came of a subset.

    Attributes:
        scores: its scores, as mteb reports them.
        of_queries: scores of single queries, each of shape (queries,).
        ranks: language to the best rank of a relevant passage in it, 0 where there is none; shape (queries,).
    """

    scores: Mapping[str, Any]
    of_queries: Mapping[str, Floats]
    ranks: Mapping[str, Ints]


@dataclass(frozen=True)
class SharedRun:
    """One call of ``mteb.evaluate``.

    Attributes:
        encodings: of the texts.
        query_scores: scores of single queries that are not saved yet.
        saving: which results are due.
        consistency: how alike a pool is ranked for the versions of a question, by what it is ranked by.
        scored: what came of a pool's subsets, by subset and likewise: two tasks rank the same pool.
    """

    encodings: SharedEncodings = field(default_factory=SharedEncodings)
    query_scores: QueryScores = field(default_factory=QueryScores)
    saving: Saving = field(default_factory=Saving)
    consistency: dict[Hashable, Mapping[str, QueryConsistency]] = field(default_factory=dict)
    scored: dict[Hashable, Scored] = field(default_factory=dict)


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
        try:
            run.saving.finish()
        finally:
            _run.reset(token)
