"""Holm's correction, against R."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mteb_hybrid.comparing.holm import holm


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        # R 4.2.2: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")    0.03 0.06 0.06 0.02
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        # p.adjust(c(0.0007, 0.0110, 0.0130, 0.0130, 0.2000, 0.9000, 0.0004), "holm")
        #                                                 0.0042 0.0550 0.0550 0.0550 0.4000 0.9000 0.0028
        ([0.0007, 0.011, 0.013, 0.013, 0.2, 0.9, 0.0004], [0.0042, 0.055, 0.055, 0.055, 0.4, 0.9, 0.0028]),
        ([0.6, 0.7], [1.0, 1.0]),
        ([0.02], [0.02]),
        ([], []),
    ],
)
def test_as_in_r(p_values: list[float], adjusted: list[float]) -> None:
    assert holm(p_values) == pytest.approx(adjusted)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_it_keeps_the_order_and_lies_between_no_correction_and_bonferroni(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    for p, each in zip(p_values, adjusted, strict=True):
        assert p <= each <= min(1.0, p * len(p_values)) + 1e-12
    ordered = [each for _, each in sorted(zip(p_values, adjusted, strict=True))]
    assert ordered == sorted(ordered)
