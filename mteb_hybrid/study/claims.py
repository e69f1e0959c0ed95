"""Claims on units of work, in a folder that several processes and machines share: who does what, and still lives.

The claim on a unit is a file, ``UNIT.1``, that is created only if it is not there, which one process alone can do, and
touched again and again while the work goes on. One that has not been touched for long, or whose process on this
machine is gone, is void: whoever creates ``UNIT.2`` next has the unit, and so on. Nobody renames or replaces another's
file, so that there is nothing to race for but the creation of one file. As the folder's clock may be set forward, which
makes every claim look old, an old one is watched for a while before it is void.
"""

from __future__ import annotations

import _thread
import json
import os
import socket
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from glob import escape
from pathlib import Path
from types import TracebackType

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.interrupts import held_back

STALE_AFTER = 600.0
"""Seconds without a beat after which a claim is void; a machine that slept for less goes on as if nothing was."""

BEAT = 20.0
"""Seconds between two beats."""


@dataclass(frozen=True)
class Holder:
    """Who has a claim.

    Attributes:
        host: the machine's name.
        pid: the process.
        machine: tells machines, their boots and their process spaces apart: a pid means something in one alone.
        since: when the work began, in ISO 8601.
    """

    host: str
    pid: int
    machine: str
    since: str

    def __str__(self) -> str:
        return f"{one_line(self.host, 80)}, process {self.pid}"


class Claims:
    """The claims of one study."""

    def __init__(self, folder: Path, *, stale_after: float = STALE_AFTER, beat: float = BEAT) -> None:
        """Look at a folder of claims.

        Args:
            folder: made when the first claim is.
            stale_after: seconds without a beat after which a claim is void; the same for all who share the folder.
            beat: seconds between two beats of a claim taken here.
        """
        self._folder, self._stale_after, self._beat = folder, stale_after, beat
        self._watched: set[tuple[Path, float]] = set()  # claims without a sign, and when they gave the last

    def take(self, unit: str) -> Claim | None:
        """Claim a unit of work.

        Args:
            unit: its name, which is part of a file's.

        Returns:
            The claim, which is to be released; None if another process has it. Of a claim without a sign this is
            known after two beats only.

        Raises:
            HybridError: the folder cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            now, there = self._now(), self._files(unit)
            if not all(self._is_void(path, now) and self._stays_void(path) for path in there.values()):
                return None
            path = self._folder / f"{unit}.{max(there, default=0) + 1}"
            if not _create(path):
                return None
            # What was there may have been released since, and claimed anew: of two who see each other, both step back.
            others = [other for other in self._files(unit).values() if other != path]
            if not all(self._is_void(other, now) and self._stays_void(other) for other in others):
                path.unlink()
                return None
            for other in others:
                other.unlink(missing_ok=True)
        except OSError as error:
            raise HybridError(
                f"cannot write in {self._folder} ({error.strerror or error}); choose another --output"
            ) from None
        return Claim(path, self._beat)

    def holder(self, unit: str) -> Holder | None:
        """Who has a claim on a unit that is not void; None if nobody has."""
        there = self._files(unit)
        if not there:
            return None
        now = self._now()
        alive = [path for path in there.values() if not self._is_void(path, now)]
        return (read_holder(alive[-1]) or Holder("another machine", 0, "", "")) if alive else None

    def _files(self, unit: str) -> dict[int, Path]:
        """The claims on a unit, by their number, the last one last."""
        found = {}
        for path in self._folder.glob(f"{escape(unit)}.*"):
            name, _, number = path.name.rpartition(".")
            if name == unit and number.isdecimal():
                found[int(number)] = path
        return dict(sorted(found.items()))

    def _is_void(self, path: Path, now: float) -> bool:
        beaten = _beaten(path)
        if beaten is None or now - beaten > self._stale_after:
            return True
        holder = read_holder(path)
        return holder is not None and is_gone(holder)

    def _stays_void(self, path: Path) -> bool:
        """Whether a void claim is still as it was after two beats, in which one that is alive gives a sign."""
        holder = read_holder(path)
        if holder is not None and is_gone(holder):
            return True
        last = _beaten(path)
        if last is not None and (path, last) not in self._watched:
            end = time.monotonic() + 2 * self._beat
            while _beaten(path) == last and (left := end - time.monotonic()) > 0:
                time.sleep(min(left, 1))
            if _beaten(path) not in {last, None}:
                return False
            self._watched.add((path, last))
        return True

    def _now(self) -> float:
        """The time by the clock of the folder, which need not be this machine's."""
        probe = self._folder / f".now-{uuid.uuid4().hex}"
        try:
            probe.touch()
            return probe.stat().st_mtime
        except OSError:  # of a folder that may only be looked at
            return time.time()
        finally:
            with held_back(), suppress(OSError):
                probe.unlink()


