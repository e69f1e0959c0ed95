"""The commands ``data build``, ``data mine`` and ``data card``, and what training makes of a corpus that they made."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from mteb_hybrid.cli import main
from mteb_hybrid.data.collection import ParallelCollection, TextTable
from mteb_hybrid.data.corpus_files import load_corpus
from mteb_hybrid.data.corpus_lock import LOCK, read_lock
from mteb_hybrid.data.own import save_collection
from mteb_hybrid.training.outcome import read_record
from tests.building.tiny_seq2seq import WORDS, tiny_seq2seq, word_by_word
from tests.test_cli import told
from tests.training.small_runs import single_thread, static_model

pytest.importorskip("duckdb", reason="duckdb is missing: pip install 'mteb-hybrid[data]'")

Row = dict[str, str]
DRAW = random.Random(0)


def words(count: int) -> str:
    """A text that the tiny translation model can translate."""
    return " ".join(DRAW.choices(WORDS["en"], k=count))


def squad_id(number: int) -> str:
    return f"{number:024x}"


HELD = [(words(6), words(16)) for _ in range(6)]
"""Questions and passages of the collection that is tested on."""

PLANTED: dict[str, Row] = {
    "verbatim": {"query_en": HELD[0][0], "passage_en": words(9)},
    "casing": {"query_en": words(6), "passage_en": HELD[1][1].replace(" ", ", ").upper() + "!"},
    f"twin-{squad_id(2)}": {"query_de": word_by_word(words(6), "de"), "passage_de": word_by_word(words(9), "de")},
    "embedded": {"query_en": words(6), "passage_en": f"{words(3)} {HELD[3][1]} {words(4)}"},
    "paraphrase": {"query_en": " ".join(reversed(HELD[4][0].split())), "passage_en": words(9)},
}
"""Contamination in five forms; the twin is a translation that only its id tells of."""

FOUND = {"verbatim": "exact", "casing": "exact", f"twin-{squad_id(2)}": "id", "embedded": "ngram"}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """English rows with what was planted, a collection, a model that translates and one that encodes."""
    folder = tmp_path_factory.mktemp("inputs")
    rows: list[dict[str, str]] = [
        {"id": f"r{number}", "query_en": words(5), "passage_en": words(12)} for number in range(40)
    ]
    rows += [{"id": name} | planted for name, planted in PLANTED.items()]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    ids = tuple(squad_id(number) for number in range(len(HELD)))
    groups = tuple((id_,) for id_ in ids)
    texts = {"en": HELD, "de": [tuple(word_by_word(text, "de") for text in pair) for pair in HELD]}
    queries, passages = {}, {}
    for tag, pairs in texts.items():
        queries[tag] = TextTable(ids, tuple(query for query, _ in pairs), groups)
        passages[tag] = TextTable(tuple(f"{tag}-{id_}" for id_ in ids), tuple(passage for _, passage in pairs), groups)
    held = ParallelCollection("Held", queries, passages)
    save_collection(held, folder / "held.jsonl")
    tiny_seq2seq(folder / "opus", "opus")
    static_model(folder / "model", [word for own in WORDS.values() for word in own])
    build = {
        "sources": [{"source": "pairs.jsonl", "license": "cc-by-4.0"}],
        "cleaning": {"language": False},
        "duplicates": {"threshold": None},
        "translation": {"model": "opus", "languages": ["de"], "num_beams": 1, "gates": {"language": False}},
        "decontamination": {"tasks": [], "files": ["held.jsonl"]},
    }
    (folder / "build.yaml").write_text(yaml.safe_dump(build, sort_keys=False), encoding="utf-8")
    recipe = {
        "model": {"base": "model"},
        "data": [{"source": "corpus", "mteb_tasks": ["XQuADR", "MLQAR"]}],
        "batches": {"strategy": "hybrid", "size": 8},
        "training": {"max_steps": 2},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def here(inputs: Path) -> Any:
    """The folder as the current one, where the corpus is built."""
    with pytest.MonkeyPatch.context() as patch, single_thread():
        patch.chdir(inputs)
        patch.setenv("MTEB_HYBRID_MODELS", str(inputs / "models.toml"))
        assert main(["data", "build", "build.yaml", "-o", "corpus", "-q"]) == 0
        yield inputs


@pytest.mark.slow
def test_what_was_planted_is_found_but_for_the_paraphrase(here: Path) -> None:
    found = [json.loads(line) for line in (here / "corpus" / "decontamination.jsonl").read_text().splitlines()]
    assert {hit["id"]: hit["kind"] for hit in found} == FOUND
    ids = load_corpus(here / "corpus" / "pairs.parquet").table["id"].to_pylist()
    assert ids == [*(f"r{number}" for number in range(40)), "paraphrase"]
    lock = read_lock(here / "corpus" / LOCK)
    assert lock.decontamination is not None
    assert lock.decontamination["hits"] == {"exact": 3, "id": 1, "ngram": 2}  # in English and German


@pytest.mark.slow
def test_english_pairs_become_parallel(here: Path) -> None:
    corpus = load_corpus(here / "corpus" / "pairs.parquet")
    assert corpus.languages == ("en", "de")
    assert corpus.pairs == 2 * len(corpus)
    query, passage = corpus.texts(0, "en")
    assert corpus.texts(0, "de") == (word_by_word(str(query), "de"), word_by_word(str(passage), "de"))
    translation = read_lock(here / "corpus" / LOCK).translation
    assert translation is not None
    assert translation["pairs"] == {"de": 43}  # the model knows no capitals


@pytest.mark.slow
def test_the_corpus_is_mined_trained_on_and_the_model_evaluated(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "mine", "corpus", "-m", "model", "-n", "2", "-o", "mined", "-q"]) == 0
    assert "mined has 2 hard negatives for each passage: 41 rows" in capsys.readouterr().out
    corpus = load_corpus(here / "mined" / "pairs.parquet")
    assert (corpus.negatives, len(corpus)) == (2, 41)
    assert main(["data", "card", "mined"]) == 0
    card = capsys.readouterr().out
    for part in ("| pairs | 41 | 41 | 41 |", "license: cc-by-4.0", "2 for each passage", "text of a task (id) 1"):
        assert part in card
    command = ["train", "recipe.yaml", "-q", "--name", "ours", "--set", "data[0].source=mined"]
    assert main([*command, "--output", "out/ours"]) == 0
    (source,) = read_record(here / "out" / "ours").data
    assert (source.decontaminated, source.license, source.mteb_tasks) == ([], "cc-by-4.0", ["MLQAR", "XQuADR"])
    assert main(["evaluate", "-m", "local/ours", "--data", "held.jsonl", "-q"]) == 0
    assert "ours" in capsys.readouterr().out


@pytest.mark.slow
def test_mining_puts_the_corpus_in_its_own_place(here: Path) -> None:
    import shutil

    shutil.copytree(here / "corpus", here / "copy")
    assert main(["data", "mine", "copy", "-m", "model", "-n", "1", "-q"]) == 0
    lock = read_lock(here / "copy" / LOCK)
    assert lock.negatives is not None
    assert [stage.stage for stage in lock.files[0].stages][-1] == "mine"
    assert load_corpus(here / "copy" / "pairs.parquet").negatives == 1
    assert sorted(path.name for path in here.glob("copy*")) == ["copy"]


@pytest.mark.slow
def test_training_refuses_what_was_not_decontaminated(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Against the benchmarks here; unless the recipe names them."""
    command = ["train", "recipe.yaml", "-q", "--output", "refused", "--set"]
    assert main([*command, "data=[{source: corpus}]"]) == 2
    told(capsys.readouterr().err, "corpus was not decontaminated against XQuADR", "mteb_tasks: [XQuADR]")
    assert main([*command, "data=[{source: corpus, mteb_tasks: [XQuADR]}]"]) == 2
    told(capsys.readouterr().err, "against MLQAR")
    assert main([*command, "data=[{source: corpus/pairs.parquet}]"]) == 2
    told(capsys.readouterr().err, "against XQuADR")
    (here / "broken").mkdir()
    for name in ("pairs.parquet", LOCK):
        (here / "broken" / name).write_bytes((here / "corpus" / name).read_bytes())
    (here / "broken" / "pairs.parquet").write_bytes(b"")
    assert main([*command, "data=[{source: broken}]"]) == 2
    told(capsys.readouterr().err, "pairs.parquet is not the file", "build the corpus again")
    assert not (here / "refused").exists()


@pytest.mark.parametrize(
    ("command", "parts"),
    [
        (["data", "build"], ["name a build file", "--explain"]),
        (["data", "build", "nowhere.yaml"], ["cannot read nowhere.yaml"]),
        (["data", "card", "nowhere"], ["nowhere is no corpus that was built", LOCK]),
        (["data", "mine", "nowhere", "-m", "mteb-hybrid/tiny"], ["nowhere is no corpus that was built"]),
        (["data", "mine", "nowhere", "-m", "x", "--margin", "7"], ["--relative-margin", "less than or equal to 1"]),
        (["data", "mine", "nowhere", "-m", "x", "--range-min", "-1"], ["--range-min", "greater than or equal to 0"]),
        (["data", "mine", "nowhere", "-m", "x", "--range-max", "2"], ["range_max 2 leaves 2 ranks"]),
    ],
)
def test_a_mistake_is_one_line(
    command: list[str],
    parts: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(command) == 2
    told(capsys.readouterr().err, *parts)
    assert list(tmp_path.iterdir()) == []


def test_build_explains_its_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "build", "--explain"]) == 0
    assert "decontamination:" in capsys.readouterr().out
