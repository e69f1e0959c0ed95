"""What a difference means, in words, by one rule.

1. Significant after Holm's correction over the family: ``better`` or ``worse``.
2. Two one-sided tests at 5 % show it within the margin, which is the case if the 90 % interval lies inside it
   (Schuirmann 1987, doi 10.1007/BF01068419): ``the same within M``; of a significant one ``better, but within M``.
3. One of the two shows that it is no worse than by the margin: ``at most M worse``.
4. Else ``not decided``.

Where a side is several seeds and the wider interval, over questions and seeds, does not bear it out, then
``, seeds leave it open`` follows: it holds for these models, and need not for others of the same recipe.
"""

from __future__ import annotations

from typing import Literal

from mteb_hybrid.comparing.differences import Difference

LEVEL = 0.05
"""Of the tests."""

MARGIN = 0.01
"""The mean average precision that counts as none."""

_WITHIN = 1 - 2 * LEVEL


def verdict(difference: Difference, adjusted_p: float, better: Literal["higher", "lower"], margin: float | None) -> str:
    """Return the verdict on the second figure against the first.

    Args:
        difference: the difference.
        adjusted_p: its p-value after correction.
        better: which figures are better.
        margin: the difference that counts as none, None to ask for differences alone.
    """
    gain = difference.value if better == "higher" else -difference.value
    over_questions, over_seeds = difference.margin(_WITHIN), difference.margin_with_seeds(_WITHIN)
    words, open_over_seeds = [], False
    if adjusted_p <= LEVEL:
        words.append("better" if gain > 0 else "worse")
        with_seeds = difference.margin_with_seeds(1 - LEVEL)
        open_over_seeds = with_seeds is not None and abs(gain) <= with_seeds
    within = margin is not None and over_questions is not None and abs(gain) + over_questions < margin
    not_worse = margin is not None and over_questions is not None and gain - over_questions > -margin
    if margin is not None and within:
        words.append(f"but within {margin:g}" if words else f"the same within {margin:g}")
        open_over_seeds |= over_seeds is not None and abs(gain) + over_seeds >= margin
    elif margin is not None and not_worse and not words:
        words.append(f"at most {margin:g} worse")
        open_over_seeds = over_seeds is not None and gain - over_seeds <= -margin
    if not words:
        return "not decided"
    return ", ".join([*words, *(["seeds leave it open"] if open_over_seeds else [])])
