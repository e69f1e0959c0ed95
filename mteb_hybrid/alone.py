"""One process at a time at a file or a folder: a lock of the system, which ends with the process, however it ends.

The lock is on a file ``.NAME.lock`` beside it, which is taken away again; what a killed process left of it holds nobody
up. Where there is no such lock (Windows, some shared folders), everybody goes on as if alone.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mteb_hybrid.errors import HybridError
from mteb_hybrid.interrupts import held_back

if sys.platform != "win32":
    import fcntl

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL}

_held: set[int] = set()


@contextmanager
def alone(path: Path, instead: str = "", *, wait: bool = False) -> Iterator[None]:
    """Keep other processes from a file or a folder, which need not be there, but the folder above it must.

    Args:
        path: what is worked on.
        instead: what a user can do who does not want to wait, for the error's text.
        wait: wait until nobody else is at it.

    Raises:
        HybridError: another process is at it.
        OSError: nothing can be written beside it.
    """
    if sys.platform == "win32":
        yield
        return
    place = _place(path)
    descriptor = _locked(place, wait)
    if descriptor is None:
        way = f", or {instead}" if instead else ""
        raise HybridError(f"another process is at work on {path}; wait until it is done{way}")
    _held.add(descriptor)
    try:
        yield
    finally:
        with held_back():
            with suppress(OSError):
                place.unlink()  # before it is let go: whoever waits for it looks whether it is still there
            _held.discard(descriptor)
            os.close(descriptor)


def holder_of(path: Path) -> int | None:
    """The process of this machine that is alone at a path; None if there is none, or it cannot be told.

    Nothing is locked or written for it: the kernel's list of locks is read, where there is one.
    """
    try:
        inode = os.stat(_place(path)).st_ino
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:  # 1: FLOCK ADVISORY WRITE 4242 fd:01:1234 0 EOF
        match line.split():
            case [_, "FLOCK", _, _, pid, place, *_] if place.rpartition(":")[2] == str(inode):
                return int(pid)
    return None


def _place(path: Path) -> Path:
    return path.absolute().with_name(f".{path.absolute().name}.lock")


def _locked(place: Path, wait: bool) -> int | None:
    """The file, open and locked; None if another process has it."""
    while True:
        descriptor = os.open(place, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if os.path.samestat(os.fstat(descriptor), os.stat(place)):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except FileNotFoundError:  # whoever had it took it away: there is a new one, or none
            pass
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return descriptor
            os.close(descriptor)
            raise
        os.close(descriptor)


def _let_go() -> None:
    """In a child, which may outlive the process that is at work."""
    while _held:
        with suppress(OSError):
            os.close(_held.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
