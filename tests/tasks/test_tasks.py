"""The benchmarks as declared, and as the real files fill them (PROTOCOL sections 1 and 2)."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import mteb
import pytest
from mteb.abstasks import AbsTaskRetrieval
from mteb.types import PromptType

from mteb_hybrid import tasks
from mteb_hybrid.data.languages import langscript
from mteb_hybrid.data.world import WORLD_LANGUAGES, generate_world
from mteb_hybrid.evaluation.own import collection_tasks

XQUAD_R = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")
MLQA_R = ("ar", "de", "en", "es", "hi", "vi", "zh")
LANGUAGES = {"XQuADR": XQUAD_R, "MLQAR": MLQA_R, "ParallelWorld": WORLD_LANGUAGES}
SETTINGS = ("Monolingual", "CrossLingual", "Multilingual")
AGGREGATES = tuple(LANGUAGES)
NAMES = [name for name in tasks.__all__ if not name.startswith("MLIR")]  # these have tests of their own
PARTS = [name for name in NAMES if name not in AGGREGATES]

CANDIDATES = {
    "XQuADR": dict(zip(XQUAD_R, (1222, 1276, 1234, 1180, 1215, 1244, 1219, 852, 1167, 1209, 1196), strict=True)),
    "MLQAR": dict(zip(MLQA_R, (2545, 2362, 6264, 1787, 2426, 2828, 2322), strict=True)),
}
QUESTIONS = {
    "XQuADR": dict.fromkeys(XQUAD_R, 1190),
    "MLQAR": dict(zip(MLQA_R, (517, 512, 1148, 500, 507, 511, 504), strict=True)),
}


def task_class(name: str) -> Any:
    return getattr(tasks, name)


def benchmark_of(name: str) -> str:
    return next(benchmark for benchmark in AGGREGATES if name.startswith(benchmark))


# ---- declarations


def test_three_benchmarks_of_five_tasks_and_xtreme_r() -> None:
    expected = {f"{name}{part}" for name in AGGREGATES for part in ("", *SETTINGS, "LanguageBias")}
    assert set(NAMES) == {*expected, "XQuADRXtremeR"}
    assert all(task_class(name).metadata.name == name for name in NAMES)


@pytest.mark.parametrize("name", PARTS)
def test_metadata_are_complete(name: str) -> None:
    metadata = task_class(name).metadata
    assert metadata.is_filled()
    assert metadata.is_multilingual
    assert len(metadata.revision) == 40
    assert metadata.license
    assert len(metadata.date) == 2
    assert metadata.date[0] <= metadata.date[1]
    assert metadata.type == "Retrieval"
    assert metadata.main_score == {"LanguageBias": "rank_closeness", "XtremeR": "map_at_20"}.get(
        name.removeprefix(benchmark_of(name)), "map"
    )
    assert task_class(name).__doc__ == metadata.description


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("ParallelWorld")])
def test_sources_are_cited(name: str) -> None:
    metadata = task_class(name).metadata
    assert metadata.bibtex_citation.strip().startswith("@inproceedings{roy2020lareqa,")
    assert metadata.reference == "https://github.com/google-research-datasets/lareqa"


def citations(bibtex: str | None) -> dict[str, tuple[str, str]]:
    """Of each paper, by its title in plain letters: the key and the title as they stand there."""
    entries = re.findall(r"^@\w+\{([^,]+),.*?^\s*title = \{(.*?)\},?$", bibtex or "", re.MULTILINE | re.DOTALL)
    return {re.sub(r"[{}\s]+", "", title).casefold(): (key, " ".join(title.split())) for key, title in entries}


def test_a_paper_is_cited_by_one_key_and_one_title_in_all_of_mteb() -> None:
    everywhere: dict[str, set[tuple[str, str]]] = {}
    for task in mteb.get_tasks(exclude_superseded=False):
        for paper, cited in citations(task.metadata.bibtex_citation).items():
            everywhere.setdefault(paper, set()).add(cited)
    ours = {paper for name in tasks.__all__ for paper in citations(task_class(name).metadata.bibtex_citation)}
    assert len(ours) >= 5
    assert {paper: everywhere[paper] for paper in ours if len(everywhere[paper]) > 1} == {}


def test_licences_and_revisions_are_the_published_ones() -> None:
    xquad, mlqa = tasks.XQuADRMonolingual.metadata, tasks.MLQARMonolingual.metadata
    assert (xquad.license, mlqa.license) == ("cc-by-sa-4.0", "cc-by-nc-4.0")
    assert xquad.revision == "9bc8c7fb6dd8d01d72a05a93c2cb96882b0d299c"
    assert mlqa.revision == "354d67d1cd066854cdfbf5ad0e6105528976141d"


def test_the_revision_of_the_generated_world_is_that_of_its_content() -> None:
    assert tasks.ParallelWorldMonolingual.metadata.revision == generate_world(400).revision


@pytest.mark.parametrize("benchmark", AGGREGATES)
def test_subsets_and_their_languages(benchmark: str) -> None:
    languages = LANGUAGES[benchmark]
    pairs = {f"{a}-{b}": {langscript(a), langscript(b)} for a in languages for b in languages}
    everything = {langscript(language) for language in languages}
    expected: dict[str, dict[str, set[str]]] = {
        "Monolingual": {name: langs for name, langs in pairs.items() if len(langs) == 1},
        "CrossLingual": {name: langs for name, langs in pairs.items() if len(langs) == 2},
        "Multilingual": {f"{language}-all": everything for language in languages},
    }
    expected["LanguageBias"] = expected["Multilingual"]
    for part, subsets in expected.items():
        found = task_class(f"{benchmark}{part}").metadata.eval_langs
        assert {name: set(langs) for name, langs in found.items()} == subsets
        assert all(len(langs) == len(set(langs)) for langs in found.values())
        # the query's language comes first
        assert all(langs[0] == langscript(name.partition("-")[0]) for name, langs in found.items())


def test_numbers_of_subsets() -> None:
    numbers = {name: len(task_class(name)().hf_subsets) for name in PARTS if not name.startswith("ParallelWorld")}
    assert numbers == {
        "XQuADRMonolingual": 11,
        "XQuADRCrossLingual": 110,
        "XQuADRMultilingual": 11,
        "XQuADRLanguageBias": 11,
        "XQuADRXtremeR": 11,
        "MLQARMonolingual": 7,
        "MLQARCrossLingual": 42,
        "MLQARMultilingual": 7,
        "MLQARLanguageBias": 7,
    }


def test_language_codes_are_those_of_mteb() -> None:
    langs = {lang for langs in task_class("XQuADRMonolingual").metadata.eval_langs.values() for lang in langs}
    assert langs == {
        *("ara-Arab", "deu-Latn", "ell-Grek", "eng-Latn", "spa-Latn", "hin-Deva"),
        *("rus-Cyrl", "tha-Thai", "tur-Latn", "vie-Latn", "zho-Hans"),
    }


@pytest.mark.parametrize("benchmark", AGGREGATES)
def test_the_aggregate_is_of_the_three_settings(benchmark: str) -> None:
    aggregate = task_class(benchmark)
    assert [type(part) for part in aggregate.metadata.tasks] == [task_class(f"{benchmark}{s}") for s in SETTINGS]
    assert aggregate.metadata.main_score == "map"
    assert aggregate().is_aggregate
    assert set(aggregate.metadata.eval_langs) == {langscript(language) for language in LANGUAGES[benchmark]}


def test_xtreme_r_cuts_and_scores_as_published() -> None:
    task = tasks.XQuADRXtremeR
    assert task.token_limits == {PromptType.query: 96, PromptType.document: 256}  # type: ignore[attr-defined]
    assert task.dot_product  # type: ignore[attr-defined]
    assert "arXiv 2104.07412" in task.metadata.description
    others = [task_class(name) for name in PARTS if name != "XQuADRXtremeR"]
    assert all(other.token_limits is None and not other.dot_product for other in others)


# ---- the real files


@pytest.fixture(scope="module")
def loaded(lareqa_folder: Path) -> Any:
    """What loads a task of the real files, once."""
    patch = pytest.MonkeyPatch()
    patch.setenv("MTEB_HYBRID_DATA", str(lareqa_folder))
    kept: dict[str, AbsTaskRetrieval] = {}

    def load(name: str) -> dict[str, Any]:
        if name not in kept:
            task = task_class(name)()
            task.load_data()
            kept[name] = task
        return {subset: splits["test"] for subset, splits in kept[name].dataset.items()}

    yield load
    patch.undo()


def shared_questions(data: Any, benchmark: str) -> dict[str, set[str]]:
    """The ids of the questions of each language."""
    return {
        name.partition("-")[0]: set(split["queries"]["id"]) for name, split in data(f"{benchmark}Monolingual").items()
    }


def assert_consistent(split: dict[str, Any]) -> None:
    """Every query has relevant passages, and they are in the pool; ids are unique."""
    queries, passages = list(split["queries"]["id"]), list(split["corpus"]["id"])
    assert len(set(queries)) == len(queries)
    assert len(set(passages)) == len(passages)
    assert set(split["relevant_docs"]) == set(queries)
    pool = set(passages)
    for relevant in split["relevant_docs"].values():
        assert relevant
        assert set(relevant) <= pool
        assert set(relevant.values()) == {1}


@pytest.mark.slow
@pytest.mark.parametrize("benchmark", ["XQuADR", "MLQAR"])
def test_monolingual_sizes(benchmark: str, loaded: Any) -> None:
    data = loaded(f"{benchmark}Monolingual")
    assert set(data) == {f"{x}-{x}" for x in LANGUAGES[benchmark]}
    for x in LANGUAGES[benchmark]:
        split = data[f"{x}-{x}"]
        assert_consistent(split)
        assert len(split["queries"]) == QUESTIONS[benchmark][x]
        assert len(split["corpus"]) == CANDIDATES[benchmark][x]
        assert Counter(map(len, split["relevant_docs"].values())) == {1: QUESTIONS[benchmark][x]}


@pytest.mark.slow
@pytest.mark.parametrize("benchmark", ["XQuADR", "MLQAR"])
def test_cross_lingual_sizes(benchmark: str, loaded: Any) -> None:
    data, ids = loaded(f"{benchmark}CrossLingual"), shared_questions(loaded, benchmark)
    assert len(data) == len(LANGUAGES[benchmark]) * (len(LANGUAGES[benchmark]) - 1)
    for name, split in data.items():
        x, y = name.split("-")
        assert_consistent(split)
        assert set(split["queries"]["id"]) == ids[x] & ids[y]
        assert len(split["corpus"]) == CANDIDATES[benchmark][y]
        assert Counter(map(len, split["relevant_docs"].values())) == {1: len(ids[x] & ids[y])}
        assert all(id_.startswith(f"{y}-") for relevant in split["relevant_docs"].values() for id_ in relevant)


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["Multilingual", "LanguageBias"])
@pytest.mark.parametrize("benchmark", ["XQuADR", "MLQAR"])
def test_multilingual_sizes(benchmark: str, setting: str, loaded: Any) -> None:
    data, ids = loaded(f"{benchmark}{setting}"), shared_questions(loaded, benchmark)
    languages_of = Counter(id_ for members in ids.values() for id_ in members)
    for name, split in data.items():
        assert_consistent(split)
        x = name.removesuffix("-all")
        assert len(split["queries"]) == QUESTIONS[benchmark][x]
        assert len(split["corpus"]) == sum(CANDIDATES[benchmark].values())
        for id_, relevant in split["relevant_docs"].items():
            assert len(relevant) == languages_of[id_]
            assert sum(passage.startswith(f"{x}-") for passage in relevant) == 1
    counts = Counter(languages_of.values())
    assert counts == ({11: 1190} if benchmark == "XQuADR" else {4: 820, 3: 263, 2: 65})


@pytest.mark.slow
def test_pools_are_as_large_as_published(loaded: Any) -> None:
    assert len(loaded("XQuADRMultilingual")["de-all"]["corpus"]) == 13_014
    assert len(loaded("MLQARMultilingual")["de-all"]["corpus"]) == 20_534


@pytest.mark.slow
def test_the_relevant_sentence_holds_the_answer(loaded: Any) -> None:
    """One question of XQuAD-R, looked up by hand in the file: 'How many points did the Panthers defense surrender?'"""
    split = loaded("XQuADRMultilingual")["en-all"]
    text = dict(zip(split["corpus"]["id"], split["corpus"]["text"], strict=True))
    relevant = sorted(split["relevant_docs"]["56beb4343aeaaa14008c925b"])
    assert [id_.partition("-")[0] for id_ in relevant] == list(XQUAD_R)
    assert all("308" in text[id_] or "٣٠٨" in text[id_] or "३०८" in text[id_] for id_ in relevant)


@pytest.mark.slow
def test_xtreme_r_candidates_are_sentences_with_their_paragraph(loaded: Any) -> None:
    plain, long = loaded("XQuADRMultilingual")["th-all"], loaded("XQuADRXtremeR")["th-all"]
    assert list(plain["queries"]["text"]) == list(long["queries"]["text"])
    assert list(plain["corpus"]["id"]) == list(long["corpus"]["id"])
    assert plain["relevant_docs"] == long["relevant_docs"]
    paragraphs: dict[str, set[str]] = {}
    for id_, sentence, text in zip(plain["corpus"]["id"], plain["corpus"]["text"], long["corpus"]["text"], strict=True):
        assert text.startswith(f"{sentence} ")
        paragraphs.setdefault(id_.rpartition("-")[0], set()).add(text.removeprefix(f"{sentence} "))
    assert len(paragraphs) == 11 * 240
    assert all(len(texts) == 1 for texts in paragraphs.values())


# ---- what mteb computes about a task


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache, with nothing shipped beside it."""
    monkeypatch.setattr("mteb_hybrid.evaluation.declare.cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr("mteb_hybrid.evaluation.declare._SHIPPED_STATISTICS", tmp_path / "shipped")
    return tmp_path / "cache"


def files_of_mteb() -> set[Path]:
    return {path for path in Path(mteb.__file__).parent.rglob("*.json") if "World" in path.name}


@pytest.mark.slow
def test_descriptive_statistics_stay_out_of_mteb(cache: Path) -> None:
    before = files_of_mteb()
    task = tasks.ParallelWorldMonolingual()  # type: ignore[call-arg]
    assert task.metadata.descriptive_stats is None
    statistics = task.calculate_descriptive_statistics()
    assert files_of_mteb() == before
    path = cache / "descriptive_stats" / task.metadata.revision / "ParallelWorldMonolingual.json"
    assert [file for file in cache.rglob("*") if file.is_file()] == [path]
    whole: Any = statistics["test"]
    assert whole["num_samples"] == 8 * (400 + 480)
    subsets = whole["hf_subset_descriptive_stats"]
    assert {name: part["num_samples"] for name, part in subsets.items()} == {
        f"{language}-{language}": 880 for language in WORLD_LANGUAGES
    }
    assert tasks.ParallelWorldMonolingual.metadata.descriptive_stats == statistics


def test_tasks_of_one_language_are_without_language_bias() -> None:
    made = collection_tasks(generate_world(3, languages=("de",), name="Lonely"))
    assert [task.metadata.name for task in made] == [
        "LonelyMonolingual",
        "LonelyMultilingual",
        "Lonely",
    ]
