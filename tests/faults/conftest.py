"""A folder in which all commands can run, made once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.activities import copy_of, lay_out
from tests.faults.commands import Commands
from tests.training.small_runs import single_thread


@pytest.fixture(scope="session")
def commands() -> Iterator[Commands]:
    """What runs commands, with faults."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork on this system")
    pytest.importorskip("duckdb", reason="duckdb is missing: pip install 'mteb-hybrid[data]'")
    pytest.importorskip("matplotlib", reason="matplotlib is missing: pip install 'mteb-hybrid[report]'")
    with single_thread():
        yield Commands()


@pytest.fixture(scope="session")
def inputs(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data, a model, results, a corpus."""
    folder = tmp_path_factory.mktemp("inputs")
    lay_out(folder, commands)
    return folder


@pytest.fixture
def here(inputs: Path, tmp_path: Path) -> Path:
    """A copy of them, to be written in."""
    return copy_of(inputs, tmp_path / "here")
