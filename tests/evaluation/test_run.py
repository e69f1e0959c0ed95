"""Finding models to run, and the tables to print."""

from __future__ import annotations

from pathlib import Path

import mteb
import pytest

from mteb_hybrid.errors import HybridError
from mteb_hybrid.evaluation.run import _benchmark, find_model
from mteb_hybrid.models import add_model
from mteb_hybrid.registry import register
from mteb_hybrid.tiny import tiny_encoder


@pytest.mark.filterwarnings("ignore:The model 'ours' has been renamed:DeprecationWarning")
def test_a_short_name_goes_before_a_folder_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``train --name ours --output ours`` leaves both."""
    monkeypatch.setenv("MTEB_HYBRID_MODELS", str(tmp_path / "models.toml"))
    monkeypatch.chdir(tmp_path)
    tiny_encoder(device="cpu").save_pretrained("ours", create_model_card=False)
    register()
    with pytest.raises(HybridError, match=r"^ours is a folder: name it first"):
        find_model("ours")
    named = add_model("ours", "ours")
    register()
    assert find_model("ours").revision == named.revision
    assert find_model("ours").name == "local/ours"


@pytest.mark.parametrize(
    ("task", "benchmark"),
    [
        ("XQuADR", "XQuADR"),
        ("XQuADRCrossLingual", "XQuADR"),
        ("MLQARLanguageBias", "MLQAR"),
        ("MIRACLRetrieval", "MIRACL"),
        ("MIRACLRetrievalHardNegatives", "MIRACL"),
        ("XQuADRXtremeR", ""),
        ("NFCorpus", ""),
    ],
)
def test_the_benchmark_that_has_tables_of_a_task(task: str, benchmark: str) -> None:
    register()
    assert _benchmark(mteb.get_task(task)) == benchmark
