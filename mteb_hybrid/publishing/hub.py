"""A repository on the Hugging Face Hub: looked at before, written in one commit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.publishing.hub_errors import NO_TOKEN, told

if TYPE_CHECKING:
    from huggingface_hub import CommitInfo, CommitOperationAdd, CommitOperationDelete, HfApi

RepoType = Literal["model", "dataset"]

_REF = re.compile(r"[A-Za-z0-9][\w.+-]*(/[A-Za-z0-9][\w.+-]*)*")
_TEXT_AT_MOST = 10_000_000  # bytes
_MAY_WRITE = {"admin", "write", "contributor"}


@dataclass(frozen=True)
class Target:
    """Where to publish, and how.

    Attributes:
        repo_id: the Hub id, ``ORGANISATION/NAME``.
        message: of the commit.
        repo_type: what kind of repository it is.
        revision: the branch; None is ``main``. It is made if it is not there.
        private: whether a new repository is for its owners alone.
        create_pr: open a pull request instead of writing to the branch.
        tag: a tag for the commit.
    """

    repo_id: str
    message: str
    repo_type: RepoType = "model"
    revision: str | None = None
    private: bool = False
    create_pr: bool = False
    tag: str | None = None

    @property
    def branch(self) -> str:
        """The branch that is written to."""
        return self.revision or "main"


@dataclass(frozen=True)
class Repository:
    """What is there now.

    Attributes:
        exists: whether there is such a repository.
        head: the newest commit of the branch, or of ``main`` where the branch is yet to be made; None without commits.
        files: the paths of its files.
        branches: the names of its branches.
        tags: tag to commit.
    """

    exists: bool
    head: str | None = None
    files: frozenset[str] = frozenset()
    branches: frozenset[str] = frozenset()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Pushed:
    """What came of it.

    Attributes:
        commit: its hash; the head's where nothing had changed.
        url: where to look at it.
        pull_request: the address of the pull request, if one was asked for.
        changed: whether there was anything to commit.
    """

    commit: str
    url: str
    pull_request: str | None
    changed: bool


def check_target(target: Target) -> None:
    """Raise a HybridError if nothing could be published there, as far as can be told without the Hub."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    shown = one_line(target.repo_id, 120)
    owner, slash, name = target.repo_id.partition("/")
    try:
        validate_repo_id(target.repo_id)
    except HFValidationError as error:
        raise HybridError(f"--to {shown} is no name for the Hub: {one_line(error, 200)}") from None
    if not (slash and owner and name):
        raise HybridError(f"--to {shown} is not ORGANISATION/NAME")
    if not target.message.strip():
        raise HybridError("--message is empty; say what this commit is")
    for option, ref in (("--revision", target.revision), ("--tag", target.tag)):
        if ref is not None and (not _REF.fullmatch(ref) or ".." in ref or ref.endswith((".", ".lock"))):
            raise HybridError(f"{option} {one_line(ref, 80)!r} cannot be a name in git; use letters, digits, . _ -")
    if target.create_pr and (target.revision or target.tag):
        raise HybridError("--create-pr goes to main and is tagged when it is merged; leave out --revision and --tag")


def look(target: Target) -> Repository:
    """See what is there, and whether we may write; nothing is made or changed.

    Raises:
        HybridError: there is no token, it may not write there, or the tag is taken.
    """
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.errors import RepositoryNotFoundError

    check_target(target)
    if not get_token():
        raise HybridError(NO_TOKEN)
    api = HfApi(library_name="mteb-hybrid")
    with told(target.repo_id):
        user = api.whoami()
        _check_token(user)
        try:
            info = api.repo_info(target.repo_id, repo_type=target.repo_type)
        except RepositoryNotFoundError:
            _check_owner(user, target)
            return Repository(exists=False)
        api.auth_check(target.repo_id, repo_type=target.repo_type, write=not target.create_pr)
        repository = _repository(api, target, info)
    if target.private and not info.private:
        raise HybridError(f"{target.repo_id} is public already; leave out --private, or change that on its page")
    taken = repository.tags.get(target.tag) if target.tag else None
    if taken and taken != repository.head:
        raise HybridError(f"{target.repo_id} has a tag {target.tag} already, on another commit; choose another --tag")
    return repository


def _repository(api: HfApi, target: Target, info: Any) -> Repository:
    refs = api.list_repo_refs(target.repo_id, repo_type=target.repo_type)
    branches = frozenset(ref.name for ref in refs.branches)
    if target.branch != "main" and target.branch in branches:
        info = api.repo_info(target.repo_id, repo_type=target.repo_type, revision=target.branch)
    return Repository(
        exists=True,
        head=info.sha,
        files=frozenset(sibling.rfilename for sibling in info.siblings or ()),
        branches=branches,
        tags={ref.name: ref.target_commit for ref in refs.tags},
    )


