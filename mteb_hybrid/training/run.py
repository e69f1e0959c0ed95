"""Runs a recipe: reads its data, trains, and writes the model's folder, whole or not at all."""

from __future__ import annotations

import platform
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import chain, count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mteb_hybrid.errors import HybridError
from mteb_hybrid.training.base_model import Base, cut_texts, find_base, load_base_model, merge_lora, training_prompts
from mteb_hybrid.training.batches import Batch, HybridBatches, batch_digest
from mteb_hybrid.training.folders import begin, check_folders, checkpoint_of, whole_folder, work_folder
from mteb_hybrid.training.losses import build_loss
from mteb_hybrid.training.outcome import RECIPE, RECORD, TrainingRecord, read_record, record_text
from mteb_hybrid.training.recipe import Recipe
from mteb_hybrid.training.recipe_file import dump_recipe
from mteb_hybrid.training.sampler import HybridBatchSampler
from mteb_hybrid.training.sources import TrainingData, hybrid_batches, load_data
from mteb_hybrid.training.trainer import HybridTrainer, StopOnSignal

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainingArguments

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
class _Length:
    """How long a run is: batches in an epoch, batches between two steps of the optimizer, and its steps."""

    epoch: int
    accumulation: int
    steps: int

    @property
    def batches(self) -> int:
        """All batches of the run."""
        in_epoch = -(-self.epoch // self.accumulation)
        epochs, rest = divmod(self.steps, in_epoch)
        return epochs * self.epoch + min(rest * self.accumulation, self.epoch)


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
        resume: go on from the last checkpoint of an interrupted run of the same recipe and data.
        overwrite: begin anew, and replace a model that is there.
        show_progress_bar: as in the trainer.
        say: is told what happens, a line at a time.

    Returns:
        How it ended. On SIGINT or SIGTERM a checkpoint is written after the current step; ``resume`` goes on there.

    Raises:
        HybridError: something is wrong with the recipe, the data, the base model or the folders; before training.
    """
    from accelerate import PartialState
    from accelerate.utils import set_seed

    state = PartialState()
    check_folders(output, resume=resume, overwrite=overwrite)
    base = find_base(recipe.model)
    data = load_data(recipe)
    batches = hybrid_batches(data, recipe.batches, seed=recipe.seed, processes=state.num_processes)
    length = _length(recipe, len(batches))
    identity = {"recipe": dump_recipe(recipe), "data": [record.fingerprint for record in data.records]}
    checkpoint = checkpoint_of(output, identity) if resume else None
    set_seed(recipe.seed)  # adapters are drawn at random
    model = load_base_model(recipe.model, base=base)
    own_length = model.max_seq_length
    cut_texts(model, recipe.model)
    loss = build_loss(model, recipe.loss)
    arguments = _arguments(recipe, model, data, length, work_folder(output), show_progress_bar)
    state.wait_for_everyone()  # nobody may see what the next line makes before all have looked
    if state.is_main_process:
        if not resume:
            begin(output, identity)
        for line in _summary(recipe, data, length, checkpoint):
            say(line)
    state.wait_for_everyone()
    return _run(recipe, output, base, model, own_length, loss, arguments, data, batches, length, checkpoint)


def _run(
    recipe: Recipe,
    output: Path,
    base: Base,
    model: SentenceTransformer,
    own_length: int | None,
    loss: Any,
    arguments: SentenceTransformerTrainingArguments,
    data: TrainingData,
    batches: HybridBatches,
    length: _Length,
    checkpoint: Path | None,
) -> Trained:
    from mteb_hybrid.data.parallel_corpus import parallel_views

    stop = StopOnSignal()
    trainer = HybridTrainer(
        model=model,
        args=arguments,
        train_dataset=parallel_views(data.corpora),
        eval_dataset=data.validation,
        loss=loss,
        callbacks=[stop, *_early_stopping(recipe)],
    )
    began = time.monotonic()
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    finally:
        stop.restore()
    main = trainer.is_world_process_zero()
    if stop.received is not None and trainer.state.global_step < length.steps:
        return Trained(None, stop.received, trainer.state.global_step, main)
    if main:
        record = _record(base, data, batches, length, trainer, time.monotonic() - began)
        if recipe.model.max_seq_length is not None:
            model.max_seq_length = own_length
        _save(model, recipe, record, output)
    trainer.accelerator.wait_for_everyone()
    return Trained(output, None, trainer.state.global_step, main)


def _length(recipe: Recipe, epoch: int) -> _Length:
    accumulation = int(recipe.training.get("gradient_accumulation_steps", 1))
    steps = int(recipe.training.get("max_steps", -1))
    if steps <= 0:
        in_epoch = -(-epoch // accumulation)
        steps = -int(-float(recipe.training.get("num_train_epochs", 3)) * in_epoch // 1)
    return _Length(epoch, accumulation, steps)


def _arguments(
    recipe: Recipe,
    model: SentenceTransformer,
    data: TrainingData,
    length: _Length,
    work: Path,
    show_progress_bar: bool,
) -> SentenceTransformerTrainingArguments:
    import torch
    from sentence_transformers import SentenceTransformerTrainingArguments
    from sentence_transformers.base.sampler import BatchSamplers

    tenth = max(1, min(500, length.steps // 10))
    values: dict[str, Any] = {
        "logging_steps": max(1, length.steps // 50),
        "save_steps": tenth,
        "save_total_limit": 2,
        "report_to": "none",
        "use_cpu": not torch.accelerator.is_available(),  # said, or bf16 is refused there
        "dataloader_pin_memory": torch.accelerator.is_available(),
        **recipe.training,
        "output_dir": str(work),
        "per_device_train_batch_size": recipe.batches.size,
        "seed": recipe.seed,
        "prompts": training_prompts(model, max(corpus.negatives for corpus in data.corpora)),
        "batch_sampler": BatchSamplers.NO_DUPLICATES,  # of the validation; training has its own
        "multi_dataset_batch_sampler": partial(
            HybridBatchSampler,
            strategy=recipe.batches.strategy,
            alpha=recipe.batches.alpha,
            steps=length.batches,
            size_exponent=recipe.batches.size_exponent,
        ),
        "disable_tqdm": not show_progress_bar,
    }
    if recipe.validation is not None:
        every = recipe.validation.every or tenth
        values |= {"eval_strategy": "steps", "eval_steps": every, "save_strategy": "steps", "save_steps": every}
        values |= {"load_best_model_at_end": True, "metric_for_best_model": "eval_loss", "greater_is_better": False}
        values.setdefault("per_device_eval_batch_size", recipe.batches.size)
    try:
        return SentenceTransformerTrainingArguments(**values)
    except (ValueError, ImportError) as error:
        raise HybridError(f"training: {error}") from None


def _early_stopping(recipe: Recipe) -> list[Any]:
    from transformers import EarlyStoppingCallback

    patience = recipe.validation.patience if recipe.validation else None
    return [EarlyStoppingCallback(early_stopping_patience=patience)] if patience else []


def _summary(recipe: Recipe, data: TrainingData, length: _Length, checkpoint: Path | None) -> list[str]:
    lines = [
        f"data: {record.name}, {record.rows:,} rows, {record.pairs:,} pairs in {', '.join(record.languages)}"
        for record in data.records
    ]
    if data.validation is not None:
        lines.append(f"validation: {len(data.validation):,} pairs")
    lines.append(
        f"batches: {recipe.batches.strategy}, {recipe.batches.size} pairs, {length.epoch:,} an epoch; "
        f"{length.steps:,} steps"
    )
    return lines + ([f"resuming from {checkpoint.name}"] if checkpoint else [])


def _record(
    base: Base,
    data: TrainingData,
    batches: HybridBatches,
    length: _Length,
    trainer: HybridTrainer,
    seconds: float,
) -> TrainingRecord:
    done = _Length(length.epoch, length.accumulation, trainer.state.global_step).batches
    best = trainer.state.best_model_checkpoint
    before = read_record(Path(base.source)) if base.kind == "folder" else None
    return TrainingRecord(
        base=base.source,
        base_revision=base.revision,
        base_mteb_tasks=sorted(before.mteb_tasks) if before else [],
        data=list(data.records),
        steps=trainer.state.global_step,
        best_step=int(best.rpartition("-")[2]) if best else None,
        batch_size=batches.size,
        processes=trainer.args.world_size,
        batches_digest=batch_digest(islice(_all(batches), done)),
        seconds=round(seconds, 1),
        hardware=_hardware(),
        versions={"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}},
        curve=trainer.state.log_history,
    )


def _save(model: SentenceTransformer, recipe: Recipe, record: TrainingRecord, output: Path) -> None:
    if recipe.model.lora is not None:
        merge_lora(model)
    with whole_folder(output) as folder:
        model.save_pretrained(str(folder), create_model_card=False)
        (folder / RECIPE).write_text(dump_recipe(recipe), encoding="utf-8")
        (folder / RECORD).write_text(record_text(record), encoding="utf-8")
    shutil.rmtree(work_folder(output), ignore_errors=True)


def _all(batches: HybridBatches) -> Iterator[Batch]:
    return chain.from_iterable(map(batches.epoch, count()))


def _hardware() -> str:
    import torch

    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    return f"{torch.get_num_threads()} threads of {platform.processor() or platform.machine()}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # run from a folder of sources
        return "unknown"
