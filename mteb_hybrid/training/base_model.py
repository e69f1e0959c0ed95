"""The model to start from: found, loaded without running anything of its own, and set up as the recipe says."""

from __future__ import annotations

import difflib
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.models import LOCAL_ORGANISATION, NamedModel, check_model_folder, fingerprint, known_models
from mteb_hybrid.tiny import tiny_encoder
from mteb_hybrid.training.recipe import LoraSettings, ModelSettings

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from transformers import PreTrainedModel

TINY = "mteb-hybrid/tiny"


@dataclass(frozen=True)
class Base:
    """Where a base model is.

    Attributes:
        kind: ``hub``, ``folder`` or ``tiny``.
        source: a Hub id, a folder's absolute path, or ``mteb-hybrid/tiny``.
        revision: the commit on the Hub, or the fingerprint of the folder; the tiny encoder has none.
    """

    kind: Literal["hub", "folder", "tiny"]
    source: str
    revision: str | None = None


def find_base(settings: ModelSettings) -> Base:
    """Find the base model: the tiny encoder, a short name, a folder or, last, what the Hub has; loads nothing.

    Args:
        settings: the recipe's model.

    Raises:
        HybridError: there is no such model, or a folder holds none that loads without running code.
    """
    name, revision = settings.base, settings.revision
    named = known_models().get(name.removeprefix(f"{LOCAL_ORGANISATION}/"))
    if named is not None and named.debias is not None:
        raise HybridError(f"model.base: {name} is debiased by a file; train the plain model, {named.source}")
    folder = Path(os.path.expanduser(named.source if named else name))
    if name != TINY and not (named.is_local if named else os.path.isdir(folder)):
        return _on_hub(named.source, revision or named.revision) if named else _on_hub(name, revision)
    if revision is not None:
        raise HybridError(f"model.revision is for models on the Hub; leave it out for {one_line(name, 120)}")
    return Base("tiny", TINY) if name == TINY else _in_folder(folder, named)


def _in_folder(folder: Path, named: NamedModel | None) -> Base:
    again = f"name it anew with `mteb-hybrid models add {named.name} PATH`" if named else ""
    if not os.path.isdir(folder):
        raise HybridError(f"model.base: {folder} is gone; {again}")
    check_model_folder(folder)
    revision = fingerprint(folder)
    if named and named.revision != revision:
        raise HybridError(f"model.base: {folder}, the folder of model {named.name}, has changed; {again}")
    return Base("folder", str(folder.resolve()), revision)


def _on_hub(name: str, revision: str | None) -> Base:
    if NamedModel(name, name).is_local:
        near = difflib.get_close_matches(name, known_models(), n=1)
        hint = f"did you mean {near[0]}?" if near else "check the path, or `mteb-hybrid models list`"
        raise HybridError(
            f"model.base: {one_line(name, 120)!r} is no folder, short name or Hub id (ORGANISATION/NAME); {hint}"
        )
    from huggingface_hub import resolve_revision

    try:
        # also of what is in the cache alone; one commit for all files, and so none that a bot proposes as safetensors
        commit = resolve_revision(name, revision=revision, cache_dir=_cache_folder())
    except Exception as error:
        raise _fault(name, revision, error) from None
    return Base("hub", name, commit.resolved)


def _cache_folder() -> str | None:
    return os.environ.get("SENTENCE_TRANSFORMERS_HOME")  # where sentence-transformers looks


def _fault(name: str, revision: str | None, error: BaseException) -> HybridError:
    """What to tell when a model cannot be loaded, by the first error of the chain that is known."""
    from huggingface_hub import errors

    name = one_line(name, 120)
    known: dict[type[Exception], str] = {
        errors.GatedRepoError: "is gated; ask for access on its page at the Hub and run `hf auth login`",
        errors.RevisionNotFoundError: f"has no revision {one_line(revision, 60)!r} on the Hub; check model.revision",
        errors.RepositoryNotFoundError: "is not on the Hub, or is private; check the name, or run `hf auth login`",
        errors.RevisionResolutionError: "is not in the cache, and the Hub cannot be reached; check the connection",
        errors.LocalEntryNotFoundError: "is not in the cache, and the Hub cannot be reached; check the connection",
    }
    link: BaseException | None = error
    while link is not None:
        for kind, text in known.items():
            if isinstance(link, kind):
                return HybridError(f"model.base: {name} {text}")
        link = link.__cause__ or link.__context__
    if "trust_remote_code" in str(error):
        return HybridError(f"model.base: {name} needs code of its own, which is never run here; take another model")
    if "file named model.safetensors" in str(error):
        return HybridError(f"model.base: {name} has no weights as safetensors; take a revision or a model that has")
    reason = one_line(error, 200)
    return HybridError(f"model.base: {name} does not load as a text encoder ({type(error).__name__}: {reason})")


