"""Every broken state that the tests can make: the doctor names the file and the remedy, and is content after it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from numpy.typing import NDArray
from pyarrow import parquet
from safetensors.numpy import save_file

from mteb_hybrid.alone import alone
from mteb_hybrid.cli import main
from mteb_hybrid.data.corpus_lock import LOCK, CorpusLock, FileRecord, StageRecord, file_digest, write_lock
from mteb_hybrid.debias.debiasing import Debiasing, FittedOn
from mteb_hybrid.debias.file import write_debiasing
from mteb_hybrid.doctor import data, environment, folders, hub, installation, models, places
from mteb_hybrid.doctor.finding import Finding
from mteb_hybrid.models import MODELS_VARIABLE, add_model
from mteb_hybrid.study.claims import Claims, read_holder
from tests.benchmarks.random_pool import make_pool

Folder = Callable[[Path], Path]


def write_json(path: Path, values: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))
    return path


# ---- whole folders, as small as they can be


def model(folder: Path) -> Path:
    write_json(folder / "modules.json", [{"idx": 0, "path": "0_Static", "type": "sentence_transformers.models.Static"}])
    write_json(folder / "config_sentence_transformers.json", {"model_type": "SentenceTransformer"})
    (folder / "0_Static").mkdir()
    save_file({"embedding.weight": np.zeros((4, 2), np.float32)}, folder / "0_Static" / "model.safetensors")
    return folder


def result(folder: Path, task: str, *scores: float) -> Path:
    entries = [{"hf_subset": f"s{number}", "main_score": score} for number, score in enumerate(scores)]
    values = {"dataset_revision": "1", "task_name": task, "scores": {"test": entries}}
    return write_json(folder / f"{task}.json", values)


def results(folder: Path) -> Path:
    place = folder / "results" / "local__ours" / "abc"
    write_json(place / "model_meta.json", {"name": "local/ours"})
    for setting, scores in {"Monolingual": (0.5, 0.7), "CrossLingual": (0.4,), "Multilingual": (0.2,)}.items():
        result(place, f"Ours{setting}", *scores)
    result(place, "Ours", 0.4)
    rows = {"hf_subset": ["s0"], "query": ["q"], "group": ["g"], "map": [0.5]}
    parquet.write_table(pyarrow.table(rows), place / "OursMonolingual.queries.parquet")
    write_json(folder / "kept" / "OursMonolingual_predictions.json", {"s0": {"test": {"q": {"p": 1.0}}}})
    return place


def training(folder: Path) -> Path:
    work = folder / "ours.training"
    write_json(work / "identity.json", {"data": []})
    for step in (2, 4):
        model(work / f"checkpoint-{step}")
        write_json(work / f"checkpoint-{step}" / "trainer_state.json", {"global_step": step})
    return work


def corpus(folder: Path) -> Path:
    place = folder / "corpus"
    place.mkdir()
    parquet.write_table(
        pyarrow.table({"id": ["r1"], "query_en": ["Who?"], "passage_en": ["Ada."]}), place / "one.parquet"
    )
    stage = StageRecord(stage="read", rows=1, pairs={"en": 1}, dropped={})
    file = FileRecord(
        name="one",
        source="one.jsonl",
        revision=None,
        url=None,
        license=None,
        mteb_tasks=[],
        stages=[stage],
        sha256=file_digest(place / "one.parquet"),
    )
    write_lock(CorpusLock(name="corpus", settings={}, files=[file], license="unknown", versions={}), place / LOCK)
    return place


def building(folder: Path) -> Path:
    work = folder / "corpus.building"
    write_json(work / "identity.json", [])
    write_json(work / "read" / "one" / "000000.json", {"rows": 1})
    parquet.write_table(pyarrow.table({"id": ["r1"]}), work / "read" / "one" / "000000.parquet")
    return work


def study(folder: Path) -> Path:
    place = folder / "study"
    model(place / "models" / "cell-1")
    write_json(place / "scores.json", [{"model": "local/cell-1", "task": "Ours"}])
    write_json(place / "rows.json", [])
    for name in ("claims", "revisions", "failed"):
        (place / name).mkdir()
    (place / "revisions" / "cell-1").write_text("abc def\n")
    return place


def debiasing(folder: Path) -> Path:
    fitted_on = FittedOn(
        kind="tiny", model="t", revision=None, corpus="c", fingerprint="f", rows=1, passages={"de": 1}, mteb_tasks=()
    )
    directions = np.ones((1, 1, 4), np.float32)
    path = folder / "shift.safetensors"
    write_debiasing(Debiasing("centering", 1.0, "documents", ("de",), directions, fitted_on), path)
    return path


def vectors(folder: Path) -> Path:
    return make_pool(folder / "vectors", passages=9, queries=2, languages=2, dimensions=3, shard_rows=4).path


# ---- what breaks them


@dataclass(frozen=True)
class State:
    """A broken state.

    Attributes:
        made: makes what is whole, in a folder.
        breaks: breaks it, and gives the file that the doctor must name.
        says: parts of the line, of the remedy above all.
        mends: follows the remedy; the file that was named is deleted by default.
    """

    made: Folder
    breaks: Callable[[Path], Path]
    says: tuple[str, ...]
    mends: Callable[[Path], object] = lambda path: shutil.rmtree(path) if path.is_dir() else path.unlink()


def cut(name: str) -> Callable[[Path], Path]:
    """Cut a file in the middle."""

    def breaks(place: Path) -> Path:
        path = place / name
        os.truncate(path, path.stat().st_size // 2)
        return path

    return breaks


def put(name: str, content: str | bytes = b"") -> Callable[[Path], Path]:
    """Write a file."""

    def breaks(place: Path) -> Path:
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return breaks


def gone(name: str) -> Callable[[Path], Path]:
    """Take a file or folder away."""

    def breaks(place: Path) -> Path:
        path = place / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        return path

    return breaks


def claimed(**changes: Any) -> Callable[[Path], Path]:
    """A claim of this process, changed."""

    def breaks(place: Path) -> Path:
        claims = Claims(place / "claims")
        assert claims.take("train-cell-1") is not None
        (path,) = (place / "claims").iterdir()
        holder = read_holder(path)
        assert holder is not None
        age = changes.pop("age", 0.0)
        path.write_text(json.dumps(asdict(replace(holder, **changes))))
        beaten = path.stat().st_mtime - age
        os.utime(path, (beaten, beaten))
        changes["age"] = age
        return path

    return breaks


def anew(made: Folder) -> Callable[[Path], object]:
    """Make it again, as who saves or builds anew does."""

    def mends(path: Path) -> None:
        place = next(parent for parent in path.parents if parent.name == "here")
        shutil.rmtree(place)
        place.mkdir()
        made(place)

    return mends


def as_model(folder: Path) -> Path:
    return model(folder / "ours")


SAVE = ("save or train the model again",)
AGAIN = ("damaged", "delete it, and run the same command again")
NEW_FOLDER = "encode into a new folder"
TO_A_NAME = "rename it to corpus"
GONE_PID = 2**22 + 1  # beyond what a kernel gives out


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _whole_build(path: Path) -> None:
    """Begin anew, and let it end."""
    work = next(parent for parent in path.parents if parent.name == "corpus.building")
    shutil.rmtree(work)
    corpus(work.parent)


def _other_tensors(path: Path) -> Path:
    save_file({"x": np.zeros(1, np.float32)}, path)
    return path


STATES: dict[str, State] = {
    # models
    "weights cut": State(as_model, cut("0_Static/model.safetensors"), ("cut short", *SAVE), anew(as_model)),
    "weights gone": State(as_model, gone("0_Static/model.safetensors"), ("no weights", *SAVE), anew(as_model)),
    "module gone": State(as_model, gone("0_Static"), ("is missing, and modules.json names it", *SAVE), anew(as_model)),
    "modules cut": State(as_model, cut("modules.json"), ("cut short, or not JSON", *SAVE), anew(as_model)),
    "configuration cut": State(
        as_model, cut("config_sentence_transformers.json"), ("cut short", *SAVE), anew(as_model)
    ),
    "record cut": State(as_model, put("training.json", '{"base": '), ("no training record", *SAVE), anew(as_model)),
    "weights that can run code": State(
        as_model,
        lambda place: (place / "0_Static" / "model.safetensors").rename(place / "0_Static" / "pytorch_model.bin"),
        ("can run code", "save the model as safetensors"),
        anew(as_model),
    ),
    "shard of weights gone": State(
        as_model,
        put("model.safetensors.index.json", '{"weight_map": {"a": "model-1.safetensors"}}'),
        ("model-1.safetensors is missing",),
        lambda path: path.unlink(),
    ),
    # results
    "result cut": State(results, cut("OursMonolingual.json"), AGAIN),
    "result empty": State(results, put("OursMonolingual.json"), AGAIN),
    "result not JSON": State(results, put("OursMonolingual.json", b"\xff\0"), AGAIN),
    "result without scores": State(results, put("OursMonolingual.json", '{"task_name": "OursMonolingual"}'), AGAIN),
    "result of another task": State(
        results, lambda place: (place / "OursMonolingual.json").rename(place / "OtherMonolingual.json"), AGAIN
    ),
    "description cut": State(results, cut("model_meta.json"), AGAIN),
    "predictions cut": State(results, cut("../../../kept/OursMonolingual_predictions.json"), AGAIN),
    "scores of queries cut": State(
        results, cut("OursMonolingual.queries.parquet"), ("damaged", "delete it and OursMonolingual.json")
    ),
    "mean of old parts": State(results, lambda place: result(place, "Ours", 0.9), ("not the mean", "delete it")),
    # trainings
    "training unfinished": State(
        training, lambda work: work, ("unfinished training", "step 4", "--resume", "delete it"), shutil.rmtree
    ),
    "training without identity": State(
        training, cut("identity.json"), ("missing or damaged", "--overwrite"), lambda path: shutil.rmtree(path.parent)
    ),
    "training that did not begin": State(
        lambda folder: folder, lambda place: _made(place / "ours.training"), ("did not begin", "delete it")
    ),
    # corpora
    "file of a corpus cut": State(corpus, cut("one.parquet"), ("build the corpus again",), anew(corpus)),
    "file of a corpus changed": State(corpus, put("one.parquet", "x"), ("is not the file", "again"), anew(corpus)),
    "file of a corpus gone": State(corpus, gone("one.parquet"), ("is missing", "build the corpus again"), anew(corpus)),
    "lock cut": State(corpus, cut(LOCK), ("is broken", "build the corpus again"), anew(corpus)),
    "lock of something else": State(corpus, put(LOCK, "{}"), ("no lock of a corpus", "build"), anew(corpus)),
    "file that is none of the corpus": State(
        corpus, put("two.parquet", "x"), ("no part of the corpus", "move it away")
    ),
    "build unfinished": State(building, lambda work: work, ("unfinished build", "same command", "delete")),
    "shard cut": State(building, cut("read/one/000000.parquet"), ("damaged", "delete", "begin anew"), _whole_build),
    "record of a shard cut": State(
        building, cut("read/one/000000.json"), ("damaged", "delete", "begin anew"), _whole_build
    ),
    "mining unfinished": State(
        lambda folder: folder, lambda place: _made(place / "corpus.mining"), ("unfinished mining", "same command")
    ),
    "corpus between two renames": State(
        corpus,
        lambda place: place.rename(place.with_name(".corpus.old")),
        ("was to be replaced", TO_A_NAME),
        lambda path: path.rename(path.with_name("corpus")),
    ),
    # studies
    "claim of a process that is gone": State(study, claimed(pid=GONE_PID), ("which is gone", "delete it")),
    "claim of a machine that gave no sign": State(
        study, claimed(machine="another", host="far", age=3600.0), ("far", "no sign for 60 minutes", "delete it")
    ),
    "claim from the future": State(
        study, claimed(machine="another", host="far", age=-86_400.0), ("1440 minutes ahead", "if far", "delete it")
    ),
    "claim that is empty": State(study, put("claims/train-cell-1.1"), ("is no claim", "delete it")),
    "scores of a study cut": State(study, cut("scores.json"), ("damaged", "the next run of the study writes it")),
    "rows of a study damaged": State(study, put("rows.json", '[{"model": 1}]'), ("damaged", "delete it")),
    "revision damaged": State(
        study, put("revisions/cell-1", "abc"), ("damaged", "the next run of the study writes it")
    ),
    "cell that failed": State(
        study, put("failed/cell-1.txt", "out of memory\n\nTraceback"), ("out of memory", "run the study again")
    ),
    "model of a study cut": State(
        study, cut("models/cell-1/0_Static/model.safetensors"), ("cut short", *SAVE), anew(study)
    ),
    "training of a study": State(
        study, lambda place: training(place / "models"), ("unfinished training", "--resume"), shutil.rmtree
    ),
    # debiasings
    "debiasing cut": State(debiasing, lambda path: cut(path.name)(path.parent), ("no debiasing", "debias fit")),
    "debiasing of something else": State(
        debiasing, _other_tensors, ("no debiasing", "its header has no", "debias fit")
    ),
    # folders of vectors
    "vectors unfinished": State(
        vectors,
        lambda place: gone("manifest.json")(place).parent,
        ("unfinished encoding", "the same command", "delete it"),
        shutil.rmtree,
    ),
    "vectors cut": State(
        vectors, cut("vectors/passages-00001.npy"), ("delete it", "`mteb-hybrid encode` makes it again"), anew(vectors)
    ),
    "vectors changed": State(
        vectors,
        put("rows/order.npy", npy(np.arange(9, dtype=np.int64))),
        ("its checksum is not that of the manifest", NEW_FOLDER),
        anew(vectors),
    ),
    "rows of vectors gone": State(vectors, gone("rows/queries-00000.parquet"), (NEW_FOLDER,), anew(vectors)),
    "manifest of vectors cut": State(vectors, cut("manifest.json"), (NEW_FOLDER,), anew(vectors)),
    # what killed writers left
    "file half written": State(corpus, put(f".one.parquet.{GONE_PID}.partial"), ("killed", "delete it")),
    "folder half written": State(
        corpus, lambda place: _made(place.with_name(".other.partial")), ("killed", "delete it")
    ),
    "new folder": State(corpus, lambda place: _made(place.with_name(".corpus.new")), ("killed", "delete it")),
    "old folder": State(corpus, lambda place: _made(place.with_name(".corpus.old")), ("killed", "delete it")),
    "probe of the clock": State(study, put(f"claims/.now-{'0' * 32}"), ("killed", "delete it")),
}


def wrong(findings: Iterator[Finding]) -> list[str]:
    return [finding.text for finding in findings if not finding.well]


@pytest.mark.parametrize("name", STATES)
def test_a_broken_state(name: str, tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    state = STATES[name]
    place = state.made(here)
    before = tree(here)
    if before and state.made not in {training, building}:
        assert wrong(folders.examine_given(here)) == [], "it was not whole before"
    broken = state.breaks(place)
    before = tree(here)
    lines = [line for line in wrong(folders.examine_given(here)) if broken.name in line or state.says[0] in line]
    assert lines, wrong(folders.examine_given(here))
    assert all(part in lines[0] for part in state.says), lines[0]
    assert broken.name in lines[0]
    assert tree(here) == before, "the doctor changes nothing"
    state.mends(broken)
    left = wrong(folders.examine_given(here))
    assert all("holds nothing that is known" in line for line in left), left


def tree(folder: Path) -> dict[str, str]:
    """All files, with what they hold and when they were written."""
    return {
        path.relative_to(folder).as_posix(): f"{path.stat().st_mtime_ns} "
        + (hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "")
        for path in sorted(folder.rglob("*"))
    }


def test_what_somebody_is_at_is_no_fault(tmp_path: Path) -> None:
    """A training, a build, a claim and a file, each of a process that runs."""
    work, build, place = training(tmp_path), building(tmp_path), study(tmp_path)
    with alone(work.with_name("ours")), alone(build.with_name("corpus")):
        claimed()(place)
        put(f".x.{os.getpid()}.partial")(place)
        found = list(folders.examine_given(tmp_path))
    assert [finding.text for finding in found if not finding.well] == []
    said = " ".join(finding.text for finding in found)
    for part in (
        "a training that process",
        "a build that process",
        "train-cell-1 is being done by",
        "being written by",
    ):
        assert part in said


def test_the_command_with_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str], all_well: Path) -> None:
    place = results(tmp_path)
    assert main(["doctor", str(tmp_path)]) == 0
    assert f"ok     {place} holds whole results of 4 tasks" in capsys.readouterr().out
    broken = cut("OursMonolingual.json")(place)
    assert main(["doctor", str(tmp_path), str(tmp_path / "nowhere")]) == 1
    captured = capsys.readouterr()
    assert captured.err == ""
    faults = [line for line in captured.out.splitlines() if line.startswith("WRONG")]
    assert len(faults) == 2
    assert str(broken) in faults[0]
    assert "nowhere is not there" in faults[1]


# ---- the environment


@pytest.fixture
def all_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nobody's own names, caches and token; the package counts as installed."""
    installed = environment.version
    monkeypatch.setattr(environment, "version", lambda name: "0.1.0" if name == "mteb-hybrid" else installed(name))
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path / "own" / "models.toml"))
    monkeypatch.setenv("MTEB_CACHE", str(tmp_path / "own" / "mteb"))
    monkeypatch.setenv("HF_TOKEN", "hf_" + "x" * 34)
    monkeypatch.setattr(data, "cache_folder", lambda: tmp_path / "own" / "cache")
    return tmp_path


