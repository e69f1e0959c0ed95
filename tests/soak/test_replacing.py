"""Folders that are replaced and taken away: whatever ends a process in between, one of the two is found whole."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from mteb_hybrid.whole import discard_folder, put_back, replace_folder


class Killed(BaseException):
    """What ends it."""


def kill_at(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """End at the n-th thing that changes a folder, from 0; none after that is done."""
    left = number

    def counted(function: object) -> object:
        def call(*args: object, **kwargs: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return function(*args, **kwargs)  # type: ignore[operator]

        return call

    for name in ("rename", "unlink", "rmdir"):
        monkeypatch.setattr(os, name, counted(getattr(os, name)))


def folder_of(path: Path, text: str) -> Path:
    path.mkdir()
    for name in ("a", "b"):
        (path / name).write_text(text)
    return path


def texts(folder: Path) -> list[str]:
    return [path.read_text() for path in sorted(folder.iterdir())]


@pytest.mark.parametrize("number", range(7))
def test_a_replacement(number: int, tmp_path: Path) -> None:
    place, new = folder_of(tmp_path / "corpus", "old"), folder_of(tmp_path / "corpus.new", "new")
    with pytest.MonkeyPatch.context() as patched:
        kill_at(patched, number)
        with pytest.raises(Killed):
            replace_folder(new, place)
    put_back(place)
    assert texts(place) == (["old"] * 2 if number < 3 else ["new"] * 2)
    replace_folder(new if new.exists() else folder_of(new, "new"), place)
    assert texts(place) == ["new"] * 2
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


@pytest.mark.parametrize("number", range(4))
def test_what_is_taken_away(number: int, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "corpus.building", "half")
    with pytest.MonkeyPatch.context() as patched:
        kill_at(patched, number)
        with pytest.raises(Killed):
            discard_folder(folder)
    assert not folder.exists() or texts(folder) == ["half"] * 2
    discard_folder(folder)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_put_back_where_something_is(tmp_path: Path) -> None:
    place = folder_of(tmp_path / "corpus", "new")
    folder_of(tmp_path / ".corpus.old", "old")
    put_back(place)
    assert texts(place) == ["new"] * 2
    shutil.rmtree(place)
    put_back(place)
    assert texts(place) == ["old"] * 2
