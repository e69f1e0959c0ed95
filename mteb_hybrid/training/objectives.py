"""What a model may be trained towards beside the contrastive loss.

An objective has a value for each row i of a batch; its part of the loss is its weight times the mean over all rows. For
texts x, with s(x) the embedding by the model that is trained, t(x) that by a frozen teacher, b(x) that by the base
model, and x' the parallel of x in the pivot language::

    distill          mean over x in (q_i, p_i) of  1 - cos(P s(x), t(x'))
    score_distill    KL( softmax_j cos(t(q_i'), t(p_j)) / T  ||  softmax_j cos(s(q_i), s(p_j)) / T )
    translate_align  1 - cos(s(p_i), s(p_i'))
    keep             mean over x in (q_i, p_i, its hard negatives) of  1 - cos(s(x), b(x))
    distillation     KL( softmax_j cos(t(q_i), t(p_j)) / T  ||  softmax_j cos(s(q_i), s(p_j)) / T )

p_j are all passages of the batch, hard negatives among them; T is the temperature of the contrastive loss; P is a
linear projection that is trained along and not kept. A row without the pivot language counts 0 in the first three.

- distill is the distillation of MIMO (Jang et al. 2026, arXiv 2605.31171) and score_distill the loss of LaKDA (Yang et
  al., arXiv 2509.06195), as the two lines above say; the papers were known to us by their abstracts, and how they weigh
  and sample is not taken from them. Without a teacher, t in score_distill is s itself, without gradient.
- distillation holds how queries rank passages of their own language, and is silent on batches of two languages: there
  the base model's similarities are the bias that training is to remove.

With Matryoshka prefixes, score_distill, translate_align and distillation hold for every prefix of s; distill and keep
are of the whole embedding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from sentence_transformers.util import cos_sim
from torch import Tensor, nn

from mteb_hybrid.training.teachers import Column, Reader, Teacher

ALL_ROWS = slice(None)


@dataclass(frozen=True)
class Batch:
    """The texts of a batch.

    Attributes:
        own: queries, passages, and the hard negatives.
        pivot: queries and passages in the pivot language; none where the batch has not been given them.
        present: which rows have the pivot language, shape (rows,); None without ``pivot``.
        kind: ``mono`` or ``cross``.
    """

    own: Sequence[Column]
    pivot: Sequence[Column]
    present: Tensor | None
    kind: str


@dataclass(frozen=True)
class Student:
    """What the model that is trained makes of a batch.

    Attributes:
        own: its embeddings by column, each of shape (rows, dimensions).
        pivot_passages: those of the passages in the pivot language, where an objective asks for them.
        scale: what cosine similarities are multiplied by before a softmax, one over the temperature.
    """

    own: Sequence[Tensor]
    pivot_passages: Tensor | None
    scale: float


def cosine_distances(first: Tensor, second: Tensor) -> Tensor:
    """1 - cos of each row of one with the same row of the other, shape (rows,)."""
    with torch.autocast(first.device.type, enabled=False):  # in eight bits, near to 1 is 1
        return 1 - F.cosine_similarity(first.float(), second.float(), dim=1)


def score_divergences(
    student: Sequence[Tensor], teacher: Sequence[Tensor], scale: float, rows: slice = ALL_ROWS
) -> Tensor:
    """How far queries score the passages of a batch from how a teacher has them scored: KL(T || S) of each.

    Args:
        student: embeddings by column: queries, passages, hard negatives.
        teacher: the same by the teacher, of any dimension; its queries may be other texts.
        scale: what cosine similarities are multiplied by before the softmax.
        rows: the queries to take; every passage is taken in any case.

    Returns:
        Shape (rows,).
    """
    with torch.autocast(student[0].device.type, enabled=False):  # eight bits are too few for a difference of logits
        held, free = (
            F.log_softmax(cos_sim(columns[0][rows].float(), torch.cat(list(columns[1:])).float()) * scale, dim=1)
            for columns in (teacher, student)
        )
        return F.kl_div(free, held, reduction="none", log_target=True).sum(dim=1)


def identity_projection(inner: int, outer: int) -> nn.Linear:
    """A linear map that begins as the identity, as far as that goes where the dimensions differ."""
    projection = nn.Linear(inner, outer, bias=False)
    nn.init.eye_(projection.weight)
    return projection


class Objective(ABC):
    """Something to train towards; the module tells its formula.

    Attributes:
        name: as in the recipe.
        uses_pivot: it compares with texts of the pivot language; rows without it count 0.
        reads_pivot_passages: the model that is trained must read the passages of the pivot language, with gradients.
        whole: it is of the whole embedding, not of its prefixes.
        weight: what its mean over the rows is multiplied by.
    """

    name: ClassVar[str]
    uses_pivot: ClassVar[bool] = False
    reads_pivot_passages: ClassVar[bool] = False
    whole: ClassVar[bool] = False

    def __init__(self, weight: float) -> None:
        self.weight = weight

    @abstractmethod
    def targets(self, batch: Batch) -> list[Tensor] | None:
        """What to compare with, without gradients; None where the objective is silent on the batch."""

    @abstractmethod
    def values(self, student: Student, targets: list[Tensor], rows: slice) -> Tensor:
        """The values of some rows, with gradients, shape (rows,)."""


class Distill(Objective):
    """To where a teacher has the parallel text of the pivot language.

    Args:
        weight: of the objective.
        teacher: reads the texts of the pivot language.
        projection: from the model's dimensions to the teacher's.
    """

    name = "distill"
    uses_pivot = True
    whole = True

    def __init__(self, weight: float, teacher: Teacher, projection: nn.Linear) -> None:
        super().__init__(weight)
        self._teacher = teacher
        self._projection = projection

    def targets(self, batch: Batch) -> list[Tensor]:
        """Queries and passages of the pivot language by the teacher."""
        return self._teacher.embed(batch.pivot)

    def values(self, student: Student, targets: list[Tensor], rows: slice) -> Tensor:
        """Mean of the query's and the passage's."""
        pairs = zip(student.own, targets, strict=False)  # hard negatives have no parallel text
        return torch.stack([cosine_distances(self._project(own[rows]), target[rows]) for own, target in pairs]).mean(0)

    def _project(self, embeddings: Tensor) -> Tensor:
        with torch.autocast(embeddings.device.type, enabled=False):
            projected: Tensor = self._projection(embeddings.float())
            return projected


class ScoreDistill(Objective):
    """Queries score the passages of the batch as their parallels of the pivot language do.

    Args:
        weight: of the objective.
        reader: a teacher, or a reader of the model that is trained.
    """

    name = "score_distill"
    uses_pivot = True

    def __init__(self, weight: float, reader: Reader) -> None:
        super().__init__(weight)
        self._reader = reader

    def targets(self, batch: Batch) -> list[Tensor]:
        """Queries of the pivot language, and what they score: the batch's passages, unless the model reads them."""
        if isinstance(self._reader, Teacher):
            return self._reader.embed([batch.pivot[0], *batch.own[1:]])
        return [self._reader.read(batch.pivot[0].features)]

    def values(self, student: Student, targets: list[Tensor], rows: slice) -> Tensor:
        """Their divergences."""
        queries, *passages = targets
        if not passages:  # the model's own, of the prefix at hand
            queries = queries[:, : student.own[0].shape[1]]
            passages = [column.detach() for column in student.own[1:]]
        return score_divergences(student.own, [queries, *passages], student.scale, rows)


