"""Folders that a user names: what they are is told from their files, and so is what is wrong."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from mteb_hybrid.doctor.corpus import examine_corpus, examine_work, is_corpus, is_work
from mteb_hybrid.doctor.finding import Findings, caught, ok, wrong
from mteb_hybrid.doctor.models import SIGNS, examine_model
from mteb_hybrid.doctor.places import writable
from mteb_hybrid.doctor.results import examine_results, is_results
from mteb_hybrid.doctor.study import examine_study, is_study
from mteb_hybrid.doctor.training import examine_training, is_training
from mteb_hybrid.doctor.vectors import examine_vectors, is_vectors

DEEPEST = 6
"""Folders within folders that are looked into: results are four deep in what is given to ``--output-folder``."""

_LEFT = re.compile(r"\.(?:(?P<name>.+?)\.)??(?:(?P<pid>\d+)\.)?(?P<kind>partial|new|old|claim)|\.now-[0-9a-f]{32}")


_WHOLE = frozenset({examine_model, examine_training, examine_corpus, examine_work, examine_vectors})
"""Those of folders in which nothing else is looked for."""


def examine_given(path: Path) -> Findings:
    """A folder or a file that a user names."""
    path = path.expanduser()
    if path.is_file():
        yield from _file(path)
        return
    if not path.is_dir():
        yield wrong(f"{path} is not there: give a folder or file of ours")
        return
    yield from writable(path, "give it to whoever is to write in it", well=False)
    found = [*_within(path, 0), *_left_over(path)]
    yield from found
    if not found:
        yield wrong(
            f"{path} holds nothing that is known here: give a study, a training, a model, a corpus, results, vectors, "
            "a debiasing, or a folder of such"
        )


def mteb_cache() -> Findings:
    """Results in mteb's own cache, where `mteb run` keeps them unless it is told otherwise."""
    cache = Path(os.environ.get("MTEB_CACHE") or Path.home() / ".cache" / "mteb") / "results"
    found = [*_within(cache, 2), *_left_over(cache)] if cache.is_dir() else []
    yield from (finding for finding in found if not finding.well)
    if all(finding.well for finding in found):
        yield ok(f"{len(found)} folders of results in {cache}")


def _within(folder: Path, depth: int) -> Findings:
    """What a folder is, or what the folders in it are."""
    examine = _kind(folder)
    if examine is not None:
        yield from caught(partial(examine, folder), str(folder))
    if examine in _WHOLE or depth > DEEPEST:
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith("."):
            yield from _within(path, depth + 1)
        elif path.suffix == ".safetensors" and not path.name.startswith("."):
            yield from caught(partial(_file, path), str(path))


def _kind(folder: Path) -> Callable[[Path], Findings] | None:
    kinds: tuple[tuple[Callable[[Path], bool], Callable[[Path], Findings]], ...] = (
        (is_training, examine_training),
        (is_work, examine_work),
        (is_corpus, examine_corpus),
        (is_study, examine_study),
        (is_vectors, examine_vectors),
        (lambda place: any((place / name).is_file() for name in SIGNS), examine_model),
        (is_results, examine_results),
    )
    return next((examine for is_one, examine in kinds if is_one(folder)), None)


def _file(path: Path) -> Findings:
    """A file that a user names: a debiasing, or one of a folder that is looked at whole."""
    if path.suffix == ".safetensors":
        from mteb_hybrid.debias.file import read_debiasing

        debiasing = read_debiasing(path)
        yield ok(f"{path} is a debiasing for {', '.join(debiasing.languages)}")
    elif path.suffix in {".json", ".parquet"} and _kind(path.parent) is not None:
        yield from _within(path.parent, DEEPEST)
    else:
        yield wrong(f"{path} is no file that is known here: give a folder, or a debiasing (.safetensors)")


def _left_over(folder: Path) -> Findings:
    """What a process that was killed had been writing, here and below."""
    for path in _hidden(folder, 0):
        match = _LEFT.fullmatch(path.name)
        if match is None:
            continue
        name, pid = match["name"], match["pid"]
        if pid and _is_running(int(pid)):
            yield ok(f"{path} is being written by process {pid}")
        elif match["kind"] == "old" and name and not path.with_name(name).exists():
            yield wrong(f"{path} is what was to be replaced when a process was killed: rename it to {name}")
        else:
            yield wrong(f"{path} was left by a process that was killed: delete it, unless another machine is at it")


def _hidden(folder: Path, depth: int) -> Iterator[Path]:
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        return
    for path in paths:
        if path.name.startswith("."):
            yield path
        elif path.is_dir() and not path.is_symlink() and depth <= DEEPEST:
            yield from _hidden(path, depth + 1)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True
