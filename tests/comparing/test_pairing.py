"""Scores of single queries are pairs, or it is said why not."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mteb_hybrid.comparing.pairing import check_pairs, draws_of, task_with_scores
from mteb_hybrid.errors import HybridError
from mteb_hybrid.reporting.results import read_results
from mteb_hybrid.subsets import Setting
from tests.comparing.folders import write

TASK = "ToyMonolingual"
SCORES = {"de-de": [0.5, 1.0, 0.25], "en-en": [1.0, 0.0, 0.5]}


def check(folder: Path) -> None:
    runs = read_results(folder)
    check_pairs(runs, [run.model for run in runs], TASK, "map")


def rewrite(path: Path, table: pa.Table) -> None:
    pq.write_table(table.replace_schema_metadata({b"dataset_revision": b"abc"}), path)


def test_pairs_in_whatever_order(tmp_path: Path) -> None:
    write(tmp_path, "local/a", TASK, SCORES)
    path = write(tmp_path, "local/b", TASK, {"en-en": [0.0, 0.0, 0.75], "de-de": [0.0, 1.0, 0.5]})
    check(tmp_path)
    table = pq.read_table(path)
    rewrite(path, table.take(list(reversed(range(len(table))))))
    check(tmp_path)
    assert draws_of(read_results(tmp_path)[1], TASK, ["de-de", "en-en"], "map").figure == pytest.approx(0.375)


def test_a_subset_without_results_is_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path, "local/a", TASK, SCORES)
    write(tmp_path, "local/b", TASK, SCORES)
    more = pq.read_table(path).slice(0, 1).set_column(0, "hf_subset", pa.array(["fr-fr"]))
    rewrite(path, pa.concat_tables([pq.read_table(path), more]))
    check(tmp_path)


def test_data_of_different_revisions(tmp_path: Path) -> None:
    write(tmp_path, "local/a", TASK, SCORES)
    write(tmp_path, "local/b", TASK, SCORES, data="other")
    with pytest.raises(HybridError, match=r"ToyMonolingual: local/a and local/b were run on .* \(abc, other\)"):
        check(tmp_path)


def test_scores_that_were_not_kept(tmp_path: Path) -> None:
    write(tmp_path, "local/a", TASK, SCORES)
    path = write(tmp_path, "local/b", TASK, SCORES, kept=False)
    message = "scores of single queries of ToyMonolingual were not kept for local/b; delete ToyMonolingual.json"
    with pytest.raises(HybridError, match=message):
        check(tmp_path)
    whole = pq.read_table(write(tmp_path, "local/b", TASK, SCORES))
    for part in (whole.slice(0, 3), whole.drop_columns(["map"])):
        rewrite(path, part)
        with pytest.raises(HybridError, match=message):
            check(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, "local/a", TASK, SCORES)
    path = write(tmp_path, "local/b", TASK, SCORES)
    path.write_bytes(content)
    with pytest.raises(HybridError, match=r"local__b.*ToyMonolingual\.queries\.parquet is damaged"):
        check(tmp_path)


def test_scores_of_a_type_that_cannot_be_filtered(tmp_path: Path) -> None:
    path = write(tmp_path, "local/a", TASK, SCORES)
    table = pq.read_table(path)
    more = table.set_column(0, "hf_subset", pa.array(["fr-fr", *table["hf_subset"].to_pylist()[1:]]))
    rewrite(path, more.set_column(3, "map", pa.array(["0.5"] * len(table), pa.string_view())))
    with pytest.raises(HybridError, match="holds scores that are no numbers"):
        check(tmp_path)


def test_texts_and_names_that_are_not_utf_8(tmp_path: Path) -> None:
    path = write(tmp_path, "local/a", TASK, SCORES)
    table = pq.read_table(path)
    broken = pa.array([b"\xff"] * len(table), pa.binary()).view(pa.string())
    rewrite(path, table.set_column(2, "group", broken))
    with pytest.raises(HybridError, match="is damaged"):
        check(tmp_path)
    named = table.append_column("zz9", pa.array([0.0] * len(table)))
    pq.write_table(named, path, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"zz9", b"\xff\xfe9"))
    with pytest.raises(HybridError, match="is damaged"):
        check(tmp_path)


def test_a_file_without_groups_or_with_lists_of_them(tmp_path: Path) -> None:
    path = write(tmp_path, "local/a", TASK, SCORES)
    table = pq.read_table(path)
    lists = pa.array([[text] for text in table["group"].to_pylist()])
    for other in (table.drop_columns(["group"]), table.set_column(2, "group", lists)):
        rewrite(path, other)
        with pytest.raises(HybridError, match="lacks one of the columns hf_subset, query, group"):
            check(tmp_path)


def test_scores_that_are_no_numbers(tmp_path: Path) -> None:
    write(tmp_path, "local/a", TASK, SCORES)
    path = write(tmp_path, "local/b", TASK, SCORES)
    table = pq.read_table(path)
    for values in (pa.array([float("nan")] + [0.5] * 5), pa.array(["0.5"] * 6)):
        rewrite(path, table.set_column(3, "map", values))
        with pytest.raises(HybridError, match="holds scores that are no numbers"):
            check(tmp_path)


def test_a_file_of_other_data_or_other_results(tmp_path: Path) -> None:
    write(tmp_path, "local/a", TASK, SCORES)
    path = write(tmp_path, "local/b", TASK, SCORES)
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({b"dataset_revision": b"older"}), path)
    with pytest.raises(HybridError, match="is of other data than the results beside it"):
        check(tmp_path)
    rewrite(path, table.set_column(3, "map", pa.array([0.5, 1.0, 0.25, 1.0, 0.0, 0.55])))
    with pytest.raises(HybridError, match=r"is not of the results beside it \(en-en: mean 0.5167, result 0.5\)"):
        check(tmp_path)


def test_subsets_that_only_one_has(tmp_path: Path) -> None:
    write(tmp_path, "local/a", TASK, SCORES)
    write(tmp_path, "local/b", TASK, {"de-de": SCORES["de-de"]})
    with pytest.raises(HybridError, match="local/b has no results of ToyMonolingual en-en, which local/a has"):
        check(tmp_path)
    write(tmp_path, "local/b", TASK, SCORES | {"fr-fr": [1.0], "it-it": [1.0]})
    with pytest.raises(HybridError, match="local/a has no results of ToyMonolingual fr-fr and 1 more, which local/b"):
        check(tmp_path)


@pytest.mark.parametrize(
    ("groups", "values", "such"),
    [
        (["g0", "g1", "q2"], [0.5, 1.0, 0.25], "de-de q0"),
        ([], [0.5, 1.0, 0.25, 0.5], "de-de q3"),
    ],
)
def test_queries_that_differ(tmp_path: Path, groups: list[str], values: list[float], such: str) -> None:
    write(tmp_path, "local/a", TASK, {"de-de": [0.5, 1.0, 0.25]})
    write(tmp_path, "local/b", TASK, {"de-de": values}, groups=groups)
    with pytest.raises(HybridError, match=f"local/a and local/b have scores of different queries, such as {such}"):
        check(tmp_path)


def test_language_bias_may_stand_in_the_multilingual_task(tmp_path: Path) -> None:
    write(tmp_path, "local/a", "ToyLanguageBias", {"de-all": [10.0]})
    write(tmp_path, "local/b", "ToyMultilingual", {"de-all": [0.5]})
    runs = read_results(tmp_path)
    assert task_with_scores(runs[:1], "Toy", Setting.LANGUAGE_BIAS) == "ToyLanguageBias"
    assert task_with_scores(runs[1:], "Toy", Setting.MULTILINGUAL) == "ToyMultilingual"
    assert task_with_scores(runs, "Toy", Setting.LANGUAGE_BIAS) is None
    result = tmp_path / "results" / "local__b" / "rev1" / "ToyMultilingual.json"
    result.write_text(result.read_text().replace('"map"', '"rank_distance"'))
    assert task_with_scores(read_results(tmp_path)[1:], "Toy", Setting.LANGUAGE_BIAS) == "ToyMultilingual"
