"""What a user may say about the mining of hard negatives."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mteb_hybrid.settings.model import Count, Settings, Text

_Margin = Annotated[float, Field(ge=0, le=1)]


class MiningSettings(Settings):
    """Which negatives are mined, and by what model."""

    model: Text
    """Short name, folder or Hub id of the model that ranks the passages."""
    revision: Text | None = None
    """Of a model on the Hub."""
    negatives: Annotated[int, Field(ge=1, le=100)] = 4
    """Hard negatives of each passage, in its own language."""
    mode: Literal["mono", "cross", "both"] = "both"
    """Whose ranking counts for the passages of a language: that of the row's query in the same language (``mono``); in
    another, drawn at random among those that the row has (``cross``; of a row of one language, its only query); or by
    turns the next of the one and of the other (``both``). Training pairs a passage with queries of all languages, and
    a model's mistakes across languages are others than those within one."""
    relative_margin: _Margin | None = 0.05
    """Keep out what is nearer to the query than its passage's similarity less this share of it: perhaps an answer. The
    default is the best of NV-Retriever (arXiv 2407.15831); null keeps out nothing."""
    absolute_margin: _Margin | None = None
    """Keep out what is not less similar to the query than its passage by at least this much."""
    range_min: Annotated[int, Field(ge=0)] = 0
    """Leave out so many of the nearest, known positives not counted."""
    range_max: Count | None = None
    """Look no further than this rank, known positives not counted; by default 10 a negative beyond ``range_min``."""
    index: Literal["auto", "flat", "ivf"] = "auto"
    """``flat`` compares every query with all passages, ``ivf`` with those in the lists nearest to it; ``auto`` is flat
    for languages of up to 200,000 passages."""
    batch_size: Count = 32
    """Texts encoded at once."""
    device: Text | None = None
    """As in sentence-transformers; the best there is by default."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 42
    """Of the languages of ``cross``, of the lists of ``ivf``, and of passages drawn where there are too few."""

    @property
    def last_rank(self) -> int:
        """The last rank that is looked at, counted from 1."""
        return self.range_max or self.range_min + 10 * self.negatives

    @model_validator(mode="after")
    def _range_holds_enough(self) -> MiningSettings:
        if self.last_rank - self.range_min < self.negatives:
            raise ValueError(
                f"range_max {self.last_rank} leaves {max(self.last_rank - self.range_min, 0)} ranks after range_min "
                f"{self.range_min}, too few for {self.negatives} negatives"
            )
        return self
