"""The doctor: one line for each thing that can be wrong, saying what to do, and never a traceback."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from mteb_hybrid import _autoload
from mteb_hybrid.cli import main
from mteb_hybrid.data.lareqa import DATA_VARIABLE
from mteb_hybrid.doctor import Finding, environment, examine, registration
from mteb_hybrid.models import MODELS_VARIABLE, add_model
from mteb_hybrid.registry import register


def installed(package: str) -> str:
    """The version of a package; the tests may run from a folder of sources."""
    return "0.1.0" if package == "mteb-hybrid" else version(package)


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """All is well; the file of names is not there yet. What was registered is taken back."""
    from mteb.models.model_implementations import MODEL_REGISTRY

    renames = importlib.import_module("mteb.models.get_model_meta")._MODEL_RENAMES
    models_before, renames_before = dict(MODEL_REGISTRY), dict(renames)
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path / "models.toml"))
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    monkeypatch.delenv(_autoload.SWITCH, raising=False)
    monkeypatch.setattr(_autoload, "last_failure", None)
    monkeypatch.setattr(environment, "version", installed)
    monkeypatch.setenv("MTEB_CACHE", str(tmp_path / "mteb"))
    monkeypatch.setattr("mteb_hybrid.data.download.cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr("mteb_hybrid.doctor.data.cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setenv("HF_TOKEN", "hf_" + "x" * 34)
    yield tmp_path / "models.toml"
    for registry, before in ((MODEL_REGISTRY, models_before), (renames, renames_before)):
        registry.clear()
        registry.update(before)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """What looks like a model, named ``doctored``."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    save_file({"weights": np.zeros(3, np.float32)}, folder / "model.safetensors")
    add_model("doctored", str(folder))
    return folder


@pytest.fixture
def wrong(capsys: pytest.CaptureFixture[str]) -> Callable[..., None]:
    """What checks that the doctor finds one thing wrong, in one line that holds all parts."""

    def wrong(*parts: object) -> None:
        assert main(["doctor"]) == 1
        captured = capsys.readouterr()
        assert captured.err == ""
        lines = captured.out.splitlines()
        assert all(line.startswith(("ok     ", "WRONG  ")) for line in lines)
        (line,) = [line for line in lines if line.startswith("WRONG")]
        for part in parts:
            assert str(part) in line

    return wrong


Wrong = Callable[..., None]


