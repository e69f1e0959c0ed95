"""The model that mines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mteb_hybrid.building.mining.settings import MiningSettings
from mteb_hybrid.errors import HybridError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def load_encoder(settings: MiningSettings) -> tuple[SentenceTransformer, str | None]:
    """Load the model that the settings name, as for training; nothing of its own is executed.

    Returns:
        The model; and its commit on the Hub, or the fingerprint of its folder.

    Raises:
        HybridError: there is no such model, or it cannot be loaded.
    """
    from mteb_hybrid.training.base_model import find_base, load_base_model
    from mteb_hybrid.training.recipe import ModelSettings

    named = ModelSettings(base=settings.model, revision=settings.revision)
    try:
        base = find_base(named)
        return load_base_model(named, base=base, device=settings.device), base.revision
    except HybridError as error:
        raise HybridError(str(error).removeprefix("model.base: ").replace("model.revision", "the revision")) from None
