"""Very many languages, by twelve of Belebele's with odd tags: what is encoded, scored, saved and told apart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mteb
import pyarrow.parquet as pq
import pytest
from mteb.cache import ResultCache

from mteb_hybrid.data.languages import langscript
from mteb_hybrid.data.own import load_collection, save_collection
from mteb_hybrid.errors import HybridError
from mteb_hybrid.evaluation import freed, saving
from mteb_hybrid.evaluation import task as task_module
from mteb_hybrid.evaluation.own import collection_tasks
from mteb_hybrid.evaluation.splits import build_splits
from mteb_hybrid.registry import register
from mteb_hybrid.subsets import RETRIEVAL_SETTINGS, Setting
from tests.languages.belebele_shape import ODD, PASSAGES, QUERIES, TAGS, belebele_shaped
from tests.languages.lookup import LookupEncoder

ASKED, POOL = 12, 7  # a language
PAIRS = len(ODD) * (len(ODD) - 1)


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    register()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "Belebele.jsonl"
    save_collection(belebele_shaped(ODD, ASKED, POOL), path)
    return path


def run(file: Path, folder: Path, encoder: Any = None) -> LookupEncoder:
    """Evaluate all settings and language bias in one run."""
    collection = load_collection(file)
    model: LookupEncoder = encoder or LookupEncoder(collection)
    *_, bias, aggregate = collection_tasks(collection)
    tasks: list[Any] = [aggregate(), bias()]
    mteb.evaluate(model, tasks, cache=ResultCache(folder), show_progress_bar=False)
    return model


def scores(folder: Path, task: str) -> dict[str, dict[str, Any]]:
    (path,) = folder.rglob(f"{task}.json")
    return {entry["hf_subset"]: entry for entry in json.loads(path.read_text())["scores"]["test"]}


# ---- the shape, and its tags


def test_the_shape_is_that_of_belebele() -> None:
    assert len(TAGS) == len(set(TAGS)) == 122
    assert len({tag[:3] for tag in TAGS}) == 115
    collection = belebele_shaped(("eng_Latn", "tha_Thai"))
    for tag in collection.languages:
        asked, pool = collection.queries[tag], collection.passages[tag]
        assert (len(asked), len(pool)) == (QUERIES, PASSAGES) == (900, 488)
        assert {len(groups) for groups in pool.groups} == {1, 2}
        assert all(len(pool.rows_by_group[group]) == 1 for (group,) in asked.groups)
        assert len({*asked.texts, *pool.texts}) == 1388
    assert belebele_shaped(("eng_Latn",)).revision == belebele_shaped(("eng_Latn",)).revision


def test_mteb_names_the_same_tags() -> None:
    pairs = mteb.get_task("BelebeleRetrieval").metadata.eval_langs
    assert isinstance(pairs, dict)
    assert {tag for names in pairs.values() for tag in names} == {tag.replace("_", "-") for tag in TAGS}


@pytest.mark.parametrize("tag", TAGS)
def test_mteb_takes_every_tag_as_it_is(tag: str) -> None:
    assert langscript(tag) == langscript(tag.replace("_", "-")) == tag.replace("_", "-")


def test_all_pairs_have_names_of_their_own_that_are_read_back() -> None:
    tags = [tag.replace("_", "-") for tag in TAGS]
    mono, cross, multi = (setting.subsets(tags) for setting in RETRIEVAL_SETTINGS)
    assert len(mono) + len(cross) == 14_884 and len(multi) == 122
    assert "zho_Hans-zho_Hant" in cross and "ben_Beng-ben_Latn" in cross
    for name, subset in {**mono, **cross}.items():
        setting = Setting.MONOLINGUAL if name in mono else Setting.CROSS_LINGUAL
        read = setting.languages_of(name)
        assert (read[0], read[-1]) == (subset.query_language, subset.corpus_languages[0])


def test_a_tag_is_the_same_with_a_hyphen_and_with_an_underscore(file: Path, tmp_path: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert '"zho_Hans"' in text
    path = tmp_path / "Belebele.jsonl"
    path.write_text(text.replace('"zho_Hans"', '"zho-Hans"', 1), encoding="utf-8")
    assert load_collection(path) == load_collection(file)
    assert load_collection(file).languages == tuple(tag.replace("_", "-") for tag in ODD)


def test_tags_that_differ_in_case_alone_are_refused(file: Path, tmp_path: Path) -> None:
    path = tmp_path / "Belebele.jsonl"
    path.write_text(file.read_text(encoding="utf-8").replace('"zho_Hant"', '"ZHO_hans"'), encoding="utf-8")
    with pytest.raises(HybridError, match=r"'zho-Hans' and 'ZHO-hans' are the same"):
        load_collection(path)


def test_a_collection_whose_subsets_would_be_of_one_name_is_refused() -> None:
    with pytest.raises(HybridError, match=r"'zho_Hans'.*hyphen"):
        collection_tasks(belebele_shaped(("eng-Latn", "zho_Hans"), 3, 2))


def test_tasks_are_filtered_by_language_whatever_the_script(file: Path) -> None:
    cross = collection_tasks(load_collection(file))[1]()
    cross.filter_languages(["zho"], exclusive_language_filter=True)
    assert sorted(cross.hf_subsets) == ["zho_Hans-zho_Hant", "zho_Hant-zho_Hans"]
    tagalog = collection_tasks(load_collection(file))[0]()
    tagalog.filter_languages(["tgl"])
    assert tagalog.hf_subsets == ["tgl_Latn-tgl_Latn"]


def test_a_layout_holds_nothing_for_each_pair() -> None:
    """With 14,884 pairs of 900 questions, dictionaries of what is relevant would take gigabytes."""
    collection = belebele_shaped(("eng-Latn", "tha-Thai"), 5, 3)
    subsets = Setting.CROSS_LINGUAL.subsets(collection.languages)
    split = build_splits(collection, subsets, "test")["eng_Latn-tha_Thai"]["test"]
    assert split["relevant_docs"] == split["relevant_docs"]
    assert split["relevant_docs"] is not split["relevant_docs"]
    split["top_ranked"] = {"q0": ["x"]}  # what somebody puts there stays
    assert dict(split)["top_ranked"] == {"q0": ["x"]}


# ---- a run


@pytest.fixture(scope="module")
def done(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, LookupEncoder]]:
    folder = tmp_path_factory.mktemp("results")
    yield folder, run(file, folder)


def test_each_text_is_encoded_once_however_many_pairs_there_are(done: tuple[Path, LookupEncoder]) -> None:
    assert done[1].texts == len(ODD) * (ASKED + POOL) == 228


def test_every_pair_and_the_pool_are_scored(done: tuple[Path, LookupEncoder]) -> None:
    found = {part: scores(done[0], f"Belebele{part}") for part in ("Monolingual", "CrossLingual", "Multilingual")}
    assert {part: len(of) for part, of in found.items()} == {
        "Monolingual": 12,
        "CrossLingual": PAIRS,
        "Multilingual": 12,
    }
    assert all(0 < entry["map"] <= 1 for of in found.values() for entry in of.values())
    shares = scores(done[0], "BelebeleLanguageBias")["zho_Hans-all"]["language_share_at_10"]
    assert list(shares) == [tag.replace("_", "-") for tag in ODD]  # the names that reports look for
    path = next(done[0].rglob("BelebeleLanguageBias.queries.parquet"))
    assert {"rank_zho-Hans", "rank_zho-Hant", "rank_ben-Latn"} <= set(pq.read_schema(path).names)


def test_both_tasks_of_a_pool_have_the_same_figures(done: tuple[Path, LookupEncoder]) -> None:
    multi, bias = (scores(done[0], f"Belebele{part}") for part in ("Multilingual", "LanguageBias"))
    for subset, entry in bias.items():
        assert {**multi[subset], "main_score": 0} == {**entry, "main_score": 0}


# ---- results of very many subsets, by five languages: a run is fast then


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "Belebele.jsonl"
    save_collection(belebele_shaped(ODD[2:7], ASKED, POOL), path)
    return path


@pytest.fixture(scope="module")
def whole(five: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of an uninterrupted run, written after each subset."""
    folder = tmp_path_factory.mktemp("whole")
    run(five, folder)
    return folder


