"""How long a training run is; known before it begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RunLength:
    """The length of a run in batches and in steps of the optimizer.

    Attributes:
        epoch: batches in an epoch.
        accumulation: batches in a step; the last step of an epoch may have fewer.
        steps: steps of the run.
    """

    epoch: int
    accumulation: int
    steps: int

    @property
    def batches(self) -> int:
        """Batches of the run."""
        return self.batches_by(self.steps)

    def batches_by(self, step: int) -> int:
        """Batches that are done when so many steps are."""
        epochs, rest = divmod(step, _steps(self.epoch, self.accumulation))
        return epochs * self.epoch + min(rest * self.accumulation, self.epoch)


def run_length(training: Mapping[str, Any], epoch: int) -> RunLength:
    """Tell the length of a run as the trainer does.

    Args:
        training: the ``training`` part of a recipe.
        epoch: batches in an epoch.
    """
    accumulation = int(training.get("gradient_accumulation_steps", 1))
    steps = int(training.get("max_steps", -1))
    if steps <= 0:
        steps = -int(-float(training.get("num_train_epochs", 3)) * _steps(epoch, accumulation) // 1)
    return RunLength(epoch, accumulation, steps)


def _steps(epoch: int, accumulation: int) -> int:
    return max(1, -(-epoch // accumulation))
