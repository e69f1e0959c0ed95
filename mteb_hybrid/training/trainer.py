"""The trainer of sentence-transformers, with the parts of the loss in its log and an orderly stop."""

from __future__ import annotations

import math
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformerTrainer
from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator
from torch import nn
from transformers import EarlyStoppingCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from mteb_hybrid.errors import HybridError, Terminated
from mteb_hybrid.training.combined_loss import ObjectivesLoss

KINDS = ("mono", "cross")
PROJECTION = "projection.safetensors"
"""In a checkpoint: what distill trains along. The model that is left has none of it."""


@dataclass
class TextCollator(SentenceTransformerDataCollator):
    """Tokenises a batch; where a teacher of another vocabulary reads along, the batch holds its texts as well."""

    texts: bool = False

    def __call__(self, features: list[dict[str, Any]]) -> dict[str, Any]:
        """The batch of some rows."""
        batch: dict[str, Any] = super().__call__(features)
        if self.texts:
            columns = [key for key, value in features[0].items() if isinstance(value, str) and key != "dataset_name"]
            batch |= {f"{name}_texts": [row[name] for row in features] for name in columns}
        return batch


class HybridTrainer(SentenceTransformerTrainer):
    """Logs the loss of each kind of batch and of each objective, and tells a loss that asks what batch it is.

    ``loss_mono`` and ``loss_cross`` are means of the whole loss; ``loss_keep`` and so on are those of one objective,
    without its weight, over the batches on which it is not silent.
    """

    data_collator_class = TextCollator

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        objectives = self.loss.names if isinstance(self.loss, ObjectivesLoss) else ()
        if isinstance(self.loss, ObjectivesLoss):
            self.loss.precision = self.accelerator.autocast
        self._logged = (*KINDS, *objectives)
        self._sums = torch.zeros(len(self._logged), 2)
        if isinstance(self.loss, ObjectivesLoss) and isinstance(self.data_collator, TextCollator):
            self.data_collator.texts = self.loss.reads_texts
        self.add_callback(SamplerEpoch())
        if self._projection is not None:
            self.add_callback(SharedGradients(self._projection))

    def should_dataset_name_column_be_added(self, *args: Any, **kwargs: Any) -> bool:
        """The name of its view tells the kind of a batch."""
        return isinstance(self.train_dataset, dict)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """No statistics of every pair of languages: what was trained on is in ``training.json``."""

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any
    ) -> torch.Tensor | tuple[torch.Tensor, dict[str, Any]]:
        """As the trainer's, and kept for the log."""
        name = inputs.get("dataset_name")
        kind = kind_of_view(name) if name else "mono"
        if hasattr(self.loss, "kind"):
            self.loss.kind = kind
        if isinstance(self.loss, ObjectivesLoss):
            self.loss.progress = self.state.global_step / max(self.state.max_steps, 1)
        outcome = super().compute_loss(model, inputs, *args, **kwargs)
        if model.training and name:
            parts = {kind: outcome[0] if isinstance(outcome, tuple) else outcome}
            if isinstance(self.loss, ObjectivesLoss):
                parts |= self.loss.parts
            self._count(parts)
        return outcome

    def _count(self, parts: dict[str, torch.Tensor]) -> None:
        for name, value in parts.items():
            sums = self._sums = self._sums.to(value.device)
            sums[self._logged.index(name)] += torch.stack(
                [value.detach().to(sums), torch.ones((), device=value.device)]
            )

    def _run_epoch(self, *args: Any, **kwargs: Any) -> None:
        """As the trainer's, which takes steps too many when it is resumed after the last."""
        if self._out_of_patience:
            self.control.should_training_stop = True
        elif self.state.global_step < self.state.max_steps:
            super()._run_epoch(*args, **kwargs)  # type: ignore[no-untyped-call]

    @property
    def _out_of_patience(self) -> bool:
        """Whether training has been stopped early."""
        callbacks = [each for each in self.callback_handler.callbacks if isinstance(each, EarlyStoppingCallback)]
        return any(each.early_stopping_patience_counter >= each.early_stopping_patience for each in callbacks)

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        """As the trainer's, but none of a training that has diverged, which would take the place of a good one."""
        self.check_weights()
        super()._save_checkpoint(*args, **kwargs)

    def check_weights(self) -> None:
        """Raise a HybridError if training has diverged: no step leads back from weights that are no numbers."""
        # Sums, as what is made of single weights would need as much memory again; in half precision they may overflow.
        trained = (weights.detach() for weights in self.model.parameters() if weights.requires_grad)
        sums = [weights.sum(dtype=torch.float32) for weights in trained]
        if sums and not torch.stack(sums).isfinite().all():
            raise HybridError(
                f"training diverged by step {self.state.global_step}: weights are no longer finite; lower "
                "training.learning_rate, and begin anew with --overwrite"
            )

    @property
    def _projection(self) -> nn.Linear | None:
        return self.loss.projection if isinstance(self.loss, ObjectivesLoss) else None

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        """As the trainer's, and what is trained beside the model."""
        super()._save_optimizer_and_scheduler(output_dir)
        if self._projection is not None and self.args.should_save:
            save_file(dict(self._projection.state_dict()), Path(output_dir) / PROJECTION)

    def _load_from_checkpoint(self, checkpoint_path: str) -> None:  # type: ignore[override]  # as sentence-transformers
        """As the trainer's, and what was trained beside the model."""
        super()._load_from_checkpoint(checkpoint_path)
        if self._projection is not None:
            self._projection.load_state_dict(load_file(Path(checkpoint_path) / PROJECTION))

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """As the trainer's, with the mean loss of each kind of batch since the last time."""
        if "loss" in logs:
            sums = self.accelerator.reduce(self._sums, reduction="sum")
            for name, (total, count) in zip(self._logged, sums.tolist(), strict=True):
                if not math.isfinite(total):  # in half precision it may happen: the step is left out, and weights stay
                    self.check_weights()
                if count:
                    logs[f"loss_{name}"] = round(total / count, 4)
            self._sums.zero_()
        super().log(logs, start_time)


