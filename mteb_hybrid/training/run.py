"""Runs a recipe: reads its data, trains, and writes the model's folder, whole or not at all."""

from __future__ import annotations

import platform
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain, count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mteb_hybrid.encoder_record import encoder_record
from mteb_hybrid.errors import HybridError
from mteb_hybrid.merging import History, history
from mteb_hybrid.refusals import refusal
from mteb_hybrid.settings.yaml_lines import Location, dotted
from mteb_hybrid.training.arguments import check_training
from mteb_hybrid.training.base_model import Base, cut_texts, find_base, load_base_model, merge_lora, training_prompts
from mteb_hybrid.training.batches import Batch, HybridBatches, batch_digest
from mteb_hybrid.training.folders import (
    TRACKED,
    abandon,
    at_work,
    begin,
    check_folders,
    checkpoint_of,
    finished,
    way_on,
    work_folder,
)
from mteb_hybrid.training.length import RunLength, run_length
from mteb_hybrid.training.losses import build_loss
from mteb_hybrid.training.outcome import RECIPE, RECORD, TrainingRecord, located, package_versions, record_text
from mteb_hybrid.training.pieces import in_pieces
from mteb_hybrid.training.recipe import Recipe
from mteb_hybrid.training.recipe_file import dump_recipe
from mteb_hybrid.training.sampler import HybridBatchSampler
from mteb_hybrid.training.sources import TrainingData, hybrid_batches, load_data
from mteb_hybrid.training.trainer import HybridTrainer, StopOnSignal
from mteb_hybrid.whole import discard_folder, whole_folder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainingArguments
    from torch import nn

_PACKAGES = ("mteb-hybrid", "sentence-transformers", "transformers", "torch", "accelerate", "datasets", "numpy")


@dataclass(frozen=True)
class Trained:
    """How a run ended.

    Attributes:
        folder: the model's folder; None if the run was stopped.
        stopped_by: the signal that stopped it, or None.
        steps: the steps that were done.
        main: whether this process is the one that writes and speaks for all.
    """

    folder: Path | None
    stopped_by: signal.Signals | None
    steps: int
    main: bool


@dataclass(frozen=True)
class _Plan:
    """All that is known of a run before its model is loaded."""

    recipe: Recipe
    output: Path
    base: Base
    before: History
    data: TrainingData
    batches: HybridBatches
    length: RunLength

    @classmethod
    def of(cls, recipe: Recipe, output: Path, processes: int) -> _Plan:
        base = find_base(recipe.model)
        data = load_data(recipe)
        batches = hybrid_batches(data, recipe, processes=processes)
        return cls(recipe, output, base, history(base), data, batches, run_length(recipe.training, len(batches)))

    @property
    def identity(self) -> dict[str, Any]:
        """What must be the same for a run to be resumed; without defaults, so that a new setting changes no old run."""
        settings = self.recipe.model_dump(mode="json", exclude={"preset", "output"}, exclude_defaults=True)
        return {
            **{f"recipe's {dotted(location)}": value for location, value in _leaves(settings)},
            "data": list(self.data.fingerprints),
            "base model": self.base.revision,
            "number of processes": self.batches.size // self.recipe.batches.size,
        }


