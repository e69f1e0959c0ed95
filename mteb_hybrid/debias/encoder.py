"""An encoder around another one: what that one gives, with the language of each text taken out."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mteb_hybrid.debias.debiasing import Debiasing, meaning_of
from mteb_hybrid.debias.identify import identify_languages
from mteb_hybrid.errors import HybridError

if TYPE_CHECKING:
    from mteb.abstasks.task_metadata import TaskMetadata
    from mteb.models import EncoderProtocol, ModelMeta
    from mteb.types import Array, BatchedInput, EncodeKwargs, PromptType
    from torch.utils.data import DataLoader
    from typing_extensions import Unpack

logger = logging.getLogger(f"mteb.{__name__}")  # below mteb's, so that its verbosity is ours


class DebiasedEncoder:
    """What mteb evaluates in place of the plain encoder.

    Our own tasks know the language of every text: they encode with ``inner``, once for all that is made of it, and
    call ``transform``. To the tasks of others it is an encoder like any, and finds the languages itself: a column
    ``language``, the one language of the subset, or else a language identifier.

    Attributes:
        inner: the plain encoder.
        debiasing: what is done to its embeddings.
        left_alone: how many texts of each language were left alone, for want of a direction, since it was made.
        mteb_model_meta: what mteb knows of the whole; its loader sets it anew.
    """

    mteb_model_meta: ModelMeta

    def __init__(self, inner: EncoderProtocol, debiasing: Debiasing, **_: Any) -> None:
        self.inner = inner
        self.debiasing = debiasing
        self.left_alone: Counter[str] = Counter()
        self.mteb_model_meta = inner.mteb_model_meta
        self._told: set[tuple[str, str]] = set()

    @property
    def model(self) -> Any:
        """The model inside the plain encoder, where it has one: what sets token limits looks for it."""
        return self.inner.model  # type: ignore[attr-defined]

    def transform(self, embeddings: Array, languages: Sequence[str], prompt_type: PromptType) -> Array:
        """Take the language out of embeddings of ``inner``.

        Args:
            embeddings: of shape (texts, dimensions).
            languages: the language tag of each text.
            prompt_type: the role of the texts.

        Raises:
            HybridError: as of ``Debiasing.transform``.
        """
        return self._transform(embeddings, languages, prompt_type, "")

    def encode(
        self,
        inputs: DataLoader[BatchedInput],
        *,
        task_metadata: TaskMetadata,
        hf_split: str,
        hf_subset: str,
        prompt_type: PromptType | None = None,
        **kwargs: Unpack[EncodeKwargs],
    ) -> Array:
        """Encode texts and take their languages out, which are found as the class says.

        Raises:
            HybridError: the languages cannot be found, or the embeddings cannot be debiased.
        """
        embeddings = self.inner.encode(
            inputs,
            task_metadata=task_metadata,
            hf_split=hf_split,
            hf_subset=hf_subset,
            prompt_type=prompt_type,
            **kwargs,
        )
        if not self.debiasing.alpha or not self.debiasing.applies_to(prompt_type):
            return embeddings
        languages = self._languages(inputs, len(embeddings), task_metadata, hf_subset)
        return self._transform(embeddings, languages, prompt_type, task_metadata.name)

    def similarity(self, embeddings1: Array, embeddings2: Array) -> Array:
        """The similarity of all pairs, as the plain encoder has it."""
        return self.inner.similarity(embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Array, embeddings2: Array) -> Array:
        """The similarity of each pair, as the plain encoder has it."""
        return self.inner.similarity_pairwise(embeddings1, embeddings2)

    def _transform(
        self, embeddings: Array, languages: Sequence[str], prompt_type: PromptType | None, task: str
    ) -> Array:
        if self.debiasing.alpha and self.debiasing.applies_to(prompt_type):
            self._count(self.debiasing.left_alone(languages), task)
        result: Array = self.debiasing.transform(embeddings, languages, prompt_type)
        return result

    def _count(self, left_alone: Counter[str], task: str) -> None:
        self.left_alone += left_alone
        new = sorted(language for language in left_alone if (task, language) not in self._told)
        if new:  # a task has many subsets of the same languages
            self._told.update((task, language) for language in new)
            parts = ", ".join(f"{language} ({left_alone[language]:,})" for language in new)
            logger.warning(
                f"{task + ': ' if task else ''}texts of these languages are left as they are, because the vectors were "
                f"fitted on none of them: {parts}"
            )

    def _languages(self, inputs: Any, texts: int, metadata: TaskMetadata, hf_subset: str) -> Sequence[str]:
        told = _column(inputs, "language")
        if told is not None:
            return told
        languages = metadata.hf_subsets_to_langscripts.get(hf_subset, metadata.languages)
        if len({meaning_of(language) for language in languages}) == 1:
            return [next(iter(languages))] * texts
        found = _column(inputs, "text")
        if found is None:
            raise HybridError(f"{metadata.name} has no texts to take a language out of; evaluate the plain model on it")
        return identify_languages(found, self.debiasing.languages)


def _column(inputs: Any, name: str) -> list[str] | None:
    """A column of what is encoded; None where there is no such."""
    dataset = getattr(inputs, "dataset", None)
    names = getattr(dataset, "column_names", None)
    if names is not None:
        return [str(value) for value in dataset[name]] if name in names else None  # type: ignore[index]
    batches = [batch.get(name) for batch in inputs]
    if any(batch is None for batch in batches):
        return None
    return [str(value) for batch in batches for value in batch]
