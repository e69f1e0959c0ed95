"""What a repository says of its own making."""

from __future__ import annotations

import pytest

from mteb_hybrid.errors import HybridError
from mteb_hybrid.publishing.manifest import Manifest, check_same_model, read_manifest

OURS = Manifest(name="ours", fingerprint="0" * 40, files=("README.md", "model.safetensors"))


def test_it_is_read_as_it_was_written() -> None:
    assert read_manifest(OURS.text(), "org/ours") == OURS
    assert read_manifest(None, "org/ours") is None
    with pytest.raises(HybridError, match=r"published.json of org/ours is damaged"):
        read_manifest("{", "org/ours")


@pytest.mark.parametrize("files", [{"README.md", "model.safetensors"}, {".gitattributes"}, set()])
def test_the_same_model(files: set[str]) -> None:
    check_same_model("ours", "org/ours", frozenset(files), OURS)


@pytest.mark.parametrize("files", [{".gitattributes"}, {".gitattributes", "README.md"}, set()])
def test_a_repository_without_a_model(files: set[str]) -> None:
    check_same_model("ours", "org/ours", frozenset(files), None)


@pytest.mark.parametrize("file", ["config.json", "pytorch_model.bin", "onnx/model.onnx", "x.gguf"])
def test_a_model_of_somebody_elses(file: str) -> None:
    with pytest.raises(HybridError, match="that mteb-hybrid did not publish"):
        check_same_model("ours", "org/ours", frozenset({file}), None)


def test_another_model_of_ours() -> None:
    with pytest.raises(HybridError, match="holds another model, ours; choose another --to for theirs"):
        check_same_model("theirs", "org/ours", frozenset({"config.json"}), OURS)
