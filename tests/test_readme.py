"""What the README shows works as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from mteb_hybrid import load_collection

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """The rows that the README shows, in the file it names."""
    rows = [line.strip() for line in README.splitlines() if line.strip().startswith('{"role"')]
    assert len(rows) == 4
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def test_the_rows_are_a_collection(mine: Path) -> None:
    collection = load_collection(mine)
    assert collection.languages == ("de", "en")
    assert collection.passages["en"].groups == (("7",), ())


@pytest.mark.slow
def test_the_python_example_runs(mine: Path) -> None:
    (example,) = re.findall(r"```python\n(import mteb\n.*?)```", README, flags=re.DOTALL)
    code = example.replace("our-hybrid-labse", "mteb-hybrid/tiny").replace("aggregate())", "aggregate(), cache=None)")
    code += "print(round(results.task_results[0].main_score, 3))"
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(mine.parent)}
    command = [sys.executable, "-c", dedent(code)]
    process = subprocess.run(
        command, cwd=mine.parent, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert process.returncode == 0, process.stderr
    assert 0 < float(process.stdout.split()[-1]) <= 1