class Claim:
    """A unit of work that is this process's own, until it is released at the end of a ``with`` block."""

    def __init__(self, path: Path, beat: float) -> None:
        self._path, self._beat = path, beat
        self._done = threading.Event()
        self._lost = False
        self._thread = threading.Thread(target=self._beat_on, name=f"claim {path.name}", daemon=True)

    @property
    def lost(self) -> bool:
        """Whether another process took the unit: this one slept for too long. The main thread is interrupted then."""
        return self._lost

    def release(self) -> None:
        """Give the unit back."""
        with held_back():
            self._done.set()
            if self._thread.is_alive():
                self._thread.join()
            if not self._lost:
                with suppress(OSError):
                    self._path.unlink(missing_ok=True)

    def __enter__(self) -> Claim:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _beat_on(self) -> None:
        while not self._done.wait(self._beat):
            try:
                os.utime(self._path)
            except FileNotFoundError:
                self._lost = True
                _thread.interrupt_main()
                return
            except OSError:  # a shared folder that is away for a while
                continue


def _beaten(path: Path) -> float | None:
    """When a claim gave its last sign; None if it is gone."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None


def _create(path: Path) -> bool:
    """Create a claim, unless its file is there; it is there whole or not at all, as an empty one says not whose it is.

    Raises:
        OSError: it cannot be written.
    """
    holder = Holder(socket.gethostname(), os.getpid(), _machine(), datetime.now(UTC).isoformat(timespec="seconds"))
    text = json.dumps(asdict(holder))
    written = path.with_name(f".{path.name}.{uuid.uuid4().hex}.claim")
    try:
        written.write_text(text, encoding="utf-8")
        try:
            os.link(written, path)
        except FileExistsError:
            return False
        except OSError:  # a folder without links: a kill between the next two lines holds the others up for a while
            try:
                with path.open("x", encoding="utf-8") as file:
                    file.write(text)
            except FileExistsError:
                return False
            except OSError:  # of a full disk: an empty claim would hold the others up
                path.unlink(missing_ok=True)
                raise
    finally:
        with held_back():
            written.unlink(missing_ok=True)
    return True


def read_holder(path: Path) -> Holder | None:
    """Who made a claim; None while it is being written, or if it holds something else."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Holder(str(values["host"]), int(values["pid"]), str(values["machine"]), str(values["since"]))
    except (OSError, ValueError, LookupError, TypeError, ArithmeticError, RecursionError):
        return None


def is_gone(holder: Holder) -> bool:
    """Whether the process that has a claim was one of this machine, and runs no more."""
    return holder.machine == _machine() and not _is_running(holder.pid)


@cache
def _machine() -> str:
    parts = [socket.gethostname(), f"{uuid.getnode():012x}"]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
    with suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _is_running(pid: int) -> bool:
    if os.name != "posix" or pid <= 0:
        return True  # it cannot be told: the beat decides
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):  # no process has a number as large as that
        return False
    except PermissionError:
        return True
    return True