@pytest.mark.parametrize("named", [True, False])
def test_a_result_in_the_cache_of_mteb(named: bool, all_well: Path) -> None:
    place = results(all_well / "own" / "mteb")
    assert wrong(folders.mteb_cache()) == []
    broken = cut("OursMonolingual.json" if named else "model_meta.json")(place)
    (line,) = wrong(folders.mteb_cache())
    assert str(broken) in line and "delete it" in line
    broken.unlink()
    assert wrong(folders.mteb_cache()) == []


def test_a_named_model_that_is_cut(all_well: Path) -> None:
    folder = model(all_well / "ours")
    add_model("ours", str(folder))
    assert wrong(models.names()) == []
    broken = cut("0_Static/model.safetensors")(folder)
    (line,) = wrong(models.names())
    assert line.startswith("ours: ") and str(broken) in line and "`mteb-hybrid models add ours PATH`" in line
    shutil.rmtree(folder)
    add_model("ours", str(model(folder)))
    assert wrong(models.names()) == []


def test_a_download_that_is_damaged(all_well: Path) -> None:
    path = put("lareqa/xquad-r/de.json", "{}")(all_well / "own" / "cache")
    (line,) = wrong(data.data())
    assert str(path) in line and "SHA-256" in line and "delete it" in line
    path.unlink()
    assert wrong(data.data()) == []


