"""Shared encodings: each distinct text goes through a model once per role, whoever asks for it.

The subsets of a parallel task repeat the same texts many times over (XQuAD-R: 443,000 against 26,000 distinct), and
so do the tasks over one collection. Texts are encoded as mteb encodes them, and kept as long as the run lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from mteb._create_dataloaders import create_dataloader
from mteb.types import PromptType

from mteb_hybrid.errors import HybridError

if TYPE_CHECKING:
    from datasets import Dataset
    from mteb.abstasks.task_metadata import TaskMetadata
    from mteb.models import EncoderProtocol
    from mteb.types import Array, EncodeKwargs


_ROWS_HELD = 1024
"""Data sets of which it is known where their texts' embeddings are."""


@runtime_checkable
class ByLanguage(Protocol):
    """An encoder whose embedding of a text depends on the language that it is in: another's, transformed.

    Attributes:
        inner: the other encoder.
    """

    inner: EncoderProtocol

    def transform(self, embeddings: Array, languages: Sequence[str], prompt_type: PromptType) -> Array:
        """Transform embeddings of ``inner``, given the language tag of each text."""
        ...


@dataclass(frozen=True)
class EncodingContext:
    """What an encoder is told besides the texts; the same that mteb's own retrieval tells it."""

    task_metadata: TaskMetadata
    hf_split: str
    hf_subset: str
    encode_kwargs: EncodeKwargs
    num_proc: int | None = None


@dataclass
class _Encoded:
    """Embeddings of distinct texts, and the row of each text."""

    row_of: dict[str, int] = field(default_factory=dict)
    embeddings: Any = None

    def add(self, texts: Sequence[str], embeddings: Any) -> None:
        self.row_of |= {text: row for row, text in enumerate(texts, start=len(self.row_of))}
        self.embeddings = embeddings if self.embeddings is None else join(self.embeddings, embeddings)


class SharedEncodings:
    """Embeddings keyed by model, role, prompt and text."""

    def __init__(self) -> None:
        self._encoded: dict[tuple[Any, ...], _Encoded] = {}
        self._models: dict[int, object] = {}
        self._rows: dict[tuple[int, tuple[Any, ...]], tuple[Dataset, list[int]]] = {}  # by the identity of a dataset

    def encode(
        self,
        model: EncoderProtocol,
        dataset: Dataset,
        prompt_type: PromptType,
        context: EncodingContext,
        *,
        languages: Sequence[str] = (),
        variant: str = "",
    ) -> Any:
        """Encode the texts of a mteb queries or corpus dataset, each distinct text once.

        Args:
            model: the encoder.
            dataset: rows with a ``text``.
            prompt_type: the role of the texts.
            context: what else the encoder is told; ``encode_kwargs`` reach it unchanged.
            languages: the language tag of each row, for an encoder that goes by it.
            variant: sets texts apart that the same model encodes differently, by other token limits say.

        Returns:
            The embeddings, shape (rows, dimensions), of the kind the encoder returns.

        Raises:
            HybridError: the encoder returned something other than one vector a text.
        """
        if isinstance(model, ByLanguage):
            plain = self.encode(model.inner, dataset, prompt_type, context, variant=variant)
            return model.transform(plain, languages, prompt_type)
        key = self.key(model, prompt_type, context, variant)
        encoded = self._encoded.setdefault(key, _Encoded())
        _, rows = self._rows.get((id(dataset), key), (None, None))
        if rows is None:
            texts = dataset.with_format("arrow")[:].column("text").to_pylist()
            self._encode_missing(encoded, model, dataset, texts, prompt_type, context)
            rows = [encoded.row_of[text] for text in texts]
            while len(self._rows) >= _ROWS_HELD:
                del self._rows[next(iter(self._rows))]
            self._rows[id(dataset), key] = dataset, rows  # subsets share their datasets
        return take_rows(encoded.embeddings, rows)

    def _encode_missing(
        self,
        encoded: _Encoded,
        model: EncoderProtocol,
        dataset: Dataset,
        texts: Sequence[str],
        prompt_type: PromptType,
        context: EncodingContext,
    ) -> None:
        first_row: dict[str, int] = {}
        for row, text in enumerate(texts):
            if text not in encoded.row_of:
                first_row.setdefault(text, row)
        if first_row:
            new = _encode(model, dataset.select(list(first_row.values())), prompt_type, context)
            encoded.add(list(first_row), new)

    def key(
        self, model: EncoderProtocol, prompt_type: PromptType, context: EncodingContext, variant: str = ""
    ) -> tuple[Any, ...]:
        """What tells embeddings apart that are not of the same text; arguments as of ``encode``."""
        if isinstance(model, ByLanguage):
            return (*self._identity(model), *self.key(model.inner, prompt_type, context, variant))
        settings = sorted((name, repr(value)) for name, value in _settings(context.encode_kwargs))
        prompt = _prompt(model, prompt_type, context.task_metadata)
        return (self._identity(model), prompt_type.value, prompt, tuple(settings), variant)

    def _identity(self, model: EncoderProtocol) -> tuple[Any, ...]:
        """What tells models apart: mteb loads a ModelMeta anew for each task, so its name and settings count."""
        meta: Any = getattr(model, "mteb_model_meta", None)
        name = getattr(meta, "name", None)
        revision = getattr(meta, "revision", None)
        if name and revision and getattr(meta, "loader_kwargs", None) is not None and meta.loader is not None:
            return (type(model).__qualname__, name, revision, repr(meta.loader_kwargs), repr(meta.embed_dim))
        self._models[id(model)] = model  # held, so that the id stays this model's
        return (id(model),)


