"""Decontamination against the tasks themselves: XQuAD-R as it is published, and any other retrieval task of mteb."""

import importlib
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from datasets import Dataset

from mteb_hybrid.building.decontamination.index import build_index
from mteb_hybrid.building.decontamination.settings import DecontaminationSettings
from mteb_hybrid.building.decontamination.stage import Decontaminate
from mteb_hybrid.building.decontamination.texts import TaskTexts, load_texts
from mteb_hybrid.building.shards import Kept, schema_of
from mteb_hybrid.data.collection import ParallelCollection, TextTable
from mteb_hybrid.data.corpus_files import load_corpus
from mteb_hybrid.data.lareqa import DATA_VARIABLE
from mteb_hybrid.data.own import save_collection
from mteb_hybrid.errors import HybridError

pytestmark = pytest.mark.slow  # mteb is imported, and all texts of XQuAD-R are read

XQUAD_R = DecontaminationSettings(tasks=["XQuADR"])
QUESTION = "56beb4343aeaaa14008c925b"
ENGLISH = (
    "The Panthers defense gave up just 308 points, ranking sixth in the league, while also leading the NFL in "
    "interceptions with 24 and boasting four Pro Bowl selections."
)


def shard(language: str, rows: dict[str, tuple[str, str]]) -> pyarrow.Table:
    names = schema_of([language])
    columns = zip(*((id_, None, query, passage) for id_, (query, passage) in rows.items()), strict=True)
    return pyarrow.table([pyarrow.array(column, pyarrow.large_string()) for column in columns], schema=names)


def found(kept: Kept) -> dict[str, tuple[str, str, str]]:
    """By row: how it was found, and the text of the task."""
    return {str(hit["id"]): (str(hit["kind"]), str(hit["task_language"]), str(hit["task_id"])) for hit in kept.found}


@pytest.fixture(scope="module")
def stage(lareqa_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Decontaminate:
    folder = tmp_path_factory.mktemp("xquad-r") / "index"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DATA_VARIABLE, str(lareqa_folder))
        (task,) = build_index(XQUAD_R, folder).tasks
    assert (task.name, task.queries, task.passages, task.paragraphs) == ("XQuADR", 11 * 1190, 13_014, 11 * 240)
    assert (task.dataset, task.revision[:7]) == ("google-research-datasets/lareqa/xquad-r", "9bc8c7f")
    return Decontaminate(folder, XQUAD_R)


def test_contamination_in_five_forms(stage: Decontaminate) -> None:
    near = "In this season no other team of the league let fewer than 308 points through, so one wrote at the time."
    rows = {
        "verbatim": ("Who wrote this and when was it?", ENGLISH),
        "recased": ("Who wrote this and when was it?", f"— {ENGLISH.upper().replace(',', ' ;')} …"),
        f"squad/{QUESTION}": ("Combien de points la défense a-t-elle concédés ?", "Elle en a concédé très peu."),
        "embedded": ("Who wrote this and when was it?", f"{near} {ENGLISH} {near}"),
        "paraphrase": ("Through how many points did that defence let its opponents?", near),
        "question": ("how many points did the panthers defense SURRENDER", near),
    }
    kept = stage(shard("fr", rows))  # the language of a column takes no part
    assert found(kept) == {
        "verbatim": ("exact", "en", "en-0000-000"),
        "recased": ("exact", "en", "en-0000-000"),
        f"squad/{QUESTION}": ("id", "ar", QUESTION),  # all languages share it; the first is named
        "embedded": ("ngram", "en", "en-0000-000"),
        "question": ("exact", "en", QUESTION),
    }
    assert kept.table["id"].to_pylist() == ["paraphrase"]  # for an encoder alone


def test_a_sentence_cut_otherwise_is_found_by_its_paragraph(stage: Decontaminate) -> None:
    # the end of one candidate and the beginning of the next, neither of them 13 words
    across = "and boasting four Pro Bowl selections. Pro Bowl defensive tackle Kawann Short led the team in sacks"
    kept = stage(shard("en", {"across": ("Who wrote this and when was it?", across)}))
    assert found(kept) == {"across": ("ngram", "en", "en-0000")}
    assert kept.found[0]["task_role"] == "paragraph"


def test_scripts_without_spaces(stage: Decontaminate, lareqa_data: Path) -> None:
    corpus = load_corpus("XQuAD-R")
    for language in ("zh", "th"):
        passages = corpus.table[f"passage_{language}"].to_pylist()[:20]
        rows = {str(n): ("?", f"1907 {passage.replace(' ', '')} 2011") for n, passage in enumerate(passages)}
        kept = stage(shard(language, rows))
        long = {id_ for id_, (_, text) in rows.items() if len(text) > 70}
        assert long <= found(kept).keys()
        assert long


def test_mlqa_r_holds_nothing_of_xquad_r(stage: Decontaminate, lareqa_data: Path) -> None:
    corpus = load_corpus("MLQA-R")
    table = corpus.table.cast(pyarrow.schema([(name, pyarrow.large_string()) for name in corpus.table.column_names]))
    if "group" not in table.column_names:
        table = table.add_column(1, "group", pyarrow.nulls(len(table), pyarrow.large_string()))
    kept = stage(table.select(schema_of(corpus.languages).names))
    assert (len(kept.table), kept.found, kept.dropped) == (1148, (), {})


