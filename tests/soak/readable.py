"""Whether all files in a folder are whole: each is read by its kind. What may be half written is named so."""

from __future__ import annotations

import json
import re
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import yaml
from pyarrow import parquet
from safetensors import safe_open

# What whole.py writes to or puts aside, claims before they are, locks; what the Hub's client writes to; DuckDB's room.
_PARTIAL = re.compile(r"\..+\.(partial|new|old|gone|lock|claim)|.+\.incomplete|\.duckdb|\.now-[0-9a-f]{32}")
_CHECKPOINT = re.compile(r"checkpoint-\d+")
_TEXTS = {".txt", ".md", ".py", ".model", ".jinja", ".lock", ""}


def unreadable(folder: Path) -> Iterator[str]:
    """What lies in a folder under its final name and is not whole, a line each."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not is_partial(path.relative_to(folder)) and not _of_no_checkpoint(path):
            try:
                _reader(path)(path)
            except FileNotFoundError:  # a process that goes on has taken it away
                continue
            except Exception as error:  # whatever a reader raises, the file is not whole
                yield f"{path}: {type(error).__name__}: {str(error)[:200]}"


def leftovers(folder: Path) -> list[Path]:
    """What a killed process had been writing to, and nobody has taken away."""
    return [path for path in folder.rglob("*") if _PARTIAL.fullmatch(path.name)]


def is_partial(path: Path) -> bool:
    """Whether a name, or that of a folder around it, says that it may be half written."""
    return any(_PARTIAL.fullmatch(part) for part in path.parts)


def _of_no_checkpoint(path: Path) -> bool:
    """Whether a file belongs to a checkpoint that is not one: the trainer writes its state last.

    Those before the newest are none either: the trainer takes them away file by file.
    """
    for folder in path.parents:
        if _CHECKPOINT.fullmatch(folder.name):
            return folder != newest_checkpoint(folder.parent)
    return False


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint whose state is there."""
    whole = [path for path in folder.glob("checkpoint-*") if _has_state(path)]
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def _has_state(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / "trainer_state.json").read_text())
    except (OSError, ValueError):
        return False
    return True


def _reader(path: Path) -> Callable[[Path], object]:
    suffix = path.suffix
    if path.parent.name == "claims":
        return _json
    if suffix in _READERS:
        return _READERS[suffix]
    if suffix in _TEXTS or path.parent.name == "revisions":
        return _text
    raise ValueError(f"no reader for {path.name}")


def _json(path: Path) -> None:
    json.loads(path.read_text(encoding="utf-8"))


def _lines(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not text or text.endswith("\n")
    for line in text.splitlines():
        json.loads(line)


def _text(path: Path) -> None:
    path.read_text(encoding="utf-8")


def _yaml(path: Path) -> None:
    assert yaml.safe_load(path.read_text(encoding="utf-8")) is not None


def _toml(path: Path) -> None:
    assert tomllib.loads(path.read_text(encoding="utf-8"))


def _parquet(path: Path) -> None:
    parquet.read_table(path)


def _safetensors(path: Path) -> None:
    with safe_open(path, framework="numpy") as file:
        for name in file.keys():  # noqa: SIM118  # it is no mapping
            file.get_tensor(name)


def _numpy(path: Path) -> None:
    np.load(path, allow_pickle=False)


def _archive(path: Path) -> None:
    """What torch writes: a zip archive, whose checksums say whether it is whole; nothing in it is loaded."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None


def _svg(path: Path) -> None:
    ElementTree.fromstring(path.read_bytes())


_READERS: dict[str, Callable[[Path], object]] = {
    ".json": _json,
    ".jsonl": _lines,
    ".yaml": _yaml,
    ".toml": _toml,
    ".parquet": _parquet,
    ".safetensors": _safetensors,
    ".npy": _numpy,
    ".npz": _archive,
    ".pt": _archive,
    ".pth": _archive,
    ".bin": _archive,
    ".svg": _svg,
}
