"""What is registered, from where, with which versions, and what is wrong; in folders too.

Nothing is changed, downloaded or executed: the doctor looks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from mteb_hybrid.doctor import data, environment, folders, hub, installation, models, places, registration
from mteb_hybrid.doctor.finding import Finding, Findings, caught

__all__ = ["Finding", "examine"]

_PARTS: dict[str, Callable[[], Findings]] = {
    "versions": environment.versions,
    "requirements": environment.requirements,
    "extras": environment.extras,
    "installation": installation.installations,
    "start-up": installation.start_up,
    "libraries": environment.openmp,
    "registration": registration.registration,
    "models": models.names,
    "data": data.data,
    "results": folders.mteb_cache,
    "Hub": hub.token,
    "disks": places.own_places,
}


def examine(given: Sequence[Path] = ()) -> list[Finding]:
    """Look at the installation, registration, models, data and results, and at folders.

    Args:
        given: folders or files of ours: studies, trainings, models, corpora and their builds, results, debiasings; or
            folders of such.

    Returns:
        A finding for each thing that was looked at, each fault once.
    """
    parts: dict[str, Callable[[], Findings]] = {
        **_PARTS,
        **{str(folder): partial(folders.examine_given, folder) for folder in given},
    }
    return list(dict.fromkeys(finding for name, part in parts.items() for finding in caught(part, name)))
