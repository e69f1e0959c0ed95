"""The trainer of sentence-transformers, with the loss of each kind of batch in its log and an orderly stop."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

import torch
from sentence_transformers import SentenceTransformerTrainer
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

KINDS = ("mono", "cross")


class HybridTrainer(SentenceTransformerTrainer):
    """Logs ``loss_mono`` and ``loss_cross`` as well, and tells a loss that asks the kind of its batch."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sums = torch.zeros(len(KINDS), 2)
        self.add_callback(SamplerEpoch())

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
        outcome = super().compute_loss(model, inputs, *args, **kwargs)
        if model.training and name:
            loss = outcome[0] if isinstance(outcome, tuple) else outcome
            sums = self._sums = self._sums.to(loss.device)
            sums[KINDS.index(kind)] += torch.stack([loss.detach().to(sums), torch.ones((), device=loss.device)])
        return outcome

    def _run_epoch(self, *args: Any, **kwargs: Any) -> None:
        """As the trainer's, which takes one step too many when it is resumed after the last."""
        if self.state.global_step < self.state.max_steps:
            super()._run_epoch(*args, **kwargs)  # type: ignore[no-untyped-call]

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """As the trainer's, with the mean loss of each kind of batch since the last time."""
        if "loss" in logs:
            sums = self.accelerator.reduce(self._sums, reduction="sum")
            for kind, (total, count) in zip(KINDS, sums.tolist(), strict=True):
                if count:
                    logs[f"loss_{kind}"] = round(total / count, 4)
            self._sums.zero_()
        super().log(logs, start_time)


def kind_of_view(name: str) -> str:
    """``mono`` or ``cross``, from the name of the view of a batch's first pair: ``de-de``, or ``mlqa/de-en``."""
    view = name.rpartition("/")[2]
    half = len(view) // 2  # tags may hold dashes: zh-Hant-zh-Hant
    return "mono" if view[:half] == view[half + 1 :] and view[half : half + 1] == "-" else "cross"


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
            raise KeyboardInterrupt
        self.received = signal.Signals(number)

    def _any_process(self, args: TrainingArguments) -> bool:
        """All processes stop at the same step, or those that go on would wait for the others for ever."""
        if args.world_size > 1:
            told = torch.tensor([int(self.received or 0)], device=args.device)
            torch.distributed.all_reduce(told, torch.distributed.ReduceOp.MAX)
            self.received = signal.Signals(int(told)) if int(told) else None
        return self.received is not None
