"""The published figures that tables can set a model's own beside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from mteb_hybrid.subsets import Setting


@dataclass(frozen=True)
class PublishedFigure:
    """A published figure: MAP for a retrieval setting, rank distance for language bias.

    Attributes:
        mean: the figure of the whole setting, as printed; in the last digits it is not always the mean of
            the printed figures of the languages.
        by_language: the figure of each query language; empty where none was published.
    """

    mean: float
    by_language: Mapping[str, float]


@dataclass(frozen=True)
class PublishedModel:
    """What one base model, trained with one batch strategy, scored in a publication.

    Attributes:
        base_model: such as ``LaBSE``.
        strategy: how its training batches were made, such as ``X-Y`` or ``hybrid``.
        source: the publication.
        figures: the figures of each benchmark and setting.
    """

    base_model: str
    strategy: str
    source: str
    figures: Mapping[str, Mapping[Setting, PublishedFigure]]

    @property
    def label(self) -> str:
        """How tables call this row."""
        return f"{self.base_model}, {self.strategy} (published)"


@cache
def published_models() -> tuple[PublishedModel, ...]:
    """Return all published rows, in the order in which tables show them."""
    text = files("mteb_hybrid.reporting").joinpath("published_figures.json").read_text(encoding="utf-8")
    content = json.loads(text)
    return tuple(
        PublishedModel(
            row["base_model"],
            row["strategy"],
            content["sources"][row["source"]],
            {benchmark: _figures(settings) for benchmark, settings in row["figures"].items()},
        )
        for row in content["models"]
    )


def published_languages(benchmark: str) -> frozenset[str]:
    """Return the languages that a benchmark has in the publications; none for one that is not in them."""
    return frozenset(
        language
        for model in published_models()
        for figure in model.figures.get(benchmark, {}).values()
        for language in figure.by_language
    )


def _figures(settings: Mapping[str, Mapping[str, float]]) -> dict[Setting, PublishedFigure]:
    return {
        Setting(name): PublishedFigure(figure["mean"], {tag: value for tag, value in figure.items() if tag != "mean"})
        for name, figure in settings.items()
    }
