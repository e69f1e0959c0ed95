"""Averages of models' weights: a hybrid and its base, or checkpoints of one run.

With shares s_1 + ... + s_n = 1, every weight of the result is sum_i s_i * w_i, computed in double precision and stored
in the first model's type (Wortsman et al. 2022, arXiv 2203.05482: models that began with the same weights lie close
enough for it). sentence-transformers has ``SentenceTransformer.merge``, which needs mergekit: a large dependency for
plain averages, and neither prompts nor lengths are compared there.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mteb_hybrid.alone import alone
from mteb_hybrid.encoder_record import encoder_record
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.models import LOCAL_ORGANISATION, known_models
from mteb_hybrid.refusals import refusal
from mteb_hybrid.tiny import tiny_encoder
from mteb_hybrid.training.base_model import TINY, Base, find_base, merge_lora, training_prompts
from mteb_hybrid.training.outcome import (
    RECIPE,
    RECORD,
    MergedPart,
    SourceRecord,
    TrainingRecord,
    located,
    package_versions,
    read_record,
    record_text,
)
from mteb_hybrid.training.recipe import ModelSettings, Recipe
from mteb_hybrid.whole import whole_folder

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

_PACKAGES = ("mteb-hybrid", "sentence-transformers", "transformers", "torch")

# Of a transformer's configuration: where it comes from and how it was trained, not what it computes.
_NO_MATTER = {"architectures", "dtype", "torch_dtype", "transformers_version", "use_cache"}


def merge(models: Sequence[str], weights: Sequence[float], output: Path) -> TrainingRecord:
    """Write the average of several models.

    Tokenizer, modules, prompts, length and the type of the weights are the first model's.

    Args:
        models: short names, folders, Hub ids (with ``@REVISION`` where wanted) or ``mteb-hybrid/tiny``; two or more.
        weights: as for ``shares``.
        output: the folder to write, which must not be there: a SentenceTransformer with ``training.json``.

    Returns:
        What was written down of it.

    Raises:
        HybridError: the weights make no average, a model cannot be had, two of them do not go together, or the folder
            is there already or cannot be written.
    """
    parts = shares(len(models), weights)
    if output.exists():
        raise HybridError(f"{output} is there already; choose another --output")
    began = time.monotonic()
    bases = [_find(name) for name in models]
    first = _load(bases[0])
    states = [first.state_dict()]
    for name, base in zip(models[1:], bases[1:], strict=True):
        other = _load(base)
        for difference in _differences(first, other):
            raise HybridError(f"{one_line(name, 120)} cannot be merged with {one_line(models[0], 120)}: {difference}")
        states.append(other.state_dict())
    _set_average(states, parts)
    record = _record(bases, parts, first)
    record = record.model_copy(update={"seconds": round(time.monotonic() - began, 1)})
    _save(first, record, output)
    return record


def shares(count: int, weights: Sequence[float]) -> tuple[float, ...]:
    """What each model weighs in the average.

    Args:
        count: the number of models.
        weights: none, and all weigh the same; one number w with two models, and they weigh 1 - w and w; or one for
            each model, which add up to 1.

    Returns:
        The shares, in [0, 1], in the order of the models.

    Raises:
        HybridError: there are fewer than two models, or the weights are not of that form.
    """
    if count < 2:
        raise HybridError("name two models to merge, or more")
    if not all(0 <= weight <= 1 for weight in weights):
        raise HybridError(f"--weight {_listed(weights)}: a weight is a number from 0 to 1")
    if not weights:
        return (1 / count,) * count
    if count == 2 and len(weights) == 1:
        return 1 - weights[0], weights[0]
    if len(weights) != count:
        raise HybridError(
            f"--weight {_listed(weights)}: give one for each of the {count} models, as in "
            f"{_listed([round(1 / count, 2)] * count)}, or leave it out for equal ones"
        )
    if not math.isclose(math.fsum(weights), 1, abs_tol=1e-6):
        raise HybridError(f"--weight {_listed(weights)}: the weights add up to {math.fsum(weights):g}, and must to 1")
    return tuple(weights)


def average(tensors: Sequence[torch.Tensor], parts: Sequence[float]) -> torch.Tensor:
    """The weighted mean of tensors of one shape.

    A tensor of share 0 takes no part, so that one of share 1 comes out as it is, to the bit.

    Args:
        tensors: what to average.
        parts: their shares, which add up to 1.

    Returns:
        The mean, computed in double precision, of the first tensor's type.

    Raises:
        HybridError: the tensors hold no fractions (positions, say) and are not the same.
    """
    import torch

    first = tensors[0]
    if not first.is_floating_point():
        if not all(torch.equal(first, other) for other in tensors[1:]):
            raise HybridError("whole numbers among the weights differ, which have no average")
        return first
    taking_part = [(share, tensor) for share, tensor in zip(parts, tensors, strict=True) if share]
    if len(taking_part) == 1:
        return taking_part[0][1].to(first.dtype)
    total = torch.zeros(first.shape, dtype=torch.float64)  # halves of the smallest numbers lose bits in single
    for share, tensor in taking_part:
        total += share * tensor.double()
    return total.to(first.dtype)


def _listed(weights: Sequence[float]) -> str:
    return ",".join(f"{weight:g}" for weight in weights)


def _find(name: str) -> Base:
    model, _, revision = name.partition("@")
    try:
        if not name.strip():
            raise HybridError("a model without a name; give a short name, a folder or a Hub id")
        named = known_models().get(name.removeprefix(f"{LOCAL_ORGANISATION}/"))
        if named is not None and named.debias is not None:
            raise HybridError(f"{name} is {named.source} debiased; merge that, and fit a debiasing on the result")
        if not revision or os.path.isdir(os.path.expanduser(name)):
            return find_base(ModelSettings(base=name))
        return find_base(ModelSettings(base=model, revision=revision))
    except HybridError as error:  # its texts name a recipe's setting
        text = str(error).removeprefix("model.base: ")
        raise HybridError(text.replace("model.revision is", "a revision is").replace("model.revision", "it")) from None


def _load(base: Base) -> SentenceTransformer:
    """Load a model with its weights as they are stored; nothing of its own is run."""
    from sentence_transformers import SentenceTransformer

    if base.kind == "tiny":
        return tiny_encoder(device="cpu")
    try:
        model = SentenceTransformer(
            base.source,
            revision=base.revision if base.kind == "hub" else None,
            device="cpu",
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True, "dtype": "auto"},
        )
    except Exception as error:  # loading is the library's: whatever it raises, this is no model
        reason = one_line(f"{type(error).__name__}: {error}", 200)
        raise HybridError(f"{one_line(base.source, 200)} does not load as a text encoder ({reason})") from None
    merge_lora(model)  # the mean of two adapters is not the adapter of the mean
    recipe = _recipe_of_run(Path(base.source).parent) if base.kind == "folder" else None
    if recipe is not None and recipe.model.max_seq_length is not None:
        model.max_seq_length = _load(find_base(recipe.model)).max_seq_length  # as in the model that the run ends with
    return model


def _differences(first: SentenceTransformer, other: SentenceTransformer) -> Iterator[str]:
    """Name what keeps two models from being merged."""
    ours, theirs = _architecture(first), _architecture(other)
    if ours != theirs:
        what = next((key for key in ours | theirs if ours.get(key) != theirs.get(key)), "")
        yield (
            f"they are of different architecture ({one_line(what, 80)}: {one_line(theirs.get(what), 60)}, not "
            f"{one_line(ours.get(what), 60)})"
        )
    shapes, others = _shapes(first), _shapes(other)
    if shapes != others:
        name = next(key for key in shapes | others if shapes.get(key) != others.get(key))
        yield (
            f"they have different weights ({one_line(name, 80)}: {others.get(name, 'none')}, not "
            f"{shapes.get(name, 'none')})"
        )
    before, now = encoder_record(first), encoder_record(other)
    for what, name in {"similarity": "similarity", "max_seq_length": "length"}.items():
        if getattr(before, what) != getattr(now, what):
            yield f"they have a different {name} ({getattr(now, what)}, not {getattr(before, what)})"
    if before.tokenizer != now.tokenizer:  # after the length, which cuts what they make of the probes
        yield "they have different tokenizers"
    yield from _prompt_differences(training_prompts(first), training_prompts(other))


def _prompt_differences(ours: Mapping[str, str], theirs: Mapping[str, str]) -> Iterator[str]:
    """Prompts that the first model does not have; a base without any of its own takes those of what came of it."""
    if theirs and ours != theirs:
        hint = "" if ours else "; name it first, as the first model's prompts are taken"
        yield f"they have different prompts ({one_line(dict(theirs), 80)}, not {one_line(dict(ours), 80)}){hint}"


def _architecture(model: SentenceTransformer) -> dict[str, Any]:
    """What is computed with the weights: the modules, and the configuration of each."""
    found: dict[str, Any] = {"modules": [type(module).__name__ for module in model]}
    for number, module in enumerate(model):
        network = getattr(module, "auto_model", None)
        settings = module.get_config_dict() if network is None else network.config.to_dict()  # type: ignore[operator]
        for key, value in settings.items():
            if not (network is not None and (key in _NO_MATTER or key.startswith("_") or "dropout" in key)):
                found[f"{type(module).__name__} {number}, {key}"] = value
    return found


def _shapes(model: SentenceTransformer) -> dict[str, list[int]]:
    return {name: list(tensor.shape) for name, tensor in model.state_dict().items()}


def _set_average(states: Sequence[Mapping[str, torch.Tensor]], parts: Sequence[float]) -> None:
    """Put the averages in the place of the first model's weights."""
    import torch

    with torch.no_grad():
        means = {name: average([state[name] for state in states], parts) for name in states[0]}
        for name, tensor in states[0].items():  # all means first: weights that are tied have two names
            tensor.copy_(means[name])


