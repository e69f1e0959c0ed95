"""Faults around a command: folders that cannot be written, results that are cut, others at the same, a full pipe."""

from __future__ import annotations

import json
import os
import stat
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.faults.activities import ACTIVITIES, READING, SHARDS, left_over
from tests.faults.commands import Commands, told
from tests.faults.test_in_the_middle import LONG, chosen

pytestmark = pytest.mark.slow


# ---- a folder that cannot be written


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("name", chosen("read only", ACTIVITIES))
def test_a_read_only_folder(name: str, here: Path, commands: Commands) -> None:
    """Nothing is written, the folder or file is named; with permissions that hold for root too."""
    activity = ACTIVITIES[name]
    folders = [here, *(path for path in here.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    before = tree(here)
    ended = commands(activity.words, here, before=activity.before, unprivileged=True)
    for folder in folders:
        folder.chmod(stat.S_IRWXU)
    assert ended.code == 2, ended
    line = told(ended)
    assert activity.writes.partition(".")[0] in line or str(here) in line, line
    assert "Permission denied" in line or "cannot write in" in line, line
    assert tree(here) == before
    assert commands(activity.words, here, before=activity.before).code == 0


# ---- results that are cut


def result_file(folder: Path) -> Path:
    (path,) = folder.glob("results/results/local__ours/*/smallMultilingual.json")
    return path


@pytest.mark.parametrize("name", chosen("truncated", READING))
def test_a_truncated_result(name: str, here: Path, commands: Commands) -> None:
    """Cut at any byte, the file is named and left as it is; deleted and run again, all is as before."""
    path = result_file(here)
    whole = path.read_bytes()
    for size in (0, 1, len(whole) // 2, len(whole) - 1) if LONG else (0, len(whole) // 2):
        path.write_bytes(whole[:size])
        ended = commands(tuple(READING[name].split()), here)
        assert ended.code == 2, ended
        line = told(ended)
        assert path.name in line and "delete it" in line, line
        assert path.stat().st_size == size
    path.unlink()
    assert commands(tuple(READING["evaluate"].split()), here).code == 0
    assert commands(tuple(READING[name].split()), here).code == 0


@pytest.mark.parametrize("name", chosen("truncated", ["table", "compare", "report"]))
def test_truncated_scores_of_queries(name: str, here: Path, commands: Commands) -> None:
    path = result_file(here).with_suffix(".queries.parquet")
    os.truncate(path, path.stat().st_size // 2)
    ended = commands(tuple(READING[name].split()), here)
    assert "Traceback" not in ended.err
    assert ended.code == 0 or path.name in told(ended), ended


# ---- others at the same


def both(commands: Commands, *lines: str, folder: Path, before: str = "") -> list[Any]:
    """Commands at once, each in a process of its own."""
    running = [commands.start(tuple(line.split()), folder, before=before) for line in lines]
    return [each.wait() for each in running]


def test_names_given_at_once(here: Path, commands: Commands) -> None:
    """None is lost."""
    count = 8
    ended = both(commands, *(f"models add other-{number} model" for number in range(count)), folder=here)
    assert [each.code for each in ended] == [0] * count, ended
    names = set(tomllib.loads((here / "models.toml").read_text()))
    assert {f"other-{number}" for number in range(count)} <= names
    ended = both(commands, *(f"models remove other-{number}" for number in range(count)), folder=here)
    assert [each.code for each in ended] == [0] * count, ended
    assert set(tomllib.loads((here / "models.toml").read_text())) == {"ours"}
    assert left_over(here) == []


def test_evaluations_at_once(here: Path, commands: Commands) -> None:
    """Of one model into one folder, with predictions: both end, and all is whole."""
    activity = ACTIVITIES["evaluate"]
    ended = both(commands, activity.line, activity.line, folder=here)
    assert [(each.code, each.err) for each in ended] == [(0, "")] * 2
    assert ended[0].out == ended[1].out
    found = activity.outcome(here)
    assert len(found) == 5
    for path in (here / "out").rglob("*.json*"):
        for line in path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]:
            json.loads(line)
    again = commands(activity.words, here)
    assert (again.code, again.out) == (0, ended[0].out)
    assert left_over(here) == []


@pytest.mark.parametrize("name", chosen("at once", ["build", "mine", "train", "merge"]))
def test_one_folder_is_written_by_one(name: str, here: Path, commands: Commands) -> None:
    """The other says so in one line, or comes after it; what comes out is one's."""
    activity = ACTIVITIES[name]
    ended = both(commands, activity.line, activity.line, folder=here, before=activity.before)
    codes = Counter(each.code for each in ended)
    assert codes == {0: 1, 2: 1}, ended
    (other,) = (each for each in ended if each.code)
    told_so = ("another process is at work", "exists", "is there already", "unfinished")
    assert any(part in told(other) for part in told_so), other
    alone = activity.outcome(here)
    assert alone
    assert left_over(here) == []


@pytest.mark.skipif(not LONG, reason="in the long form: FAULTS=1")
def test_two_builds_of_other_corpora(here: Path, commands: Commands) -> None:
    """They share sources and caches, and nothing else."""
    lines = [f"data build build.yaml -o {name} -q" for name in ("one", "two")]
    ended = both(commands, *lines, folder=here, before=SHARDS)
    assert [(each.code, each.err) for each in ended] == [(0, "")] * 2
    one, two = ((here / name / "pairs.parquet").read_bytes() for name in ("one", "two"))
    assert one == two


def test_one_parquet_file_by_two_who_have_no_cache_of_it(here: Path, commands: Commands) -> None:
    """Both unpack it into the cache of ``datasets``, at once."""
    lines = [
        f"debias fit -m ours --pairs corpus/pairs.parquet --method centering -o {name}.safetensors -q" for name in "ab"
    ]
    before = f"import datasets; datasets.config.HF_DATASETS_CACHE = {str(here / 'cache')!r}"
    ended = both(commands, *lines, folder=here, before=before)
    assert [(each.code, each.err) for each in ended] == [(0, "")] * 2
    assert (here / "a.safetensors").read_bytes() == (here / "b.safetensors").read_bytes()


# ---- standard output that takes nothing more

FULL = "import os; os.dup2(os.open('/dev/full', os.O_WRONLY), 1)"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("line", [READING["table"], READING["compare"], "models list"])
def test_a_full_standard_output(line: str, here: Path, commands: Commands) -> None:
    ended = commands(tuple(line.split()), here, before=FULL)
    assert ended.code == 2
    assert "No space left on device" in told(ended)