def load_base_model(
    settings: ModelSettings, *, base: Base | None = None, device: str | None = None
) -> SentenceTransformer:
    """Load the base model, in single precision, and set it up for training.

    Adapters are drawn at random: seed torch first.

    Args:
        settings: the recipe's model.
        base: what ``find_base`` found for them, to load just that.
        device: as in sentence-transformers.

    Returns:
        The model, which holds its prompts, its adapters, and which weights are trained.

    Raises:
        HybridError: the model is not found, cannot be reached, needs code of its own, has no safetensors or is no
            text encoder, or it cannot be set up so.
    """
    base = base or find_base(settings)
    model = _load(base, device)
    merge_lora(model)  # a base that is adapters itself
    model.float()  # half precision is for autocast: in weights, small steps are lost
    _set_prompts(model, settings)
    if settings.dropout is not None:
        _set_dropout(model, settings.dropout)  # before there are adapters, which have their own
    if settings.lora is not None:
        _name_by_folder(model, base)
        _add_lora(model, settings.lora)
    if settings.freeze_embeddings:
        _transformer(model, "freeze_embeddings").get_input_embeddings().requires_grad_(False)
    if settings.freeze_layers is not None:
        _freeze_layers(model, settings.freeze_layers)
    if settings.attn_implementation is not None:
        _set_attention(model, settings.attn_implementation)
    if settings.gradient_checkpointing:
        _checkpoint_gradients(model)
    return model


