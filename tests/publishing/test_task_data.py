"""A task's data set, as a folder: read back by mteb's own loader and by ours, id for id."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import mteb
import pytest
import yaml
from mteb.abstasks.retrieval_dataset_loaders import RetrievalDatasetLoader
from pyarrow import parquet

from mteb_hybrid.data.collection import ParallelCollection, TextTable
from mteb_hybrid.data.collection_folder import read_collection
from mteb_hybrid.data.world import generate_world
from mteb_hybrid.errors import HybridError
from mteb_hybrid.evaluation.declare import ParallelBenchmark, declare
from mteb_hybrid.evaluation.own import collection_tasks
from mteb_hybrid.publishing.task_card import card_text
from mteb_hybrid.publishing.task_data import LanguageCounts, check_license, license_title, write_task_data
from mteb_hybrid.registry import register_tasks

# French has a query and no passage; zh-Hant has a hyphen, of which a subset's name makes an underscore; q3 is asked in
# German alone; no query of zh-Hant has an answer in English; p-en-2 answers nothing, p-de-1 two questions.
SMALL = ParallelCollection(
    "SmallPublished",
    queries={
        "fr": TextTable(("q1",), ("Qui ?",), (("bridge",),)),
        "zh-Hant": TextTable(("q1",), ("誰建了橋？",), (("bridge",),)),
        "de": TextTable(("q1", "q2", "q3"), ("Wer?", "Wann?", "  Wo \n genau? "), (("bridge",), ("year",), ("place",))),
        "en": TextTable(("q2",), ("When?",), (("year",),)),
    },
    passages={
        "fr": TextTable((), (), ()),
        "zh-Hant": TextTable(("p-zh-1",), ("艾達建了橋。",), (("bridge",),)),
        "de": TextTable(("p-de-1", "p-de-2"), ("Ada, 1802.", "In Köln."), (("year", "bridge"), ("place",))),
        "en": TextTable(("p-en-1", "p-en-2"), ("In 1802.", "no, null, ~"), (("year",), ())),
    },
)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The folder of the small collection's aggregate."""
    register_tasks(collection_tasks(SMALL))
    write_task_data("SmallPublished", tmp_path / "small", "org/small")
    return tmp_path / "small"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``datasets`` keeps of a folder stays in the test's own."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")


def rows(dataset: Any) -> list[tuple[str, str]]:
    assert set(dataset.column_names) == {"id", "text"}
    return list(zip(dataset["id"], dataset["text"], strict=True))


def tasks_parts(name: str) -> list[Any]:
    task: Any = mteb.get_task(name)
    return list(getattr(task, "tasks", [task]))


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def assert_read_back_by_mteb(folder: Path, name: str, subsets: set[str] | None = None) -> int:
    """mteb's loader gives what the unmodified task gives, in the same order; returns how many subsets were compared."""
    compared = 0
    for part in tasks_parts(name):
        part.load_data()
        for subset in part.hf_subsets:
            if subsets is not None and subset not in subsets:
                continue
            want = part.dataset[subset]["test"]
            got = RetrievalDatasetLoader(str(folder), revision="main", split="test", config=subset).load()
            assert rows(got["queries"]) == rows(want["queries"])
            assert rows(got["corpus"]) == rows(want["corpus"])
            assert got["relevant_docs"] == want["relevant_docs"]
            assert got["top_ranked"] is None
            compared += 1
    return compared


def assert_files_hold(folder: Path, name: str) -> int:
    """The same of all subsets, by the files that the card names; ``datasets`` needs seconds for each."""
    head = yaml.load((folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)[1], yaml.CSafeLoader)
    configs = {config["config_name"]: config["data_files"][0]["path"] for config in head["configs"]}
    compared = 0
    for part in tasks_parts(name):
        part.load_data()
        for subset in part.hf_subsets:
            want = part.dataset[subset]["test"]
            qrels: dict[str, dict[str, int]] = {}
            for row in parquet.read_table(folder / configs[f"{subset}-qrels"]).to_pylist():
                qrels.setdefault(row["query-id"], {})[row["corpus-id"]] = row["score"]
            assert qrels == want["relevant_docs"]
            queries = texts(folder, configs[f"{subset}-queries"])
            assert [row for row in queries if row[0] in qrels] == rows(want["queries"])
            assert texts(folder, configs[f"{subset}-corpus"]) == rows(want["corpus"])
            compared += 1
    assert len(configs) == 3 * compared
    return compared


