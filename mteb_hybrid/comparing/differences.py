"""How far one model, or the mean of several that differ in the seed only, is from another, and how sure that is.

Two questions, kept apart:

- Would these very models differ on other questions? The standard error over questions answers: the bootstrap over
  parallel groups (`mteb_hybrid.reporting.resampling`) of the difference of scores that are means over the seeds.
- Would models trained with other seeds differ, on these questions? The standard deviation over the seeds of each side
  answers, and the standard error that follows, sqrt(sd_A^2 / n_A + sd_B^2 / n_B). A side of one model counts as fixed.

The interval for both, other questions and other seeds, adds the variances and takes Student's t with the degrees of
freedom of Satterthwaite (1946, doi 10.2307/3002019). What questions and seeds have in common is in both variances, so
counted twice: the interval is rather too wide than too narrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, inf, sqrt
from statistics import stdev
from typing import TYPE_CHECKING

from mteb_hybrid.reporting.resampling import FEWEST_GROUPS

if TYPE_CHECKING:
    from mteb_hybrid.comparing.swaps import Floats
    from mteb_hybrid.reporting.resampling import Draws


@dataclass(frozen=True)
class Seeds:
    """Variation over seeds.

    Attributes:
        a: the standard deviation (n - 1) of the first side's figures; None if it is of one model.
        b: that of the second side.
        error: the standard error of the difference.
        freedom: its degrees of freedom.
    """

    a: float | None
    b: float | None
    error: float
    freedom: float


@dataclass(frozen=True, eq=False)
class Difference:
    """A difference of two figures.

    Attributes:
        a: the first figure, a mean over seeds.
        b: the second.
        error: the standard error of ``b - a`` over questions; None where a subset has fewer than 10 groups.
        groups: the parallel groups of the questions.
        shares: what each group adds to ``b - a``, shape (groups,).
        seeds: the variation over seeds; None where both sides are one model.
    """

    a: float
    b: float
    error: float | None
    groups: tuple[str, ...]
    shares: Floats
    seeds: Seeds | None = None

    @property
    def value(self) -> float:
        """How far the second figure is above the first."""
        return self.b - self.a

    def margin(self, level: float = 0.95) -> float | None:
        """Return half the width of the confidence interval over questions.

        Args:
            level: the share of intervals that hold the truth.
        """
        return None if self.error is None else _quantile(level, len(self.groups) - 1) * self.error

    def margin_with_seeds(self, level: float = 0.95) -> float | None:
        """Return half the width of the confidence interval over questions and seeds; None without several seeds."""
        if self.error is None or self.seeds is None:
            return None
        error, freedom = _added([(self.error, len(self.groups) - 1), (self.seeds.error, self.seeds.freedom)])
        return _quantile(level, freedom) * error


def difference(a: Sequence[Draws], b: Sequence[Draws]) -> Difference:
    """Compare two sides on one figure.

    Args:
        a: the figure of each model of the first side, all of the same queries.
        b: that of each model of the second side.
    """
    first, second = sum(a[1:], start=a[0]) / len(a), sum(b[1:], start=b[0]) / len(b)
    groups = first.groups
    error = None
    if min(first.fewest, second.fewest) >= FEWEST_GROUPS:
        # The bootstrap's variance has n where an unbiased one has n - 1.
        error = float((second.values - first.values).std(ddof=1)) * sqrt(len(groups) / (len(groups) - 1))
    figures = [[each.figure for each in side] for side in (a, b)]
    shares = second.shares_of(groups) - first.shares
    return Difference(_mean(figures[0]), _mean(figures[1]), error, groups, shares, _seeds(*figures))


def _mean(figures: Sequence[float]) -> float:
    return fsum(figures) / len(figures)


def _seeds(a: Sequence[float], b: Sequence[float]) -> Seeds | None:
    deviations = [stdev(side) if len(side) > 1 else None for side in (a, b)]
    errors = [
        (deviation / sqrt(len(side)), len(side) - 1)
        for side, deviation in zip((a, b), deviations, strict=True)
        if deviation is not None
    ]
    return Seeds(deviations[0], deviations[1], *_added(errors)) if errors else None


def _added(errors: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The standard error of a sum and its degrees of freedom (Satterthwaite), from those of its independent parts."""
    variance = fsum(error**2 for error, _ in errors)
    spread = fsum(error**4 / freedom for error, freedom in errors)
    return sqrt(variance), variance**2 / spread if spread else inf


def _quantile(level: float, freedom: float) -> float:
    """What Student's t stays within, on both sides, with the chance ``level``."""
    from scipy.special import ndtri, stdtrit

    upper = (1 + level) / 2
    return float(ndtri(upper) if freedom == inf else stdtrit(freedom, upper))
