"""A model that is loaded in no time and knows the words of the generated world."""

from __future__ import annotations

import json
from pathlib import Path

from mteb_hybrid.data.world import generate_world
from mteb_hybrid.models import fingerprint
from tests.study.small_study import LANGUAGES
from tests.training.small_runs import static_model


def small_model(folder: Path, dimensions: int = 16) -> Path:
    """Save the model, untrained.

    Args:
        folder: where to; it is returned.
        dimensions: of its embeddings.
    """
    world = generate_world(150, languages=LANGUAGES)
    tables = (*world.queries.values(), *world.passages.values())
    words = {word for table in tables for text in table.texts for word in text.split()}
    return static_model(folder, sorted(words), dimensions)


def name_model(name: str, model: Path, folder: Path) -> None:
    """Give a model a short name for commands that run in a folder."""
    source, revision = json.dumps(str(model)), json.dumps(fingerprint(model))
    (folder / "models.toml").write_text(f"[{name}]\nsource = {source}\nrevision = {revision}\n")
