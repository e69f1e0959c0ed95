"""Chooses the negatives of pairs among ranked passages.

Ranks are counted from 1 without the known positives. With s the similarity of a query and a passage and s+ that of the
query and its own passage, what is kept out as perhaps an answer is, as in ``mine_hard_negatives`` of
sentence-transformers 6.2::

    s > s+ - absolute_margin   or   s > s+ - relative_margin * |s+|
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mteb_hybrid.building.mining.settings import MiningSettings
from mteb_hybrid.building.mining.vectors import Floats

Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Candidates:
    """Passages for each of n pairs, those to be taken first in front, shapes (n, candidates).

    Attributes:
        passages: their numbers.
        allowed: whether each may be taken where it stands.
        shunned: whether it must not be taken, wherever else it stands.
    """

    passages: Integers
    allowed: Bools
    shunned: Bools


def judge(passages: Integers, scores: Floats, own: Floats, known: Bools, settings: MiningSettings) -> Candidates:
    """Tell which passages of a ranking may be negatives.

    Args:
        passages: the nearest first, shape (n, k); -1 for none.
        scores: their similarities to the query.
        own: that of the query and its own passage, shape (n,).
        known: whether they are known to answer the query.
        settings: margins and ranks.
    """
    there = (passages >= 0) & ~known
    ranks = there.cumsum(axis=1)
    near = np.zeros_like(known)
    if settings.absolute_margin is not None:
        near |= scores > (own - settings.absolute_margin)[:, None]
    if settings.relative_margin is not None:
        near |= scores > (own - settings.relative_margin * np.abs(own))[:, None]
    shunned = there & (near | (ranks <= settings.range_min))
    return Candidates(passages, there & ~shunned & (ranks <= settings.last_rank), shunned)


def by_turns(rankings: Sequence[Candidates]) -> Candidates:
    """The first that each ranking allows, then the second that each does, and so on; all of one shape."""
    orders = [np.argsort(~ranking.allowed, axis=1, kind="stable") for ranking in rankings]

    def woven(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
        ordered = [np.take_along_axis(array, order, 1) for array, order in zip(arrays, orders, strict=True)]
        return np.stack(ordered, axis=2).reshape(len(orders[0]), -1)

    return Candidates(
        woven([ranking.passages for ranking in rankings]),
        woven([ranking.allowed for ranking in rankings]),
        woven([ranking.shunned for ranking in rankings]),
    )


def take_first(candidates: Candidates, count: int) -> Integers:
    """The first that are allowed and nowhere shunned, each once.

    Returns:
        Numbers of passages, shape (n, count); -1 behind the last.
    """
    passages = candidates.passages
    shunned = _anywhere(passages, candidates.shunned)
    allowed = candidates.allowed & ~shunned
    allowed &= _firsts(np.where(allowed, passages, -1 - np.arange(passages.shape[1])))
    places = allowed.cumsum(axis=1)
    taken = np.full((len(passages), count), -1, np.int64)
    pairs, at = np.nonzero(allowed & (places <= count))
    taken[pairs, places[pairs, at] - 1] = passages[pairs, at]
    return taken


def fill(taken: Integers, drawn: Integers, known: Bools, shunned: Candidates) -> Integers:
    """Fill up what is missing from passages drawn at random.

    Args:
        taken: negatives, shape (n, count); -1 behind the last.
        drawn: passages, shape (n, draws).
        known: whether they are known to answer the query.
        shunned: the rankings, for what must not be taken.
    """
    no, beside = np.zeros(taken.shape, bool), np.zeros(drawn.shape, bool)
    ranked = Candidates(shunned.passages, np.zeros_like(shunned.allowed), shunned.shunned)
    every = [Candidates(taken, taken >= 0, no), ranked, Candidates(drawn, ~known, beside)]
    joined = Candidates(
        np.concatenate([each.passages for each in every], axis=1),
        np.concatenate([each.allowed for each in every], axis=1),
        np.concatenate([each.shunned for each in every], axis=1),
    )
    return take_first(joined, taken.shape[1])


def repeat(taken: Integers) -> Integers:
    """Fill up what is missing by turns from what is there; -1 stays where nothing is."""
    found = np.maximum((taken >= 0).sum(axis=1, keepdims=True), 1)
    return np.take_along_axis(taken, np.arange(taken.shape[1]) % found, axis=1)


def _firsts(values: Integers) -> Bools:
    """Whether each value is the first of its kind in its line."""
    order = np.argsort(values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, 1)
    first = np.ones(values.shape, bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    found = np.empty_like(first)
    np.put_along_axis(found, order, first, 1)
    return found


def _anywhere(values: Integers, marked: Bools) -> Bools:
    """Whether each value is marked anywhere in its line."""
    order = np.lexsort((~marked, values), axis=1)  # of equal values, a marked one comes first
    ordered = np.take_along_axis(values, order, 1)
    first = np.ones(values.shape, bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    at = np.maximum.accumulate(np.where(first, np.arange(values.shape[1]), 0), axis=1)
    found = np.empty_like(marked)
    np.put_along_axis(found, order, np.take_along_axis(np.take_along_axis(marked, order, 1), at, 1), 1)
    return found
