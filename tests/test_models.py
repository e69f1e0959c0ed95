"""Short model names: the user's file of them, fingerprints of folders, and what is refused."""

from __future__ import annotations

import threading
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from mteb_hybrid import models
from mteb_hybrid.errors import HybridError
from mteb_hybrid.loading import load_folder
from mteb_hybrid.models import (
    MODELS_VARIABLE,
    NamedModel,
    add_model,
    check_model_folder,
    fingerprint,
    keep_model,
    known_models,
    models_file,
    read_models,
    remove_model,
    unknown_model,
)

COMMENTED = """\
# My models.

# The one of the paper.
[paper]
source = "ada/paper"  # on the Hub
# Its branch:
revision = "v1"

# The small one.
[small]
source = "ada/small"
"""
NAMED = ("[paper]", "[small]")


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of names, which is not there yet, in a folder that is not there yet."""
    path = tmp_path / "config" / "models.toml"
    monkeypatch.setenv(MODELS_VARIABLE, str(path))
    return path


@pytest.fixture
def commented(file: Path) -> Path:
    file.parent.mkdir()
    file.write_text(COMMENTED)
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What looks like a model with two modules."""
    folder = tmp_path / "model"
    for name in ("modules.json", "model.safetensors", "1_Dense/config.json", "1_Dense/model.safetensors"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content of " + name.encode())
    return folder


def _fails(call: Callable[[], object], *parts: object) -> None:
    """The call fails with one line that holds all parts."""
    with pytest.raises(HybridError) as caught:
        call()
    message = str(caught.value)
    assert message.isprintable()
    for part in parts:
        assert str(part) in message


# ---- the file of names


def test_no_file_is_no_models(file: Path) -> None:
    assert models_file() == file
    assert read_models() == {}


def test_without_the_variable_the_file_is_in_the_users_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MODELS_VARIABLE)
    assert models_file().parts[-2:] == ("mteb-hybrid", "models.toml")


def test_a_tilde_in_the_variable_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(MODELS_VARIABLE, "~/m.toml")
    assert models_file() == tmp_path / "m.toml"


def test_the_home_folder_of_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MODELS_VARIABLE, "~nosuchuser/models.toml")
    _fails(lambda: add_model("x", "~nosuchuser/model"), "~nosuchuser/model")
    assert read_models() == {}


def test_add_list_remove(folder: Path) -> None:
    hub, local = add_model("paper", "ada/paper", "v1"), add_model("ours-2.1_b", str(folder))
    assert hub == NamedModel("paper", "ada/paper", "v1")
    assert (hub.is_local, hub.full_name) == (False, "ada/paper")
    assert local == NamedModel("ours-2.1_b", str(folder.resolve()), fingerprint(folder))
    assert (local.is_local, local.full_name) == (True, "local/ours-2.1_b")
    assert list(read_models().items()) == [("paper", hub), ("ours-2.1_b", local)]
    assert remove_model("paper") == hub
    assert read_models() == {"ours-2.1_b": local}
    remove_model("ours-2.1_b")
    assert read_models() == {}
    assert folder.is_dir()


def test_a_name_that_is_taken_is_given_anew(folder: Path) -> None:
    add_model("x", "ada/paper", "v1")
    add_model("y", "ada/other")
    newer = add_model("x", "ada/newer")
    assert newer.revision is None
    assert list(read_models()) == ["x", "y"]
    assert read_models()["x"] == newer
    assert add_model("x", str(folder)) == read_models()["x"]


def test_a_hub_id_with_its_revision() -> None:
    assert add_model("ours", "ada/paper@v1") == NamedModel("ours", "ada/paper", "v1")
    _fails(lambda: add_model("ours", "ada/paper@v1", "v2"), "names a revision already", "leave out --revision")
    _fails(lambda: add_model("ours", "ada/paper@"), "neither a folder nor a Hub id")
    assert read_models() == {"ours": NamedModel("ours", "ada/paper", "v1")}


def test_where_a_model_was_published_from_is_kept_until_it_is_named_anew(folder: Path) -> None:
    published = NamedModel("ours", "ada/ours", "0" * 40, str(folder))
    keep_model(published)
    assert read_models() == {"ours": published}
    assert not published.is_local
    add_model("ours", str(folder))
    assert read_models()["ours"] == NamedModel("ours", str(folder), fingerprint(folder))


