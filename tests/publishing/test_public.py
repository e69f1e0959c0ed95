"""What leaves this machine names none of its folders."""

from __future__ import annotations

from pathlib import Path

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
        base=f"{HOME}/base", base_revision="1" * 40, base_mteb_tasks=[], base_data=[source], origin=f"{HOME}/older",
        data=[source], steps=1,
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
            "training": {
                "max_steps": 3,
                "deepspeed": {"zero_optimization": {"offload_param": [{"nvme_path": f"{HOME}/nvme"}]}},
            },
            "output": f"{HOME}/ours",
        }
    )
    found, asked = public_record(record), public_recipe(recipe, record)
    assert "secret" not in found.model_dump_json() + asked.model_dump_json()
    assert (found.base, found.origin, found.data[0].source) == ("base", "older", "x.jsonl")
    assert (asked.model.base, asked.data[0].source, asked.output) == ("base", "x.jsonl", None)
    offload = {"zero_optimization": {"offload_param": [{"nvme_path": "nvme"}]}}
    assert asked.training == {"max_steps": 3, "deepspeed": offload}
    assert found.data[0].name == asked.data[0].name == "ours"


def test_a_folder_of_two_parts_is_no_hub_id() -> None:
    """What the record has from the root on, the recipe names from the folder on that it was run in."""
    values = {"name": "x", "revision": None, "languages": ["de"], "rows": 1, "pairs": 1, "mteb_tasks": []}
    sources = [
        SourceRecord.model_validate(values | {"source": name, "fingerprint": "0" * 40})
        for name in (f"{HOME}/out/corpus", "ada/corpus")
    ]
    record = TrainingRecord(
        base=f"{HOME}/models/foo", base_revision="1" * 40, base_mteb_tasks=[], data=sources, steps=1, best_step=None,
        batch_size=2, processes=1, batches_digest="2" * 40, seconds=1.0, hardware="", versions={}, curve=[],
    )  # fmt: skip
    data = [{"source": "out/corpus"}, {"source": "ada/corpus"}]
    recipe = Recipe.model_validate({"model": {"base": "models/foo"}, "data": data})
    asked = public_recipe(recipe, record)
    assert asked.model.base == "foo"
    assert [source.source for source in asked.data] == ["corpus", "ada/corpus"]
    assert [source.source for source in public_record(record).data] == ["corpus", "ada/corpus"]


def test_what_is_on_disk_now_is_no_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The teacher, say, of which a record tells nothing."""
    monkeypatch.chdir(tmp_path)
    assert public_name("models/teacher") == "models/teacher"
    (tmp_path / "models" / "teacher").mkdir(parents=True)
    assert public_name("models/teacher") == "teacher"


def test_sources_have_the_licences_that_the_package_knows() -> None:
    values = {"revision": None, "languages": ["de"], "rows": 1, "pairs": 1, "mteb_tasks": [], "fingerprint": "0" * 40}
    sources = [
        SourceRecord.model_validate(values | {"name": name, "source": name, "license": license})
        for name, license in (("MLQA-R", None), ("XQuAD-R", "other"), ("ours", None))
    ]
    record = TrainingRecord(
        base="ada/base", base_revision=None, base_mteb_tasks=[], data=sources[:1], base_data=sources, steps=1,
        best_step=None, batch_size=2, processes=1, batches_digest="", seconds=1.0, hardware="", versions={}, curve=[],
    )  # fmt: skip
    found = public_record(record)
    assert [source.license for source in (*found.data, *found.base_data)] == [
        "cc-by-nc-4.0", "cc-by-nc-4.0", "other", None,
    ]  # fmt: skip
