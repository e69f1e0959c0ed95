"""Which files of a model's folder are published: what sentence-transformers loads without running code, and no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.models import check_model_folder
from mteb_hybrid.publishing.public import public_name, public_recipe, public_record
from mteb_hybrid.training.outcome import RECIPE, RECORD, TrainingRecord, read_record, record_text
from mteb_hybrid.training.recipe import Recipe

WEIGHTS = ".safetensors"

# Configurations and tokenizers are text; sentencepiece's .model and .spm are data of its own. Pickles (.bin, .pt,
# .pkl), programs, logs of trackers, and whatever else lies in the folder stay where they are.
_PUBLISHED = {WEIGHTS, ".json", ".txt", ".model", ".spm", ".jinja"}
_ASIDE = {RECORD, RECIPE, "trainer_state.json", "README.md"}
_ASIDE_FOLDERS = ("checkpoint-", ".", "runs", "results", "figures", "__pycache__")


def model_files(folder: Path) -> dict[str, Path | bytes]:
    """Choose what is published of a model.

    Args:
        folder: the model's, as ``SentenceTransformer.save_pretrained`` writes it.

    Returns:
        Path in the repository to the local file, or to its content where paths of this machine were cut from it.

    Raises:
        HybridError: the folder holds no model, one without safetensors, or one that needs code of its own.
    """
    check_model_folder(folder)
    _check_modules(folder)
    files: dict[str, Path | bytes] = {path.relative_to(folder).as_posix(): path for path in _paths(folder)}
    if not any(name.endswith(WEIGHTS) for name in files):
        raise HybridError(f"{folder} holds no weights as safetensors; save the model again with safe_serialization")
    for name, path in files.items():
        if isinstance(path, Path) and name.endswith(".json") and (cleaned := _without_paths(path)) is not None:
            files[name] = cleaned
    return files


def read_training(folder: Path) -> tuple[TrainingRecord | None, Recipe | None]:
    """The record and the recipe of a model that was trained here, without paths of this machine; else None.

    Raises:
        HybridError: one of them is damaged.
    """
    from mteb_hybrid.training.recipe_file import read_recipe

    record = read_record(folder)
    if record is None:
        return None, None
    recipe = public_recipe(read_recipe(folder / RECIPE)) if (folder / RECIPE).is_file() else None
    return public_record(record), recipe


def training_files(record: TrainingRecord | None, recipe: Recipe | None) -> dict[str, Path | bytes]:
    """The files of the record and the recipe."""
    from mteb_hybrid.training.recipe_file import dump_recipe

    files: dict[str, Path | bytes] = {}
    if record is not None:
        files[RECORD] = record_text(record).encode()
    if recipe is not None:
        files[RECIPE] = dump_recipe(recipe).encode()
    return files


def _paths(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        aside = relative.as_posix() in _ASIDE or any(part.startswith(_ASIDE_FOLDERS) for part in relative.parts[:-1])
        hidden = relative.name.startswith(".")
        if path.suffix.lower() in _PUBLISHED and not aside and not hidden and path.is_file():
            if _leads_out(path, folder):
                raise HybridError(f"{path} is a link out of the model's folder; put there what is to be published")
            yield path


def _leads_out(path: Path, folder: Path) -> bool:
    """Whether a file is another's of this machine; the Hub's client keeps the files of a snapshot beside it."""
    own, target = folder.resolve(), path.resolve()
    snapshot = own.parent.name == "snapshots" and target.is_relative_to(own.parent.parent / "blobs")
    return not (snapshot or target.is_relative_to(own))


def _check_modules(folder: Path) -> None:
    """Refuse a model whose modules are none of sentence-transformers' own."""
    path = folder / "modules.json"
    if not path.is_file():
        return
    try:
        modules = json.loads(path.read_bytes())
        types = [str(module["type"]) for module in modules]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        raise HybridError(f"{path} is damaged; save the model again") from None
    foreign = next((name for name in types if not name.startswith("sentence_transformers.")), None)
    if foreign is not None:
        raise HybridError(
            f"{folder} needs code of its own ({one_line(foreign, 80)} in modules.json), which is not published; use "
            "modules of sentence-transformers"
        )


def _without_paths(path: Path) -> bytes | None:
    """A configuration without folders of this machine in it; None if there are none."""
    if path.stat().st_size > 1_000_000:  # a vocabulary
        return None
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise HybridError(f"{path} is not JSON; save the model again") from None
    if not isinstance(content, dict):
        return None
    cleaned: dict[str, Any] = {
        name: public_name(value) if name in {"_name_or_path", "name_or_path"} and isinstance(value, str) else value
        for name, value in content.items()
    }
    if cleaned == content:
        return None
    # Half of a character, which JSON can hold, is written as JSON writes it.
    return (json.dumps(cleaned, indent=2, ensure_ascii=False) + "\n").encode(errors="backslashreplace")
