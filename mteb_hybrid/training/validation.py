"""Validation pairs: rows kept out of training, whose loss chooses the best checkpoint."""

from __future__ import annotations

from collections.abc import Sequence

import datasets
import numpy as np

from mteb_hybrid.data.parallel_corpus import ParallelCorpus
from mteb_hybrid.errors import HybridError, one_line


def hold_out(corpus: ParallelCorpus, share: float, *, at_most: int, seed: int) -> tuple[ParallelCorpus, ParallelCorpus]:
    """Part a corpus into rows for training and rows for validation.

    Whole passage groups are held out, so that no passage is on both sides.

    Args:
        corpus: the corpus.
        share: of the passage groups that is held out.
        at_most: groups, however large the share; more would never be looked at.
        seed: another seed holds out other groups.

    Returns:
        The training part, without a copy of its texts, and the validation part.

    Raises:
        HybridError: one of the parts would have no row.
    """
    groups = np.arange(len(corpus)) if corpus.groups is None else corpus.groups
    distinct = np.unique(groups)
    count = min(round(share * len(distinct)), at_most)
    if not 0 < count < len(distinct):
        raise HybridError(
            f"{corpus.name}: a validation share of {share} holds out {count} of {len(distinct)} passages; "
            f"use another share, or a validation source"
        )
    chosen = np.random.default_rng([seed, 0]).choice(distinct, count, replace=False)
    held_out = np.isin(groups, chosen)
    return corpus.without_rows(np.flatnonzero(held_out)), corpus.select_rows(held_out)


def validation_pairs(
    corpora: Sequence[ParallelCorpus], *, pairs: int, languages: Sequence[str] | None, seed: int
) -> datasets.Dataset:
    """Make the pairs whose loss is measured: by turns in one language and in two, where a row has two.

    Args:
        corpora: the validation parts.
        pairs: how many at most; an equal share of each corpus.
        languages: only these; all by default.
        seed: another seed draws other languages.

    Returns:
        A data set with the columns query, passage, and the negatives that all corpora have.

    Raises:
        HybridError: none of the corpora has one of the languages, or no row has a pair in them.
    """
    there = list(dict.fromkeys(language for corpus in corpora for language in corpus.languages))
    unknown = [language for language in languages or () if language not in there]
    if unknown:
        raise HybridError(
            f"validation.languages: {one_line(unknown[0], 40)!r} is in no source of the validation; there are "
            f"{', '.join(there)}"
        )
    generator = np.random.default_rng([seed, 1])
    negatives = min(corpus.negatives for corpus in corpora)
    chosen: list[dict[str, str]] = []
    for corpus in corpora:
        known = [language for language in corpus.languages if languages is None or language in languages]
        if not known:
            continue
        part = corpus.select_languages(known)
        rows = generator.permutation(len(part))[: -(-pairs // len(corpora))]
        chosen += [_pair(part, int(row), negatives, number % 2 == 1, generator) for number, row in enumerate(rows)]
    if not chosen:
        raise HybridError(f"validation has no pair in {', '.join(languages or ())}; name languages of the data")
    return datasets.Dataset.from_list(chosen[:pairs])


def _pair(
    corpus: ParallelCorpus, row: int, negatives: int, cross: bool, generator: np.random.Generator
) -> dict[str, str]:
    present = [language for language in corpus.languages if corpus.texts(row, language)[1] is not None]
    query, *others = generator.permutation(present).tolist()
    passage = others[0] if cross and others else query
    columns = corpus.passage_columns(passage)[: 1 + negatives]
    names = ["passage", *(f"negative_{number + 1}" for number in range(negatives))]
    texts = {name: corpus.table[column][row].as_py() for name, column in zip(names, columns, strict=True)}
    return {"query": corpus.table[f"query_{query}"][row].as_py(), **texts}
