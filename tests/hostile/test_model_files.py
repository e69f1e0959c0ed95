"""Hostile folders of models and of runs: records, checkpoints, claims, debiasings, configurations."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mteb_hybrid.debias.debiasing import Debiasing, FittedOn
from mteb_hybrid.debias.file import file_fingerprint, read_debiasing, read_fitted_on, write_debiasing
from mteb_hybrid.models import check_model_folder, fingerprint
from mteb_hybrid.publishing.manifest import check_same_model, read_manifest
from mteb_hybrid.publishing.model_files import model_files
from mteb_hybrid.publishing.public import public_record
from mteb_hybrid.study.claims import Claims, Holder
from mteb_hybrid.training.folders import IDENTITY, checkpoint_of, work_folder
from mteb_hybrid.training.outcome import RECORD, read_record, record_text
from tests.hostile.held import Cases, check_line
from tests.hostile.strategies import as_json, fuzzed, json_files, spoiled_bytes

SOURCE = {
    "name": "pairs",
    "source": "/home/ada/pairs.jsonl",
    "revision": None,
    "languages": ["en", "de"],
    "rows": 10,
    "pairs": 20,
    "fingerprint": "a" * 40,
    "mteb_tasks": ["XQuADR"],
    "license": "mit",
    "decontaminated": [],
}
TRAINING: dict[str, Any] = {
    "base": "sentence-transformers/LaBSE",
    "base_revision": "1" * 40,
    "base_mteb_tasks": [],
    "origin": "sentence-transformers/LaBSE",
    "data": [SOURCE],
    "steps": 10,
    "best_step": None,
    "batch_size": 8,
    "processes": 1,
    "batches_digest": "b" * 40,
    "encoder": {"prompts": {"query": "q: "}, "similarity": "cosine", "max_seq_length": 64, "tokenizer": "c" * 40},
    "seconds": 12.5,
    "hardware": "2 cores",
    "versions": {"torch": "2.13"},
    "curve": [{"step": 1, "loss": 0.5}],
    "merged_from": [{"source": "x/y", "revision": None, "weight": 1.0, "origin": None, "mteb_tasks": []}],
}
IDENTITY_VALUES = {"recipe": "seed: 1\n", "data": ["a" * 40], "processes": 1}


@given(data=st.data())
@fuzzed(80)
def test_record_of_a_training(cases: Cases, inside: Path, data: st.DataObject) -> None:
    (inside / RECORD).write_bytes(data.draw(json_files(TRAINING)))
    record = cases.hold("training.json", lambda: read_record(inside))
    if record is not None:
        public = cases.hold("training.json for others", lambda: public_record(record))
        assert "/home/ada" not in public.data[0].source if public.data else True
        cases.hold("training.json written again", lambda: record_text(record))


@given(data=st.data())
@fuzzed(50)
def test_state_of_a_run(cases: Cases, inside: Path, data: st.DataObject) -> None:
    from mteb_hybrid.merging import _history_of_run

    output = inside / "model"
    work = work_folder(output)
    checkpoint = work / "checkpoint-7"
    checkpoint.mkdir(parents=True, exist_ok=True)
    state = {"global_step": 7, "epoch": 0.5, "log_history": []}
    (work / IDENTITY).write_bytes(as_json(IDENTITY_VALUES))
    (checkpoint / "trainer_state.json").write_bytes(as_json(state))
    path = data.draw(st.sampled_from((work / IDENTITY, checkpoint / "trainer_state.json")))
    path.write_bytes(data.draw(json_files(IDENTITY_VALUES if path.name == IDENTITY else state)))
    cases.hold("state of a training", lambda: checkpoint_of(output, IDENTITY_VALUES))
    cases.hold("checkpoint to merge", lambda: _history_of_run(work))


HOLDER = asdict(Holder("host", 4_000_000, "machine", "2026-01-01T00:00:00+00:00"))


@given(data=st.data())
@fuzzed(50)
def test_claim(cases: Cases, inside: Path, data: st.DataObject) -> None:
    from mteb_hybrid.study.claims import _machine

    path = inside / "unit.1"
    machine = data.draw(st.sampled_from(("elsewhere", _machine())))
    path.write_bytes(data.draw(json_files({**HOLDER, "machine": machine})))
    holder = cases.hold("claim", lambda: Claims(inside).holder("unit"))
    if holder is not None:
        check_line(str(holder))
    claim = cases.hold("claim to take", lambda: Claims(inside, beat=0.01).take("unit"))
    if claim is not None:
        claim.release()


@pytest.mark.parametrize("pid", [10**400, 2**31, 2**63, -(2**63), "1e999", "Infinity", "NaN", "[" * 9_000])
def test_the_number_of_no_process(cases: Cases, inside: Path, pid: object) -> None:
    from mteb_hybrid.study.claims import _machine

    text = json.dumps({**HOLDER, "machine": _machine(), "pid": 0}).replace('"pid": 0', f'"pid": {pid}')
    (inside / "unit.1").write_text(text)
    cases.hold("claim", lambda: Claims(inside).holder("unit"))


# ---- debiasings


@pytest.fixture
def debiasing(inside: Path) -> bytes:
    path = inside / "whole.safetensors"
    fitted_on = FittedOn("hub", "x/y", "1" * 40, "pairs", "a" * 40, 10, {"de": 10, "en": 10}, ("XQuADR",))
    directions = np.eye(2, 4, dtype=np.float32)[:, None, :]
    write_debiasing(
        Debiasing(
            method="centering",
            alpha=0.5,
            apply="documents",
            languages=("de", "en"),
            directions=directions,
            fitted_on=fitted_on,
            source=None,
        ),
        path,
    )
    return path.read_bytes()


def headed(header: Any, tensors: bytes, length: int | None = None) -> bytes:
    """A safetensors file of any header, which says any length of itself."""
    text = header if isinstance(header, bytes) else as_json(header)
    return struct.pack("<Q", len(text) if length is None else length) + text + tensors


@given(data=st.data())
@fuzzed(80)
def test_debiasing(cases: Cases, inside: Path, debiasing: bytes, data: st.DataObject) -> None:
    size = struct.unpack("<Q", debiasing[:8])[0]
    header, tensors = json.loads(debiasing[8 : 8 + size]), debiasing[8 + size :]
    path = inside / "x.safetensors"
    match data.draw(st.sampled_from(("bytes", "header", "inner"))):
        case "bytes":
            path.write_bytes(data.draw(spoiled_bytes(debiasing)))
        case "header":
            path.write_bytes(headed(data.draw(json_files(header)), tensors))
        case "inner":
            inner = data.draw(json_files(json.loads(header["__metadata__"]["mteb_hybrid_debias"])))
            header["__metadata__"]["mteb_hybrid_debias"] = inner.decode("latin-1")
            path.write_bytes(headed(header, tensors))
    found = cases.hold("debiasing", lambda: read_debiasing(path))
    cases.hold("what a debiasing was fitted on", lambda: read_fitted_on(path))
    if found is not None:
        assert np.isfinite(found.directions).all() and found.directions.shape[0] == len(found.languages)


LENGTHS = (2**60, 2**63, 2**64 - 1, 100_000_001, 0, 1)
SHAPES: tuple[list[int], ...] = (
    [2**30, 2**30, 2**30],
    [2**62, 4, 1],
    [2, 1, 2**40],
    [0, 0, 0],
    [-1, 1, 4],
    [2**70, 1, 1],
)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_header_that_claims_any_length(cases: Cases, inside: Path, debiasing: bytes, length: int) -> None:
    path = inside / "x.safetensors"
    path.write_bytes(struct.pack("<Q", length) + debiasing[8:])
    assert cases.hold("debiasing", lambda: read_debiasing(path)) is None


@pytest.mark.parametrize("shape", SHAPES)
def test_a_tensor_that_claims_any_shape(cases: Cases, inside: Path, debiasing: bytes, shape: list[int]) -> None:
    size = struct.unpack("<Q", debiasing[:8])[0]
    header = json.loads(debiasing[8 : 8 + size])
    entries = int(np.prod(np.array(shape, dtype=object)))
    for offsets in ([0, 4 * entries], header["directions"]["data_offsets"]):
        changed = {**header, "directions": {"dtype": "F32", "shape": shape, "data_offsets": offsets}}
        path = inside / "x.safetensors"
        path.write_bytes(headed(changed, debiasing[8 + size :]))
        assert cases.hold("debiasing", lambda path=path: read_debiasing(path)) is None  # type: ignore[misc]


# ---- a model's folder


MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
]


def write_model(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "modules.json").write_bytes(as_json(MODULES))
    (folder / "config.json").write_bytes(as_json({"_name_or_path": "/home/ada/x", "model_type": "bert"}))
    (folder / "model.safetensors").write_bytes(b"\0")


@given(data=st.data())
@fuzzed(50)
def test_configuration_of_a_model(cases: Cases, inside: Path, data: st.DataObject) -> None:
    folder = inside / "model"
    write_model(folder)
    path = folder / data.draw(st.sampled_from(("modules.json", "config.json")))
    path.write_bytes(data.draw(json_files(json.loads(path.read_bytes()))))
    files = cases.hold("model to publish", lambda: model_files(folder))
    if files is not None:
        content = files["config.json"]
        assert not isinstance(content, bytes) or b"/home/ada" not in content or path.name == "config.json"


def _link_out(folder: Path, outside: Path) -> None:
    (folder / "vocab.txt").symlink_to(outside / "secret")


def _link_folder_out(folder: Path, outside: Path) -> None:
    (folder / "1_Pooling").symlink_to(outside)


def _pickle(folder: Path, _: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch gone'\ntR.")


def _loop(folder: Path, _: Path) -> None:
    (folder / "loop").symlink_to(folder)


def _pipe(folder: Path, _: Path) -> None:
    import os

    os.mkfifo(folder / "tokenizer.json")


@pytest.mark.parametrize("plant", [_link_out, _link_folder_out, _pickle, _loop, _pipe])
def test_what_is_no_file_of_a_model(
    cases: Cases, inside: Path, outside: Path, plant: Callable[[Path, Path], None]
) -> None:
    folder = inside / "model"
    write_model(folder)
    plant(folder, outside)
    files = cases.hold("model to publish", lambda: model_files(folder)) or {}
    contents = [content.resolve() for content in files.values() if isinstance(content, Path)]
    assert not [path for path in contents if path.is_relative_to(outside.resolve())], "a secret would be published"
    cases.outside = None  # what a link leads to is a part of the fingerprint
    cases.hold("model", lambda: check_model_folder(folder))
    cases.hold("fingerprint of a model", lambda: fingerprint(folder))
    cases.hold("fingerprint of a file", lambda: file_fingerprint(folder / "config.json"))


MANIFEST = {"format": 1, "name": "ours", "fingerprint": "a" * 40, "files": ["README.md", "model.safetensors"]}


@given(data=st.data())
@fuzzed(80)
def test_what_a_repository_says_of_itself(cases: Cases, data: st.DataObject) -> None:
    text = data.draw(json_files(MANIFEST)).decode("utf-8", "replace")
    manifest = cases.hold("manifest of a repository", lambda: read_manifest(text, "ORG/x"))
    if manifest is not None:
        cases.hold("manifest of a repository", lambda: check_same_model("ours", "ORG/x", frozenset({"a"}), manifest))
