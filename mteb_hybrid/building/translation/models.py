"""Finds and loads translation models: weights as safetensors only, and nothing of a model's own is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.training.base_model import Base, find_base
from mteb_hybrid.training.recipe import ModelSettings
from mteb_hybrid.whole import whole_folder

_NEEDED = ["*.json", "*.model", "*.safetensors", "*.spm", "*.txt"]  # of a repository, for CTranslate2


def find_model(name: str, revision: str | None, setting: str) -> Base:
    """Find a model: a short name, a folder or a Hub id; loads nothing.

    Args:
        name: which.
        revision: of one on the Hub.
        setting: what the build file calls it, for errors.

    Raises:
        HybridError: there is none, or a folder holds none that loads without running code.
    """
    try:
        return find_base(ModelSettings(base=name, revision=revision))
    except HybridError as error:
        text = str(error).removeprefix("model.base: ").replace("model.revision", "its revision")
        raise HybridError(f"{setting}: {text}") from None


def load_tokenizer(model: Base) -> Any:
    """Load the tokenizer of a translation model."""
    from transformers import AutoTokenizer

    return _loaded(AutoTokenizer.from_pretrained, model)


def load_config(model: Base) -> Any:
    """Load the configuration of a translation model.

    Raises:
        HybridError: it cannot be had, or is of a model that is no seq2seq.
    """
    from transformers import AutoConfig

    config = _loaded(AutoConfig.from_pretrained, model)
    if not getattr(config, "is_encoder_decoder", False):
        raise HybridError(f"{_name(model)} is no seq2seq model of transformers; take a translation model")
    return config


def load_weights(model: Base, dtype: str, device: str) -> Any:
    """Load a translation model onto a device, for inference.

    Raises:
        HybridError: it cannot be had, has no safetensors, or is no seq2seq.
    """
    import torch
    from transformers import AutoModelForSeq2SeqLM

    loaded = _loaded(AutoModelForSeq2SeqLM.from_pretrained, model, use_safetensors=True, dtype=getattr(torch, dtype))
    return loaded.to(device).eval()


def convert_model(model: Base, dtype: str, folder: Path) -> Path:
    """Convert a model for CTranslate2, unless that was done.

    Args:
        model: where it is.
        dtype: numbers of the weights.
        folder: where the converted one becomes a folder.

    Raises:
        HybridError: CTranslate2 is not installed, or cannot convert the model.
    """
    check_ctranslate2()
    from ctranslate2.converters import TransformersConverter

    class _Safe(TransformersConverter):  # type: ignore[misc]
        def load_model(self, model_class: Any, path: str, **kwargs: Any) -> Any:
            return model_class.from_pretrained(path, **kwargs, use_safetensors=True, trust_remote_code=False)

    converted = folder / f"{model.revision}-{dtype}"
    if converted.is_dir():
        return converted
    folder.mkdir(parents=True, exist_ok=True)
    with whole_folder(converted) as partial:
        try:
            _Safe(_files(model)).convert(str(partial), quantization=dtype, force=True)
        except Exception as error:  # of the converter, of transformers, of the Hub
            raise _fault(model, error, "cannot be converted for CTranslate2") from None
    return converted


def check_ctranslate2() -> None:
    """Raise a HybridError if CTranslate2 is not installed."""
    try:
        import ctranslate2  # noqa: F401
    except ImportError:
        raise HybridError(
            "translation.engine ctranslate2 needs it: pip install 'mteb-hybrid[ctranslate2]', or take transformers"
        ) from None


def _files(model: Base) -> str:
    """A folder with the files of a model."""
    if model.kind == "folder":
        return model.source
    from huggingface_hub import snapshot_download

    return snapshot_download(model.source, revision=model.revision, allow_patterns=_NEEDED)


def _loaded(load: Any, model: Base, **kwargs: Any) -> Any:
    revision = {"revision": model.revision} if model.kind == "hub" else {}
    try:
        return load(model.source, trust_remote_code=False, **revision, **kwargs)
    except Exception as error:  # of transformers, of the Hub, of a tokenizer's library
        raise _fault(model, error, "does not load as a translation model") from None


def _fault(model: Base, error: Exception, what: str) -> HybridError:
    text = str(error)
    if "file named model.safetensors" in text or ("safetensors" in text and "pytorch_model.bin" in text):
        return HybridError(
            f"{_name(model)} has no weights as safetensors; take a revision that has (a pull request of the Hub's: "
            "refs/pr/NUMBER), or load it once where you trust it, and save it in a folder"
        )
    if "trust_remote_code" in text:
        return HybridError(f"{_name(model)} needs code of its own, which is never run here; take another model")
    return HybridError(f"{_name(model)} {what} ({type(error).__name__}: {one_line(text, 200)}); check it")


def _name(model: Base) -> str:
    return one_line(model.source, 120)
