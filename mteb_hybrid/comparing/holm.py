"""Correction of p-values for how many there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values of a family, adjusted by Holm's step-down form of Bonferroni's correction.

    Those at or below a level are significant, and the chance that any of them is a false alarm is at most that level,
    whatever the tests' dependence (Holm 1979, https://www.jstor.org/stable/4615733): with m p-values in ascending
    order, the i-th becomes the greatest of min(1, (m - j + 1) p_j) over j <= i.

    Args:
        p_values: of all tests that are looked at together.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted.tolist()
