"""Settings in words: what a file of them may hold, and what is wrong with one, each with its line."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError

from mteb_hybrid.settings.faults import fault_of
from mteb_hybrid.settings.model import Count, Settings, Share, Text
from mteb_hybrid.settings.words import SettingsWords
from mteb_hybrid.settings.yaml_lines import parse_yaml


class Oven(Settings):
    """Where it is baked."""

    degrees: Annotated[int, Field(ge=50, le=300)] = 180
    """How hot."""
    fan: bool = False
    """Whether air moves."""


class Cake(Settings):
    """A cake."""

    flour: Text
    """What it is made of."""
    kind: Literal["round", "square"] = "round"
    """Its form."""
    oven: Oven = Oven()
    layers: list[Oven] = Field(default=[])
    """One after the other."""
    sugar: Share | None = None
    """How sweet; not at all by default."""
    eggs: Count = 2
    """How many."""


WORDS = SettingsWords(Cake, lambda name: "kitchen.spoons" if name == "spoons" else None)


def test_all_settings_with_their_defaults() -> None:
    assert WORDS.describe() == (
        "# What it is made of.\n"
        "flour:  # required: a non-empty text\n"
        "# Its form.\n"
        "kind: round  # one of round, square\n"
        "# Where it is baked.\n"
        "oven:\n"
        "  # How hot.\n"
        "  degrees: 180  # a whole number at least 50 and at most 300\n"
        "  # Whether air moves.\n"
        "  fan: false  # true or false\n"
        "# One after the other.\n"
        "layers:\n"
        "  -\n"
        "    # How hot.\n"
        "    degrees: 180  # a whole number at least 50 and at most 300\n"
        "    # Whether air moves.\n"
        "    fan: false  # true or false\n"
        "# How sweet; not at all by default.\n"
        "sugar: null  # a number at least 0 and at most 1, or null\n"
        "# How many.\n"
        "eggs: 2  # a whole number at least 1\n"
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("flour: rye\negs: 3", "line 2: egs is no setting; did you mean eggs?"),
        ("flour: rye\ndegrees: 3", "line 2: degrees is no setting; did you mean oven.degrees?"),
        ("flour: rye\nspoons: 3", "line 2: spoons is no setting; did you mean kitchen.spoons?"),
        ("flour: rye\nzzz: 3", "line 2: zzz is no setting; possible: flour, kind, oven, layers, sugar, eggs"),
        ("eggs: 3", "line 1: flour is missing; it must be a non-empty text"),
        ("flour: 7", "line 1: flour is 7; it must be a non-empty text; put it in quotes"),
        (
            "flour: rye\noven:\n  degrees: 20",
            "line 3: oven.degrees is 20; it must be a whole number at least 50 and at most 300",
        ),
        ("flour: rye\nlayers:\n  - {fan: 1}", "line 3: layers[0].fan is 1; it must be true or false"),
        ("flour: rye\nkind: flat\neggs: 0", 'line 2: kind is "flat"; it must be one of round, square'),
        ("flour: rye\neggs: 0\nfloor: 1", "line 3: floor is no setting; did you mean flour?"),
    ],
)
def test_a_fault_is_one_line_with_its_place(text: str, fault: str) -> None:
    """An unknown setting is told first, as it may be why another is missing; else the first of the file."""
    file = parse_yaml(text, "cake.yaml")
    with pytest.raises(ValidationError) as raised:
        Cake.model_validate(file.values)
    assert str(fault_of(raised.value, file, WORDS)) == f"cake.yaml, {fault}"
