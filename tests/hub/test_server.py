"""The test Hub, asked by the real client."""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from huggingface_hub import CommitInfo, CommitOperationAdd, CommitOperationDelete, HfApi, constants
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.utils import httpx

from tests.hub.server import FAULTS, FINE_TOKEN, OTHER_TOKEN, READ_TOKEN, TOKEN, Fault, HubServer

ROOT = Path(__file__).parents[2]
NAME = "ORG/model"
WEIGHTS = b"\0weights" * 500
CARD = b"---\nlicense: mit\nlanguage: [de]\nlibrary_name: sentence-transformers\n---\n# Model\n"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    # Settings that the client reads when it is imported, which other tests of this process have done.
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with HubServer(delay=0.3) as hub:
        yield hub


@pytest.fixture
def api(server: HubServer) -> HfApi:
    return client(server)


def client(server: HubServer, token: str | bool = TOKEN) -> HfApi:
    return HfApi(endpoint=server.url, token=token)


def commit(api: HfApi, files: dict[str, bytes], **settings: Any) -> CommitInfo:
    adds = [CommitOperationAdd(path, content) for path, content in files.items()]
    settings = {"repo_id": NAME, "commit_message": "Publish"} | settings
    return api.create_commit(operations=adds, **settings)


def status_of(call: Callable[[], object]) -> int:
    with pytest.raises(HfHubHTTPError) as caught:
        call()
    return caught.value.response.status_code


def run(code: str, environment: dict[str, str]) -> Any:
    """What a fresh process prints last, as JSON."""
    command = [sys.executable, "-c", dedent(code)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_one_commit_carries_regular_and_lfs_files(server: HubServer, api: HfApi) -> None:
    url = api.create_repo(NAME)
    files = {"README.md": CARD, "model.safetensors": WEIGHTS, "a/b.json": b"{}"}
    made = commit(api, files, commit_description="All of it")
    repository = server.repository(NAME)
    assert url == f"{server.url}/{NAME}"
    assert made.oid == repository.head() and made.commit_url.endswith(made.oid)
    assert {path: content for path, content in repository.files().items() if path in files} == files
    assert [(commit.title, commit.message, commit.author) for commit in repository.commits()] == [
        ("Publish", "All of it", "alice"),
        ("initial commit", "", "alice"),
    ]
    assert repository.objects() == {hashlib.sha256(WEIGHTS).hexdigest(): len(WEIGHTS)}
    assert [record.received for record in server.seen("lfs-upload")] == [len(WEIGHTS)]
    assert [record.endpoint for record in server.requests] == [
        "create",
        "validate-yaml",
        "preupload",
        "lfs-batch",
        "lfs-upload",
        "lfs-verify",
        "commit",
    ]


def test_what_the_hub_says_of_a_repository(server: HubServer, api: HfApi) -> None:
    api.create_repo(NAME)
    made = commit(api, {"README.md": CARD, "model.safetensors": WEIGHTS, "a/b.json": b"{}"})
    info = api.model_info(NAME, files_metadata=True)
    assert (info.sha, info.private, info.library_name) == (made.oid, False, "sentence-transformers")
    assert info.card_data is not None and info.card_data.license == "mit"
    assert info.tags == ["sentence-transformers", "de", "safetensors", "license:mit"]
    assert info.siblings is not None and {file.rfilename: file.size for file in info.siblings} == {
        ".gitattributes": len(server.repository(NAME).files()[".gitattributes"]),
        "README.md": len(CARD),
        "a/b.json": 2,
        "model.safetensors": len(WEIGHTS),
    }
    assert [entry.path for entry in api.list_repo_tree(NAME)] == [
        ".gitattributes",
        "README.md",
        "a",
        "model.safetensors",
    ]
    assert [entry.path for entry in api.list_repo_tree(NAME, "a", recursive=True)] == ["a/b.json"]
    first, second = api.get_paths_info(NAME, ["model.safetensors", "nowhere", "a"], expand=True)
    assert first.lfs.sha256 == hashlib.sha256(WEIGHTS).hexdigest() and first.last_commit.oid == made.oid
    assert second.path == "a"
    assert api.list_repo_commits(NAME)[0].commit_id == made.oid
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree(NAME, "nowhere"))
    with pytest.raises(RevisionNotFoundError):
        api.model_info(NAME, revision="nowhere")