def test_the_names_that_come_with_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = {name: NamedModel(name, f"org/{name}", "1" * 40) for name in ("ours", "paper")}
    monkeypatch.setattr(models, "_published_models", lambda: theirs)
    mine = add_model("ours", "ada/ours")
    assert known_models() == {"ours": mine, "paper": theirs["paper"]}
    assert read_models() == {"ours": mine}


def test_the_packages_own_list_is_well_formed() -> None:
    for model in models._published_models().values():
        assert not model.is_local
        assert model.revision is not None
        assert len(model.revision) == 40


def test_an_unknown_name_says_how_to_add_train_or_find_one() -> None:
    add_model("our-hybrid-labse", "ada/paper")
    told = str(unknown_model("our-hybrd-labse"))
    for part in ("did you mean our-hybrid-labse?", "models add NAME", "mteb-hybrid train", "models list", "Hub id"):
        assert part in told


def test_a_relative_folder_is_kept_as_an_absolute_path(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert add_model("x", "model").source == str(folder.resolve())


def test_a_folder_goes_before_a_hub_id(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ada").mkdir()
    folder.rename(tmp_path / "ada" / "paper")
    assert add_model("x", "ada/paper").is_local


def test_odd_folders_survive_the_file(tmp_path: Path, folder: Path) -> None:
    odd = folder.rename(tmp_path / 'Brücke "1" \\ [a] # b')
    assert add_model("x", str(odd)) == read_models()["x"]


# ---- the user's own hand in the file


def _comments(text: str) -> list[str]:
    return [line[line.index("#") :] for line in text.splitlines() if "#" in line]


def test_comments_survive_another_model(commented: Path) -> None:
    add_model("new", "ada/new")
    assert commented.read_text().startswith(COMMENTED)
    assert list(read_models()) == ["paper", "small", "new"]


def test_comments_survive_adding_and_removing(commented: Path) -> None:
    add_model("new", "ada/new")
    remove_model("new")
    assert commented.read_text().strip() == COMMENTED.strip()


def test_comments_survive_naming_anew(commented: Path) -> None:
    add_model("paper", "ada/paper", "v2")
    assert commented.read_text() == COMMENTED.replace("v1", "v2")


def test_comments_of_other_models_survive_a_removal(commented: Path) -> None:
    remove_model("small")
    assert _comments(commented.read_text())[:4] == _comments(COMMENTED)[:4]
    assert read_models() == {"paper": NamedModel("paper", "ada/paper", "v1")}


def test_inline_tables_are_read_and_kept_valid(file: Path) -> None:
    file.parent.mkdir()
    file.write_text('a = {source = "ada/a", revision = "v1"}\nb.source = "ada/b"\n')
    add_model("c", "ada/c")
    add_model("a", "ada/d")
    assert read_models() == {
        "a": NamedModel("a", "ada/d"),
        "b": NamedModel("b", "ada/b"),
        "c": NamedModel("c", "ada/c"),
    }


@pytest.mark.parametrize(
    "content",
    [b"[x", b"source = ", b'[x]\nsource = "a/b"\n[x]\n', b"\xff\xfe", b"x = " + b"[" * 50_000],
    ids=["open table", "no value", "table twice", "not UTF-8", "too deep"],
)
def test_a_file_that_is_not_toml(file: Path, content: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    for call in (read_models, lambda: add_model("y", "ada/y"), lambda: remove_model("y")):
        _fails(call, file, "is not TOML", "mend it")
    assert file.read_bytes() == content


@pytest.mark.parametrize(
    "content",
    [
        "x = 1",
        'x = "ada/x"',
        "x = []",
        "[[x]]\nsource = 'ada/x'",
        "[x]",
        "[x]\nsource = 1",
        "[x]\nsource = ''",
        "[x]\nsource = ['ada/x']",
        "[x]\nrevision = 'v1'",
        "[x]\nsource = 'ada/x'\nrevision = 1",
        "[x]\nsource = 'ada/x'\ndebias = 1",
        "[x]\nsource = 'ada/x'\nrevison = 'v1'",
        "[x.y]\nsource = 'ada/x'",
    ],
)
def test_a_table_of_the_wrong_form(file: Path, content: str) -> None:
    file.parent.mkdir()
    file.write_text(content)
    _fails(read_models, file, "[x] must have a source and may have a revision, a folder and a debias, all texts")


@pytest.mark.parametrize("name", ["a b", "a/b", "", "-a"])
def test_a_bad_name_in_the_file_is_told_with_the_file(file: Path, name: str) -> None:
    file.parent.mkdir()
    file.write_text(f"['{name}']\nsource = 'ada/x'\n")
    _fails(read_models, file, repr(name), "cannot be a short name")


# ---- what cannot be added or removed

BAD_NAMES = ["", " ", "a b", "a/b", "/", "..", ".", ".a", "-a", "_a", "a\n", "a\0", "a\tb", "\x1b[31m", "ä", "a" * 97]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_names(file: Path, name: str) -> None:
    _fails(lambda: add_model(name, "ada/x"), "cannot be a short name: use letters, digits")
    assert not file.exists()


@pytest.mark.parametrize("name", ["a", "7", "A.b-c_d", "a" * 96])
def test_good_names(name: str) -> None:
    add_model(name, "ada/x")
    assert list(read_models()) == [name]


@pytest.mark.parametrize(
    "source",
    [
        *("nowhere", "a/b/c", "/nowhere/model", "./ada/x", "../x", "~/nowhere", "~", "ada/", "/x"),
        *("ada/x y", "ada\n/x", "ada/\0", "https://example.org/ada/x", "ada/..", "-a/x"),
    ],
)
def test_neither_a_folder_nor_a_hub_id(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    _fails(lambda: add_model("x", source), "neither a folder nor a Hub id", "check the path")
    assert not file.exists()


def test_a_file_is_no_folder(folder: Path) -> None:
    _fails(lambda: add_model("x", str(folder / "model.safetensors")), "neither a folder nor a Hub id")


def test_a_folder_has_no_revision(file: Path, folder: Path) -> None:
    _fails(lambda: add_model("x", str(folder), "v1"), "leave out --revision v1")
    assert not file.exists()


def test_a_folder_without_a_model(file: Path, tmp_path: Path) -> None:
    _fails(lambda: add_model("x", str(tmp_path)), tmp_path, "neither modules.json nor config.json")
    assert not file.exists()


@pytest.mark.parametrize(
    "weights", ["pytorch_model.bin", "model.pt", "model.pth", "model.ckpt", "0_T/pytorch_model.bin"]
)
def test_weights_that_are_pickles_are_refused(file: Path, tmp_path: Path, weights: str) -> None:
    folder = tmp_path / "pickled"
    (folder / weights).parent.mkdir(parents=True)
    (folder / weights).touch()
    (folder / "config.json").touch()
    _fails(lambda: add_model("x", str(folder)), folder / weights, "save the model as safetensors")
    assert not file.exists()


def test_training_arguments_beside_safetensors_do_no_harm(folder: Path) -> None:
    (folder / "training_args.bin").touch()
    check_model_folder(folder)


def test_removing_a_name_that_is_not_there(commented: Path) -> None:
    _fails(lambda: remove_model("papr"), "no model is named 'papr'; did you mean paper?")
    _fails(lambda: remove_model("\nxyzzy"), "no model is named 'xyzzy'", "`mteb-hybrid models list`")
    assert commented.read_text() == COMMENTED


# ---- fingerprints


def _flip(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


@pytest.mark.parametrize(
    "name", ["modules.json", "model.safetensors", "1_Dense/config.json", "1_Dense/model.safetensors"]
)
@pytest.mark.parametrize("change", [_flip, Path.unlink, lambda path: path.rename(path.with_name("moved"))])
def test_any_change_of_the_model_changes_the_fingerprint(
    folder: Path, name: str, change: Callable[[Path], object]
) -> None:
    before = fingerprint(folder)
    change(folder / name)
    assert fingerprint(folder) != before


def test_every_byte_of_the_weights_counts(folder: Path) -> None:
    weights = folder / "model.safetensors"
    content = weights.read_bytes()
    found = {fingerprint(folder)}
    for place in range(len(content)):
        weights.write_bytes(content[:place] + bytes([content[place] ^ 0x80]) + content[place + 1 :])
        found.add(fingerprint(folder))
    assert len(found) == len(content) + 1


def test_a_new_file_and_swapped_files_change_the_fingerprint(folder: Path) -> None:
    before = fingerprint(folder)
    one, two = folder / "model.safetensors", folder / "1_Dense" / "model.safetensors"
    one_content, two_content = one.read_bytes(), two.read_bytes()
    one.write_bytes(two_content)
    two.write_bytes(one_content)
    swapped = fingerprint(folder)
    one.write_bytes(one_content)
    two.write_bytes(two_content)
    assert fingerprint(folder) == before
    (folder / "tokenizer.json").touch()
    assert len({before, swapped, fingerprint(folder)}) == 3


@pytest.mark.parametrize(
    "name",
    ["README.md", "1_Dense/README.md", "checkpoint-100/model.safetensors", ".cache/x", ".gitattributes"],
)
def test_notes_checkpoints_and_hidden_files_do_not_count(folder: Path, name: str) -> None:
    before = fingerprint(folder)
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("new")
    assert fingerprint(folder) == before
    path.write_text("newer")
    assert fingerprint(folder) == before


def test_the_fingerprint_is_the_same_wherever_the_folder_is(tmp_path: Path, folder: Path) -> None:
    before = fingerprint(folder)
    (tmp_path / "checkpoint-7").mkdir()
    assert fingerprint(folder.rename(tmp_path / "checkpoint-7" / ".model")) == before
    assert len(before) == 40
    int(before, 16)


def test_a_model_file_that_cannot_be_read_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told by the call itself, because root may read anything."""

    def refuse(*args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("hashlib.file_digest", refuse)
    _fails(lambda: add_model("x", str(folder)), folder, "Permission denied")


# ---- writing: whole or not at all


@pytest.mark.parametrize("call", [lambda: add_model("new", "ada/new"), lambda: remove_model("paper")])
def test_a_failed_write_leaves_the_old_file_alone(
    commented: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[[], object]
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    _fails(call, commented, "No space left on device", f"set {MODELS_VARIABLE}")
    assert commented.read_text() == COMMENTED
    assert list(commented.parent.iterdir()) == [commented]


def test_a_config_folder_that_cannot_be_made(file: Path, tmp_path: Path) -> None:
    file.parent.symlink_to(tmp_path / "gone")
    _fails(lambda: add_model("x", "ada/x"), "cannot write", file, MODELS_VARIABLE)


def test_a_file_where_the_config_folder_should_be(file: Path) -> None:
    file.parent.write_text("in the way")
    _fails(lambda: add_model("x", "ada/x"), file, "Not a directory")
    assert file.parent.read_text() == "in the way"


def test_a_folder_where_the_file_should_be(file: Path) -> None:
    file.mkdir(parents=True)
    _fails(lambda: add_model("x", "ada/x"), file, "Is a directory")
    _fails(read_models, file, "cannot read")


def test_a_reader_never_sees_half_a_file(file: Path) -> None:
    add_model("first", "ada/first")
    done, faults = threading.Event(), []

    def read() -> None:
        while not done.is_set():
            try:
                if "first" not in tomllib.loads(file.read_text()):
                    faults.append("a name is missing")
            except (OSError, ValueError) as error:
                faults.append(repr(error))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(40):
            add_model(f"m{number}", "ada/x")
    finally:
        done.set()
        reader.join()
    assert faults == []
    assert len(read_models()) == 41
    assert list(file.parent.iterdir()) == [file]


# ---- loading: the checks that come before the model


def _load(model: NamedModel) -> Callable[[], object]:
    return lambda: load_folder(model.full_name, model.revision, source=model.source)


def _flip_weights(folder: Path) -> None:
    _flip(folder / "model.safetensors")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda folder: folder.rename(folder.with_name("moved")), "is gone"),
        (_flip_weights, "has changed"),
        (lambda folder: (folder / "new.json").touch(), "has changed"),
    ],
    ids=["gone", "other weights", "a new file"],
)
def test_a_folder_that_is_not_the_one_that_was_named(folder: Path, change: Callable[[Path], object], told: str) -> None:
    model = add_model("ours", str(folder))
    change(folder)
    _fails(_load(model), folder, told, "`mteb-hybrid models add ours PATH`")


def test_a_folder_that_holds_no_model_any_more(folder: Path) -> None:
    model = add_model("ours", str(folder))
    (folder / "modules.json").unlink()
    _fails(_load(model), folder, "holds no model")


def test_a_folder_that_holds_pickles_now(folder: Path) -> None:
    model = add_model("ours", str(folder))
    for path in folder.rglob("*.safetensors"):
        path.rename(path.with_name("pytorch_model.bin"))
    _fails(_load(model), "save the model as safetensors")


def test_a_folder_as_it_was_named_passes_the_checks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = add_model("ours", str(folder))
    monkeypatch.setattr("mteb_hybrid.loading._wrapper", lambda path: lambda source, **kwargs: (path, source, kwargs))
    loaded: object = load_folder(model.full_name, model.revision, source=model.source, device="cpu")
    assert loaded == (folder, str(folder), {"device": "cpu"})
    assert models.read_models() == {"ours": model}
