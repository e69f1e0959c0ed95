"""Finding models to run."""

from __future__ import annotations

from pathlib import Path

import pytest

from mteb_hybrid.errors import HybridError
from mteb_hybrid.evaluation.run import find_model
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
