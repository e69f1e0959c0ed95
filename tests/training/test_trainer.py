"""The trainer's additions: the kind of a batch, the losses by kind, and an orderly stop."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate.data_loader import BatchSamplerShard, SkipBatchSampler
from datasets import Dataset, DatasetDict
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainingArguments
from torch import Tensor, nn
from torch.utils.data import BatchSampler, ConcatDataset
from transformers import TrainerControl, TrainerState

from mteb_hybrid.errors import HybridError
from mteb_hybrid.training import teachers
from mteb_hybrid.training.losses import build_loss
from mteb_hybrid.training.recipe import LossSettings
from mteb_hybrid.training.teachers import Teacher
from mteb_hybrid.training.trainer import (
    HybridTrainer,
    SamplerEpoch,
    SharedGradients,
    StopOnSignal,
    TextCollator,
    kind_of_view,
)
from tests.training.small_runs import static_model


@pytest.mark.parametrize("name", ["de-de", "mlqa/de-de", "org/name/de-de", "zh-Hant-zh-Hant", "a-b/zh-Hant-zh-Hant"])
def test_views_of_one_language(name: str) -> None:
    assert kind_of_view(name) == "mono"


@pytest.mark.parametrize(
    "name",
    [
        "de-en",
        "mlqa/de-en",
        "de-de/de-en",
        "zh-Hant-zh",
        "zh-zh-Hant",
        "zh-Hant-zh-Hans",
        "a/zh-Hans-zh-Hant",
        "de-den",
    ],
)
def test_views_of_two_languages(name: str) -> None:
    assert kind_of_view(name) == "cross"


class ValueOfText(nn.Module):
    """A loss that is the number in its batch's texts."""

    def __init__(self, model: SentenceTransformer, kinds: list[str]) -> None:
        super().__init__()
        self.model = model
        self.kind = "unset"
        self.kinds = kinds

    def forward(self, columns: Any, labels: Tensor | None = None) -> Tensor:
        self.kinds.append(self.kind)
        columns = list(columns)
        words = self.model.tokenizer.decode_batch(columns[0]["input_ids"].reshape(-1, 1).tolist())
        value = sum(map(float, words)) / len(words)
        return self.model(columns[0])["sentence_embedding"].sum() * 0 + value


def pairs(*values: int) -> Dataset:
    """A pair for each value."""
    return Dataset.from_dict({"query": list(map(str, values)), "passage": list(map(str, values))})


