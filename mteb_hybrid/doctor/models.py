"""Short names and the models that they stand for; model folders file by file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from mteb_hybrid.doctor.finding import Finding, Findings, ok, wrong
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.models import NamedModel, check_model_folder, fingerprint, models_file, read_models
from mteb_hybrid.training.outcome import read_record

SIGNS = ("modules.json", "config.json", "config_sentence_transformers.json", "training.json", "model.safetensors")
"""Files that make a folder a model's, be it whole or not."""


def names() -> Findings:
    """The file of names, and each name in it."""
    models = read_models()
    yield ok(f"{len(models)} short names in {models_file()}")
    yield from (_named(model) for model in models.values())


def _named(model: NamedModel) -> Finding:
    if model.debias is not None:
        return _debiased(model)
    if not model.is_local:
        return ok(f"{model.name}: {model.source} at {model.revision or 'its newest revision'}")
    folder = Path(model.source)
    again = f"name it anew with `mteb-hybrid models add {model.name} PATH`, or `models remove {model.name}`"
    if not folder.is_dir():
        return wrong(f"{model.name}: {folder} is gone; {again}")
    fault = next(faults(folder), None)
    if fault is not None:
        return wrong(f"{model.name}: {fault}; {again}")
    try:
        changed = fingerprint(folder) != model.revision
    except HybridError as error:
        return wrong(f"{model.name}: {error}; {again}")
    if changed:
        return wrong(f"{model.name}: {folder} has changed since it was named; {again}")
    return ok(f"{model.name}: {folder}")


def _debiased(model: NamedModel) -> Finding:
    from mteb_hybrid.debias.file import file_fingerprint, read_debiasing
    from mteb_hybrid.debias.plain import check_fits, plain_of

    path = Path(model.debias or "")
    again = (
        f"name it anew with `mteb-hybrid models add {model.name} MODEL --debias FILE`, or `models remove {model.name}`"
    )
    try:
        fitted_on = read_debiasing(path).fitted_on
        check_fits(fitted_on, plain_of(model.source, fitted_on), path)
        changed = file_fingerprint(path) != model.revision
    except HybridError as error:
        return wrong(f"{model.name}: {error}; {again}")
    if changed:
        return wrong(f"{model.name}: {path} has changed since it was named; {again}")
    return ok(f"{model.name}: {model.source} debiased by {path}")


def examine_model(folder: Path) -> Findings:
    """A folder that is a model's."""
    found = [wrong(f"{fault}; save or train the model again") for fault in faults(folder)]
    yield from found
    if not found:
        yield ok(f"{folder} is a whole model")


def faults(folder: Path) -> Iterator[str]:
    """What is wrong with the files of a model, a fault each: code that would run, what is missing, cut or no JSON."""
    try:
        check_model_folder(folder)
        read_record(folder)
    except HybridError as error:
        yield str(error)
        return
    inside = [path for path in sorted(folder.rglob("*")) if not _is_aside(path.relative_to(folder))]
    for path in inside:
        if path.suffix == ".json":
            yield from _json_faults(path)
        elif path.suffix == ".safetensors":
            yield from _tensor_faults(path)
    yield from _missing(folder)
    if not any(path.suffix in {".safetensors", ".bin"} for path in inside):
        yield f"{folder} holds no weights (model.safetensors)"


def _is_aside(path: Path) -> bool:
    return any(part.startswith((".", "checkpoint-", "runs")) for part in path.parts)


def _json_faults(path: Path) -> Iterator[str]:
    try:
        json.loads(path.read_bytes())
    except OSError as error:
        yield f"cannot read {path} ({error.strerror or error})"
    except (ValueError, RecursionError):
        yield f"{path} is cut short, or not JSON"


def _tensor_faults(path: Path) -> Iterator[str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):
            pass
    except SafetensorError as error:
        yield f"{path} is cut short, or not safetensors ({one_line(error, 80)})"
    except OSError as error:
        yield f"cannot read {path} ({error.strerror or error})"


def _missing(folder: Path) -> Iterator[str]:
    """Modules and parts of the weights that are named and not there."""
    for name, parts in (("modules.json", _module_folders), ("model.safetensors.index.json", _shards)):
        path = folder / name
        try:
            wanted = set(parts(json.loads(path.read_bytes()))) if path.is_file() else set()
        except (OSError, ValueError, RecursionError):  # told above
            continue
        except (AttributeError, KeyError, TypeError):
            yield f"{path} is not of its form"
            continue
        for part in sorted(wanted):
            if not (folder / part).exists():
                yield f"{folder / part} is missing, and {name} names it"


def _module_folders(modules: object) -> Iterator[str]:
    assert isinstance(modules, list)
    yield from (str(module["path"]) for module in modules if module["path"] and "Normalize" not in module["type"])


def _shards(index: object) -> Iterator[str]:
    assert isinstance(index, dict)
    yield from map(str, index["weight_map"].values())
