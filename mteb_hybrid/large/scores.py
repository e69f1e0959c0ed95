"""The metrics of what was ranked: those of the multilingual setting and of language bias, for each query language."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mteb_hybrid.evaluation.bias_metrics import Pool, Score, bias_scores
from mteb_hybrid.evaluation.ranking import Ranking
from mteb_hybrid.evaluation.retrieval_metrics import retrieval_scores
from mteb_hybrid.large.queries import Queries
from mteb_hybrid.large.rank import join

K_VALUES = (1, 3, 5, 10, 20, 100, 1000)
"""The cut-offs of mteb's retrieval tasks."""


@dataclass(frozen=True)
class LanguageScores:
    """The scores of the queries of one language.

    Attributes:
        language: its tag.
        queries: how many.
        scores: score name to value, under the names of the tasks.
    """

    language: str
    queries: int
    scores: Mapping[str, Score]

    @property
    def subset(self) -> str:
        """The name of the subset that the tasks have for it."""
        return f"{self.language.replace('-', '_')}-all"


def scores_by_language(queries: Queries, rankings: Sequence[Ranking]) -> list[LanguageScores]:
    """The scores of each query language, in the order of the collection.

    Args:
        queries: in the order in which they were ranked.
        rankings: of consecutive queries.
    """
    plan = queries.folder.plan
    found = []
    for number, (start, stop) in _spans(queries):
        ranking = join(list(_cut(rankings, start, stop)))
        several = len(plan.languages) > 1
        bias = bias_scores(ranking, Pool(plan.languages, queries.folder.languages, number)) if several else {}
        scores = {**retrieval_scores(ranking, K_VALUES), **bias}
        found.append(LanguageScores(plan.languages[number], stop - start, scores))
    return found


def mean_scores(scores: Sequence[LanguageScores]) -> dict[str, float]:
    """The plain mean over query languages of every score that is a number for all."""
    names = [name for name, value in scores[0].scores.items() if isinstance(value, float)]
    means = {name: float(np.mean([of.scores[name] for of in scores])) for name in names}
    return {name: value for name, value in means.items() if not math.isnan(value)}


def _spans(queries: Queries) -> Iterator[tuple[int, tuple[int, int]]]:
    """The queries of each language that has any: its number, and the first of them and the one after the last."""
    for number in np.unique(queries.languages).tolist():
        first, last = np.searchsorted(queries.languages, (number, number + 1)).tolist()
        yield number, (first, last)


def _cut(rankings: Sequence[Ranking], start: int, stop: int) -> Iterator[Ranking]:
    """The rankings of the queries from ``start`` to before ``stop``."""
    begin = 0
    for ranking in rankings:
        end = begin + len(ranking.ranks)
        rows = slice(max(start - begin, 0), max(min(stop, end) - begin, 0))
        if rows.stop > rows.start:
            yield Ranking(**{name: array[rows] for name, array in vars(ranking).items()})
        begin = end
