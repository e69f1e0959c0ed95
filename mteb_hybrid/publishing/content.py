"""What a model card is made from, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mteb_hybrid.reporting.results import ModelResults
from mteb_hybrid.training.outcome import TrainingRecord
from mteb_hybrid.training.recipe import Recipe


@dataclass(frozen=True)
class Encoder:
    """How a model turns texts into vectors.

    Attributes:
        prompts: what is put before a text, by prompt name (``query``, ``document``).
        similarity: the function that scores two vectors, as sentence-transformers names it (``cosine``).
        max_seq_length: tokens after which texts are cut.
        dimensions: the length of a vector.
        parameters: how many weights there are.
    """

    prompts: Mapping[str, str]
    similarity: str
    max_seq_length: int | None
    dimensions: int
    parameters: int


@dataclass(frozen=True)
class Figure:
    """A picture in the repository.

    Attributes:
        path: where it is, relative to the repository's root.
        title: what it shows.
    """

    path: str
    title: str


@dataclass(frozen=True)
class CardContent:
    """All that a model card says.

    Nothing in it names a folder of the machine that it was made on.

    Attributes:
        name: the short name.
        repo_id: the Hub id, ``ORGANISATION/NAME``.
        license: the licence of the model, as the Hub names it (``cc-by-nc-4.0``).
        base_model: the Hub id of what was trained; None if it is on no Hub.
        base_name: what to call it in prose.
        languages: BCP 47 tags of the languages trained on.
        encoder: how it encodes.
        record: how it came to be, with the licences of its sources that are known; None for a model that was not
            trained here.
        recipe: what was asked for in training; None likewise.
        recipe_text: the recipe as YAML.
        results: the model's results; None where it was not evaluated.
        tables: the comparison with other models, as Markdown, with footnotes.
        figures: the pictures.
        zero_shot: benchmarks none of whose texts were trained on, by title.
        seen: benchmarks some of whose texts were trained on, by title.
    """

    name: str
    repo_id: str
    license: str
    base_model: str | None
    base_name: str
    languages: tuple[str, ...]
    encoder: Encoder
    record: TrainingRecord | None
    recipe: Recipe | None
    recipe_text: str
    results: ModelResults | None
    tables: str
    figures: tuple[Figure, ...]
    zero_shot: tuple[str, ...]
    seen: tuple[str, ...]
