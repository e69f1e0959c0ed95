"""The contrastive loss and other objectives as one loss, in one pass of the model.

The ranking losses of sentence-transformers embed the batch, plain or in parts (GradCache), for every prefix or once.
Where they take the loss of the embeddings, the weighted sum of the objectives is taken with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from mteb_hybrid.errors import HybridError
from mteb_hybrid.training.objectives import ALL_ROWS, Batch, Distill, Objective, Student
from mteb_hybrid.training.own_negatives import CachedRankingLoss, RankingLoss
from mteb_hybrid.training.teachers import Column

Embedded = TypeVar("Embedded", Tensor, list[Tensor])


class Terms:
    """The weighted sum of a batch's objectives, of which the ranking losses ask for it: once for every prefix.

    Attributes:
        objectives: all but the contrastive one.
        active: whether a batch is at hand that is trained on.
        contrastive: weight of the contrastive loss in the batch at hand.
        parts: the value of each objective in the batch at hand, without its weight.
    """

    def __init__(self, contrastive: float, objectives: Sequence[Objective], dimension: int) -> None:
        self.objectives = tuple(objectives)
        self.active = False
        self.contrastive = self._weight = contrastive
        self.parts: dict[str, Tensor] = {}
        self._dimension = dimension
        self._targets: list[tuple[Objective, list[Tensor]]] = []
        self._present: Tensor | None = None
        self._has_pivots = False

    def begin(self, batch: Batch, *, alone: bool) -> list[dict[str, Any]]:
        """Let the teachers read a batch.

        Args:
            batch: to train on.
            alone: whether distill trains alone.

        Returns:
            The columns for the model to read.
        """
        chosen = [objective for objective in self.objectives if not alone or isinstance(objective, Distill)]
        found = [(objective, objective.targets(batch)) for objective in chosen]
        self._targets = [(objective, targets) for objective, targets in found if targets is not None]
        self._present = batch.present
        self._has_pivots = any(objective.reads_pivot_passages for objective, _ in self._targets)
        self.contrastive = 0.0 if alone else self._weight
        self.parts = {}
        self.active = True
        columns = [*batch.own, *(batch.pivot[1:] if self._has_pivots else ())]
        return [column.features for column in columns]

    def end(self) -> None:
        """Let go of the batch, but for its parts."""
        self.active = self._has_pivots = False
        self._targets, self._present = [], None

    def split(self, columns: list[Embedded]) -> tuple[list[Embedded], Embedded | None]:
        """The columns that the contrastive loss may see, and the passages of the pivot language."""
        return (columns[:-1], columns[-1]) if self._has_pivots else (columns, None)

    def note(self, name: str, value: Tensor) -> None:
        """Count a value among the parts; those of several prefixes or rows add up."""
        before = self.parts.get(name)
        self.parts[name] = value.detach() if before is None else before + value.detach()

    def total(self, columns: list[Tensor], scale: float, rows: slice = ALL_ROWS) -> Tensor:
        """The share that some rows have in the sum of all objectives but the contrastive one.

        Args:
            columns: the embeddings of all rows.
            scale: one over the temperature.
            rows: those to sum over.
        """
        own, pivot_passages = self.split(columns)
        student, size = Student(own, pivot_passages, scale), len(columns[0])
        total = columns[0].new_zeros(())
        for objective, targets in self._targets:
            if objective.whole and columns[0].shape[1] != self._dimension:
                continue
            values = objective.values(student, targets, rows)
            if objective.uses_pivot and self._present is not None:
                values = values * self._present[rows].to(values)
            part = values.sum() / size
            self.note(objective.name, part)
            total = total + objective.weight * part
        return total


class WeightedRankingLoss(RankingLoss):
    """The contrastive loss with its weight, and the other objectives, while there is a batch to train on."""

    terms: Terms

    def compute_loss_from_embeddings(self, embeddings: list[Tensor], labels: Tensor) -> Tensor:
        """The loss of a batch, of its embeddings by column."""
        own, _ = self.terms.split(embeddings)
        contrastive = super().compute_loss_from_embeddings(own, labels)
        if not self.terms.active:
            return contrastive
        self.terms.note("contrastive", contrastive)
        return self.terms.contrastive * contrastive + self.terms.total(embeddings, self.scale)


class CachedWeightedRankingLoss(CachedRankingLoss):
    """The same with cached gradients: the batch is embedded in parts, and the objectives taken in parts too."""

    terms: Terms

    def calculate_loss(
        self, reps: list[list[Tensor]], labels: Tensor | None = None, *, with_backward: bool = False
    ) -> Tensor:
        """The loss of a batch, of its embeddings by column and part."""
        own, _ = self.terms.split(reps)
        if not self.terms.active:
            return super().calculate_loss(own, labels, with_backward=with_backward)
        loss = self._contrastive(own, with_backward)
        columns = [torch.cat(parts) for parts in reps]
        size = len(columns[0])
        for begin in range(0, size, self.mini_batch_size):
            rows = slice(begin, min(begin + self.mini_batch_size, size))
            part = self.terms.total(columns, self.scale, rows)
            if with_backward and part.requires_grad:
                part.backward()  # type: ignore[no-untyped-call]
                part = part.detach()
            loss = loss + part
        return loss

    def _contrastive(self, reps: list[list[Tensor]], with_backward: bool) -> Tensor:
        """The contrastive loss with its weight, which the library's own backward pass knows nothing of."""
        weight = self.terms.contrastive
        apart = [[part.detach().requires_grad_(with_backward) for part in parts] for parts in reps]
        contrastive = super().calculate_loss(apart if with_backward else reps, with_backward=with_backward)
        self.terms.note("contrastive", contrastive)
        if with_backward:
            for parts, copies in zip(reps, apart, strict=True):
                for part, copy in zip(parts, copies, strict=True):
                    part.backward(weight * copy.grad)  # type: ignore[no-untyped-call, operator]
        return weight * contrastive