@pytest.mark.parametrize(
    ("token", "part"),
    [
        ("hf_abc def", "spaces or other characters"),
        ("hf_ab\u00e9" * 9, "no token has"),
        ("ghp_" + "x" * 36, "begin with hf_"),
    ],
)
def test_a_token_that_is_none(token: str, part: str, all_well: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    monkeypatch.setenv("HF_TOKEN", token)
    (line,) = wrong(hub.token())
    assert part in line and "HF_TOKEN" in line and "hf auth login" in line
    assert token not in line
    monkeypatch.setenv("HF_TOKEN", "hf_" + "y" * 34)
    assert wrong(hub.token()) == []


def test_a_folder_that_cannot_be_written(all_well: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(places.os, "access", lambda *_: False)  # as root, there is no read-only folder
        lines = wrong(places.own_places())
        assert len(lines) == 2
        assert "chmod u+wx" in lines[0] and MODELS_VARIABLE in lines[0]
        assert str(all_well) in wrong(folders.examine_given(results(all_well)))[0]
    assert wrong(places.own_places()) == []


def test_a_folder_that_is_a_file(all_well: Path) -> None:
    (all_well / "own").touch()
    line = wrong(places.own_places())[0]
    assert f"{all_well / 'own'} is a file: move it away" in line
    (all_well / "own").unlink()
    assert wrong(places.own_places()) == []


def test_a_full_disk(all_well: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(places, "_free", lambda _: 3_000_000)
        (line, *_) = wrong(places.own_places())
        assert str(all_well) in line and "is full (3 MB free): make room" in line
    assert wrong(places.own_places()) == []


def test_openmp_runtimes_that_clash() -> None:
    loaded = {"libgomp": "/a/libgomp.so", "libomp": "/b/libomp.so"}
    assert wrong(environment.clashes(loaded)) == []
    (line,) = wrong(environment.clashes(loaded | {"libiomp": "/c/libiomp5.so"}))
    assert "/b/libomp.so" in line and "/c/libiomp5.so" in line and "both with pip" in line
    assert wrong(environment.openmp()) == []


def test_an_extra_that_is_half_installed(all_well: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"duckdb", "py3langid", "rensa", "sacremoses"}
    monkeypatch.setattr(environment, "_version", lambda name: "1" if name in there else None)
    (line,) = wrong(environment.extras())
    assert "extra data is half installed, sentencepiece missing: pip install 'mteb-hybrid[data]'" in line
    there.add("sentencepiece")
    assert wrong(environment.extras()) == []
    there.clear()
    assert wrong(environment.extras()) == []


def test_the_extras_are_those_of_the_package() -> None:
    import tomllib

    from packaging.requirements import Requirement

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    declared = {
        extra: {Requirement(line).name for line in lines}
        for extra, lines in project["optional-dependencies"].items()
        if extra not in {"dev", "browser"}
    }
    assert {extra: set(packages) for extra, packages in environment.EXTRAS.items()} == declared


def test_a_requirement_of_another_version(all_well: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "requires", lambda _: ["numpy>=9", "nowhere>=1", "pyarrow", "ray; extra == 'ray'"])
    first, second = wrong(environment.requirements())
    assert "numpy" in first and "pip install 'numpy>=9'" in first
    assert "nowhere is not installed: pip install 'nowhere>=1'" in second
    monkeypatch.setattr(environment, "requires", lambda _: ["numpy>=1"])
    assert wrong(environment.requirements()) == []


# ---- how it is installed


def site(folder: Path, version: str = "0.1.0", startup: bytes | None = b"import x\n") -> Path:
    """A folder that the package is installed in."""
    info = folder / f"mteb_hybrid-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: mteb-hybrid\nVersion: {version}\n")
    record = f"{info.name}/METADATA,,\n"
    if startup is not None:
        (folder / installation.STARTUP).write_bytes(startup)
        record += (
            f"{installation.STARTUP},sha256={installation._digest(folder / installation.STARTUP)},{len(startup)}\n"
        )
    (info / "RECORD").write_text(record)
    return folder


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only installation, which is the one that is imported."""
    folder = site(tmp_path / "site")
    others = [path for path in sys.path if "site-packages" not in path and path]
    monkeypatch.setattr(sys, "path", [str(folder), *others])
    monkeypatch.setattr("mteb_hybrid.__file__", str(folder / "mteb_hybrid" / "__init__.py"))
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, _Hook()])
    return folder


class _Hook:
    """Stands for what the start-up file leaves."""

    def __repr__(self) -> str:
        return "<function mteb_hybrid_start>"

    def find_spec(self, *_: Any) -> None:
        return None


def of_installation() -> list[str]:
    return [*wrong(installation.installations()), *wrong(installation.start_up())]


def test_two_versions(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert of_installation() == []
    other = site(tmp_path / "other", "0.0.9")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path, str(other)])
        (line,) = of_installation()
    assert f"0.0.9 in {other}" in line and f"0.1.0 in {installed}" in line and "pip uninstall mteb-hybrid" in line
    assert of_installation() == []


def test_what_a_build_left_among_sources_is_no_installation(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = site(tmp_path / "sources", startup=None)
    (sources / "pyproject.toml").touch()
    monkeypatch.setattr(sys, "path", [str(sources), *sys.path])
    assert of_installation() == []


def test_another_one_is_imported(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("mteb_hybrid.__file__", str(tmp_path / "sources" / "mteb_hybrid" / "__init__.py"))
        (line,) = of_installation()
    assert f"imported from {tmp_path / 'sources'}" in line and str(installed) in line and "PYTHONPATH" in line
    (installed / "mteb_hybrid-0.1.0.dist-info" / "direct_url.json").write_text('{"dir_info": {"editable": true}}')
    assert of_installation() == []


@pytest.mark.parametrize(("content", "part"), [(None, "is gone"), (b"import y\n", "is not the one that was installed")])
def test_a_startup_file_that_is_stale(content: bytes | None, part: str, installed: Path) -> None:
    path = installed / installation.STARTUP
    before = path.read_bytes()
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    (line,) = of_installation()
    assert str(path) in line and part in line and "pip install --force-reinstall" in line
    path.write_bytes(before)
    assert of_installation() == []


def test_an_installation_without_a_startup_file(installed: Path) -> None:
    shutil.rmtree(installed)
    site(installed, startup=None)
    (line,) = of_installation()
    assert f"without {installation.STARTUP}" in line and "pip install --force-reinstall" in line
    shutil.rmtree(installed)
    site(installed)
    assert of_installation() == []


def test_a_startup_file_that_was_not_read(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "meta_path", [finder for finder in sys.meta_path if "mteb_hybrid_start" not in str(finder)])
        (line,) = of_installation()
    assert "was not read when this process began" in line and "-S" in line
    assert of_installation() == []
