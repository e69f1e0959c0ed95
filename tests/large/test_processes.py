"""Encoding in real processes: several by torchrun (``make soak``), and the faults that the commands tell."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mteb_hybrid.cli import main
from mteb_hybrid.data.own import save_collection
from mteb_hybrid.data.world import generate_world
from mteb_hybrid.large.folder import open_folder
from tests.test_cli import child_environment


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "mine.jsonl"
    save_collection(generate_world(40, languages=("en", "de", "ru"), name="mine"), path)
    return path


def digests(folder: Path) -> dict[str, str]:
    """The checksum of every file."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("SOAK") != "1", reason="minutes of processor time; SOAK=1 runs it")
def test_two_processes_by_torchrun_write_the_bytes_of_one(data: Path, tmp_path: Path) -> None:
    words = ("encode", "mine.jsonl", "-m", "mteb-hybrid/tiny", "-o")
    assert main(["encode", str(data), *words[2:], str(tmp_path / "one"), "-q"]) == 0
    launch = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    done = subprocess.run(
        [*launch, "-m", "mteb_hybrid", *words, "two"],
        env=child_environment(tmp_path) | {"OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "next: mteb-hybrid rank two"
    assert done.stdout.count("texts to encode") == 1  # one of them tells
    assert digests(tmp_path / "two") == digests(tmp_path / "one")
    open_folder(tmp_path / "two")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("encode", "nowhere.jsonl", "-m", "mteb-hybrid/tiny", "-o", "out"), "nowhere.jsonl is not there"),
        (("encode", "mine.jsonl", "-m", "no-such-model", "-o", "out"), "no-such-model"),
        (("encode", "mine.jsonl", "-m", "mteb-hybrid/tiny", "-o", "mine.jsonl"), "mine.jsonl"),
        (("encode", "mine.jsonl", "-m", "mteb-hybrid/tiny", "-o", "out", "--name", "a b"), "cannot name a task"),
        (("rank", "nowhere"), "nowhere is no folder"),
        (("rank", "."), "has no vectors"),
        (("rank", "nowhere", "--memory", "much"), "--memory 'much' is no amount of memory"),
    ],
)
def test_faults_in_one_line(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(data.parent)
    assert main(words) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("mteb-hybrid: ")
    assert told in error
