"""Which licence a model can be given."""

from __future__ import annotations

from collections.abc import Mapping

import mteb
import pytest

import mteb_hybrid  # noqa: F401  # registers the tasks
from mteb_hybrid.data.corpus_files import BUILT_IN_SOURCES
from mteb_hybrid.errors import HybridError
from mteb_hybrid.licences import BUILT_IN_LICENSES, HUB_LICENSES, choose_license

NC, SA, APACHE = "cc-by-nc-4.0", "cc-by-sa-4.0", "apache-2.0"


@pytest.mark.parametrize(
    ("wanted", "data", "chosen"),
    [
        (None, {"MLQA-R": NC}, NC),
        (None, {"XQuAD-R": SA}, SA),
        (None, {"MLQA-R": NC, "ParallelWorld": APACHE}, NC),
        (None, {"a": "mit", "b": APACHE, "c": "cc0-1.0"}, APACHE),
        (None, {"a": APACHE, "b": "cc-by-4.0", "c": "cc-by-3.0"}, "cc-by-4.0"),
        (None, {"a": NC, "b": "cc-by-nc-sa-4.0"}, "cc-by-nc-sa-4.0"),
        (None, {"a": "cc-by-sa-3.0", "b": SA}, SA),
        (None, {"a": "gpl-3.0", "b": "GPL-3.0 "}, "gpl-3.0"),  # one licence needs no ranking
        (NC, {"MLQA-R": NC}, NC),
        ("cc-by-nc-sa-4.0", {"MLQA-R": NC}, "cc-by-nc-sa-4.0"),
        ("intel-research", {"MLQA-R": NC}, "intel-research"),
        ("mit", {"ParallelWorld": APACHE}, "mit"),
        ("Apache-2.0", {}, APACHE),
        ("CC BY-NC 4.0", {}, NC),
        (SA, {"a": "cc-by-sa-3.0"}, SA),
        ("gpl-3.0", {"a": SA}, "gpl-3.0"),
        (APACHE, {"mine.jsonl": None}, APACHE),  # nobody else knows it
        (APACHE, {"mine.jsonl": "other"}, APACHE),
        ("other", {"MLQA-R": NC, "XQuAD-R": SA}, "other"),
    ],
)
def test_a_licence_that_the_data_allow(wanted: str | None, data: Mapping[str, str | None], chosen: str) -> None:
    assert choose_license(wanted, data) == chosen


@pytest.mark.parametrize(
    ("wanted", "data", "parts"),
    [
        (APACHE, {"MLQA-R": NC}, ["apache-2.0 contradicts MLQA-R (cc-by-nc-4.0)", "commercial", f"--license {NC},"]),
        (SA, {"MLQA-R": NC}, ["cc-by-sa-4.0 contradicts MLQA-R (cc-by-nc-4.0)"]),
        ("unknown", {"MLQA-R": NC}, ["unknown contradicts MLQA-R"]),
        (APACHE, {"x": "h-research"}, ["contradicts x (h-research), which forbids commercial use"]),
        (APACHE, {"XQuAD-R": SA}, ["contradicts XQuAD-R (cc-by-sa-4.0), which wants the same licence"]),
        ("cc-by-sa-3.0", {"XQuAD-R": SA}, ["contradicts XQuAD-R (cc-by-sa-4.0)"]),
        ("cc-by-nc-sa-4.0", {"XQuAD-R": SA}, ["contradicts XQuAD-R (cc-by-sa-4.0)"]),
        (NC, {"x": "cc-by-nd-4.0"}, ["x (cc-by-nd-4.0) forbids sharing what is derived from it; leave it out"]),
        # what is offered must not be refused in its turn
        (APACHE, {"MLQA-R": NC, "XQuAD-R": SA}, ["no licence suits both MLQA-R (cc-by-nc-4.0)", "XQuAD-R"]),
        (None, {"MLQA-R": NC, "XQuAD-R": SA}, ["no licence suits both MLQA-R", "XQuAD-R (cc-by-sa-4.0)"]),
        (None, {"x": "cc-by-nc-nd-4.0"}, ["x (cc-by-nc-nd-4.0) forbids sharing"]),
        (None, {"mine.jsonl": None, "MLQA-R": NC}, ["the licence of mine.jsonl is not known", "--license apache-2.0"]),
        (None, {"x": "other"}, ["the licence of x is not known"]),
        (None, {}, ["no licence follows from the data", "--license"]),
        (None, {"x": "gpl-3.0", "y": "mit"}, ["how strict gpl-3.0 is", "--license"]),
        (None, {"x": "cc-by-nc-2.5"}, ["the Hub knows no licence cc-by-nc-2.5", "--license"]),
        ("apache2", {}, ["the Hub knows no licence 'apache2'; did you mean apache-2.0?"]),
        ("gpl-v3.0", {}, ["did you mean gpl-3.0?"]),
        ("$$$", {}, ["take one such as apache-2.0"]),
    ],
)
def test_a_licence_that_is_refused(wanted: str | None, data: Mapping[str, str | None], parts: list[str]) -> None:
    with pytest.raises(HybridError) as raised:
        choose_license(wanted, data)
    message = str(raised.value)
    assert [part for part in parts if part not in message] == []
    assert "\n" not in message and len(message) < 500


def test_a_long_name_and_a_long_licence_make_no_long_error() -> None:
    with pytest.raises(HybridError) as raised:
        choose_license("x" * 10_000_000, {})
    assert len(str(raised.value)) < 300
    with pytest.raises(HybridError) as raised:
        choose_license(APACHE, {"s\n" * 1_000_000: NC})
    assert len(str(raised.value)) < 500


def test_built_in_licences_are_those_of_the_tasks() -> None:
    assert set(BUILT_IN_LICENSES) == set(BUILT_IN_SOURCES)
    for source, license in BUILT_IN_LICENSES.items():
        assert mteb.get_task(source.replace("-", "")).metadata.license == license


@pytest.mark.parametrize("license", sorted(HUB_LICENSES - {"unknown"}))
def test_every_licence_of_the_hub_can_be_wanted(license: str) -> None:
    assert choose_license(license, {}) == license