def _leaves(value: Any, location: Location = ()) -> Iterator[tuple[Location, Any]]:
    """The single settings in a mapping or a list of settings, with their places."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not inner or not value:  # an empty section says something too: distill: {} asks for it
        yield location, value
        return
    for key, part in inner:
        yield from _leaves(part, (*location, key))


def train(
    recipe: Recipe,
    output: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    show_progress_bar: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Train a model.

    Args:
        recipe: all that decides the outcome.
        output: the folder to write: a SentenceTransformer with ``recipe.yaml`` and ``training.json``.
        resume: go on from the last checkpoint of an interrupted run of the same recipe and data; if its model is
            there already, nothing is left to do.
        overwrite: begin anew, and replace a model that is there.
        show_progress_bar: with the losses beside it; without it, the trainer prints nothing.
        say: is told what happens, a line at a time.

    Returns:
        How it ended. On SIGINT or SIGTERM a checkpoint is written after the current step; ``resume`` goes on there.

    Raises:
        HybridError: something is wrong with the recipe, the data, the base model or the folders, before training; or
            the model cannot be written, after it.
    """
    from accelerate import PartialState
    from accelerate.utils import set_seed

    check_training(recipe.training)  # of a file they are checked when it is read, and their lines named
    state = PartialState(cpu=_on_cpu(recipe))
    processes, main = state.num_processes, state.is_main_process  # the state is lost when the trainer's arguments fail
    if resume and not overwrite and (done := finished(output, dump_recipe(recipe))) is not None:
        _check_same(done, recipe, output)
        return Trained(output, None, done.steps, main)
    check_folders(output, resume=resume, overwrite=overwrite)
    plan = _Plan.of(recipe, output, processes)
    checkpoint = checkpoint_of(output, plan.identity) if resume else None
    set_seed(recipe.seed)  # adapters are drawn at random
    model = load_base_model(recipe.model, base=plan.base)
    own_length = model.max_seq_length
    cut_texts(model, recipe.model)
    without = {} if plan.batches.has_monolingual else {"distillation": None}  # no teacher that would have no batch
    loss = build_loss(model, recipe.loss.model_copy(update=without))
    state.wait_for_everyone()  # nobody may see what the next lines make before all have looked
    with at_work(output, resume=resume, overwrite=overwrite) if main else nullcontext():
        try:
            stop = StopOnSignal()
            trainer = _trainer(plan, model, loss, stop, show_progress_bar)
            if main:
                if not resume:
                    begin(output, plan.identity, dump_recipe(recipe))
                for line in _summary(plan, checkpoint):
                    say(line)
            state.wait_for_everyone()
            with in_pieces(model) if _on_cpu(recipe) else nullcontext():
                seconds = _fit(trainer, stop, checkpoint, output)
            step = trainer.state.global_step
            if stop.received is not None and step < plan.length.steps:
                return Trained(None, stop.received, step, main)
            if main:
                if recipe.model.max_seq_length is not None:
                    model.max_seq_length = own_length
                _save(model, recipe, _record(plan, trainer, model, seconds, checkpoint), output)
            state.wait_for_everyone()
            return Trained(output, None, step, main)
        except BaseException:
            if main:
                abandon(output)
            raise


def _check_same(done: TrainingRecord, recipe: Recipe, output: Path) -> None:
    """Raise a HybridError if a model was made of another base model or of other texts than its recipe now names."""
    trained_on = [source.fingerprint for source in done.data]
    same = {
        "base model": find_base(recipe.model).revision == done.base_revision,
        "data": [source.fingerprint for source in load_data(recipe).records] == trained_on,
    }
    for what in (what for what, is_same in same.items() if not is_same):
        raise HybridError(
            f"the {what} changed since {output} was trained; choose another --output, or replace it with --overwrite"
        )


def _trainer(
    plan: _Plan, model: SentenceTransformer, loss: nn.Module, stop: StopOnSignal, show_progress_bar: bool
) -> HybridTrainer:
    from transformers import PrinterCallback

    from mteb_hybrid.data.parallel_corpus import parallel_views

    pivot = plan.recipe.loss.pivot if plan.recipe.loss.needs_pivot else None
    try:
        trainer = HybridTrainer(
            model=model,
            args=_arguments(plan, model, show_progress_bar),
            train_dataset=parallel_views(plan.data.corpora, pivot=pivot),
            eval_dataset=plan.data.validation,
            loss=loss,
            callbacks=[stop, *_early_stopping(plan.recipe)],
        )
    except (ValueError, ImportError, RuntimeError) as error:  # the last by trackers that are not installed
        raise HybridError(f"training: {error}") from error
    trainer.remove_callback(PrinterCallback)
    return trainer


def _fit(trainer: HybridTrainer, stop: StopOnSignal, checkpoint: Path | None, output: Path) -> float:
    """Train, and tell how many seconds it took."""
    began = time.monotonic()
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        trainer.check_weights()
    except (ValueError, ImportError, TypeError, re.error) as error:
        if stop.began:
            raise
        raise HybridError(f"training: {error}") from error  # of the optimizer or the schedule
    except BrokenPipeError:
        raise
    except Exception as error:
        if (reason := refusal(error)) is None:
            raise
        raise HybridError(f"training stopped ({reason}); mend that, and {way_on(output)}") from error
    finally:
        stop.restore()
    return time.monotonic() - began


