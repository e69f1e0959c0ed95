"""What runs the same work on many shards: processes of this machine through ``datasets``, or a cluster through Ray.

A unit of work reads files and writes files, whole or not at all, and does nothing where its outcome is there already.
So it does not matter who does it, in which order, or how often; and where it is killed, it is done again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from mteb_hybrid.errors import HybridError

Name = Literal["datasets", "ray"]


class Unit(Protocol):
    """A unit of work. It can be pickled."""

    def __call__(self) -> object:
        """Do it, unless it is done; what it returns is not looked at."""


Engine = Callable[[Sequence[Unit], str], None]
"""Does all units; the text says what they are, for the progress bar. What a unit raises ends it."""


def engine(name: Name, *, processes: int = 1, show_progress_bar: bool = True) -> Engine:
    """What runs units of work.

    Args:
        name: ``datasets``: processes of this machine. ``ray``: Ray Data, on the cluster that ``RAY_ADDRESS`` names,
            else on this machine; all its machines must see the same folders under the same names.
        processes: how many units run at once.
        show_progress_bar: count the shards that are done.

    Raises:
        HybridError: the engine is not installed.
    """
    if name == "ray":
        return _ray(processes, show_progress_bar)

    def run(units: Sequence[Unit], what: str) -> None:
        import datasets

        if not units:
            return
        if not show_progress_bar:
            datasets.disable_progress_bars()
        numbered = datasets.Dataset.from_dict({"unit": list(range(len(units)))})
        numbered.map(
            _Do(tuple(units)),
            num_proc=min(processes, len(units)) if processes > 1 else None,
            new_fingerprint="units",  # or it pickles all units, to name a cache that nobody reads
            keep_in_memory=True,
            load_from_cache_file=False,
            desc=what,
        )

    return run


class _Do:
    """Does the unit of a row."""

    def __init__(self, units: tuple[Unit, ...]) -> None:
        self._units = units

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        self._units[row["unit"]]()
        return row


class _Tell(_Do):
    """Does the unit of a row, and tells what a user could mend: Ray loses an error's kind."""

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        try:
            super().__call__(row)
        except HybridError as error:
            return {"fault": str(error)}
        return {"fault": ""}


def _ray(processes: int, show_progress_bar: bool) -> Engine:
    try:
        import ray
        import ray.data
    except ImportError:
        raise HybridError("--engine ray needs Ray Data: pip install 'mteb-hybrid[ray]'") from None

    def run(units: Sequence[Unit], what: str) -> None:
        if not units:
            return
        if not ray.is_initialized():
            ray.init(log_to_driver=False, logging_level=logging.WARNING, include_dashboard=False)
        ray.data.DataContext.get_current().enable_progress_bars = show_progress_bar
        rows = ray.data.from_items([{"unit": unit} for unit in range(len(units))], override_num_blocks=len(units))
        told = rows.map(_Tell(tuple(units)), concurrency=min(processes, len(units))).take_all()
        fault = next((row["fault"] for row in told if row["fault"]), None)
        if fault:
            raise HybridError(fault)

    return run
