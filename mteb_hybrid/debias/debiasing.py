"""What takes the language out of embeddings: a few directions of each language, and what is taken away along them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal, get_args

import langcodes
import numpy as np
from numpy.typing import NDArray

from mteb_hybrid.data.languages import language_and_script
from mteb_hybrid.errors import HybridError, one_line

if TYPE_CHECKING:
    import torch
    from mteb.types import PromptType

Method = Literal["shift", "centering", "lir"]
Roles = Literal["documents", "all"]

METHODS: tuple[Method, ...] = get_args(Method)
ROLES: tuple[Roles, ...] = get_args(Roles)

DEFAULT_ROLES: dict[Method, Roles] = {"shift": "documents", "centering": "documents", "lir": "all"}
"""Whose embeddings a method changes unless told otherwise: what its paper does."""


@dataclass(frozen=True)
class FittedOn:
    """What directions were fitted on.

    Attributes:
        kind: where the model is: on the Hub, in a folder, or made by this package.
        model: a Hub id, the name of the folder, or ``mteb-hybrid/tiny``; no path of the machine.
        revision: the commit on the Hub, or the fingerprint of the folder; the tiny encoder has none.
        corpus: the name of the corpus.
        fingerprint: of all its texts, as ``ParallelCorpus.fingerprint``.
        rows: how many rows it has.
        passages: for each language, how many passages its directions are made of; of shift, how many pairs.
        mteb_tasks: the mteb tasks whose texts these are.
    """

    kind: Literal["hub", "folder", "tiny"]
    model: str
    revision: str | None
    corpus: str
    fingerprint: str
    rows: int
    passages: dict[str, int]
    mteb_tasks: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Debiasing:
    """Directions of languages in the space of one model, and how they are removed from embeddings.

    - ``shift``: the relative language vector of a language, its mean distance from the source language over parallel
      passages, times alpha, is subtracted (Jang et al. 2026, arXiv 2606.18801: from documents only, alpha 0 to 1).
    - ``centering``: the mean embedding of a language, times alpha, is subtracted.
    - ``lir``: what lies along the first principal components of a language is removed, alpha of it (Language
      Information Removal, Yang et al. 2021, arXiv 2109.04727: all of it, from queries and documents).

    Vectors are not scaled to length one afterwards: cosine similarity does that itself, and under the dot product it
    would change what centering must leave alone, the rankings within a language.

    Attributes:
        method: one of the three.
        alpha: how much of it; 0 changes nothing.
        apply: whose embeddings are changed, those of documents or of queries as well.
        languages: BCP 47 tags.
        directions: single precision, shape (languages, components, dimensions); one component unless the method is
            lir, whose components are orthonormal.
        fitted_on: what they were fitted on.
        source: the language that shift goes towards; its own vector is zero.
    """

    method: Method
    alpha: float
    apply: Roles
    languages: tuple[str, ...]
    directions: NDArray[np.float32]
    fitted_on: FittedOn
    source: str | None = None

    def __post_init__(self) -> None:
        for name, value, possible in (("method", self.method, METHODS), ("apply", self.apply, ROLES)):
            if value not in possible:
                raise HybridError(f"{name} is {one_line(repr(value), 40)}; possible: {', '.join(possible)}")
        if not (math.isfinite(self.alpha) and self.alpha >= 0):
            raise HybridError(f"alpha is {self.alpha}; it must be 0 or more")
        if not self.languages or len(set(self.languages)) < len(self.languages):
            raise HybridError("there must be a language, and none twice")
        if (self.source in self.languages) != (self.method == "shift"):
            raise HybridError("shift must have a source among its languages, and no other method has one")
        self._check_directions()

    def _check_directions(self) -> None:
        shape = self.directions.shape
        if len(shape) != 3 or shape[0] != len(self.languages) or min(shape) < 1 or self.directions.dtype != np.float32:
            raise HybridError(
                f"directions must be single precision of shape (languages, components, dimensions), and not "
                f"{self.directions.dtype} of {shape} for {len(self.languages)} languages"
            )
        if not np.isfinite(self.directions).all():
            raise HybridError("directions must be finite numbers")
        if self.method != "lir":
            if shape[1] != 1:
                raise HybridError(f"{self.method} has one component a language, and not {shape[1]}")
        elif np.abs(self.directions @ self.directions.transpose(0, 2, 1) - np.eye(shape[1])).max() > 1e-3:
            raise HybridError("the components of lir must be orthonormal")

    @property
    def dimensions(self) -> int:
        """The dimensions of the embeddings that it is for."""
        return int(self.directions.shape[2])

    def applies_to(self, prompt_type: PromptType | str | None) -> bool:
        """Whether embeddings of a role are changed; texts of no role are neither queries nor documents."""
        return self.apply == "all" or getattr(prompt_type, "value", prompt_type) == "document"

    def left_alone(self, languages: Sequence[str]) -> Counter[str]:
        """Count the texts, by language, that have no direction here."""
        return Counter(language for language in languages if self._row(language) < 0)

    def transform(self, embeddings: Any, languages: Sequence[str], prompt_type: PromptType | str | None) -> Any:
        """Remove the directions of each text's language from its embedding.

        Args:
            embeddings: a numpy array or a torch tensor of shape (texts, dimensions).
            languages: the language tag of each text. ``de``, ``deu`` and ``deu-Latn`` are one; of what has no
                direction here the embedding is left as it is.
            prompt_type: the role of the texts.

        Returns:
            Embeddings of the same kind, type and device; the very same if there is nothing to change.

        Raises:
            HybridError: these are no embeddings of this many texts and dimensions, or they are whole numbers.
        """
        if not self.alpha or not self.applies_to(prompt_type):
            return embeddings
        _check(embeddings, len(languages), self.dimensions)
        rows = np.fromiter((self._row(language) for language in languages), dtype=np.int64, count=len(languages))
        if isinstance(embeddings, np.ndarray):
            wide = embeddings.astype(np.result_type(embeddings.dtype, np.float32))
            return self._removed(wide, self._padded.astype(wide.dtype), rows).astype(embeddings.dtype, copy=False)
        import torch

        wide = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32), copy=True)
        directions = torch.from_numpy(self._padded).to(wide)
        return self._removed(wide, directions, torch.from_numpy(rows).to(wide.device)).to(embeddings.dtype)

    def _removed(self, embeddings: Any, directions: Any, rows: Any) -> Any:
        """For arrays of either kind: ``embeddings`` are a copy, a row of -1 is that of the zeros at the end."""
        if self.method != "lir":
            return embeddings - self.alpha * directions[rows, 0]
        for row in range(len(self.languages)):
            own = rows == row
            part = embeddings[own]
            embeddings[own] = part - self.alpha * (part @ directions[row].T) @ directions[row]
        return embeddings

    @cached_property
    def _padded(self) -> NDArray[np.float32]:
        return np.concatenate([self.directions, np.zeros_like(self.directions[:1])])

    @cached_property
    def _rows(self) -> dict[str, int]:
        """The row of each language, by its tag and by what the tag means; a tag itself goes before a meaning."""
        by_meaning: dict[str, int] = {}
        for row, language in enumerate(self.languages):
            by_meaning.setdefault(meaning_of(language), row)
        return by_meaning | {language: row for row, language in enumerate(self.languages)}

    def _row(self, language: str) -> int:
        row = self._rows.get(language)
        return self._rows.get(meaning_of(language), -1) if row is None else row


@lru_cache(maxsize=1024)
def meaning_of(tag: str) -> str:
    """The language and script of a tag: the same for ``zh``, ``cmn-Hans`` and ``zho-Hans``; as it is if unknown."""
    try:
        return language_and_script(langcodes.standardize_tag(tag, macro=True))
    except (HybridError, ValueError):
        return tag


def _check(embeddings: Any, texts: int, dimensions: int) -> None:
    shape = tuple(getattr(embeddings, "shape", ()))
    if shape != (texts, dimensions) or getattr(embeddings, "is_sparse", False):
        kind = "sparse " if getattr(embeddings, "is_sparse", False) else ""
        raise HybridError(
            f"{kind}embeddings of shape {shape} cannot be debiased by vectors of {dimensions} dimensions for {texts} "
            "texts; fit them on the model, and at the dimensions, that they are used with"
        )
    whole = embeddings.dtype.kind != "f" if isinstance(embeddings, np.ndarray) else not _is_float(embeddings)
    if whole:
        raise HybridError(f"embeddings of type {embeddings.dtype} cannot be debiased; ask the model for float32")


def _is_float(embeddings: torch.Tensor) -> bool:
    return embeddings.is_floating_point()