def texts(folder: Path, paths: str | list[str]) -> list[tuple[str, str]]:
    tables = [parquet.read_table(folder / path) for path in ([paths] if isinstance(paths, str) else paths)]
    return [row for table in tables for row in zip(*(table[c].to_pylist() for c in ("id", "text")), strict=True)]


# ---- what is read back


def test_mteb_reads_a_small_collection_as_its_task_gives_it(small: Path) -> None:
    subsets = {"zh_Hant-zh_Hant", "fr-de", "de-en", "fr-all"}
    assert assert_read_back_by_mteb(small, "SmallPublished", subsets) == len(subsets)


def test_we_read_a_small_collection_with_its_groups(small: Path) -> None:
    assert read_collection(small) == SMALL


def test_a_part_is_a_data_set_of_its_own(tmp_path: Path) -> None:
    register_tasks(collection_tasks(SMALL))
    data = write_task_data("SmallPublishedMonolingual", tmp_path / "part", "org/part")
    assert list(data.subsets) == ["zh_Hant-zh_Hant", "de-de", "en-en"]
    assert assert_read_back_by_mteb(tmp_path / "part", "SmallPublishedMonolingual") == 3
    assert read_collection(tmp_path / "part") == SMALL


def test_a_subset_without_any_judgement_is_kept_as_the_task_has_it(tmp_path: Path) -> None:
    """No benchmark of ours has one; `datasets`, and so mteb's own loader, cannot read a split without rows."""
    alien = ParallelCollection(
        "Alien",
        queries={tag: TextTable((f"q-{tag}",), ("?",), ((tag,),)) for tag in ("de", "en")},
        passages={tag: TextTable((f"p-{tag}",), ("!",), ((tag,),)) for tag in ("de", "en")},
    )
    benchmark = ParallelBenchmark("Alien", "Alien", "", lambda: alien, ("de", "en"), {"path": "a", "revision": "1"})
    register_tasks(declare(benchmark))
    data = write_task_data("AlienCrossLingual", tmp_path / "alien", "org/alien")
    assert (data.judgements, list(data.subsets)) == (0, ["de-en", "en-de"])
    assert parquet.read_table(tmp_path / "alien" / "qrels" / "de-en.parquet").to_pylist() == []
    assert read_collection(tmp_path / "alien") == alien


@pytest.mark.slow
def test_mteb_reads_the_generated_world_as_its_task_gives_it(tmp_path: Path) -> None:
    write_task_data("ParallelWorld", tmp_path / "world", "org/parallel-world")
    subsets = {"en-en", "zh-zh", "de-ar", "hi-zh", "ru-all"}
    assert assert_read_back_by_mteb(tmp_path / "world", "ParallelWorld", subsets) == 5
    assert read_collection(tmp_path / "world") == generate_world(400)


@pytest.mark.slow
@pytest.mark.usefixtures("lareqa_data")
@pytest.mark.parametrize(
    ("name", "subsets", "number"),
    [
        ("XQuADR", {"de-ar", "vi-all"}, 11 + 110 + 11),
        ("MLQAR", {"hi-hi", "es-vi", "zh-all"}, 7 + 42 + 7),
        ("XQuADRXtremeR", {"ar-all"}, 11),
    ],
)
def test_mteb_reads_real_data_as_their_task_gives_them(
    name: str, subsets: set[str], number: int, tmp_path: Path
) -> None:
    data = write_task_data(name, tmp_path / "data", "org/data")
    assert assert_read_back_by_mteb(tmp_path / "data", name, subsets) == len(subsets)
    assert assert_files_hold(tmp_path / "data", name) == number
    assert read_collection(tmp_path / "data") == type(tasks_parts(name)[0]).load_collection()
    assert sorted(data.subsets) == sorted(subset for part in tasks_parts(name) for subset in part.hf_subsets)


