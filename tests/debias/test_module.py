"""A debiasing inside a SentenceTransformer: used, saved, and loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from mteb_hybrid.debias.debiasing import Debiasing, FittedOn
from mteb_hybrid.debias.module import DebiasModule
from mteb_hybrid.errors import HybridError
from tests.training.small_runs import static_model

TEXTS = ["one two", "two", "three one one"]
FITTED_ON = FittedOn("folder", "small", "1" * 40, "world", "0" * 40, 20, {"en": 20, "de": 20})


def debiasing(**changes: Any) -> Debiasing:
    directions = np.zeros((2, 1, 16), dtype=np.float32)
    directions[1] = np.linspace(-1, 1, 16)
    settings = {"method": "shift", "alpha": 0.5, "apply": "documents", "source": "en"} | changes
    return Debiasing(languages=("en", "de"), directions=directions, fitted_on=FITTED_ON, **settings)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> SentenceTransformer:
    folder = static_model(tmp_path_factory.mktemp("plain") / "small", ["one", "two", "three"])
    return SentenceTransformer(str(folder), device="cpu")


def with_module(plain: SentenceTransformer, **changes: Any) -> SentenceTransformer:
    return SentenceTransformer(modules=[*plain, DebiasModule(debiasing(**changes))], device="cpu")


def test_documents_are_changed_by_the_language_that_is_named(plain: SentenceTransformer) -> None:
    model, before = with_module(plain), plain.encode_document(TEXTS)
    expected = before - 0.5 * np.linspace(-1, 1, 16)
    np.testing.assert_allclose(model.encode_document(TEXTS, language="de"), expected, atol=1e-6)
    np.testing.assert_allclose(model.encode_document(TEXTS, language="deu-Latn", batch_size=1), expected, atol=1e-6)
    np.testing.assert_array_equal(model.encode_document(TEXTS, language="en"), before)
    np.testing.assert_array_equal(model.encode_document(TEXTS, language="fr"), before)
    np.testing.assert_array_equal(model.encode_document(TEXTS), before)


def test_queries_are_not_unless_all_are(plain: SentenceTransformer) -> None:
    model, before = with_module(plain), plain.encode_query(TEXTS)
    np.testing.assert_array_equal(model.encode_query(TEXTS, language="de"), before)
    np.testing.assert_array_equal(model.encode(TEXTS, language="de"), before)
    for encode in (everything := with_module(plain, apply="all")).encode_query, everything.encode:
        np.testing.assert_allclose(encode(TEXTS, language="de"), before - 0.5 * np.linspace(-1, 1, 16), atol=1e-6)


def test_a_list_of_languages_is_refused(plain: SentenceTransformer) -> None:
    with pytest.raises(HybridError, match="name one, as in language='de'"):
        with_module(plain).encode_document(TEXTS, language=["de", "en", "de"])


def test_it_is_saved_and_loaded_with_the_model(plain: SentenceTransformer, tmp_path: Path) -> None:
    model, folder = with_module(plain), str(tmp_path / "saved")
    model.save_pretrained(folder, create_model_card=False)
    (saved,) = Path(folder).glob("*_DebiasModule")
    assert [path.name for path in saved.iterdir()] == ["model.safetensors"]
    loaded = SentenceTransformer(folder, device="cpu", trust_remote_code=True)
    assert loaded[-1].debiasing.fitted_on == FITTED_ON
    assert loaded.get_embedding_dimension() == 16
    expected = model.encode_document(TEXTS, language="de")
    np.testing.assert_array_equal(loaded.encode_document(TEXTS, language="de"), expected)


def test_a_saved_model_that_lost_its_debiasing(plain: SentenceTransformer, tmp_path: Path) -> None:
    folder = str(tmp_path / "saved")
    with_module(plain).save_pretrained(folder, create_model_card=False)
    (saved,) = Path(folder).glob("*_DebiasModule/model.safetensors")
    saved.write_bytes(b"x")
    with pytest.raises(HybridError, match="is no debiasing"):
        SentenceTransformer(folder, device="cpu", trust_remote_code=True)
    saved.unlink()
    with pytest.raises(HybridError, match="save the model again"):
        SentenceTransformer(folder, device="cpu", trust_remote_code=True)