def test_a_pool_alone_has_the_figures_that_it_has_beside_another(five: Path, whole: Path, tmp_path: Path) -> None:
    collection = load_collection(five)
    alone: Any = collection_tasks(collection)[3]()
    mteb.evaluate(LookupEncoder(collection), alone, cache=ResultCache(tmp_path), show_progress_bar=False)
    assert scores(tmp_path, "BelebeleLanguageBias") == scores(whole, "BelebeleLanguageBias")


def kept(folder: Path) -> dict[str, Any]:
    """What a run leaves, without times; scores of single queries byte for byte."""
    found: dict[str, Any] = {path.name: path.read_bytes() for path in folder.rglob("*.parquet")}
    for path in folder.rglob("Belebele*.json"):
        content = json.loads(path.read_text())
        found[path.name] = sorted(content["scores"]["test"], key=lambda entry: entry["hf_subset"])
    return found


def test_results_are_written_when_they_have_grown_and_are_whole_in_the_end(
    five: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    from mteb.results import TaskResult

    to_disk = TaskResult.to_disk
    monkeypatch.setattr(saving, "ALWAYS", 10)
    monkeypatch.setattr(TaskResult, "to_disk", lambda self, path: (written.append(self.task_name), to_disk(self, path)))
    run(five, tmp_path)
    # After each of 10, after 11, 13, 15, 17, 19 and all 20, and once more by mteb.
    assert written.count("BelebeleCrossLingual") == 10 + 6 + 1
    assert kept(tmp_path) == kept(whole)


class Stops(LookupEncoder):
    """Ctrl-C after so many similarities."""

    left = 23

    def similarity(self, *args: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().similarity(*args)


def test_an_interrupted_run_leaves_what_was_not_due_and_goes_on_there(
    five: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "ALWAYS", 10)
    with pytest.raises(KeyboardInterrupt):
        run(five, tmp_path, Stops(load_collection(five)))
    assert len(scores(tmp_path, "BelebeleCrossLingual")) == 23 - 5  # the monolingual ones went before; 17 were due
    run(five, tmp_path)
    assert kept(tmp_path) == kept(whole)


def test_a_task_of_very_many_subsets_reports_fewer_scores_and_the_same(
    five: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_module, "SUBSETS_IN_FULL", 15)
    run(five, tmp_path)
    few, full = scores(tmp_path, "BelebeleCrossLingual"), scores(whole, "BelebeleCrossLingual")
    assert few.keys() == full.keys()
    for subset, entry in few.items():
        assert entry == {name: full[subset][name] for name in entry}
        assert {"map", "main_score", "ndcg_at_10", "recall_at_1", "map_at_100"} <= entry.keys()
        assert len(entry) < 30
        assert len(full[subset]) > 140
    (path,) = tmp_path.rglob("BelebeleCrossLingual.json")
    assert path.stat().st_size < 20 * 1000  # bytes a subset
    assert len(json.loads(path.read_text())["evaluation_phases"]) < 10


def test_freed_memory_is_given_back_when_it_has_become_much(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(freed, "_trim", lambda: asked.append)
    memory = freed.Freed()
    for _ in range(5):
        memory.add(freed.BYTES_AT_MOST // 2)
    assert asked == [0, 0]
    monkeypatch.setattr(freed, "_trim", lambda: None)  # a C library without it
    memory.add(freed.BYTES_AT_MOST)
    assert asked == [0, 0]
