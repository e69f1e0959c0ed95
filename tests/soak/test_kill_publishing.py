"""kill -9 in publishing: the repository is as it was or as it shall be, and the same command makes it so."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.hub.repositories import Hub, Repository
from tests.hub.server import TOKEN, HubServer
from tests.soak.kills import Activity, Command, Warm, soak
from tests.soak.small_model import name_model, small_model
from tests.study.small_study import write_data

pytestmark = pytest.mark.slow

NAME, REPO = "ours", "ORG/killed"
TASKS = ("StudyWorldMonolingual", "StudyWorldLanguageBias")
RECIPE = {
    "model": {"base": "base"},
    "data": [{"source": "pairs.jsonl", "license": "apache-2.0"}],
    "batches": {"size": 8},
    "training": {"max_steps": 2, "use_cpu": True},
}


def command(folder: Path) -> Command:
    """The same each time; what is sent to the Hub counts as well."""
    words = ("publish", NAME, "--to", REPO, "--results", "results", "--tag", "v1", "-q")
    calls = ("socket:socket.send", "socket:socket.sendall")
    return Command(words, calls=calls, env={"HF_TOKEN": TOKEN})


@pytest.fixture(scope="module")
def trained(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model that was trained and evaluated."""
    folder = tmp_path_factory.mktemp("trained")
    write_data(folder)
    small_model(folder / "base", dimensions=1024)  # some megabytes to send
    (folder / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    for words in (("train", "recipe.yaml", "--name", NAME), ("evaluate", "-m", NAME, "-t", *TASKS)):
        ended = warm(Command((*words, "-q")), folder)
        assert ended.code == 0, ended.err[-3000:]
    return folder


def lay_out(hub: Hub, trained: Path, folder: Path) -> None:
    """The results and the name of the model, which itself stays where it is; and no repository."""
    before = hub.repositories.pop(("model", REPO), None)
    if before is not None:
        shutil.rmtree(before.folder)
    shutil.copytree(trained / "results", folder / "results")
    name_model(NAME, trained / "models" / NAME, folder)


def repository(hub: Hub) -> Repository | None:
    return hub.repositories.get(("model", REPO))


def outcome(hub: Hub, folder: Path) -> dict[str, Any]:
    """All files in the repository, its commits, and what the short name stands for."""
    there = repository(hub)
    assert there is not None
    assert "model.safetensors" in there.files()
    return {
        **there.files(),
        "commits": [commit.oid for commit in there.commits()],
        "tags": there.tags,
        "names": (folder / "models.toml").read_text(),
    }


def all_or_nothing(hub: Hub, folder: Path) -> None:
    """A commit is there whole or not at all; and there is never a second one."""
    there = repository(hub)
    if there is not None:
        files = set(there.files())
        assert files <= {".gitattributes"} or {"model.safetensors", "README.md", "recipe.yaml"} <= files
        assert len(there.commits()) <= 2


def test_kills(
    warm: Warm, soak_hub: HubServer, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub = soak_hub.hub
    activity = Activity(
        "publishing",
        "all files in the repository byte for byte, its commits by their hashes, its tag, and the file of short names",
        partial(lay_out, hub, trained),
        command,
        partial(outcome, hub),
        check=partial(all_or_nothing, hub),
    )
    line = soak(activity, warm, tmp_path)
    with capsys.disabled():
        print(f"\n{line}")
