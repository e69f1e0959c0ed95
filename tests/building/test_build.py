"""The whole build: what each stage does is counted, a killed build goes on, the same settings give the same bytes."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from mteb_hybrid.building import build as build_module
from mteb_hybrid.building.again import differences
from mteb_hybrid.building.build import build_corpus
from mteb_hybrid.building.build_file import describe_build_file, read_build_file
from mteb_hybrid.building.decontamination import embedding as embedding_module
from mteb_hybrid.building.engines import Engine, Unit, engine
from mteb_hybrid.building.finish import FOUND
from mteb_hybrid.building.sources.read import describe
from mteb_hybrid.building.translation import plan as plan_module
from mteb_hybrid.data.collection_folder import write_collection
from mteb_hybrid.data.corpus_files import load_corpus
from mteb_hybrid.data.corpus_lock import LOCK, CorpusLock, read_lock, write_lock
from mteb_hybrid.data.world import generate_world
from mteb_hybrid.errors import HybridError
from mteb_hybrid.training.base_model import Base
from tests.building.test_engines import Square

pytest.importorskip("duckdb", reason="duckdb is missing: pip install 'mteb-hybrid[data]'")

Row = dict[str, str]


def good_rows(count: int, first: int = 414) -> list[Row]:
    """Rows that nothing is wrong with, in English and German."""
    world = generate_world(count, first=first, languages=("en", "de"))
    rows = []
    for number, (group,) in enumerate(world.queries["en"].groups):
        row = {"id": f"r{number}", "group": group}
        for tag in ("en", "de"):
            row[f"query_{tag}"] = world.queries[tag].texts[number]
            row[f"passage_{tag}"] = world.passages[tag].texts[world.passages[tag].rows_by_group[group][0]]
        rows.append(row)
    return rows


def write(path: Path, rows: Sequence[Row]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a collection to test on, ``held``, two sources, and a build file; shards have ten rows."""
    monkeypatch.setattr(build_module, "ROWS", 10)
    monkeypatch.chdir(tmp_path)
    write_collection(generate_world(40, languages=("en", "de")), tmp_path / "held", task="Held")
    held = generate_world(40, languages=("en", "de"))
    rows = good_rows(32)
    planted = [
        {"id": "short", "query_en": "Who?", "passage_en": "Nobody."},
        {"id": "twin", **{key: value for key, value in rows[3].items() if key not in ("id", "group")}},
        {"id": "held", "query_de": held.queries["de"].texts[0], "passage_de": "Das weiß hier im Ort wirklich niemand."},
    ]
    write(tmp_path / "one.jsonl", [*rows[:20], *planted])
    write(tmp_path / "two.jsonl", [rows[5], *rows[20:]])
    build_file(tmp_path)
    return tmp_path


def build_file(folder: Path, **changes: Any) -> Path:
    settings = {
        "sources": [
            {"source": "one.jsonl", "license": "cc-by-4.0"},
            {"source": "two.jsonl", "license": "cc-by-sa-4.0", "mteb_tasks": ["NQ"]},
        ],
        "cleaning": {"language": False},
        "duplicates": {"threshold": None},
        "decontamination": {"tasks": [], "files": ["held"], "ngram": None},  # whose sentences all have one form
    }
    path = folder / "build.yaml"
    path.write_text(yaml.safe_dump(settings | changes, sort_keys=False), encoding="utf-8")
    return path


