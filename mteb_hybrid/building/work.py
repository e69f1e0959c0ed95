"""Units of work: a stage done to a shard, with a record of what it did beside what is left."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mteb_hybrid.building.engines import Engine
from mteb_hybrid.building.shards import Kept, Stage, pairs_of, read_shard, write_shard
from mteb_hybrid.data.corpus_lock import StageRecord
from mteb_hybrid.whole import whole_file

Shards = Mapping[str, Sequence[Path]]
"""By the name of a source, its shards in their order."""


@dataclass(frozen=True)
class StageUnit:
    """A stage, the shard that it is done to, and where what is left of it goes.

    The shard that it was done to is removed afterwards: there is never a second copy of the corpus.
    """

    stage: Stage
    source: Path
    target: Path

    def __call__(self) -> None:
        """Do it, unless it is done."""
        if not record_path(self.target).exists():
            write_kept(self.stage(read_shard(self.source)), self.target)
        self.source.unlink(missing_ok=True)


def run_stage(stages: Mapping[Path, Stage] | Stage, shards: Shards, folder: Path, engine: Engine, what: str) -> Shards:
    """Do a stage to all shards.

    Args:
        stages: the stage, or what is done to each shard.
        shards: what it is done to; they are removed.
        folder: of what is left, with a folder for each source.
        engine: what does it.
        what: for the progress bar.
    """
    after = {name: [folder / name / path.name for path in paths] for name, paths in shards.items()}
    for name in after:
        (folder / name).mkdir(parents=True, exist_ok=True)
    units = [
        StageUnit(stages[source] if isinstance(stages, Mapping) else stages, source, target)
        for name, paths in shards.items()
        for source, target in zip(paths, after[name], strict=True)
        if source.exists() or not record_path(target).exists()
    ]
    engine(units, what)
    return after


def write_kept(kept: Kept, target: Path) -> None:
    """Write what a stage left of a shard, and after it the record, which says that it is done."""
    write_shard(kept.table, target)
    write_record(kept, record_path(target))


def write_record(kept: Kept, path: Path) -> None:
    """Write down what a stage left of a shard."""
    record = {
        "rows": len(kept.table),
        "pairs": dict(pairs_of(kept.table)),
        "dropped": dict(kept.dropped),
        "found": list(kept.found),
    }
    with whole_file(path) as partial:
        partial.write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")


def record_path(shard: Path) -> Path:
    """The record of a shard, which stays where the shard is removed."""
    return shard.with_suffix(".json")


def read_record(shard: Path) -> dict[str, Any]:
    """The record of a shard."""
    return dict(json.loads(record_path(shard).read_text(encoding="utf-8")))


def stage_record(stage: str, shards: Iterable[Path]) -> StageRecord:
    """What a stage did to all shards of a source."""
    pairs, dropped, rows = Counter[str](), Counter[str](), 0
    for shard in shards:
        record = read_record(shard)
        rows += record["rows"]
        pairs.update(record["pairs"])
        dropped.update(record["dropped"])
    return StageRecord(stage=stage, rows=rows, pairs=dict(pairs), dropped=dict(sorted(dropped.items())))


def found_in(shards: Iterable[Path]) -> Iterable[Mapping[str, Any]]:
    """What a stage listed one by one, over all shards of a source."""
    for shard in shards:
        yield from read_record(shard)["found"]
