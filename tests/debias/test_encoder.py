"""The encoder that mteb evaluates: how it finds the languages of texts, and what it passes on."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from mteb._create_dataloaders import create_dataloader
from mteb.models import EncoderProtocol, SearchProtocol
from mteb.types import PromptType

from mteb_hybrid.debias.debiasing import Debiasing, FittedOn
from mteb_hybrid.debias.encoder import DebiasedEncoder
from mteb_hybrid.errors import HybridError
from mteb_hybrid.evaluation.encodings import ByLanguage
from mteb_hybrid.tasks import ParallelWorldMonolingual
from tests.evaluation.encoders import HashEncoder

TEXTS = ["de one", "fr two", "el three"]
OFFSETS = {"de": 100.0, "fr": 10.0}
FITTED_ON = FittedOn("tiny", "mteb-hybrid/tiny", None, "world", "0" * 40, 20, {"de": 20, "fr": 20})


def made(**changes: Any) -> DebiasedEncoder:
    """Around a HashEncoder of two dimensions: 100 is taken from both numbers of German documents, 10 of French."""
    directions = np.array([[[offset, offset]] for offset in OFFSETS.values()], dtype=np.float32)
    values: dict[str, Any] = {"method": "centering", "alpha": 1.0, "apply": "documents"} | changes
    debiasing = Debiasing(languages=tuple(OFFSETS), directions=directions, fitted_on=FITTED_ON, **values)
    inner: Any = HashEncoder(dimensions=2)
    return DebiasedEncoder(inner, debiasing)


def encode(
    encoder: Any, *, role: PromptType | None = PromptType.document, languages: Any = None, told: list[str] | None = None
) -> Any:
    """Encode the texts as a task does that says so much of their languages."""
    metadata = ParallelWorldMonolingual.metadata.model_copy(
        update={"name": "Theirs", "eval_langs": {"x": languages or ["deu-Latn", "fra-Latn"]}}
    )
    columns = {"id": ["1", "2", "3"], "text": TEXTS} | ({"language": told} if told else {})
    loader = create_dataloader(Dataset.from_dict(columns), task_metadata=metadata, prompt_type=role, batch_size=2)
    found = encoder.encode(loader, task_metadata=metadata, hf_split="test", hf_subset="x", prompt_type=role)
    return torch.as_tensor(found)


@pytest.fixture(scope="module")
def plain() -> Any:
    return encode(HashEncoder(dimensions=2))


@pytest.fixture
def identifier(monkeypatch: pytest.MonkeyPatch) -> None:
    """An identifier that takes the first word of a text for its language."""
    module = SimpleNamespace(classify=lambda text: (text.split()[0], 0.0))
    monkeypatch.setitem(sys.modules, "py3langid", module)


@pytest.fixture
def no_identifier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py3langid", None)


def taken(plain: Any, changed: Any) -> list[float]:
    """What was taken from both numbers of each text."""
    difference = plain - changed
    assert torch.equal(difference[:, 0], difference[:, 1])
    values: list[float] = difference[:, 0].tolist()
    return values


@pytest.mark.usefixtures("no_identifier")
def test_a_column_of_languages_goes_first(plain: Any) -> None:
    assert taken(plain, encode(made(), languages=["deu-Latn"], told=["fr", "deu-Latn", "el"])) == [10, 100, 0]


@pytest.mark.usefixtures("no_identifier")
@pytest.mark.parametrize("languages", [["deu-Latn"], ["deu-Latn", "deu-Latn"]])
def test_then_the_one_language_of_the_subset(plain: Any, languages: list[str]) -> None:
    assert taken(plain, encode(made(), languages=languages)) == [100, 100, 100]


@pytest.mark.usefixtures("identifier")
def test_then_the_identifier(plain: Any) -> None:
    assert taken(plain, encode(made())) == [100, 10, 0]


@pytest.mark.usefixtures("no_identifier")
def test_without_the_identifier_it_is_said_what_to_install() -> None:
    with pytest.raises(HybridError, match="pip install"):
        encode(made())


@pytest.mark.usefixtures("no_identifier")
@pytest.mark.parametrize("role", [PromptType.query, None])
def test_no_language_is_needed_of_what_is_not_changed(role: PromptType | None, plain: Any) -> None:
    assert taken(plain, encode(made(), role=role)) == [0, 0, 0]
    assert taken(plain, encode(made(alpha=0.0))) == [0, 0, 0]


@pytest.mark.usefixtures("identifier")
@pytest.mark.parametrize("role", [PromptType.query, None])
def test_all_can_be_changed(role: PromptType | None, plain: Any) -> None:
    assert taken(plain, encode(made(apply="all"), role=role)) == [100, 10, 0]


def test_batches_without_a_dataset_will_do(plain: Any) -> None:
    batches = [{"text": TEXTS[:2], "language": ["fr", "fr"]}, {"text": TEXTS[2:], "language": ["de"]}]
    metadata = ParallelWorldMonolingual.metadata
    settings: dict[str, Any] = {"task_metadata": metadata, "hf_split": "test", "hf_subset": metadata.hf_subsets[0]}
    inputs: Any = batches
    found = made().encode(inputs, prompt_type=PromptType.document, **settings)
    assert taken(plain, found) == [10, 10, 100]


@pytest.mark.usefixtures("identifier")
def test_what_is_left_alone_is_told_once_a_task(caplog: pytest.LogCaptureFixture) -> None:
    encoder = made()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            encode(encoder)
        encoder.transform(torch.zeros(4, 2), ["el", "ru", "de", "ru"], PromptType.document)
        encoder.transform(torch.zeros(1, 2), ["th"], PromptType.query)
    first, second = (record.getMessage() for record in caplog.records if "left as they are" in record.getMessage())
    assert first.startswith("Theirs: ")
    assert first.endswith("fitted on none of them: el (1)")
    assert second.endswith("fitted on none of them: el (1), ru (2)")
    assert encoder.left_alone == Counter({"el": 4, "ru": 2})


def test_our_tasks_know_it_by_what_it_has() -> None:
    encoder = made()
    assert isinstance(encoder, ByLanguage)
    assert isinstance(encoder, EncoderProtocol)
    assert not isinstance(encoder, SearchProtocol)
    changed = encoder.transform(torch.zeros(2, 2), ["de", "fr"], PromptType.document)
    assert changed.tolist() == [[-100, -100], [-10, -10]]


def test_the_rest_is_that_of_the_plain_encoder() -> None:
    encoder = made()
    first, second = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]])
    assert encoder.similarity(first, second).tolist() == [[11.0]]
    assert encoder.similarity_pairwise(first, second).tolist() == [11.0]
    assert encoder.mteb_model_meta.name == "test/hash-encoder"
    assert not hasattr(encoder, "model")
    encoder.inner.model = "inside"  # type: ignore[attr-defined]
    assert encoder.model == "inside"
