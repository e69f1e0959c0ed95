"""What would be sent: listed, and written to a folder instead."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mteb_hybrid.errors import HybridError
from mteb_hybrid.publishing.hub import Repository, Target, look
from mteb_hybrid.publishing.hub_errors import NoConnection
from mteb_hybrid.whole import whole_folder

Files = Mapping[str, Path | bytes]
"""Path in the repository to the local file, or to the content."""


def tell_files(files: Files, gone: Sequence[str], say: Callable[[str], None]) -> None:
    """Say which files are sent, with their sizes, and which are deleted."""
    sizes = {path: _size(files[path]) for path in sorted(files)}
    for path, size in sizes.items():
        say(f"{size:>14,}  {path}")
    for path in gone:
        say(f"{'deleted':>14}  {path}")
    say(f"{sum(sizes.values()):>14,}  bytes in {len(sizes)} files")


def _size(content: Path | bytes) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def check_dry_run(folder: Path | None) -> None:
    """Raise a HybridError if the folder to write to instead is there already; None is no dry run."""
    if folder is not None and folder.exists():
        raise HybridError(f"{folder} is there already; choose another folder for --dry-run")


def look_without_fail(target: Target, say: Callable[[str], None]) -> Repository:
    """See what is there, for a dry run; without a token or a connection, as if nothing were.

    Args:
        target: where to.
        say: told in one line that the Hub was not asked.

    Raises:
        HybridError: the Hub was asked, and would refuse.
    """
    from huggingface_hub import get_token

    if not get_token():
        return Repository(exists=False)
    try:
        return look(target)
    except NoConnection as error:
        say(f"as for a new repository, as what is in {target.repo_id} is not known: {error}")
        return Repository(exists=False)


def write_files(files: Files, folder: Path) -> None:
    """Write the files to a folder, whole or not at all.

    Raises:
        HybridError: the folder is there already, or cannot be written.
    """
    check_dry_run(folder)
    try:
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        with whole_folder(folder) as partial:
            for path, content in files.items():
                place = partial / path
                place.parent.mkdir(parents=True, exist_ok=True)
                if isinstance(content, bytes):
                    place.write_bytes(content)
                else:
                    shutil.copyfile(content, place)
    except OSError as error:
        raise HybridError(f"cannot write {folder} ({error.strerror or error}); choose another folder") from None