def test_an_unchanged_file_is_not_committed_and_an_object_not_sent_twice(server: HubServer, api: HfApi) -> None:
    api.create_repo(NAME)
    files = {"a.txt": b"text", "model.safetensors": WEIGHTS}
    first = commit(api, files)
    assert commit(api, files).oid == first.oid
    assert len(server.seen("commit")) == 1
    commit(api, files | {"other.safetensors": WEIGHTS, "a.txt": b"other"})
    assert len(server.seen("commit")) == 2
    assert len(server.seen("lfs-upload")) == 1
    assert server.repository(NAME).files()["other.safetensors"] == WEIGHTS


def test_files_and_folders_are_deleted(server: HubServer, api: HfApi) -> None:
    api.create_repo(NAME)
    commit(api, {"a/1": b"1", "a/2": b"2", "b": b"3", "c": b"4"})
    deletes = [CommitOperationDelete("a/"), CommitOperationDelete("b")]
    api.create_commit(NAME, deletes, commit_message="Less")
    assert sorted(server.repository(NAME).files()) == [".gitattributes", "c"]
    head = server.repository(NAME).head()
    with pytest.raises(EntryNotFoundError):
        api.create_commit(NAME, [CommitOperationDelete("c"), CommitOperationDelete("b")], commit_message="Less")
    assert server.repository(NAME).head() == head  # c is there as well


def test_a_commit_on_another_than_the_stated_one_is_refused(server: HubServer, api: HfApi) -> None:
    api.create_repo(NAME)
    first = server.repository(NAME).head()
    second = commit(api, {"a": b"1"}, parent_commit=first).oid
    assert status_of(lambda: commit(api, {"a": b"2"}, parent_commit=first)) == 412
    assert server.repository(NAME).head() == second


def test_branches_and_tags(server: HubServer, api: HfApi) -> None:
    api.create_repo(NAME)
    first = server.repository(NAME).head()
    api.create_tag(NAME, tag="v1")
    api.create_branch(NAME, branch="next/one")
    api.create_branch(NAME, branch="next/one", exist_ok=True)
    made = commit(api, {"a": b"1"}, revision="next/one")
    assert status_of(lambda: api.create_tag(NAME, tag="v1")) == 409
    assert status_of(lambda: api.create_branch(NAME, branch="next/one")) == 409
    assert status_of(lambda: commit(api, {"a": b"1"}, revision="v1")) == 400
    with pytest.raises(RevisionNotFoundError):
        commit(api, {"a": b"1"}, revision="nowhere")
    refs = api.list_repo_refs(NAME)
    assert {branch.name: branch.target_commit for branch in refs.branches} == {"main": first, "next/one": made.oid}
    assert {tag.ref: tag.target_commit for tag in refs.tags} == {"refs/tags/v1": first}
    assert api.model_info(NAME, revision="next/one").sha == made.oid
    api.delete_tag(NAME, tag="v1")
    assert server.repository(NAME).tags == {}


def test_a_pull_request_leaves_the_branch(server: HubServer, api: HfApi) -> None:
    api.create_repo(NAME)
    before = server.repository(NAME).head()
    made = commit(client(server, OTHER_TOKEN), {"model.safetensors": WEIGHTS}, create_pr=True)
    assert (made.pr_num, made.pr_revision) == (1, "refs/pr/1")
    assert made.pr_url == f"{server.url}/{NAME}/discussions/1"
    assert server.repository(NAME).head() == before
    again = commit(api, {"a": b"1"}, revision="refs/pr/1").oid
    assert sorted(server.repository(NAME).files("refs/pr/1")) == [".gitattributes", "a", "model.safetensors"]
    pulls = api.list_repo_refs(NAME, include_pull_requests=True).pull_requests
    assert pulls is not None and [(pull.ref, pull.target_commit) for pull in pulls] == [("refs/pr/1", again)]


