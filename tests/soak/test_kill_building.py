"""kill -9 in builds of corpora: the same command goes on, and all files are the same byte for byte."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mteb_hybrid.data.collection_folder import write_collection
from mteb_hybrid.data.corpus_lock import LOCK, read_lock
from mteb_hybrid.data.world import generate_world
from tests.building.test_build import build_file, good_rows, write
from tests.soak.kills import Activity, Command, Warm, soak
from tests.soak.small_model import name_model, small_model

pytestmark = pytest.mark.slow
pytest.importorskip("duckdb", reason="duckdb is missing: pip install 'mteb-hybrid[data]'")

SMALL_SHARDS = "from mteb_hybrid.building import build; build.ROWS = 10"


def lay_out(folder: Path) -> None:
    """Two sources with duplicates, and with a row of the collection that they are held against."""
    held = generate_world(40, languages=("en", "de"))
    write_collection(held, folder / "held", task="Held")
    planted = {
        "id": "held",
        "query_de": held.queries["de"].texts[0],
        "passage_de": "Das weiß hier im Ort wirklich niemand.",
    }
    rows = good_rows(32)
    write(folder / "one.jsonl", [*rows[:20], planted])
    write(folder / "two.jsonl", [rows[5], *rows[20:]])
    build_file(folder)


def command(folder: Path) -> Command:
    """The same each time; where the corpus is there, and nothing of the build is left, it says so."""
    calls = ("mteb_hybrid.building.work:StageUnit.__call__", "mteb_hybrid.building.read:ReadUnit.__call__")
    words = ("data", "build", "build.yaml", "-o", "corpus", "-q")
    done = (folder / "corpus").exists() and not (folder / "corpus.building").exists()
    return Command(("data", "card", "corpus") if done else words, before=SMALL_SHARDS, calls=calls)


def outcome(folder: Path) -> dict[str, bytes]:
    """All files of the corpus, and what lies beside it."""
    beside = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    files = {path.name: path.read_bytes() for path in (folder / "corpus").iterdir()}
    return files | {"beside": " ".join(beside).replace("models.toml", "").encode()}


def mining(folder: Path) -> Command:
    """The same each time; where the negatives are there, there is nothing left to do."""
    calls = tuple(f"sentence_transformers:SentenceTransformer.encode_{role}" for role in ("query", "document"))
    lock = folder / "corpus" / LOCK
    done = lock.exists() and read_lock(lock).negatives is not None
    words = ("data", "mine", "corpus", "-m", "small", "-n", "2", "-q")
    return Command(("data", "card", "corpus") if done else words, before=SMALL_SHARDS, calls=calls)


def test_kills(warm: Warm, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    activity = Activity(
        "building",
        "all files of the corpus with its lock byte for byte, and that nothing else is left",
        lay_out,
        command,
        outcome,
        whole=("corpus",),
    )
    line = soak(activity, warm, tmp_path)
    with capsys.disabled():
        print(f"\n{line}")


def test_kills_in_mining(warm: Warm, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the corpus's own place, where it is replaced."""
    made, model = tmp_path / "made", small_model(tmp_path / "model")
    made.mkdir()
    lay_out(made)
    assert warm(command(made), made).code == 0

    def with_corpus(folder: Path) -> None:
        shutil.copytree(made / "corpus", folder / "corpus")
        name_model("small", model, folder)

    activity = Activity(
        "mining",
        "all files of the corpus with its lock byte for byte, and that nothing else is left",
        with_corpus,
        mining,
        outcome,
    )
    place = tmp_path / "rounds"
    place.mkdir()
    line = soak(activity, warm, place)
    with capsys.disabled():
        print(f"\n{line}")