def _load(base: Base, device: str | None) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    if base.kind == "tiny":
        return tiny_encoder(device=device)
    revision = base.revision if base.kind == "hub" else None
    try:
        model = SentenceTransformer(
            base.source,
            revision=revision,
            device=device,
            cache_folder=_cache_folder(),
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
        model.encode(["a"], show_progress_bar=False)  # what is no text encoder fails here
    except Exception as error:
        raise _fault(base.source, revision, error) from None
    return model


def token_limit(model: SentenceTransformer) -> int | None:
    """The tokens that a model has positions for; None where nothing limits them."""
    from torch import nn

    transformer = model.transformers_model
    if transformer is None:
        return None
    limit = getattr(transformer.config.get_text_config(), "max_position_embeddings", None)
    if not isinstance(limit, int) or limit < 1:
        return None
    for module in transformer.modules():
        padding = getattr(module, "padding_idx", None)
        # RoBERTa and its kin count positions from the one after that of padding
        if isinstance(getattr(module, "position_embeddings", None), nn.Embedding) and isinstance(padding, int):
            return limit - padding - 1
    return limit


def cut_texts(model: SentenceTransformer, settings: ModelSettings) -> None:
    """Cut texts after the recipe's number of tokens; for training only, a model that is saved keeps its own length.

    Raises:
        HybridError: the model takes no so many tokens.
    """
    length = settings.max_seq_length
    if length is None:
        return
    _transformer(model, "max_seq_length")
    limit = token_limit(model)
    if limit is not None and length > limit:
        raise HybridError(f"model.max_seq_length: {length} is more than the {limit} tokens that the model takes")
    model.max_seq_length = length


def training_prompts(model: SentenceTransformer, negatives: int = 0, *, pivot: bool = False) -> dict[str, str]:
    """What is put before the texts of each column in training: just what mteb puts there in retrieval tasks.

    Args:
        model: the model.
        negatives: columns of hard negatives; they are passages.
        pivot: whether there are columns of the pivot language as well.

    Returns:
        Prompts by column, for the trainer or its data collator; none for columns without one.
    """
    query, passage = _prompt(model, "query"), _prompt(model, "document")
    prompts = {"query": query, "passage": passage}
    if pivot:
        prompts |= {"pivot_query": query, "pivot_passage": passage}
    prompts |= {f"negative_{number}": passage for number in range(1, negatives + 1)}
    return {column: prompt for column, prompt in prompts.items() if prompt}


def _prompt(model: SentenceTransformer, role: Literal["query", "document"]) -> str:
    """What mteb takes, and where it finds nothing ``encode_query`` and ``encode_document``, in their order."""
    names = [f"Retrieval-{role}", "Retrieval", role, *(["passage", "corpus"] if role == "document" else [])]
    return next((model.prompts[name] or "" for name in names if name in model.prompts), "")


def _set_prompts(model: SentenceTransformer, settings: ModelSettings) -> None:
    if not model.prompts.get("document") and model.prompts.get("passage"):
        model.prompts["document"] = model.prompts["passage"]  # mteb knows passages by this name alone
    query, passage = settings.query_prompt, settings.passage_prompt
    if query is None and passage is None:
        return
    # none of the others stays: those of a kind of task go before these two in mteb
    model.prompts = {
        "query": _prompt(model, "query") if query is None else query,
        "document": _prompt(model, "document") if passage is None else passage,
    }
    model.default_prompt_name = None


def _transformer(model: SentenceTransformer, setting: str) -> PreTrainedModel:
    transformer = model.transformers_model
    if transformer is None:
        raise HybridError(f"model.{setting} is for transformers, and this model is none; leave it out")
    return transformer


def _set_dropout(model: SentenceTransformer, share: float) -> None:
    """In the modules alone: the configuration that is saved stays the base model's."""
    from torch import nn

    for module in _transformer(model, "dropout").modules():
        if isinstance(module, nn.Dropout):
            module.p = share
        elif isinstance(getattr(module, "attention_dropout", None), float):  # of those who have no module for it
            module.attention_dropout = share  # type: ignore[assignment]


def _set_attention(model: SentenceTransformer, name: str) -> None:
    """In the network alone, like dropout: transformers does not save it."""
    transformer = _transformer(model, "attn_implementation")
    try:
        transformer.set_attn_implementation(name)
    except (ImportError, ValueError) as error:
        raise HybridError(f"model.attn_implementation: {one_line(error, 200)}") from None


def _freeze_layers(model: SentenceTransformer, count: int) -> None:
    from torch import nn

    transformer = _transformer(model, "freeze_layers")
    there = getattr(transformer.config.get_text_config(), "num_hidden_layers", None)
    lists = (module for module in transformer.modules() if isinstance(module, nn.ModuleList))
    layers = next((each for each in lists if len(each) == there), None)
    if layers is None:
        raise HybridError("model.freeze_layers: the layers of this architecture are not known; leave it out")
    if count > len(layers):
        raise HybridError(f"model.freeze_layers: {count} is more than the {len(layers)} layers of the model")
    embeddings = getattr(transformer, "embeddings", None) or transformer.get_input_embeddings()
    for module in (embeddings, *layers[:count]):
        module.requires_grad_(False)


def _checkpoint_gradients(model: SentenceTransformer) -> None:
    _transformer(model, "gradient_checkpointing")
    with warnings.catch_warnings():
        # transformers has a new name for it, which sentence-transformers 6.2 does not call yet
        warnings.simplefilter("ignore", FutureWarning)
        try:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        except ValueError as error:
            raise HybridError(f"model.gradient_checkpointing: {one_line(error)}") from None


def _add_lora(model: SentenceTransformer, settings: LoraSettings) -> None:
    transformer = _transformer(model, "lora")
    try:
        from peft import LoraConfig
    except ImportError:
        raise HybridError("model.lora needs peft: pip install 'mteb-hybrid[lora]'") from None
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=settings.target_modules,
    )
    try:
        transformer.add_adapter(config)
    except ValueError as error:
        raise HybridError(f"model.lora.target_modules: {one_line(error)}") from None
    for name, weights in model.named_parameters():  # of modules after the transformer as well
        weights.requires_grad_("lora_" in name)


def _name_by_folder(model: SentenceTransformer, base: Base) -> None:
    """Let checkpoints of adapters name the Hub's files by folder: by name, resuming would take the newest revision."""
    from huggingface_hub import try_to_load_from_cache

    transformer = model.transformers_model
    if base.kind == "hub" and transformer is not None:
        config = try_to_load_from_cache(base.source, "config.json", _cache_folder(), base.revision)
        if isinstance(config, str):
            transformer.name_or_path = str(Path(config).parent)


def merge_lora(model: SentenceTransformer) -> None:
    """Merge the adapters into the weights: what is saved then is a plain model, to be loaded without peft.

    Args:
        model: changed in place; left as it is where it has no adapters.
    """
    transformer: Any = model.transformers_model
    if not getattr(transformer, "_hf_peft_config_loaded", False):
        return
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, layer in list(transformer.named_modules()):
        if isinstance(layer, BaseTunerLayer):
            layer.merge()
            parent, _, own = name.rpartition(".")
            setattr(transformer.get_submodule(parent), own, layer.get_base_layer())
    for adapter in list(transformer.peft_config):
        transformer.delete_adapter(adapter)
    model.requires_grad_(True)
