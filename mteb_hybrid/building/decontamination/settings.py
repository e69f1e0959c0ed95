"""What training texts are held against, and what counts as the same text."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from mteb_hybrid.settings.model import Count, Settings, Text


class EmbeddingSettings(Settings):
    """Finds paraphrases and translations: texts whose embeddings lie near each other, in whatever languages."""

    model: Text
    """A short name of ``mteb-hybrid models``, a folder, a Hub id, or ``mteb-hybrid/tiny``."""
    revision: Text | None = None
    """Revision on the Hub; the one that mteb knows by default, and noted in the outcome."""
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Cosine from which on two texts count as the same. Queries are held against queries, passages
    against passages. What is right depends on the model: look at what was found, with the scores, and set it anew. With
    multilingual-e5-small and 80 texts of each kind, no text of MLQA-R came nearer than 0.86 to an English one of
    XQuAD-R; human translations of those had a median of 0.92 (German), 0.84 (Arabic), 0.82 (Chinese): most stay below
    0.9, unless the task has their language too."""
    languages: list[Text] | None = None
    """Only the texts of these languages are encoded, against the tasks' of all; as the texts of a row say the same,
    one language costs least. All by default."""
    batch_size: Count = 32
    """Texts encoded at once."""


class DecontaminationSettings(Settings):
    """What is taken out of a corpus because a task has it."""

    tasks: list[Text] = Field(["XQuADR", "MLQAR"])
    """Retrieval tasks of mteb, ours or others; a mean of tasks stands for its parts. If the data of one cannot be had
    the build stops, because a corpus must not be called clean of what it was not held against: name fewer. To train on
    MLQA-R, name ``XQuADR`` alone."""
    files: list[Text] = Field([])
    """Collections of one's own that models will be tested on: .jsonl or .parquet files in the form of ``mteb-hybrid
    evaluate --data``, or folders of such files."""
    ids: bool = True
    """Take out rows whose id, or whose group's, holds the id of a task's query or passage: translations of one question
    share it. Only ids that cannot be the same by chance count: 16 hexadecimal digits in a row or more, as those of
    SQuAD, XQuAD, MLQA and Natural Questions are."""
    exact: bool = True
    """Take out texts with the same words in the same order, whatever the case, the punctuation and the spaces."""
    ngram: Annotated[int, Field(ge=2)] | None = 13
    """Take out texts that share so many words in a row with a task's text (Brown et al. 2020, arXiv 2005.14165,
    appendix C, take 13). In scripts without spaces between words a character counts as half a word."""
    min_words: Count = 5
    """Texts of fewer words, such as a name, are looked for by id alone: half of all questions on a town have its name
    for a passage. A text of more words than that and fewer than ``ngram`` is looked for as a whole. A character of a
    script without spaces counts as half a word here too."""
    embedding: EmbeddingSettings | None = None
    """Take out texts that are near a task's text by an encoder. Nothing is encoded by default."""

    @model_validator(mode="after")
    def _something_to_do(self) -> DecontaminationSettings:
        if not (self.tasks or self.files):
            raise ValueError("no tasks and no files; name one, or leave decontamination out")
        if not (self.ids or self.exact or self.ngram or self.embedding):
            raise ValueError("ids, exact, ngram and embedding are all off; turn one on, or leave decontamination out")
        return self
