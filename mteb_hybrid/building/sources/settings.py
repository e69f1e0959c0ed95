"""What a build file says of a source."""

from __future__ import annotations

from pydantic import Field

from mteb_hybrid.building.cleaning import CleaningSettings
from mteb_hybrid.settings.model import Count, Settings, Text


class SourceSettings(Settings):
    """Where training pairs come from; what it shares with a recipe's source means the same there."""

    source: Text
    """One of ``declarations()`` (``mMARCO``, ``MKQA``), or your own: a .jsonl or .parquet file, a Hub id, or one of
    ``MLQA-R``, ``XQuAD-R``, ``ParallelWorld``."""
    name: Text | None = None
    """What to call it; the source's own name by default."""
    revision: Text | None = None
    """Commit on the Hub or on GitHub; the declared one by default, and for your own the newest."""
    languages: list[Text] | None = None
    """Some of its languages, in this order; all by default."""
    rows: Count | None = None
    """The first so many rows only."""
    mteb_tasks: list[Text] = Field(default=[])
    """mteb tasks whose texts it holds, in any language, besides those that are declared."""
    license: Text | None = None
    """Licence of the data, as the Hub names it (``cc-by-4.0``); goes before what is declared."""
    cleaning: CleaningSettings | None = None
    """What is dropped of this source, in place of what the build file says for all."""
    files: Text | None = None
    """A folder with the files of a declared source under their names upstream; nothing is fetched then."""
