"""A collection of the user's own as mteb tasks."""

from __future__ import annotations

import re

from mteb.abstasks.abstask import AbsTask

from mteb_hybrid.data.collection import ParallelCollection
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.evaluation.declare import ParallelBenchmark, declare


def collection_tasks(collection: ParallelCollection) -> tuple[type[AbsTask], ...]:
    """Make the mteb tasks of a collection: the three settings, language bias and the aggregate.

    The revision in the tasks' metadata is the fingerprint of the collection's content.

    Returns:
        Task classes, the aggregate last; ``register_tasks`` makes them known by name.

    Raises:
        HybridError: the collection's name cannot be a task's, or a language's tag cannot be a subset's.
    """
    check_name(collection.name)
    for tag in collection.languages:
        if "_" in tag:  # which stands for a hyphen in the names of subsets
            raise HybridError(f"language tag {one_line(tag, 60)!r} has an underscore; write it with a hyphen")
    tasks = declare(
        ParallelBenchmark(
            name=collection.name,
            title=collection.name,
            description="A parallel collection of the user's own.",
            load=lambda: collection,
            languages=collection.languages,
            dataset={"path": collection.name, "revision": collection.revision},
        ),
        collection,
    )
    for task in tasks:
        task.of_own_collection = True  # type: ignore[attr-defined]  # read by register_tasks
    return tasks


def check_name(name: str) -> str:
    """Give the name back, if the name of a task can begin with it.

    Raises:
        HybridError: it cannot.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise HybridError(f"{one_line(name, 60)!r} cannot name a task: use letters, digits, dashes and underscores")
    return name