@pytest.mark.slow
@pytest.mark.usefixtures("lareqa_data")
def test_mlqa_r_asks_in_a_subset_what_exists_in_the_other_language(tmp_path: Path) -> None:
    write_task_data("MLQARCrossLingual", tmp_path / "data", "org/data")
    loaded = RetrievalDatasetLoader(str(tmp_path / "data"), "main", config="de-en").load()
    everything = datasets.load_dataset(str(tmp_path / "data"), "de-en-queries", split="test")
    assert (len(loaded["queries"]), len(everything)) == (512, 512)  # English has them all
    loaded = RetrievalDatasetLoader(str(tmp_path / "data"), "main", config="en-de").load()
    everything = datasets.load_dataset(str(tmp_path / "data"), "en-de-queries", split="test")
    assert (len(loaded["queries"]), len(everything)) == (512, 1148)


# ---- the folder


def test_files_grow_with_the_texts_and_not_with_the_pairs(small: Path) -> None:
    """Three subsets of one language, six pairs (none with French passages, none between Chinese or French and English),
    four pools of all."""
    assert sorted(files(small)) == [
        "README.md",
        "collection.json",
        *(f"corpus/{language}.parquet" for language in ("de", "en", "fr", "zh-Hant")),
        *(
            f"qrels/{name}.parquet"
            for name in (
                *("de-all", "de-de", "de-en", "de-zh_Hant", "en-all", "en-de", "en-en", "fr-all", "fr-de"),
                *("fr-zh_Hant", "zh_Hant-all", "zh_Hant-de", "zh_Hant-zh_Hant"),
            )
        ),
        *(f"queries/{language}.parquet" for language in ("de", "en", "fr", "zh-Hant")),
    ]


def test_the_same_data_are_the_same_bytes(small: Path, tmp_path: Path) -> None:
    write_task_data("SmallPublished", tmp_path / "again", "org/small")
    assert files(tmp_path / "again") == files(small)


def test_a_folder_with_something_in_it_is_left_alone(small: Path) -> None:
    before = files(small)
    with pytest.raises(HybridError, match="is not an empty folder"):
        write_task_data("SmallPublished", small, "org/other")
    assert files(small) == before


def test_nothing_is_left_of_what_cannot_be_written(tmp_path: Path) -> None:
    table = TextTable(("q",), ("\ud800",), (("g",),))
    broken = ParallelCollection("BrokenText", {"de": table}, {"de": TextTable(("p",), ("x",), (("g",),))})
    register_tasks(collection_tasks(broken))
    with pytest.raises(HybridError, match="not valid Unicode"):
        write_task_data("BrokenText", tmp_path / "broken", "org/broken")
    assert list(tmp_path.iterdir()) == []


# ---- the card


