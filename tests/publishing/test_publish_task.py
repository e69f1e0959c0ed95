"""A task's data published to a Hub on loopback with the real client, read back, and evaluated from there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi, constants

from mteb_hybrid.data.collection import ParallelCollection
from mteb_hybrid.data.hub_collection import HUB_VARIABLE, hub_or
from mteb_hybrid.data.world import generate_world
from mteb_hybrid.errors import HybridError
from mteb_hybrid.evaluation.own import collection_tasks
from mteb_hybrid.publishing.hub import Target
from mteb_hybrid.publishing.publish_task import publish_task
from mteb_hybrid.registry import register_tasks
from tests.hub.server import OTHER_TOKEN, TOKEN, Fault, HubServer

ROOT = Path(__file__).parents[2]
TASK = "ParallelWorldMonolingual"
TARGET = Target("ORG/parallel-world", "data", repo_type="dataset")
WORLD = generate_world(6, languages=("de", "en", "zh"), name="SmallWorld")


@pytest.fixture(scope="module")
def whole_server() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A Hub, which this process's client talks to."""
    with HubServer(delay=0.2) as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{server.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.delenv(HUB_VARIABLE, raising=False)
        yield server


def publish(task: str = TASK, target: Target = TARGET, *, yes: bool = False, dry_run: Path | None = None) -> Any:
    """Publish; gives what came of it and what was said."""
    said: list[str] = []
    pushed = publish_task(task, target, yes=yes, dry_run=dry_run, say=said.append, show_progress_bar=False)
    return pushed, said


def refused(task: str = TASK, target: Target = TARGET, **options: Any) -> str:
    with pytest.raises(HybridError) as caught:
        publish(task, target, **options)
    assert str(caught.value).isprintable()
    assert TOKEN not in str(caught.value)
    return str(caught.value)


def never() -> ParallelCollection:
    raise AssertionError("the source was read")


# ---- publishing


def test_what_is_published_is_what_a_dry_run_wrote(server: HubServer, tmp_path: Path) -> None:
    nothing, listed = publish(dry_run=tmp_path / "dry")
    assert nothing is None
    assert not server.requests
    pushed, said = publish()
    held = server.repository(TARGET.repo_id, "dataset").files()
    written = {p.relative_to(tmp_path / "dry").as_posix(): p for p in (tmp_path / "dry").rglob("*") if p.is_file()}
    assert set(held) - {".gitattributes"} == set(written)
    assert all(held[name] == path.read_bytes() for name, path in written.items())
    assert pushed.commit == server.repository(TARGET.repo_id, "dataset").head()
    assert {line.split()[-1] for line in listed[1:-2]} == set(written)
    assert said[0] == listed[0] == "ParallelWorldMonolingual: licence apache-2.0"
    assert said[1] == "ORG/parallel-world: 3,200 queries, 3,840 passages in 8 languages, 8 subsets"
    assert said[2] == "next: MTEB_HYBRID_HUB=ORG mteb run -m MODEL -t ParallelWorldMonolingual"


def test_publishing_again_commits_nothing(server: HubServer) -> None:
    first, _ = publish()
    again, _ = publish()
    assert (first.changed, again.changed) == (True, False)
    assert again.commit == first.commit
    assert len(server.repository(TARGET.repo_id, "dataset").commits()) == 2  # with the Hub's own first one


def test_files_that_are_stale_are_taken_away(server: HubServer) -> None:
    publish()
    api = HfApi()
    for path in ("qrels/fr-fr.parquet", "queries/fr.parquet", "notes.txt"):
        api.upload_file(path_or_fileobj=b"x", path_in_repo=path, repo_id=TARGET.repo_id, repo_type="dataset")
    pushed, _ = publish()
    held = server.repository(TARGET.repo_id, "dataset").files()
    assert pushed.changed
    assert "notes.txt" in held  # not of our making
    assert "qrels/de-de.parquet" in held
    assert not {"qrels/fr-fr.parquet", "queries/fr.parquet"} & set(held)


def test_a_target_is_a_data_set_whatever_it_says(server: HubServer) -> None:
    publish(target=replace(TARGET, repo_type="model"))
    assert [kind for kind, _ in server.hub.repositories] == ["dataset"]


def test_data_of_others_are_left_alone(server: HubServer) -> None:
    api = HfApi()
    api.create_repo(TARGET.repo_id, repo_type="dataset")
    api.upload_file(path_or_fileobj=b"a,b", path_in_repo="a.csv", repo_id=TARGET.repo_id, repo_type="dataset")
    before = server.repository(TARGET.repo_id, "dataset").head()
    assert refused() == "ORG/parallel-world holds other data (a.csv); choose another --to"
    assert server.repository(TARGET.repo_id, "dataset").head() == before


def test_data_of_another_task_are_left_alone(server: HubServer) -> None:
    publish()
    told = refused("ParallelWorldMultilingual")
    assert told == (
        "ORG/parallel-world holds the data of ParallelWorldMonolingual, not of ParallelWorldMultilingual; "
        "choose another --to"
    )


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ("MLQAR", "CC BY-NC 4.0 (non-commercial)"),
        ("ParallelWorldMonolingal", "did you mean ParallelWorldMonolingual?"),
        ("NFCorpus", "is not a task of this package"),
    ],
)
def test_what_may_not_be_published_sends_and_writes_nothing(
    task: str, told: str, server: HubServer, tmp_path: Path
) -> None:
    assert told in refused(task)
    assert told in refused(task, dry_run=tmp_path / "dry")
    assert not server.requests
    assert not (tmp_path / "dry").exists()