@pytest.fixture
def trainer(tmp_path: Path) -> Iterator[HybridTrainer]:
    """Batches of one pair: in five, losses 1, 2, 4 of one language and 8, 16 of two by turns; in a sixth, 32 of one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    model = SentenceTransformer(str(static_model(tmp_path / "model", list(map(str, [1, 2, 4, 8, 16, 32, 64])))))
    views = DatasetDict({"x/de-de": pairs(1, 2, 4, 32), "x/de-en": pairs(8, 16)})
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(tmp_path / "run"),
        use_cpu=True,
        per_device_train_batch_size=1,
        max_steps=6,
        logging_steps=5,
        report_to="none",
        disable_tqdm=True,
        save_strategy="no",
        multi_dataset_batch_sampler=in_order,
    )
    kinds: list[str] = []
    yield HybridTrainer(
        model=model, args=arguments, train_dataset=views, eval_dataset=pairs(64), loss=ValueOfText(model, kinds)
    )
    torch.set_num_threads(threads)


def in_order(dataset: Any, batch_samplers: Any, generator: Any, seed: Any) -> Any:
    """Batches of one row each; rows 0 to 3 are of one language, 4 and 5 of two."""
    from sentence_transformers.base.sampler import MultiDatasetDefaultBatchSampler

    class InOrder(MultiDatasetDefaultBatchSampler):
        def __iter__(self) -> Iterator[list[int]]:
            yield from ([row] for row in (0, 4, 1, 5, 2, 3))

        def __len__(self) -> int:
            return 6

    return InOrder(dataset, batch_samplers, generator, seed)


def test_losses_are_logged_by_kind(trainer: HybridTrainer) -> None:
    """After five batches: (1 + 2 + 4) / 3 and (8 + 16) / 2. After the sixth, nothing of those before."""
    trainer.train()
    logs = [entry for entry in trainer.state.log_history if "loss" in entry]
    assert logs[0]["loss"] == pytest.approx(31 / 5)
    assert logs[0]["loss_mono"] == pytest.approx(7 / 3, abs=1e-4)
    assert logs[0]["loss_cross"] == 12.0
    assert len(logs) == 1
    trainer.log({"loss": 32.0})
    assert trainer.state.log_history[-1]["loss_mono"] == 32.0
    assert "loss_cross" not in trainer.state.log_history[-1]
    trainer.log({"loss": 0.0})
    assert "loss_mono" not in trainer.state.log_history[-1]


def test_a_loss_is_told_the_kind(trainer: HybridTrainer) -> None:
    trainer.train()
    assert trainer.loss.kinds == ["mono", "cross", "mono", "cross", "mono", "mono"]


def test_validation_is_not_counted(trainer: HybridTrainer) -> None:
    assert trainer.evaluate()["eval_loss"] == 64.0
    trainer.log({"loss": 1.0})
    assert trainer.state.log_history[-1].keys() & {"loss_mono", "loss_cross"} == set()


@pytest.mark.parametrize(("epoch", "expected"), [(None, 0), (0, 0), (1.0, 1), (1.75, 1), (2.0, 2)])
def test_the_sampler_is_told_its_epoch(epoch: float | None, expected: int) -> None:
    """Also where accelerate has cut its batches for two processes, and skips what was done before."""
    sampler = in_order(ConcatDataset([[0]]), [BatchSampler([], 1, False)], torch.Generator(), 0)
    for outer in (sampler, SkipBatchSampler(BatchSamplerShard(sampler, 2, 0), 1)):
        sampler.set_epoch(99)
        loader = SimpleNamespace(batch_sampler=outer)
        SamplerEpoch().on_epoch_begin(Any, TrainerState(epoch=epoch), TrainerControl(), train_dataloader=loader)
        assert sampler.epoch == expected


# ---- objectives


def test_the_parts_of_a_loss_are_logged(trainer: HybridTrainer, tmp_path: Path) -> None:
    """The means of what the loss says of its parts; it is told how far training is."""
    progress: list[float] = []
    loss = build_loss(trainer.model, LossSettings(keep=0.5))
    forward = loss.forward

    def noted(columns: Any, labels: Tensor | None = None) -> Tensor:
        progress.append(loss.progress)
        value = forward(columns, labels)
        loss.parts["keep"] = torch.tensor(float(len(progress)))
        return value

    loss.forward = noted  # type: ignore[method-assign]
    arguments = trainer.args
    arguments.logging_steps = 3
    views = DatasetDict({"x/de-de": pairs(1, 2, 4, 32), "x/de-en": pairs(8, 16)})
    ours = HybridTrainer(model=trainer.model, args=arguments, train_dataset=views, loss=loss)
    ours.train()
    assert progress == [step / 6 for step in range(6)]
    logs = [entry for entry in ours.state.log_history if "loss_keep" in entry]
    assert [entry["loss_keep"] for entry in logs] == [2.0, 5.0]
    assert all("loss_contrastive" in entry for entry in logs)
    assert isinstance(ours.data_collator, TextCollator)
    assert not ours.data_collator.texts


@pytest.mark.parametrize("half", [False, True])
def test_teachers_read_in_the_precision_of_the_training(
    half: bool, trainer: HybridTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they say is in single precision, and so is what is made of it."""
    seen: list[tuple[bool, torch.dtype]] = []

    class Noted(Teacher):
        def read(self, features: dict[str, Any]) -> Tensor:
            found = super().read(features)
            seen.append((torch.is_autocast_enabled("cpu"), found.dtype))
            return found

    monkeypatch.setattr(teachers, "Teacher", Noted)
    loss = build_loss(trainer.model, LossSettings(keep=0.5))
    arguments = replace(trainer.args, bf16=half, logging_steps=1)
    views = DatasetDict({"x/de-de": pairs(1, 2, 4, 32), "x/de-en": pairs(8, 16)})
    ours = HybridTrainer(model=trainer.model, args=arguments, train_dataset=views, loss=loss)
    ours.train()
    assert set(seen) == {(half, torch.float32)}
    kept = [entry["loss_keep"] for entry in ours.state.log_history if "loss_keep" in entry]
    assert kept[0] == pytest.approx(0.0, abs=1e-6)  # of the same model, before the first step