def kind_of_view(name: str) -> str:
    """``mono`` or ``cross``, from the name of the view of a batch's first pair: ``de-de``, or ``mlqa/de-en``."""
    view = name.rpartition("/")[2]
    half = len(view) // 2  # tags may hold dashes: zh-Hant-zh-Hant
    return "mono" if view[:half] == view[half + 1 :] and view[half : half + 1] == "-" else "cross"


class SharedGradients(TrainerCallback):
    """Gives a part of the loss the mean of its gradients in all processes, as the model's are given theirs."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Before they are used."""
        if args.world_size > 1:
            for weights in self._module.parameters():
                gradient = torch.zeros_like(weights) if weights.grad is None else weights.grad
                torch.distributed.all_reduce(gradient)
                weights.grad = gradient / args.world_size


class SamplerEpoch(TrainerCallback):
    """Tells the batch sampler which epoch it is: the trainer does not, where several processes resume within one."""

    def on_epoch_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        train_dataloader: Any = None,
        **kwargs: Any,
    ) -> None:
        """Look for the sampler within those that cut and skip its batches."""
        sampler = train_dataloader.batch_sampler
        while hasattr(sampler, "batch_sampler"):
            sampler = sampler.batch_sampler
        sampler.set_epoch(int(state.epoch or 0))


class StopOnSignal(TrainerCallback):
    """Ends training after the current step on SIGINT or SIGTERM, with a checkpoint; a second signal ends it at once.

    Attributes:
        received: the signal, or None.
        began: whether training has begun.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self.began = False
        self._before: dict[signal.Signals, Any] = {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Listen."""
        self.began = True
        if threading.current_thread() is not threading.main_thread():
            return  # signals are for the main thread alone
        for number in self.SIGNALS:
            self._before[number] = signal.signal(number, self._handle)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Listen no more."""
        self.restore()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Stop if any process was told to."""
        if self._any_process(args):
            control.should_save = control.should_training_stop = True

    def restore(self) -> None:
        """Give the signals back to whoever had them."""
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self.received is not None:
            raise Terminated if number == signal.SIGTERM else KeyboardInterrupt
        self.received = signal.Signals(number)

    def _any_process(self, args: TrainingArguments) -> bool:
        """All processes stop at the same step, or those that go on would wait for the others for ever."""
        if args.world_size > 1:
            told = torch.tensor([int(self.received or 0)], device=args.device)
            torch.distributed.all_reduce(told, torch.distributed.ReduceOp.MAX)
            self.received = signal.Signals(int(told)) if int(told) else None
        return self.received is not None
