"""Files that unpack to gigabytes take no memory: each is read by a process that may take one gigabyte."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.bombs import BOMBS, IN_SHORT, ROOM
from tests.hostile.held import Cases, check_line
from tests.hostile.strategies import LONG_FORM

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux alone")]
ROOT = Path(__file__).parents[2]

HARMLESS = {"scores for a report, 40,000 times a megabyte", "model of 10 GB of zeros"}
"""Taken without what is in them: nothing of them is unpacked."""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("bombs")
    names = list(BOMBS) if LONG_FORM else list(IN_SHORT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1"}
    ended = subprocess.run(
        [sys.executable, "-m", "tests.hostile.bombs", str(folder), *names],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]
    return {each["bomb"]: each for each in found}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bomb(cases: Cases, outcomes: dict[str, dict[str, Any]], bomb: str) -> None:
    if bomb not in outcomes:
        pytest.skip("only FUZZ_EXAMPLES=1 or more tries it")
    found = outcomes[bomb]
    cases.readers["bombs"] = [
        found["outcome"] == "refused",
        found["outcome"] == "taken",
        found["outcome"] == "traceback",
    ]
    assert found["outcome"] == ("taken" if bomb in HARMLESS else "refused"), found["line"]
    if found["line"]:
        check_line(found["line"])
    assert found["megabytes"] < ROOM >> 20