def _check_token(user: Mapping[str, Any]) -> None:
    token = (user.get("auth") or {}).get("accessToken") or {}
    if token.get("role") == "read":
        raise HybridError("the token can only read; make one with write access, and set HF_TOKEN or `hf auth login`")


def _check_owner(user: Mapping[str, Any], target: Target) -> None:
    owner = target.repo_id.partition("/")[0]
    roles = {each.get("name"): each.get("roleInOrg") for each in user.get("orgs") or ()}
    if owner != user.get("name") and owner not in roles:
        raise HybridError(
            f"{one_line(user.get('name'), 60)} is neither {owner} nor a member of it; choose another --to, or a token "
            "of somebody who is"
        )
    if owner in roles and roles[owner] not in {*_MAY_WRITE, None}:
        raise HybridError(f"{one_line(user.get('name'), 60)} may only read in {owner}; choose another --to")


def read_file(target: Target, repository: Repository, path: str) -> str | None:
    """The text of a file as it is there now; None if it is not there.

    Raises:
        HybridError: it cannot be had, or is no text.
    """
    if path not in repository.files:
        return None
    from huggingface_hub import hf_hub_download

    with told(target.repo_id):
        local = hf_hub_download(target.repo_id, path, repo_type=target.repo_type, revision=repository.head)
        if Path(local).stat().st_size > _TEXT_AT_MOST:
            raise HybridError(f"{one_line(path, 80)} of {target.repo_id} is larger than 10 MB; make it shorter there")
        return Path(local).read_bytes().decode("utf-8")


def push(
    files: Mapping[str, Path | bytes],
    target: Target,
    repository: Repository,
    *,
    delete: Sequence[str] = (),
    show_progress_bar: bool = True,
) -> Pushed:
    """Write files to a repository in one commit, which is all there or not at all.

    Large files go first and are kept by the Hub for the commit, so that after an interrupt only what is missing is
    sent. Files that are there as they are are not sent, and if all are there is no commit.

    Args:
        files: path in the repository to the local file, or the content.
        target: where to.
        repository: as ``look`` saw it; if it has changed since, nothing is written.
        delete: paths to take away in the same commit.
        show_progress_bar: whether to show progress.

    Raises:
        HybridError: the Hub cannot be reached or refuses; the repository is then as it was.
    """
    from huggingface_hub import HfApi, RepoUrl
    from huggingface_hub.utils.tqdm import disable_progress_bars, enable_progress_bars

    api = HfApi(library_name="mteb-hybrid")
    (enable_progress_bars if show_progress_bar else disable_progress_bars)()
    with told(target.repo_id):
        if not repository.exists:
            private = target.private or None  # None leaves it to the organisation's own default
            api.create_repo(target.repo_id, repo_type=target.repo_type, private=private, exist_ok=True)
            head = api.repo_info(target.repo_id, repo_type=target.repo_type).sha
        else:
            head = repository.head
        if target.branch != "main" and target.branch not in repository.branches:
            api.create_branch(target.repo_id, branch=target.branch, repo_type=target.repo_type, exist_ok=True)
        info = _commit(api, files, [path for path in delete if path in repository.files], target, head)
        if target.tag and target.tag not in repository.tags:
            api.create_tag(target.repo_id, tag=target.tag, revision=info.oid, repo_type=target.repo_type)
        url = RepoUrl(info.repo_url)
    return Pushed(info.oid, str(url), info.pr_url, changed=info.oid != head)


def _commit(
    api: HfApi, files: Mapping[str, Path | bytes], delete: Sequence[str], target: Target, parent: str | None
) -> CommitInfo:
    from huggingface_hub import errors

    def commit(parent: str | None, delete: Sequence[str]) -> CommitInfo:
        return api.create_commit(
            target.repo_id,
            _operations(files, delete),
            commit_message=target.message,
            repo_type=target.repo_type,
            revision=target.branch,
            create_pr=target.create_pr,
            parent_commit=parent,
        )

    try:
        return commit(parent, delete)
    except errors.HfHubHTTPError:
        raise
    except errors.HTTPError:  # type: ignore[attr-defined]  # no answer, which does not say that nothing was done
        head = api.repo_info(target.repo_id, repo_type=target.repo_type, revision=target.branch).sha
        if target.create_pr or head == parent:
            raise
        return commit(head, ())  # of what is there already nothing is sent, and no second commit is made


def push_folder(
    folder: Path,
    target: Target,
    repository: Repository,
    *,
    delete: Sequence[str] = (),
    show_progress_bar: bool = True,
) -> Pushed:
    """The same for all files of a folder."""
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return push(files, target, repository, delete=delete, show_progress_bar=show_progress_bar)


def _operations(
    files: Mapping[str, Path | bytes], delete: Sequence[str]
) -> list[CommitOperationAdd | CommitOperationDelete]:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    return [
        *(CommitOperationAdd(path, content) for path, content in files.items()),
        *(CommitOperationDelete(path) for path in delete),
    ]
