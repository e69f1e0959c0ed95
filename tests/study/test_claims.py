"""Claims: one process alone has a unit, and what a dead one left is taken over by one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import mteb_hybrid
from mteb_hybrid.errors import HybridError
from mteb_hybrid.study.claims import Claims

ROOT = Path(mteb_hybrid.__file__).parents[1]

# Wait for the start all together, then try to take the unit, and print whether that went well.
TAKER = """
import sys, time
from pathlib import Path
from mteb_hybrid.study.claims import Claims

folder, start = Path(sys.argv[1]), Path(sys.argv[2])
claims = Claims(folder, stale_after=600, beat=5)
print("ready", flush=True)
while not start.exists():
    pass
claim = claims.take("train-a")
print("won" if claim else "lost", flush=True)
if sys.argv[3:]:
    with claim:
        time.sleep(60)
sys.stdin.readline()  # nobody is gone while others still try
"""


def start(folder: Path, signal: Path, *more: str) -> subprocess.Popen[str]:
    """Start a process that takes the unit when there is a signal."""
    process = subprocess.Popen(
        [sys.executable, "-c", TAKER, str(folder), str(signal), *more],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout and process.stdout.readline() == "ready\n"
    return process


def outcomes(folder: Path, signal: Path, processes: int) -> list[str]:
    """What comes out for so many processes that take the unit at once."""
    started = [start(folder, signal) for _ in range(processes)]
    signal.touch()
    found = [process.stdout.readline().strip() for process in started if process.stdout]
    for process in started:
        process.communicate("\n", timeout=30)
    return sorted(found)


def test_a_unit_is_taken_once_until_it_is_released(tmp_path: Path) -> None:
    claims, others = Claims(tmp_path / "claims"), Claims(tmp_path / "claims")
    claim = claims.take("train-a")
    assert claim is not None
    with claim:
        assert others.take("train-a") is None
        assert claims.take("train-a") is None
        assert others.take("train-b") is not None
        holder = others.holder("train-a")
        assert holder is not None
        assert (holder.pid, str(os.getpid()) in str(holder)) == (os.getpid(), True)
    assert others.holder("train-a") is None
    assert others.take("train-a") is not None


def test_names_that_begin_alike_are_different_units(tmp_path: Path) -> None:
    claims = Claims(tmp_path)
    assert claims.take("train-alpha0.5")
    assert claims.take("train-alpha0")
    assert claims.take("train-alpha0.5.1")


@pytest.mark.parametrize("unit", ["evaluate-models__run[1]", "evaluate-what?", "evaluate-*"])
def test_a_name_may_hold_what_patterns_are_made_of(unit: str, tmp_path: Path) -> None:
    claims = Claims(tmp_path)
    claim = claims.take(unit)
    assert claim is not None
    assert claims.take(unit) is None
    assert claims.holder(unit) is not None
    claim.release()
    assert claims.holder(unit) is None


@pytest.mark.slow
def test_of_many_processes_one_gets_the_unit(tmp_path: Path) -> None:
    assert outcomes(tmp_path / "claims", tmp_path / "go", 6) == ["lost"] * 5 + ["won"]


@pytest.mark.slow
def test_what_a_killed_process_had_is_taken_over_by_one(tmp_path: Path) -> None:
    """At once, as its machine is this one and its process is gone."""
    (tmp_path / "now").touch()
    killed = start(tmp_path / "claims", tmp_path / "now", "hold")
    assert killed.stdout and killed.stdout.readline() == "won\n"
    assert Claims(tmp_path / "claims").take("train-a") is None
    killed.kill()
    killed.communicate()
    assert outcomes(tmp_path / "claims", tmp_path / "go", 6) == ["lost"] * 5 + ["won"]
    assert [path.name for path in (tmp_path / "claims").glob("train-a.*")] == ["train-a.2"]


def test_a_claim_without_a_beat_is_void_and_one_with_is_not(tmp_path: Path) -> None:
    """Of another machine, whose processes nobody can see."""
    path = tmp_path / "train-a.1"
    path.write_text('{"host": "elsewhere", "pid": 1, "machine": "another", "since": "2026-01-01"}')
    claims = Claims(tmp_path, stale_after=100, beat=0.02)
    holder = claims.holder("train-a")
    assert holder is not None
    assert holder.host == "elsewhere"
    assert claims.take("train-a") is None
    long_ago = time.time() - 101
    os.utime(path, (long_ago, long_ago))
    assert claims.holder("train-a") is None
    claim = claims.take("train-a")
    assert claim is not None
    assert [path.name for path in tmp_path.glob("train-a.*")] == ["train-a.2"]


def test_a_clock_that_is_set_forward_takes_nobodys_claim(tmp_path: Path) -> None:
    """Every claim looks old at once. One that is alive beats before it is taken for void, and keeps its unit."""
    claims = Claims(tmp_path, stale_after=100, beat=0.2)
    claim = claims.take("train-a")
    assert claim is not None
    (path,) = tmp_path.glob("train-a.*")
    path.write_text('{"host": "elsewhere", "pid": 1, "machine": "another", "since": "2026-01-01"}')
    with claim:
        before = time.time() - 101
        os.utime(path, (before, before))
        assert claims.take("train-a") is None
        assert not claim.lost
    assert claims.take("train-a") is not None


def test_a_claim_beats(tmp_path: Path) -> None:
    claim = Claims(tmp_path, beat=0.02).take("train-a")
    assert claim is not None
    (path,) = tmp_path.glob("train-a.*")
    with claim:
        os.utime(path, (0, 0))
        deadline = time.monotonic() + 10
        while path.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert not path.exists()
    assert time.monotonic() < deadline


def test_a_process_whose_claim_was_taken_over_is_interrupted(tmp_path: Path) -> None:
    claim = Claims(tmp_path, beat=0.02).take("train-a")
    assert claim is not None
    with pytest.raises(KeyboardInterrupt), claim:
        (tmp_path / "train-a.1").rename(tmp_path / "train-a.2")  # as if another had taken it and removed ours
        threading.Event().wait(10)
    assert claim.lost
    assert (tmp_path / "train-a.2").exists()  # what is another's stays


def test_a_claim_that_is_being_written_counts(tmp_path: Path) -> None:
    (tmp_path / "train-a.1").touch()
    assert Claims(tmp_path).take("train-a") is None
    assert Claims(tmp_path).holder("train-a") is not None


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HybridError, match="cannot write in"):
        Claims(tmp_path / "file").take("train-a")