def _arguments(
    plan: _Plan, model: SentenceTransformer, show_progress_bar: bool
) -> SentenceTransformerTrainingArguments:
    import torch
    from sentence_transformers import SentenceTransformerTrainingArguments
    from sentence_transformers.base.sampler import BatchSamplers

    recipe, length = plan.recipe, plan.length
    tenth = max(1, min(500, length.steps // 10))
    values: dict[str, Any] = {
        "logging_steps": max(1, length.steps // 50),
        "save_steps": tenth,
        "save_total_limit": 2,
        "report_to": "none",
        "dataloader_pin_memory": torch.cuda.is_available(),
        **recipe.training,
        "output_dir": str(work_folder(plan.output)),
        "use_cpu": _on_cpu(recipe),  # said outright, or bf16 is refused
        "per_device_train_batch_size": recipe.batches.size,
        "seed": recipe.seed,
        "prompts": training_prompts(
            model, max(corpus.negatives for corpus in plan.data.corpora), pivot=recipe.loss.needs_pivot
        ),
        "batch_sampler": BatchSamplers.NO_DUPLICATES,  # of the validation; training has its own
        "multi_dataset_batch_sampler": partial(
            HybridBatchSampler,
            strategy=recipe.batches.strategy,
            alpha=recipe.batches.alpha,
            steps=length.batches,
            size_exponent=recipe.batches.size_exponent,
        ),
        "restore_callback_states_from_checkpoint": True,  # early stopping counts on
        "disable_tqdm": not show_progress_bar,
    }
    if recipe.validation is not None:
        every = recipe.validation.every or tenth
        values |= {"eval_strategy": "steps", "eval_steps": every, "save_strategy": "steps", "save_steps": every}
        values |= {"load_best_model_at_end": True, "metric_for_best_model": "eval_loss", "greater_is_better": False}
        values.setdefault("per_device_eval_batch_size", recipe.batches.size)
    arguments = SentenceTransformerTrainingArguments(**values)
    arguments.dataloader_drop_last = False  # as set for several processes; but all of a validation may be a short batch
    arguments._n_gpu = min(arguments.n_gpu, 1)  # several have a process each; else the trainer would enlarge the batch
    return arguments


def _on_cpu(recipe: Recipe) -> bool:
    """Whether to train on the processor, as is asked or as nothing else is there; processes agree on it at once."""
    import torch
    from accelerate.utils import parse_flag_from_env

    asked = recipe.training.get("use_cpu", parse_flag_from_env("ACCELERATE_USE_CPU"))
    return bool(asked) or not torch.accelerator.is_available()


def _early_stopping(recipe: Recipe) -> list[Any]:
    from transformers import EarlyStoppingCallback

    patience = recipe.validation.patience if recipe.validation else None
    return [EarlyStoppingCallback(early_stopping_patience=patience)] if patience else []


def _summary(plan: _Plan, checkpoint: Path | None) -> list[str]:
    recipe, data, length = plan.recipe, plan.data, plan.length
    lines = [
        f"data: {record.name}, {record.rows:,} rows, {record.pairs:,} pairs in {', '.join(record.languages)}"
        for record in data.records
    ]
    if data.validation is not None:
        lines.append(f"validation: {len(data.validation):,} pairs")
    lines.append(
        f"batches: {recipe.batches.strategy}, {plan.batches.size} pairs, {length.epoch:,} an epoch; "
        f"{length.steps:,} steps"
    )
    return lines + ([f"resuming from {checkpoint.name}"] if checkpoint else [])


def _record(
    plan: _Plan, trainer: HybridTrainer, model: SentenceTransformer, seconds: float, checkpoint: Path | None
) -> TrainingRecord:
    base, before, state = plan.base, plan.before, trainer.state
    best = state.best_model_checkpoint
    return TrainingRecord(
        base=base.source,
        base_revision=base.revision,
        base_mteb_tasks=before.tasks,
        base_data=before.sources,
        origin=before.origin,
        data=located(plan.data.records),
        steps=state.global_step,
        best_step=int(best.rpartition("-")[2]) if best else None,
        batch_size=plan.batches.size,
        processes=trainer.args.world_size,
        batches_digest=batch_digest(islice(_all(plan.batches), plan.length.batches_by(state.global_step))),
        encoder=encoder_record(model),
        seconds=round(seconds, 1),
        resumed_at=int(checkpoint.name.rpartition("-")[2]) if checkpoint else None,
        hardware=_hardware(),
        versions={"python": platform.python_version(), **package_versions(_PACKAGES)},
        curve=state.log_history,
    )


def _save(model: SentenceTransformer, recipe: Recipe, record: TrainingRecord, output: Path) -> None:
    if recipe.model.lora is not None:
        merge_lora(model)
    work = work_folder(output)
    try:
        with whole_folder(output) as folder:
            model.save_pretrained(str(folder), create_model_card=False)
            (folder / RECIPE).write_text(dump_recipe(recipe), encoding="utf-8")
            (folder / RECORD).write_text(record_text(record), encoding="utf-8")
            if (work / TRACKED).is_dir():
                shutil.copytree(work / TRACKED, folder / TRACKED)
    except Exception as error:
        if (reason := refusal(error)) is None:
            raise
        raise HybridError(f"cannot write {output} ({reason}); mend that, and {way_on(output)}") from error
    with suppress(OSError):
        discard_folder(work)


def _all(batches: HybridBatches) -> Iterator[Batch]:
    return chain.from_iterable(map(batches.epoch, count()))


def _hardware() -> str:
    import torch

    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    return f"{torch.get_num_threads()} threads of {platform.processor() or platform.machine()}"