def test_all_is_well(file: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_model("doctored-hub", "ada/paper", "v1")
    before = file.read_text()
    assert main(["doctor"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "WRONG" not in captured.out
    said = (
        "Python 3.",
        "mteb-hybrid 0.1.0",
        f"mteb {version('mteb')}",
        "registration at start-up: on",
        "36 of 36 tasks registered",
        f"2 short names in {file}",
        f"doctored: {model}",
        "doctored-hub: ada/paper at v1",
        "XQuAD-R and MLQA-R are downloaded when first needed",
    )
    for text in said:
        assert text in captured.out
    assert file.read_text() == before


def test_switched_off_is_no_fault(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(_autoload.SWITCH, "0")
    assert main(["doctor"]) == 0
    assert "switched off by MTEB_HYBRID_AUTOLOAD; `import mteb_hybrid` registers by hand" in capsys.readouterr().out


@pytest.mark.slow
def test_data_that_are_whole(lareqa_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert f"XQuAD-R is whole in {lareqa_data}" in out
    assert f"MLQA-R is whole in {lareqa_data}" in out


def test_another_mteb_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(registration, "version", lambda package: "2.99.1")
    assert main(["doctor"]) == 0
    assert "mteb 2.99 was not tested, 2.26 was" in capsys.readouterr().out


# ---- what is wrong


@pytest.mark.parametrize("package", ["mteb-hybrid", "sentence-transformers", "datasets"])
def test_a_package_that_is_missing(package: str, wrong: Wrong, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        if name == package:
            raise PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(environment, "version", missing)
    wrong(f"{package} is not installed: pip install {package}")


def test_a_model_folder_that_is_gone(model: Path, wrong: Wrong) -> None:
    model.rename(model.with_name("moved"))
    wrong(f"doctored: {model} is gone", "`mteb-hybrid models add doctored PATH`")


def test_a_model_that_changed(model: Path, wrong: Wrong) -> None:
    save_file({"weights": np.ones(3, np.float32)}, model / "model.safetensors")
    wrong(f"doctored: {model} has changed since it was named", "`mteb-hybrid models add doctored PATH`")


def test_a_folder_without_a_model(model: Path, wrong: Wrong) -> None:
    (model / "config.json").unlink()
    wrong("doctored: ", f"{model} holds no model", "models remove doctored")


def test_a_model_that_can_run_code(model: Path, wrong: Wrong) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    wrong("doctored: ", "pytorch_model.bin can run code", "save the model as safetensors")


def test_a_model_that_cannot_be_read(model: Path, wrong: Wrong, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("hashlib.file_digest", refuse)
    wrong("doctored", model, "Permission denied")


def test_each_of_several_models_is_told(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").touch()
    add_model("doctored-too", str(other))
    (other / "config.json").unlink()
    (model / "new.json").write_text("{}")
    assert main(["doctor"]) == 1
    faults = [line for line in capsys.readouterr().out.splitlines() if line.startswith("WRONG")]
    assert len(faults) == 2
    assert "doctored: " in faults[0]
    assert "doctored-too: " in faults[1]


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("[x", ["is not TOML", "mend it or delete it"]),
        ("[x]\nsource = 1", ["[x] must have a source"]),
        ("['a b']\nsource = 'ada/x'", ["'a b' cannot be a short name"]),
    ],
)
def test_a_file_of_names_that_is_broken(
    content: str, parts: list[str], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(content)
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    faults = [line for line in out.splitlines() if line.startswith("WRONG")]
    assert faults
    for fault in faults:
        assert str(file) in fault
        assert all(part in fault for part in parts)
    assert len(faults) == len(set(faults)), "told twice"
    assert "36 of 36 tasks registered" in out


def test_a_short_name_that_is_mtebs_own(file: Path, wrong: Wrong) -> None:
    file.write_text("[bm25s]\nsource = 'ada/x'\n")
    wrong("bm25s is mteb's own name", file)


def test_data_that_are_missing(tmp_path: Path, wrong: Wrong, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "nowhere"))
    wrong(f"{tmp_path / 'nowhere' / 'xquad-r' / 'ar.json'} is missing", DATA_VARIABLE, "unset it to download")


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ('{"data": [', ["is not a LAReQA file", "fetch it again"]),
        ('{"data": []}', ["is not the published file", "fetch it again"]),
    ],
)
def test_data_that_are_broken(
    content: str, parts: list[str], tmp_path: Path, wrong: Wrong, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "xquad-r").mkdir()
    (tmp_path / "xquad-r" / "ar.json").write_text(content)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    wrong(tmp_path / "xquad-r" / "ar.json", *parts)


def test_a_registration_that_failed(wrong: Wrong, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_autoload, "last_failure", "KeyError: 'x'")
    wrong("registration failed: KeyError: 'x'")


@pytest.fixture
def clash(monkeypatch: pytest.MonkeyPatch) -> str:
    """Another task under one of our names."""
    register()
    tasks = importlib.import_module("mteb.get_tasks")
    monkeypatch.setitem(tasks._TASKS_REGISTRY, "MLQAR", tasks._TASKS_REGISTRY["STS12"])
    return "MLQAR"


def test_a_name_clash(clash: str) -> None:
    first, *others = [finding.text for finding in examine() if not finding.well]
    for part in (f"another task named {clash}", "rename yours", _autoload.SWITCH):
        assert part in first
    assert all("35 of 36 tasks" in other for other in others)


def test_an_mteb_that_is_not_supported(wrong: Wrong, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(importlib.import_module("mteb.get_tasks"), "_SIMILAR_TASKS")
    wrong("mteb.get_tasks._SIMILAR_TASKS is gone", "pip install 'mteb>=2.26.5,<3'")


def _raise(error: BaseException) -> Callable[..., Any]:
    def fails(*_: object) -> Any:
        raise error

    return fails


@pytest.mark.parametrize(
    "part",
    [
        "models.read_models",
        "environment.version",
        "models.models_file",
        "registration._autoload.switched_off",
        "environment.platform.python_version",
        "hub.re.fullmatch",
    ],
)
def test_the_doctor_never_raises(part: str, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"mteb_hybrid.doctor.{part}", _raise(RuntimeError("two\nlines")))
    findings = examine()
    faults = [finding for finding in findings if not finding.well]
    assert faults
    assert all("RuntimeError: two lines" in finding.text for finding in faults)


def test_a_finding_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_autoload, "last_failure", "KeyError: 'x'")
    assert Finding(False, "registration failed: KeyError: 'x'") in examine()
    assert all(finding.text.isprintable() for finding in examine())
