"""What the test Hub keeps: accounts, and repositories with commits, branches, tags, pull requests and LFS objects."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

RepoType = Literal["model", "dataset"]

FIRST_FILE = {".gitattributes": b"*.parquet filter=lfs diff=lfs merge=lfs -text\n*.safetensors filter=lfs -text\n"}


class HubError(Exception):
    """A refusal, as the Hub words it.

    Args:
        status: the HTTP status of the answer.
        message: the text of ``X-Error-Message`` and of the JSON body.
        code: the text of ``X-Error-Code``, where the Hub sends one.
        body: more of the JSON body.
        commit: the commit that was looked into (``X-Repo-Commit``).
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        body: Mapping[str, object] | None = None,
        commit: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.body = dict(body or {})
        self.commit = commit


@dataclass(frozen=True)
class Account:
    """Who a token speaks for, and what the token may do.

    Attributes:
        name: the user's name.
        role: the token's role; a ``fineGrained`` token writes in the namespaces and repositories of ``scopes`` alone.
        organisations: name of an organisation -> the user's role in it (``read``, ``write``, ``admin``).
        scopes: namespaces (``ORG``) and repositories (``ORG/name``) that a ``fineGrained`` token reaches.
    """

    name: str
    role: Literal["write", "read", "fineGrained"] = "write"
    organisations: Mapping[str, str] = field(default_factory=dict)
    scopes: tuple[str, ...] = ()

    def reads(self, repo_id: str) -> bool:
        """Whether a private repository of this name is shown to the account."""
        namespace = namespace_of(repo_id)
        belongs = namespace == self.name or namespace in self.organisations
        return belongs and (self.role != "fineGrained" or self._in_scope(repo_id))

    def writes(self, repo_id: str) -> bool:
        """Whether the account may create this repository and commit to it."""
        namespace = namespace_of(repo_id)
        owns = namespace == self.name or self.organisations.get(namespace) in ("write", "admin")
        return owns and (self.role == "write" or (self.role == "fineGrained" and self._in_scope(repo_id)))

    def _in_scope(self, repo_id: str) -> bool:
        return repo_id in self.scopes or namespace_of(repo_id) in self.scopes


@dataclass(frozen=True)
class Blob:
    """A file's content: in memory, or an LFS object in a file.

    Attributes:
        size: in bytes.
        oid: git's id of what is in the tree (of the pointer, for an LFS file).
        sha256: the LFS object's id; None for a regular file.
        content: a regular file's bytes.
        path: where an LFS object lies.
        pointer_size: bytes of the LFS pointer.
    """

    size: int
    oid: str
    sha256: str | None = None
    content: bytes = b""
    path: Path | None = None
    pointer_size: int = 0

    @classmethod
    def regular(cls, content: bytes) -> Blob:
        """A file that is in git itself."""
        return cls(len(content), git_oid(content), content=content)

    @classmethod
    def lfs(cls, sha256: str, path: Path) -> Blob:
        """A file of which git has a pointer."""
        size = path.stat().st_size
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
        return cls(size, git_oid(pointer), sha256=sha256, path=path, pointer_size=len(pointer))

    @property
    def etag(self) -> str:
        """What tells a changed file from the same: the LFS object's id, or git's."""
        return self.sha256 or self.oid

    def read(self, start: int = 0, end: int | None = None) -> bytes:
        """The bytes from ``start`` up to but not including ``end``."""
        end = self.size if end is None else end
        if self.path is None:
            return self.content[start:end]
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(end - start)


def namespace_of(repo_id: str) -> str:
    """The user or organisation that a repository belongs to."""
    return repo_id.partition("/")[0]


