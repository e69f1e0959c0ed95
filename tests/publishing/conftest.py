"""A Hub, a machine and a trained model, for the tests that publish."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.server import HubServer
from tests.publishing.desk import RECIPE, Desk, Worker, ok, working

NAME = "our-tiny"
TASKS = ("ParallelWorldMonolingual", "ParallelWorldLanguageBias")


@pytest.fixture(scope="session")
def hub() -> Iterator[HubServer]:
    """A Hub for all tests, each of which has repositories of its own."""
    with HubServer(delay=0.2) as server:
        yield server


@pytest.fixture(scope="session")
def worker(hub: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """What runs commands."""
    with working(hub, tmp_path_factory.mktemp("worker") / "scratch") as worker:
        yield worker


@pytest.fixture(scope="session")
def trained(worker: Worker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small model that was trained and evaluated, and its base model's results."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "recipe.yaml").write_text(RECIPE)
    desk = Desk(folder, worker)
    ok(desk.run("train", "recipe.yaml", "--name", NAME, "-q"))
    for model in (NAME, "mteb-hybrid/tiny"):
        words = ("run", "-m", model, "-t", *TASKS, "-l", "deu", "ell", "--output-folder", "results")
        ok(desk.run(*words, main="mteb"))
    return folder


@pytest.fixture
def desk(trained: Path, worker: Worker, hub: HubServer, tmp_path: Path) -> Iterator[Desk]:
    """A copy of that folder, in which the model has its name."""
    folder = tmp_path / "desk"
    shutil.copytree(trained, folder)
    (place,) = (folder / "results" / "results" / f"local__{NAME}").iterdir()
    source, revision = json.dumps(str(folder / "models" / NAME)), json.dumps(place.name)
    (folder / "models.toml").write_text(f"[{NAME}]\nsource = {source}\nrevision = {revision}\n")
    yield Desk(folder, worker)
    hub.heal()
