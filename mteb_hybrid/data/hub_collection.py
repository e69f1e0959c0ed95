"""Collections read from the Hub instead of their own source: ``MTEB_HYBRID_HUB=ORGANISATION``.

What is read must be what the source gives, row for row: a fingerprint of all content is shipped with each task.
Nothing that is downloaded is executed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mteb_hybrid.data.collection import ParallelCollection
from mteb_hybrid.data.collection_folder import CORPUS, MANIFEST, QUERIES, read_collection, read_manifest
from mteb_hybrid.errors import HybridError, one_line

HUB_VARIABLE = "MTEB_HYBRID_HUB"
"""Environment variable that names an organisation (or user) on the Hub to read the data sets of."""


@dataclass(frozen=True)
class PublishedCollection:
    """What gives a task its collection: the source, or the Hub where the variable asks for it.

    Attributes:
        repository: the data set's name below the organisation.
        fingerprint: the ``revision`` its content must have; None takes what the data set says of itself.
        source: reads the collection from where it comes.
    """

    repository: str
    fingerprint: str | None
    source: Callable[[], ParallelCollection]

    def __call__(self) -> ParallelCollection:
        """Give the collection."""
        return hub_or(self.repository, self.source, self.fingerprint)


def hub_or(repository: str, load: Callable[[], ParallelCollection], fingerprint: str | None) -> ParallelCollection:
    """Read a collection from the Hub where ``MTEB_HYBRID_HUB`` names an organisation, and from its source elsewhere.

    Args:
        repository: the data set's name below the organisation.
        load: reads the collection from its source.
        fingerprint: the ``revision`` that a collection from the Hub must have; None takes what its
            ``collection.json`` says.

    Raises:
        HybridError: the variable names no organisation, or the data set cannot be had, is damaged or has changed;
            what ``load`` raises likewise.
    """
    organisation = os.environ.get(HUB_VARIABLE)
    if not organisation:
        return load()
    repo_id = _repo_id(organisation, repository)
    folder = _downloaded(repo_id)
    try:
        collection = read_collection(folder)
    except HybridError as error:
        raise HybridError(f"data set {repo_id} on the Hub: {error}") from None
    expected = fingerprint or read_manifest((folder / MANIFEST).read_bytes(), repo_id).revision
    if collection.revision != expected:
        raise HybridError(
            f"{repo_id} on the Hub has other data than this task's (fingerprint {collection.revision[:12]}…, "
            f"expected {one_line(expected[:12])}…); publish the task's data there, or unset {HUB_VARIABLE}"
        )
    return collection


def _repo_id(organisation: str, repository: str) -> str:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    repo_id = f"{organisation}/{repository}"
    try:
        validate_repo_id(repo_id)
    except HFValidationError:
        raise HybridError(
            f"{HUB_VARIABLE} is {one_line(organisation, 60)!r}: it must name an organisation on the Hub, such as "
            f"my-org, without a data set's name"
        ) from None
    return repo_id


def _downloaded(repo_id: str) -> Path:
    from huggingface_hub import snapshot_download

    patterns = [MANIFEST, f"{QUERIES}/*.parquet", f"{CORPUS}/*.parquet"]
    try:
        return Path(snapshot_download(repo_id, repo_type="dataset", allow_patterns=patterns))
    except Exception as error:  # the client passes on what its HTTP library and the disk raise
        raise HybridError(_fault(repo_id, error)) from None


def _fault(repo_id: str, error: Exception) -> str:
    """One line; the texts of the client's errors are left out: they span lines, and quote what a server said."""
    from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError

    otherwise = f"or unset {HUB_VARIABLE}"
    if isinstance(error, GatedRepoError):
        return f"data set {repo_id} on the Hub is gated: ask for access there, {otherwise}"
    if isinstance(error, RepositoryNotFoundError):
        return (
            f"there is no data set {repo_id} on the Hub, or it is private: log in with `hf auth login`, publish it "
            f"with `mteb-hybrid publish-task`, {otherwise}"
        )
    if isinstance(error, LocalEntryNotFoundError):
        error = error.__cause__ if isinstance(error.__cause__, Exception) else error
    status = getattr(getattr(error, "response", None), "status_code", None)
    why = f"status {status}" if status is not None else getattr(error, "strerror", None) or type(error).__name__
    return f"cannot download data set {repo_id} from the Hub ({one_line(why, 100)}); try again, {otherwise}"