class TranslateAlign(Objective):
    """Passages and their parallels of the pivot language pulled together."""

    name = "translate_align"
    uses_pivot = True
    reads_pivot_passages = True

    def targets(self, batch: Batch) -> list[Tensor]:
        """None: both sides are the model's."""
        return []

    def values(self, student: Student, targets: list[Tensor], rows: slice) -> Tensor:
        """Distances of the passages."""
        assert student.pivot_passages is not None  # asked for above
        return cosine_distances(student.own[1][rows], student.pivot_passages[rows])


class Keep(Objective):
    """Every text stays where the base model has it.

    Args:
        weight: of the objective.
        base: the model before training.
    """

    name = "keep"
    whole = True

    def __init__(self, weight: float, base: Teacher) -> None:
        super().__init__(weight)
        self._base = base

    def targets(self, batch: Batch) -> list[Tensor]:
        """All texts by the base model."""
        return self._base.embed(batch.own)

    def values(self, student: Student, targets: list[Tensor], rows: slice) -> Tensor:
        """Mean over the texts of a row."""
        pairs = zip(student.own, targets, strict=True)
        return torch.stack([cosine_distances(own[rows], target[rows]) for own, target in pairs]).mean(0)


class Distillation(Objective):
    """Queries rank the passages of their own language as a teacher has it.

    Args:
        weight: of the objective.
        teacher: reads the batches of one language.
    """

    name = "distillation"

    def __init__(self, weight: float, teacher: Teacher) -> None:
        super().__init__(weight)
        self._teacher = teacher

    def targets(self, batch: Batch) -> list[Tensor] | None:
        """All texts of a batch of one language by the teacher."""
        return self._teacher.embed(batch.own) if batch.kind == "mono" else None

    def values(self, student: Student, targets: list[Tensor], rows: slice) -> Tensor:
        """Their divergences."""
        return score_divergences(student.own, targets, student.scale, rows)
