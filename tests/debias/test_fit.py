"""Directions of languages: by hand on a few vectors, from a corpus of known vectors, and what cannot be fitted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import hypothesis.extra.numpy as arrays
import numpy as np
import pyarrow
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mteb.models import ModelMeta
from mteb.types import PromptType

from mteb_hybrid.data.parallel_corpus import ParallelCorpus
from mteb_hybrid.debias.debiasing import Debiasing
from mteb_hybrid.debias.encoder import DebiasedEncoder
from mteb_hybrid.debias.fit import (
    LEAST_PASSAGES,
    EncodedPassages,
    encode_passages,
    fit_debiasing,
    mean_difference,
    mean_embedding,
    principal_directions,
)
from mteb_hybrid.errors import HybridError
from mteb_hybrid.training.base_model import Base

BASE = Base("folder", "/home/ada/models/ours", "1" * 40)
ROWS = 12
OFFSETS = {"en": (0.0, 0.0, 0.0), "de": (1.0, -2.0, 0.0), "ru": (0.0, 3.0, 0.5)}


def corpus(
    rows: int = ROWS, *, missing: tuple[tuple[str, int], ...] = (), trained_on: tuple[str, ...] = ()
) -> ParallelCorpus:
    """Rows whose passage is ``de 7``; some lack a language."""
    columns: dict[str, list[str | None]] = {"id": [str(row) for row in range(rows)]}
    for language in OFFSETS:
        texts = [None if (language, row) in missing else f"{language} {row}" for row in range(rows)]
        columns |= {f"query_{language}": texts, f"passage_{language}": texts}
    schema = pyarrow.schema([(name, pyarrow.string()) for name in columns])
    return ParallelCorpus("world", pyarrow.table(columns, schema), tuple(OFFSETS), trained_on=trained_on)


class OffsetEncoder:
    """The vector of ``de 7`` is (7, 49, 1) and the offset of German."""

    def __init__(self, change: Callable[[torch.Tensor], Any] = lambda vectors: vectors) -> None:
        self.asked: Counter[tuple[str, PromptType | None]] = Counter()
        self.mteb_model_meta = ModelMeta.create_empty(overwrites={"name": "test/offsets", "revision": "1"})
        self._change = change

    def encode(self, inputs: Any, *, prompt_type: PromptType | None = None, **_: Any) -> Any:
        texts = [text for batch in inputs for text in batch["text"]]
        self.asked.update((text, prompt_type) for text in texts)
        return self._change(torch.tensor([self._vector(*text.split()) for text in texts]))

    @staticmethod
    def _vector(language: str, row: str) -> list[float]:
        return [value + offset for value, offset in zip((int(row), int(row) ** 2, 1), OFFSETS[language], strict=True)]

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        return embeddings1 @ embeddings2.T

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:
        return (embeddings1 * embeddings2).sum(dim=1)


def fit(pairs: ParallelCorpus | None = None, method: Any = "shift", model: Any = None, **settings: Any) -> Debiasing:
    return fit_debiasing(model or OffsetEncoder(), corpus() if pairs is None else pairs, method, base=BASE, **settings)


# ---- on arrays, by hand


def test_the_mean_difference() -> None:
    german, english = np.array([[3.0, 1.0], [5.0, 2.0]]), np.array([[1.0, 1.0], [1.0, 6.0]])
    assert mean_difference(german, english).tolist() == [3, -2]


def test_the_mean_embedding() -> None:
    assert mean_embedding(np.array([[3.0, 1.0], [5.0, 2.0]])).tolist() == [4, 1.5]


def test_principal_directions_are_not_of_centred_embeddings() -> None:
    # all the length is along (3, 4); the differences, which centring would leave, are along (4, -3)
    embeddings = np.array([[30.0, 40.0], [30.4, 39.7], [29.6, 40.3]])
    first, second = principal_directions(embeddings, 2)
    np.testing.assert_allclose(first, [0.6, 0.8], atol=1e-6)
    np.testing.assert_allclose(second, [0.8, -0.6], atol=1e-6)


@given(arrays.arrays(np.float32, (8, 4), elements=st.integers(-9, 9).map(float)), st.integers(1, 4))
def test_principal_directions_are_the_right_singular_vectors(embeddings: Any, components: int) -> None:
    _, values, expected = np.linalg.svd(embeddings.astype(np.float64))
    if values[-1] < 1e-3 or np.abs(np.diff(values)).min() < 1e-2:
        return  # the vectors are not determined
    found = principal_directions(embeddings, components)
    np.testing.assert_allclose(np.abs((found * expected[:components]).sum(axis=1)), 1, atol=1e-6)
    np.testing.assert_allclose(found @ found.T, np.eye(components), atol=1e-9)


def test_no_more_components_than_there_are() -> None:
    flat = np.array([[1.0, 2, 0], [2, 1, 0], [5, 5, 0]])
    assert principal_directions(flat, 2).shape == (2, 3)
    with pytest.raises(HybridError, match="3 passages have no more than 2 components"):
        principal_directions(flat, 3)
    with pytest.raises(HybridError, match="no more than 0 components"):
        principal_directions(np.zeros((3, 2)), 1)


def test_a_pair_counts_once_however_many_questions_it_answers() -> None:
    rows = {"en": np.array([0, 0, 1, 2, -1]), "de": np.array([3, 3, 4, -1, 5])}
    passages = EncodedPassages(np.arange(12, dtype=np.float32).reshape(6, 2), rows)
    german, english = passages.pairs("de", "en")
    assert (german.tolist(), english.tolist()) == ([[6, 7], [8, 9]], [[0, 1], [2, 3]])
    assert passages.of("en").tolist() == [[0, 1], [2, 3], [4, 5]]


# ---- on a corpus


def test_shift_finds_the_offsets_of_the_languages() -> None:
    found = fit(alpha=0.5)
    np.testing.assert_allclose(found.directions[:, 0], list(OFFSETS.values()), atol=1e-6)
    assert (found.method, found.alpha, found.apply, found.source) == ("shift", 0.5, "documents", "en")
    assert found.languages == ("en", "de", "ru")


def test_shift_towards_another_language() -> None:
    found = fit(source="de")
    np.testing.assert_allclose(found.directions[:, 0], np.subtract(list(OFFSETS.values()), OFFSETS["de"]), atol=1e-6)


def test_shift_goes_by_the_rows_that_have_both_languages() -> None:
    # row 11 alone would move the mean: its square is the largest
    found = fit(corpus(missing=(("en", 11),)))
    np.testing.assert_allclose(found.directions[1, 0], OFFSETS["de"], atol=1e-6)
    assert found.fitted_on.passages == {"en": 11, "de": 11, "ru": 11}


def test_centering_goes_by_all_rows_of_the_language() -> None:
    found = fit(corpus(missing=(("en", 11),)), "centering")
    squares = sum(row**2 for row in range(12)) / 12
    np.testing.assert_allclose(found.directions[1, 0], [5.5 + 1, squares - 2, 1], atol=1e-5)
    assert found.fitted_on.passages == {"en": 11, "de": 12, "ru": 12}
    assert (found.apply, found.source) == ("documents", None)


def test_lir_removes_what_the_language_has_most_of() -> None:
    found = fit(method="lir", components=2)
    assert (found.apply, found.directions.shape) == ("all", (3, 2, 3))
    vectors = np.array([OffsetEncoder._vector("ru", str(row)) for row in range(ROWS)])
    left = found.transform(vectors, ["ru"] * ROWS, PromptType.query)
    assert np.square(left).sum() == pytest.approx(np.linalg.svd(vectors)[1][2] ** 2, rel=1e-3)


@pytest.mark.parametrize("method", ["shift", "centering", "lir"])
def test_whose_embeddings_are_changed_can_be_chosen(method: Any) -> None:
    assert fit(method=method, apply="all").apply == "all"
    assert fit(method=method, apply="documents").apply == "documents"


def test_what_it_was_fitted_on_is_written_down_without_paths_of_the_machine() -> None:
    pairs = corpus(trained_on=("MLQAR",))
    found = fit(pairs, mteb_tasks=["Ours"]).fitted_on
    assert (found.kind, found.model, found.revision) == ("folder", "ours", "1" * 40)
    assert (found.corpus, found.rows, found.fingerprint) == ("world", ROWS, pairs.fingerprint)
    assert found.mteb_tasks == ("MLQAR", "Ours")


def test_each_text_is_encoded_once_and_as_a_document() -> None:
    encoder = OffsetEncoder()
    passages = encode_passages(encoder, corpus(missing=(("de", 3),)))
    expected = {f"{language} {row}" for language in OFFSETS for row in range(ROWS)} - {"de 3"}
    assert encoder.asked == Counter({(text, PromptType.document): 1 for text in expected})
    assert passages.rows["de"][3] == -1
    assert passages.embeddings.dtype == np.float32


def test_one_encoding_serves_every_method() -> None:
    passages = encode_passages(OffsetEncoder(), corpus())
    for method in ("shift", "centering", "lir"):
        np.testing.assert_array_equal(fit(method=method, model=passages).directions, fit(method=method).directions)


# ---- what cannot be fitted


def _fails(call: Callable[[], object], *parts: str) -> None:
    with pytest.raises(HybridError) as caught:
        call()
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize("method", ["shift", "centering", "lir"])
def test_too_few_passages(method: Any) -> None:
    enough, few = corpus(LEAST_PASSAGES), corpus(LEAST_PASSAGES, missing=(("de", 0),))
    assert fit(enough, method).languages == tuple(OFFSETS)
    _fails(lambda: fit(few, method), "world has 9 different passages in de", "10 are needed: leave the language out")


@pytest.mark.parametrize(
    ("method", "settings", "part"),
    [
        ("swap", {}, "no method is called 'swap'; possible: shift, centering, lir"),
        ("shift", {"alpha": -1}, "alpha is -1; it must be 0 or more"),
        ("lir", {"alpha": float("nan")}, "alpha is nan"),
        ("lir", {"components": 0}, "0 components asked for; there must be one or more"),
        ("lir", {"components": 4}, "no more than 3 components"),
        ("shift", {"components": 2}, "2 components asked for; there must be one with shift; more are for lir"),
        ("centering", {"components": 2}, "one with centering"),
        ("shift", {"source": "fr"}, "world has no 'fr' to shift towards; it has en, de, ru"),
        ("centering", {"source": "en"}, "centering goes towards no language; leave out the source en"),
        ("lir", {"source": "en"}, "lir goes towards no language"),
        ("shift", {"apply": "queries"}, "apply is 'queries'"),
    ],
)
def test_impossible_settings(method: Any, settings: Any, part: str) -> None:
    _fails(lambda: fit(method=method, **settings), part)


def test_settings_are_looked_at_before_anything_is_encoded() -> None:
    encoder = OffsetEncoder()
    _fails(lambda: fit(model=encoder, components=2), "more are for lir")
    assert not encoder.asked


def test_a_shift_of_one_language() -> None:
    _fails(lambda: fit(corpus().select_languages(["en"])), "world has en alone")


def test_a_corpus_without_passages() -> None:
    empty = replace(corpus(), table=corpus().table.slice(0, 0))
    _fails(lambda: fit(empty), "world has no passages to fit on")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda vectors: vectors[:-1], "does not give one vector a text"),
        (lambda vectors: vectors.unsqueeze(1), "does not give one vector a text"),
        (lambda vectors: vectors.to_sparse(), "gives no dense vectors"),
        (lambda vectors: vectors.numpy().astype(np.int8), "gives no dense vectors of real numbers"),
        (lambda vectors: vectors / 0, "test/offsets gives embeddings that are not finite numbers"),
    ],
)
def test_models_that_cannot_be_debiased(change: Any, part: str) -> None:
    _fails(lambda: fit(model=OffsetEncoder(change)), part)


def test_half_precision_will_do() -> None:
    found = fit(model=OffsetEncoder(lambda vectors: vectors.to(torch.bfloat16)))
    np.testing.assert_allclose(found.directions[:, 0], list(OFFSETS.values()), atol=0.5)


def test_what_is_debiased_already() -> None:
    _fails(lambda: fit(model=DebiasedEncoder(OffsetEncoder(), fit())), "test/offsets is debiased already")  # type: ignore[arg-type]
