"""What is settled before anything is translated: the models, and how each is told its languages."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mteb_hybrid.building.translation.gates import check_identifier
from mteb_hybrid.building.translation.models import convert_model, find_model, load_config, load_tokenizer
from mteb_hybrid.building.translation.naming import Direction, check_prefix, find_direction
from mteb_hybrid.building.translation.settings import TranslationSettings
from mteb_hybrid.building.translation.tags import same_language
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.training.base_model import Base

_ByLanguage = str | dict[str, str]
_ASIDE = {"languages", "sources", "model", "revision", "devices", "shard_texts", "batch_tokens"}


@dataclass(frozen=True)
class Route:
    """A model and how it is told to translate one language into another.

    Attributes:
        model: where it is, at its commit or fingerprint.
        direction: how it is told.
        converted: the folder of the model for CTranslate2; None for transformers.
    """

    model: Base
    direction: Direction
    converted: str | None = None


@dataclass(frozen=True)
class Plan:
    """All that translating needs to know; the same in all processes, and can be pickled.

    Attributes:
        settings: as in the build file.
        routes: by target language, how it is reached.
        back: by target language, how it is translated back; empty unless the round trip is asked for.
        encoder: of the round trip.
    """

    settings: TranslationSettings
    routes: dict[str, Route]
    back: dict[str, Route]
    encoder: Base | None = None

    def key(self, language: str) -> str:
        """A checksum of all that decides what the translations into a language are; how it is done is not in it."""
        settings = self.settings.model_dump(exclude=_ASIDE)
        routes = [_told(plans.get(language)) for plans in (self.routes, self.back)]
        parts = [settings, routes, asdict(self.encoder) if self.encoder else None, language]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:40]


def _told(route: Route | None) -> dict[str, Any] | None:
    if route is None:
        return None
    model = {"revision": route.model.revision, "source": route.model.source if route.model.kind == "hub" else None}
    return model | asdict(route.direction)


def with_commits(settings: TranslationSettings) -> TranslationSettings:
    """The settings with the commits of all models that are on the Hub, so that translating again takes the same.

    Raises:
        HybridError: a model cannot be had.
    """
    found: dict[str, Any] = {"revision": _commits("model", settings.model, settings.revision, settings.languages)}
    trip = settings.gates.round_trip
    if trip is not None:
        commits: dict[str, Any] = {"revision": _commit("gates.round_trip.encoder", trip.encoder, trip.revision)}
        if trip.model is not None:
            languages = settings.languages if trip.back else []
            commits["model_revision"] = _commits("gates.round_trip.model", trip.model, trip.model_revision, languages)
        found["gates"] = settings.gates.model_copy(update={"round_trip": trip.model_copy(update=commits)})
    return settings.model_copy(update=found)


def _commits(
    setting: str, model: _ByLanguage, revision: _ByLanguage | None, languages: Sequence[str]
) -> _ByLanguage | None:
    """The commit of a model, or those of several by language; None where none is on the Hub."""
    if isinstance(model, str) and not isinstance(revision, dict):
        return _commit(setting, model, revision)
    named = {to: name for to in languages if (name := _of(model, to)) is not None}
    commits = {to: _commit(setting, name, _of(revision, to)) for to, name in named.items()}
    return {to: commit for to, commit in commits.items() if commit is not None} or None


def _commit(setting: str, name: str, revision: str | None) -> str | None:
    if os.path.isdir(os.path.expanduser(name)):  # all of it would be read for its fingerprint, which is no commit
        return revision
    base = find_model(name, revision, f"translation.{setting}")
    return base.revision if base.kind == "hub" else None


def plan_translation(settings: TranslationSettings, folder: Path) -> Plan:
    """Find the models, and see that they have all languages.

    Args:
        settings: as in the build file.
        folder: where models for CTranslate2 are converted to, once each.

    Raises:
        HybridError: a tag is none or occurs twice, a model cannot be had or lacks a language, or a package is missing.
    """
    _check_languages(settings)
    if settings.gates.language:
        check_identifier()
    planner = _Planner(settings, folder)
    start, trip = settings.language, settings.gates.round_trip
    routes = {
        to: planner.route("model", settings.model, settings.revision, (start, to), to) for to in settings.languages
    }
    if trip is None:
        return Plan(settings, routes, {})
    model, revision = (trip.model, trip.model_revision) if trip.model else (settings.model, settings.revision)
    name = "gates.round_trip.model"
    returning = settings.languages if trip.back else []
    back = {to: planner.route(name, model, revision, (to, start), to) for to in returning}
    return Plan(settings, routes, back, find_model(trip.encoder, trip.revision, "translation.gates.round_trip.encoder"))


def _check_languages(settings: TranslationSettings) -> None:
    tags = [settings.language, *settings.languages]
    for number, tag in enumerate(tags):
        for other in tags[:number]:
            if same_language(tag, other):
                raise HybridError(f"translation.languages: {tag} and {other} are one language; name it once")


class _Planner:
    """Looks at each model once, however many languages it serves."""

    def __init__(self, settings: TranslationSettings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.found: dict[tuple[str, str | None], tuple[Base, Any, Any, str | None]] = {}

    def route(
        self, setting: str, model: _ByLanguage, revision: _ByLanguage | None, pair: tuple[str, str], target: str
    ) -> Route:
        name, at = _of(model, target), _of(revision, target)
        if name is None:
            raise HybridError(f"translation.{setting} names none for {target}; add it")
        if (name, at) not in self.found:
            self.found[name, at] = self._look(f"translation.{setting}", name, at)
        base, tokenizer, config, converted = self.found[name, at]
        direction = find_direction(tokenizer, config, pair, one_line(name, 120), named=isinstance(model, dict))
        check_prefix(tokenizer, direction, one_line(name, 120))
        return Route(base, direction, converted)

    def _look(self, setting: str, name: str, revision: str | None) -> tuple[Base, Any, Any, str | None]:
        base = find_model(name, revision, setting)
        if base.kind == "tiny":
            raise HybridError(f"{setting}: {name} is an encoder; take a translation model")
        config, tokenizer = load_config(base), load_tokenizer(base)
        if self.settings.engine == "transformers":
            return base, tokenizer, config, None
        return base, tokenizer, config, str(convert_model(base, self.settings.dtype, self.folder).resolve())


def _of(value: _ByLanguage | None, language: str) -> str | None:
    return value.get(language) if isinstance(value, dict) else value
