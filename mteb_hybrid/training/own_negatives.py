"""The ranking losses of sentence-transformers, in which a row's hard negatives are its own query's alone.

The library scores every query against the negatives of all rows. But the negative of one row may be the passage of
another in the same batch, or its translation: for the other that is a false one. In a corpus of N rows of which a batch
holds B, each with K negatives, there are some B * B * K / N of them in each batch.
"""

from __future__ import annotations

import torch
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    MultipleNegativesRankingLoss,
)
from sentence_transformers.util import cos_sim, get_rank
from torch import Tensor


def own_similarities(queries: Tensor, passages: Tensor) -> Tensor:
    """Cosine similarities, -inf where a passage is the hard negative of another row.

    Args:
        queries: embeddings with two numbers behind each: its row, and 0.
        passages: the same; the last number is 1 for hard negatives.

    Returns:
        Shape (queries, passages).
    """
    negative, other = passages[:, -1] > 0, queries[:, -2, None] != passages[:, -2]
    return cos_sim(queries[:, :-2], passages[:, :-2]).masked_fill(negative & other, -torch.inf)


def _numbered(columns: list[list[Tensor]]) -> list[list[Tensor]]:
    """Put the row and the role behind each embedding, of columns in parts.

    Cosines do not see them, and they have no gradient; so they find their way through all that the library does.
    """
    first = get_rank() * sum(map(len, columns[0]))  # of this process, where the columns of all are gathered
    found: list[list[Tensor]] = []
    for number, parts in enumerate(columns):
        begin = first
        found.append([])
        for part in parts:
            rows = torch.arange(begin, begin + len(part), device=part.device, dtype=torch.float32)
            role = torch.full_like(rows, float(number > 1))
            found[-1].append(torch.cat([part.float(), rows[:, None], role[:, None]], dim=1))
            begin += len(part)
    return found


class RankingLoss(MultipleNegativesRankingLoss):
    """The library's.

    Attributes:
        share_negatives: whether a row's hard negatives are those of all queries, as the library has it.
    """

    share_negatives: bool = False

    def compute_loss_from_embeddings(self, embeddings: list[Tensor], labels: Tensor) -> Tensor:
        """The loss of a batch, of its embeddings by column."""
        own = len(embeddings) > 2 and not self.share_negatives
        self.similarity_fct = own_similarities if own else cos_sim
        if own:
            embeddings = [column for (column,) in _numbered([[column] for column in embeddings])]
        return super().compute_loss_from_embeddings(embeddings, labels)


class CachedRankingLoss(CachedMultipleNegativesRankingLoss):
    """The library's with cached gradients.

    Attributes:
        share_negatives: as above.
    """

    share_negatives: bool = False

    def calculate_loss(
        self, reps: list[list[Tensor]], labels: Tensor | None = None, *, with_backward: bool = False
    ) -> Tensor:
        """The loss of a batch, of its embeddings by column and part."""
        own = len(reps) > 2 and not self.share_negatives
        self.loss.similarity_fct = own_similarities if own else cos_sim
        return super().calculate_loss(_numbered(reps) if own else reps, labels, with_backward=with_backward)
