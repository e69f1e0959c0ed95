"""The loss of a training run: the contrastive loss of sentence-transformers, and other objectives beside it.

The contrastive loss is InfoNCE over cosine similarity (PROTOCOL section 5): with temperature t, queries q_i and
passages p_j, of which p_i answers q_i and all others do not, q_i's own hard negatives among them (or those of all rows,
if they are shared)::

    mean over i of  -log( exp(cos(q_i, p_i) / t) / sum over j of exp(cos(q_i, p_j) / t) )

``mteb_hybrid.training.objectives`` tells what may be added to it. All are of the same embeddings: the model reads each
text once. Without gradients, as in validation, the loss is InfoNCE alone and without its weight, also where that is 0,
so that runs with other objectives compare.
"""

from __future__ import annotations

from typing import Any

from sentence_transformers import SentenceTransformer
from sentence_transformers.base.losses.gradcache import has_static_embedding_input
from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss
from torch import nn

from mteb_hybrid.errors import HybridError
from mteb_hybrid.training.combined_loss import CachedWeightedRankingLoss, ObjectivesLoss, Terms, WeightedRankingLoss
from mteb_hybrid.training.objectives import (
    Distill,
    Distillation,
    Keep,
    Objective,
    ScoreDistill,
    TranslateAlign,
    identity_projection,
)
from mteb_hybrid.training.own_negatives import CachedRankingLoss, RankingLoss
from mteb_hybrid.training.recipe import DistillSettings, LossSettings
from mteb_hybrid.training.teachers import Reader, Teachers


def build_loss(
    model: SentenceTransformer, settings: LossSettings, *, teacher: SentenceTransformer | None = None
) -> nn.Module:
    """Make the loss that ``SentenceTransformerTrainer`` takes.

    Its columns are queries, passages, and any number of hard negatives. Where objectives compare with the pivot
    language, the two columns that ``parallel_views`` adds for it come last, and the label tells which rows have it.

    Args:
        model: the model to train, as it is before training: the teacher ``base`` is a copy of it.
        settings: the recipe's loss.
        teacher: used in place of those that the settings name; it is frozen.

    Returns:
        A loss whose parameters are the model's and perhaps a projection's, with an attribute ``kind``, to be set before
        each batch where it matters: ``mono`` (the default) or ``cross``. With other objectives than the contrastive
        one, or a weight on that, it is an ``ObjectivesLoss``.

    Raises:
        HybridError: the settings cannot go together or with this model, or a teacher cannot be used.
    """
    _check(model, settings)
    teachers = Teachers(model, settings.mini_batch_size, teacher)
    objectives, projection = _objectives(model, settings, teachers)
    if not objectives and settings.contrastive == 1:
        loss = _with_prefixes(model, _ranking(model, settings), settings)
        setattr(loss, "kind", "mono")  # noqa: B010 (nn.Module declares tensors and modules only)
        return loss
    terms = Terms(settings.contrastive, objectives, model.get_embedding_dimension() or 0)
    kind = WeightedRankingLoss if settings.mini_batch_size is None else CachedWeightedRankingLoss
    ranking = kind(model, **_arguments(settings))
    ranking.terms = terms
    ranking.share_negatives = settings.share_negatives
    loss = _with_prefixes(model, ranking, settings)
    alone = settings.distill.alone if projection is not None and settings.distill is not None else 0.0
    return ObjectivesLoss(model, loss, terms, projection, alone=alone, reads_texts=teachers.read_texts)


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


def _objectives(
    model: SentenceTransformer, settings: LossSettings, teachers: Teachers
) -> tuple[list[Objective], nn.Linear | None]:
    """What has a weight, and the projection that is trained along."""
    objectives: list[Objective] = []
    projection = None
    if settings.distillation is not None:
        teacher = teachers.named(settings.distillation.teacher, "distillation")
        objectives.append(Distillation(settings.distillation.weight, teacher))
    if settings.distill is not None and settings.distill.weight:
        distill, projection = _distill(model, settings.distill, teachers)
        objectives.append(distill)
    scores = settings.score_distill
    if scores is not None and scores.weight:
        own = Reader(model, settings.mini_batch_size)
        reader = own if scores.teacher is None else teachers.named(scores.teacher, "score_distill")
        objectives.append(ScoreDistill(scores.weight, reader))
    if settings.translate_align:
        objectives.append(TranslateAlign(settings.translate_align))
    if settings.keep:
        objectives.append(Keep(settings.keep, teachers.base()))
    return objectives, projection


def _distill(model: SentenceTransformer, settings: DistillSettings, teachers: Teachers) -> tuple[Distill, nn.Linear]:
    teacher = teachers.named(settings.teacher, "distill")
    dimensions = (model.get_embedding_dimension(), teacher.model.get_embedding_dimension())
    projection = identity_projection(*(dimension or 0 for dimension in dimensions))
    return Distill(settings.weight, teacher, projection), projection


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
    kind = RankingLoss if settings.mini_batch_size is None else CachedRankingLoss
    ranking = kind(model, **_arguments(settings))
    ranking.share_negatives = settings.share_negatives
    return ranking


def _with_prefixes(model: SentenceTransformer, ranking: nn.Module, settings: LossSettings) -> nn.Module:
    if not settings.matryoshka:
        return ranking
    # the library trains the dimensions that it is given, and no others: the whole embedding is one of them
    dimensions = {*settings.matryoshka, model.get_embedding_dimension() or 0}
    return MatryoshkaLoss(model, ranking, sorted(dimensions, reverse=True))
