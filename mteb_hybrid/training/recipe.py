"""The recipe: everything that decides what a training run does, as data.

``mteb_hybrid.training.recipe_file`` reads it from YAML, with presets, and names the line of a fault.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from mteb_hybrid.settings.model import Count, Settings, Share, Text

Strategy = Literal["mono", "cross", "hybrid", "mixed", "bilingual"]
Schedule = Literal["constant", "linear", "cosine"]
# Transformers takes names of the Hub as well, whose code it would run.
Attention = Literal["eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention"]

_Weight = Annotated[float, Field(ge=0)]


class LoraSettings(Settings):
    """Low-rank adapters through peft (extra ``lora``); they are merged into the weights at the end."""

    rank: Count = 16
    """Rank of the adapters."""
    alpha: Count = 32
    """Scale of the adapters."""
    dropout: Share = 0.05
    """Dropout of the adapters."""
    target_modules: list[Text] | None = None
    """Modules that get adapters; what peft chooses for the architecture by default."""


class ModelSettings(Settings):
    """The model to start from, and how it reads texts."""

    base: Text
    """A Hub id, a folder, a short name of ``mteb-hybrid models``, or ``mteb-hybrid/tiny``."""
    revision: Text | None = None
    """Revision on the Hub; the newest by default, and noted in the outcome."""
    max_seq_length: Count | None = None
    """Tokens after which texts are cut in training; the base model's own by default, which it keeps afterwards."""
    query_prompt: str | None = None
    """Put before every query, in training and later by mteb; the base model's own by default."""
    passage_prompt: str | None = None
    """Put before every passage."""
    freeze_embeddings: bool = False
    """Keep the word embeddings as they are: less memory, and languages that are not trained on keep their place."""
    dropout: Share | None = None
    """Dropout of the base model in training; its own by default. 0 saves a processor the drawing."""
    freeze_layers: Count | None = None
    """Keep all embeddings and the first so many layers as they are: no gradient goes through them, which saves time."""
    attn_implementation: Attention | None = None
    """How attention is computed, by transformers' names: its choice by default. On a processor, with ``bf16`` and
    without dropout, a step with ``eager`` takes half the time of one with the ``sdpa`` that it chooses."""
    gradient_checkpointing: bool = False
    """Less memory for more time."""
    lora: LoraSettings | None = None
    """Train adapters instead of all weights; ``{}`` for the defaults."""


class SourceSettings(Settings):
    """Where training pairs come from."""

    source: Text
    """A .jsonl or .parquet file, a Hub id, or one of ``MLQA-R``, ``XQuAD-R``, ``ParallelWorld``."""
    name: Text | None = None
    """What to call it in logs; the source's own name by default."""
    revision: Text | None = None
    """Revision on the Hub."""
    languages: list[Text] | None = None
    """Some of its languages; all by default."""
    rows: Count | None = None
    """The first so many rows only."""
    sample: Count | None = None
    """So many of these rows, drawn at random by the seed; of one seed a larger sample holds the smaller."""
    mteb_tasks: list[Text] = Field(default=[])
    """mteb tasks whose texts it holds, in any language: the model is marked as not zero-shot on them."""
    license: Text | None = None
    """Licence of the data, as the Hub names it (``cc-by-4.0``): the card of a published model says it."""


class AlphaSchedule(Settings):
    """A share of monolingual batches that changes over training."""

    start: Share
    """Share of monolingual batches at the first step."""
    end: Share
    """Share at the last step."""
    schedule: Schedule = "linear"
    """How it goes from start to end; ``constant`` stays at start."""


class BatchSettings(Settings):
    """How batches are made."""

    strategy: Strategy = "hybrid"
    """``mono``: one language a batch. ``cross``: every pair in two languages. ``hybrid``: one or the other, by alpha.
    ``mixed``: query and passage in one language, languages mixed in a batch. ``bilingual``: as hybrid, but a
    cross-lingual batch has one query language and one passage language."""
    alpha: Share | AlphaSchedule | None = None
    """Share of monolingual batches, for ``hybrid`` (default 0.5) and ``bilingual`` (default 0)."""
    size: Count = 100
    """Pairs in the batch of one process."""
    size_exponent: Annotated[float, Field(ge=0, le=2)] = 1.0
    """A source is drawn in proportion to its rows to this power; 0 draws all sources alike."""

    @model_validator(mode="after")
    def _alpha_has_a_use(self) -> BatchSettings:
        if self.alpha is not None and self.strategy not in {"hybrid", "bilingual"}:
            raise ValueError(f"alpha has no effect on strategy {self.strategy}; leave it out, or use hybrid")
        return self


class DistillationSettings(Settings):
    """Keeps the similarities within a language close to a teacher's."""

    teacher: Text = "base"
    """``base`` is the model before training; else as ``model.base``."""
    weight: Annotated[float, Field(gt=0)] = 1.0
    """Weight beside the contrastive loss."""


