"""The stages that come after reading: duplicates, translation, decontamination."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow

from mteb_hybrid.building.decontamination.record import decontamination_record
from mteb_hybrid.building.decontamination.stage import Decontaminate, DropGroups, contaminated_groups
from mteb_hybrid.building.duplicates import duplicates, without_duplicates
from mteb_hybrid.building.shards import Kept, read_shard, write_shard
from mteb_hybrid.building.signatures import DuplicateSettings, Signatures
from mteb_hybrid.building.translation.run import translate_corpus
from mteb_hybrid.building.translation.shard import devices_of
from mteb_hybrid.building.work import found_in, record_path, run_stage, write_record
from mteb_hybrid.whole import whole_file, whole_folder

if TYPE_CHECKING:
    from mteb_hybrid.building.build import Progress
    from mteb_hybrid.building.translation.plan import Plan

Say = Callable[[str], None]


@dataclass(frozen=True)
class _SignatureUnit:
    """Makes what is compared of a shard."""

    settings: DuplicateSettings
    source: Path
    target: Path

    def __call__(self) -> None:
        if not self.target.exists():
            write_shard(Signatures(self.settings)(read_shard(self.source)), self.target)


@dataclass(frozen=True)
class _WithoutDuplicates:
    """Takes the duplicates out of the shard that a verdict is of."""

    verdict: Path

    def __call__(self, table: pyarrow.Table) -> Kept:
        return without_duplicates(table, read_shard(self.verdict))


def drop_duplicates(progress: Progress, say: Say) -> None:
    """Take out what is there already, in all sources together."""
    settings = progress.settings.duplicates
    if settings is None:
        return
    verdicts = progress.work / "verdicts"
    if not verdicts.exists():
        _judge(progress, settings, verdicts)
    stages = {
        shard: _WithoutDuplicates(verdicts / f"{number:04}-{place:06}.parquet")
        for number, shards in enumerate(progress.shards.values())
        for place, shard in enumerate(shards)
    }
    progress.shards = run_stage(stages, progress.shards, progress.work / "distinct", progress.run, "duplicates")
    progress.passed("duplicates")
    _tell(progress, say, "duplicates gone")


def _judge(progress: Progress, settings: DuplicateSettings, verdicts: Path) -> None:
    signatures = progress.work / "signatures"
    targets = {name: [signatures / name / shard.name for shard in shards] for name, shards in progress.shards.items()}
    units = []
    for name, shards in progress.shards.items():
        (signatures / name).mkdir(parents=True, exist_ok=True)
        units += [_SignatureUnit(settings, *pair) for pair in zip(shards, targets[name], strict=True)]
    progress.run([unit for unit in units if not unit.target.exists()], "signatures")
    with whole_folder(verdicts) as folder:
        duplicates(list(targets.values()), settings, folder)
    shutil.rmtree(signatures)


def translate(progress: Progress, say: Say) -> None:
    """Give the rows of one language the others."""
    if progress.plan is None:
        return
    settings = progress.plan.settings
    folder, record = progress.work / "translated", progress.work / "translation.json"
    names = list(progress.shards) if settings.sources is None else settings.sources
    outputs = {name: [folder / name / shard.name for shard in progress.shards[name]] for name in names}
    before = [shard for name in names for shard in progress.shards[name]]
    after = [shard for shards in outputs.values() for shard in shards]
    if not record.exists():
        _translate(progress, progress.plan, before, after, record)
    for shard in before:
        shard.unlink(missing_ok=True)
    progress.shards = {**progress.shards, **outputs}
    progress.translation = json.loads(record.read_text(encoding="utf-8"))
    progress.passed("translate", names)
    _tell(progress, say, "translated")


def _translate(progress: Progress, plan: Plan, before: Sequence[Path], after: Sequence[Path], record: Path) -> None:
    texts = progress.work / "texts"
    for output in after:
        output.parent.mkdir(parents=True, exist_ok=True)
    one = len(devices_of(plan.settings)) == 1  # of several each has a process that the engines know nothing of
    do = (lambda jobs: progress.run(jobs, "translations")) if one else None
    outcome = translate_corpus(before, plan, texts, after, do)
    for shard in after:
        write_record(Kept(read_shard(shard)), record_path(shard))
    told = {
        "models": {tag: [route.model.source, route.model.revision] for tag, route in plan.routes.items()},
        "pairs": dict(outcome.made),
        "dropped": {tag: dict(reasons) for tag, reasons in outcome.dropped.items()},
    }
    with whole_file(record) as partial:
        partial.write_text(json.dumps(told), encoding="utf-8")
    shutil.rmtree(texts)


def decontaminate(progress: Progress, say: Say) -> None:
    """Take out what benchmarks hold, and list it."""
    settings = progress.settings.decontamination
    if settings is None:
        return
    index = progress.work / "index"
    stage = Decontaminate(index, settings)
    progress.shards = run_stage(stage, progress.shards, progress.work / "clean", progress.run, "decontamination")
    progress.passed("decontaminate")
    groups = {}
    for name, shards in progress.shards.items():
        found = [dict(hit) for hit in found_in(shards)]
        progress.found += [{"source": name, **hit} for hit in found]
        groups[name] = contaminated_groups(found)
    if any(groups.values()):
        stages = {shard: DropGroups(groups[name]) for name, shards in progress.shards.items() for shard in shards}
        progress.shards = run_stage(stages, progress.shards, progress.work / "groups", progress.run, "groups")
        progress.passed("decontaminate groups")
    kinds = Counter(str(hit["kind"]) for hit in progress.found)
    progress.decontamination = decontamination_record(index, kinds).model_dump(mode="json")
    _tell(progress, say, "decontaminated")


def _tell(progress: Progress, say: Say, what: str) -> None:
    for name, stages in progress.stages.items():
        pairs = sum(stages[-1].pairs.values())
        say(f"{name}: {what}, {stages[-1].rows:,} rows with {pairs:,} pairs left")
