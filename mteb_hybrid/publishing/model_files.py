"""Which files of a model's folder are published: what sentence-transformers loads without running code, and no more."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.models import check_model_folder
from mteb_hybrid.publishing.public import is_absolute, public_name, public_recipe, public_record
from mteb_hybrid.training.outcome import RECIPE, RECORD, TrainingRecord, read_record, record_text
from mteb_hybrid.training.recipe import Recipe

WEIGHTS = ".safetensors"

# Sentencepiece's .model and .spm are data of its own. Pickles (.bin, .pt, .pkl), programs, and whatever else lies in
# the folder stay where they are. Notes and results are .txt and .json as well: of these, known names are taken.
_PUBLISHED = {WEIGHTS, ".model", ".spm", ".jinja"}
_NAMES = """
    modules.json config.json config_sentence_transformers.json router_config.json lstm_config.json cnn_config.json
    wordembedding_config.json whitespacetokenizer_config.json phrasetokenizer_config.json idf.json adapter_config.json
    generation_config.json preprocessor_config.json processor_config.json video_preprocessor_config.json
    tokenizer.json tokenizer_config.json special_tokens_map.json added_tokens.json chat_template.json normalizer.json
    vocab.json entity_vocab.json source_vocab.json target_vocab.json vocab-src.json vocab-tgt.json emoji.json
    word_shape.json word_pronunciation.json byte_maps.json vocab.txt merges.txt dict.txt
"""
_FORMS = re.compile(r"sentence_[\w-]+_config\.json|[\w.-]+\.safetensors\.index\.json")
_PATHS = re.compile(r"(^|_)(path|file|dir|folder|directory)", re.IGNORECASE)


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
    paths = _paths(folder, _modules(folder))
    files: dict[str, Path | bytes] = {path.relative_to(folder).as_posix(): path for path in paths}
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
    recipe = public_recipe(read_recipe(folder / RECIPE), record) if (folder / RECIPE).is_file() else None
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


def _paths(folder: Path, modules: Sequence[str]) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        loaded = len(relative.parts) == 1 or any(relative.is_relative_to(module) for module in modules if module)
        known = path.suffix.lower() in _PUBLISHED or path.name in _NAMES.split() or _FORMS.fullmatch(path.name)
        if loaded and known and not relative.name.startswith(".") and path.is_file():
            if _leads_out(path, folder):
                raise HybridError(f"{path} is a link out of the model's folder; put there what is to be published")
            yield path


def _leads_out(path: Path, folder: Path) -> bool:
    """Whether a file is another's of this machine; the Hub's client keeps the files of a snapshot beside it."""
    own, target = folder.resolve(), path.resolve()
    snapshot = own.parent.name == "snapshots" and target.is_relative_to(own.parent.parent / "blobs")
    return not (snapshot or target.is_relative_to(own))


def _modules(folder: Path) -> list[str]:
    """The folders of a model's modules; a model with modules that are none of sentence-transformers' own is refused."""
    path = folder / "modules.json"
    if not path.is_file():
        return []
    try:
        modules = json.loads(path.read_bytes())
        types = [str(module["type"]) for module in modules]
        folders = [str(module.get("path", "")) for module in modules]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        raise HybridError(f"{path} is damaged; save the model again") from None
    foreign = next((name for name in types if not name.startswith("sentence_transformers.")), None)
    if foreign is not None:
        raise HybridError(
            f"{folder} needs code of its own ({one_line(foreign, 80)} in modules.json), which is not published; use "
            "modules of sentence-transformers"
        )
    return folders


def _without_paths(path: Path) -> bytes | None:
    """A configuration without folders of this machine in it; None if there are none."""
    if path.stat().st_size > 1_000_000:  # a vocabulary
        return None
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise HybridError(f"{path} is not JSON; save the model again") from None
    cleaned = _cleaned(content)
    if cleaned == content:
        return None
    # Half of a character, which JSON can hold, is written as JSON writes it.
    return (json.dumps(cleaned, indent=2, ensure_ascii=False) + "\n").encode(errors="backslashreplace")


def _cleaned(value: Any, name: str = "") -> Any:
    """What a key holds, without folders of this machine where the key is one of paths."""
    if isinstance(value, dict):
        return {key: _cleaned(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_cleaned(inner, name) for inner in value]
    if not isinstance(value, str):
        return value
    cut = name.endswith("name_or_path") or (_PATHS.search(name) and is_absolute(value))
    return public_name(value) if cut else value
