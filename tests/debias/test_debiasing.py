"""What is removed from embeddings: worked by hand in two and three dimensions, and the identities that must hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mteb.types import PromptType

from mteb_hybrid.debias.debiasing import METHODS, Debiasing, FittedOn, Method
from mteb_hybrid.errors import HybridError

FITTED_ON = FittedOn("tiny", "mteb-hybrid/tiny", None, "world", "0" * 40, 20, {"en": 20, "de": 20})
DOCUMENT, QUERY = PromptType.document, PromptType.query


def made(
    method: Method, directions: Sequence[Any], *, languages: Sequence[str] = ("en", "de"), **changes: Any
) -> Debiasing:
    """A debiasing of the directions of each language, in the order of the languages."""
    source = "en" if method == "shift" else None
    apply = "all" if method == "lir" else "documents"
    values = np.array(directions, dtype=np.float32).reshape(len(languages), -1, np.shape(directions)[-1])
    return replace(Debiasing(method, 1.0, apply, tuple(languages), values, FITTED_ON, source), **changes)


SHIFT = made("shift", [[0, 0], [2, -4]])
CENTERING = made("centering", [[1, 1], [3, 0]])
LIR = made("lir", [[0, 0, 1], [0.6, 0.8, 0]])


def numbers(rows: int, dimensions: int) -> st.SearchStrategy[Any]:
    """Embeddings of whole numbers, whose sums and products are exact."""
    return arrays.arrays(np.float64, (rows, dimensions), elements=st.integers(-50, 50).map(float))


# ---- by hand


def test_shift_takes_alpha_of_the_languages_vector_from_documents() -> None:
    embeddings = np.array([[10.0, 10.0], [10.0, 10.0]])
    half = replace(SHIFT, alpha=0.5)
    assert half.transform(embeddings, ["en", "de"], DOCUMENT).tolist() == [[10, 10], [9, 12]]
    assert SHIFT.transform(embeddings, ["de", "de"], DOCUMENT).tolist() == [[8, 14], [8, 14]]


def test_queries_are_not_shifted() -> None:
    embeddings = np.array([[10.0, 10.0]])
    assert SHIFT.transform(embeddings, ["de"], QUERY) is embeddings


def test_centering_takes_the_mean_of_the_language() -> None:
    embeddings = np.array([[1.0, 1.0], [4.0, 2.0]])
    assert CENTERING.transform(embeddings, ["en", "de"], DOCUMENT).tolist() == [[0, 0], [1, 2]]
    assert CENTERING.transform(embeddings, ["en", "de"], QUERY) is embeddings
    everywhere = replace(CENTERING, apply="all")
    assert everywhere.transform(embeddings, ["en", "de"], QUERY).tolist() == [[0, 0], [1, 2]]


def test_lir_takes_what_lies_along_the_direction() -> None:
    embeddings = np.array([[1.0, 2.0, 3.0], [10.0, 5.0, 7.0]])
    # (10, 5, 7) . (.6, .8, 0) = 10, so (6, 8, 0) is removed
    np.testing.assert_allclose(LIR.transform(embeddings, ["en", "de"], QUERY), [[1, 2, 0], [4, -3, 7]], atol=1e-6)
    half = replace(LIR, alpha=0.5).transform(embeddings, ["en", "de"], DOCUMENT)
    np.testing.assert_allclose(half, [[1, 2, 1.5], [7, 1, 7]], atol=1e-6)


def test_lir_of_two_components() -> None:
    both = made("lir", [[[1, 0, 0], [0, 1, 0]], [[0, 0, 1], [0, 1, 0]]])
    embeddings = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    assert both.transform(embeddings, ["en", "de"], DOCUMENT).tolist() == [[0, 0, 3], [1, 0, 0]]


# ---- identities


@given(numbers(4, 3), st.sampled_from(METHODS), st.sampled_from([DOCUMENT, QUERY, None]))
def test_alpha_0_changes_nothing(embeddings: Any, method: Method, role: PromptType | None) -> None:
    none = made(method, [[0, 0, 0] if method == "shift" else [0, 0, 1], [1, 0, 0]], alpha=0.0, apply="all")
    assert np.array_equal(none.transform(embeddings, ["en", "de", "fr", "de"], role), embeddings)


@given(numbers(2, 3), numbers(6, 3), numbers(1, 3), st.sampled_from([0.25, 0.5, 1.0, 2.0]))
def test_centering_documents_leaves_monolingual_rankings_by_the_dot_product(
    queries: Any, documents: Any, mean: Any, alpha: float
) -> None:
    centering = made("centering", mean.astype(np.float32), languages=["de"], alpha=alpha)
    before = queries @ documents.T
    after = queries @ centering.transform(documents, ["de"] * 6, DOCUMENT).T
    # all scores of a query go down by the same number
    np.testing.assert_array_equal(before - before[:, :1], after - after[:, :1])


@given(numbers(5, 4), st.integers(1, 3), st.integers(0, 99))
def test_lir_leaves_nothing_along_the_directions(embeddings: Any, components: int, seed: int) -> None:
    basis = np.linalg.qr(np.random.default_rng(seed).normal(size=(4, components)))[0].T.astype(np.float32)
    lir = made("lir", basis[None], languages=["de"])
    removed = lir.transform(embeddings, ["de"] * 5, QUERY)
    np.testing.assert_allclose(removed @ basis.T, 0, atol=1e-4)
    np.testing.assert_allclose(lir.transform(removed, ["de"] * 5, QUERY), removed, atol=1e-4)


@pytest.mark.parametrize("debiasing", [SHIFT, CENTERING], ids=["shift", "centering"])
@given(numbers(3, 2))
@settings(max_examples=20)
def test_what_is_taken_is_proportional_to_alpha(debiasing: Debiasing, embeddings: Any) -> None:
    def taken(alpha: float) -> Any:
        return embeddings - replace(debiasing, alpha=alpha).transform(embeddings, ["de", "en", "de"], DOCUMENT)

    np.testing.assert_array_equal(2 * taken(0.5), taken(1.0))


# ---- languages


def test_a_language_without_a_direction_is_left_alone_and_counted() -> None:
    embeddings = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    changed = SHIFT.transform(embeddings, ["fr", "de", "xyzzy"], DOCUMENT)
    assert changed.tolist() == [[1, 2], [1, 8], [5, 6]]
    assert SHIFT.left_alone(["fr", "de", "fr", "en", "xyzzy"]) == Counter({"fr": 2, "xyzzy": 1})


@pytest.mark.parametrize("tag", ["de", "deu", "deu-Latn", "de-Latn", "DE"])
def test_a_language_is_known_by_any_of_its_tags(tag: str) -> None:
    assert SHIFT.transform(np.zeros((1, 2)), [tag], DOCUMENT).tolist() == [[-2, 4]]


def test_macrolanguages_are_their_usual_language_and_scripts_differ() -> None:
    chinese = made("centering", [[1, 0], [0, 1]], languages=["zh", "zh-Hant"])
    tags = ["zho-Hans", "cmn-Hans", "cmn-Hant", "zh-Hant", "yue-Hant"]
    taken = np.zeros((5, 2)) - chinese.transform(np.zeros((5, 2)), tags, DOCUMENT)
    assert taken.tolist() == [[1, 0], [1, 0], [0, 1], [0, 1], [0, 0]]


def test_a_tag_itself_goes_before_what_it_means() -> None:
    portuguese = made("centering", [[1, 0], [0, 1]], languages=["pt", "pt-BR"])
    taken = -portuguese.transform(np.zeros((3, 2)), ["pt", "pt-BR", "por-Latn"], DOCUMENT)
    assert taken.tolist() == [[1, 0], [0, 1], [1, 0]]


# ---- kinds of embeddings


@pytest.mark.parametrize("debiasing", [made("shift", [[0, 0, 0], [1, 2, 3]]), LIR], ids=["shift", "lir"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_tensors_are_as_arrays_and_keep_their_type(debiasing: Debiasing, dtype: torch.dtype) -> None:
    embeddings = torch.tensor([[1.0, 2, 4], [3, 5, 6], [7, 8, 9]], dtype=dtype)
    before = embeddings.clone()
    found = debiasing.transform(embeddings, ["en", "de", "fr"], DOCUMENT)
    expected = debiasing.transform(embeddings.double().numpy(), ["en", "de", "fr"], DOCUMENT)
    assert found.dtype == dtype
    assert torch.allclose(found.double(), torch.from_numpy(expected), rtol=1e-2)
    assert torch.equal(embeddings, before)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_arrays_keep_their_type_and_are_not_changed_themselves(dtype: type) -> None:
    embeddings = np.ones((1, 3), dtype=dtype)
    assert LIR.transform(embeddings, ["en"], DOCUMENT).dtype == dtype
    assert embeddings.tolist() == [[1, 1, 1]]


@pytest.mark.parametrize(
    ("embeddings", "part"),
    [
        (np.zeros((1, 3)), "of shape (1, 3) cannot be debiased by vectors of 2 dimensions for 1 texts"),
        (np.zeros((2, 2)), "of shape (2, 2)"),
        (np.zeros(2), "of shape (2,)"),
        ([[0.0, 0.0]], "of shape ()"),
        (torch.zeros(1, 2).to_sparse(), "sparse embeddings"),
        (np.zeros((1, 2), dtype=np.int8), "type int8 cannot be debiased"),
        (torch.zeros(1, 2, dtype=torch.int8), "type torch.int8 cannot be debiased"),
    ],
)
def test_what_is_no_embedding_of_each_text(embeddings: Any, part: str) -> None:
    with pytest.raises(HybridError) as caught:
        SHIFT.transform(embeddings, ["de"], DOCUMENT)
    assert part in str(caught.value)


# ---- what cannot be


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"method": "swap"}, "method is 'swap'; possible: shift, centering, lir"),
        ({"apply": "queries"}, "apply is 'queries'; possible: documents, all"),
        ({"alpha": -0.1}, "alpha is -0.1; it must be 0 or more"),
        ({"alpha": float("nan")}, "alpha is nan"),
        ({"alpha": float("inf")}, "alpha is inf"),
        ({"languages": ()}, "there must be a language, and none twice"),
        ({"languages": ("en", "en")}, "there must be a language, and none twice"),
        ({"source": None}, "shift must have a source among its languages"),
        ({"source": "fr"}, "shift must have a source among its languages"),
        ({"languages": ("en", "de", "fr")}, "(2, 1, 2) for 3 languages"),
        ({"directions": np.zeros((2, 1, 2))}, "float64"),
        ({"directions": np.zeros((2, 2), dtype=np.float32)}, "(2, 2) for 2 languages"),
        ({"directions": np.zeros((2, 1, 0), dtype=np.float32)}, "(2, 1, 0)"),
        ({"directions": np.zeros((2, 2, 2), dtype=np.float32)}, "shift has one component a language, and not 2"),
        ({"directions": np.full((2, 1, 2), np.nan, dtype=np.float32)}, "finite"),
    ],
)
def test_impossible_debiasings(change: dict[str, Any], part: str) -> None:
    with pytest.raises(HybridError) as caught:
        replace(SHIFT, **change)
    assert part in str(caught.value)


def test_components_that_are_no_projection_are_refused() -> None:
    with pytest.raises(HybridError, match="must be orthonormal"):
        made("lir", [[1, 1], [0, 1]])
    with pytest.raises(HybridError, match="no other method has one"):
        replace(LIR, source="en")