@dataclass(frozen=True)
class History:
    """What a model was trained on, as far as records tell.

    Attributes:
        origin: what all training began with; None if that is not known.
        base_tasks: tasks whose texts its base was trained on.
        base_data: the sources that its base was trained on.
        data: the sources it was trained on.
    """

    origin: str | None
    base_tasks: frozenset[str] = frozenset()
    base_data: tuple[SourceRecord, ...] = ()
    data: tuple[SourceRecord, ...] = ()

    @property
    def tasks(self) -> list[str]:
        """All tasks whose texts were trained on."""
        return sorted(self.base_tasks.union(*(source.mteb_tasks for source in self.data)))

    @property
    def sources(self) -> list[SourceRecord]:
        """All sources that were trained on, each once."""
        return _distinct([*self.base_data, *self.data])


def history(base: Base) -> History:
    """What a model was trained on before, by its record, in its folder or on the Hub, or by the run that it is of.

    Raises:
        HybridError: a record is damaged, or what a checkpoint was trained on is not known.
    """
    if base.kind == "tiny":
        return History(TINY)
    folder = Path(base.source)
    record = _hub_record(base) if base.kind == "hub" else read_record(folder)
    if record is not None:
        origin = base.source if base.kind == "hub" else record.origin  # mteb knows what is on the Hub by its id
        return History(origin, frozenset(record.base_mteb_tasks), tuple(record.base_data), tuple(record.data))
    if base.kind == "hub":
        return History(base.source)
    return _history_of_run(folder.parent) or History(None)