@pytest.mark.parametrize(("token", "role"), [(TOKEN, "write"), (READ_TOKEN, "read"), (FINE_TOKEN, "fineGrained")])
def test_who_a_token_speaks_for(server: HubServer, token: str, role: str) -> None:
    told = client(server, token).whoami()
    assert (told["name"], [(org["name"], org["roleInOrg"]) for org in told["orgs"]]) == ("alice", [("ORG", "write")])
    assert told["auth"]["accessToken"]["role"] == role
    assert server.requests[-1].user == "alice"


def test_a_wrong_token_is_refused_everywhere(server: HubServer, api: HfApi) -> None:
    api.create_repo(NAME)
    wrong = client(server, "hf_wrong")
    assert status_of(wrong.whoami) == 401
    assert status_of(lambda: wrong.model_info(NAME)) == 401
    assert status_of(lambda: wrong.create_repo("ORG/new")) == 401


@pytest.mark.parametrize("token", [READ_TOKEN, OTHER_TOKEN])
def test_who_may_not_write_gets_403(server: HubServer, api: HfApi, token: str) -> None:
    api.create_repo(NAME)
    api.auth_check(NAME, write=True)
    other = client(server, token)
    other.auth_check(NAME)
    assert status_of(lambda: other.auth_check(NAME, write=True)) == 403
    assert status_of(lambda: other.create_repo("ORG/new")) == 403
    assert status_of(lambda: commit(other, {"a": b"1"})) == 403
    assert status_of(lambda: other.create_tag(NAME, tag="v1")) == 403
    assert [repo_id for _, repo_id in server.hub.repositories] == [NAME]


def test_a_fine_grained_token_writes_in_its_scopes(server: HubServer) -> None:
    fine = client(server, FINE_TOKEN)
    fine.create_repo(NAME)
    commit(fine, {"a": b"1"})
    assert status_of(lambda: fine.create_repo("alice/model")) == 403


def test_a_name_that_is_taken(server: HubServer, api: HfApi) -> None:
    api.create_repo(NAME)
    assert status_of(lambda: api.create_repo(NAME)) == 409
    assert api.create_repo(NAME, exist_ok=True) == f"{server.url}/{NAME}"
    assert api.create_repo(NAME, repo_type="dataset") == f"{server.url}/datasets/{NAME}"


@pytest.mark.parametrize("token", [OTHER_TOKEN, False])
def test_a_private_repository_is_hidden(server: HubServer, api: HfApi, token: str | bool) -> None:
    api.create_repo(NAME, private=True)
    assert server.repository(NAME).private and api.model_info(NAME).private
    for repo_id in (NAME, "ORG/nowhere"):
        with pytest.raises(RepositoryNotFoundError):
            client(server, token).model_info(repo_id)
    api.update_repo_settings(NAME, private=False)
    assert client(server, token).model_info(NAME).sha == server.repository(NAME).head()


def test_downloads(server: HubServer, api: HfApi, tmp_path: Path) -> None:
    api.create_repo(NAME)
    files = {"model.safetensors": WEIGHTS, "a/b.json": b"{}"}
    commit(api, files)
    api.create_tag(NAME, tag="v1")
    commit(api, {"later": b"1"})
    folder = Path(api.snapshot_download(NAME, revision="v1", cache_dir=tmp_path))
    assert folder.name == server.repository(NAME).head("v1")
    assert {path: (folder / path).read_bytes() for path in files} == files
    assert not (folder / "later").exists()
    assert not api.file_exists(NAME, "nowhere")
    with pytest.raises(EntryNotFoundError):
        api.hf_hub_download(NAME, "nowhere", cache_dir=tmp_path)