def build(output: Path, run: Engine | None = None, path: str | Path = "build.yaml", **options: Any) -> CorpusLock:
    run = run or engine("datasets", show_progress_bar=False)
    return build_corpus(read_build_file(path), output, run, show_progress_bar=False, **options)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_what_each_stage_does_is_counted(here: Path) -> None:
    lock = build(here / "corpus")
    one, two = lock.files
    assert [(stage.stage, stage.rows, stage.dropped) for stage in one.stages] == [
        ("read", 23, {}),
        ("clean", 22, {"passage too short": 1}),
        ("duplicates", 21, {"exact duplicate": 2}),
        ("decontaminate", 20, {"text of a task (exact)": 1}),
    ]
    assert [(stage.stage, stage.rows, stage.dropped) for stage in two.stages] == [
        ("read", 13, {}),
        ("clean", 13, {}),
        ("duplicates", 12, {"exact duplicate": 2}),
        ("decontaminate", 12, {}),
    ]
    assert one.pairs == two.stages[-1].pairs | {"en": 20, "de": 20}
    corpus = load_corpus(here / "corpus" / "one.parquet")
    assert corpus.table["id"].to_pylist() == [f"r{number}" for number in range(20)]
    assert corpus.texts(0, "de") == tuple(good_rows(1)[0][f"{role}_de"] for role in ("query", "passage"))
    found = [json.loads(line) for line in (here / "corpus" / FOUND).read_text().splitlines()]
    assert [(hit["source"], hit["id"], hit["kind"], hit["task"]) for hit in found] == [
        ("one", "held", "exact", "ParallelWorld")
    ]
    assert (lock.license, two.mteb_tasks, lock.name) == ("cc-by-sa-4.0", ["NQ"], "corpus")
    assert not (here / "corpus.building").exists()


def test_the_same_goes_in_and_the_same_comes_out(here: Path) -> None:
    """Whatever the number of processes; and from the lock file alone."""
    build(here / "corpus", name_of(here))
    build(here / "again", engine("datasets", processes=2, show_progress_bar=False))
    lock = build(here / "locked", path=here / "corpus" / LOCK)
    first, again, locked = (contents(here / name) for name in ("corpus", "again", "locked"))
    del first[LOCK], again[LOCK], locked[LOCK]
    assert first == again == locked
    assert differences(here / "corpus" / LOCK, lock) == []
    assert differences(here / "build.yaml", lock) == []


def name_of(_: Path) -> Engine:
    """One process, from the last unit to the first."""

    def run(units: Sequence[Unit], what: str) -> None:
        for unit in reversed(units):
            unit()

    return run


def test_a_corpus_that_is_not_the_same_again(here: Path) -> None:
    before = build(here / "corpus")
    write(here / "two.jsonl", good_rows(9, first=630))
    lock = build(here / "locked", path=here / "corpus" / LOCK)
    (line,) = differences(here / "corpus" / LOCK, lock)
    assert line.startswith(f"two.parquet differs: two.jsonl is at sha256:{lock.files[1].revision[7:]}")  # type: ignore[index]
    assert str(before.files[1].revision) in line


def test_a_corpus_that_had_hard_negatives_is_not_called_the_same(here: Path) -> None:
    """They are no part of a build: that they are to be mined again is said, and that the rest was not looked at."""
    before = build(here / "corpus")
    write_lock(before.model_copy(update={"negatives": {"count": 2}}), here / "corpus" / LOCK)
    lock = build(here / "locked", path=here / "corpus" / LOCK)
    (line,) = differences(here / "corpus" / LOCK, lock)
    assert line.startswith("the corpus had hard negatives: mine them again with mteb-hybrid data mine")


