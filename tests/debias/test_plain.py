"""A name for a debiased model: what it stands for, that it is loaded as it was named, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mteb.models import ModelMeta
from mteb.types import PromptType

from mteb_hybrid import registry
from mteb_hybrid.debias import plain
from mteb_hybrid.debias.debiasing import Debiasing, FittedOn
from mteb_hybrid.debias.encoder import DebiasedEncoder
from mteb_hybrid.debias.file import file_fingerprint, write_debiasing
from mteb_hybrid.debias.plain import find_plain, load_plain, name_debiased
from mteb_hybrid.errors import HybridError
from mteb_hybrid.loading import load_debiased
from mteb_hybrid.models import MODELS_VARIABLE, NamedModel, add_model, fingerprint, known_models, read_models
from mteb_hybrid.training.base_model import Base
from tests.training.small_runs import static_model

COMMIT = "1" * 40
TINY = "mteb-hybrid/tiny"
ON_TINY = FittedOn("tiny", TINY, None, "world", "0" * 40, 20, {"en": 20, "de": 20}, ("MLQAR",))
ON_HUB = replace(ON_TINY, kind="hub", model="ada/paper", revision=COMMIT)


@pytest.fixture(autouse=True)
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path / "models.toml"))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return static_model(tmp_path_factory.mktemp("models") / "small", ["one", "two", "three"])


@pytest.fixture
def folder(tmp_path: Path, small: Path) -> Path:
    """A folder with a model that the test may change."""
    return Path(shutil.copytree(small, tmp_path / "small"))


def write(path: Path, fitted_on: FittedOn, **changes: Any) -> Path:
    directions = np.zeros((2, 1, 16), dtype=np.float32)
    directions[1] = 1
    values: dict[str, Any] = {"method": "shift", "alpha": 1.0, "apply": "documents", "source": "en"} | changes
    write_debiasing(Debiasing(languages=("en", "de"), directions=directions, fitted_on=fitted_on, **values), path)
    return path


@pytest.fixture
def file(tmp_path: Path, folder: Path) -> Path:
    """The file of a debiasing that was fitted on the model in the folder."""
    on_folder = replace(ON_TINY, kind="folder", model="small", revision=fingerprint(folder))
    return write(tmp_path / "shift.safetensors", on_folder)


def _fails(call: Callable[[], object], *parts: object) -> None:
    with pytest.raises(HybridError) as caught:
        call()
    message = str(caught.value)
    assert message.isprintable()
    for part in parts:
        assert str(part) in message


def no_network(*_: Any, **__: Any) -> Any:
    raise AssertionError("the Hub was asked")


# ---- naming


def test_a_name_for_a_folder_and_a_file(folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    named = add_model("fair", "small", debias="shift.safetensors")
    assert named == NamedModel("fair", str(folder), file_fingerprint(file), debias=str(file))
    assert (named.is_local, named.full_name) == (True, "local/fair")
    assert read_models() == {"fair": named}
    assert add_model("fair", str(folder)) == NamedModel("fair", str(folder), fingerprint(folder))
    assert "debias" not in (file.parent / "models.toml").read_text()


def test_results_of_another_file_are_others(folder: Path, file: Path) -> None:
    first = add_model("fair", str(folder), debias=str(file))
    on_folder = replace(ON_TINY, kind="folder", model="small", revision=fingerprint(folder))
    write(file, on_folder, alpha=0.5)
    assert add_model("fair", str(folder), debias=str(file)).revision != first.revision


def test_the_model_may_be_a_short_name(folder: Path, file: Path) -> None:
    add_model("ours", str(folder))
    assert add_model("fair", "ours", debias=str(file)).source == str(folder)
    assert add_model("fairer", "local/ours", debias=str(file)).source == str(folder)


def test_a_folder_may_have_been_moved_since(folder: Path, file: Path) -> None:
    moved = folder.rename(folder.with_name("elsewhere"))
    assert add_model("fair", str(moved), debias=str(file)).source == str(moved)


def test_the_tiny_encoder(tmp_path: Path) -> None:
    file = write(tmp_path / "a", ON_TINY)
    assert add_model("fair", TINY, debias=str(file)) == NamedModel(
        "fair", TINY, file_fingerprint(file), debias=str(file)
    )


def test_a_model_on_the_hub_is_the_one_that_was_fitted_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "find_base", no_network)
    file = write(tmp_path / "a", ON_HUB)
    add_model("newest", "ada/paper")
    add_model("pinned", "ada/paper", COMMIT)
    for source in ("ada/paper", f"ada/paper@{COMMIT}", "newest", "pinned"):
        named = add_model("fair", source, debias=str(file))
        assert (named.source, named.is_local, named.full_name) == ("ada/paper", True, "local/fair")
    assert add_model("fair", "ada/paper", COMMIT, debias=str(file)) == named


def test_a_branch_is_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "a", ON_HUB)
    monkeypatch.setattr(plain, "find_base", lambda settings: Base("hub", settings.base, COMMIT))
    assert add_model("fair", "ada/paper@main", debias=str(file)).source == "ada/paper"
    monkeypatch.setattr(plain, "find_base", lambda settings: Base("hub", settings.base, "2" * 40))
    _fails(lambda: add_model("fair", "ada/paper@main", debias=str(file)), "was fitted on ada/paper (11111111)")


@pytest.mark.parametrize(
    ("fitted_on", "fault"),
    [
        (ON_TINY, "was fitted on mteb-hybrid/tiny, and not on"),
        (ON_HUB, "was fitted on ada/paper (11111111), and not on"),
        (replace(ON_HUB, kind="folder"), "was fitted on ada/paper (11111111), and not on"),
    ],
)
def test_another_model_than_it_was_fitted_on(folder: Path, fitted_on: FittedOn, fault: str, tmp_path: Path) -> None:
    file = write(tmp_path / "other", fitted_on)
    told = (fault, f"{folder} ({fingerprint(folder)[:8]})", "fit one for it with `mteb-hybrid debias fit -m MODEL`")
    _fails(lambda: add_model("fair", str(folder), debias=str(file)), file, *told)
    assert read_models() == {}


def test_what_is_no_model_or_no_file(folder: Path, file: Path) -> None:
    add_model("fair", str(folder), debias=str(file))
    for source, part in {
        "fair": f"fair is debiased already, by {file}; take {folder}",
        "local/fair": "fair is debiased already",
        "nowhere": "'nowhere' is no folder, short name or Hub id (ORGANISATION/NAME)",
        str(file.parent): "holds no model",
        " ": "no model named",
    }.items():
        _fails(lambda source=source: add_model("new", source, debias=str(file)), part)
    _fails(lambda: add_model("new", str(folder), debias="gone"), "gone is not there")
    _fails(lambda: add_model("new", str(folder), debias=str(folder / "modules.json")), "is no debiasing")
    _fails(lambda: add_model("new", str(folder), "v1", debias=str(file)), "the revision is for models on the Hub")
    _fails(lambda: name_debiased("new", "ada/paper@v1", "v2", str(file)), "names a revision already")
    _fails(lambda: add_model("new/er", str(folder), debias=str(file)), "cannot be a short name")
    assert list(read_models()) == ["fair"]


def test_a_hub_id_is_at_the_revision_that_mteb_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(plain, "find_base", lambda settings: asked.append((settings.base, settings.revision)))
    known = "sentence-transformers/LaBSE"
    for name, revision in ((known, None), (known, "v1"), (f"{known}@v2", None), ("ada/unknown", None)):
        find_plain(name, revision)
    (_, pinned), *others = asked
    assert len(pinned) == 40
    assert others == [(known, "v1"), (known, "v2"), ("ada/unknown", None)]


# ---- loading


def test_what_is_loaded_is_the_plain_model_and_the_debiasing_around_it(folder: Path, file: Path) -> None:
    named = add_model("fair", str(folder), debias=str(file))
    found = load_debiased(named.full_name, named.revision, source=named.source, debias=str(file), device="cpu")
    assert isinstance(found, DebiasedEncoder)
    embeddings = torch.ones(2, 16)
    changed = found.transform(embeddings, ["de", "en"], PromptType.document)
    assert changed.tolist() == [[0.0] * 16, [1.0] * 16]
    meta: Any = found.inner.mteb_model_meta
    assert (meta.revision, meta.loader_kwargs["source"]) == (fingerprint(folder), str(folder))


def test_all_that_is_made_of_one_model_shares_its_encodings(folder: Path, file: Path) -> None:
    from mteb_hybrid.evaluation.encodings import SharedEncodings

    base = find_plain(str(folder))
    first, second = load_plain(base, device="cpu"), load_plain(base, device="cpu")
    shared = SharedEncodings()
    assert shared._identity(first) == shared._identity(second)
    third = registry._meta(add_model("whole", str(folder))).load_model(device="cpu")
    fair = registry._meta(add_model("fair", str(folder), debias=str(file))).load_model(device="cpu")
    assert isinstance(fair, DebiasedEncoder)
    assert shared._identity(third) == shared._identity(fair.inner) != shared._identity(first)


def _load(named: NamedModel) -> Any:
    assert named.debias is not None
    return load_debiased(named.full_name, named.revision, source=named.source, debias=named.debias, device="cpu")


def test_a_file_that_is_gone_or_has_changed(folder: Path, file: Path) -> None:
    named = add_model("fair", str(folder), debias=str(file))
    again = f"name it anew with `mteb-hybrid models add fair {folder} --debias FILE`"
    whole = file.read_bytes()
    file.write_bytes(whole + b"x")
    _fails(lambda: _load(named), file, "the debiasing of model fair, has changed", again)
    file.unlink()
    _fails(lambda: _load(named), file, "the debiasing of model fair, is gone", again)
    file.write_bytes(whole)
    assert isinstance(_load(named), DebiasedEncoder)


def test_a_folder_that_is_gone_or_has_changed(folder: Path, file: Path) -> None:
    named = add_model("fair", str(folder), debias=str(file))
    (folder / "new.json").touch()
    _fails(lambda: _load(named), file, "was fitted on small (", f"and not on {folder} (")
    folder.rename(folder.with_name("elsewhere"))
    _fails(lambda: _load(named), folder)


def test_a_model_that_is_no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.evaluation.encoders import HashCrossEncoder, HashSearch

    for kind in (HashCrossEncoder, HashSearch, object):
        meta = ModelMeta.create_empty(overwrites={"name": "ada/x", "loader": lambda *_, kind=kind, **__: _model(kind)})
        monkeypatch.setattr(plain, "_meta", lambda _, meta=meta: meta)
        _fails(lambda: load_plain(Base("hub", "ada/x", COMMIT)), "ada/x does not give one vector a text")


def _model(kind: type) -> Any:
    class Model(kind):  # type: ignore[misc]
        pass

    return Model()


def test_a_loader_that_fails_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("first line\nsecond line")

    meta = ModelMeta.create_empty(overwrites={"name": "ada/x", "loader": fail})
    monkeypatch.setattr(plain, "_meta", lambda _: meta)
    _fails(lambda: load_plain(Base("hub", "ada/x", COMMIT)), "cannot load model ada/x (RuntimeError: first line second")


# ---- what mteb knows


def test_training_data_are_the_models_and_the_debiasings(folder: Path, file: Path, tmp_path: Path) -> None:
    add_model("fair", str(folder), debias=str(file))
    add_model("tiny", TINY, debias=str(write(tmp_path / "a", replace(ON_TINY, mteb_tasks=()))))
    add_model("hub", "ada/paper", debias=str(write(tmp_path / "b", replace(ON_HUB, mteb_tasks=()))))
    metas = {name: registry._meta(model) for name, model in known_models().items() if model.debias}
    assert (metas["fair"].name, metas["fair"].revision) == ("local/fair", file_fingerprint(file))
    assert metas["fair"].training_datasets == {"MLQAR"}
    assert (metas["tiny"].training_datasets, metas["tiny"].adapted_from) == (set(), TINY)
    assert (metas["hub"].training_datasets, metas["hub"].adapted_from) == (None, "ada/paper")


def test_a_file_that_cannot_be_read_is_told_when_the_model_is_loaded(folder: Path, file: Path) -> None:
    named = add_model("fair", str(folder), debias=str(file))
    file.write_bytes(b"x")
    assert registry._meta(named).training_datasets is None
    _fails(lambda: _load(named), "has changed")