def _hub_record(base: Base) -> TrainingRecord | None:
    from mteb_hybrid.loading import published_record

    return published_record(base.source, base.revision)


def _history_of_run(work: Path) -> History | None:
    """What a run that has not ended trains on, by the recipe in its work folder; None if it is no work folder."""
    from mteb_hybrid.training.sources import load_data

    recipe = _recipe_of_run(work)
    if recipe is None:
        return None
    begun = history(find_base(recipe.model))
    data = located(load_data(recipe).records)
    return History(begun.origin, frozenset(begun.tasks), tuple(begun.sources), tuple(data))


def _recipe_of_run(work: Path) -> Recipe | None:
    from mteb_hybrid.training.folders import IDENTITY
    from mteb_hybrid.training.recipe_file import read_recipe

    if not (work / IDENTITY).is_file():
        return None
    try:
        return read_recipe(work / RECIPE)
    except HybridError as error:
        raise HybridError(f"what the checkpoints in {work} were trained on is not known: {error}") from None


def _record(bases: Sequence[Base], parts: Sequence[float], model: SentenceTransformer) -> TrainingRecord:
    histories = [history(base) for base in bases]
    origins = {each.origin for each in histories}
    return TrainingRecord(
        base=bases[0].source,
        base_revision=bases[0].revision,
        base_mteb_tasks=sorted(frozenset[str]().union(*(each.base_tasks for each in histories))),
        base_data=_distinct(source for each in histories for source in each.base_data),
        origin=origins.pop() if len(origins) == 1 else None,
        data=_distinct(source for each in histories for source in each.data),
        steps=0,
        best_step=None,
        batch_size=0,
        processes=1,
        batches_digest="",
        encoder=encoder_record(model),
        seconds=0,
        hardware="",
        versions=package_versions(_PACKAGES),
        curve=[],
        merged_from=[
            MergedPart(
                source=base.source,
                revision=base.revision,
                weight=share,
                origin=each.origin,
                mteb_tasks=each.tasks,
            )
            for base, share, each in zip(bases, parts, histories, strict=True)
        ],
    )


def _distinct(sources: Iterable[SourceRecord]) -> list[SourceRecord]:
    found: list[SourceRecord] = []
    for source in sources:
        if source not in found:
            found.append(source)
    return found


def _save(model: SentenceTransformer, record: TrainingRecord, output: Path) -> None:
    try:
        output.absolute().parent.mkdir(parents=True, exist_ok=True)
        with alone(output, "choose another --output"):
            if output.exists():  # of another process, since
                raise HybridError(f"{output} is there already; choose another --output")
            with whole_folder(output) as folder:
                model.save_pretrained(str(folder), create_model_card=False)
                (folder / RECORD).write_text(record_text(record), encoding="utf-8")
    except Exception as error:
        if (reason := refusal(error)) is None:
            raise
        raise HybridError(f"cannot write {output} ({reason}); choose another --output") from error
