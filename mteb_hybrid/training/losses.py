"""The loss of a training run: those of sentence-transformers, and a teacher beside them.

The contrastive loss is InfoNCE over cosine similarity (PROTOCOL section 5): with temperature t, queries q_i and
passages p_j, of which p_i answers q_i and all others, hard negatives among them, do not::

    mean over i of  -log( exp(cos(q_i, p_i) / t) / sum over j of exp(cos(q_i, p_j) / t) )

Aligning languages may cost what the base model knew within each. A frozen copy of it, a common remedy, holds the
model to that: with T_i and S_i the softmax over j of cos(q_i, p_j) / t, by the teacher and by the model that is
trained, a monolingual batch adds::

    weight x  mean over i of  KL(T_i || S_i)

Only how a query ranks passages of its own language is held. Cross-lingual batches add nothing, because the base
model's similarities between languages are the bias that training is to remove.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.losses.gradcache import CachedLossMixin, has_static_embedding_input
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    MatryoshkaLoss,
    MultipleNegativesRankingLoss,
)
from sentence_transformers.util import cos_sim
from torch import Tensor, nn

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.training.base_model import load_base_model, token_limit
from mteb_hybrid.training.recipe import DistillationSettings, LossSettings, ModelSettings


def build_loss(
    model: SentenceTransformer, settings: LossSettings, *, teacher: SentenceTransformer | None = None
) -> nn.Module:
    """Make the loss that ``SentenceTransformerTrainer`` takes.

    Its columns are queries, passages, and any number of hard negatives. It has an attribute ``kind``, to be set
    before each batch where there is a teacher: ``mono`` (the default) or ``cross``, on which the teacher is silent.

    Args:
        model: the model to train, as it is before training: the teacher ``base`` is a copy of it.
        settings: the recipe's loss.
        teacher: used in place of the one that the settings name; it is frozen.

    Returns:
        A loss whose parameters are the model's alone. Without gradients, as in validation, it is the contrastive
        part only, so that runs with and without a teacher compare.

    Raises:
        HybridError: the settings cannot go together or with this model, or the teacher cannot be used.
    """
    _check(model, settings)
    if settings.distillation is None:
        loss = _with_prefixes(model, _ranking(model, settings), settings)
        setattr(loss, "kind", "mono")  # noqa: B010 (nn.Module declares tensors and modules only)
        return loss
    frozen = _teacher(model, settings.distillation, teacher)
    ranking = _ranking_with_teacher(model, settings, settings.distillation.weight)
    return MonolingualDistillationLoss(
        model,
        ranking,
        _Teacher(frozen, settings.mini_batch_size),
        _with_prefixes(model, ranking, settings),
    )


def _check(model: SentenceTransformer, settings: LossSettings) -> None:
    if settings.mini_batch_size is not None and has_static_embedding_input(model):
        raise HybridError(
            "loss.mini_batch_size does not work with static embeddings, which need little memory; leave it out"
        )
    dimension = model.get_embedding_dimension() or 0
    if settings.matryoshka and max(settings.matryoshka) > dimension:
        raise HybridError(
            f"loss.matryoshka: {max(settings.matryoshka)} is more than the {dimension} dimensions of the model"
        )


def _arguments(settings: LossSettings) -> dict[str, Any]:
    """What the ranking losses of sentence-transformers take."""
    arguments: dict[str, Any] = {
        "scale": 1 / settings.temperature,
        "gather_across_devices": settings.gather_across_devices,
    }
    if settings.symmetric:
        arguments |= {"directions": ("query_to_doc", "doc_to_query"), "partition_mode": "per_direction"}
    if settings.mini_batch_size is not None:
        arguments["mini_batch_size"] = settings.mini_batch_size
    return arguments


def _ranking(model: SentenceTransformer, settings: LossSettings) -> nn.Module:
    kind = MultipleNegativesRankingLoss if settings.mini_batch_size is None else CachedMultipleNegativesRankingLoss
    return kind(model, **_arguments(settings))


def _with_prefixes(model: SentenceTransformer, ranking: nn.Module, settings: LossSettings) -> nn.Module:
    if not settings.matryoshka:
        return ranking
    # the library trains the dimensions that it is given, and no others: the whole embedding is one of them
    dimensions = {*settings.matryoshka, model.get_embedding_dimension() or 0}
    return MatryoshkaLoss(model, ranking, sorted(dimensions, reverse=True))


class DistilledRankingLoss(MultipleNegativesRankingLoss):
    """The contrastive loss, and the divergence from a teacher while ``targets`` are set.

    Both are of the same embeddings: the model reads each text once.
    """

    weight: float = 1.0
    """Weight of the divergence."""
    targets: list[Tensor] | None = None
    """The teacher's embeddings of the batch at hand, by column."""

    def compute_loss_from_embeddings(self, embeddings: list[Tensor], labels: Tensor) -> Tensor:
        """The loss of a batch, of its embeddings by column."""
        loss = super().compute_loss_from_embeddings(embeddings, labels)
        if self.targets is None:
            return loss
        return loss + self.weight * divergence(embeddings, self.targets, self.scale)


