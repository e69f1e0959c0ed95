"""A fault in the middle of each activity: one line and an exit code, nothing half written, and the command goes on."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faults.activities import ACTIVITIES, Activity, copy_of, left_over
from tests.faults.commands import CLOCKS, Commands, Ended, Fault, Kind, told

LONG = os.environ.get("FAULTS") == "1"
PLACES = int(os.environ.get("FAULTS_PLACES", "6" if LONG else "1"))
"""In how many places of each activity each fault is put."""

SHORT: dict[str, tuple[str, ...]] = {
    "full": ("evaluate", "train", "build", "models add"),
    "SIGTERM": ("evaluate", "mine"),
    "SIGINT twice": ("debias",),
    "a day back": ("evaluate",),
    "a year on": ("merge",),
    "disk": ("evaluate", "models add"),
    "read only": ("evaluate", "train", "build", "models add"),
    "truncated": ("table", "compare"),
    "at once": ("build", "train"),
}
"""What the short form takes of each; the long form takes all: FAULTS=1."""


def chosen(kind: str, names: Iterable[str]) -> list[str]:
    """The activities that meet a fault in this form."""
    return [name for name in names if LONG or name in SHORT[kind]]


SIGNALS: Mapping[Kind, int] = {"SIGTERM": 143, "SIGINT twice": 130}


@dataclass(frozen=True)
class Whole:
    """An uninterrupted run: how it ended, and what it left."""

    ended: Ended
    outcome: Any


@pytest.fixture(scope="session")
def whole(inputs: Path, commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Activity], Whole]:
    """What gives the uninterrupted run of an activity, which is done once."""
    found: dict[str, Whole] = {}

    def whole(activity: Activity) -> Whole:
        if activity.name not in found:
            folder = copy_of(inputs, tmp_path_factory.mktemp("whole"))
            ended = commands(activity.words, folder, before=activity.before)
            assert ended.code == 0, ended.err[-3000:]
            assert left_over(folder) == []
            found[activity.name] = Whole(ended, activity.outcome(folder))
        return found[activity.name]

    return whole


@pytest.fixture(scope="session")
def tally() -> Iterator[Counter[str]]:
    """The faults that were met, which are printed at the end."""
    met: Counter[str] = Counter()
    yield met
    if met:
        print(f"\nfaults met: {sum(met.values())} ({', '.join(f'{kind} {count}' for kind, count in met.items())})")


def places(activity: Activity, events: int, kind: Kind) -> list[int]:
    """Numbers of events, spread evenly, drawn from a fixed seed."""
    draw = random.Random(f"{activity.name} {kind}")
    return [1 + int((number + draw.random()) / PLACES * events) for number in range(PLACES)]


def go_on(activity: Activity, commands: Commands, folder: Path, expected: Whole) -> None:
    """The same command, or with --resume, ends well, with the outcome of an uninterrupted run."""
    if not (activity.name == "merge" and (folder / "out").exists()):
        again = commands(activity.again(folder), folder, before=activity.before)
        assert again.code == 0 or "exists" in again.err or "is there already" in again.err, again.err[-3000:]
    assert activity.outcome(folder) == expected.outcome
    assert left_over(folder) == []


def met(
    kind: Kind,
    activity: Activity,
    whole: Whole,
    commands: Commands,
    new: Callable[[], Path],
    check: Callable[[Ended], None],
) -> int:
    """Put a fault in each place, look how the command ends, and let it go on."""
    count = 0
    for place in places(activity, whole.ended.events, kind):
        folder = new()
        ended = commands(activity.words, folder, Fault(kind, place), before=activity.before)
        check(ended)
        (folder / "ballast").unlink(missing_ok=True)
        go_on(activity, commands, folder, whole)
        count += 1
        shutil.rmtree(folder, ignore_errors=True)
    return count


@pytest.fixture
def new(inputs: Path, tmp_path: Path) -> Callable[[], Path]:
    """What makes a folder anew."""
    return lambda: copy_of(inputs, tmp_path / "here")


@pytest.mark.slow
@pytest.mark.parametrize("name", chosen("full", ACTIVITIES))
def test_a_full_disk(
    name: str, commands: Commands, whole: Callable[[Activity], Whole], new: Callable[[], Path], tally: Counter[str]
) -> None:
    activity = ACTIVITIES[name]

    def check(ended: Ended) -> None:
        if ended.code == 0:  # nothing was written after it
            assert ended.err == ""
            return
        assert ended.code in activity.codes, ended
        if ended.code == 2:
            assert any(part in told(ended) for part in ("File too large", "os error 27", "disk may be full")), ended.err
        else:
            assert "Traceback" not in ended.err + ended.out

    tally["full disk"] += met("full", activity, whole(activity), commands, new, check)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in SIGNALS for name in chosen(kind, ACTIVITIES)])
def test_signals(
    name: str,
    kind: Kind,
    commands: Commands,
    whole: Callable[[Activity], Whole],
    new: Callable[[], Path],
    tally: Counter[str],
) -> None:
    activity = ACTIVITIES[name]

    def check(ended: Ended) -> None:
        if ended.code == 0:  # it was in time: nothing was left to interrupt
            assert ended.err == ""
            return
        assert ended.code == SIGNALS[kind], ended
        line = told(ended)
        assert "the same command" in line

    tally[kind] += met(kind, activity, whole(activity), commands, new, check)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in CLOCKS for name in chosen(kind, ACTIVITIES)])
def test_a_clock_that_jumps(
    name: str,
    kind: Kind,
    commands: Commands,
    whole: Callable[[Activity], Whole],
    new: Callable[[], Path],
    tally: Counter[str],
) -> None:
    activity = ACTIVITIES[name]

    def check(ended: Ended) -> None:
        assert (ended.code, ended.err) == (0, "")

    tally[kind] += met(kind, activity, whole(activity), commands, new, check)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of the test's own; the test is skipped where none can be had."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)]
    can = os.geteuid() == 0 and shutil.which("mount") is not None
    if not can or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a disk of the test's own, and not everywhere")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", chosen("disk", ACTIVITIES))
def test_a_disk_that_is_really_full(
    name: str,
    commands: Commands,
    whole: Callable[[Activity], Whole],
    inputs: Path,
    small_disk: Path,
    tally: Counter[str],
) -> None:
    activity = ACTIVITIES[name]

    def new() -> Path:
        for path in small_disk.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return copy_of(inputs, small_disk)

    def check(ended: Ended) -> None:
        if ended.code == 0:
            assert ended.err == ""
            return
        assert ended.code in activity.codes, ended
        if ended.code == 2:
            assert any(part in told(ended) for part in ("No space left", "os error 28", "disk may be full")), ended.err
        else:
            assert "Traceback" not in ended.err + ended.out

    tally["full disk of its own"] += met("full", activity, whole(activity), commands, new, check)
