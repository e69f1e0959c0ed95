"""What the test Hub answers to each request: one function an endpoint, and the table of all of them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Literal, Protocol, get_args
from urllib.parse import parse_qs, unquote

import yaml

from tests.hub import cards
from tests.hub.repositories import Account, Blob, Change, Commit, Hub, HubError, Repository, RepoType

Endpoint = Literal[
    "whoami",
    "auth-check",
    "create",
    "validate-yaml",
    "info",
    "tree",
    "refs",
    "resolve",
    "preupload",
    "lfs-batch",
    "lfs-upload",
    "lfs-verify",
    "commit",
    "tag",
    "branch",
]
ENDPOINTS: tuple[Endpoint, ...] = get_args(Endpoint)

LFS_SUFFIXES = (".safetensors", ".parquet", ".bin", ".pt", ".onnx", ".npy", ".npz", ".arrow", ".zip", ".gz", ".model")
LARGEST_REGULAR = 10 * 1024 * 1024  # a larger file has to be an LFS object


class Body(Protocol):
    """A request's body, read once."""

    def chunks(self) -> Iterator[bytes]: ...

    def read(self) -> bytes: ...


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        hub: what is kept.
        url: the server's own address.
        account: who asks; None if nobody says.
        parts: what the address says, unquoted: ``type``, ``id``, ``revision``, ``path``, ``name``, ``oid``.
        query: what stands behind the question mark.
        range: the ``Range`` header.
        body: what was sent.
    """

    hub: Hub
    url: str
    account: Account | None
    parts: Mapping[str, str]
    query: Mapping[str, str]
    range: str | None
    body: Body

    @property
    def repo_type(self) -> RepoType:
        """The type of the repository that the address names; a download's address names none for a model."""
        return "dataset" if self.parts.get("type") == "datasets" else "model"

    @property
    def revision(self) -> str:
        """The revision that the address names, else main."""
        return self.parts.get("revision", "main")

    @property
    def pull_request(self) -> bool:
        """Whether a pull request is to be opened."""
        return self.query.get("create_pr") == "1"

    def json(self) -> Any:
        """The body as JSON."""
        try:
            return json.loads(self.body.read())
        except ValueError:
            raise HubError(400, "Invalid JSON") from None

    def find(self) -> Repository:
        """The repository that the address names."""
        return self.hub.find(self.repo_type, self.parts["id"], self.account)

    def find_to_write(self, *, pull_request: bool = False) -> Repository:
        """The same, if the account may change it."""
        return self.hub.find_to_write(self.repo_type, self.parts["id"], self.account, pull_request=pull_request)

    def page(self, repository: Repository) -> str:
        """The address of a repository's page."""
        return f"{self.url}/{'datasets/' if repository.repo_type == 'dataset' else ''}{repository.repo_id}"


@dataclass(frozen=True)
class Answer:
    """What is sent back."""

    status: int = 200
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
        """A value as JSON."""
        content = json.dumps(value, ensure_ascii=False).encode()
        return cls(status, content, {"Content-Type": "application/json; charset=utf-8", **(headers or {})})


def whoami(request: Request) -> Answer:
    account = request.account
    if account is None:
        raise HubError(401, "Invalid username or password.")
    token: dict[str, Any] = {"displayName": "test", "role": account.role, "createdAt": "2026-01-01T00:00:00.000Z"}
    if account.role == "fineGrained":
        scoped = [
            {
                "entity": {"type": _scope_type(scope, account), "name": scope},
                "permissions": ["repo.content.read", "repo.write"],
            }
            for scope in account.scopes
        ]
        token["fineGrained"] = {"canReadGatedRepos": False, "global": [], "scoped": scoped}
    return Answer.of(
        {
            "type": "user",
            "id": hashlib.sha1(account.name.encode()).hexdigest()[:24],
            "name": account.name,
            "fullname": account.name.title(),
            "isPro": False,
            "orgs": [
                {"type": "org", "name": name, "fullname": name, "isEnterprise": False, "roleInOrg": role}
                for name, role in account.organisations.items()
            ],
            "auth": {"type": "access_token", "accessToken": token},
        }
    )


def _scope_type(scope: str, account: Account) -> str:
    if "/" in scope:
        return "model"
    return "user" if scope == account.name else "org"


def auth_check(request: Request) -> Answer:
    request.find()
    return Answer.of({})


def auth_check_write(request: Request) -> Answer:
    request.find_to_write()
    return Answer.of({})


