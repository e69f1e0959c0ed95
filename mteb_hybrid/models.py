"""Short model names of the user's own, kept in one TOML file.

    [our-hybrid-labse]
    source = "/home/ada/models/our-hybrid-labse"
    revision = "5d3fb71466a15b047455d3c6c91964db4bbb4b1b"

``source`` is a folder or a Hub id. For a folder, ``revision`` is the fingerprint of its files, so that results
are never kept under the name of a model that has changed since. A model that was published from here has its Hub id
and commit there, and ``folder`` says where it was published from. Of a debiased model, ``debias`` is the file of its
debiasing, ``source`` the plain model, and ``revision`` the fingerprint of the file, which itself says which revision
of the plain model it was fitted on.

The package carries a list of its own in the same form, ``published_models.toml``: models on the Hub that are found by
their short names after ``pip install`` alone. The user's own names go before.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from mteb_hybrid.alone import alone
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.whole import whole_file

MODELS_VARIABLE = "MTEB_HYBRID_MODELS"
"""Environment variable that names another file than the one in the user's config folder."""

LOCAL_ORGANISATION = "local"
"""Results of a model in a folder are kept under this organisation."""

_KEYS = ("source", "revision", "folder", "debias")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class NamedModel:
    """A short name and the model it stands for.

    Attributes:
        name: the short name.
        source: the absolute path of a folder, or a Hub id; of a debiased model, where the plain one is.
        revision: the fingerprint of the folder, or a Hub revision; None is the Hub's newest. Of a debiased model, the
            fingerprint of the file.
        folder: the folder that the model on the Hub was published from; None if that was not here.
        debias: the absolute path of the file that the model is debiased by; None of a plain model.
    """

    name: str
    source: str
    revision: str | None = None
    folder: str | None = None
    debias: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether the model is one of this machine: in a folder, or debiased."""
        return self.debias is not None or not _HUB_ID.fullmatch(self.source)

    @property
    def full_name(self) -> str:
        """The ``organisation/name`` under which results are kept."""
        return f"{LOCAL_ORGANISATION}/{self.name}" if self.is_local else self.source


def models_file() -> Path:
    """The file that holds the names."""
    named = os.environ.get(MODELS_VARIABLE)
    if named:
        return Path(os.path.expanduser(named))
    import platformdirs

    return Path(platformdirs.user_config_dir("mteb-hybrid")) / "models.toml"


def known_models() -> dict[str, NamedModel]:
    """All names: the user's, and those of the package that the user has not given to something else.

    Raises:
        HybridError: the user's file cannot be read or is not of the form above.
    """
    return dict(_published_models()) | read_models()


@cache
def _published_models() -> dict[str, NamedModel]:
    path = Path(str(files("mteb_hybrid"))) / "published_models.toml"
    return _parse(path, path.read_text(encoding="utf-8"))


def read_models() -> dict[str, NamedModel]:
    """The user's names, in the order of the file; none if there is no file.

    Raises:
        HybridError: the file cannot be read or is not of the form above.
    """
    path = models_file()
    try:
        return _parse(path, path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise HybridError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise HybridError(f"{path} is not TOML ({one_line(error, 120)}); mend it or delete it") from None


def _parse(path: Path, text: str) -> dict[str, NamedModel]:
    return {name: _named_model(path, name, table) for name, table in tomllib.loads(text).items()}


def unknown_model(name: str) -> HybridError:
    """The error for a name that stands for nothing: how to add, train or find one."""
    near = difflib.get_close_matches(name, known_models(), n=1)
    hint = f"did you mean {near[0]}? Name" if near else "name"
    return HybridError(
        f"no model is named {one_line(name, 60)!r}; {hint} one with `mteb-hybrid models add NAME PATH_OR_HUB_ID`, "
        "train one with `mteb-hybrid train RECIPE --name NAME`, see `mteb-hybrid models list`, or give a Hub id "
        "(ORGANISATION/NAME; the Hub lists those with the tag mteb-hybrid)"
    )


def add_model(name: str, source: str, revision: str | None = None, *, debias: str | None = None) -> NamedModel:
    """Give a model a short name; a name that is taken is given anew.

    Args:
        name: letters, digits, dots, dashes and underscores.
        source: the folder of a sentence-transformers model, a Hub id, or ``HUB_ID@REVISION``.
        revision: a Hub revision; a folder has none but its fingerprint.
        debias: a file made with ``mteb-hybrid debias fit``: the name is then for the model debiased by it, and the
            source may be a short name or ``mteb-hybrid/tiny`` as well.

    Raises:
        HybridError: the name or the source is not possible, the debiasing was fitted on another model, or the file
            cannot be written.
    """
    check_name(name)
    folder = Path(os.path.expanduser(source))
    if debias is not None:
        from mteb_hybrid.debias.plain import name_debiased

        model = name_debiased(name, source, revision, debias)
    elif os.path.isdir(folder):
        if revision is not None:
            raise HybridError(f"a folder has no revision: leave out --revision {one_line(revision, 40)}")
        check_model_folder(folder)
        model = NamedModel(name, str(folder.resolve()), fingerprint(folder))
    else:
        hub_id, at, pinned = source.partition("@")
        if not _HUB_ID.fullmatch(hub_id) or (at and not pinned.strip()):
            raise HybridError(
                f"{one_line(source, 120)!r} is neither a folder nor a Hub id (ORGANISATION/NAME); check the path"
            )
        if at and revision is not None:
            raise HybridError(f"{one_line(source, 120)} names a revision already; leave out --revision")
        model = NamedModel(name, hub_id, pinned if at else revision)
    keep_model(model)
    return model


def keep_model(model: NamedModel) -> None:
    """Write a name down; one that is taken is given anew.

    Raises:
        HybridError: the file of names cannot be read or written.
    """
    read_models()  # tells what is wrong with the file before anything is made
    with _changing():
        _write(read_models() | {model.name: model})


def remove_model(name: str) -> NamedModel:
    """Forget a name; the model itself stays where it is.

    Raises:
        HybridError: there is no such name, or the file cannot be written.
    """
    models = read_models()
    if name not in models:
        near = difflib.get_close_matches(name, models, n=1)
        hint = f"did you mean {near[0]}?" if near else "`mteb-hybrid models list` shows all"
        raise HybridError(f"no model is named {one_line(name, 60)!r}; {hint}")
    with _changing():
        _write({other: model for other, model in read_models().items() if other != name})
    return models[name]


def check_name(name: str) -> None:
    """Raise a HybridError if a model cannot have this short name, or mteb has given it to another."""
    from mteb_hybrid.registry import mteb_name

    _check_form(name)
    if taken := mteb_name(name):
        raise HybridError(f"{name} is mteb's own name for {taken}; choose another")


def _check_form(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise HybridError(
            f"{one_line(name, 60)!r} cannot be a short name: use letters, digits, dots, dashes and underscores"
        )


def check_model_folder(folder: Path) -> None:
    """Raise a HybridError if a folder holds no model that sentence-transformers loads safely."""
    if not any((folder / file).is_file() for file in ("modules.json", "config.json")):
        raise HybridError(f"{folder} holds no model: neither modules.json nor config.json is there")
    weights = [path for path in _model_files(folder) if path.suffix in {".bin", ".pt", ".pth", ".ckpt"}]
    if weights and not any(path.suffix == ".safetensors" for path in _model_files(folder)):
        raise HybridError(f"{weights[0]} can run code when it is loaded; save the model as safetensors")


def fingerprint(folder: Path) -> str:
    """The SHA-256 of all files of a model, as 40 hexadecimal digits; notes, hidden files and checkpoints aside."""
    digest = hashlib.sha256()
    for path in _model_files(folder):
        digest.update(f"{path.relative_to(folder).as_posix()}\0".encode("utf-8", "surrogateescape"))
        try:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise HybridError(f"cannot read {path}: {error.strerror or error}; check its permissions") from None
    return digest.hexdigest()[:40]


def _model_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        aside = any(part.startswith((".", "checkpoint-")) for part in parts) or path.suffix == ".md"
        if path.is_file() and not aside:
            yield path


def _named_model(path: Path, name: str, table: object) -> NamedModel:
    values = table if isinstance(table, dict) else {}
    source, *others = (values.get(key) for key in _KEYS)
    optional = all(isinstance(other, str | None) for other in others)
    if not isinstance(source, str) or not source or not optional or set(values) - set(_KEYS):
        raise HybridError(
            f"{path}: [{one_line(name, 60)}] must have a source and may have a revision, a folder and a debias, "
            "all texts"
        )
    try:
        _check_form(name)
    except HybridError as error:
        raise HybridError(f"{path}: {error}") from None
    return NamedModel(name, source, *others)


@contextmanager
def _changing() -> Iterator[None]:
    """Keep other processes from changing the names between what is read and what is written."""
    path = models_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with alone(path, wait=True):
            yield
    except OSError as error:
        raise HybridError(
            f"cannot write {path} ({error.strerror or error}); set {MODELS_VARIABLE} to a file elsewhere"
        ) from None


def _write(models: dict[str, NamedModel]) -> None:
    import tomlkit

    path = models_file()
    document = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
    for name in set(document) - set(models):
        del document[name]
    for name, model in models.items():
        if name not in document:
            document[name] = tomlkit.table()
        table = document[name]
        for key in _KEYS:
            value = getattr(model, key)
            if value is None:
                table.pop(key, None)
            elif table.get(key) != value:
                table[key] = value
    with whole_file(path) as partial:
        partial.write_text(tomlkit.dumps(document), encoding="utf-8")
