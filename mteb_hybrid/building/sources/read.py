"""Sources, described before anything is fetched, and read table by table."""

from __future__ import annotations

import difflib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow

from mteb_hybrid.building.sources import own, rows
from mteb_hybrid.building.sources.declaration import Declaration
from mteb_hybrid.building.sources.declarations import declarations
from mteb_hybrid.building.sources.files import Files
from mteb_hybrid.building.sources.settings import SourceSettings
from mteb_hybrid.building.sources.wanted import Wanted
from mteb_hybrid.errors import HybridError, one_line


@dataclass(frozen=True)
class SourceFacts:
    """What is known of a source before it is read.

    Attributes:
        name: what it is called.
        source: as in the settings.
        revision: the commit that is read; None where there is none, or none is known.
        license: by the Hub's identifiers; ``unknown`` if nobody says.
        languages: its tags, in their order; None for a file of one's own, whose languages show when it is read.
        mteb_tasks: mteb tasks that hold its texts.
        url: where a person finds it; None for a file.
    """

    name: str
    source: str
    revision: str | None
    license: str
    languages: tuple[str, ...] | None
    mteb_tasks: tuple[str, ...]
    url: str | None


class Reading(Iterator[pyarrow.Table]):
    """The tables of a source, each of ``shards.schema_of(languages)``, always the same ones in the same order.

    Attributes:
        languages: of the columns.
        skipped: pairs that were left out so far, by reason, such as ``empty passage``.
    """

    def __init__(self, languages: tuple[str, ...], tables: Iterator[pyarrow.Table], skipped: Counter[str]) -> None:
        self.languages = languages
        self.skipped = skipped
        self._tables = tables

    def __next__(self) -> pyarrow.Table:
        return next(self._tables)


def describe(settings: SourceSettings) -> SourceFacts:
    """Say what a source is, and whether the settings suit it. Nothing is fetched.

    (For a data set of one's own on the Hub, one small request finds the commit and the licence.)

    Raises:
        HybridError: there is no such source, or a setting does not suit it.
    """
    declared = declarations().get(settings.source)
    return _own(settings) if declared is None else _declared(settings, declared)


def read(settings: SourceSettings, *, folder: Path) -> Reading:
    """Read a source.

    Args:
        settings: with the revision that ``describe`` found, to read what was described.
        folder: for temporary files; they are gone when the last table was taken.

    Raises:
        HybridError: as ``describe``; and then or while tables are taken, if the source cannot be fetched or read, or
            is of another form than expected.
    """
    facts = describe(settings)
    declared = declarations().get(settings.source)
    if declared is None:
        corpus = own.load(settings, facts.revision)
        return Reading(corpus.languages, own.tables(corpus), Counter())
    languages = facts.languages or ()
    skipped: Counter[str] = Counter()
    found = declared.layout.rows(_files(settings, declared, facts, folder), Wanted(languages, folder, settings.rows))
    return Reading(languages, rows.tables(found, languages, skipped=skipped, limit=settings.rows), skipped)


def _declared(settings: SourceSettings, declared: Declaration) -> SourceFacts:
    languages = tuple(settings.languages or declared.languages)
    for number, language in enumerate(languages):
        if language not in declared.languages or language in languages[:number]:
            fault = "asked for twice" if language in declared.languages else "not in it"
            raise HybridError(
                f"language {one_line(language, 40)!r} of {declared.name} is {fault}; it has "
                f"{', '.join(declared.languages)}"
            )
    if settings.languages == []:
        raise HybridError(f"no language of {declared.name} asked for; it has {', '.join(declared.languages)}")
    if settings.files is not None and not os.path.isdir(os.path.expanduser(settings.files)):
        raise HybridError(f"{declared.name}: there is no folder {one_line(settings.files, 200)}; mend `files`")
    pinned = settings.revision if settings.files is not None else settings.revision or declared.revision
    return SourceFacts(
        name=settings.name or declared.name,
        source=settings.source,
        revision=pinned,
        license=settings.license or declared.license,
        languages=languages,
        mteb_tasks=_tasks(declared.mteb_tasks, settings),
        url=declared.url,
    )


def _files(settings: SourceSettings, declared: Declaration, facts: SourceFacts, folder: Path) -> Files:
    local = settings.files is not None
    root = os.path.abspath(os.path.expanduser(settings.files or "")) if local else declared.root(facts.revision)
    known = f"revision {declared.revision} was" if declared.revision else "no commit is known that was"
    remedy = f"the source has changed ({known} of the form expected); set `revision` to a commit of that form"
    return Files(declared.name, root, declared.url, facts.revision, remedy, folder)


def _own(settings: SourceSettings) -> SourceFacts:
    from mteb_hybrid.licences import BUILT_IN_LICENSES

    kind = own.kind_of(settings.source)
    if kind is None:
        raise _unknown(settings.source)
    if settings.files is not None:
        raise HybridError(f"{settings.source}: `files` is for declared sources ({', '.join(declarations())})")
    if settings.revision is not None and kind != "hub":
        raise HybridError(
            f"{settings.source} has no revision {one_line(settings.revision, 60)!r}: only what is on the Hub has"
        )
    if kind == "file":
        own.check_file(settings)
    revision, license = own.on_hub(settings) if kind == "hub" else (None, settings.license)
    return SourceFacts(
        name=settings.name or (Path(settings.source).stem if kind == "file" else settings.source),
        source=settings.source,
        revision=revision,
        license=license or BUILT_IN_LICENSES.get(settings.source, "unknown"),
        languages=tuple(settings.languages) if settings.languages else None,
        mteb_tasks=_tasks(_built_in_tasks(settings.source), settings),
        url=f"https://huggingface.co/datasets/{settings.source}" if kind == "hub" else None,
    )


def _built_in_tasks(source: str) -> tuple[str, ...]:
    from mteb_hybrid.data.corpus_files import BUILT_IN_TASKS

    return BUILT_IN_TASKS.get(source, ())


def _tasks(known: tuple[str, ...], settings: SourceSettings) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*known, *settings.mteb_tasks]))


def _unknown(source: str) -> HybridError:
    from mteb_hybrid.data.corpus_files import BUILT_IN_SOURCES

    names = [*declarations(), *BUILT_IN_SOURCES]
    forms = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(source.casefold(), forms, n=1)
    hint = f"did you mean {forms[near[0]]}? Otherwise name" if near else f"it is none of {', '.join(names)}; name"
    return HybridError(
        f"unknown source {one_line(source, 60)!r}: {hint} a .jsonl or .parquet file, or ORG/NAME on the Hub"
    )
