"""The folder of a study."""

from __future__ import annotations

import json
import time
from pathlib import Path

from mteb_hybrid.doctor.finding import Finding, Findings, ok, wrong
from mteb_hybrid.errors import HybridError
from mteb_hybrid.reporting.remedies import read_rows
from mteb_hybrid.study.claims import STALE_AFTER, is_gone, read_holder

_PARTS = ("claims", "revisions", "failed", "rows.json", "scores.json")
_TABLES = ("rows.json", "scores.json")


def is_study(folder: Path) -> bool:
    """Whether a folder is that of a study."""
    return (folder / "models").is_dir() and any((folder / part).exists() for part in (*_PARTS, "results"))


def examine_study(folder: Path) -> Findings:
    """Claims, rows and what failed; models and results are looked at as such."""
    claims = sorted(path for path in (folder / "claims").glob("*.*") if not path.name.startswith("."))
    yield from map(_claim, claims)
    for path in (folder / name for name in _TABLES):
        if path.is_file() and (fault := _table_fault(path)):
            yield wrong(f"{path} is damaged ({fault}): delete it, and the next run of the study writes it")
    for path in sorted((folder / "revisions").glob("[!.]*")):
        if len(path.read_text(encoding="utf-8", errors="replace").split()) != 2:
            yield wrong(f"{path} is damaged: delete it, and the next run of the study writes it")
    for path in sorted((folder / "failed").glob("*.txt")):
        why = next(iter(path.read_text(encoding="utf-8", errors="replace").splitlines()), "")
        yield wrong(f"{path.stem} failed the last time ({why}; more in {path}): mend that, and run the study again")
    yield ok(f"{folder} is a study with {len(claims)} units that somebody is at or was")


def _claim(path: Path) -> Finding:
    holder = read_holder(path)
    age = time.time() - path.stat().st_mtime
    delete = "delete it, or leave it to the next run, which takes it over"
    if holder is None:
        return wrong(f"{path} is no claim (empty or damaged): delete it")
    if is_gone(holder):
        return wrong(f"{path} is a claim of {holder}, which is gone: {delete}")
    if age > STALE_AFTER:
        return wrong(f"{path} is a claim of {holder}, which has given no sign for {age / 60:.0f} minutes: {delete}")
    if age < -STALE_AFTER:
        return wrong(
            f"{path} is dated {-age / 60:.0f} minutes ahead, as a clock was set back: if {holder} is gone, delete it"
        )
    return ok(f"{path.name.rpartition('.')[0]} is being done by {holder}")


def _table_fault(path: Path) -> str | None:
    try:
        values = json.loads(path.read_bytes())
        if values and path.name == "rows.json":
            read_rows(path)
        elif not _is_table(values):
            return "it is no list of records that name a model"
    except HybridError as error:
        return str(error)
    except OSError as error:
        return str(error.strerror or error)
    except (ValueError, RecursionError):
        return "cut short, or not JSON"
    return None


def _is_table(rows: object) -> bool:
    return isinstance(rows, list) and all(isinstance(row, dict) and row.get("model") for row in rows)
