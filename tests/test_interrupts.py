"""Signals in the middle of something short: it is done, and then they take effect."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from mteb_hybrid.alone import alone
from mteb_hybrid.interrupts import held_back
from mteb_hybrid.study.claims import Claims
from mteb_hybrid.whole import discard_folder, replace_folder, scratch_folder, whole_file, whole_folder


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def test_an_interrupt_comes_after_the_block() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), held_back():
        interrupt()
        done.append("first")
        interrupt()
        done.append("second")
    assert done == ["first", "second"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_within_two_blocks_waits_for_the_outer_one() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), held_back():
        with held_back():
            interrupt()
        done.append("outer")
    assert done == ["outer"]


def test_an_error_of_the_block_is_told_of_behind_the_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, held_back():
        interrupt()
        raise ValueError("full")
    assert isinstance(caught.value.__context__, ValueError)


def test_a_handler_of_someone_else_is_called_once_for_each_kind() -> None:
    called: list[int] = []

    def handler(number: int, _: FrameType | None) -> None:
        called.append(number)

    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with held_back():
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGINT):
                signal.raise_signal(number)
            assert called == []
        assert called == [signal.SIGINT, signal.SIGTERM]
        assert signal.getsignal(signal.SIGTERM) is handler
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with held_back():
            interrupt()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_holds_nothing_back() -> None:
    during = []

    def work() -> None:
        with held_back():
            during.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert during == [signal.default_int_handler]


@contextmanager
def interrupted_removals() -> Iterator[None]:
    """Ctrl-C comes right before every file and folder that is taken away, and ends the block."""
    with pytest.MonkeyPatch.context() as patched, pytest.raises(KeyboardInterrupt):
        for name in ("unlink", "rmdir"):
            patched.setattr(os, name, _interrupted(getattr(os, name)))
        yield


def _interrupted(take_away: Callable[..., None]) -> Callable[..., None]:
    def late(*arguments: Any, **options: Any) -> None:
        interrupt()
        take_away(*arguments, **options)

    return late


def some_folder(path: Path) -> Path:
    path.mkdir()
    for name in ("a", "b"):
        (path / name).write_text(name)
    return path


def test_a_file_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with interrupted_removals(), whole_file(tmp_path / "out.json") as partial:
        partial.write_text("half")
        raise ValueError("full")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with interrupted_removals(), whole_folder(tmp_path / "out") as partial:
        (partial / "a").write_text("half")
        raise ValueError("full")
    assert list(tmp_path.iterdir()) == []


def test_a_scratch_folder_leaves_nothing(tmp_path: Path) -> None:
    with interrupted_removals(), scratch_folder(tmp_path) as partial:
        (partial / "a").write_text("not wanted")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_discarded_leaves_nothing(tmp_path: Path) -> None:
    folder = some_folder(tmp_path / "work")
    with interrupted_removals():
        discard_folder(folder)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_replaced_leaves_the_new_one_alone(tmp_path: Path) -> None:
    place, new = some_folder(tmp_path / "corpus"), some_folder(tmp_path / "new")
    (new / "c").write_text("c")
    with interrupted_removals():
        replace_folder(new, place)
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]
    assert (place / "c").exists()


def test_a_lock_is_let_go(tmp_path: Path) -> None:
    with interrupted_removals(), alone(tmp_path / "corpus"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_claim_is_released(tmp_path: Path) -> None:
    with interrupted_removals():
        Claims(tmp_path).take("cell")
    assert list(tmp_path.iterdir()) == []
    claim = Claims(tmp_path).take("cell")
    assert claim is not None
    with interrupted_removals(), claim:
        pass
    assert list(tmp_path.iterdir()) == []
