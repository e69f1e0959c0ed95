"""Fits directions of languages on the passages of a parallel corpus: what a method takes for the language in them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mteb_hybrid.data.parallel_corpus import ParallelCorpus
from mteb_hybrid.debias.debiasing import DEFAULT_ROLES, METHODS, Debiasing, FittedOn, Method, Roles
from mteb_hybrid.errors import HybridError, one_line

if TYPE_CHECKING:
    from mteb.models import EncoderProtocol

    from mteb_hybrid.training.base_model import Base

LEAST_PASSAGES = 10
"""A mean of fewer says more of these passages than of their language."""

DEFAULT_SOURCE = "en"

_Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class EncodedPassages:
    """The passages of a parallel corpus, encoded.

    Attributes:
        embeddings: of the distinct texts, single precision, shape (texts, dimensions).
        rows: for each language, which of them is the passage of each row of the corpus; -1 where it has none.
    """

    embeddings: NDArray[np.float32]
    rows: Mapping[str, NDArray[np.int64]]

    def of(self, language: str) -> NDArray[np.float32]:
        """The distinct passages of a language, shape (passages, dimensions)."""
        rows = self.rows[language]
        return self.embeddings[np.unique(rows[rows >= 0])]

    def pairs(self, language: str, source: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The distinct pairs of a passage in one language and its version in another, row by row."""
        both = np.stack([self.rows[language], self.rows[source]], axis=1)
        both = np.unique(both[(both >= 0).all(axis=1)], axis=0)
        return self.embeddings[both[:, 0]], self.embeddings[both[:, 1]]


def mean_difference(embeddings: _Floats, source: _Floats) -> NDArray[np.float64]:
    """The relative language vector: the mean over parallel texts of how far each is from its source (Jang et al. 2026).

    Args:
        embeddings: shape (texts, dimensions).
        source: those of the same texts in the source language.
    """
    difference: NDArray[np.float64] = np.subtract(embeddings, source, dtype=np.float64).mean(axis=0)
    return difference


def mean_embedding(embeddings: _Floats) -> NDArray[np.float64]:
    """The mean of embeddings of shape (texts, dimensions)."""
    mean: NDArray[np.float64] = embeddings.mean(axis=0, dtype=np.float64)
    return mean


def principal_directions(embeddings: _Floats, components: int) -> NDArray[np.float64]:
    """The first right singular vectors of embeddings, which are not centred before (LIR, Yang et al. 2021).

    So the first one lies near the mean. They are had from the eigenvectors of the second moments, which do not grow
    with the number of texts.

    Args:
        embeddings: shape (texts, dimensions).
        components: how many.

    Returns:
        Orthonormal vectors, the strongest first, shape (components, dimensions). Of each and its opposite, the one
        whose largest coordinate is positive.

    Raises:
        HybridError: the embeddings lie in fewer dimensions than that.
    """
    wide = embeddings.astype(np.float64)
    values, vectors = np.linalg.eigh(wide.T @ wide)
    independent = int((values > max(values[-1], 0) * 1e-10).sum())
    if components > independent:
        raise HybridError(f"{len(wide)} passages have no more than {independent} components; ask for as many or fewer")
    directions = vectors[:, ::-1][:, :components].T
    largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1)
    oriented: NDArray[np.float64] = directions * np.where(largest < 0, -1.0, 1.0)
    return oriented


def encode_passages(
    model: EncoderProtocol, corpus: ParallelCorpus, *, batch_size: int = 32, show_progress_bar: bool = False
) -> EncodedPassages:
    """Encode the passages of a corpus as documents of a retrieval task, each distinct text once.

    Args:
        model: an encoder of mteb, of one vector a text.
        corpus: its negatives are not looked at.
        batch_size: texts encoded at once.
        show_progress_bar: whether to show progress.

    Raises:
        HybridError: the model gives something else than one dense vector a text, or numbers that are not finite.
    """
    row_of: dict[str, int] = {}
    rows = {}
    for language in corpus.languages:
        texts: list[str | None] = corpus.table[f"passage_{language}"].to_pylist()
        numbers = (-1 if text is None else row_of.setdefault(text, len(row_of)) for text in texts)
        rows[language] = np.fromiter(numbers, dtype=np.int64, count=len(texts))
    if not row_of:
        raise HybridError(f"{corpus.name} has no passages to fit on; name another corpus")
    return EncodedPassages(_encode(model, list(row_of), batch_size, show_progress_bar), rows)


