"""Publishing the data of a task: ``mteb-hybrid publish-task``."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mteb_hybrid.data.collection_folder import CORPUS, MANIFEST, QUERIES, read_manifest
from mteb_hybrid.data.hub_collection import HUB_VARIABLE
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.publishing.dry_run import tell_files
from mteb_hybrid.publishing.hub import Pushed, Repository, Target, check_target, look, push_folder, read_file
from mteb_hybrid.publishing.task_data import QRELS, TaskData, check_license, find_task, license_title, write_task_data

_OF_ANY_REPOSITORY = {".gitattributes", "README.md", "LICENSE"}


def publish_task(
    task: str,
    target: Target,
    *,
    yes: bool,
    dry_run: Path | None,
    say: Callable[[str], None],
    show_progress_bar: bool,
) -> Pushed | None:
    """Publish a task's queries, corpus and qrels as a data set, in one commit.

    Args:
        task: the task's name.
        target: the data set.
        yes: whether the user takes care of what the data's licence forbids.
        dry_run: write the data set into this folder and list its files, and send nothing.
        say: is told what is done, line by line.
        show_progress_bar: whether to show progress.

    Returns:
        What came of it; None for a dry run.

    Raises:
        HybridError: there is no such task, its licence needs ``yes``, its data cannot be had, the data set holds
            something else, or the Hub refuses.
    """
    name = find_task(task).metadata.name
    license_ = check_license(name, yes)
    target = replace(target, repo_type="dataset")
    say(f"{name}: licence {license_title(license_) if license_ else 'not stated'}")
    check_target(target)
    if dry_run is not None:
        data = write_task_data(name, dry_run, target.repo_id)
        written = (path for path in dry_run.rglob("*") if path.is_file())
        tell_files({path.relative_to(dry_run).as_posix(): path for path in written}, (), say)
        say(f"{dry_run} holds what would be sent to {target.repo_id}: {_amounts(data)}")
        return None
    repository = look(target)
    _check_same(name, target, repository)
    with tempfile.TemporaryDirectory(prefix="mteb-hybrid-") as scratch:
        folder = Path(scratch) / "data"
        data = write_task_data(name, folder, target.repo_id)
        say(f"{target.repo_id}: {_amounts(data)}")
        pushed = push_folder(
            folder,
            target,
            repository,
            delete=[path for path in sorted(repository.files) if _is_stale(path, folder)],
            show_progress_bar=show_progress_bar,
        )
    say(_next(data, target))
    return pushed


def _check_same(task: str, target: Target, repository: Repository) -> None:
    """Refuse to write over anything but this task's data."""
    others = sorted(repository.files - _OF_ANY_REPOSITORY)
    if not others:
        return
    manifest = read_file(target, repository, MANIFEST)
    if manifest is None:
        raise HybridError(f"{target.repo_id} holds other data ({others[0]}); choose another --to")
    held = one_line(read_manifest(manifest, f"{MANIFEST} of {target.repo_id}").task, 60)
    if held != task:
        raise HybridError(f"{target.repo_id} holds the data of {held}, not of {task}; choose another --to")


def _is_stale(path: str, folder: Path) -> bool:
    """Whether a file there is one of ours that the data no longer have."""
    ours = path.startswith((f"{QUERIES}/", f"{CORPUS}/", f"{QRELS}/")) and path.endswith(".parquet")
    return ours and not (folder / path).is_file()


def _amounts(data: TaskData) -> str:
    counts = data.languages.values()
    return (
        f"{sum(part.queries for part in counts):,} queries, {sum(part.passages for part in counts):,} passages in "
        f"{len(counts)} languages, {len(data.subsets)} subsets"
    )


def _next(data: TaskData, target: Target) -> str:
    organisation, _, repository = target.repo_id.partition("/")
    if target.create_pr or target.revision:
        return f"the task reads {target.repo_id} once this is merged into main"
    if data.hub_name is None:
        return f"next: datasets.load_dataset({target.repo_id!r}, ...)"
    if repository != data.hub_name:
        return f"{HUB_VARIABLE} looks for {data.name} at {organisation}/{data.hub_name}, not at {target.repo_id}"
    return f"next: {HUB_VARIABLE}={organisation} mteb run -m MODEL -t {data.name}"
