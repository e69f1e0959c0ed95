"""A debiasing as the last module of a SentenceTransformer, to be saved and loaded with it.

    model = SentenceTransformer(modules=[*plain, DebiasModule(debiasing)])
    model.encode_document(texts, language="de")

All texts of a call are in one language. sentence-transformers loads classes of other packages, as this one is, only
if told to trust the model: ``SentenceTransformer(folder, trust_remote_code=True)``. The module itself brings no code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sentence_transformers.base.modules import Module
from torch import Tensor

from mteb_hybrid.debias.debiasing import Debiasing
from mteb_hybrid.debias.file import read_debiasing, write_debiasing
from mteb_hybrid.errors import HybridError, one_line

_FILE = "model.safetensors"


class DebiasModule(Module):
    """Takes the language out of the embeddings that the modules before it give.

    What it does by role follows the debiasing: ``encode_query`` and ``encode_document`` say the role, ``encode`` says
    none, and so changes nothing unless queries and documents are treated alike.

    Attributes:
        debiasing: what is done.
    """

    forward_kwargs = {"language", "task"}  # noqa: RUF012 - declared so by the base class

    def __init__(self, debiasing: Debiasing) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.debiasing = debiasing

    def forward(
        self, features: dict[str, Tensor | Any], language: str | None = None, task: str | None = None, **_: Any
    ) -> dict[str, Tensor | Any]:
        """Change ``sentence_embedding``.

        Args:
            features: what the modules before give.
            language: the tag of the one language that all texts are in; nothing is changed where none is named, or
                one that has no vector.
            task: ``query`` or ``document``.

        Raises:
            HybridError: ``language`` is no text.
        """
        if language is None:
            return features
        if not isinstance(language, str):
            raise HybridError(
                f"language is {one_line(repr(language), 60)}; name one, as in language='de', and encode the texts of "
                "each language by themselves"
            )
        embeddings = features["sentence_embedding"]
        features["sentence_embedding"] = self.debiasing.transform(embeddings, [language] * len(embeddings), task)
        return features

    def get_embedding_dimension(self) -> int:
        """The dimensions of the embeddings, which are those that come in."""
        return self.debiasing.dimensions

    def save(self, output_path: str, *args: Any, safe_serialization: bool = True, **kwargs: Any) -> None:
        """Write the debiasing: its file says all, and is always safetensors."""
        write_debiasing(self.debiasing, Path(output_path) / _FILE)

    @classmethod
    def load(
        cls,
        model_name_or_path: str,
        subfolder: str = "",
        token: bool | str | None = None,
        cache_folder: str | None = None,
        revision: str | None = None,
        local_files_only: bool = False,
        init_defaults: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> DebiasModule:
        """Read the debiasing of a saved model, from a folder or the Hub.

        Raises:
            HybridError: the file is not there, or is no debiasing.
        """
        path = cls.load_file_path(
            model_name_or_path,
            filename=_FILE,
            subfolder=subfolder,
            token=token,
            cache_folder=cache_folder,
            revision=revision,
            local_files_only=local_files_only,
        )
        if path is None:
            raise HybridError(f"{one_line(model_name_or_path, 120)} has no {subfolder}/{_FILE}; save the model again")
        return cls(read_debiasing(Path(path)))
