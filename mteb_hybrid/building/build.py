"""Builds a corpus: reads its sources, and does to them what the build file says, stage by stage.

All that is in between lies in a folder beside the corpus until it is whole. Killed, the same call goes on there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow

from mteb_hybrid.alone import alone
from mteb_hybrid.building.build_file import BuildSettings
from mteb_hybrid.building.cleaning import Clean
from mteb_hybrid.building.engines import Engine
from mteb_hybrid.building.finish import write_corpus
from mteb_hybrid.building.read import ReadUnit
from mteb_hybrid.building.sources.read import SourceFacts, describe
from mteb_hybrid.building.stages import decontaminate, drop_duplicates, translate
from mteb_hybrid.building.translation.settings import TranslationSettings
from mteb_hybrid.building.work import Shards, stage_record
from mteb_hybrid.data.corpus_files import BUILT_IN_COMMITS
from mteb_hybrid.data.corpus_lock import LOCK, CorpusLock, StageRecord, file_digest, read_lock
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.whole import discard_folder, whole_folder

if TYPE_CHECKING:
    from mteb_hybrid.building.translation.plan import Plan

ROWS = 50_000
"""Rows of a shard as they are read: what a kill costs at most, in each stage."""

_IDENTITY = "identity.json"


@dataclass
class Progress:
    """What is known of a build by and by.

    Attributes:
        facts: of each source.
        pinned: what pins each source that has no revision to name.
        settings: every revision in them as it was resolved.
        work: the folder of what is in between.
        run: the engine.
        show_progress_bar: of what no engine runs.
        shards: where the corpus is now.
        stages: what was done to each source.
        plan: of the translation, with its models found.
        translation: what was translated by what.
        decontamination: what the corpus was held against.
        found: what was found there, a line each.
    """

    facts: tuple[SourceFacts, ...]
    pinned: tuple[str | None, ...]
    settings: BuildSettings
    work: Path
    run: Engine
    show_progress_bar: bool
    shards: Shards = field(default_factory=dict)
    stages: dict[str, list[StageRecord]] = field(default_factory=dict)
    plan: Plan | None = None
    translation: dict[str, Any] | None = None
    decontamination: dict[str, Any] | None = None
    found: list[dict[str, Any]] = field(default_factory=list)

    def passed(self, stage: str, names: Iterable[str] | None = None) -> None:
        """Note what a stage did to each source, or to some."""
        for name in self.shards if names is None else names:
            self.stages[name].append(stage_record(stage, self.shards[name]))


def build_corpus(
    settings: BuildSettings,
    output: Path,
    run: Engine,
    *,
    overwrite: bool = False,
    show_progress_bar: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> CorpusLock:
    """Build a corpus.

    Args:
        settings: of ``read_build_file``.
        output: the folder of the corpus: a Parquet file for each source, ``corpus.lock.json``, and what was found of
            benchmarks, as ``decontamination.jsonl``.
        run: what does the work on shards.
        overwrite: replace a corpus that is there, and begin anew where one was begun with other settings.
        show_progress_bar: whether to show how far it is.
        say: is told what happens, a line at a time.

    Returns:
        The lock of the corpus. The same settings and sources give the same bytes, whatever the engine.

    Raises:
        HybridError: a source, a model or the data of a task cannot be had, which shows before anything long begins
            where it can; nothing is left; or the folder cannot be written.
    """
    exists = HybridError(f"{output} exists; choose another --output, or replace it with --overwrite")
    if output.exists() and not (overwrite or _work_of(output).exists()):
        raise exists
    facts = tuple(map(describe, settings.sources))
    _check_names(facts, settings.translation)
    cleans = [Clean(source.cleaning or settings.cleaning) for source in settings.sources]
    settings = _resolved(settings, facts)
    pinned = tuple(_own_revisions(settings))
    with _at_work(output):
        if output.exists() and not overwrite:
            lock = _finished(settings, pinned, output)
            if lock is None:
                raise exists
            return lock
        return _build(settings, facts, pinned, cleans, output, run, overwrite, show_progress_bar, say)


def _build(
    settings: BuildSettings,
    facts: tuple[SourceFacts, ...],
    pinned: tuple[str | None, ...],
    cleans: Sequence[Clean],
    output: Path,
    run: Engine,
    overwrite: bool,
    show_progress_bar: bool,
    say: Callable[[str], None],
) -> CorpusLock:
    work = _work_folder(settings, pinned, output, overwrite)
    progress = Progress(facts, pinned, settings, work, run, show_progress_bar)
    for stage in (_prepare, _read(cleans), drop_duplicates, translate, decontaminate):
        stage(progress, say)
    lock = write_corpus(progress, settings.name or output.name, output, say)
    with suppress(OSError):
        discard_folder(work)
    return lock


def _finished(settings: BuildSettings, pinned: tuple[str | None, ...], output: Path) -> CorpusLock | None:
    """The lock of a corpus whose build was killed after its last write; None if it is another's."""
    work = _work_of(output)
    if not _is_of(work, _identity(settings, pinned)):
        return None
    try:
        lock = read_lock(output / LOCK)
    except HybridError:
        return None
    if lock.settings != settings.model_dump(mode="json"):
        return None
    with suppress(OSError):
        discard_folder(work)
    return lock


