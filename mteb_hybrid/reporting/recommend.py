"""Which remedy for language bias to take: derived from rows of measured remedies by one rule.

The rule, for each benchmark and each base model on its own, with a margin of mean average precision (MAP):

1. Rows that differ in the seed alone are one remedy; its figures are their means.
2. A remedy is ruled out if it loses more than the margin of monolingual MAP against the untrained model. The untrained
   model is never ruled out: to do nothing is an answer as well.
3. Of the others, those whose multilingual MAP is the greatest, or less than the margin below it, are taken for equal.
4. Of these the cheapest in seconds is recommended; a remedy whose cost was not measured counts as the dearest. If
   several cost the same, the one of greater multilingual MAP.

The same rule over the remedies that train nothing gives the best of these. A remedy is dominated by another that is at
least as good in all of monolingual, cross-lingual and multilingual MAP, rank distance and seconds, and better in one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import fsum, inf
from typing import get_args

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.reporting.figures import Cell
from mteb_hybrid.reporting.remedies import UNTRAINED, Figures, RemedyRow, variant_of
from mteb_hybrid.reporting.render import Format, render
from mteb_hybrid.reporting.results import unknown
from mteb_hybrid.reporting.tables import MAP, RANK_DISTANCE, TOP1_SHARE, Column, Measure, Row, Table

MARGIN = 0.01
"""The monolingual MAP that may be lost, and the difference that counts as none."""

_ROUNDING = 1e-9  # of binary fractions: 0.60 is no less than 0.61 - 0.01

_SCORE = Measure("score", "higher")
_SECONDS = Measure("distance", "lower")


@dataclass(frozen=True)
class MeasuredRemedy:
    """A remedy with its figures, means over seeds.

    Attributes:
        name: the remedy and its setting, such as ``shift, alpha 0.5``.
        is_untrained: whether it is the model that nothing was done to.
        steps: of training; None if that is not known.
        seconds: what it costs; None if that was not measured with every seed.
        seeds: how many rows it is the mean of.
        figures: of all query languages.
        seen: of those that training or fitting saw.
        unseen: of the others.
    """

    name: str
    is_untrained: bool
    steps: int | None
    seconds: float | None
    seeds: int
    figures: Figures
    seen: Figures
    unseen: Figures

    @property
    def monolingual(self) -> float:
        """Mean average precision in the monolingual setting."""
        assert self.figures.monolingual is not None  # or it is no row to be compared
        return self.figures.monolingual

    @property
    def multilingual(self) -> float:
        """Mean average precision in the multilingual setting."""
        assert self.figures.multilingual is not None
        return self.figures.multilingual


@dataclass(frozen=True)
class Recommendation:
    """What the rule gives on one benchmark.

    Attributes:
        task: the benchmark.
        base: the model that training began with, where there are rows of several; else None.
        remedies: all remedies, the untrained model first, then by multilingual MAP.
        best: the remedy to take; the untrained model where nothing helps.
        without_training: the same among the remedies that train nothing.
        equal: the remedies taken for equal to the greatest multilingual MAP, ``best`` among them.
        ruled_out: those that lose too much monolingual MAP.
        dominated: the name of each remedy that is dominated, to that of one that dominates it.
    """

    task: str
    base: str | None
    remedies: tuple[MeasuredRemedy, ...]
    best: MeasuredRemedy
    without_training: MeasuredRemedy
    equal: tuple[MeasuredRemedy, ...]
    ruled_out: tuple[MeasuredRemedy, ...]
    dominated: Mapping[str, str]


def recommend(
    rows: Sequence[RemedyRow], task: str | None = None, *, margin: float = MARGIN, format: Format = "terminal"
) -> str:
    """Return a table of all remedies and the recommendation, for each benchmark and base model.

    Args:
        rows: measured remedies.
        task: the benchmark to look at; all by default.
        margin: of mean average precision, as in the rule above.
        format: ``terminal``, ``markdown``, ``csv`` or ``latex``; CSV holds the figures alone.

    Returns:
        The text, without a line end after the last line.

    Raises:
        HybridError: there are no rows of the benchmark or of the untrained model, or two of one remedy and seed.
    """
    if format not in get_args(Format):
        return render((), format)  # which says so
    tasks = list(dict.fromkeys(row.task for row in rows))
    if task is not None and task not in tasks:
        raise unknown("benchmark", task, tasks)
    chosen = [derive(rows, each, margin, base) for each in tasks if task in {None, each} for base in _bases(rows, each)]
    return render([_table(each, margin) for each in chosen], format)


def _bases(rows: Sequence[RemedyRow], task: str) -> list[str | None]:
    """The base models that something was done to, if the rows are of several; else None, for all rows."""
    known = {row.base for row in rows if row.task == task and row.base is not None}
    if len(known) < 2:
        return [None]
    return list(dict.fromkeys(row.base for row in rows if row.task == task and row.strategy != UNTRAINED)) or [None]


def derive(rows: Iterable[RemedyRow], task: str, margin: float = MARGIN, base: str | None = None) -> Recommendation:
    """Apply the rule to the rows of one benchmark.

    Args:
        rows: measured remedies; rows of other benchmarks are passed over.
        task: the benchmark.
        margin: of mean average precision.
        base: the model that training began with, where rows of others are to be passed over.

    Raises:
        HybridError: there is no row of the untrained model, or there are two of one remedy and seed.
    """
    remedies = _measured([row for row in rows if row.task == task and base in {None, row.base}])
    untrained = next((remedy for remedy in remedies if remedy.is_untrained), None)
    if untrained is None:
        raise HybridError(
            f"the rows of {_about(task, base)} have none of the untrained model (strategy {UNTRAINED!r}), which "
            "remedies are compared with; measure it, and add its row"
        )
    least = untrained.monolingual - margin - _ROUNDING
    allowed = [remedy for remedy in remedies if remedy.is_untrained or remedy.monolingual >= least]
    equal = _equal(allowed, margin)
    without = [remedy for remedy in allowed if remedy.is_untrained or not remedy.steps]
    return Recommendation(
        task=task,
        base=base,
        remedies=tuple(sorted(remedies, key=lambda remedy: (not remedy.is_untrained, -remedy.multilingual))),
        best=_cheapest(equal),
        without_training=_cheapest(_equal(without, margin)),
        equal=tuple(equal),
        ruled_out=tuple(remedy for remedy in remedies if remedy not in allowed),
        dominated=dict(_dominated(remedies)),
    )


def _equal(remedies: Sequence[MeasuredRemedy], margin: float) -> list[MeasuredRemedy]:
    """Those whose multilingual MAP is the greatest, or less than the margin below it."""
    greatest = max(remedy.multilingual for remedy in remedies)
    return [
        remedy
        for remedy in remedies
        if remedy.multilingual == greatest or greatest - remedy.multilingual < margin - _ROUNDING
    ]


def _cheapest(remedies: Sequence[MeasuredRemedy]) -> MeasuredRemedy:
    return min(remedies, key=lambda remedy: (_cost(remedy), -remedy.multilingual, remedy.name))


def _cost(remedy: MeasuredRemedy) -> float:
    if remedy.seconds is not None:
        return remedy.seconds
    return 0 if remedy.is_untrained else inf  # to do nothing costs nothing


def _dominated(remedies: Sequence[MeasuredRemedy]) -> Iterator[tuple[str, str]]:
    for remedy in remedies:
        better = next((other for other in remedies if _dominates(other, remedy)), None)
        if better is not None and not remedy.is_untrained:
            yield remedy.name, better.name


def _dominates(other: MeasuredRemedy, remedy: MeasuredRemedy) -> bool:
    ours, theirs = remedy.figures, other.figures
    gains = [_cost(remedy) - _cost(other) if _cost(remedy) != _cost(other) else 0.0]
    for name in ("monolingual", "cross_lingual", "multilingual", "rank_distance"):
        before, after = getattr(ours, name), getattr(theirs, name)
        if (before is None) != (after is None):
            return False  # what is not known of one cannot be compared
        if before is not None:
            gains.append(before - after if name == "rank_distance" else after - before)
    return min(gains) >= 0 and max(gains) > 0


def _measured(rows: Sequence[RemedyRow]) -> list[MeasuredRemedy]:
    """One remedy for the rows that differ in the seed alone, in the order of the first of each."""
    amounts: dict[tuple[str, float | None, str], set[tuple[int | None, int | None]]] = {}
    groups: dict[tuple[str, float | None, str, int | None, int | None], dict[int | None, RemedyRow]] = {}
    for row in map(_plain, rows):
        if row.monolingual is None or row.multilingual is None:
            raise HybridError(f"a row of {row.task} lacks a figure: {_name(row)}, monolingual or multilingual")
        kind = (row.strategy, row.alpha, variant_of(row))
        amounts.setdefault(kind, set()).add((row.steps, row.pairs))
        seeds = groups.setdefault((*kind, row.steps, row.pairs), {})
        if row.seed in seeds:
            raise HybridError(
                f"two rows of {row.task} are of {_name(row)} with seed {row.seed}; keep one, and rows of "
                "another model in a file of their own"
            )
        seeds[row.seed] = row
    told = {kind: [len(set(each)) > 1 for each in zip(*there, strict=True)] for kind, there in amounts.items()}
    return [_mean(list(seeds.values()), *told[key[:3]]) for key, seeds in groups.items()]


def _plain(row: RemedyRow) -> RemedyRow:
    """The untrained model has no settings, whatever its row says."""
    return row.model_copy(update={"alpha": None, "steps": 0, "pairs": None}) if row.strategy == UNTRAINED else row


def _name(row: RemedyRow, with_steps: bool = True, with_pairs: bool = True) -> str:
    parts = [one_line(row.strategy, 60)]
    if row.alpha is not None:
        parts.append(f"alpha {row.alpha:g}")
    if variant := variant_of(row):
        parts.append(variant)
    if with_steps and row.steps:
        parts.append(f"{row.steps:,} steps")
    if with_pairs and row.pairs:
        parts.append(f"{row.pairs:,} pairs")
    return ", ".join(parts)


def _mean(rows: Sequence[RemedyRow], with_steps: bool, with_pairs: bool) -> MeasuredRemedy:
    return MeasuredRemedy(
        name=_name(rows[0], with_steps, with_pairs),
        is_untrained=rows[0].strategy == UNTRAINED,
        steps=rows[0].steps,
        seconds=_mean_of([row.seconds for row in rows]),
        seeds=len(rows),
        figures=_mean_figures(rows),
        seen=_mean_figures([row.seen or Figures() for row in rows]),
        unseen=_mean_figures([row.unseen or Figures() for row in rows]),
    )


def _mean_figures(parts: Sequence[Figures]) -> Figures:
    return Figures(**{name: _mean_of([getattr(part, name) for part in parts]) for name in Figures.model_fields})


def _mean_of(values: Sequence[float | None]) -> float | None:
    """The mean; None unless all are known."""
    known = [value for value in values if value is not None]
    return fsum(known) / len(known) if len(known) == len(values) else None


def _table(found: Recommendation, margin: float) -> Table:
    columns: list[tuple[Column, Callable[[MeasuredRemedy], float | None]]] = [
        (Column("mono", MAP), lambda remedy: remedy.figures.monolingual),
        (Column("cross", MAP), lambda remedy: remedy.figures.cross_lingual),
        (Column("multi", MAP), lambda remedy: remedy.figures.multilingual),
        (Column("multi, seen", MAP), lambda remedy: remedy.seen.multilingual),
        (Column("multi, unseen", MAP), lambda remedy: remedy.unseen.multilingual),
        (Column("rank distance", RANK_DISTANCE), lambda remedy: remedy.figures.rank_distance),
        (Column("top 1 in query language", TOP1_SHARE), lambda remedy: remedy.figures.top1_query_language),
        (Column("TLR at 20", _SCORE), lambda remedy: remedy.figures.tlr_at_20),
        (Column("PEER at 20", _SCORE), lambda remedy: remedy.figures.peer_at_20),
        (Column("MRC at 20", _SCORE), lambda remedy: remedy.figures.mrc_at_20),
        (Column("nDCG at 20", _SCORE), lambda remedy: remedy.figures.ndcg_at_20),
        (Column("seconds", _SECONDS), lambda remedy: remedy.seconds),
    ]
    shown = [(column, of) for column, of in columns if any(of(each) is not None for each in found.remedies)]
    return Table(
        title=f"Remedies for language bias on {_about(found.task, found.base)}",
        columns=tuple(column for column, _ in shown),
        rows=tuple(Row(each.name, tuple(Cell(of(each)) for _, of in shown)) for each in found.remedies),
        notes=tuple(_notes(found, margin)),
    )


def _about(task: str, base: str | None) -> str:
    return one_line(task, 80) if base is None else f"{one_line(task, 80)}, trained from {one_line(base, 120)}"


def _notes(found: Recommendation, margin: float) -> Iterator[str]:
    untrained = found.remedies[0]
    yield (
        f"Rule: of the remedies that lose no more than {margin:g} of monolingual MAP against the untrained model, the "
        f"one of greatest multilingual MAP; of those less than {margin:g} below it, the cheapest in seconds."
    )
    seeds = {remedy.seeds for remedy in found.remedies if not remedy.is_untrained}
    if seeds - {1}:
        yield f"Figures are means over seeds: {', '.join(f'{each.name} {each.seeds}' for each in found.remedies)}."
    yield f"Recommended: {_told(found.best, untrained)}"
    others = [remedy.name for remedy in found.equal if remedy is not found.best]
    if others:
        yield f"Equal to it by the margin, and no cheaper: {'; '.join(others)}."
    yield f"Without training: {_told(found.without_training, untrained)}"
    if found.ruled_out:
        lost = (f"{each.name} ({each.monolingual - untrained.monolingual:+.3f})" for each in found.ruled_out)
        yield f"Ruled out by the monolingual MAP they lose: {'; '.join(lost)}."
    if found.dominated:
        yield f"Dominated, no better in anything: {'; '.join(f'{a} by {b}' for a, b in found.dominated.items())}."


def _told(remedy: MeasuredRemedy, untrained: MeasuredRemedy) -> str:
    if remedy.is_untrained:
        return "to leave the model as it is; nothing measured gains enough."
    text = (
        f"{remedy.name}; multilingual MAP {remedy.multilingual:.3f} "
        f"({remedy.multilingual - untrained.multilingual:+.3f}), monolingual {remedy.monolingual:.3f} "
        f"({remedy.monolingual - untrained.monolingual:+.3f})"
    )
    return f"{text}, {remedy.seconds:,.1f} s." if remedy.seconds is not None else f"{text}, cost not measured."