@pytest.mark.parametrize(
    ("asked", "status", "content"),
    [("bytes=1-3", 206, b"123"), ("bytes=8-99", 206, b"89"), ("bytes=-2", 206, b"89"), ("bytes=10-", 416, b"")],
)
def test_a_range_of_a_file(server: HubServer, api: HfApi, asked: str, status: int, content: bytes) -> None:
    api.create_repo(NAME)
    commit(api, {"digits": b"0123456789"})
    answer = httpx.get(f"{server.url}/{NAME}/resolve/main/digits", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (status, content)


@pytest.mark.parametrize(
    "card", ["license: my own", "pipeline_tag: [a]", "- a", "a: [", "model-index: [{results: []}]"]
)
def test_wrong_metadata_are_refused(server: HubServer, api: HfApi, card: str) -> None:
    api.create_repo(NAME)
    with pytest.raises(ValueError, match=r"Invalid metadata in README\.md"):
        commit(api, {"README.md": f"---\n{card}\n---\n".encode()})
    assert len(server.repository(NAME).commits()) == 1


def test_an_upload_is_checked(server: HubServer, api: HfApi) -> None:
    api.create_repo(NAME)
    oid = hashlib.sha256(WEIGHTS).hexdigest()
    put = Request(f"{server.url}/lfs/models/{NAME}/{oid}?size={len(WEIGHTS)}", WEIGHTS[:-1] + b"!", method="PUT")
    with pytest.raises(HTTPError) as caught:
        urlopen(put)
    assert caught.value.code == 400
    assert server.repository(NAME).objects() == {}
    line = {"key": "lfsFile", "value": {"path": "a.bin", "algo": "sha256", "oid": oid, "size": len(WEIGHTS)}}
    lines = [{"key": "header", "value": {"summary": "Publish"}}, line]
    answer = httpx.post(
        f"{server.url}/api/models/{NAME}/commit/main",
        content="".join(json.dumps(line) + "\n" for line in lines).encode(),
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    assert answer.status_code == 400 and "does not exist" in answer.json()["error"]
    assert list(server.repository(NAME).files()) == [".gitattributes"]


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if isinstance(fault, int)])
def test_a_status_in_place_of_an_answer(server: HubServer, api: HfApi, fault: Fault) -> None:
    server.fail("create", fault, times=1, after=1)
    api.create_repo(NAME)
    assert status_of(lambda: api.create_repo("ORG/failed")) == fault
    api.create_repo("ORG/third")
    assert [record.status for record in server.requests] == [200, fault, 200]
    assert sorted(repo_id for _, repo_id in server.hub.repositories) == [NAME, "ORG/third"]


@pytest.mark.parametrize(("fault", "done"), [("drop", False), ("cut", True), ("lost", True)])
def test_a_connection_that_closes(server: HubServer, api: HfApi, fault: Fault, done: bool) -> None:
    api.create_repo(NAME)
    server.fail("commit", fault)
    with pytest.raises(httpx.TransportError):
        commit(api, {"a": b"1"})
    assert ("a" in server.repository(NAME).files()) is done
    server.heal()
    commit(api, {"a": b"1"})
    assert server.repository(NAME).files()["a"] == b"1"


def test_a_slow_answer(server: HubServer, api: HfApi) -> None:
    server.fail("whoami", "slow", times=1)
    begin = time.monotonic()
    assert api.whoami()["name"] == "alice"
    assert time.monotonic() - begin >= 0.3


