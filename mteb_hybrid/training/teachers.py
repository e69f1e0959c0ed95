"""Frozen models that embed the batches of a training run, so that the model that is trained can be compared with them.

A teacher that reads texts as the model does (the base model, above all) reads the batch as it was tokenised for the
model. Any other, of another vocabulary or with prompts of its own, reads the texts themselves.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.losses.gradcache import CachedLossMixin, has_static_embedding_input
from torch import Tensor

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.training.base_model import load_base_model, token_limit, training_prompts
from mteb_hybrid.training.pieces import in_pieces, rows_of
from mteb_hybrid.training.recipe import ModelSettings


@dataclass(frozen=True, eq=False)
class Column:
    """A column of a batch.

    Attributes:
        features: its texts as tokens of the model that is trained.
        role: ``query`` or ``passage``.
        texts: its texts, where the batch holds them.
        known: what teachers made of it, so that none reads it twice.
    """

    features: dict[str, Any]
    role: Literal["query", "passage"]
    texts: list[str] | None = None
    known: dict[Teacher, Tensor] = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        """Where the batch is."""
        return next(value.device for value in self.features.values() if isinstance(value, Tensor))


class Reader(CachedLossMixin):
    """Embeds without gradients, in parts where the batch is embedded in parts.

    It is no ``nn.Module``, so that no loss that has one counts its model among its parameters, saves it or trains it.

    Args:
        model: embeds.
        mini_batch_size: texts in a part; None is all at once.
    """

    def __init__(self, model: SentenceTransformer, mini_batch_size: int | None) -> None:
        self.model = model
        # static embeddings cannot be read in parts, and need not be
        self.mini_batch_size = 0 if has_static_embedding_input(model) else mini_batch_size or 0

    @torch.no_grad()
    def read(self, features: dict[str, Any]) -> Tensor:
        """The embeddings of tokenised texts, shape (texts, dimensions)."""
        # a model writes into what it reads, and another may read the same next
        own = {key: value.clone() if isinstance(value, Tensor) else value for key, value in features.items()}
        if not self.mini_batch_size:
            whole: Tensor = self.model(own)["sentence_embedding"]
            return whole.float()
        parts = self.embed_minibatch_iter(own, with_grad=False, copy_random_state=False)
        return torch.cat([part for part, _ in parts]).float()


REMEMBERED = 100_000
"""Texts whose embeddings a teacher keeps on a processor. What it says of a text is always the same, and reading it
again would be a third of what training on it costs. Of 768 dimensions they take 300 MB."""


class Teacher(Reader):
    """A frozen model.

    Args:
        model: is frozen.
        mini_batch_size: as for a reader.
        reads_tokens: whether it reads the tokens of the model that is trained; else it needs the texts.
        setting: where the recipe names it.
    """

    def __init__(
        self, model: SentenceTransformer, mini_batch_size: int | None, *, reads_tokens: bool, setting: str
    ) -> None:
        super().__init__(model.eval().requires_grad_(False), mini_batch_size)
        self.reads_tokens = reads_tokens
        self._setting = setting
        self._memory: dict[bytes, Tensor] = {}
        self._prompts = training_prompts(model)

    def embed(self, columns: Iterable[Column]) -> list[Tensor]:
        """Embeddings by column."""
        return [self._embed(column) for column in columns]

    def _embed(self, column: Column) -> Tensor:
        if self not in column.known:
            if self.model.device != column.device:
                self.model.to(column.device)
            features = column.features if self.reads_tokens else self._own_features(column)
            column.known[self] = self._recall(features) if column.device.type == "cpu" else self.read(features)
        return column.known[self]

    def _recall(self, features: dict[str, Any]) -> Tensor:
        """The embeddings of texts, of which only those are read that are not remembered."""
        tokens, mask = features.get("input_ids"), features.get("attention_mask")
        if tokens is None or mask is None or mask.shape != tokens.shape:  # nothing tells the texts apart
            return self.read(features)
        keys = [row[kept].numpy().tobytes() for row, kept in zip(tokens, mask.bool(), strict=True)]
        there = {key: self._memory[key] for key in keys if key in self._memory}
        rows = list({key: row for row, key in enumerate(keys) if key not in there}.values())
        if rows:
            with in_pieces(self.model):
                found = self.read(rows_of(features, rows))
            there |= {keys[row]: embedding for row, embedding in zip(rows, found, strict=True)}
        self._memory |= there
        for key in [*islice(self._memory, max(0, len(self._memory) - REMEMBERED))]:  # the oldest
            del self._memory[key]
        return torch.stack([there[key] for key in keys])

    def _own_features(self, column: Column) -> dict[str, Any]:
        if column.texts is None:
            raise HybridError(
                f"loss.{self._setting}.teacher tokenises texts in its own way, and the batch holds none; train with "
                f"`mteb-hybrid train` or HybridTrainer, or take `base`"
            )
        features = self.model.preprocess(column.texts, prompt=self._prompts.get(column.role))
        return {key: value.to(column.device) if isinstance(value, Tensor) else value for key, value in features.items()}


class Teachers:
    """Finds the teachers of a run, each of them once.

    Args:
        model: the model to train, as it is before training: the teacher ``base`` is a copy of it.
        mini_batch_size: texts that are embedded at once; None is all of a batch.
        given: used in place of all that settings name.
    """

    def __init__(
        self, model: SentenceTransformer, mini_batch_size: int | None, given: SentenceTransformer | None = None
    ) -> None:
        self._model = model
        self._mini_batch_size = mini_batch_size
        self._given = given
        self._found: dict[str, Teacher] = {}

    @property
    def read_texts(self) -> bool:
        """Whether one of those found needs the texts."""
        return not all(teacher.reads_tokens for teacher in self._found.values())

    def base(self) -> Teacher:
        """The model before training."""
        if "base" not in self._found:
            frozen = copy.deepcopy(self._model)
            self._found["base"] = Teacher(frozen, self._mini_batch_size, reads_tokens=True, setting="base")
        return self._found["base"]

    def named(self, name: str, setting: str) -> Teacher:
        """The teacher that a setting names.

        Args:
            name: ``base``, or as ``model.base``.
            setting: the objective whose teacher it is.

        Raises:
            HybridError: it cannot be loaded.
        """
        if self._given is self._model or (self._given is None and name == "base"):
            return self.base()
        key = "given" if self._given is not None else f"named {name}"
        if key not in self._found:
            frozen = self._given or _load(name, setting)
            tokens = _reads_as(self._model, frozen)
            self._found[key] = Teacher(frozen, self._mini_batch_size, reads_tokens=tokens, setting=setting)
        return self._found[key]


def _load(name: str, setting: str) -> SentenceTransformer:
    try:
        return load_base_model(ModelSettings(base=name), device="cpu")
    except HybridError as error:
        raise HybridError(one_line(error).replace("model.base", f"loss.{setting}.teacher", 1)) from None


def _reads_as(model: SentenceTransformer, teacher: SentenceTransformer) -> bool:
    """Whether the tokens that the model reads are those that the teacher would."""
    if type(teacher[0]) is not type(model[0]) or teacher.tokenizer.get_vocab() != model.tokenizer.get_vocab():
        return False
    limit, length = token_limit(teacher), model.max_seq_length
    fits = limit is None or length is None or length <= limit
    return fits and training_prompts(teacher) == training_prompts(model)
