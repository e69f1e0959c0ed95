"""What a process holds in memory, from one stage of its work to the next."""

from __future__ import annotations

import threading
from types import TracebackType

import psutil

_EVERY = 0.05  # seconds


class Memory:
    """Samples the memory of this process while it is entered.

    Pages of a file that is mapped into memory are told apart: they count as this process's while there is room, and the
    system takes them back when it wants to.

    Attributes:
        stage: what is being done; set it whenever that changes.
        own: the most bytes that the process had for itself, by stage.
        mapped: the most bytes of files that it shared with the system.
    """

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.own: dict[str, int] = {}
        self.mapped = 0
        self._process = psutil.Process()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._done.wait(_EVERY):
            held = self._process.memory_info()
            self.own[self.stage] = max(self.own.get(self.stage, 0), held.rss - held.shared)
            self.mapped = max(self.mapped, held.shared)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