@contextmanager
def _at_work(output: Path) -> Iterator[None]:
    """Keep other builds from the same folder, and tell in one line what disks do."""
    work = output.with_name(f"{output.name}.building")
    try:
        output.absolute().parent.mkdir(parents=True, exist_ok=True)
        with alone(output, "choose another --output"):
            yield
    except (pyarrow.ArrowInvalid, json.JSONDecodeError, UnicodeDecodeError) as error:
        # What is in between is whole or not there, unless somebody cut it.
        raise HybridError(
            f"{work} is damaged ({one_line(error, 160)}); remove it, and the same command begins anew"
        ) from error
    except BrokenPipeError:  # of what is said
        raise
    except OSError as error:
        where = error.filename or work
        raise HybridError(
            f"cannot write {where} ({error.strerror or error}); mend that, and the same command goes on where it was"
        ) from error


def _prepare(progress: Progress, say: Callable[[str], None]) -> None:
    """Look for what later stages need, before the long ones."""
    from mteb_hybrid.building.decontamination.index import build_index
    from mteb_hybrid.building.translation.plan import plan_translation

    if progress.settings.decontamination is not None:
        say("decontaminate: reading the tasks' texts")
        build_index(progress.settings.decontamination, progress.work / "index")
    if progress.settings.translation is not None:
        progress.plan = plan_translation(progress.settings.translation, progress.work / "models")


def _read(cleans: Sequence[Clean]) -> Callable[[Progress, Callable[[str], None]], None]:
    def stage(progress: Progress, say: Callable[[str], None]) -> None:
        units = {
            facts.name: ReadUnit(source, clean, progress.work / "read" / facts.name, ROWS)
            for facts, source, clean in zip(progress.facts, progress.settings.sources, cleans, strict=True)
        }
        progress.run([unit for unit in units.values() if not unit.is_done()], "sources")
        outcomes = {name: unit.outcome() for name, unit in units.items()}
        progress.shards = {name: shards for name, (shards, _) in outcomes.items()}
        progress.stages = {name: [record] for name, (_, record) in outcomes.items()}
        progress.passed("clean")
        for name, (before, after) in progress.stages.items():
            say(f"{name}: {before.rows:,} rows read, {after.rows:,} left after cleaning")

    return stage


def _check_names(facts: tuple[SourceFacts, ...], translation: TranslationSettings | None) -> None:
    """Names are names of files, and what is translated is there."""
    names = [each.name for each in facts]
    for number, name in enumerate(names):
        if name.casefold() in {other.casefold() for other in names[:number]}:
            raise HybridError(f"sources: two are called {one_line(name, 60)}; give each its own name")
        if not name.replace("-", "").replace("_", "").replace(".", "").isalnum() or name.startswith("."):
            raise HybridError(
                f"sources: {one_line(name, 60)!r} is no name of a file; give it a name of letters and digits"
            )
    for name in (translation.sources if translation else None) or ():
        if name not in names:
            raise HybridError(f"translation.sources: there is no {one_line(name, 60)}; there are {', '.join(names)}")


def _resolved(settings: BuildSettings, facts: tuple[SourceFacts, ...]) -> BuildSettings:
    """The settings with the revisions that are read and of all models, so that building again takes the same."""
    from mteb_hybrid.building.decontamination.embedding import with_commit
    from mteb_hybrid.building.translation.plan import with_commits

    sources = [
        source if source.files is not None else source.model_copy(update={"revision": each.revision})
        for source, each in zip(settings.sources, facts, strict=True)
    ]
    found: dict[str, Any] = {"sources": sources}
    if settings.translation is not None:
        found["translation"] = with_commits(settings.translation)
    if settings.decontamination is not None and settings.decontamination.embedding is not None:
        embedding = with_commit(settings.decontamination.embedding)
        found["decontamination"] = settings.decontamination.model_copy(update={"embedding": embedding})
    return settings.model_copy(update=found)


def _own_revisions(settings: BuildSettings) -> Iterator[str | None]:
    """What pins each source that has no revision to name: a file's checksum, the commit of what the package knows."""
    for source in settings.sources:
        path = Path(os.path.expanduser(source.source))
        yield f"sha256:{file_digest(path)}" if path.is_file() else BUILT_IN_COMMITS.get(source.source)


def _work_of(output: Path) -> Path:
    return output.with_name(f"{output.name}.building")


def _identity(settings: BuildSettings, pinned: tuple[str | None, ...]) -> str:
    return json.dumps([settings.model_dump(mode="json", exclude_defaults=True), pinned])


def _is_of(work: Path, identity: str) -> bool:
    """Whether a folder is that of a build of these settings and files."""
    try:
        return (work / _IDENTITY).read_text(encoding="utf-8") == identity
    except (OSError, UnicodeDecodeError):  # there is none, or it is of something else
        return False


def _work_folder(settings: BuildSettings, pinned: tuple[str | None, ...], output: Path, overwrite: bool) -> Path:
    """The folder of what is in between: that of an interrupted build of the same settings, or a new one."""
    work, identity = _work_of(output), _identity(settings, pinned)
    if _is_of(work, identity):
        return work
    if work.exists() and not overwrite:
        raise HybridError(f"{work} holds an unfinished build of other settings or files; begin anew with --overwrite")
    try:
        discard_folder(work)
        work.absolute().parent.mkdir(parents=True, exist_ok=True)
        with whole_folder(work) as folder:
            (folder / _IDENTITY).write_text(identity, encoding="utf-8")
    except OSError as error:
        raise HybridError(f"cannot write {work} ({error.strerror or error}); choose another --output") from None
    return work