def test_a_lock_names_the_commits_and_the_packages_that_decide(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = "c" * 40
    embedding = {"model": "our/encoder@v1"}
    changes = {
        "decontamination": {"tasks": [], "files": ["held"], "embedding": embedding},
        "translation": {"model": "our/model", "languages": ["de"]},
    }
    monkeypatch.setattr(embedding_module, "find_encoder", lambda asked: Base("hub", asked.model[:11], commit))
    monkeypatch.setattr(plan_module, "find_model", lambda name, *_: Base("hub", name, commit))
    settings = read_build_file(build_file(here, **changes))
    pinned = build_module._resolved(settings, tuple(map(describe, settings.sources)))
    assert pinned.translation is not None and pinned.translation.revision == commit
    assert pinned.decontamination is not None and pinned.decontamination.embedding is not None
    encoder = pinned.decontamination.embedding
    assert (encoder.model, encoder.revision) == ("our/encoder", commit)
    build_file(here)
    assert {"python", "torch", "tokenizers", "transformers"} <= build(here / "corpus").versions.keys()


class Killed(BaseException):
    """What a test kills with."""


def killing(after: int) -> Engine:
    """An engine that dies in the middle: the last unit that it does is half done, as its files are not there yet."""
    left = [after]

    def run(units: Sequence[Unit], what: str) -> None:
        for unit in units:
            if not left[0]:
                raise Killed
            left[0] -= 1
            unit()

    return run


@pytest.mark.parametrize("after", range(0, 16, 3))
def test_a_killed_build_goes_on(here: Path, after: int) -> None:
    whole = build(here / "whole")
    with pytest.raises(Killed):
        build(here / "corpus", killing(after))
    assert not (here / "corpus").exists()
    done: list[Unit] = []

    def counting(units: Sequence[Unit], what: str) -> None:
        done.extend(units)
        for unit in units:
            unit()

    assert build(here / "corpus", counting).files == whole.files
    assert {name: text for name, text in contents(here / "corpus").items() if name != LOCK} == {
        name: text for name, text in contents(here / "whole").items() if name != LOCK
    }
    assert sorted(here.glob("*.building")) == []


@pytest.mark.parametrize("seed", range(4))
def test_killed_again_and_again(here: Path, seed: int) -> None:
    whole, draw, kills = build(here / "whole"), random.Random(seed), 0
    while not (here / "corpus").exists():
        try:
            lock = build(here / "corpus", killing(draw.randint(0, 6)))
        except Killed:
            kills += 1
    assert lock.files == whole.files
    assert kills


@pytest.mark.parametrize("content", [b"", b'{"rows": 1', b"\xff\xfe"])
def test_work_that_somebody_cut_is_named(here: Path, content: bytes) -> None:
    with pytest.raises(Killed):
        build(here / "corpus", killing(3))
    records = [path for path in (here / "corpus.building").rglob("*.json") if path.name == "read.json"]
    for path in records:
        path.write_bytes(content)
    assert records
    with pytest.raises(HybridError, match=r"corpus\.building is damaged .*remove it, and the same command begins"):
        build(here / "corpus")
    shutil.rmtree(here / "corpus.building")
    build(here / "corpus")


def test_what_a_kill_at_the_very_end_left_behind_is_replaced(here: Path) -> None:
    for name in (".corpus.new", ".corpus.old"):
        (here / name / "inner").mkdir(parents=True)
    build(here / "corpus")
    assert build(here / "corpus", overwrite=True) == read_lock(here / "corpus" / LOCK)
    assert sorted(path.name for path in here.glob(".corpus*")) == []


def test_an_unfinished_build_of_something_else_is_not_gone_on_with(here: Path) -> None:
    with pytest.raises(Killed):
        build(here / "corpus", killing(3))
    build_file(here, cleaning={"language": False, "passage_shortest": 20})
    with pytest.raises(HybridError, match=r"corpus\.building holds an unfinished build of other settings or files"):
        build(here / "corpus")
    assert build(here / "corpus", overwrite=True).files[0].stages[1].rows == 22
    with pytest.raises(HybridError, match="corpus exists; choose another --output"):
        build(here / "corpus")
    assert build(here / "corpus", overwrite=True).files


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sources": [{"source": "one.jsonl"}, {"source": "one.jsonl"}]}, "two are called one; give each its own name"),
        ({"sources": [{"source": "one.jsonl", "name": "a/b"}]}, "'a/b' is no name of a file"),
        ({"sources": [{"source": "mmarko"}]}, "did you mean mMARCO"),
        ({"translation": {"model": "x", "languages": ["de"], "sources": ["three"]}}, "no three; there are one, two"),
        ({"sources": [{"source": "nowhere.jsonl"}]}, "nowhere.jsonl"),
        ({"sources": [{"source": "one.jsonl", "languages": ["fr"]}]}, "fr"),
        ({"decontamination": {"tasks": ["XQuADRR"], "files": []}}, "XQuADR"),
        ({"decontamination": {"tasks": [], "files": ["nowhere"]}}, "nowhere"),
        ({"cleaning": {"language": False, "passage_shortest": 9_000}}, "nothing is left of any source"),
    ],
)
def test_what_cannot_be_built(here: Path, changes: dict[str, Any], message: str) -> None:
    build_file(here, **changes)
    with pytest.raises(HybridError, match=message) as raised:
        build(here / "corpus")
    assert "\n" not in str(raised.value)
    assert not (here / "corpus").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sources:", "source:", "line 1: source is no setting; did you mean sources"),
        ("threshold:", "treshold:", r"line 11: duplicates\.treshold is no setting; did you mean threshold"),
        ("threshold: null", "threshold: 0.2", r"line 11: duplicates\.threshold is 0\.2; it must be a number"),
        ("license: cc-by-4.0", "licence: cc-by-4.0", r"sources\[0\]\.licence is no setting; did you mean .*license"),
        ("language: false", "language: nein", r'line 9: cleaning\.language is "nein"; it must be true or false'),
    ],
)
def test_a_fault_of_the_file_is_one_line_with_its_place(here: Path, old: str, new: str, message: str) -> None:
    path = here / "build.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(HybridError, match=message) as raised:
        read_build_file(path)
    assert "\n" not in str(raised.value)


