"""Kills a command again and again at seeded moments, starts it again each time, and looks at what comes out.

Three kinds of moments, all drawn from one seed:

- ``event``: SIGKILL right before the n-th thing that the command does to its files, or the n-th call of what the
  activity names (a step of training, a request to the Hub). The n are spread evenly over an uninterrupted run.
- ``clock``: SIGKILL after a fraction of the time of an uninterrupted run, wherever the process is then.
- ``torn``: the kernel ends the process in the middle of a write, when a file is some bytes long (RLIMIT_FSIZE and
  SIGXFSZ). No code of the process runs after it, as after SIGKILL; they are counted apart all the same.

After every kill all that lies in the folder must be readable whole (``readable.py``); after the last restart the
outcome must be that of an uninterrupted run.

``SOAK=1`` selects the long form, ``SOAK_KILLS`` how many SIGKILLs an activity gets (40, in the short form 3; beside
them a quarter as many torn writes), and ``SOAK_SEED`` the seed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from tests.soak.readable import leftovers, unreadable

ROOT = Path(__file__).parents[2]
LONG = os.environ.get("SOAK") == "1"
KILLS = int(os.environ.get("SOAK_KILLS", "40" if LONG else "3"))
SEED = int(os.environ.get("SOAK_SEED", "7"))
TORN = KILLS // 4 if LONG else 1

_IN_A_ROUND = 6  # kills until a command is let through, and its outcome looked at


@dataclass(frozen=True)
class Moment:
    """When a command is to end.

    Attributes:
        kind: see above.
        at: the number of an event; of ``clock``, seconds.
        size: of ``torn``: from the event on, bytes after which a file is not written any further.
    """

    kind: Literal["event", "clock", "torn"]
    at: float
    size: int = 0


@dataclass(frozen=True)
class Command:
    """A command line.

    Attributes:
        words: after the program's name.
        main: the program: ``mteb-hybrid`` or ``mteb``.
        before: code to execute before.
        calls: functions whose calls are events as well, as ``module:name``.
        env: more of the environment.
    """

    words: tuple[str, ...]
    main: str = "mteb-hybrid"
    before: str = ""
    calls: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ended:
    """How a command ended: with its exit code, after so many events, and seconds by the clock and of a processor."""

    code: int
    events: int
    seconds: float
    cpu: float
    out: str
    err: str

    @property
    def killed(self) -> bool:
        """Whether it was killed."""
        return self.code in (-signal.SIGKILL, -signal.SIGXFSZ)


class Warm:
    """Runs commands in forks of a process that has imported what they need (``warm.py``)."""

    def __init__(self, home: Path, env: Mapping[str, str]) -> None:
        self._home = home
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.soak.warm"],
            cwd=ROOT,
            env={**env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._server.stdout is not None
        assert self._server.stdout.readline() == "ready\n"

    def __call__(self, command: Command, folder: Path, moment: Moment | None = None) -> Ended:
        """Run a command in a folder, to its end or to a moment."""
        torn = moment is not None and moment.kind == "torn"  # what it prints is a file that could be cut as well
        out, err = (os.devnull, os.devnull) if torn else (str(self._home / "out"), str(self._home / "err"))
        request = {
            "main": command.main,
            "words": command.words,
            "before": command.before,
            "calls": command.calls,
            "env": {"MTEB_HYBRID_MODELS": str(folder / "models.toml"), **command.env},
            "folder": str(folder),
            "moment": None if moment is None else vars(moment),
            "out": out,
            "err": err,
        }
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        answer = json.loads(self._server.stdout.readline())
        told = [Path(path).read_text(errors="replace") for path in (out, err)]
        return Ended(answer["code"], answer["events"], answer["seconds"], answer["cpu"], *told)

    def close(self) -> None:
        """End the process."""
        self._server.communicate(timeout=60)


@dataclass(frozen=True)
class Activity:
    """What is killed.

    Attributes:
        name: of the activity.
        compared: what of the outcome must be the same, and how.
        lay_out: fills a new folder with what the command needs.
        command: the command for a folder as it is now: a user who starts it again may have to say so.
        outcome: of a folder in which it has ended; compared with ``==``.
        whole: folders that are there whole or not at all.
        check: what else must hold after every kill.
    """

    name: str
    compared: str
    lay_out: Callable[[Path], object]
    command: Callable[[Path], Command]
    outcome: Callable[[Path], Any]
    whole: tuple[str, ...] = ()
    check: Callable[[Path], None] = lambda _: None


@dataclass
class Tally:
    """What an activity has been through."""

    kills: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    runs: int = 0
    left: int = 0
    cpu: float = 0.0
    events: int = 0

    def line(self, activity: Activity, seconds: float) -> str:
        """The counts, as they can be quoted."""
        kinds = self.kills
        return (
            f"{activity.name}: {kinds['event'] + kinds['clock']} SIGKILLs ({kinds['event']} at one of {self.events} "
            f"events, {kinds['clock']} by the clock) and {kinds['torn']} within a write in {self.rounds} rounds, "
            f"{sum(kinds.values())} restarts; compared: {activity.compared}; lost: nothing; "
            f"{self.left} temporary files left; {self.runs} runs, {seconds:.0f} s, {self.cpu:.0f} s of a processor; "
            f"seed {SEED}"
        )


def soak(activity: Activity, warm: Warm, folder: Path) -> str:
    """Kill an activity as often as asked for.

    Args:
        activity: what.
        warm: runs it.
        folder: an empty one, for all rounds.

    Returns:
        A line that tells what was done.
    """
    began, tally = time.monotonic(), Tally()
    whole = folder / "whole"
    run, sizes = _first(activity, warm, whole)
    tally.runs, tally.cpu, tally.events = 1, run.cpu, run.events
    expected = activity.outcome(whole)
    assert expected
    parts = {name: _names(whole / name) for name in activity.whole}
    assert all(parts.values())
    waiting = list(_moments(activity.name, run, sizes))
    while waiting:
        place = folder / f"round-{tally.rounds}"
        place.mkdir()
        activity.lay_out(place)
        _round(activity, warm, place, waiting, tally, parts)
        found = activity.outcome(place)
        assert found == expected, f"{place} came out differently: {differences(found, expected)}"
        tally.left += len(leftovers(place))
        tally.rounds += 1
    return tally.line(activity, time.monotonic() - began)


def differences(found: Any, expected: Any, where: str = "") -> list[str]:
    """Where two outcomes differ, a short line each."""
    if isinstance(found, dict) and isinstance(expected, dict):
        keys = sorted({*found, *expected}, key=str)
        pairs = [(f"{where}/{key}", found.get(key), expected.get(key)) for key in keys]
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        pairs = [(f"{where}/{place}", *pair) for place, pair in enumerate(zip(found, expected, strict=True))]
    else:
        return [f"{where}: {found!r:.200}, not {expected!r:.200}"]
    return [line for place, one, other in pairs if one != other for line in differences(one, other, place)]


def _first(activity: Activity, warm: Warm, folder: Path) -> tuple[Ended, list[int]]:
    """An uninterrupted run, and how long the files are that it has written and left."""
    folder.mkdir()
    activity.lay_out(folder)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    run = warm(activity.command(folder), folder)
    assert run.code == 0, run.err[-3000:]
    assert run.events > 5
    _check(folder, {})
    new = [path for path in folder.rglob("*") if path.is_file() and path.stat().st_mtime_ns != before.get(path)]
    return run, sorted(path.stat().st_size for path in new)


def _round(
    activity: Activity,
    warm: Warm,
    folder: Path,
    waiting: list[Moment],
    tally: Tally,
    parts: Mapping[str, frozenset[str]],
) -> None:
    """Kill and start again until it ends by itself; a moment at which nothing was killed waits for the next round."""
    for number in range(_IN_A_ROUND + 1):
        moment = waiting.pop(0) if waiting and number < _IN_A_ROUND else None
        ended = warm(activity.command(folder), folder, moment)
        tally.runs += 1
        tally.cpu += ended.cpu
        _check(folder, parts)
        activity.check(folder)
        if not ended.killed:
            assert ended.code == 0, (ended.code, moment, ended.err[-3000:])
            if moment is not None:  # it ended before: a part had been done already, or no file was so long
                earlier = moment.at * 0.7
                earlier = earlier if moment.kind == "clock" else max(1, int(earlier))
                waiting.insert(0, replace(moment, at=earlier, size=moment.size // 4))
            return
        assert moment is not None
        tally.kills[moment.kind] += 1
    raise AssertionError("not reached: the last run of a round has no moment")


def _moments(name: str, run: Ended, sizes: list[int]) -> Iterator[Moment]:
    """All moments of an activity, in a seeded order."""
    draw = random.Random(f"{SEED} {name}")
    clocks = max(1, KILLS // 4)
    events = [
        Moment("event", 1 + int((number + draw.random()) / (KILLS - clocks) * run.events))
        for number in range(KILLS - clocks)
    ]
    by_clock = [Moment("clock", (number + draw.random()) / clocks * 0.9 * run.seconds) for number in range(clocks)]
    torn = [
        Moment("torn", 1 + int(draw.random() * 0.8 * run.events), int(draw.random() * draw.choice(sizes)))
        for _ in range(TORN)
    ]
    moments = [*events, *by_clock, *torn]
    draw.shuffle(moments)
    yield from moments


def _check(folder: Path, parts: Mapping[str, frozenset[str]]) -> None:
    """Nothing is half written under its final name."""
    faults = list(unreadable(folder))
    assert not faults, faults
    for name, files in parts.items():
        found = folder / name
        assert not found.exists() or _names(found) >= files, f"{found} is not whole: {sorted(files - _names(found))}"


def _names(folder: Path) -> frozenset[str]:
    return frozenset(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
