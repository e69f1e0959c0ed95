"""What must hold whatever a reader is given: a good result or one plain line; nothing run, and nothing read astray."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mteb_hybrid.errors import HybridError

LONGEST_LINE = 600

_RUNS = {"os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "os.fork", "pickle.find_class"}


class _Watch:
    """Listens to what the interpreter is asked to do; an audit hook cannot be taken away, so there is one."""

    def __init__(self) -> None:
        self.forbidden: Path | None = None
        self.seen: list[str] = []
        self.on = False
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event in _RUNS:
            self.seen.append(f"{event} {str(arguments)[:200]}")
        elif event == "open" and self.forbidden is not None and isinstance(arguments[0], str | bytes):
            path = os.path.realpath(os.fsdecode(arguments[0]))
            if path.startswith(f"{self.forbidden}{os.sep}"):
                self.seen.append(f"open {path}")


_watch: _Watch | None = None


def _watching() -> _Watch:
    global _watch  # noqa: PLW0603  # a hook for the whole life of the process
    if _watch is None:
        _watch = _Watch()
    return _watch


@dataclass
class Cases:
    """The cases that readers were given in one test.

    Attributes:
        readers: reader to how many cases it refused in one line, how many it took, and how many tracebacks there were.
        outside: a folder that no reader has any business in.
    """

    outside: Path | None = None
    readers: dict[str, list[int]] = field(default_factory=dict)

    def hold(self, reader: str, call: Callable[[], Any]) -> Any:
        """Let a reader read one case.

        Args:
            reader: its name.
            call: reads it.

        Returns:
            What it gave; None if it refused.

        Raises:
            AssertionError: its line is no line for a user, or it ran, opened or left something.
            Exception: what the reader should have told in one line.
        """
        counts = self.readers.setdefault(reader, [0, 0, 0])
        watch = _watching()
        watch.forbidden, watch.seen = self.outside and self.outside.resolve(), []
        watch.on = True
        try:
            result = call()
        except HybridError as error:
            counts[0] += 1
            check_line(str(error))
            result = None
        except Exception:
            counts[2] += 1
            raise
        else:
            counts[1] += 1
        finally:
            watch.on = False
        assert not watch.seen, watch.seen
        return result

    def took(self, reader: str) -> int:
        """How many cases a reader took for good ones."""
        return self.readers.get(reader, [0, 0, 0])[1]


def check_line(line: str) -> None:
    """Raise an AssertionError unless a text is one line that a terminal shows as it is."""
    assert line.strip(), "an empty line"
    assert len(line) < LONGEST_LINE, f"{len(line)} characters: {line[:200]}…"
    assert line.isprintable(), f"control characters: {line!r}"
    assert "Traceback" not in line


def check_output(text: str) -> None:
    """Raise an AssertionError unless a terminal shows all of a text as lines of text."""
    for line in text.split("\n"):
        assert line.isprintable(), f"control characters: {line[:300]!r}"
