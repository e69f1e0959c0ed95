"""Collections in the form that lies on the Hub: read back row for row, or refused in one line.

What a server answers is tested in tests/publishing/test_publish_task.py; here the folder is already in the Hub's cache,
which the client reads when it is offline.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pyarrow
import pytest
from huggingface_hub import constants
from pyarrow import parquet

from mteb_hybrid import tasks
from mteb_hybrid.data.collection import ParallelCollection, TextTable
from mteb_hybrid.data.collection_folder import MANIFEST, read_collection, read_manifest, write_collection
from mteb_hybrid.data.hub_collection import HUB_VARIABLE, PublishedCollection, hub_or
from mteb_hybrid.data.world import generate_world
from mteb_hybrid.errors import HybridError

WORLD = generate_world(12, languages=("zh", "en", "de"))
ODD = ParallelCollection(
    "Odd",
    queries={
        "zh-Hant": TextTable(("z", "a"), ("", " two\nlines\t\0 "), (("g2",), ("g1",))),
        "de": TextTable((), (), ()),
    },
    passages={
        "zh-Hant": TextTable(("p2", "p1"), ("\u202eleft", "🜁"), (("g2", "g1"), ())),
        "de": TextTable(("p3",), ("null",), (("g1", "g2"),)),
    },
)


def never() -> ParallelCollection:
    raise AssertionError("the source was read")


# ---- the folder


@pytest.mark.parametrize("collection", [WORLD, ODD], ids=["world", "odd"])
def test_a_collection_is_read_back_row_for_row(collection: ParallelCollection, tmp_path: Path) -> None:
    write_collection(collection, tmp_path, task="T")
    read = read_collection(tmp_path)
    assert read == collection
    assert read.languages == collection.languages
    assert read.revision == collection.revision


def test_the_manifest_says_whose_data_they_are(tmp_path: Path) -> None:
    write_collection(ODD, tmp_path, task="OddMonolingual")
    manifest = read_manifest((tmp_path / MANIFEST).read_bytes(), "here")
    assert (manifest.task, manifest.name, manifest.languages) == ("OddMonolingual", "Odd", ("zh-Hant", "de"))
    assert manifest.revision == ODD.revision


def _columns(path: Path, **changes: Any) -> None:
    """Replace columns of a file; None leaves one out."""
    columns = parquet.read_table(path).to_pydict() | changes
    parquet.write_table(pyarrow.table({k: v for k, v in columns.items() if v is not None}), path)


def _manifest(folder: Path, **changes: Any) -> None:
    path = folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no manifest": (lambda f: (f / MANIFEST).unlink(), "collection.json: No such file"),
    "manifest is no JSON": (lambda f: (f / MANIFEST).write_text("{"), "collection.json does not describe a collection"),
    "manifest is a list": (lambda f: (f / MANIFEST).write_text("[]"), "does not describe a collection"),
    "a later format": (lambda f: _manifest(f, format=2), "does not describe a collection (format:"),
    "no languages": (lambda f: _manifest(f, languages=[]), "(languages:"),
    "a language that leads elsewhere": (lambda f: _manifest(f, languages=["../../etc"]), "(languages.0:"),
    "a language without files": (lambda f: _manifest(f, languages=["de", "fr"]), "queries/fr.parquet is missing"),
    "no queries": (lambda f: (f / "queries/de.parquet").unlink(), "queries/de.parquet is missing"),
    "no passages": (lambda f: (f / "corpus/en.parquet").unlink(), "corpus/en.parquet is missing"),
    "no Parquet": (lambda f: (f / "corpus/de.parquet").write_bytes(b"PAR1"), "corpus/de.parquet is damaged"),
    "cut off": (
        lambda f: (f / "corpus/de.parquet").write_bytes((f / "corpus/de.parquet").read_bytes()[:-9]),
        "corpus/de.parquet is damaged",
    ),
    "a byte flipped in the data": (
        lambda f: (f / "queries/de.parquet").write_bytes(
            b"PAR1" + bytes(200) + (f / "queries/de.parquet").read_bytes()[204:]
        ),
        "queries/de.parquet is damaged",
    ),
    "no groups": (lambda f: _columns(f / "corpus/de.parquet", groups=None), "has no column groups"),
    "groups are texts": (
        lambda f: _columns(f / "queries/de.parquet", groups=["g"] * 12),
        "queries/de.parquet is damaged",
    ),
    "text is a list": (
        lambda f: _columns(f / "queries/de.parquet", text=[["x"]] * 12),
        "queries/de.parquet is damaged",
    ),
    "an id is null": (
        lambda f: _columns(f / "queries/de.parquet", id=[None, *map(str, range(11))]),
        "queries/de.parquet is damaged (a value is missing)",
    ),
    "a group is null": (lambda f: _columns(f / "queries/de.parquet", groups=[[None]] * 12), "(a value is missing)"),
    "groups are null": (lambda f: _columns(f / "queries/de.parquet", groups=[None] * 11 + [["g"]]), "is damaged"),
    "a query of two groups": (
        lambda f: _columns(f / "queries/de.parquet", groups=[["a", "b"]] * 12),
        "a query that has not exactly one group",
    ),
    "a query id twice": (lambda f: _columns(f / "queries/de.parquet", id=["q"] * 12), "queries holds an id twice"),
    "a passage id in two languages": (
        lambda f: (f / "corpus/de.parquet").write_bytes((f / "corpus/en.parquet").read_bytes()),
        "corpus holds an id twice",
    ),
}


@pytest.mark.parametrize(("damage", "told"), DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_folder_is_told_in_one_line(damage: Callable[[Path], object], told: str, tmp_path: Path) -> None:
    write_collection(WORLD, tmp_path, task="T")
    damage(tmp_path)
    with pytest.raises(HybridError) as caught:
        read_collection(tmp_path)
    assert told in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert str(caught.value).isprintable()


# ---- from the Hub's cache


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small world as ``ada/world`` in a cache of the Hub's client, which is offline."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv(HUB_VARIABLE, "ada")
    repository = tmp_path / "hub" / "datasets--ada--world"
    folder = repository / "snapshots" / ("0" * 40)
    folder.mkdir(parents=True)
    write_collection(WORLD, folder, task="T")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    return folder


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("fingerprint", [WORLD.revision, None])
def test_the_hub_is_read_and_the_source_is_not(fingerprint: str | None) -> None:
    assert hub_or("world", never, fingerprint) == WORLD
    assert PublishedCollection("world", fingerprint, never)() == WORLD


@pytest.mark.parametrize("value", [None, ""])
def test_without_the_variable_the_source_is_read(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(HUB_VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(HUB_VARIABLE, value)
    assert hub_or("world", lambda: ODD, WORLD.revision) is ODD


def refusal(repository: str, fingerprint: str | None) -> str:
    with pytest.raises(HybridError) as caught:
        hub_or(repository, never, fingerprint)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.usefixtures("published")
def test_other_data_are_never_measured() -> None:
    told = refusal("world", ODD.revision)
    assert told.startswith("ada/world on the Hub has other data than this task's")
    assert ODD.revision[:12] in told and WORLD.revision[:12] in told and HUB_VARIABLE in told


@pytest.mark.parametrize("fingerprint", [WORLD.revision, None])
def test_one_changed_character_is_noticed(fingerprint: str | None, published: Path) -> None:
    texts = list(WORLD.queries["de"].texts)
    _columns(published / "queries" / "de.parquet", text=[texts[0] + " ", *texts[1:]])
    assert "has other data" in refusal("world", fingerprint)


def test_rows_in_another_order_are_noticed(published: Path) -> None:
    path = published / "corpus" / "en.parquet"
    parquet.write_table(parquet.read_table(path).take(list(range(len(WORLD.passages["en"])))[::-1]), path)
    assert "has other data" in refusal("world", WORLD.revision)


def test_damage_names_the_data_set(published: Path) -> None:
    (published / "corpus" / "de.parquet").unlink()
    told = refusal("world", WORLD.revision)
    assert told.startswith("data set ada/world on the Hub: ")
    assert "corpus/de.parquet is missing" in told


@pytest.mark.usefixtures("published")
def test_what_is_not_there_offline_is_told_in_one_line() -> None:
    told = refusal("another", None)
    assert told.startswith("cannot download data set ada/another from the Hub (OfflineModeIsEnabled); try again, or")


@pytest.mark.parametrize(
    "value", ["ada/world", "https://huggingface.co/ada", "-ada", "a da", " ", "..", "a--b", "a" * 200, "ада", "a\nb"]
)
def test_the_variable_must_name_an_organisation(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HUB_VARIABLE, value)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", never)
    told = refusal("world", None)
    assert told.startswith(f"{HUB_VARIABLE} is ")
    assert "it must name an organisation on the Hub" in told


# ---- the tasks

PUBLISHED: dict[str, PublishedCollection] = {
    name: getattr(tasks, name).load_collection for name in tasks.__all__ if hasattr(getattr(tasks, name), "setting")
}


@pytest.mark.parametrize(
    ("benchmark", "repository"), [("XQuADR", "xquad-r"), ("MLQAR", "mlqa-r"), ("ParallelWorld", "parallel-world")]
)
def test_every_task_can_be_pointed_at_the_hub(benchmark: str, repository: str) -> None:
    """The tasks of a benchmark share one data set; passages with their paragraph are another."""
    loads = {name: load for name, load in PUBLISHED.items() if name.startswith(benchmark)}
    other = loads.pop("XQuADRXtremeR", None)
    assert len(loads) == 4
    assert {load.repository for load in loads.values()} == {repository}
    assert other is None or other.repository == "xquad-r-xtreme-r"


@pytest.mark.usefixtures("lareqa_data")
@pytest.mark.parametrize(
    "name", ["ParallelWorldMonolingual", "MLQARMultilingual", "XQuADRLanguageBias", "XQuADRXtremeR"]
)
def test_shipped_fingerprints_are_those_of_the_sources(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HUB_VARIABLE, "not read by the source")
    load = PUBLISHED[name]
    assert load.source().revision == load.fingerprint