def fit_debiasing(
    model: EncoderProtocol | EncodedPassages,
    corpus: ParallelCorpus,
    method: Method,
    *,
    base: Base,
    alpha: float = 1.0,
    source: str | None = None,
    components: int = 1,
    apply: Roles | None = None,
    mteb_tasks: Sequence[str] = (),
    batch_size: int = 32,
    show_progress_bar: bool = False,
) -> Debiasing:
    """Fit a debiasing on the passages of a parallel corpus.

    Args:
        model: the plain model, as ``load_plain`` gives it; or the passages of the corpus, encoded by it.
        corpus: parallel texts. Those of a task that is to be measured must not be among them.
        method: ``shift``, ``centering`` or ``lir``; see ``Debiasing``.
        base: which model it is, as ``find_plain`` gives it; written down, and held against what it is put to.
        alpha: how much is taken away.
        source: the language that shift goes towards, English by default; other methods have none.
        components: of each language that lir takes away; other methods have one.
        apply: whose embeddings are changed; by default what the method's paper does: of shift and centering the
            documents', of lir those of all.
        mteb_tasks: mteb tasks whose texts these are, beside those that the corpus names itself.
        batch_size: texts encoded at once.
        show_progress_bar: whether to show progress.

    Returns:
        The debiasing; ``dataclasses.replace`` gives it another alpha without another fit.

    Raises:
        HybridError: a setting is not possible, a language has too few passages, or the model cannot be used.
    """
    source = check_settings(corpus, method, alpha, source, components)
    passages = model
    if not isinstance(passages, EncodedPassages):
        passages = encode_passages(passages, corpus, batch_size=batch_size, show_progress_bar=show_progress_bar)
    found = dict(_directions(passages, corpus, method, source, components))
    return Debiasing(
        method=method,
        alpha=float(alpha),
        apply=apply or DEFAULT_ROLES[method],
        languages=tuple(found),
        directions=np.stack([directions for _, directions in found.values()]).astype(np.float32),
        fitted_on=FittedOn(
            kind=base.kind,
            model=_public(base),
            revision=base.revision,
            corpus=corpus.name,
            fingerprint=corpus.fingerprint,
            rows=len(corpus),
            passages={language: count for language, (count, _) in found.items()},
            mteb_tasks=tuple(sorted({*mteb_tasks, *corpus.trained_on})),
        ),
        source=source,
    )


def check_settings(
    corpus: ParallelCorpus, method: Method, alpha: float, source: str | None, components: int
) -> str | None:
    """Raise a HybridError before anything is encoded if a setting is not possible; gives the source language."""
    if method not in METHODS:
        raise HybridError(f"no method is called {one_line(method, 40)!r}; possible: {', '.join(METHODS)}")
    if not (math.isfinite(alpha) and alpha >= 0):
        raise HybridError(f"alpha is {alpha}; it must be 0 or more")
    if components < 1 or (components > 1 and method != "lir"):
        fault = "one or more" if method == "lir" else f"one with {method}; more are for lir"
        raise HybridError(f"{components} components asked for; there must be {fault}")
    if method != "shift":
        if source is not None:
            raise HybridError(f"{method} goes towards no language; leave out the source {one_line(source, 40)}")
        return None
    source = source or DEFAULT_SOURCE
    if source not in corpus.languages:
        raise HybridError(
            f"{corpus.name} has no {one_line(source, 40)!r} to shift towards; it has {', '.join(corpus.languages)}: "
            "name one of them as the source"
        )
    if len(corpus.languages) == 1:
        raise HybridError(f"{corpus.name} has {source} alone; a shift needs another language beside its source")
    return source


def _directions(
    passages: EncodedPassages, corpus: ParallelCorpus, method: Method, source: str | None, components: int
) -> Iterator[tuple[str, tuple[int, NDArray[np.float64]]]]:
    """Each language with the number of passages and the directions that they give, shape (components, dimensions)."""
    for language in corpus.languages:
        if source is not None:
            own, sources = passages.pairs(language, source)
            _check_number(corpus, language, len(own), f" that are in {source} as well")
            yield language, (len(own), mean_difference(own, sources)[None])
            continue
        own = passages.of(language)
        _check_number(corpus, language, len(own), "")
        one = method == "centering"
        yield language, (len(own), mean_embedding(own)[None] if one else principal_directions(own, components))


def _check_number(corpus: ParallelCorpus, language: str, number: int, which: str) -> None:
    if number < LEAST_PASSAGES:
        raise HybridError(
            f"{corpus.name} has {number} different passages in {language}{which}; {LEAST_PASSAGES} are needed: leave "
            "the language out, or name a larger corpus"
        )


def _encode(model: EncoderProtocol, texts: list[str], batch_size: int, show_progress_bar: bool) -> NDArray[np.float32]:
    from datasets import Dataset
    from mteb.types import PromptType

    from mteb_hybrid.evaluation.dense import as_numpy, model_name
    from mteb_hybrid.evaluation.encodings import ByLanguage, EncodingContext, SharedEncodings
    from mteb_hybrid.tasks import ParallelWorldMonolingual

    if isinstance(model, ByLanguage):
        raise HybridError(f"{model_name(model)} is debiased already; fit on the plain model")
    # a retrieval task of ours, for what a model is told of one: its prompts go by that
    metadata = ParallelWorldMonolingual.metadata
    context = EncodingContext(
        metadata,
        hf_split=metadata.eval_splits[0],
        hf_subset=metadata.hf_subsets[0],
        encode_kwargs={"batch_size": batch_size, "show_progress_bar": show_progress_bar},
    )
    dataset = Dataset.from_dict({"id": [str(number) for number in range(len(texts))], "text": texts})
    embeddings = SharedEncodings().encode(model, dataset, PromptType.document, context)
    array = as_numpy(embeddings)
    if getattr(embeddings, "is_sparse", False) or array.dtype.kind != "f":
        raise HybridError(f"{model_name(model)} gives no dense vectors of real numbers; take another model")
    if not np.isfinite(array).all():
        raise HybridError(f"{model_name(model)} gives embeddings that are not finite numbers; check the model")
    return array.astype(np.float32, copy=False)


def _public(base: Base) -> str:
    """The name of a model without where it is on this machine."""
    from pathlib import Path

    return Path(base.source).name if base.kind == "folder" else base.source