def test_an_upload_that_drops_leaves_nothing_and_is_retried(server: HubServer, api: HfApi) -> None:
    api.create_repo(NAME)
    server.fail("lfs-upload", "drop", times=1)
    commit(api, {"model.safetensors": WEIGHTS})
    assert [(record.received, record.status) for record in server.seen("lfs-upload")] == [
        (len(WEIGHTS) // 2, 0),
        (len(WEIGHTS), 200),
    ]
    assert list(server.repository(NAME).folder.iterdir()) == [
        server.repository(NAME).object_path(hashlib.sha256(WEIGHTS).hexdigest())
    ]


def test_a_text_of_an_error(server: HubServer, api: HfApi) -> None:
    server.fail("whoami", 403, message="no\nway")
    with pytest.raises(HfHubHTTPError, match="no way"):
        api.whoami()
    with pytest.raises(ValueError, match="no fault 'teapot'"):
        server.fail("whoami", "teapot")  # type: ignore[arg-type]


def test_a_client_killed_while_it_uploads(server: HubServer, api: HfApi, tmp_path: Path) -> None:
    api.create_repo(NAME)
    before = server.repository(NAME).head()
    (tmp_path / "model.safetensors").write_bytes(WEIGHTS)
    upload = (
        f"from huggingface_hub import HfApi; HfApi().upload_folder(repo_id={NAME!r}, folder_path={str(tmp_path)!r})"
    )
    command = [sys.executable, "-c", upload]
    hold = server.hold("lfs-upload")
    with subprocess.Popen(command, env=server.environment(tmp_path / "home"), stderr=subprocess.DEVNULL) as process:
        hold.wait()
        process.kill()
    hold.drop()
    assert [record.received for record in server.seen("lfs-upload")] == [len(WEIGHTS) // 2]
    assert server.repository(NAME).objects() == {} and server.repository(NAME).head() == before


def test_a_data_set_loads_by_configuration_and_revision(server: HubServer, api: HfApi, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = {}
    for config in ("de-queries", "de-corpus"):
        file = tmp_path / f"{config}.parquet"
        pq.write_table(pa.table({"_id": ["1", "2"], "text": [config, "x"]}), file)
        files[f"{config}/test-00000-of-00001.parquet"] = file.read_bytes()
    configs = "".join(
        f"- config_name: {name}\n  data_files:\n  - split: test\n    path: {name}/test-*\n"
        for name in ("de-queries", "de-corpus")
    )
    card = f"---\nlicense: cc-by-sa-4.0\nconfigs:\n{configs}---\n".encode()
    api.create_repo("ORG/task", repo_type="dataset")
    made = commit(api, files | {"README.md": card}, repo_id="ORG/task", repo_type="dataset")
    commit(api, {"README.md": b"---\nlicense: mit\n---\n"}, repo_id="ORG/task", repo_type="dataset")
    code = f"""
        import json
        from datasets import get_dataset_config_names, load_dataset
        at = dict(revision={made.oid!r})
        names = get_dataset_config_names("ORG/task", **at)
        print(json.dumps([load_dataset("ORG/task", name, split="test", **at)["text"][:] for name in names]))
    """
    texts = run(code, server.environment(tmp_path / "home", token=None))
    assert texts == [["de-queries", "x"], ["de-corpus", "x"]]


@pytest.mark.slow
def test_a_model_loads_in_sentence_transformers_and_mteb(server: HubServer, api: HfApi, tmp_path: Path) -> None:
    code = f"""
        import json, mteb
        from huggingface_hub import HfApi
        from pathlib import Path
        from sentence_transformers import SentenceTransformer
        from tests.training.small_runs import static_model
        folder = static_model(Path({str(tmp_path)!r}, "model"), ["haus", "house"])
        folder.joinpath("README.md").write_bytes({CARD!r})
        HfApi().create_repo({NAME!r})
        oid = HfApi().upload_folder(repo_id={NAME!r}, folder_path=folder).oid
        direct = SentenceTransformer({NAME!r}, revision=oid)
        meta = mteb.get_model_meta({NAME!r}, fetch_from_hf=True)
        again = mteb.get_model({NAME!r}, revision=oid).model
        equal = bool((direct.encode(["haus"]) == again.encode(["haus"])).all())
        weights = sum(weight.numel() for weight in direct.parameters())
        print(json.dumps([oid, meta.revision, meta.license, meta.framework, meta.n_parameters == weights, equal]))
    """
    oid, *told = run(code, server.environment(tmp_path / "home"))
    assert oid == server.repository(NAME).head()
    assert told == [oid, "mit", ["Sentence Transformers", "safetensors"], True, True]


def test_a_server_that_is_closed_is_gone(server: HubServer, api: HfApi) -> None:
    api.whoami()
    server.close()
    with pytest.raises(httpx.TransportError):
        api.whoami()
