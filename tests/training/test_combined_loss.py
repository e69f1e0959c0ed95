"""The contrastive loss with other objectives beside it, on two rows whose cosines are worked by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from mteb_hybrid.errors import HybridError
from mteb_hybrid.training.combined_loss import ObjectivesLoss
from mteb_hybrid.training.losses import build_loss
from mteb_hybrid.training.recipe import DistillSettings, LossSettings
from tests.training.lookup import Lookup, encoder, infonce, kl

# Queries and passages, their parallels in the pivot language, and hard negatives.
VECTORS = {
    "q1": (1.0, 0.0, 0.0),
    "q2": (0.0, 2.0, 0.0),
    "p1": (0.6, 0.8, 0.0),
    "p2": (0.0, 0.6, 0.8),
    "pivot q1": (0.6, 0.0, 0.8),
    "pivot q2": (0.0, 0.0, 1.0),
    "pivot p1": (1.0, 0.0, 0.0),
    "pivot p2": (0.0, 0.0, -2.0),
    "n1": (0.0, 1.0, 0.0),
    "n2": (0.8, 0.6, 0.0),
}
OWN = (("q1", "q2"), ("p1", "p2"))
PIVOT = (("pivot q1", "pivot q2"), ("pivot p1", "pivot p2"))
WITH_NEGATIVES = (*OWN, ("n1", "n2"))

COSINES = [[0.6, 0.0], [0.8, 0.6]]  # of the queries and the passages
PIVOT_COSINES = [[0.36, 0.64], [0.0, 0.8]]  # of the queries of the pivot language and the same passages

# What training made of them: q1 is a cosine of 0.6 from where it was, and no prefix is nothing.
MOVED = VECTORS | {"q1": (0.6, 0.8, 0.0), "pivot q2": (0.1, 0.0, 1.0), "pivot p2": (0.1, 0.0, -2.0)}

Words = tuple[tuple[str, ...], ...]


def loss_of(
    model: SentenceTransformer | None = None, teacher: SentenceTransformer | None = None, **options: Any
) -> Any:
    settings = LossSettings.model_validate({"temperature": 0.5, "contrastive": 0.0} | options)
    return build_loss(model or encoder(VECTORS), settings, teacher=teacher)


def value(
    loss: nn.Module,
    own: Words = OWN,
    pivot: Words = PIVOT,
    present: tuple[bool, bool] = (True, True),
    texts: bool = False,
) -> Tensor:
    """The loss of a batch."""
    reader = Lookup(VECTORS)
    columns: list[dict[str, Any]] = [reader.preprocess(list(words)) for words in (*own, *pivot)]
    if texts:
        columns = [column | {"texts": list(words)} for column, words in zip(columns, (*own, *pivot), strict=True)]
    result = loss(columns, torch.tensor(present) if pivot else None)
    assert isinstance(result, Tensor)
    return result


def gradients(loss: nn.Module, share: float = 1.0, **batch: Any) -> list[Tensor]:
    """The gradients of a share of the loss by all that is trained."""
    loss.zero_grad()
    (share * value(loss, **batch)).backward()
    found = [weights.grad for weights in loss.parameters()]
    return [torch.zeros(0) if gradient is None else gradient for gradient in found]


def distance(*cosines: float) -> float:
    """Mean of 1 - cosine."""
    return sum(1 - cosine for cosine in cosines) / len(cosines)


def part(name: str, loss: Any) -> float:
    return float(loss.parts[name])


ALONE: dict[str, dict[str, Any]] = {
    "distill": {"distill": {"weight": 1.0}},
    "score_distill": {"score_distill": {"teacher": "base"}},
    "score_distill of itself": {"score_distill": {}},
    "translate_align": {"translate_align": 1.0},
    "keep": {"keep": 1.0},
    "distillation": {"distillation": {}},
}
ROWS = {  # what each of the two rows is worth
    "distill": [distance(0.6, 0.6), distance(0.0, -0.8)],
    "score_distill": [kl([PIVOT_COSINES[row]], [COSINES[row]], 0.5) for row in (0, 1)],
    "translate_align": [distance(0.6), distance(-0.8)],
}
ROWS["score_distill of itself"] = ROWS["score_distill"]


# ---- each by hand


@pytest.mark.parametrize("mini_batch_size", [None, 1])
@pytest.mark.parametrize("name", ROWS)
def test_objectives_of_parallel_texts_by_hand(name: str, mini_batch_size: int | None) -> None:
    loss = loss_of(mini_batch_size=mini_batch_size, **ALONE[name])
    first, second = ROWS[name]
    assert first > 0.01
    assert second > 0.01
    assert value(loss).item() == pytest.approx((first + second) / 2)
    assert value(loss, present=(True, False)).item() == pytest.approx(first / 2)
    assert value(loss, present=(False, False)).item() == 0


def test_distill_by_numbers() -> None:
    """Row 1: the mean of 0.4 and 0.4; row 2: of 1 and 1.8."""
    assert value(loss_of(**ALONE["distill"])).item() == pytest.approx((0.4 + 1.4) / 2)


@pytest.mark.parametrize("mini_batch_size", [None, 1])
def test_keep_by_hand(mini_batch_size: int | None) -> None:
    """One of six texts has moved, to a cosine of 0.6."""
    model = encoder(VECTORS)
    loss = loss_of(model, mini_batch_size=mini_batch_size, keep=1.0)
    with torch.no_grad():
        model[0].table.copy_(torch.tensor(list(MOVED.values())))
    assert value(loss, WITH_NEGATIVES, ()).item() == pytest.approx(0.4 / 6)


def test_hard_negatives_are_scored_as_well() -> None:
    loss = loss_of(**ALONE["score_distill of itself"])
    own = [[0.6, 0.0, 0.0, 0.8], [0.8, 0.6, 1.0, 0.6]]
    pivot = [[0.36, 0.64, 0.0, 0.48], [0.0, 0.8, 0.0, 0.0]]
    assert value(loss, WITH_NEGATIVES).item() == pytest.approx(kl(pivot, own, 0.5))
    loss = loss_of(**ALONE["score_distill"])
    assert value(loss, WITH_NEGATIVES).item() == pytest.approx(kl(pivot, own, 0.5))


def test_score_distill_of_itself_moves_only_the_own_query_and_what_it_scores() -> None:
    """The scores of the pivot language are a goal: nothing is learnt through them."""
    (table,) = gradients(loss_of(**ALONE["score_distill of itself"]))
    moved = {word for word, row in zip(VECTORS, table, strict=True) if row.abs().sum() > 0}
    assert moved == {"q1", "q2", "p1", "p2"}


def test_translate_align_moves_both_sides() -> None:
    (table,) = gradients(loss_of(translate_align=1.0))
    moved = {word for word, row in zip(VECTORS, table, strict=True) if row.abs().sum() > 0}
    assert moved == {"p1", "p2", "pivot p1", "pivot p2"}


@pytest.mark.parametrize("name", ALONE)
def test_a_model_that_is_compared_with_itself_loses_nothing(name: str) -> None:
    """Texts of the pivot language are their own parallels, and the base model is where it was."""
    for mini_batch_size in (None, 1):
        loss = loss_of(mini_batch_size=mini_batch_size, **ALONE[name])
        assert value(loss, OWN, OWN).item() == pytest.approx(0, abs=1e-6)
        for gradient in gradients(loss, own=OWN, pivot=OWN):
            torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-6)


# ---- together


def test_objectives_add_up_by_their_weights() -> None:
    loss = loss_of(
        contrastive=0.5, distill={"weight": 3.0}, score_distill={"weight": 5.0}, translate_align=7.0, keep=11.0
    )
    parts = {name: sum(ROWS[name]) / 2 for name in ("distill", "score_distill", "translate_align")}
    expected = 0.5 * infonce(COSINES, 0.5)
    expected += 3 * parts["distill"] + 5 * parts["score_distill"] + 7 * parts["translate_align"]
    assert value(loss).item() == pytest.approx(expected)
    assert loss.names == ("contrastive", "distill", "score_distill", "translate_align", "keep")
    assert part("contrastive", loss) == pytest.approx(infonce(COSINES, 0.5))
    assert part("keep", loss) == pytest.approx(0, abs=1e-6)
    for name, expected in parts.items():
        assert part(name, loss) == pytest.approx(expected)


def test_the_contrastive_loss_never_sees_the_pivot_language() -> None:
    """Nor when the model reads its passages: they are no negatives."""
    loss = loss_of(contrastive=1.0, translate_align=1.0)
    cosines = [[*row, own] for row, own in zip(COSINES, [0.0, 0.6], strict=True)]  # of each row's own negative
    value(loss, WITH_NEGATIVES)
    assert part("contrastive", loss) == pytest.approx(infonce(cosines, 0.5))


OFF = {"distill": {"weight": 0.0, "teacher": "not/loaded"}, "score_distill": {"weight": 0.0}, "keep": 0.0}


def test_a_weight_of_0_changes_nothing() -> None:
    plain = build_loss(encoder(VECTORS), LossSettings())
    off = build_loss(encoder(VECTORS), LossSettings.model_validate(OFF | {"translate_align": 0.0}))
    assert type(off) is type(plain)
    assert value(off, OWN, ()).item() == value(plain, OWN, ()).item()
    assert not LossSettings.model_validate(OFF).needs_pivot


def test_objectives_on_a_batch_without_the_pivot_language_leave_the_contrastive_loss() -> None:
    loss = loss_of(contrastive=1.0, distill={}, score_distill={}, translate_align=1.0)
    assert value(loss, present=(False, False)).item() == pytest.approx(infonce(COSINES, 0.5))


def test_a_weight_of_the_contrastive_loss_alone() -> None:
    loss = loss_of(contrastive=0.25)
    assert value(loss, OWN, ()).item() == pytest.approx(infonce(COSINES, 0.5) / 4)


@pytest.mark.parametrize("contrastive", [0.0, 0.5])
@pytest.mark.parametrize("mini_batch_size", [None, 1])
def test_validation_is_the_contrastive_loss_without_its_weight(contrastive: float, mini_batch_size: int | None) -> None:
    loss = loss_of(mini_batch_size=mini_batch_size, contrastive=contrastive, distill={}, translate_align=1.0, keep=1.0)
    with torch.no_grad():
        assert value(loss, OWN, ()).item() == pytest.approx(infonce(COSINES, 0.5))


def test_a_batch_without_what_is_compared_with() -> None:
    with pytest.raises(HybridError, match=r"pivot language, and the batch holds none; make the views with"):
        value(loss_of(translate_align=1.0), OWN, ())
    assert value(loss_of(keep=1.0), OWN, ()).item() == pytest.approx(0, abs=1e-6)


# ---- stages


@pytest.mark.parametrize("mini_batch_size", [None, 1])
def test_distill_trains_alone_at_first(mini_batch_size: int | None) -> None:
    loss = loss_of(
        mini_batch_size=mini_batch_size, contrastive=1.0, distill={"weight": 2.0, "alone": 0.3}, translate_align=1.0
    )
    together = infonce(COSINES, 0.5) + 2 * 0.9 + sum(ROWS["translate_align"]) / 2
    assert value(loss).item() == pytest.approx(together)  # where nobody tells how far training is
    for step in range(10):
        loss.progress = step / 10
        assert value(loss).item() == pytest.approx(2 * 0.9 if step < 3 else together), step
        assert set(loss.parts) == {"contrastive", "distill"} | ({"translate_align"} if step >= 3 else set())


# ---- in parts

OPTIONS: dict[str, dict[str, Any]] = {
    **ALONE,
    "all": {
        "contrastive": 0.5,
        "keep": 0.7,
        "distillation": {},
        "distill": {},
        "score_distill": {},
        "translate_align": 2.0,
    },
    "all of prefixes": {
        "contrastive": 2.0,
        "matryoshka": [2],
        "keep": 0.7,
        "distill": {},
        "score_distill": {},
        "translate_align": 2.0,
    },
    "distill alone": {"contrastive": 1.0, "distill": {"alone": 0.5}, "keep": 1.0, "translate_align": 1.0},
    "distill alone, of prefixes": {"contrastive": 1.0, "matryoshka": [2], "distill": {"alone": 0.5}},
    "symmetric": {"contrastive": 0.5, "symmetric": True, "keep": 1.0},
}


@pytest.mark.parametrize("own", [OWN, WITH_NEGATIVES], ids=["pairs", "negatives"])
@pytest.mark.parametrize("mini_batch_size", [1, 5])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_cached_gradients_are_those_of_the_whole_batch(
    options: dict[str, Any], mini_batch_size: int, own: Words
) -> None:
    """Those of the projection too; and of a third of the loss, as where gradients are accumulated or scaled."""
    losses = []
    for size in (None, mini_batch_size):
        model = encoder(VECTORS)
        losses.append(loss_of(model, mini_batch_size=size, **options))
        losses[-1].progress = 0.0
        with torch.no_grad():
            model[0].table.copy_(torch.tensor(list(MOVED.values())))
    whole, parts = losses
    torch.testing.assert_close(value(parts, own), value(whole, own))
    assert parts.parts.keys() == whole.parts.keys()
    for name, expected in whole.parts.items():
        torch.testing.assert_close(parts.parts[name], expected)
    for present in ((True, True), (False, True), (False, False)):
        for share in (1.0, 1 / 3):
            batch = {"own": own, "present": present}
            torch.testing.assert_close(gradients(parts, share, **batch), gradients(whole, share, **batch))


unit = st.floats(-1, 1, width=32).map(lambda number: round(number, 3))
places = st.lists(st.tuples(unit, unit, unit).filter(any), min_size=len(VECTORS), max_size=len(VECTORS))
COMBINED = ("contrastive", "translate_align", "keep", "score_distill")


def trained(places: list[tuple[float, ...]], **weights: float) -> tuple[Tensor, Tensor]:
    """The loss and its gradient when the texts have come to these places."""
    model = encoder(VECTORS)
    options = {name: {"weight": weight} if name == "score_distill" else weight for name, weight in weights.items()}
    loss = loss_of(model, **options)
    with torch.no_grad():
        model[0].table.copy_(torch.tensor(places))
    return value(loss), gradients(loss)[0]


@settings(max_examples=15)
@given(places=places, weights=st.tuples(*[st.sampled_from([0.25, 1.0, 4.0])] * 4))
def test_a_combination_is_the_weighted_sum_of_its_parts(places: Any, weights: tuple[float, ...]) -> None:
    """Its gradient too."""
    combined = trained(places, **dict(zip(COMBINED, weights, strict=True)))
    single = [trained(places, **{name: 0.5}) for name in COMBINED]
    for side in (0, 1):
        expected = sum(2 * weight * outcome[side] for weight, outcome in zip(weights, single, strict=True))
        torch.testing.assert_close(combined[side], expected, rtol=1e-3, atol=1e-3)


# ---- prefixes


def test_prefixes_of_scores_and_alignments_but_not_of_places() -> None:
    """By the first two numbers: passages (0.6, 0.8) and (0, 0.6), their parallels (1, 0) and (0, 0)."""
    loss = loss_of(matryoshka=[2], translate_align=1.0)
    assert value(loss).item() == pytest.approx(sum(ROWS["translate_align"]) / 2 + distance(0.6, 0.0))
    for name in ("distill", "keep"):
        whole, prefixes = loss_of(**ALONE[name]), loss_of(matryoshka=[2], **ALONE[name])
        assert value(prefixes).item() == pytest.approx(value(whole).item())
    loss = loss_of(matryoshka=[2], **ALONE["score_distill of itself"])
    own, pivot = [[0.6, 0.0], [0.8, 1.0]], [[0.6, 0.0], [0.0, 0.0]]
    expected = kl(PIVOT_COSINES, COSINES, 0.5) + kl(pivot, own, 0.5)
    assert value(loss).item() == pytest.approx(expected)


# ---- the projection


def test_the_projection_is_trained_and_no_part_of_the_model() -> None:
    model = encoder(VECTORS)
    loss = loss_of(model, **ALONE["distill"])
    assert isinstance(loss, ObjectivesLoss)
    assert loss.projection is not None
    assert loss.projection.weight.tolist() == torch.eye(3).tolist()
    assert {name for name, _ in loss.named_parameters()} == {"model.0.table", "projection.weight"}
    assert {name for name, _ in model.named_parameters()} == {"0.table"}
    optimizer = torch.optim.SGD(loss.parameters(), 0.1)
    before = value(loss).item()
    for _ in range(100):
        optimizer.zero_grad()
        value(loss).backward()
        optimizer.step()
    assert value(loss).item() < before / 2
    assert loss.projection.weight.tolist() != torch.eye(3).tolist()


def test_the_projection_keeps_what_was_there_before() -> None:
    """Gradients of an earlier batch, where some are accumulated."""
    for size in (None, 1):
        loss = loss_of(mini_batch_size=size, **ALONE["distill"])
        assert loss.projection is not None
        once = gradients(loss)
        value(loss).backward()
        for weights, gradient in zip(loss.parameters(), once, strict=True):
            assert weights.grad is not None
            assert gradient.abs().sum() > 0
        loss.zero_grad()
        once = [gradient.clone() for gradient in gradients(loss)]
        value(loss).backward()
        for weights, gradient in zip(loss.parameters(), once, strict=True):
            assert weights.grad is not None
            torch.testing.assert_close(weights.grad, 2 * gradient)


def test_a_teacher_of_another_dimension() -> None:
    """Its texts are (1, 0), the model's (1, 0, 0) and so on, cut by the projection as it begins."""
    vectors = {word: (1.0, 0.0) for word in VECTORS}
    loss = loss_of(teacher=encoder(vectors), **ALONE["distill"])
    assert loss.projection is not None
    assert loss.projection.weight.tolist() == [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    # q1 (1, 0), p1 (0.6, 0.8), q2 (0, 2), p2 (0, 0.6)
    assert value(loss).item() == pytest.approx((distance(1.0, 0.6) + distance(0.0, 0.0)) / 2)


def test_default_weight_of_distill_is_that_of_the_paper() -> None:
    assert DistillSettings().weight == 0.2
    assert value(loss_of(distill={})).item() == pytest.approx(0.2 * 0.9)
