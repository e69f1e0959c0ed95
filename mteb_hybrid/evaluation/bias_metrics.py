"""Language bias: what the language of a passage does to its place in a pool of many languages.

All measures look at the full ranking of a pool that holds every language (PROTOCOL section 3). Passages that a
search model did not return stand behind those it did, in the order of ties; PEER sees them as tied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2, rankdata

from mteb_hybrid.evaluation.ranking import Bools, Floats, Ints, Ranking

PEER_DEPTHS = (20, 100)
TARGET_LANGUAGE_DEPTHS = (10, 20, 100)
SHARE_DEPTH = 10

_COUNTED_AT_ONCE = 2**20  # numpy counts a copy in whole numbers of 64 bits

Score = float | dict[str, float]


@dataclass(frozen=True)
class Pool:
    """The languages of a pool's passages, as seen by queries of one language.

    Attributes:
        languages: the languages of the pool.
        of_passage: for each passage row its language, as an index into ``languages``.
        query_language: the queries' language, likewise; -1 when the pool holds none of it.
    """

    languages: Sequence[str]
    of_passage: Ints
    query_language: int

    @property
    def shares(self) -> Floats:
        """The share of each language among the passages, shape (languages,)."""
        counts = np.zeros(len(self.languages), np.int64)
        for start in range(0, len(self.of_passage), _COUNTED_AT_ONCE):
            counts += np.bincount(self.of_passage[start : start + _COUNTED_AT_ONCE], minlength=len(counts))
        shares: Floats = counts / len(self.of_passage)
        return shares


def bias_scores(ranking: Ranking, pool: Pool) -> Mapping[str, Score]:
    """All language-bias measures of the queries of one language.

    Args:
        ranking: where the relevant passages of each query stand; its ``top`` names at least the first 10.
        pool: the languages of the passages.

    Returns:
        Score name to value; ``language_share_at_10`` is a mapping from language to share.
    """
    languages = _languages(ranking, pool)
    of_queries = {name: float(values.mean()) for name, values in query_bias_scores(ranking, pool).items()}
    behind = (ranking.ranks > 0) & ~ranking.retrieved
    tied = np.where(behind, len(pool.of_passage) + 1, ranking.ranks)
    shares = language_shares(ranking.top[:, :SHARE_DEPTH], pool)
    return {
        **of_queries,
        "rank_closeness": 1 - of_queries["rank_distance"] / max(len(pool.of_passage) - 1, 1),
        "language_share_at_10": dict(zip(pool.languages, shares.tolist(), strict=True)),
        "language_share_distance_at_10": float(np.abs(shares - pool.shares).sum() / 2),
        **{f"peer_at_{k}": float(peer(tied, languages, k).mean()) for k in PEER_DEPTHS},
        **{
            f"tlr_at_{k}": target_languages_recall(ranking, languages != pool.query_language, k)
            for k in TARGET_LANGUAGE_DEPTHS
        },
    }


def query_bias_scores(ranking: Ranking, pool: Pool) -> dict[str, Floats]:
    """The measures that are means over queries, of each query.

    Returns:
        Score name to values, each of shape (queries,).
    """
    return {
        "rank_distance": rank_distance(ranking).astype(np.float64),
        "worst_rank": ranking.ranks.max(axis=1).astype(np.float64),
        "query_language_first": (_languages(ranking, pool)[:, 0] == pool.query_language).astype(np.float64),
        "top1_query_language": (pool.of_passage[ranking.top[:, 0]] == pool.query_language).astype(np.float64),
    }


def language_ranks(ranking: Ranking, pool: Pool) -> dict[str, Ints]:
    """Where the parallel answers land: the best rank of a relevant passage in each language of the pool.

    Returns:
        Language to ranks, each of shape (queries,); 0 where no passage in that language is relevant.
    """
    languages, behind = _languages(ranking, pool), len(pool.of_passage) + 1
    best = {
        tag: np.where(languages == index, ranking.ranks, behind).min(axis=1, initial=behind)
        for index, tag in enumerate(pool.languages)
    }
    return {tag: np.where(ranks < behind, ranks, 0) for tag, ranks in best.items()}


def _languages(ranking: Ranking, pool: Pool) -> Ints:
    """The language of each relevant passage, as an index; -1 in the padding."""
    return np.where(ranking.ranks > 0, pool.of_passage[np.maximum(ranking.passages, 0)], -1)


def rank_distance(ranking: Ranking) -> Ints:
    """Distance between the first and the last relevant passage of each query, in ranks (Huang et al. 2023).

    Returns:
        Shape (queries,); 0 for a query with one relevant passage.
    """
    last = ranking.ranks.max(axis=1)
    distance: Ints = last - ranking.ranks[:, 0]
    return distance


def language_shares(top: Ints, pool: Pool) -> Floats:
    """Share of each language among the best-ranked passages, mean over queries; shape (languages,)."""
    counts = np.bincount(pool.of_passage[top].ravel(), minlength=len(pool.languages))
    shares: Floats = counts / top.size
    return shares


def peer(ranks: Ints, languages: Ints, k: int) -> Floats:
    """Probability of equal expected rank of each query (Yang et al. 2024, arXiv 2405.00978).

    The p-value of a Kruskal-Wallis test of the ranks of the relevant passages, grouped by language: midranks,
    ties corrected, chi-square survival with groups - 1 degrees of freedom. Passages below rank k all tie
    behind it; 1 when all tie, or when there is one group.

    Args:
        ranks: ranks of the relevant passages, 0 where padded; shape (queries, most relevant).
        languages: the language of each, as an integer.
        k: the cut-off.

    Returns:
        Shape (queries,), in [0, 1]; higher is fairer.
    """
    values = np.empty(len(ranks))
    for size in np.unique((ranks > 0).sum(axis=1)):  # queries with equally many relevant passages at once
        rows = np.flatnonzero((ranks > 0).sum(axis=1) == size)
        cut = np.minimum(ranks[rows, :size], k + 1)
        values[rows] = _kruskal_wallis(rankdata(cut, axis=1), languages[rows, :size])
    return values


def _kruskal_wallis(midranks: Floats, groups: Ints) -> Floats:
    """P-values of the test, a row a sample; ``midranks`` and ``groups`` are of one shape."""
    size = midranks.shape[1]
    between = np.zeros(len(midranks))
    count = np.zeros(len(midranks))
    for group in np.unique(groups):
        members = groups == group
        n = members.sum(axis=1)
        total = np.where(members, midranks, 0.0).sum(axis=1)
        between += total**2 / np.maximum(n, 1)
        count += n > 0
    # sum over tied sets of t^3 - t = sum over members of t^2 - 1, with t the size of a member's tied set
    tied = (midranks[:, :, None] == midranks[:, None, :]).sum(axis=2)
    correction = 1 - (tied.astype(np.float64) ** 2 - 1).sum(axis=1) / max(size**3 - size, 1)
    statistic = 12 / (size * (size + 1)) * between - 3 * (size + 1)
    comparable = (correction > 0) & (count > 1)
    survival = chi2.sf(statistic / np.where(comparable, correction, 1.0), np.maximum(count - 1, 1))
    return np.where(comparable, survival, 1.0)


def target_languages_recall(ranking: Ranking, in_target: Bools, k: int) -> float:
    """Recall at k over the relevant passages outside the query's language (Jang et al. 2026, arXiv 2606.18801).

    Args:
        ranking: where the relevant passages of each query stand.
        in_target: whether each of them is in another language than the query; padding is ignored.
        k: the cut-off.

    Returns:
        Mean over the queries that have such a passage; NaN if none has.
    """
    wanted = in_target & (ranking.ranks > 0)
    counts = wanted.sum(axis=1)
    found = (wanted & ranking.retrieved & (ranking.ranks <= k)).sum(axis=1)
    asked = counts > 0
    return float((found[asked] / counts[asked]).mean()) if asked.any() else float("nan")