def test_the_settings_are_explained(tmp_path: Path) -> None:
    """And the explanation is itself a build file, once a source is named."""
    text = describe_build_file()
    for word in ("sources:", "passage_shortest: 10", "ngram: 13", "num_beams", "threshold: 0.8"):
        assert word in text
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    path = tmp_path / "explained.yaml"
    path.write_text("\n".join(lines).replace("source:  # required", "source: ParallelWorld  #"))
    assert read_build_file(path).sources[0].source == "ParallelWorld"


def test_the_preset_names_what_there_is() -> None:
    """Each source with its revision and licence; what is translated is among them, and nothing else."""
    paper = read_build_file("paper")
    facts = {each.name: each for each in map(describe, paper.sources)}
    assert len(facts) == 9
    assert all(each.license and each.languages and "en" in each.languages for each in facts.values())
    assert paper.translation is not None
    assert set(paper.translation.sources or ()) < set(facts)
    assert facts["mMARCO"].languages == ("en", "ar", "zh", "de", "es", "ru", "hi")


def test_files_without_what_is_asked_for_are_left_out(here: Path) -> None:
    """A source of which nothing is left is no file; columns that are empty are none."""
    rows = [
        {"id": str(n), "query_en": row["query_en"], "passage_en": row["passage_en"]}
        for n, row in enumerate(good_rows(3))
    ]
    write(here / "two.jsonl", [*rows, {"id": "x", "query_de": "Wer?", "passage_de": "Er."}])
    lock = build(here / "corpus")
    assert [file.name for file in lock.files] == ["one"]
    assert lock.files[0].rows == 20
    write(here / "two.jsonl", [{**rows[0], "passage_en": "Nobody in this town can tell."}, rows[1] | {"id": "y"}])
    lock = build(here / "corpus", overwrite=True)
    assert load_corpus(here / "corpus" / "two.parquet").languages == ("en",)


@pytest.mark.slow
def test_ray_gives_the_same_bytes(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On two workers of this machine; and a fault that the user can mend is told as elsewhere."""
    ray = pytest.importorskip("ray", reason="Ray Data is missing: pip install 'mteb-hybrid[ray]'")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))  # where its workers find Square
    build(here / "corpus")
    run = engine("ray", processes=2, show_progress_bar=False)
    try:
        build(here / "ray", run)
        with pytest.raises(HybridError, match="no square of 13"):
            run([Square(here, 13)], "squares")
    finally:
        ray.shutdown()
    assert contents(here / "ray") == {
        name: text.replace(b'"corpus"', b'"ray"') if name == LOCK else text
        for name, text in contents(here / "corpus").items()
    }


def test_a_lock_is_read_as_it_was_written(here: Path) -> None:
    assert build(here / "corpus") == read_lock(here / "corpus" / LOCK)