class DistillSettings(Settings):
    """Pulls every text to where a teacher has the parallel text of the pivot language (MIMO, arXiv 2605.31171)."""

    teacher: Text = "base"
    """``base`` is the model before training; else as ``model.base``, of any vocabulary and dimension."""
    weight: _Weight = 0.2
    """Weight beside the contrastive loss; the paper's."""
    alone: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the steps, the first, in which it trains alone (the paper's first stage); 0 is one stage."""


class ScoreDistillSettings(Settings):
    """Has a query score the batch's passages as its parallel in the pivot language does (LaKDA, arXiv 2509.06195)."""

    teacher: Text | None = None
    """Who scores for the pivot language: the model itself as it is at that step; or ``base``, or as ``model.base``."""
    weight: _Weight = 1.0
    """Weight beside the contrastive loss."""


class LossSettings(Settings):
    """InfoNCE with in-batch negatives over cosine similarity (PROTOCOL section 5), options, and further objectives."""

    temperature: Annotated[float, Field(gt=0, le=1)] = 0.05
    """Similarities are divided by it."""
    symmetric: bool = False
    """Also find the query for the passage."""
    mini_batch_size: Count | None = None
    """Set it to embed a batch in parts (GradCache): large batches in little memory."""
    gather_across_devices: bool = False
    """Take the passages of all processes as negatives."""
    share_negatives: bool = False
    """Take a row's hard negatives as those of all queries of the batch. For large corpora only: one row's negative may
    be another's passage, or its translation; of N rows a batch of B, each with K negatives, has some B*B*K/N such."""
    matryoshka: list[Count] | None = None
    """Also train these shorter prefixes of the embedding."""
    contrastive: _Weight = 1.0
    """Weight of InfoNCE; 0 leaves it to the objectives below. The validation loss is InfoNCE alone in any case."""
    distillation: DistillationSettings | None = None
    """A teacher that keeps the base model's monolingual quality; ``{}`` for the base model itself."""
    distill: DistillSettings | None = None
    """A teacher's space in the pivot language as the place of every language; ``{}`` for the base model's own."""
    score_distill: ScoreDistillSettings | None = None
    """The scores of parallel queries made alike; ``{}`` for the defaults."""
    translate_align: _Weight = 0.0
    """Weight of pulling passages and their parallels in the pivot language together, by cosine."""
    keep: _Weight = 0.0
    """Weight of holding every text where the base model has it, by cosine: what it knew within each language stays."""
    pivot: Text = "en"
    """Language of the parallel texts of distill, score_distill and translate_align; rows without it have no part."""

    @property
    def needs_pivot(self) -> bool:
        """Whether batches must hold the parallel texts."""
        parts = (self.distill, self.score_distill)
        return self.translate_align > 0 or any(part is not None and part.weight > 0 for part in parts)

    @model_validator(mode="after")
    def _something_to_train(self) -> LossSettings:
        if not (self.contrastive or self.distillation or self.keep or self.needs_pivot):
            raise ValueError("contrastive is 0 and no other objective has a weight; give it or another one some")
        return self


class ValidationSettings(Settings):
    """Pairs kept out of training, whose loss chooses the best checkpoint."""

    share: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of the passage groups of every source that is held out; ``pairs`` groups of each at most."""
    source: SourceSettings | None = None
    """Or a set of its own."""
    pairs: Count = 1000
    """Pairs at most."""
    languages: list[Text] | None = None
    """Only these; the paper validates in English alone (``[en]``). All by default, half of the pairs cross-lingual."""
    every: Count | None = None
    """Steps between validations, after each of which a checkpoint is saved; a tenth of the training by default."""
    patience: Count | None = None
    """Stop early when the loss has not fallen for so many validations."""

    @model_validator(mode="after")
    def _one_of_both(self) -> ValidationSettings:
        if (self.share is None) == (self.source is None):
            raise ValueError("validation needs either a share or a source")
        return self


class Recipe(Settings):
    """A training run."""

    preset: Literal["labse", "xlm-r", "e5", "tiny"] | None = None
    """Settings to start from; what the file says goes before."""
    model: ModelSettings
    data: Annotated[list[SourceSettings], Field(min_length=1)]
    batches: BatchSettings = BatchSettings()
    loss: LossSettings = LossSettings()
    validation: ValidationSettings | None = None
    training: dict[str, Any] = Field(default={})
    """Passed to ``SentenceTransformerTrainingArguments``: ``max_steps``, ``learning_rate``, ``bf16``, ``report_to``."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    """Of the batches, the held-out part, and all else that is random."""
    output: Text | None = None
    """Folder of the trained model; ``models/NAME`` by default, NAME from ``--name`` or the recipe's file."""

    @model_validator(mode="after")
    def _distillation_has_a_use(self) -> Recipe:
        if self.loss.distillation is not None and self.batches.strategy in {"cross", "mixed"}:
            raise ValueError(f"loss.distillation needs batches in one language; {self.batches.strategy} has none")
        return self