def test_a_batch_holds_its_texts_where_they_are_asked_for(trainer: HybridTrainer) -> None:
    rows = [{"query": "1", "passage": "2", "label": True, "dataset_name": "x"}] * 2
    for texts in (False, True):
        batch = TextCollator(trainer.model.preprocess, texts=texts)(rows)
        found = {key: value for key, value in batch.items() if key.endswith("_texts")}
        assert found == ({"query_texts": ["1", "1"], "passage_texts": ["2", "2"]} if texts else {})
        features, labels = trainer.collect_features(batch)
        assert [column.get("texts") for column in features] == ([["1", "1"], ["2", "2"]] if texts else [None, None])
        assert labels is not None
        assert labels.tolist() == [True, True]


def test_processes_share_what_is_trained_beside_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other of two processes has a gradient of 3."""
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda gradient: gradient.add_(3.0))
    layer = nn.Linear(1, 1, bias=False)
    for processes, gradient, expected in ((1, 1.0, 1.0), (2, 1.0, 2.0), (2, None, 1.5)):
        layer.weight.grad = None if gradient is None else torch.tensor([[gradient]])
        arguments: Any = SimpleNamespace(world_size=processes)
        SharedGradients(layer).on_pre_optimizer_step(arguments, TrainerState(), TrainerControl())
        assert layer.weight.grad is not None
        assert layer.weight.grad.tolist() == [[expected]]


# ---- signals


@pytest.fixture
def stop() -> Iterator[StopOnSignal]:
    """One that listens."""
    before = {number: signal.getsignal(number) for number in StopOnSignal.SIGNALS}
    stop = StopOnSignal()
    tell(stop, "on_train_begin")
    assert all(signal.getsignal(number) != handler for number, handler in before.items())
    yield stop
    stop.restore()
    assert {number: signal.getsignal(number) for number in StopOnSignal.SIGNALS} == before


def tell(stop: StopOnSignal, event: str) -> TrainerControl:
    """Tell of an event in training; what is asked of the trainer then."""
    control = TrainerControl()
    getattr(stop, event)(SimpleNamespace(world_size=1), TrainerState(), control)
    return control


@pytest.mark.parametrize("number", StopOnSignal.SIGNALS)
def test_a_signal_asks_for_a_checkpoint_and_the_end(number: signal.Signals, stop: StopOnSignal) -> None:
    control = tell(stop, "on_step_end")
    assert not control.should_save
    assert not control.should_training_stop
    os.kill(os.getpid(), number)
    control = tell(stop, "on_step_end")
    assert control.should_save
    assert control.should_training_stop
    assert stop.received == number


def test_a_second_signal_interrupts(stop: StopOnSignal) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
    assert stop.received == signal.SIGTERM


def test_signals_are_given_back_at_the_end(stop: StopOnSignal) -> None:
    during = signal.getsignal(signal.SIGINT)
    tell(stop, "on_train_end")
    after = signal.getsignal(signal.SIGINT)
    assert during != after
    stop.restore()
    assert signal.getsignal(signal.SIGINT) == after


def test_a_thread_does_not_listen() -> None:
    stop, before = StopOnSignal(), signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=tell, args=(stop, "on_train_begin"))
    thread.start()
    thread.join()
    assert stop.began
    assert signal.getsignal(signal.SIGINT) == before


@pytest.mark.parametrize("weight", [300.0, float("nan"), float("inf")])
def test_weights_are_checked_in_half_precision_too(weight: float) -> None:
    """1,000 weights of 300 are no fault, although their sum is more than half precision holds."""
    weights = nn.Linear(1000, 1, bias=False).half()
    nn.init.constant_(weights.weight, weight)
    trainer: Any = SimpleNamespace(model=weights, state=SimpleNamespace(global_step=7))
    if weight == 300:
        HybridTrainer.check_weights(trainer)
    else:
        with pytest.raises(HybridError, match=r"^training diverged by step 7: "):
            HybridTrainer.check_weights(trainer)
