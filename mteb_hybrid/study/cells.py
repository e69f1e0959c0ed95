"""A cell of a study: one recipe, known by what it says and not by how or where it is written."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mteb_hybrid.training.recipe import AlphaSchedule, LossSettings, Recipe

_BY_ALPHA = {"mono": 1.0, "cross": 0.0}
_OBJECTIVES = ("distillation", "distill", "score_distill", "translate_align", "keep")
_DIGITS = 8


@dataclass(frozen=True)
class Cell:
    """One combination of a study.

    Attributes:
        recipe: all that decides how its model is trained.
        settings: what the study's grid says of it, by the keys of the grid; two cells differ in the recipe alone.
    """

    recipe: Recipe
    settings: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what the recipe decides, as 64 hexadecimal digits; see ``recipe_digest``."""
        return recipe_digest(self.recipe)

    @cached_property
    def name(self) -> str:
        """The short name of its model, such as ``hybrid-alpha0.5-LaBSE-seed1-3f2a9c1b``.

        It depends on the recipe alone, so that a study that has changed, or another machine, finds the same cell.
        """
        strategy, alpha = strategy_of(self.recipe)
        parts = [f"alpha{alpha:g}"] if alpha is not None and strategy.split(" ")[0] not in _BY_ALPHA else []
        parts += [short_base(self.recipe.model.base)]
        parts += [f"{source.sample}rows" for source in self.recipe.data[:1] if source.sample]
        return short_name(strategy, [*parts, f"seed{self.recipe.seed}"], self.digest)


def short_name(strategy: str, parts: Iterable[str], digest: str) -> str:
    """A model's name that says in short how it came to be, and tells it apart by the first digits of a digest."""
    return "-".join([re.sub(r"[^A-Za-z0-9.]+", "-", strategy)[:24], *parts, digest[:_DIGITS]])


def recipe_digest(recipe: Recipe) -> str:
    """The SHA-256 of what a recipe decides, as 64 hexadecimal digits.

    Two spellings of one training have one digest: with a preset or written out, ``mono`` or ``hybrid`` with alpha 1
    (PROTOCOL section 5), a default said or left out, 1 or 1.0. The output folder has no part in it.
    """
    # Without defaults, so that a setting that a later version adds changes no digest.
    values = recipe.model_dump(mode="json", exclude={"preset", "output"}, exclude_defaults=True)
    values["batches"] = values.get("batches", {}) | _plain_batches(recipe)
    text = json.dumps(_with_floats(values), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def strategy_of(recipe: Recipe) -> tuple[str, float | None]:
    """What a recipe does about language bias, as a row of results names it.

    Returns:
        The batches and the objectives besides InfoNCE, such as ``hybrid + keep``; and the share of monolingual
        batches: 1 is ``mono`` and 0 is ``cross``, however the recipe spells them. None where that share is not fixed.
    """
    batches = _plain_batches(recipe)
    alpha, strategy = batches["alpha"], batches["strategy"]
    if isinstance(alpha, dict):
        strategy, alpha = f"{strategy} {alpha['start']:g} to {alpha['end']:g}", None
    elif strategy == "hybrid":
        strategy = {share: name for name, share in _BY_ALPHA.items()}.get(alpha, strategy)
    return " + ".join([strategy, *_objectives(recipe.loss)]), alpha


def short_base(base: str) -> str:
    """The last part of a Hub id or of a folder's path, in characters that a short name may have."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", base.rstrip("/\\").replace("\\", "/").rpartition("/")[2])[:32] or "model"


def _plain_batches(recipe: Recipe) -> dict[str, Any]:
    """Strategy and alpha in one spelling of the several."""
    settings = recipe.batches
    if settings.strategy in _BY_ALPHA:
        return {"strategy": "hybrid", "alpha": _BY_ALPHA[settings.strategy]}
    if isinstance(settings.alpha, AlphaSchedule):
        return {"strategy": settings.strategy, "alpha": settings.alpha.model_dump()}
    default = {"hybrid": 0.5, "bilingual": 0.0}.get(settings.strategy)
    return {"strategy": settings.strategy, "alpha": default if settings.alpha is None else settings.alpha}


def _objectives(loss: LossSettings) -> list[str]:
    """Those that have a weight."""
    found = []
    for name in _OBJECTIVES:
        value = getattr(loss, name)
        if value is not None and getattr(value, "weight", value) > 0:
            found.append(name.replace("_", "-"))
    return found


def _with_floats(value: Any) -> Any:
    """Every number as a float: YAML tells 1 and 1.0 apart, a recipe does not."""
    if isinstance(value, dict):
        return {key: _with_floats(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_with_floats(part) for part in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
