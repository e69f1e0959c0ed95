"""Where the parallel answers land in the mixed pool: their ranks, by language of the query and of the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mteb_hybrid.html_report.content import Data, Picture, Value, name_to_show, stem

Ranks = NDArray[np.floating]

POOLED_FROM = 17
"""From so many languages on the answers in all other languages are taken together."""

OTHERS = "other languages"

_SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class RankSpread:
    """How the ranks of answers in one language, or in all but one, are spread.

    Attributes:
        query: the language of the queries.
        answer: the language of the answers, or ``OTHERS``.
        count: how many answers.
        quantiles: the ranks below which 5, 25, 50, 75 and 95 of 100 stand.
    """

    query: str
    answer: str
    count: int
    quantiles: tuple[float, float, float, float, float]

    @property
    def is_own(self) -> bool:
        """Whether the answers are in the language of the queries."""
        return self.query == self.answer


def rank_spreads(ranks: Mapping[str, Mapping[str, Ranks]], languages: Sequence[str]) -> list[RankSpread]:
    """Summarise ranks.

    Args:
        ranks: query language to answer language to the ranks of its answers, shape (queries,), NaN where there is none.
        languages: the languages to show, in their order.

    Returns:
        A part for each pair of languages that has answers; from 17 languages on two for each query language.
    """
    pooled = len(languages) >= POOLED_FROM
    found = []
    for query in languages:
        of_query = ranks.get(query, {})
        parts = {tag: of_query[tag] for tag in languages if tag in of_query and (tag == query or not pooled)}
        others = [of_query[tag] for tag in languages if tag in of_query and tag != query]
        if pooled and others:
            parts[OTHERS] = np.concatenate(others)
        for tag, values in parts.items():
            known = values[~np.isnan(values)]
            if len(known):
                low, first, median, third, high = (float(each) for each in np.quantile(known, _SHARES))
                found.append(RankSpread(query, tag, len(known), (low, first, median, third, high)))
    return found


def rank_picture(label: str, benchmark: str, spreads: Sequence[RankSpread], greatest: float) -> Picture | None:
    """Small multiples of the ranks, a panel for each query language; None if there is nothing to show.

    Args:
        label: the model.
        benchmark: the benchmark's name.
        spreads: as ``rank_spreads`` gives them.
        greatest: the rank that the axis goes to.
    """
    from mteb_hybrid.html_report.draw import rank_panels

    if not spreads:
        return None
    rows: tuple[tuple[Value, ...], ...] = tuple(
        (name_to_show(each.query, 24), name_to_show(each.answer, 24), each.count, *each.quantiles) for each in spreads
    )
    names = ("5 %", "25 %", "median", "75 %", "95 %")
    columns = (("query language", "text"), ("answer language", "text"), ("answers", "count"))
    return Picture(
        stem(benchmark, "ranks", label),
        f"Where the parallel answers land in the mixed pool: {label}",
        "A panel for each query language, in it a line for each language of the answers, ranks on a logarithmic axis: "
        "the dot is the median, the thick line holds the middle half, the thin line all but the outer 5 % on each "
        "side. " + _said(spreads),
        Data((*columns, *((name, "distance") for name in names)), rows),  # type: ignore[arg-type]
        partial(rank_panels, list(spreads), greatest),
    )


def _said(spreads: Sequence[RankSpread]) -> str:
    parts = []
    for what, chosen in (("the query's language", True), ("another language", False)):
        medians = [each.quantiles[2] for each in spreads if each.is_own is chosen]
        if medians:
            span = f"from {min(medians):,.0f} to {max(medians):,.0f}" if len(medians) > 1 else f"{medians[0]:,.0f}"
            parts.append(f"medians of answers in {what}: {span}")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."
