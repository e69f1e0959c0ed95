"""What is made of a corpus before anything is searched: its distinct texts and their embeddings, in files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from mteb_hybrid.building.mining.corpus import Corpus, Numbers, Texts, groups_of, load, save
from mteb_hybrid.building.mining.search import Column
from mteb_hybrid.building.mining.settings import MiningSettings
from mteb_hybrid.building.mining.twins import KnownPositives
from mteb_hybrid.building.mining.vectors import Encoder, Vectors
from mteb_hybrid.errors import HybridError

_NOT_DECISIVE = {"batch_size", "device"}


class Work:
    """The files of a run. What other files, models or settings led to lies in other folders, and is not used.

    Args:
        corpus: is mined.
        folder: for all that is made.
        model: encodes.
        settings: name the model, and say what is searched.
        revision: of the model.
        prompts: what is put before each ``query`` and ``passage``.
    """

    def __init__(
        self,
        corpus: Corpus,
        folder: Path,
        model: Encoder,
        settings: MiningSettings,
        revision: str | None,
        prompts: Mapping[str, str],
    ) -> None:
        self.corpus, self.folder = corpus, folder
        self.dimensions = model.get_embedding_dimension() or 0
        self._model, self._prompts, self._batch_size = model, prompts, settings.batch_size
        self._texts = folder / _digest("texts", [sha256_of(path) for path in corpus.paths])
        self._vectors = self._texts / _digest("vectors", [settings.model, revision, dict(prompts), self.dimensions])
        self.found = self._vectors / _digest("found", settings.model_dump(mode="json", exclude=_NOT_DECISIVE))
        self._columns: dict[str, Texts] = {}

    def read(self) -> None:
        """Part the texts of each column from the rows that have them."""
        self.found.mkdir(parents=True, exist_ok=True)
        for language in self.corpus.languages:
            for name in (f"query_{language}", f"passage_{language}"):
                self._columns[name] = Texts(self._texts, name)
                self._columns[name].make(self.corpus, name)
            self._check_pairs(language)
        if not self._groups.exists():
            save(self._groups, groups_of(self.corpus))

    def _check_pairs(self, language: str) -> None:
        query, passage = (self._columns[f"{role}_{language}"].rows() >= 0 for role in ("query", "passage"))
        for row in np.flatnonzero(query != passage)[:1].tolist():
            have, lack = ("query", "passage") if query[row] else ("passage", "query")
            raise HybridError(
                f"{self.corpus.place(row)}: {have}_{language} without {lack}_{language}; add it, or leave out both"
            )

    @property
    def texts(self) -> int:
        """How many texts there are to encode."""
        return sum(map(len, self._columns.values()))

    @property
    def passages(self) -> dict[str, Texts]:
        """The passages of each language that has any."""
        found = {language: self._columns[f"passage_{language}"] for language in self.corpus.languages}
        return {language: texts for language, texts in found.items() if len(texts)}

    def encode(self, bar: Callable[..., tqdm[Any]]) -> None:
        """Encode what is not encoded yet."""
        with bar(total=self.texts, desc="encoding", unit=" texts") as progress:
            for name, texts in self._columns.items():
                role = name.partition("_")[0]
                encode = partial(
                    self._model.encode_query if role == "query" else self._model.encode_document,
                    prompt=self._prompts.get(role, ""),
                    batch_size=self._batch_size,
                    show_progress_bar=False,
                )
                self._vectors_of(name).make(texts.array(), encode, progress.update)

    def column(self, name: str) -> Column:
        """Texts and embeddings of a column."""
        return Column(self._columns[name].rows(), self._vectors_of(name))

    def lists(self, language: str) -> Path:
        """Where the lists of an index of a language belong."""
        return self._vectors / f"lists_{language}"

    @cached_property
    def known(self) -> KnownPositives:
        """Which passages answer whom."""
        queries, passages = (
            [self._columns[f"{role}_{language}"].rows for language in self.corpus.languages]
            for role in ("query", "passage")
        )
        groups: Numbers = load(self._groups)
        return KnownPositives(len(self.corpus), (rows() for rows in queries), (groups, *(rows() for rows in passages)))

    @property
    def _groups(self) -> Path:
        return self._texts / "groups.npy"

    def _vectors_of(self, name: str) -> Vectors:
        return Vectors(self._vectors / name, len(self._columns[name]), self.dimensions)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(name: str, decisive: object) -> str:
    return f"{name}-{hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:12]}"
