"""How a command ends that is ended from outside, or by the system: one line, and an exit code that says so."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from mteb_hybrid.commands.options import print_no_more
from mteb_hybrid.errors import Terminated, one_line


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Let SIGTERM end the command as Ctrl-C does, so that what is half written is taken away."""
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _raise)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _raise(_: int, frame: FrameType | None) -> NoReturn:
    raise Terminated


def tell_interrupted(error: KeyboardInterrupt, *, for_good: bool) -> int:
    """Say that a command was interrupted, whatever else the user presses meanwhile.

    Args:
        error: what interrupted it.
        for_good: the process ends now: it heeds no more signals.

    Returns:
        The exit code: 128 and the number of the signal.
    """
    before = _ignore()
    terminated = isinstance(error, Terminated)
    what = "terminated" if terminated else "interrupted"
    print(f"mteb-hybrid: {what}; the same command goes on where it stopped", file=sys.stderr)
    if not for_good:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 + (signal.SIGTERM if terminated else signal.SIGINT)


def _ignore() -> dict[signal.Signals, signal.Handlers]:
    if threading.current_thread() is not threading.main_thread():
        return {}
    before = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        handler = signal.signal(number, signal.SIG_IGN)
        before[number] = signal.SIG_DFL if handler is _raise else handler
    return before  # type: ignore[return-value]  # or functions


def tell_os_error(error: OSError, *, has_verbosity: bool) -> int:
    """Say what the system refused, and return the exit code of faults that the user can mend.

    Args:
        error: what it said.
        has_verbosity: whether the command has ``-v``, which tells more.
    """
    try:
        sys.stdout.flush()
    except OSError:  # it is standard output itself that cannot be written, and nobody else shall try
        print_no_more()
    what = f"{error.filename}: " if error.filename is not None else ""
    reason = error.strerror or f"{type(error).__name__}: {error}"
    more = " (-v tells where it came from)" if has_verbosity else ""
    line = one_line(f"{what}{reason}; mend that, and give the same command again{more}", 1000)
    print(f"mteb-hybrid: {line}", file=sys.stderr)
    return 2