def create(request: Request) -> Answer:
    if request.account is None:
        raise HubError(401, "Invalid username or password.")
    asked = request.json()
    repo_type: RepoType = "dataset" if asked.get("type") == "dataset" else "model"
    repo_id = f"{asked.get('organization') or request.account.name}/{asked['name']}"
    if not re.fullmatch(r"[\w.-]{1,96}", asked["name"]) or asked["name"].endswith((".git", ".ipynb", ".", "-")):
        raise HubError(400, f"Invalid repo name: {asked['name']}")
    private = asked.get("visibility") == "private" or bool(asked.get("private"))
    try:
        made = request.hub.create(repo_type, repo_id, request.account, private=private)
    except HubError as refusal:
        if refusal.status == 409:
            refusal.body["url"] = request.page(request.hub.repositories[repo_type, repo_id])
        raise
    return Answer.of({"url": request.page(made), "name": repo_id, "private": made.private})


def settings(request: Request) -> Answer:
    repository = request.find_to_write()
    visibility = request.json().get("visibility")
    if visibility is not None:
        repository.private = visibility == "private"
    return Answer.of({"private": repository.private})


def validate_yaml(request: Request) -> Answer:
    errors, warnings = cards.check(request.json()["content"])
    told = {"errors": [{"message": text} for text in errors], "warnings": [{"message": text} for text in warnings]}
    if errors:
        raise HubError(400, "Invalid metadata in README.md", body=told)
    return Answer.of(told)


def info(request: Request) -> Answer:
    repository = request.find()
    commit = repository.commit(request.revision)
    card = _card(commit)
    described: dict[str, Any] = {
        "id": repository.repo_id,
        "author": repository.repo_id.partition("/")[0],
        "sha": commit.oid,
        "lastModified": _written(commit.date),
        "createdAt": _written(repository.commits()[-1].date),
        "private": repository.private,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": _tags(repository, commit, card),
        "siblings": [_sibling(path, blob, request.query) for path, blob in sorted(commit.files.items())],
        "usedStorage": sum(blob.size for blob in commit.files.values()),
    }
    if repository.repo_type == "model":
        described["modelId"] = repository.repo_id
        described.update({key: card[key] for key in ("pipeline_tag", "library_name", "model-index") if key in card})
    if card:
        described["cardData"] = card
    return Answer.of(described)


def _card(commit: Commit) -> dict[str, Any]:
    if "README.md" not in commit.files:
        return {}
    try:
        found = cards.metadata(commit.files["README.md"].read().decode(errors="replace"))
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}


def _tags(repository: Repository, commit: Commit, card: Mapping[str, Any]) -> list[str]:
    def listed(key: str) -> list[str]:
        value = card.get(key, [])
        return [str(item) for item in (value if isinstance(value, list) else [value])]

    tags = listed("library_name") + listed("pipeline_tag") + listed("tags") + listed("language")
    if repository.repo_type == "model" and any(path.endswith(".safetensors") for path in commit.files):
        tags.append("safetensors")
    for key, prefix in (("license", "license"), ("base_model", "base_model"), ("datasets", "dataset")):
        tags += [f"{prefix}:{value}" for value in listed(key)]
    return list(dict.fromkeys(tags))


def _sibling(path: str, blob: Blob, query: Mapping[str, str]) -> dict[str, Any]:
    sibling: dict[str, Any] = {"rfilename": path}
    if query.get("blobs", "").lower() == "true":
        sibling |= {"size": blob.size, "blobId": blob.oid}
        if blob.sha256:
            sibling["lfs"] = {"size": blob.size, "sha256": blob.sha256, "pointerSize": blob.pointer_size}
    return sibling


def tree(request: Request) -> Answer:
    repository = request.find()
    commit = repository.commit(request.revision)
    folder = request.parts.get("path", "").strip("/")
    inside = [path for path in commit.files if not folder or path.startswith(folder + "/")]
    if folder and not inside:
        message = f'{folder} does not exist on "{request.revision}"'
        raise HubError(404, message, "EntryNotFound", commit=commit.oid)
    paths = {*inside, *_folders(inside)}
    if request.query.get("recursive", "").lower() != "true":
        paths = {path for path in paths if _parent(path) == folder}
    paths = {path for path in paths if path.startswith(folder + "/") or not folder}
    expand = request.query.get("expand", "").lower() == "true"
    return Answer.of([_entry(repository, commit, path, expand) for path in sorted(paths)])