def _settings(encode_kwargs: EncodeKwargs) -> Iterator[tuple[str, object]]:
    """The encode arguments that may change an embedding."""
    neutral = {"batch_size", "show_progress_bar"}
    return ((name, value) for name, value in encode_kwargs.items() if name not in neutral)


def _prompt(model: object, prompt_type: PromptType, metadata: TaskMetadata) -> str:
    """The prompt the model picks for this task, asked of the model the way mteb's wrappers ask."""
    ask: list[Callable[..., object]] = [
        getattr(model, name)
        for name in ("get_prompt_name", "get_task_instruction")
        if callable(getattr(model, name, None))
    ]
    return repr([question(metadata, prompt_type) for question in ask])


def _encode(model: EncoderProtocol, dataset: Dataset, prompt_type: PromptType, context: EncodingContext) -> Array:
    loader = create_dataloader(
        dataset,
        task_metadata=context.task_metadata,
        prompt_type=prompt_type,
        batch_size=context.encode_kwargs.get("batch_size", 32),
        num_proc=context.num_proc,
    )
    embeddings = model.encode(
        loader,
        task_metadata=context.task_metadata,
        hf_split=context.hf_split,
        hf_subset=context.hf_subset,
        prompt_type=prompt_type,
        **context.encode_kwargs,
    )
    shape: tuple[int, ...] = tuple(getattr(embeddings, "shape", ()))
    if len(shape) != 2 or shape[0] != len(dataset):
        raise HybridError(
            f"{_name(model)} does not give one vector a text (shape {shape} for {len(dataset)} texts); "
            f"evaluate it as a search model (mteb's SearchProtocol)"
        )
    return embeddings


def _name(model: object) -> str:
    return getattr(getattr(model, "mteb_model_meta", None), "name", None) or type(model).__name__


def join(first: Any, second: Any) -> Any:
    """Embeddings one after the other, of the kind of the first."""
    import torch

    if isinstance(first, torch.Tensor):
        return torch.cat([first, torch.as_tensor(second).to(first.device)])
    return np.concatenate([first, np.asarray(second)])


def take_rows(embeddings: Any, rows: list[int]) -> Any:
    """Some rows of embeddings, of the kind they are."""
    import torch

    if isinstance(embeddings, torch.Tensor):
        return embeddings.index_select(0, torch.tensor(rows, device=embeddings.device))
    return embeddings[rows]
