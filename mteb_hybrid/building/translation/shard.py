"""Translates one shard of texts into one language: the part of the work that machines share, and a kill can cost."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pyarrow
from pyarrow import parquet

from mteb_hybrid.building.shards import read_shard, write_shard
from mteb_hybrid.building.translation.gates import failed_gates
from mteb_hybrid.building.translation.plan import Plan, Route
from mteb_hybrid.building.translation.round_trip import MEANING, similarities
from mteb_hybrid.building.translation.settings import TranslationSettings
from mteb_hybrid.building.translation.translator import Translated, load_translator

SCHEMA = pyarrow.schema(
    [
        ("number", pyarrow.int64()),
        ("text", pyarrow.large_string()),
        ("translation", pyarrow.large_string()),
        ("reason", pyarrow.large_string()),
        ("similarity", pyarrow.float32()),
    ]
)
"""A translated shard: the text's number, the text, what the model made of it, why that is of no use or null, and the
cosine of the round trip where one was asked for and the other gates were passed."""

_MADE_OF = b"mteb-hybrid translation"


def translate_shard(path: Path, language: str, plan: Plan, device: str | None = None) -> pyarrow.Table:
    """Translate the texts of a shard that some row needs in a language.

    Args:
        path: a shard of ``distinct_texts``.
        language: the tag, of the plan.
        plan: models and settings.
        device: as in torch; the first GPU, or else the CPU, by default.

    Returns:
        A table of ``SCHEMA``, in the order of the shard.

    Raises:
        HybridError: a model cannot be had, or does not fit on the device.
    """
    place = device or devices_of(plan.settings)[0]
    shard = read_shard(path)
    shard = shard.filter(shard[f"into_{language}"])
    texts = shard["text"].to_pylist()
    outcome = _translate(texts, plan, plan.routes[language], place)
    reasons = [result.fault for result in outcome]
    _judge(texts, outcome, reasons, language, plan)
    cosines = _round_trip(texts, outcome, reasons, language, plan, place)
    columns = {
        "number": shard["number"].to_pylist(),
        "text": texts,
        "translation": [result.text or None for result in outcome],
        "reason": reasons,
        "similarity": cosines,
    }
    return pyarrow.table(columns, schema=SCHEMA)


def _translate(texts: list[str], plan: Plan, route: Route, device: str) -> list[Translated]:
    model = load_translator(route.model, route.converted, plan.settings.model_dump_json(), device)
    return model.translate(texts, route)


def _judge(texts: list[str], outcome: list[Translated], reasons: list[str | None], language: str, plan: Plan) -> None:
    """Put in the reasons of the gates that need no model."""
    whole = [number for number, reason in enumerate(reasons) if reason is None]
    given, translations = [texts[number] for number in whole], [outcome[number].text for number in whole]
    for number, reason in zip(whole, failed_gates(given, translations, language, plan.settings.gates), strict=True):
        reasons[number] = reason


def _round_trip(
    texts: list[str], outcome: list[Translated], reasons: list[str | None], language: str, plan: Plan, device: str
) -> list[float | None]:
    """Put in the reasons of the round trip, and give the cosines of those that came so far."""
    cosines: list[float | None] = [None] * len(texts)
    settings = plan.settings.gates.round_trip
    whole = [number for number, reason in enumerate(reasons) if reason is None]
    if settings is None or plan.encoder is None or not whole:
        return cosines
    others = [outcome[number].text for number in whole]
    if settings.back:
        # what cannot be translated back is empty, and like nothing
        others = [result.text for result in _translate(others, plan, plan.back[language], device)]
    found = similarities([texts[number] for number in whole], others, plan.encoder, device)
    for number, cosine in zip(whole, found.tolist(), strict=True):
        cosines[number] = cosine
        if cosine < settings.similarity:
            reasons[number] = MEANING
    return cosines


@dataclass(frozen=True)
class Job:
    """A shard to be translated into one language; can be pickled, and called in whatever process.

    Attributes:
        texts: the shard.
        language: the tag.
        output: the file to be.
        plan: models and settings.
        device: as for ``translate_shard``.
    """

    texts: Path
    language: str
    output: Path
    plan: Plan
    device: str | None = None

    def __call__(self) -> Path:
        """Translate the shard, unless the file is there and made of the same; gives the file."""
        made_of = self.made_of()
        if not self.done(made_of):
            table = translate_shard(self.texts, self.language, self.plan, self.device)
            write_shard(table.replace_schema_metadata({_MADE_OF: made_of}), self.output)
        return self.output

    def made_of(self) -> bytes:
        """A checksum of the texts, the models and the settings."""
        with self.texts.open("rb") as file:
            texts = hashlib.file_digest(file, "sha256").hexdigest()
        return f"{self.plan.key(self.language)} {texts}".encode()

    def done(self, made_of: bytes | None = None) -> bool:
        """Whether the file is there, and made of what it would be made of now."""
        if not self.output.is_file():
            return False
        try:
            metadata = parquet.read_schema(self.output).metadata or {}
        except pyarrow.ArrowException:
            return False
        return bool(metadata.get(_MADE_OF) == (made_of or self.made_of()))


def translation_jobs(texts: list[Path], plan: Plan, folder: Path) -> list[Job]:
    """What there is to translate: every shard into every language, a language at a time, for each may have its model.

    Args:
        texts: the shards of ``distinct_texts``.
        plan: models and settings.
        folder: where the files come to lie, one folder a language; made if need be.

    Returns:
        The jobs, done ones among them: calling one again costs little.
    """
    jobs = []
    for language in plan.settings.languages:
        (folder / language).mkdir(parents=True, exist_ok=True)
        jobs += [Job(path, language, folder / language / path.name, plan) for path in texts]
    return jobs


def devices_of(settings: TranslationSettings) -> list[str]:
    """The devices to translate on: those named, or all GPUs, or the CPU."""
    import torch

    gpus = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    return settings.devices or gpus or ["cpu"]