class ObjectivesLoss(nn.Module):
    """A ranking loss with its weight, and other objectives beside it.

    Args:
        model: the model that is trained.
        loss: what is called: a weighted ranking, or a loss around it.
        terms: the objectives, as the ranking has them.
        projection: what distill trains along, not part of the model.
        alone: the share of the steps in which distill trains alone.
        reads_texts: whether a teacher needs the texts of a batch, as ``texts`` among the features of each column.

    Attributes:
        names: of all objectives.
        parts: the value of each objective in the last batch that was trained on, without its weight.
    """

    kind: str = "mono"
    """Kind of the next batch; the teacher of ``distillation`` counts on ``mono`` only."""
    progress: float = 1.0
    """Share of the steps that were done before the next batch."""
    precision: Callable[[], AbstractContextManager[Any]] = nullcontext
    """In what teachers read: the trainer's autocast, which else only the model that is trained would have."""

    def __init__(
        self,
        model: SentenceTransformer,
        loss: nn.Module,
        terms: Terms,
        projection: nn.Linear | None,
        *,
        alone: float = 0.0,
        reads_texts: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.loss = loss
        self.projection = projection
        self.reads_texts = reads_texts
        self.names = ("contrastive", *(objective.name for objective in terms.objectives))
        self._terms = terms
        self._alone = alone
        self._uses_pivot = any(objective.uses_pivot for objective in terms.objectives)

    @property
    def parts(self) -> dict[str, Tensor]:
        """The value of each objective in the last batch, without its weight."""
        return self._terms.parts

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: Tensor | None = None) -> Tensor:
        """The loss of a batch.

        Args:
            sentence_features: its columns as the trainer has tokenised them.
            labels: which rows have the pivot language; with them, its two columns come last.

        Raises:
            HybridError: an objective needs what the batch does not hold.
        """
        batch = self._batch(list(sentence_features), labels)
        try:
            if not torch.is_grad_enabled():
                loss: Tensor = self.loss([column.features for column in batch.own], None)
                return loss
            with self.precision():
                columns = self._terms.begin(batch, alone=self.progress < self._alone)
            return self._carried(columns)
        finally:
            self._terms.end()

    def _batch(self, columns: list[dict[str, Any]], labels: Tensor | None) -> Batch:
        if self._uses_pivot and labels is None and torch.is_grad_enabled():
            raise HybridError(
                "the loss compares with texts of the pivot language, and the batch holds none; "
                "make the views with parallel_views(corpora, pivot=LANGUAGE)"
            )
        texts = [column.pop("texts", None) for column in columns]
        own = len(columns) - (0 if labels is None else 2)
        read = [
            Column(features, "query" if number in {0, own} else "passage", text)
            for number, (features, text) in enumerate(zip(columns, texts, strict=True))
        ]
        return Batch(read[:own], read[own:], labels, self.kind)

    def _carried(self, columns: list[dict[str, Any]]) -> Tensor:
        """The loss, whose backward pass reaches the projection as it does the model.

        With cached gradients the projection has its gradient at once, before the trainer has scaled the loss, as it
        does to accumulate gradients; it must wait as the model's does.
        """
        if self.projection is None:
            loss: Tensor = self.loss(columns, None)
            return loss
        weight = self.projection.weight
        before, weight.grad = weight.grad, None
        loss = self.loss(columns, None)
        gradient, weight.grad = weight.grad, before
        if gradient is None:
            return loss
        carrier = (weight * gradient).sum()
        return loss + carrier - carrier.detach()

    def get_config_dict(self) -> dict[str, Any]:
        """What the model card says of this loss."""
        weights = {objective.name: objective.weight for objective in self._terms.objectives}
        return {"loss": type(self.loss).__name__, **weights}