def _folders(paths: list[str]) -> set[str]:
    return {str(folder) for path in paths for folder in PurePosixPath(path).parents if str(folder) != "."}


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _entry(repository: Repository, commit: Commit, path: str, expand: bool) -> dict[str, Any]:
    """What the tree says of one path."""
    blob = commit.files.get(path)
    entry: dict[str, Any]
    if blob is None:
        inside = [file.oid for name, file in sorted(commit.files.items()) if name.startswith(path + "/")]
        oid = hashlib.sha1("".join(inside).encode()).hexdigest()
        entry = {"type": "directory", "oid": oid, "size": 0, "path": path}
    else:
        entry = {"type": "file", "oid": blob.oid, "size": blob.size, "path": path}
        if blob.sha256:
            entry["lfs"] = {"oid": blob.sha256, "size": blob.size, "pointerSize": blob.pointer_size}
    if expand:
        last = _last_change(repository, commit, path)
        entry["lastCommit"] = {"id": last.oid, "title": last.title, "date": _written(last.date)}
    return entry


def _last_change(repository: Repository, commit: Commit, path: str) -> Commit:
    """The newest commit that changed a file or something in a folder."""

    def content(at: Commit) -> dict[str, str]:
        return {
            name: blob.oid for name, blob in at.files.items() if name == path or name.startswith(path.rstrip("/") + "/")
        }

    while commit.parent is not None and content(repository.history[commit.parent]) == content(commit):
        commit = repository.history[commit.parent]
    return commit


def paths_info(request: Request) -> Answer:
    repository = request.find()
    commit = repository.commit(request.revision)
    form = parse_qs(request.body.read().decode())
    expand = form.get("expand", [""])[0].lower() == "true"
    known = {*commit.files, *_folders(list(commit.files))}
    paths = [path for path in form.get("paths", []) if path in known]
    return Answer.of([_entry(repository, commit, path, expand) for path in paths])


def refs(request: Request) -> Answer:
    repository = request.find()

    def listed(names: Mapping[str, str], prefix: str) -> list[dict[str, str]]:
        return [{"name": name, "ref": f"{prefix}{name}", "targetCommit": oid} for name, oid in names.items()]

    told = {
        "branches": listed(repository.branches, "refs/heads/"),
        "converts": [],
        "tags": listed(repository.tags, "refs/tags/"),
    }
    if request.query.get("include_prs"):
        told["pullRequests"] = listed({str(n): oid for n, oid in repository.pull_requests.items()}, "refs/pr/")
    return Answer.of(told)


def commits(request: Request) -> Answer:
    return Answer.of(
        [
            {
                "id": commit.oid,
                "title": commit.title,
                "message": commit.message,
                "authors": [{"user": commit.author}],
                "date": _written(commit.date),
            }
            for commit in request.find().commits(request.revision)
        ]
    )


def resolve(request: Request) -> Answer:
    commit = request.find().commit(request.revision)
    blob = commit.files.get(request.parts["path"])
    if blob is None:
        raise HubError(404, "Entry not found", "EntryNotFound", commit=commit.oid)
    headers = {
        "Content-Type": "application/octet-stream",
        "ETag": f'"{blob.etag}"',
        "X-Repo-Commit": commit.oid,
        "Accept-Ranges": "bytes",
    }
    if blob.sha256:
        headers |= {"X-Linked-ETag": f'"{blob.sha256}"', "X-Linked-Size": str(blob.size)}
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", request.range or "")
    if asked is None or asked.groups() == ("", ""):
        return Answer(200, blob.read(), headers)
    first, last = asked.groups()
    start = int(first) if first else max(blob.size - int(last), 0)
    end = min(int(last) + 1, blob.size) if first and last else blob.size
    if start >= end:
        return Answer(416, b"", {**headers, "Content-Range": f"bytes */{blob.size}"})
    return Answer(206, blob.read(start, end), {**headers, "Content-Range": f"bytes {start}-{end - 1}/{blob.size}"})


def preupload(request: Request) -> Answer:
    """Say how each file is to be sent, and the id of what is there already."""
    commit = request.find_to_write(pull_request=request.pull_request).commit(request.revision)
    return Answer.of(
        {
            "commitOid": commit.oid,
            "files": [
                {
                    "path": file["path"],
                    "uploadMode": _upload_mode(file),
                    "shouldIgnore": False,
                    **({"oid": commit.files[file["path"]].etag} if file["path"] in commit.files else {}),
                }
                for file in request.json()["files"]
            ],
        }
    )


