"""How a corpus is translated, as data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mteb_hybrid.settings.model import Count, Settings, Share, Text


class RoundTripSettings(Settings):
    """Compare the meaning of a text and of its translation by an encoder."""

    encoder: Text
    """A Hub id, a folder, a short name of ``mteb-hybrid models``, or ``mteb-hybrid/tiny``."""
    revision: Text | None = None
    """Its revision on the Hub; the newest by default."""
    similarity: Share = 0.7
    """The least cosine that passes. Encoders differ: LaBSE gives unrelated texts about 0.2, the E5 family above 0.7,
    so look at a sample's before it is set for another encoder."""
    back: bool = True
    """Translate back and compare with the text. False compares the text with its translation, at half the price: for
    encoders that know both languages."""
    model: Text | dict[Text, Text] | None = None
    """What translates back, as ``translation.model``; that model itself by default."""
    model_revision: Text | dict[Text, Text] | None = None
    """Its revision on the Hub."""


class GateSettings(Settings):
    """What a translation must be. Empty ones, and ones that the model did not end, never pass.

    The limits were set on XQuAD-R, whose languages are professional translations of each other. Of its 11,900
    questions and 2,400 paragraphs beside English none fails by its length, 3 as copies and 7 by their language.
    """

    language: bool = True
    """Must be in its language, as py3langid tells (extra ``langid``), where that knows the language."""
    language_letters: Count = 40
    """Only of texts with so many letters; Chinese, Japanese and Korean ones count 2.5 each. Of shorter questions of
    XQuAD-R py3langid tells up to 5 % in a language wrong."""
    shortest: Annotated[float, Field(gt=0)] | None = 0.4
    """The least length against the text's, both in letters as above and with 10 added; null for no limit."""
    longest: Annotated[float, Field(gt=0)] | None = 2.6
    """The greatest length against the text's."""
    copied: Annotated[float, Field(gt=0, le=1)] | None = 0.8
    """Of the text's words, those with capital letters aside, it must not have this share; null lets copies pass."""
    repeats: Annotated[int, Field(ge=2)] | None = 4
    """No group of characters so often in a row, unless the text has one as well; null lets loops pass."""
    round_trip: RoundTripSettings | None = None
    """Compare the meaning by an encoder; not done by default."""


class TranslationSettings(Settings):
    """How the pairs of one language get others."""

    model: Text | dict[Text, Text]
    """A seq2seq model of transformers with safetensors, a Hub id or a folder: NLLB, M2M-100, MADLAD-400, mBART-50,
    Opus-MT, T5. For models of one language pair, or that do not name languages, one by each language:
    ``{de: Helsinki-NLP/opus-mt-en-de}``."""
    revision: Text | dict[Text, Text] | None = None
    """Revision on the Hub, or one by each language; the newest by default."""
    language: Text = "en"
    """The language to translate from."""
    languages: Annotated[list[Text], Field(min_length=1)]
    """The languages to translate into, in the order of their columns."""
    sources: list[Text] | None = None
    """Names of the sources to translate; all that have the language by default."""
    engine: Literal["transformers", "ctranslate2"] = "transformers"
    """What runs the model. ``ctranslate2`` is faster (extra ``ctranslate2``); the model is converted first."""
    dtype: Literal["float32", "bfloat16", "float16", "int8"] = "float32"
    """Numbers of the weights; ``int8`` is for ctranslate2. T5 and MADLAD overflow in float16."""
    devices: list[Text] = Field(default=[])
    """Where to translate, one process each: ``[cuda:0, cuda:1]``. By default all GPUs, or else the CPU."""
    num_beams: Count = 4
    """Width of the beam search; 1 is greedy, several times faster and somewhat worse."""
    batch_tokens: Count = 4096
    """Tokens of the texts of a batch, padding counted: less needs less memory, and changes no translation."""
    shard_texts: Count = 10_000
    """Texts a shard: what a killed run loses at most, a process and a language."""
    max_source_tokens: Count = 512
    """Longer texts are not translated, as models lose part of them."""
    max_target_tokens: Count = 512
    """A translation that has not ended by then is dropped."""
    max_growth: Annotated[float, Field(ge=1)] = 4.0
    """So is one of more tokens than this many times its text's, plus 32: models that loop would go on."""
    gates: GateSettings = GateSettings()
    """What a translation must be to be kept."""

    @model_validator(mode="after")
    def _agrees(self) -> TranslationSettings:
        if self.dtype == "int8" and self.engine != "ctranslate2":
            raise ValueError("dtype int8 needs engine: ctranslate2")
        for field, value in (("model", self.model), ("revision", self.revision)):
            if isinstance(value, dict) and set(value) - set(self.languages):
                raise ValueError(f"{field} names {sorted(set(value) - set(self.languages))[0]}, not in languages")
        if isinstance(self.model, dict) and set(self.languages) - set(self.model):
            raise ValueError(f"model names none for {sorted(set(self.languages) - set(self.model))[0]}")
        return self