def test_a_task_holds_all_of_itself(stage: Decontaminate, lareqa_data: Path) -> None:
    corpus = load_corpus("XQuAD-R")
    names = [name for name in schema_of(corpus.languages).names if name != "group"]
    table = corpus.table.select(names).cast(pyarrow.schema([(name, pyarrow.large_string()) for name in names]))
    numbers = pyarrow.array([f"row {number}" for number in range(len(table))], pyarrow.large_string())
    table = table.set_column(0, "id", numbers).add_column(1, "group", pyarrow.nulls(len(table), pyarrow.large_string()))
    kept = stage(table)
    assert (len(table), len(kept.table)) == (1190, 0)
    assert sum(kept.dropped.values()) == 11 * 1190


def test_data_that_cannot_be_had_stop_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    with pytest.raises(HybridError, match=r"decontamination.tasks: MLQAR: .*mlqa-r/ar.json is missing"):
        build_index(DecontaminationSettings(tasks=["MLQAR"]), tmp_path / "index")
    assert not (tmp_path / "index").exists()


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A retrieval task as mteb has them, and a task of another kind."""
    from mteb.abstasks import AbsTaskRetrieval
    from mteb.abstasks.task_metadata import TaskMetadata

    class ToyRetrieval(AbsTaskRetrieval):
        metadata = TaskMetadata(
            name="ToyRetrieval",
            description="A toy.",
            dataset={"path": "toy/toy", "revision": "7"},
            type="Retrieval",
            category="t2t",
            modalities=["text"],
            eval_splits=["test"],
            eval_langs=["eng-Latn"],
            main_score="ndcg_at_10",
        )

        def load_data(self, num_proc: int | None = None, **kwargs: Any) -> None:
            self.dataset = {
                "default": {
                    "test": {
                        "queries": Dataset.from_dict({"id": ["1"], "text": ["Who built the bridge over the river?"]}),
                        "corpus": Dataset.from_dict(
                            {"id": ["a", "b"], "title": ["Bridges", ""], "text": ["Ada Roth built it.", "It is red."]}
                        ),
                        "relevant_docs": {"1": {"a": 1}},
                        "top_ranked": None,
                    }
                }
            }
            self.data_loaded = True

    module = importlib.import_module("mteb.get_tasks")
    monkeypatch.setitem(module._TASKS_REGISTRY, "ToyRetrieval", ToyRetrieval)


def loaded(**options: Any) -> list[TaskTexts]:
    return list(load_texts(DecontaminationSettings(**options)))


@pytest.mark.usefixtures("toy")
def test_a_retrieval_task_of_mteb_is_read_with_its_titles() -> None:
    (task,) = loaded(tasks=["ToyRetrieval"])
    assert (task.record.dataset, task.record.revision, task.record.languages) == ("toy/toy", "7", ("eng-Latn",))
    assert task.texts.to_pylist() == [
        {"role": role, "language": "eng-Latn", "id": id_, "group": None, "text": text}
        for role, id_, text in (
            ("passage", "a", "Ada Roth built it."),
            ("passage", "a", "Bridges Ada Roth built it."),
            ("passage", "b", "It is red."),
            ("query", "1", "Who built the bridge over the river?"),
        )
    ]


def test_a_task_without_queries_is_refused() -> None:
    with pytest.raises(HybridError, match="Banking77Classification is no retrieval task; give its texts as a file"):
        loaded(tasks=["Banking77Classification"])


def test_tasks_of_the_same_data_are_read_once(lareqa_data: Path) -> None:
    (task,) = loaded(tasks=["XQuADRMonolingual", "XQuADR", "XQuADRLanguageBias"])
    assert task.record.name == "XQuADR"
    paragraphs = task.texts.filter(pyarrow.compute.equal(task.texts["role"], "paragraph"))
    first = [row["text"] for row in paragraphs.to_pylist() if (row["language"], row["id"]) == ("en", "en-0000")]
    assert first[0].startswith(f"{ENGLISH} Pro Bowl defensive tackle Kawann Short")


def test_files_of_ones_own(tmp_path: Path) -> None:
    table = TextTable(("1",), ("Wer baute die Brücke über den Fluss?",), (("g",),))
    passages = TextTable(("p",), ("Ada Roth baute sie.",), (("g",),))
    for name in ("one", "two"):
        save_collection(ParallelCollection(name, {"de": table}, {"de": passages}), tmp_path / f"{name}.jsonl")
    tasks = loaded(tasks=[], files=[str(tmp_path)])
    assert [(task.record.name, task.record.queries) for task in tasks] == [("one", 1), ("two", 1)]
    assert tasks[0].record.fingerprint == tasks[1].record.fingerprint
    assert tasks[0].texts["group"].to_pylist() == [None, "g"]
    with pytest.raises(HybridError, match=r"decontamination.files: .*none.jsonl"):
        loaded(tasks=[], files=[str(tmp_path / "none.jsonl")])