def _upload_mode(file: Mapping[str, Any]) -> str:
    binary = b"\0" in base64.b64decode(file.get("sample", ""))
    large = file["size"] > LARGEST_REGULAR
    return "lfs" if binary or large or file["path"].endswith(LFS_SUFFIXES) else "regular"


def lfs_batch(request: Request) -> Answer:
    """Say where each LFS object is to be sent; nowhere if it is there."""
    asked = request.json()
    try:
        repository = request.find_to_write(pull_request="ref" not in asked)
    except HubError as refusal:
        raise HubError(refusal.status, "Authorization error.", refusal.code) from None
    there = repository.objects()
    objects = []
    for item in asked["objects"]:
        answer = {"oid": item["oid"], "size": item["size"]}
        if item["oid"] not in there:
            place = f"{request.url}/lfs/{repository.repo_type}s/{repository.repo_id}/{item['oid']}"
            answer["actions"] = {
                "upload": {"href": f"{place}?size={item['size']}"},
                "verify": {"href": f"{place}/verify"},
            }
        objects.append(answer)
    return Answer.of({"transfer": "basic", "objects": objects})


def lfs_upload(request: Request) -> Answer:
    """Take an LFS object; what is not whole leaves nothing. As at the real store, the address alone gives access."""
    repository = request.hub.repositories[request.repo_type, request.parts["id"]]
    oid, digest, size = request.parts["oid"], hashlib.sha256(), 0
    part = repository.object_path(f"{oid}.{uuid.uuid4().hex}")
    try:
        with part.open("wb") as file:
            for chunk in request.body.chunks():
                digest.update(chunk)
                size += file.write(chunk)
        if size != int(request.query["size"]) or digest.hexdigest() != oid:
            raise HubError(400, "The content does not match the object's size and SHA-256")
        part.replace(repository.object_path(oid))
    finally:
        part.unlink(missing_ok=True)
    return Answer()


def lfs_verify(request: Request) -> Answer:
    repository = request.find_to_write(pull_request=True)
    asked = request.json()
    if repository.objects().get(asked["oid"]) != asked["size"]:
        raise HubError(404, "Object does not exist")
    return Answer.of({})


def commit(request: Request) -> Answer:
    """Make a commit of all that is sent, or none."""
    repository = request.find_to_write(pull_request=request.pull_request)
    assert request.account is not None
    change = _change(repository, request.body.read())
    if "README.md" in change.add:
        errors, _ = cards.check(change.add["README.md"].read().decode(errors="replace"))
        if errors:
            told = [{"message": text} for text in errors]
            raise HubError(400, f"Invalid metadata in README.md: {errors[0]}", body={"errors": told})
    made, number = repository.push(request.revision, change, request.account.name, pull_request=request.pull_request)
    page = request.page(repository)
    told_back = {"success": True, "commitOid": made.oid, "commitUrl": f"{page}/commit/{made.oid}", "hookOutput": ""}
    if number is not None:
        told_back["pullRequestUrl"] = f"{page}/discussions/{number}"
    return Answer.of(told_back)


def _change(repository: Repository, lines: bytes) -> Change:
    """Read the lines of JSON that say what to commit."""
    header: dict[str, Any] = {}
    add: dict[str, Blob] = {}
    delete: list[str] = []
    folders: list[str] = []
    for line in lines.splitlines():
        key, value = (item := json.loads(line))["key"], item["value"]
        if key == "header":
            header = value
        elif key == "file":
            add[value["path"]] = _regular(value)
        elif key == "lfsFile":
            add[value["path"]] = _lfs(repository, value)
        elif key == "deletedFile":
            delete.append(value["path"])
        elif key == "deletedFolder":
            folders.append(value["path"].rstrip("/"))
        else:
            raise HubError(400, f"Unknown key: {key}")
    if not header.get("summary"):
        raise HubError(400, '"summary" is not allowed to be empty')
    return Change(header["summary"], header.get("description", ""), add, delete, folders, header.get("parentCommit"))


def _regular(value: Mapping[str, Any]) -> Blob:
    content = base64.b64decode(value["content"])
    if len(content) > LARGEST_REGULAR:
        raise HubError(400, f"Your push was rejected because it contains files larger than 10 MiB: {value['path']}")
    return Blob.regular(content)


