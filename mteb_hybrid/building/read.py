"""Reads a source into shards, each cleaned as it is cut: what came in is counted, and not kept."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from mteb_hybrid.building.shards import Stage, in_shards, pairs_of
from mteb_hybrid.building.sources.read import read
from mteb_hybrid.building.sources.settings import SourceSettings
from mteb_hybrid.building.work import record_path, write_kept
from mteb_hybrid.data.corpus_lock import StageRecord
from mteb_hybrid.whole import whole_file

_DONE = "read.json"


@dataclass(frozen=True)
class ReadUnit:
    """Reads one source. Killed, it reads from the start again, but what was cleaned is not cleaned again.

    Attributes:
        settings: with the revision that is read.
        clean: what is done to each shard.
        folder: where the shards go.
        rows: how many of the source a shard has.
    """

    settings: SourceSettings
    clean: Stage
    folder: Path
    rows: int

    def __call__(self) -> None:
        """Do it, unless it is done."""
        if self.is_done():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        reading = read(self.settings, folder=self.folder)
        pairs, rows, number = Counter[str](), 0, 0
        for number, table in enumerate(in_shards(reading, self.rows), start=1):
            pairs.update(pairs_of(table))
            rows += len(table)
            target = _shard(self.folder, number - 1)
            if not record_path(target).exists():
                write_kept(self.clean(table), target)
        done = {"shards": number, "rows": rows, "pairs": dict(pairs), "skipped": dict(reading.skipped)}
        with whole_file(self.folder / _DONE) as partial:
            partial.write_text(json.dumps(done), encoding="utf-8")

    def is_done(self) -> bool:
        """Whether all of it is read."""
        return (self.folder / _DONE).exists()

    def outcome(self) -> tuple[list[Path], StageRecord]:
        """The shards of the source, once it is read, and what came in."""
        done = json.loads((self.folder / _DONE).read_text(encoding="utf-8"))
        shards = [_shard(self.folder, number) for number in range(done["shards"])]
        record = StageRecord(stage="read", rows=done["rows"], pairs=done["pairs"], dropped=done["skipped"])
        return shards, record


def _shard(folder: Path, number: int) -> Path:
    return folder / f"{number:06}.parquet"