@pytest.fixture
def world_card(tmp_path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """YAML and text of the card of ParallelWorldMonolingual."""
    write_task_data("ParallelWorldMonolingual", tmp_path / "card", "ada/parallel-world")
    _, head, text = (tmp_path / "card" / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    yield yaml.safe_load(head), text


def test_the_yaml_of_the_card(world_card: tuple[dict[str, Any], str]) -> None:
    head, _ = world_card
    configs = {config["config_name"]: config for config in head.pop("configs")}
    assert head == {
        "license": "apache-2.0",
        "language": ["en", "de", "es", "ru", "el", "ar", "hi", "zh"],
        "multilinguality": "multilingual",
        "task_categories": ["text-retrieval"],
        "tags": ["mteb", "text"],
        "pretty_name": "ParallelWorldMonolingual",
    }
    assert len(configs) == 8 * 3
    assert configs["de-de-corpus"]["data_files"] == [{"split": "test", "path": "corpus/de.parquet"}]


def test_the_pool_of_all_languages_is_in_the_collections_order(small: Path) -> None:
    head = yaml.safe_load((small / "README.md").read_text(encoding="utf-8").split("---\n", 2)[1])
    (corpus,) = (config for config in head["configs"] if config["config_name"] == "en-all-corpus")
    assert corpus["data_files"][0]["path"] == [
        f"corpus/{language}.parquet" for language in ("fr", "zh-Hant", "de", "en")
    ]
    assert head["language"] == ["fr", "zh", "de", "en"]
    assert head["license"] == "unknown"


def test_the_card_says_what_there_is_and_how_to_use_it(world_card: tuple[dict[str, Any], str]) -> None:
    _, text = world_card
    assert text.lstrip().startswith("# ParallelWorldMonolingual\n")
    assert "MTEB_HYBRID_HUB=ada mteb run -m MODEL -t ParallelWorldMonolingual" in text
    assert 'load_dataset("ada/parallel-world", "en-en-queries", split="test")' in text
    assert "| Source revision | `b93ca3282578e28102c3286ea8a5c3758af6b2de` |" in text
    assert re.search(r"^\| de \| 400 \| 480 \| [\d,]+ \| [\d,]+ \|$", text, re.MULTILINE)
    assert "| all | 3,200 | 3,840 |" in text
    assert "8 subsets with 3,200 relevance judgements" in text
    assert "Citation" not in text  # it has none


def test_the_card_of_another_name_does_not_promise_what_does_not_work(tmp_path: Path) -> None:
    data = write_task_data("ParallelWorldMonolingual", tmp_path / "card", "ada/another-name")
    assert "MTEB_HYBRID_HUB" not in card_text(data)


@pytest.mark.usefixtures("lareqa_data")
def test_the_card_of_real_data_names_source_licence_and_citation(tmp_path: Path) -> None:
    data = write_task_data("MLQARMonolingual", tmp_path / "card", "ada/mlqa-r")
    text = (tmp_path / "card" / "README.md").read_text(encoding="utf-8")
    assert "license: cc-by-nc-4.0" in text
    for part in (
        "| Licence | CC BY-NC 4.0 |",
        "| Reference | https://github.com/google-research-datasets/lareqa |",
        "| Source revision | `354d67d1cd066854cdfbf5ad0e6105528976141d` |",
        "MTEB_HYBRID_HUB=ada mteb run",
        "@inproceedings{roy2020lareqa,",
        "  title = {{LAReQA}: Language-Agnostic",
    ):
        assert part in text
    assert data.judgements == 4199


def test_amounts_are_counted_by_hand(tmp_path: Path) -> None:
    register_tasks(collection_tasks(SMALL))
    data = write_task_data("SmallPublishedMultilingual", tmp_path / "data", "org/small")
    assert data.languages["de"] == LanguageCounts(3, 2, 4 + 5 + 14, 10 + 8)
    assert data.languages["zh-Hant"] == LanguageCounts(1, 1, 5, 6)
    # q1 has its answer in zh-Hant and de, q2 in de and en, q3 in de
    assert data.judgements == 2 + 2 + (2 + 2 + 1) + 2
    assert data.revision == SMALL.revision


# ---- which tasks, and which licences


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("XQuaDR", "no task is named 'XQuaDR'; did you mean XQuADR?"),
        ("zzz", "no task is named 'zzz'; there are ML"),
        ("NFCorpus", "NFCorpus is not a task of this package"),
    ],
)
def test_other_tasks_are_refused_in_one_line(name: str, told: str, tmp_path: Path) -> None:
    for call in (lambda: check_license(name, True), lambda: write_task_data(name, tmp_path / "data", "org/x")):
        with pytest.raises(HybridError) as caught:
            call()
        assert str(caught.value).startswith(told)
        assert str(caught.value).isprintable()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["MLQAR", "MLQARLanguageBias"])
def test_a_non_commercial_licence_needs_yes(name: str) -> None:
    with pytest.raises(HybridError, match=rf"{name} are under CC BY-NC 4.0 \(non-commercial\).*--yes"):
        check_license(name, False)
    assert check_license(name, True) == "cc-by-nc-4.0"


def test_a_free_licence_needs_nothing() -> None:
    assert check_license("XQuADR", False) == "cc-by-sa-4.0"
    assert check_license("ParallelWorld", False) == "apache-2.0"


def test_data_without_a_licence_need_yes() -> None:
    register_tasks(collection_tasks(SMALL))
    with pytest.raises(HybridError, match=r"states no licence.*--yes"):
        check_license("SmallPublished", False)
    assert check_license("SmallPublished", True) is None


@pytest.mark.parametrize(
    ("license_", "title"),
    [("cc-by-nc-sa-4.0", "CC BY-NC-SA 4.0"), ("apache-2.0", "apache-2.0"), ("cc0", "cc0"), ("mit", "mit")],
)
def test_licences_in_prose(license_: str, title: str) -> None:
    assert license_title(license_) == title