def _lfs(repository: Repository, value: Mapping[str, Any]) -> Blob:
    size = repository.objects().get(value["oid"])
    if size is None or size != value.get("size", size):
        path = value["path"]
        raise HubError(
            400, f"Your push was rejected because an LFS pointer pointed to a file that does not exist: {path}"
        )
    return Blob.lfs(value["oid"], repository.object_path(value["oid"]))


def tag(request: Request) -> Answer:
    request.find_to_write().add_tag(request.json()["tag"], request.revision)
    return Answer()


def untag(request: Request) -> Answer:
    if request.find_to_write().tags.pop(request.parts["name"], None) is None:
        raise HubError(404, f"Invalid rev id: {request.parts['name']}", "RevisionNotFound")
    return Answer()


def branch(request: Request) -> Answer:
    request.find_to_write().add_branch(request.parts["name"], request.json().get("startingPoint") or "main")
    return Answer()


def _written(date: datetime) -> str:
    return date.strftime("%Y-%m-%dT%H:%M:%S.") + f"{date.microsecond // 1000:03d}Z"


_API = r"/api/(?P<type>models|datasets)/(?P<id>[^/]+/[^/]+)"
_PAGE = r"/(?:(?P<type>datasets)/)?(?P<id>[^/]+/[^/]+?)"
_OBJECT = r"/lfs/(?P<type>models|datasets)/(?P<id>[^/]+/[^/]+)/(?P<oid>[0-9a-f]{64})"
_AT = r"/(?P<revision>[^/]+)"

ROUTES: tuple[tuple[str, str, Endpoint, Callable[[Request], Answer]], ...] = (
    ("GET", r"/api/whoami-v2", "whoami", whoami),
    ("POST", r"/api/repos/create", "create", create),
    ("POST", r"/api/validate-yaml", "validate-yaml", validate_yaml),
    ("GET", rf"{_API}/auth-check", "auth-check", auth_check),
    ("GET", rf"{_API}/auth-check/write", "auth-check", auth_check_write),
    ("PUT", rf"{_API}/settings", "create", settings),
    ("GET", rf"{_API}(?:/revision{_AT})?", "info", info),
    ("GET", rf"{_API}/tree{_AT}(?:/(?P<path>.+))?", "tree", tree),
    ("POST", rf"{_API}/paths-info{_AT}", "tree", paths_info),
    ("GET", rf"{_API}/refs", "refs", refs),
    ("GET", rf"{_API}/commits{_AT}", "refs", commits),
    ("POST", rf"{_API}/preupload{_AT}", "preupload", preupload),
    ("POST", rf"{_PAGE}\.git/info/lfs/objects/batch", "lfs-batch", lfs_batch),
    ("PUT", _OBJECT, "lfs-upload", lfs_upload),
    ("POST", rf"{_OBJECT}/verify", "lfs-verify", lfs_verify),
    ("POST", rf"{_API}/commit{_AT}", "commit", commit),
    ("POST", rf"{_API}/tag{_AT}", "tag", tag),
    ("DELETE", rf"{_API}/tag/(?P<name>[^/]+)", "tag", untag),
    ("POST", rf"{_API}/branch/(?P<name>[^/]+)", "branch", branch),
    ("GET", rf"{_PAGE}/resolve{_AT}/(?P<path>.+)", "resolve", resolve),
)


def route(method: str, path: str) -> tuple[Endpoint | None, Callable[[Request], Answer], dict[str, str]]:
    """Which endpoint a request is for.

    Args:
        method: GET, HEAD (as GET), POST, PUT or DELETE.
        path: the address without the server and the query, quoted as it was sent.

    Returns:
        The endpoint's name, None for what the server does not know; what answers; and what the address says.
    """
    for known, pattern, endpoint, answer in ROUTES:
        match = re.fullmatch(pattern, path)
        if match and known == ("GET" if method == "HEAD" else method):
            return endpoint, answer, {key: unquote(value) for key, value in match.groupdict().items() if value}
    return None, _unknown, {"path": path}


def _unknown(request: Request) -> Answer:
    """An id without a namespace is a repository that is not here; anything else is no page."""
    in_repository = "/resolve/" in request.parts["path"] or request.parts["path"].startswith(
        ("/api/models/", "/api/datasets/")
    )
    raise HubError(
        404, "Repository not found" if in_repository else "Not found", "RepoNotFound" if in_repository else None
    )