def git_oid(content: bytes) -> str:
    """Git's id of a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass(frozen=True)
class Commit:
    """One commit: its files are the whole tree."""

    oid: str
    parent: str | None
    title: str
    message: str
    author: str
    date: datetime
    files: Mapping[str, Blob]


@dataclass(frozen=True)
class Change:
    """What a commit request asks for.

    Attributes:
        title: the summary.
        message: the description.
        add: path -> content.
        delete: paths of files.
        delete_folders: paths of folders, without the slash at the end.
        parent: the commit that the branch must be at, or None.
    """

    title: str
    message: str
    add: Mapping[str, Blob]
    delete: Sequence[str] = ()
    delete_folders: Sequence[str] = ()
    parent: str | None = None


class Repository:
    """One repository, with all its commits.

    Args:
        repo_id: ``ORG/name``.
        repo_type: model or dataset.
        private: whether only the owner sees it.
        author: who created it.
        folder: where its LFS objects are put.
    """

    def __init__(self, repo_id: str, repo_type: RepoType, private: bool, author: str, folder: Path) -> None:
        self.repo_id = repo_id
        self.repo_type = repo_type
        self.private = private
        self.folder = folder
        self.lock = threading.RLock()
        self.history: dict[str, Commit] = {}
        self.branches: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.pull_requests: dict[int, str] = {}
        first = {path: Blob.regular(content) for path, content in FIRST_FILE.items()}
        self.branches["main"] = self._add(None, Change("initial commit", "", first), first, author).oid

    def head(self, revision: str = "main") -> str:
        """The commit that a branch, tag, pull request (``refs/pr/1``) or commit id stands for.

        Raises:
            HubError: there is none (404, RevisionNotFound).
        """
        name = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        number = revision.removeprefix("refs/pr/")
        if number.isdigit() and int(number) in self.pull_requests:
            return self.pull_requests[int(number)]
        for known in (self.branches, self.tags):
            if name in known:
                return known[name]
        if revision in self.history:
            return revision
        raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def commit(self, revision: str = "main") -> Commit:
        """The commit at a revision."""
        return self.history[self.head(revision)]

    def commits(self, revision: str = "main") -> list[Commit]:
        """A revision's commits, the newest first."""
        found = [self.commit(revision)]
        while found[-1].parent is not None:
            found.append(self.history[found[-1].parent])
        return found

    def files(self, revision: str = "main") -> dict[str, bytes]:
        """A revision's files: path -> content."""
        return {path: blob.read() for path, blob in self.commit(revision).files.items()}

    def objects(self) -> dict[str, int]:
        """The LFS objects that are there, whole: SHA-256 -> size."""
        return {path.name: path.stat().st_size for path in self.folder.glob("*") if not path.suffix}

    def object_path(self, sha256: str) -> Path:
        """Where an LFS object lies, or will."""
        return self.folder / sha256

    def push(
        self, revision: str, change: Change, author: str, *, pull_request: bool = False
    ) -> tuple[Commit, int | None]:
        """Make one commit, or none at all if it is refused.

        Args:
            revision: the branch or pull request to commit to.
            change: what to change.
            author: who commits.
            pull_request: whether to open a pull request with the commit and leave the branch as it is.

        Returns:
            The commit, and the number of the pull request opened.

        Raises:
            HubError: there is no such branch, it is at another commit than the parent named, or a file to delete is
                not there.
        """
        with self.lock:
            parent = self.commit(revision)
            if not (pull_request or revision.startswith("refs/pr/") or self._branch(revision) in self.branches):
                raise HubError(400, f"{revision} is not a branch")
            if change.parent is not None and change.parent != parent.oid:
                raise HubError(412, "A commit has happened since. Please refresh and try again.")
            commit = self._add(parent.oid, change, _changed(parent.files, change), author)
            if pull_request:
                number = len(self.pull_requests) + 1
                self.pull_requests[number] = commit.oid
                return commit, number
            self._move(revision, commit.oid)
            return commit, None

    def add_tag(self, tag: str, revision: str) -> None:
        """Name a commit.

        Raises:
            HubError: the name is taken (409), or there is no such revision.
        """
        with self.lock:
            if tag in self.tags:
                raise HubError(409, f"Tag reference exists already: {tag}")
            self.tags[tag] = self.head(revision)

    def add_branch(self, branch: str, start: str) -> None:
        """Begin a branch at a revision.

        Raises:
            HubError: the name is taken (409), or there is no such revision.
        """
        with self.lock:
            if branch in self.branches:
                raise HubError(409, f"Reference already exists: refs/heads/{branch}")
            self.branches[branch] = self.head(start)

    @staticmethod
    def _branch(revision: str) -> str:
        return revision.removeprefix("refs/heads/")

    def _move(self, revision: str, oid: str) -> None:
        if revision.startswith("refs/pr/"):
            self.pull_requests[int(revision.removeprefix("refs/pr/"))] = oid
        else:
            self.branches[self._branch(revision)] = oid

    def _add(self, parent: str | None, change: Change, files: Mapping[str, Blob], author: str) -> Commit:
        tree = sorted((path, blob.oid) for path, blob in files.items())
        # Two commits of the same second with the same files are two: their number in the history makes them differ.
        identity = json.dumps([self.repo_id, len(self.history), parent, change.title, tree])
        commit = Commit(
            oid=hashlib.sha1(identity.encode()).hexdigest(),
            parent=parent,
            title=change.title,
            message=change.message,
            author=author,
            date=datetime.now(UTC),
            files=dict(files),
        )
        self.history[commit.oid] = commit
        return commit


