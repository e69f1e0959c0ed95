"""Several processes that share work, started by ``accelerate launch`` or ``torchrun``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

T = TypeVar("T")

_PATIENCE = timedelta(days=30)
"""How long a process waits for the others: the default of half an hour is less than a shard may take."""


@dataclass(frozen=True)
class Processes:
    """This process among those that share the work.

    Attributes:
        index: of this process.
        count: of all.
        local_index: of this process among those of its machine.
    """

    index: int = 0
    count: int = 1
    local_index: int = 0
    _state: Any = None

    @property
    def is_main(self) -> bool:
        """Whether this is the process that does what only one may do."""
        return self.index == 0

    def share(self, work: Sequence[T]) -> Sequence[T]:
        """The part of this process: every n-th piece."""
        return work[self.index :: self.count]

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self._state is not None:
            self._state.wait_for_everyone()

    def device(self, asked: str | None) -> str | None:
        """The device of this process: as asked, or of several processes and GPUs each its own."""
        if asked is not None or self.count == 1:
            return asked
        import torch

        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return f"{found.type}:{self.local_index % torch.accelerator.device_count()}" if found else None


def this_process() -> Processes:
    """Find out how many processes were started, and meet them (by gloo: only to wait for each other)."""
    if int(os.environ.get("WORLD_SIZE", "1")) <= 1:
        return Processes()
    from accelerate import PartialState

    state = PartialState(cpu=True, timeout=_PATIENCE)
    return Processes(state.process_index, state.num_processes, state.local_process_index, state)
