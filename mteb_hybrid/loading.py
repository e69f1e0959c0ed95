"""Loads the models that short names stand for; what mteb calls a loader."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.models import check_model_folder, fingerprint

if TYPE_CHECKING:
    from mteb.models import MTEBModels

    from mteb_hybrid.debias.encoder import DebiasedEncoder
    from mteb_hybrid.training.outcome import TrainingRecord


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
    """Load a model from the Hub at a pinned revision, by whatever mteb finds it to be.

    Of a model that this package trained, it is checked that it encodes as it did then.

    Args:
        name: the Hub id.
        revision: the commit; None is the newest.
        **kwargs: passed to the model's class; nothing of the repository is executed unless asked for there.

    Raises:
        HybridError: prompts, similarity, length or tokenizer are not those trained with.
    """
    from mteb.models import ModelMeta

    model: MTEBModels = ModelMeta.from_hub(name, revision).load_model(**kwargs)
    check_encoder(model, name, revision)
    return model


def check_encoder(model: object, name: str, revision: str | None) -> None:
    """Raise a HybridError if a model of the Hub no longer encodes as its training record says."""
    from sentence_transformers import SentenceTransformer

    from mteb_hybrid.encoder_record import differences, encoder_record

    encoder = getattr(model, "model", None)
    if not isinstance(encoder, SentenceTransformer):
        return
    record = published_record(name, revision)
    if record is None or record.encoder is None:
        return
    for difference in differences(record.encoder, encoder_record(encoder)):
        raise HybridError(
            f"{name} at {revision or 'its newest revision'} does not encode as it was trained: "
            f"{one_line(difference, 200)}; name another revision with `mteb-hybrid models add NAME {name}@REVISION`"
        )


def published_record(name: str, revision: str | None) -> TrainingRecord | None:
    """The training record in a repository; None if it has none, or none can be had now."""
    from huggingface_hub import hf_hub_download

    from mteb_hybrid.training.outcome import RECORD, read_record

    try:
        path = hf_hub_download(name, RECORD, revision=revision)
    except Exception:  # of an answer that lies the client and its HTTP library raise whatever they like
        return None
    return read_record(Path(path).parent)


def load_debiased(
    name: str, revision: str | None = None, *, source: str, debias: str, device: str | None = None, **kwargs: Any
) -> DebiasedEncoder:
    """Load a plain model and the debiasing around it, if both are still those that were named.

    Args:
        name: ``local/NAME``, for errors.
        revision: the fingerprint that the file of the debiasing had when it was named.
        source: the plain model: a folder, a Hub id or ``mteb-hybrid/tiny``.
        debias: the file.
        device: as in sentence-transformers.
        **kwargs: passed to the model's class.

    Raises:
        HybridError: the file or the folder is gone or has changed, or the plain model cannot be loaded.
    """
    from mteb_hybrid.debias.encoder import DebiasedEncoder
    from mteb_hybrid.debias.file import file_fingerprint, read_debiasing
    from mteb_hybrid.debias.plain import check_fits, load_plain, plain_of

    path = Path(debias)
    short = name.rpartition("/")[2]
    again = f"`mteb-hybrid models add {short} {source} --debias FILE`"
    if not path.is_file():
        raise HybridError(f"{path}, the debiasing of model {short}, is gone; name it anew with {again}")
    if revision != file_fingerprint(path):
        raise HybridError(f"{path}, the debiasing of model {short}, has changed; name it anew with {again}")
    debiasing = read_debiasing(path)
    base = plain_of(source, debiasing.fitted_on)
    check_fits(debiasing.fitted_on, base, path)
    return DebiasedEncoder(load_plain(base, device=device, **kwargs), debiasing)


def is_on_hub(name: str) -> bool:
    """Whether the Hub has a model of this name, or gave it before where it cannot be asked now."""
    from huggingface_hub import errors, model_info, try_to_load_from_cache

    try:
        model_info(name)
    except (errors.RepositoryNotFoundError, errors.HFValidationError):
        return False
    except Exception:  # no network, offline: what is in the cache can be loaded
        return isinstance(try_to_load_from_cache(name, "config.json"), str)
    return True


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
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise HybridError(f"{config} cannot be read ({type(error).__name__}); save the model again") from None
    return {
        "SparseEncoder": wrappers.SparseEncoderWrapper,
        "CrossEncoder": wrappers.CrossEncoderWrapper,
        "MultiVectorEncoder": wrappers.MultiVectorWrapper,
    }.get(kind, wrappers.SentenceTransformerEncoderWrapper)