def _changed(files: Mapping[str, Blob], change: Change) -> dict[str, Blob]:
    """The tree after a change: deleted first, then added."""
    after = dict(files)
    for path in change.delete:
        if after.pop(path, None) is None:
            raise HubError(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")
    for folder in change.delete_folders:
        inside = [path for path in after if path.startswith(folder + "/")]
        if not inside:
            raise HubError(404, f"A folder with this name doesn't exist: {folder}", "EntryNotFound")
        for path in inside:
            del after[path]
    after.update(change.add)
    return after


class Hub:
    """The accounts and the repositories.

    Args:
        folder: where LFS objects are put.
        accounts: token -> whose it is.
    """

    def __init__(self, folder: Path, accounts: Mapping[str, Account]) -> None:
        self.folder = folder
        self.accounts = dict(accounts)
        self.repositories: dict[tuple[RepoType, str], Repository] = {}
        self._lock = threading.Lock()

    def account(self, authorization: str | None) -> Account | None:
        """Who sent a request; None if nobody says.

        Raises:
            HubError: the token is nobody's (401).
        """
        if authorization is None:
            return None
        try:
            return self.accounts[authorization.removeprefix("Bearer ")]
        except KeyError:
            raise HubError(401, "Invalid credentials in Authorization header") from None

    def create(self, repo_type: RepoType, repo_id: str, account: Account, *, private: bool) -> Repository:
        """Make a repository with its first commit.

        Raises:
            HubError: the namespace is somebody else's or the token may not write (403), or the name is taken (409).
        """
        if not account.writes(repo_id):
            namespace = namespace_of(repo_id)
            raise HubError(403, f'You don\'t have the rights to create a {repo_type} under the namespace "{namespace}"')
        with self._lock:
            if (repo_type, repo_id) in self.repositories:
                raise HubError(409, f"You already created this {repo_type} repo")
            folder = self.folder / f"{repo_type}s" / repo_id
            folder.mkdir(parents=True)
            made = Repository(repo_id, repo_type, private, account.name, folder)
            self.repositories[repo_type, repo_id] = made
            return made

    def find(self, repo_type: RepoType, repo_id: str, account: Account | None) -> Repository:
        """A repository that the account may read.

        Raises:
            HubError: there is none, or it is somebody else's private one: the Hub does not tell which.
        """
        found = self.repositories.get((repo_type, repo_id))
        if found is None or (found.private and not (account and account.reads(repo_id))):
            if account is None:
                raise HubError(401, "Invalid username or password.", "RepoNotFound")
            raise HubError(404, "Repository not found", "RepoNotFound")
        return found

    def find_to_write(
        self, repo_type: RepoType, repo_id: str, account: Account | None, *, pull_request: bool = False
    ) -> Repository:
        """A repository that the account may commit to, or to which it may open a pull request.

        Raises:
            HubError: as for `find`, or it may not (403).
        """
        found = self.find(repo_type, repo_id, account)
        if account is None:
            raise HubError(401, "Invalid username or password.")
        if pull_request and account.role != "read":
            return found
        if not account.writes(repo_id):
            raise HubError(403, "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request")
        return found
