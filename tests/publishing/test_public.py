"""What leaves this machine names none of its folders."""

from __future__ import annotations

import pytest

from mteb_hybrid.publishing.public import public_name, public_recipe, public_record
from mteb_hybrid.training.outcome import MergedPart, SourceRecord, TrainingRecord
from mteb_hybrid.training.recipe import Recipe

HOME = "/home/ada/secret"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("sentence-transformers/LaBSE", "sentence-transformers/LaBSE"),
        ("MLQA-R", "MLQA-R"),
        ("me5-small", "me5-small"),
        ("mteb-hybrid/tiny", "mteb-hybrid/tiny"),
        (f"{HOME}/corpus.jsonl", "corpus.jsonl"),
        ("data/corpus.jsonl", "corpus.jsonl"),
        ("corpus.PARQUET", "corpus.PARQUET"),
        ("~/models/base/", "base"),
        ("./models/base", "base"),
        ("../base", "base"),
        ("models/ours/base", "base"),
        (r"C:\Users\ada\corpus.jsonl", "corpus.jsonl"),
        ("/", "model"),
    ],
)
def test_the_last_part_of_a_path(source: str, name: str) -> None:
    assert public_name(source) == name


def test_a_record_and_a_recipe() -> None:
    source = SourceRecord(
        name="ours", source=f"{HOME}/x.jsonl", revision=None, languages=["de", "en"], rows=2, pairs=4,
        fingerprint="0" * 40, mteb_tasks=[],
    )  # fmt: skip
    record = TrainingRecord(
        base=f"{HOME}/base", base_revision="1" * 40, base_mteb_tasks=[], origin=f"{HOME}/older", data=[source], steps=1,
        best_step=None, batch_size=2, processes=1, batches_digest="2" * 40, seconds=1.0, hardware="1 thread",
        versions={}, curve=[],
        merged_from=[MergedPart(source=f"{HOME}/base", revision=None, weight=1.0, origin=None, mteb_tasks=[])],
    )  # fmt: skip
    recipe = Recipe.model_validate(
        {
            "model": {"base": f"{HOME}/base"},
            "data": [{"source": f"{HOME}/x.jsonl", "name": "ours"}],
            "loss": {name: {"teacher": f"{HOME}/teacher"} for name in ("distillation", "distill", "score_distill")},
            "validation": {"source": {"source": f"{HOME}/held-out.jsonl"}},
            "training": {"max_steps": 3, "deepspeed": f"{HOME}/deepspeed.json"},
            "output": f"{HOME}/ours",
        }
    )
    found, asked = public_record(record), public_recipe(recipe)
    assert "secret" not in found.model_dump_json() + asked.model_dump_json()
    assert (found.base, found.origin, found.data[0].source) == ("base", "older", "x.jsonl")
    assert (asked.model.base, asked.data[0].source, asked.output) == ("base", "x.jsonl", None)
    assert asked.training == {"max_steps": 3, "deepspeed": "deepspeed.json"}
    assert found.data[0].name == asked.data[0].name == "ours"
