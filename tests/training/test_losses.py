"""The loss of a training run, by hand-computed values of two or three vectors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from mteb_hybrid.errors import HybridError
from mteb_hybrid.training import teachers
from mteb_hybrid.training.losses import build_loss
from mteb_hybrid.training.recipe import DistillationSettings, LossSettings, ModelSettings
from tests.training.lookup import (
    COLUMNS,
    COSINES,
    COSINES_OF_NEGATIVES,
    NEGATIVES,
    PREFIXES,
    TEACHER,
    TEACHER_COSINES,
    VECTORS,
    Lookup,
    encoder,
    infonce,
    kl,
)


class Spoiling(Lookup):
    """One that writes over what it has read, as some poolings do."""

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        features["sentence_embedding"] = self.table[features["input_ids"][:, 0].clone()]
        features["input_ids"].zero_()
        return features


def value(loss: nn.Module, columns: tuple[tuple[str, ...], ...] = COLUMNS) -> Tensor:
    """The loss of a batch."""
    reader = encoder()
    result = loss([reader.preprocess(list(words)) for words in columns], None)
    assert isinstance(result, Tensor)
    return result


def gradient(loss: nn.Module, columns: tuple[tuple[str, ...], ...] = COLUMNS) -> Tensor:
    """The gradient of the loss by the vectors."""
    (table,) = loss.parameters()
    table.grad = None
    value(loss, columns).backward()
    assert table.grad is not None
    return table.grad


def distilled(**settings: Any) -> LossSettings:
    return LossSettings(temperature=0.5, distillation=DistillationSettings(weight=2.0), **settings)


def test_infonce_over_cosines() -> None:
    loss = build_loss(encoder(), LossSettings(temperature=0.5))
    # rows of logits: 2 and 0, -1.2 and 0.96
    expected = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-2.16))) / 2
    assert value(loss).item() == pytest.approx(expected)
    assert value(loss).item() == pytest.approx(infonce(COSINES, 0.5))
    assert loss.kind == "mono"


def test_temperature_is_that_of_the_paper_by_default() -> None:
    # the wrong passage each time: rows of logits 0 and 20, -12 and 9.6
    wrong = (("q1", "q2"), ("p2", "p1"))
    assert value(build_loss(encoder(), LossSettings()), wrong).item() == pytest.approx((20 + 21.6) / 2)


def test_symmetric_is_the_mean_of_both_directions() -> None:
    turned = [list(column) for column in zip(*COSINES, strict=True)]
    loss = build_loss(encoder(), LossSettings(temperature=0.5, symmetric=True))
    assert value(loss).item() == pytest.approx((infonce(COSINES, 0.5) + infonce(turned, 0.5)) / 2)


@pytest.mark.parametrize("mini_batch_size", [None, 1, 5])
@pytest.mark.parametrize("options", [{}, {"keep": 1.0}], ids=["alone", "beside another"])
def test_hard_negatives_are_further_passages_of_their_own_query(
    options: dict[str, float], mini_batch_size: int | None
) -> None:
    loss = build_loss(encoder(), LossSettings(temperature=0.5, mini_batch_size=mini_batch_size, **options))
    cosines = [[1.0, 0.0, 0.0, -math.inf], [-0.6, 0.48, -math.inf, 0.6]]
    assert value(loss, NEGATIVES).item() == pytest.approx(infonce(cosines, 0.5))
    # whatever was read before, of pairs without negatives it is the library's loss to the bit
    library = MultipleNegativesRankingLoss(encoder(), scale=2.0)
    assert value(build_loss(encoder(), LossSettings(temperature=0.5))).item() == value(library).item()
    assert value(loss).item() == pytest.approx(infonce(COSINES, 0.5))


@pytest.mark.parametrize("mini_batch_size", [None, 1, 5])
@pytest.mark.parametrize("options", [{}, {"keep": 1.0}], ids=["alone", "beside another"])
def test_hard_negatives_may_be_shared_by_all_queries(options: dict[str, float], mini_batch_size: int | None) -> None:
    settings = LossSettings(temperature=0.5, mini_batch_size=mini_batch_size, share_negatives=True, **options)
    assert value(build_loss(encoder(), settings), NEGATIVES).item() == pytest.approx(infonce(COSINES_OF_NEGATIVES, 0.5))


@pytest.mark.parametrize("mini_batch_size", [None, 1])
def test_a_negative_that_answers_another_query_does_it_no_harm(mini_batch_size: int | None) -> None:
    """Row 1 has the passage of row 2 as its negative: row 2 loses nothing by it, and its passage is not pushed away."""
    loss = build_loss(encoder(), LossSettings(temperature=0.5, mini_batch_size=mini_batch_size))
    given = (*COLUMNS, ("p2", "n2"))
    cosines = [[1.0, 0.0, 0.0, -math.inf], [-0.6, 0.48, -math.inf, 0.6]]
    assert value(loss, given).item() == pytest.approx(infonce(cosines, 0.5))
    shared = build_loss(encoder(), LossSettings(temperature=0.5, share_negatives=True))
    assert value(shared, given).item() > value(loss, given).item() + 0.1


@pytest.mark.parametrize("mini_batch_size", [None, 1])
def test_gradients_of_own_negatives_by_hand(mini_batch_size: int | None) -> None:
    """Those of the formula, by automatic differentiation of it."""
    loss = build_loss(encoder(), LossSettings(temperature=0.5, mini_batch_size=mini_batch_size, symmetric=True))
    table = torch.tensor(list(VECTORS.values()), requires_grad=True)
    q, p, n = (torch.nn.functional.normalize(table[first : first + 2], dim=1) for first in (0, 2, 4))
    scores = 2 * torch.cat([q @ p.T, (q * n).sum(dim=1, keepdim=True)], dim=1)
    rows = torch.arange(2)
    both = torch.nn.functional.cross_entropy(scores, rows) + torch.nn.functional.cross_entropy(2 * p @ q.T, rows)
    (both / 2).backward()
    torch.testing.assert_close(gradient(loss, NEGATIVES), table.grad)


def test_matryoshka_adds_prefixes_to_the_whole_embedding() -> None:
    loss = build_loss(encoder(), LossSettings(temperature=0.5, matryoshka=[2]))
    assert value(loss).item() == pytest.approx(infonce(COSINES, 0.5) + infonce(PREFIXES, 0.5))


@pytest.mark.parametrize("columns", [COLUMNS, NEGATIVES])
@pytest.mark.parametrize("mini_batch_size", [1, 2, 5])
@pytest.mark.parametrize(
    "options",
    [{}, {"symmetric": True}, {"matryoshka": [2]}],
    ids=["plain", "symmetric", "matryoshka"],
)
@pytest.mark.parametrize("teacher", [None, TEACHER], ids=["alone", "taught"])
def test_cached_gradients_are_those_of_the_whole_batch(
    teacher: dict[str, tuple[float, ...]] | None,
    options: dict[str, Any],
    mini_batch_size: int,
    columns: tuple[tuple[str, ...], ...],
) -> None:
    def loss(mini_batch_size: int | None) -> nn.Module:
        if teacher is None:
            return build_loss(encoder(), LossSettings(temperature=0.5, mini_batch_size=mini_batch_size, **options))
        settings = distilled(mini_batch_size=mini_batch_size, **options)
        return build_loss(encoder(), settings, teacher=encoder(teacher))

    whole, parts = loss(None), loss(mini_batch_size)
    torch.testing.assert_close(value(parts, columns), value(whole, columns))
    torch.testing.assert_close(gradient(parts, columns), gradient(whole, columns))


def test_teacher_adds_the_divergence_of_its_ranking() -> None:
    loss = build_loss(encoder(), distilled(), teacher=encoder(TEACHER))
    expected = infonce(COSINES, 0.5) + 2 * kl(TEACHER_COSINES, COSINES, 0.5)
    assert kl(TEACHER_COSINES, COSINES, 0.5) > 0.1
    assert value(loss).item() == pytest.approx(expected)


def test_teacher_holds_every_prefix_too() -> None:
    loss = build_loss(encoder(), distilled(matryoshka=[2]), teacher=encoder(TEACHER))
    contrastive = infonce(COSINES, 0.5) + infonce(PREFIXES, 0.5)
    held = kl(TEACHER_COSINES, COSINES, 0.5) + kl(TEACHER_COSINES, PREFIXES, 0.5)
    assert value(loss).item() == pytest.approx(contrastive + 2 * held)


@pytest.mark.parametrize("mini_batch_size", [None, 1])
def test_teacher_that_agrees_changes_nothing(mini_batch_size: int | None) -> None:
    plain = build_loss(encoder(), LossSettings(temperature=0.5, mini_batch_size=mini_batch_size))
    taught = build_loss(encoder(), distilled(mini_batch_size=mini_batch_size))
    assert value(taught).item() == value(plain).item()
    torch.testing.assert_close(gradient(taught), gradient(plain))


def test_teacher_is_what_the_model_was_before_training() -> None:
    model = encoder()
    loss = build_loss(model, distilled())
    with torch.no_grad():
        model[0].table.copy_(torch.tensor(list(TEACHER.values())))
    expected = infonce(TEACHER_COSINES, 0.5) + 2 * kl(COSINES, TEACHER_COSINES, 0.5)
    assert value(loss).item() == pytest.approx(expected)


def test_teacher_given_as_the_model_itself_is_copied() -> None:
    model = encoder()
    loss = build_loss(model, distilled(), teacher=model)
    assert gradient(loss).abs().sum() > 0
    assert model[0].table.requires_grad


def test_teacher_is_silent_on_cross_lingual_batches() -> None:
    loss = build_loss(encoder(), distilled(), teacher=encoder(TEACHER))
    assert loss.kind == "mono"
    loss.kind = "cross"  # type: ignore[assignment]
    assert value(loss).item() == pytest.approx(infonce(COSINES, 0.5))
    loss.kind = "mono"  # type: ignore[assignment]
    assert value(loss).item() > infonce(COSINES, 0.5) + 0.1


@pytest.mark.parametrize("mini_batch_size", [None, 1])
def test_validation_is_the_contrastive_part(mini_batch_size: int | None) -> None:
    loss = build_loss(encoder(), distilled(mini_batch_size=mini_batch_size), teacher=encoder(TEACHER))
    with torch.no_grad():
        assert value(loss).item() == pytest.approx(infonce(COSINES, 0.5))


def test_teacher_is_neither_trained_nor_saved() -> None:
    model, teacher = encoder(), encoder(TEACHER).train()
    loss = build_loss(model, distilled(), teacher=teacher)
    value(loss.train()).backward()
    assert [id(weights) for weights in loss.parameters()] == [id(model[0].table)]
    assert not any(module is teacher for module in loss.modules())
    assert all(tensor.data_ptr() == model[0].table.data_ptr() for tensor in loss.state_dict().values())
    assert not teacher.training
    assert teacher[0].table.grad is None
    assert teacher[0].table.tolist() == [list(vector) for vector in map(torch.tensor, TEACHER.values())]


def test_teacher_leaves_the_batch_as_it_is() -> None:
    teacher = SentenceTransformer(modules=[Spoiling(TEACHER)], device="cpu")
    assert teacher.encode(["p1"]).tolist() == [list(TEACHER["p1"])]
    loss = build_loss(SentenceTransformer(modules=[Spoiling(VECTORS)], device="cpu"), distilled(), teacher=teacher)
    expected = infonce(COSINES, 0.5) + 2 * kl(TEACHER_COSINES, COSINES, 0.5)
    assert value(loss).item() == pytest.approx(expected)


def test_loss_that_fails_leaves_nothing_behind() -> None:
    loss = build_loss(encoder(), distilled(), teacher=encoder(TEACHER))
    with pytest.raises(ValueError, match="at least 2"):
        value(loss, COLUMNS[:1])
    with torch.no_grad():
        assert value(loss).item() == pytest.approx(infonce(COSINES, 0.5))


@pytest.fixture
def process_group(tmp_path: Path) -> Iterator[None]:
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("process_group")
@pytest.mark.parametrize("options", [{}, {"matryoshka": [2]}, {"mini_batch_size": 1}], ids=str)
def test_wrapped_model_takes_the_place_of_the_model(options: dict[str, Any]) -> None:
    alone = build_loss(encoder(), distilled(**options), teacher=encoder(TEACHER))
    model = encoder()
    loss = build_loss(model, distilled(gather_across_devices=True, **options), teacher=encoder(TEACHER))
    wrapped = DistributedDataParallel(model)
    trainer = SentenceTransformerTrainer.__new__(SentenceTransformerTrainer)  # as its compute_loss does
    loss = trainer.override_model_in_loss(loss, wrapped)
    holders = [module for module in loss.modules() if hasattr(module, "model")]
    assert len(holders) > 1
    assert all(module.model is wrapped for module in holders)
    torch.testing.assert_close(gradient(loss), gradient(alone))


def tiny_static() -> SentenceTransformer:
    """Static embeddings of four words; the queries are not yet near their passages."""
    tokenizer = Tokenizer(models.WordLevel({"q1": 0, "q2": 1, "p1": 2, "p2": 3, "?": 4}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.1, 1.0], [1.0, 0.1], [1.0, 1.0]])
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=vectors.numpy())], device="cpu")


@pytest.mark.parametrize("distillation", [None, DistillationSettings(weight=0.1)], ids=["alone", "taught"])
def test_stock_trainer_trains_with_it(distillation: DistillationSettings | None, tmp_path: Path) -> None:
    model = tiny_static()
    loss = build_loss(model, LossSettings(temperature=0.5, symmetric=True, distillation=distillation))
    arguments = SentenceTransformerTrainingArguments(
        str(tmp_path),
        max_steps=30,
        per_device_train_batch_size=2,
        learning_rate=0.1,
        logging_steps=1,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
    )
    rows = Dataset.from_dict({"query": ["q1", "q2"], "passage": ["p1", "p2"]})
    trainer = SentenceTransformerTrainer(model, arguments, train_dataset=rows, loss=loss)
    trainer.train()
    curve = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert curve[-1] < curve[0] / 2


def refusal(model: SentenceTransformer, settings: LossSettings, teacher: SentenceTransformer | None = None) -> str:
    with pytest.raises(HybridError) as caught:
        build_loss(model, settings, teacher=teacher)
    return str(caught.value)


def test_embeddings_shorter_than_a_prefix_are_refused() -> None:
    message = refusal(encoder(), LossSettings(matryoshka=[2, 4]))
    assert message == "loss.matryoshka: 4 is more than the 3 dimensions of the model"


def test_static_embeddings_are_not_read_in_parts() -> None:
    assert "loss.mini_batch_size does not work with static embeddings" in refusal(
        tiny_static(), LossSettings(mini_batch_size=8)
    )


def test_teacher_is_loaded_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load(settings: ModelSettings, *, device: str) -> SentenceTransformer:
        asked.append((settings.base, device))
        return encoder(TEACHER)

    monkeypatch.setattr(teachers, "load_base_model", load)
    settings = LossSettings(temperature=0.5, distillation=DistillationSettings(teacher="org/teacher", weight=1.0))
    loss = build_loss(encoder(), settings)
    assert asked == [("org/teacher", "cpu")]
    expected = infonce(COSINES, 0.5) + kl(TEACHER_COSINES, COSINES, 0.5)
    assert value(loss).item() == pytest.approx(expected)
