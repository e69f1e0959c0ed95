"""Engines: whoever does the units, the files are the same, and what is done is not done again."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from mteb_hybrid.building.engines import Engine, engine
from mteb_hybrid.errors import HybridError


@dataclass(frozen=True)
class Square:
    """Writes the square of a number, unless it is there; and notes that it was asked."""

    folder: Path
    number: int

    def __call__(self) -> None:
        if self.number == 13:
            raise HybridError("there is no square of 13 here; leave it out")
        target = self.folder / f"{self.number}.txt"
        if not target.exists():
            (self.folder / f"{self.number}.by").write_text(str(os.getpid()))
            target.write_text(str(self.number**2))


def squares(folder: Path, run: Engine, numbers: list[int]) -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    run([Square(folder, number) for number in numbers], "squares")
    return {path.stem: path.read_text() for path in sorted(folder.glob("*.txt"))}


EXPECTED = {str(number): str(number**2) for number in sorted(range(5), key=str)}


@pytest.mark.parametrize("processes", [1, 2])
def test_units_through_datasets(tmp_path: Path, processes: int) -> None:
    run = engine("datasets", processes=processes, show_progress_bar=False)
    assert squares(tmp_path / "a", run, [0, 1, 2]) == {name: EXPECTED[name] for name in ("0", "1", "2")}
    workers = {path.read_text() for path in (tmp_path / "a").glob("*.by")}
    assert (str(os.getpid()) in workers) == (processes == 1)
    (tmp_path / "a" / "1.by").unlink()
    assert squares(tmp_path / "a", run, list(range(5))) == EXPECTED
    assert not (tmp_path / "a" / "1.by").exists()
    assert squares(tmp_path / "b", run, []) == {}
    with pytest.raises(HybridError, match="no square of 13"):
        squares(tmp_path / "b", run, [12, 13])


def test_ray_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(HybridError, match=r"pip install 'mteb-hybrid\[ray\]'"):
        engine("ray")
