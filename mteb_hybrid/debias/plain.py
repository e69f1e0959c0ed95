"""The plain model below a debiased one: found as elsewhere, and loaded as mteb loads it, prompts and all."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mteb_hybrid.debias.debiasing import FittedOn
from mteb_hybrid.debias.file import file_fingerprint, read_debiasing
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.models import LOCAL_ORGANISATION, NamedModel, known_models
from mteb_hybrid.training.base_model import TINY, Base, find_base
from mteb_hybrid.training.recipe import ModelSettings

if TYPE_CHECKING:
    from mteb.models import EncoderProtocol, ModelMeta

_COMMIT = re.compile(r"[0-9a-f]{40}")


def find_plain(name: str, revision: str | None = None) -> Base:
    """Find a model that is not debiased: the tiny encoder, a short name, a folder or a Hub id; loads nothing.

    A Hub id without a revision is what it is for ``mteb run``: at the revision that mteb knows, or the newest.

    Args:
        name: a short name, a folder, ``HUB_ID``, ``HUB_ID@REVISION``, or ``mteb-hybrid/tiny``.
        revision: of a model on the Hub.

    Raises:
        HybridError: there is no such model, it is debiased itself, or its folder has changed since it was named.
    """
    name, revision = _split(name, revision)
    named = known_models().get(name.removeprefix(f"{LOCAL_ORGANISATION}/"))
    if named is not None and named.debias is not None:
        raise HybridError(f"{named.name} is debiased already, by {named.debias}; take {named.source}, without it")
    if not name.strip():
        raise HybridError("no model named; give a short name, a folder or a Hub id")
    if named is None and revision is None and not os.path.isdir(os.path.expanduser(name)):
        revision = _pinned(name)
    try:
        return find_base(ModelSettings(base=name, revision=revision))
    except HybridError as error:
        text = str(error).removeprefix("model.base: ").replace("model.revision", "the revision")
        raise HybridError(text) from None


def load_plain(base: Base, *, device: str | None = None, **kwargs: Any) -> EncoderProtocol:
    """Load a model as ``mteb run`` does.

    Args:
        base: where it is.
        device: as in sentence-transformers.
        **kwargs: passed to the model's class; nothing of the model's own is executed unless mteb does so or it is
            asked for there.

    Returns:
        The encoder. What mteb knows of it is its source, so that all that is made of one model shares encodings.

    Raises:
        HybridError: it cannot be loaded, or gives no vectors of texts.
    """
    from mteb.models import CrossEncoderProtocol, EncoderProtocol, SearchProtocol

    try:
        model = _meta(base).load_model(device=device, **kwargs)
    except HybridError:
        raise
    except Exception as error:  # loaders are other people's code: whatever they raise, the model cannot be had
        reason = one_line(f"{type(error).__name__}: {error}", 200)
        raise HybridError(f"cannot load model {one_line(base.source, 120)} ({reason}); check it") from None
    if isinstance(model, SearchProtocol | CrossEncoderProtocol) or not isinstance(model, EncoderProtocol):
        raise HybridError(f"{base.source} does not give one vector a text and cannot be debiased; take another model")
    return model


def name_debiased(name: str, source: str, revision: str | None, file: str) -> NamedModel:
    """What a short name for a debiased model stands for.

    Args:
        name: the short name.
        source: the plain model, as for ``find_plain``.
        revision: of a model on the Hub; by default the one that the file was fitted on.
        file: the file of the debiasing.

    Raises:
        HybridError: the model or the file cannot be had, or the file was fitted on another model.
    """
    path = Path(os.path.expanduser(file)).absolute()
    fitted_on = read_debiasing(path).fitted_on
    base = _fitted_base(source, revision, fitted_on) or find_plain(source, revision)
    check_fits(fitted_on, base, path)
    return NamedModel(name, base.source, file_fingerprint(path), debias=str(path))


def plain_of(source: str, fitted_on: FittedOn) -> Base:
    """The model at a source, at the revision that a debiasing was fitted on.

    Raises:
        HybridError: the source is a folder and is gone, or holds no model.
    """
    on_hub = Base("hub", source, fitted_on.revision)
    return on_hub if fitted_on.kind == "hub" and source == fitted_on.model else find_plain(source)


def check_fits(fitted_on: FittedOn, base: Base, path: Path) -> None:
    """Raise a HybridError if a debiasing was fitted on another model than the one it is put to."""
    same_place = base.source == fitted_on.model or base.kind == "folder"  # a folder may have been moved
    if (base.kind, base.revision) == (fitted_on.kind, fitted_on.revision) and same_place:
        return
    raise HybridError(
        f"{path} was fitted on {_name(fitted_on.model, fitted_on.revision)}, and not on "
        f"{_name(base.source, base.revision)}; fit one for it with `mteb-hybrid debias fit -m MODEL`"
    )


def _split(name: str, revision: str | None) -> tuple[str, str | None]:
    """Take a revision out of ``HUB_ID@REVISION``."""
    hub_id, at, pinned = name.partition("@")
    if not at or "/" not in hub_id or os.path.isdir(os.path.expanduser(name)):
        return name, revision
    if revision is not None:
        raise HybridError(f"{one_line(name, 120)} names a revision already; leave out --revision")
    return hub_id, pinned


def _fitted_base(source: str, revision: str | None, fitted_on: FittedOn) -> Base | None:
    """The model on the Hub that a debiasing was fitted on, if it is what is asked for: the Hub is not asked then."""
    hub_id, revision = _split(source, revision)
    named = known_models().get(hub_id)
    if named is not None and named.debias is None:
        hub_id, revision = named.source, revision or named.revision
    on_hub = fitted_on.kind == "hub" and hub_id == fitted_on.model and not os.path.isdir(hub_id)
    if on_hub and revision in {None, fitted_on.revision}:
        return Base("hub", hub_id, fitted_on.revision)
    return None


def _pinned(name: str) -> str | None:
    """The revision at which mteb itself knows a model."""
    import mteb

    if name == TINY or NamedModel(name, name).is_local:
        return None
    try:
        revision = mteb.get_model_meta(name).revision
    except KeyError:
        return None
    return revision if revision and _COMMIT.fullmatch(revision) else None


def _meta(base: Base) -> ModelMeta:
    import mteb
    from mteb.models import ModelMeta

    from mteb_hybrid.loading import load_folder, load_from_hub, load_tiny

    values: dict[str, Any] = {"name": base.source, "revision": base.revision}
    if base.kind == "folder":
        values |= {"name": _name_of_folder(base), "loader_kwargs": {"source": base.source}}
        values |= {"loader": load_folder, "framework": ["Sentence Transformers"]}
    elif base.kind == "tiny":
        values |= {"revision": "1", "loader": load_tiny, "framework": ["Sentence Transformers"]}
    else:
        try:
            known = mteb.get_model_meta(base.source)
        except KeyError:
            known = None
        if known is not None and known.revision == base.revision:
            return known
        values["loader"] = load_from_hub
    return ModelMeta.create_empty(overwrites=values)


def _name_of_folder(base: Base) -> str:
    """The name that it has with mteb, so that a model and what is made of it share encodings; else one of its own."""
    named = (model for model in known_models().values() if model.source == base.source and model.debias is None)
    return next((model.full_name for model in named), f"{LOCAL_ORGANISATION}/{base.revision}")


def _name(model: str, revision: str | None) -> str:
    return f"{one_line(model, 120)} ({revision[:8]})" if revision else one_line(model, 120)
