"""What is registered, from where, with which versions, and what is wrong."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mteb_hybrid import _autoload
from mteb_hybrid.data.lareqa import DATA_VARIABLE, MLQA_R, XQUAD_R, load_lareqa
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.models import NamedModel, check_model_folder, fingerprint, models_file, read_models

PACKAGES = ("mteb-hybrid", "mteb", "sentence-transformers", "transformers", "torch", "datasets", "huggingface-hub")


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report.

    Attributes:
        well: whether it is as it should be.
        text: what was found and, where it is not well, what to do.
    """

    well: bool
    text: str


def examine() -> list[Finding]:
    """Look at versions, registration, models and data; nothing is changed or downloaded."""
    parts: tuple[Callable[[], Iterator[Finding]], ...] = (_versions, _registration, _models, _data)
    return list(dict.fromkeys(finding for part in parts for finding in _caught(part)))  # each fault once


def _caught(part: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from part()
    except HybridError as error:
        yield Finding(False, one_line(error, 500))
    except Exception as error:  # a doctor that falls ill helps nobody
        yield Finding(False, one_line(f"{part.__name__.strip('_')}: {type(error).__name__}: {error}", 500))


def _versions() -> Iterator[Finding]:
    yield Finding(True, f"Python {platform.python_version()}")
    for package in PACKAGES:
        try:
            yield Finding(True, f"{package} {version(package)}")
        except PackageNotFoundError:
            yield Finding(False, f"{package} is not installed: pip install {package}")


def _registration() -> Iterator[Finding]:
    from mteb_hybrid import registry, tasks

    how = (
        f"switched off by {_autoload.SWITCH}; `import mteb_hybrid` registers by hand"
        if _autoload.switched_off()
        else "on"
    )
    yield Finding(True, f"registration at start-up: {how}")
    if _autoload.last_failure:
        yield Finding(False, f"registration failed: {_autoload.last_failure}")
    try:
        registry.register()
    except HybridError as error:
        yield Finding(False, one_line(error, 500))
    tested = ".".join(map(str, registry.MTEB_TESTED))
    found = ".".join(version("mteb").split(".")[:2])
    untested = "" if found == tested else f"; mteb {found} was not tested, {tested} was"
    known = registry.registered_tasks()
    yield Finding(known == tasks.__all__, f"{len(known)} of {len(tasks.__all__)} tasks registered{untested}")


def _models() -> Iterator[Finding]:
    models = read_models()
    yield Finding(True, f"{len(models)} short names in {models_file()}")
    yield from (_model(model) for model in models.values())


def _model(model: NamedModel) -> Finding:
    if model.debias is not None:
        return _debiased(model)
    if not model.is_local:
        return Finding(True, f"{model.name}: {model.source} at {model.revision or 'its newest revision'}")
    folder = Path(model.source)
    again = f"name it anew with `mteb-hybrid models add {model.name} PATH`, or `models remove {model.name}`"
    if not folder.is_dir():
        return Finding(False, f"{model.name}: {folder} is gone; {again}")
    try:
        check_model_folder(folder)
        changed = fingerprint(folder) != model.revision
    except HybridError as error:
        return Finding(False, f"{model.name}: {error}; {again}")
    if changed:
        return Finding(False, f"{model.name}: {folder} has changed since it was named; {again}")
    return Finding(True, f"{model.name}: {folder}")


def _debiased(model: NamedModel) -> Finding:
    from mteb_hybrid.debias.file import file_fingerprint, read_debiasing
    from mteb_hybrid.debias.plain import check_fits, plain_of

    path = Path(model.debias or "")
    again = f"name it anew with `mteb-hybrid models add {model.name} MODEL --debias FILE`"
    try:
        fitted_on = read_debiasing(path).fitted_on
        check_fits(fitted_on, plain_of(model.source, fitted_on), path)
        changed = file_fingerprint(path) != model.revision
    except HybridError as error:
        return Finding(False, f"{model.name}: {error}; {again}")
    if changed:
        return Finding(False, f"{model.name}: {path} has changed since it was named; {again}")
    return Finding(True, f"{model.name}: {model.source} debiased by {path}")


def _data() -> Iterator[Finding]:
    folder = os.environ.get(DATA_VARIABLE)
    if not folder:
        yield Finding(True, "XQuAD-R and MLQA-R are downloaded when first needed")
        return
    for release, name in ((XQUAD_R, "XQuAD-R"), (MLQA_R, "MLQA-R")):
        load_lareqa(release, name)
        yield Finding(True, f"{name} is whole in {folder}")
