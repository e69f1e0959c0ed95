"""Rows of remedies: from results, to a file and back, and files that hold something else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mteb_hybrid.errors import HybridError
from mteb_hybrid.reporting.remedies import Remedy, read_rows, remedy_rows, seen_languages, write_rows
from mteb_hybrid.training.outcome import RECORD, record_text
from tests.reporting.test_results import write_meta, write_task
from tests.training.test_outcome import source, training

MONO = {"de-de": {"map": 0.8}, "en-en": {"map": 0.9}, "th-th": {"map": 0.4}}
CROSS = {
    f"{a}-{b}": {"map": figure}
    for (a, b), figure in {
        ("de", "en"): 0.6,
        ("de", "th"): 0.2,
        ("en", "de"): 0.7,
        ("en", "th"): 0.3,
        ("th", "de"): 0.1,
        ("th", "en"): 0.2,
    }.items()
}
MULTI = {
    "de-all": {"map": 0.5, "ndcg_at_20": 0.6, "rank_distance": 1.0},
    "en-all": {"map": 0.6, "ndcg_at_20": 0.7, "rank_distance": 1.0},
    "th-all": {"map": 0.1, "ndcg_at_20": 0.2, "rank_distance": 1.0},
}
BIAS = {
    "de-all": {"rank_distance": 10.0, "tlr_at_20": 0.2},
    "en-all": {"rank_distance": 20.0, "tlr_at_20": 0.4},
    "th-all": {"rank_distance": 90.0, "tlr_at_20": 0.0},
}


def results(folder: Path, *models: str, **tasks: Mapping[str, Any]) -> Path:
    """The results of models that all score the same."""
    for model in models:
        place = folder / "results" / f"local__{model}" / "rev1"
        write_meta(place, name=f"local/{model}")
        every = {"Monolingual": MONO, "CrossLingual": CROSS, "Multilingual": MULTI, "LanguageBias": BIAS} | tasks
        for name, subsets in every.items():
            write_task(place, f"Toy{name}", subsets)
    return folder


def test_figures_are_means_over_subsets(tmp_path: Path) -> None:
    remedy = Remedy("hybrid", alpha=0.5, seed=3, steps=300, seconds=60.0, languages=("de", "en"))
    (row,) = remedy_rows(results(tmp_path, "m"), {"m": remedy})
    assert (row.task, row.model, row.strategy, row.alpha, row.seed) == ("Toy", "local/m", "hybrid", 0.5, 3)
    assert (row.steps, row.seconds) == (300, 60.0)
    assert row.monolingual == pytest.approx(2.1 / 3)
    assert row.cross_lingual == pytest.approx(2.1 / 6)
    assert row.multilingual == pytest.approx(1.2 / 3)
    assert row.rank_distance == pytest.approx(120 / 3)  # of the bias task, which goes before
    assert row.tlr_at_20 == pytest.approx(0.6 / 3)
    assert row.ndcg_at_20 == pytest.approx(1.5 / 3)
    assert row.mrc_at_20 is None


def test_seen_and_unseen_query_languages_stand_apart(tmp_path: Path) -> None:
    (row,) = remedy_rows(results(tmp_path, "m"), {"m": Remedy("hybrid", languages=("deu", "en-Latn", "fr"))})
    assert row.seen_languages == ["de", "en"]
    assert row.seen is not None
    assert row.unseen is not None
    assert (row.seen.monolingual, row.unseen.monolingual) == pytest.approx((0.85, 0.4))
    assert (row.seen.cross_lingual, row.unseen.cross_lingual) == pytest.approx((0.45, 0.15))
    assert (row.seen.multilingual, row.unseen.multilingual) == pytest.approx((0.55, 0.1))
    assert (row.seen.rank_distance, row.unseen.rank_distance) == (15.0, 90.0)


def test_the_untrained_model_is_parted_where_the_others_are(tmp_path: Path) -> None:
    remedies = {"m": Remedy("untrained"), "n": Remedy("shift", languages=("th",))}
    untrained, shift = remedy_rows(results(tmp_path, "m", "n"), remedies)
    assert untrained.seen_languages == shift.seen_languages == ["th"]
    assert untrained.seen == shift.seen


def test_all_or_none_of_the_languages_seen(tmp_path: Path) -> None:
    folder = results(tmp_path, "m")
    (row,) = remedy_rows(folder, {"m": Remedy("untrained")})
    assert (row.seen, row.unseen, row.seen_languages) == (None, None, [])
    (row,) = remedy_rows(folder, {"m": Remedy("hybrid", languages=("de", "en", "th"))})
    assert row.unseen is None
    assert row.seen is not None
    assert row.seen.multilingual == row.multilingual


def test_a_setting_that_was_not_run_has_no_figure(tmp_path: Path) -> None:
    place = tmp_path / "m" / "rev1"
    write_task(place, "ToyMonolingual", MONO)
    write_task(place, "ToyMultilingual", MULTI)
    (row,) = remedy_rows(tmp_path, {"m": Remedy("untrained")})
    assert row.cross_lingual is None
    assert row.rank_distance == 1.0  # the multilingual task ranks the same pool


def test_part_of_a_setting_is_no_row(tmp_path: Path) -> None:
    part = {"de-en": {"map": 0.6}}
    with pytest.raises(HybridError, match=r"local/m: ToyCrossLingual was run on 1 of 6 subsets"):
        remedy_rows(results(tmp_path, "m", CrossLingual=part), {"m": Remedy("untrained")})
    with pytest.raises(HybridError, match="no results of model 'n'"):
        remedy_rows(tmp_path, {"n": Remedy("untrained")})


def test_languages_are_those_of_the_record(tmp_path: Path) -> None:
    assert seen_languages(tmp_path) == ()
    record = training(data=[source(languages=["de", "zh"]), source(languages=["en", "de"])])
    (tmp_path / RECORD).write_text(record_text(record))
    assert seen_languages(tmp_path) == ("de", "en", "zh")


# ---- files


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    remedies = {"m": Remedy("untrained"), "n": Remedy("shift", alpha=1.0, languages=("th",))}
    rows = remedy_rows(results(tmp_path, "m", "n"), remedies)
    write_rows(rows, tmp_path / "rows.json")
    assert read_rows(tmp_path / "rows.json") == rows
    lines = "".join(f"{json.dumps(row.model_dump())}\n\n" for row in rows)
    (tmp_path / "rows.jsonl").write_text(lines)
    assert read_rows(tmp_path / "rows.jsonl") == rows
    (tmp_path / "one.json").write_text(json.dumps(rows[0].model_dump(), indent=2))
    assert read_rows(tmp_path / "one.json") == rows[:1]


ROW = {"task": "Toy", "model": "m", "strategy": "shift", "monolingual": 0.5, "multilingual": 0.5}


def test_the_least_that_a_row_holds(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text(json.dumps([ROW | {"note": "what is not known is passed over", "alpha": 1}]))
    (row,) = read_rows(tmp_path / "rows.json")
    assert (row.alpha, row.seconds, row.seen) == (1.0, None, None)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "holds no rows"),
        ("[]", "holds no rows"),
        ("strategy,monolingual", "is neither JSON nor JSON lines"),
        (json.dumps([ROW])[:-3], "is neither JSON nor JSON lines"),
        (f"{json.dumps(ROW)}\n{{", ", line 2 is not JSON"),
        ("[3]", ", row 1: the row: "),
        (json.dumps([ROW, {k: v for k, v in ROW.items() if k != "strategy"}]), ", row 2: strategy: Field required"),
        (json.dumps([ROW | {"monolingual": None}]), ", row 1: monolingual: a row needs this figure"),
        (json.dumps([ROW | {"monolingual": "0.5"}]), ", row 1: monolingual: "),
        (json.dumps([ROW | {"multilingual": 50.0}]), ", row 1: multilingual: "),
        (json.dumps([ROW | {"multilingual": float("nan")}]), ", row 1: multilingual: "),
        (json.dumps([ROW | {"seed": 0.5}]), ", row 1: seed: "),
        (json.dumps([ROW | {"seen": {"multilingual": "x"}}]), ", row 1: seen.multilingual: "),
    ],
)
def test_files_that_hold_something_else(text: str, part: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(text)
    with pytest.raises(HybridError) as raised:
        read_rows(path)
    assert part in str(raised.value)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(HybridError, match="cannot read"):
        read_rows(tmp_path)
    with pytest.raises(HybridError, match="cannot write"):
        write_rows([], tmp_path / "no folder" / "rows.json")
    (tmp_path / "rows.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(HybridError, match="is not text in UTF-8"):
        read_rows(tmp_path / "rows.json")
