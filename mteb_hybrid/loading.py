"""Loads the models that short names stand for; what mteb calls a loader."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mteb_hybrid.errors import HybridError
from mteb_hybrid.models import check_model_folder, fingerprint

if TYPE_CHECKING:
    from mteb.models import MTEBModels


def load_folder(
    name: str, revision: str | None = None, *, source: str, device: str | None = None, **kwargs: Any
) -> MTEBModels:
    """Load a sentence-transformers model from a folder, if it is still the one that was named.

    Args:
        name: ``local/NAME``, for errors.
        revision: the fingerprint the folder had when it was named.
        source: the folder.
        device: as in sentence-transformers.
        **kwargs: passed to the model's class; nothing of the folder is executed unless asked for there.

    Raises:
        HybridError: the folder is gone, is no model, or has changed.
    """
    folder = Path(source)
    short = name.rpartition("/")[2]
    again = f"`mteb-hybrid models add {short} PATH`"
    if not folder.is_dir():
        raise HybridError(f"{folder}, the folder of model {short}, is gone; name it anew with {again}")
    check_model_folder(folder)
    if revision != fingerprint(folder):
        raise HybridError(f"{folder}, the folder of model {short}, has changed; name it anew with {again}")
    model: MTEBModels = _wrapper(folder)(source, device=device, **kwargs)
    return model


def load_from_hub(name: str, revision: str | None = None, **kwargs: Any) -> MTEBModels:
    """Load a model from the Hub at a pinned revision, by whatever mteb finds it to be."""
    from mteb.models import ModelMeta

    return ModelMeta.from_hub(name, revision).load_model(**kwargs)


def load_tiny(name: str, revision: str | None = None, *, device: str | None = None, **kwargs: Any) -> MTEBModels:
    """Make the tiny encoder of demos and tests; nothing is downloaded."""
    from mteb.models import SentenceTransformerEncoderWrapper

    from mteb_hybrid.tiny import tiny_encoder

    # by way of a folder: of a model in memory mteb asks for what this one has not, such as a Hub name
    with TemporaryDirectory() as folder:
        tiny_encoder(device="cpu").save_pretrained(folder, create_model_card=False)
        return SentenceTransformerEncoderWrapper(folder, device=device, **kwargs)


def _wrapper(folder: Path) -> Any:
    """mteb's wrapper for the kind of model that the folder says it holds."""
    from mteb.models import sentence_transformer_wrapper as wrappers

    config = folder / "config_sentence_transformers.json"
    try:
        kind = str(json.loads(config.read_text(encoding="utf-8")).get("model_type")) if config.is_file() else ""
    except (OSError, ValueError, AttributeError) as error:
        raise HybridError(f"{config} cannot be read ({type(error).__name__}); save the model again") from None
    return {
        "SparseEncoder": wrappers.SparseEncoderWrapper,
        "CrossEncoder": wrappers.CrossEncoderWrapper,
        "MultiVectorEncoder": wrappers.MultiVectorWrapper,
    }.get(kind, wrappers.SentenceTransformerEncoderWrapper)
