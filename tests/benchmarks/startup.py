"""What the start-up line costs every Python process, and ``import mteb``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SWITCH = "MTEB_HYBRID_AUTOLOAD"


def measure_startup(repeats: int, import_repeats: int) -> dict[str, Any]:
    """Milliseconds of processes with and without the start-up line, taken in turns.

    The line is read as at start-up: by ``site``, from the ``mteb_hybrid.pth`` of a folder (a temporary one, so that
    it does not matter whether the package is installed). ``python -c pass`` is run without any other site folder
    (``-S``); ``import mteb`` in the environment as it is, and switched off in the environment variable.
    """
    with tempfile.TemporaryDirectory() as folder:
        empty, active = Path(folder) / "empty", Path(folder) / "active"
        empty.mkdir()
        active.mkdir()
        shutil.copy(ROOT / "mteb_hybrid.pth", active)
        bare: list[tuple[list[str], dict[str, str]]] = [
            (["-I", "-S", "-c", _site(site, "pass")], {}) for site in (empty, active)
        ]
        load = [(["-c", _site(active, "import mteb")], {SWITCH: switch}) for switch in ("0", "1")]
        return {
            "python -c pass": _in_turns(bare, repeats),
            "import mteb": _in_turns(load, import_repeats),
        }


def _site(folder: Path, then: str) -> str:
    return f"import site; site.addsitedir({str(folder)!r}); {then}"


def _in_turns(commands: list[tuple[list[str], dict[str, str]]], repeats: int) -> dict[str, Any]:
    times: list[list[float]] = [[] for _ in commands]
    for turn in range(repeats + 1):  # the first, which fills the disk cache, does not count
        for arguments, variables in commands if turn % 2 else commands[::-1]:
            taken = _milliseconds(arguments, variables)
            if turn:
                times[commands.index((arguments, variables))].append(taken)
    without, with_line = (median(taken) if taken else float("nan") for taken in times)
    return {"without": without, "with": with_line, "cost": with_line - without, "repeats": repeats, "all": times}


def _milliseconds(arguments: list[str], variables: dict[str, str]) -> float:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = os.environ | variables | {"PYTHONPATH": path}
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], env=environment, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - start) * 1000
