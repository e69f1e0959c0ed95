"""Interrupts that wait until something short is done, so that nobody's second Ctrl-C leaves half of it behind."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def held_back() -> Iterator[None]:
    """Let SIGINT and SIGTERM take effect only when the block is done: for taking away, renaming and letting go.

    What a signal does, it does then, once for each kind. In other threads than the main one, which no signal
    interrupts, and for handlers that were not set from Python nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: set[int] = set()

    def note(number: int, _: FrameType | None) -> None:
        came.add(number)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    ours = {number: handler for number, handler in before.items() if handler is not None}
    try:
        for number in ours:
            signal.signal(number, note)
        yield
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)
        for each in sorted(came):
            signal.raise_signal(each)