@pytest.mark.usefixtures("lareqa_data")
def test_a_licence_that_is_taken_care_of_is_named_first(server: HubServer) -> None:
    _, said = publish("MLQARMonolingual", replace(TARGET, repo_id="ORG/mlqa-r"), yes=True)
    assert said[0] == "MLQARMonolingual: licence CC BY-NC 4.0"
    assert b"license: cc-by-nc-4.0" in server.repository("ORG/mlqa-r", "dataset").files()["README.md"]


def test_another_name_is_said_not_to_be_found(server: HubServer) -> None:
    _, said = publish(target=replace(TARGET, repo_id="ORG/pw"))
    assert said[-1] == ("MTEB_HYBRID_HUB looks for ParallelWorldMonolingual at ORG/parallel-world, not at ORG/pw")


# ---- reading


@pytest.fixture
def published(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> HubServer:
    """A small world at ORG/small, which the variable points to."""
    register_tasks(collection_tasks(WORLD))
    publish("SmallWorld", Target("ORG/small", "data"), yes=True)
    monkeypatch.setenv(HUB_VARIABLE, "ORG")
    return server


def read(repository: str = "small", fingerprint: str | None = WORLD.revision) -> ParallelCollection:
    return hub_or(repository, never, fingerprint)


def unread(*arguments: Any) -> str:
    with pytest.raises(HybridError) as caught:
        read(*arguments)
    assert str(caught.value).isprintable()
    assert TOKEN not in str(caught.value)
    return str(caught.value)


@pytest.mark.usefixtures("published")
def test_what_is_read_is_what_was_published(tmp_path: Path) -> None:
    assert read() == WORLD
    suffixes = {path.suffix for path in (tmp_path / "hub").rglob("snapshots/*/**/*") if path.is_file()}
    assert suffixes == {".json", ".parquet"}  # nothing else is fetched
    assert not list((tmp_path / "hub").rglob("qrels"))


def test_what_was_read_is_there_without_a_network(published: HubServer) -> None:
    assert read() == WORLD
    published.close()
    assert read() == WORLD


def test_a_private_data_set_is_read_with_its_token_alone(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    register_tasks(collection_tasks(WORLD))
    publish("SmallWorld", Target("ORG/small", "data", private=True), yes=True)
    monkeypatch.setenv(HUB_VARIABLE, "ORG")
    monkeypatch.setenv("HF_TOKEN", OTHER_TOKEN)
    assert unread().startswith("there is no data set ORG/small on the Hub, or it is private: log in")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert read() == WORLD


@pytest.mark.usefixtures("published")
def test_a_data_set_that_is_not_there() -> None:
    assert unread("another", None).startswith("there is no data set ORG/another on the Hub")


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize(
    ("path", "told"), [("collection.json", "collection.json: No such file"), ("corpus/zh.parquet", "is missing")]
)
def test_a_data_set_that_lacks_a_file(path: str, told: str) -> None:
    HfApi().delete_file(path, "ORG/small", repo_type="dataset")
    assert told in unread()


@pytest.mark.usefixtures("published")
def test_data_that_were_changed_on_the_hub_are_refused() -> None:
    manifest = {"format": 1, "task": "T", "name": "SmallWorld", "languages": ["en", "de", "zh"], "revision": "0" * 40}
    for content in (manifest, manifest | {"revision": WORLD.revision}):
        HfApi().upload_file(
            path_or_fileobj=json.dumps(content).encode(),
            path_in_repo="collection.json",
            repo_id="ORG/small",
            repo_type="dataset",
        )
        assert "has other data" in unread()  # the languages are in another order
        assert "has other data" in unread("small", None)


FAULTS: tuple[Fault, ...] = (401, 403, 404, 500, "drop")  # not 429, 503: the client waits for those to pass


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("endpoint", ["info", "tree", "resolve"])
def test_a_fault_of_the_server_is_told_in_one_line(endpoint: Any, fault: Fault, published: HubServer) -> None:
    published.fail(endpoint, fault)
    assert "ORG/small" in unread()
    published.heal()
    assert read() == WORLD


# ---- evaluating


def child(code: str, server: HubServer, home: Path, **environment: str) -> str:
    """Run code in a fresh process that knows this Hub alone."""
    env = server.environment(home / "hf") | {
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "MTEB_HYBRID_MODELS": str(home / "models.toml"),
        **environment,
    }
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert TOKEN not in done.stdout + done.stderr
    return done.stdout


PUBLISH = f"""
from mteb_hybrid.publishing.hub import Target
from mteb_hybrid.publishing.publish_task import publish_task
target = Target("ORG/parallel-world", "data", repo_type="dataset")
print(publish_task({TASK!r}, target, yes=False, dry_run=None, say=print, show_progress_bar=False).commit)
"""
EVALUATE = f"""
import sys
from mteb_hybrid.cli import main
tasks = ["-t", {TASK!r}, "-l", "deu", "zho"]
sys.exit(main(["evaluate", "-m", "mteb-hybrid/tiny", *tasks, "-q", "--output-folder", "FOLDER"]))
"""
LOAD = f"""
import mteb
from mteb.abstasks.retrieval_dataset_loaders import RetrievalDatasetLoader
from mteb_hybrid.registry import register
register()
task = mteb.get_task({TASK!r})
task.load_data()
want = task.dataset["zh-zh"]["test"]
got = RetrievalDatasetLoader("ORG/parallel-world", "REVISION", split="test", config="zh-zh").load()
for part in ("queries", "corpus"):
    assert got[part].column_names == ["id", "text"]
    assert got[part][:] == want[part][:], part
assert got["relevant_docs"] == want["relevant_docs"]
print(len(got["queries"]), len(got["corpus"]))
"""


def scores(folder: Path) -> Any:
    (path,) = folder.rglob(f"{TASK}.json")
    result = json.loads(path.read_text(encoding="utf-8"))
    return result["dataset_revision"], {row["hf_subset"]: row for row in result["scores"]["test"]}


@pytest.mark.slow
def test_a_fresh_process_measures_the_published_data_as_the_files(whole_server: HubServer, tmp_path: Path) -> None:
    commit = child(PUBLISH, whole_server, tmp_path).split()[-1]
    child(EVALUATE.replace("FOLDER", "files"), whole_server, tmp_path)
    assert not whole_server.seen("resolve")  # the files alone were read
    child(EVALUATE.replace("FOLDER", "hub"), whole_server, tmp_path, MTEB_HYBRID_HUB="ORG")
    assert whole_server.seen("resolve")
    from_hub = scores(tmp_path / "hub")
    assert from_hub == scores(tmp_path / "files")
    assert set(from_hub[1]) == {"de-de", "zh-zh"}
    assert 0 < from_hub[1]["zh-zh"]["map"] < 1
    # and mteb's own loader, which knows nothing of this package, gives the same rows
    assert child(LOAD.replace("REVISION", commit), whole_server, tmp_path).split() == ["400", "480"]