class CachedDistilledRankingLoss(CachedMultipleNegativesRankingLoss):
    """The same with cached gradients: the batch is embedded in parts, and the divergence taken in parts too."""

    weight: float = 1.0
    targets: list[Tensor] | None = None

    def calculate_loss(
        self, reps: list[list[Tensor]], labels: Tensor | None = None, *, with_backward: bool = False
    ) -> Tensor:
        """The loss of a batch, of its embeddings by column and part."""
        loss = super().calculate_loss(reps, labels, with_backward=with_backward)
        if self.targets is None:
            return loss
        columns = [torch.cat(parts) for parts in reps]
        size = len(columns[0])
        for begin in range(0, size, self.mini_batch_size):
            rows = slice(begin, min(begin + self.mini_batch_size, size))
            share = (rows.stop - rows.start) / size
            part = self.weight * share * divergence(columns, self.targets, self.scale, rows)
            if with_backward:
                part.backward()  # type: ignore[no-untyped-call]
                part = part.detach()
            loss = loss + part
        return loss


def divergence(student: list[Tensor], teacher: list[Tensor], scale: float, rows: slice = slice(None)) -> Tensor:
    """How far the student ranks the passages of a batch from how the teacher does: mean over queries of KL(T || S).

    Args:
        student: embeddings by column: queries, passages, hard negatives.
        teacher: the same texts by the teacher, of any dimension.
        scale: what cosine similarities are multiplied by before the softmax.
        rows: the queries to take; every passage is taken in any case.
    """
    with torch.autocast(student[0].device.type, enabled=False):  # eight bits are too few for a difference of logits
        held, free = (
            F.log_softmax(cos_sim(columns[0][rows].float(), torch.cat(columns[1:]).float()) * scale, dim=1)
            for columns in (teacher, student)
        )
        return F.kl_div(free, held, reduction="batchmean", log_target=True)


def _ranking_with_teacher(
    model: SentenceTransformer, settings: LossSettings, weight: float
) -> DistilledRankingLoss | CachedDistilledRankingLoss:
    kind = DistilledRankingLoss if settings.mini_batch_size is None else CachedDistilledRankingLoss
    ranking = kind(model, **_arguments(settings))
    ranking.weight = weight
    return ranking


class MonolingualDistillationLoss(nn.Module):
    """A ranking loss that is held to a teacher on the batches of one language.

    Args:
        model: the model that is trained.
        ranking: the loss that compares with the teacher.
        teacher: embeds the batches.
        loss: what is called: the ranking, or a loss around it.
    """

    kind: str = "mono"
    """Kind of the next batch; the teacher counts on ``mono`` only."""

    def __init__(
        self,
        model: SentenceTransformer,
        ranking: DistilledRankingLoss | CachedDistilledRankingLoss,
        teacher: _Teacher,
        loss: nn.Module,
    ) -> None:
        super().__init__()
        self.model = model
        self.loss = loss
        self.ranking = ranking
        self._teacher = teacher

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: Tensor | None = None) -> Tensor:
        """The loss of a batch, of its columns as the trainer has tokenised them."""
        columns = list(sentence_features)
        if self.kind == "mono" and torch.is_grad_enabled():
            self.ranking.targets = self._teacher.embed(columns)
        try:
            loss: Tensor = self.loss(columns, labels)
        finally:
            self.ranking.targets = None
        return loss

    def get_config_dict(self) -> dict[str, Any]:
        """What the model card says of this loss."""
        return {"loss": type(self.loss).__name__, "weight": self.ranking.weight, "scale": self.ranking.scale}


class _Teacher(CachedLossMixin):
    """A frozen model that embeds the columns of a batch.

    It is no ``nn.Module``, so that no loss that has one counts it among its parameters, saves it or trains it.
    """

    def __init__(self, model: SentenceTransformer, mini_batch_size: int | None) -> None:
        self.model = model.eval().requires_grad_(False)
        self.mini_batch_size = mini_batch_size or 0

    @torch.no_grad()
    def embed(self, columns: list[dict[str, Any]]) -> list[Tensor]:
        """Embeddings by column."""
        device = next(value.device for value in columns[0].values() if isinstance(value, Tensor))
        if self.model.device != device:
            self.model.to(device)
        return [self._embed(column) for column in columns]

    def _embed(self, column: dict[str, Any]) -> Tensor:
        # a model writes into what it reads, and the student reads the same next
        own = {key: value.clone() if isinstance(value, Tensor) else value for key, value in column.items()}
        if not self.mini_batch_size:
            whole: Tensor = self.model(own)["sentence_embedding"]
            return whole
        return torch.cat([part for part, _ in self.embed_minibatch_iter(own, with_grad=False, copy_random_state=False)])


def _teacher(
    model: SentenceTransformer, settings: DistillationSettings, teacher: SentenceTransformer | None
) -> SentenceTransformer:
    """The teacher, never the model itself, that reads texts as the model has them tokenised."""
    if teacher is model or (teacher is None and settings.teacher == "base"):
        return copy.deepcopy(model)
    if teacher is None:
        teacher = load_base_model(ModelSettings(base=settings.teacher), device="cpu")
    name = one_line(settings.teacher, 120)
    if type(teacher[0]) is not type(model[0]) or teacher.tokenizer.get_vocab() != model.tokenizer.get_vocab():
        raise HybridError(
            f"loss.distillation.teacher: {name} and the model have different vocabularies, and a batch is tokenised"
            " once; take a teacher with the model's own, or `base`"
        )
    limit, length = token_limit(teacher), model.max_seq_length
    if limit is not None and length is not None and length > limit:
        raise HybridError(
            f"loss.distillation.teacher: {name} takes {limit} tokens, the model {length}; lower model.max_seq_length"
        )
    return teacher
