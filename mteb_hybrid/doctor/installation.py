"""Whether the package is installed once, is the one that is imported, and is loaded at start-up."""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path, PurePosixPath

import mteb_hybrid
from mteb_hybrid import _autoload
from mteb_hybrid.doctor.finding import Findings, ok, wrong

STARTUP = "mteb_hybrid.start" if sys.version_info >= (3, 15) else "mteb_hybrid.pth"
"""What loads the plugin at start-up."""

_HOOK = "mteb_hybrid_start"  # what the .pth file calls what it leaves on sys.meta_path
_AGAIN = "pip install --force-reinstall --no-deps mteb-hybrid"


def installations() -> Findings:
    """Several installations of the package, or another one that is imported."""
    found = _installed()
    places = sorted(found)
    if len(places) > 1:
        listed = " and ".join(f"{found[place].version} in {place}" for place in places)
        yield wrong(
            f"mteb-hybrid is installed {len(places)} times, {listed}: pip uninstall mteb-hybrid, until none is left"
        )
        return
    for place, each in found.items():
        imported = Path(mteb_hybrid.__file__).resolve().parent.parent
        if not _is_editable(each) and str(imported) != place:
            yield wrong(
                f"mteb_hybrid is imported from {imported}, and version {each.version} is installed in {place}: go to "
                "another folder, or take that one off PYTHONPATH"
            )
        else:
            yield ok(f"imported from {imported}")


def _installed() -> dict[str, Distribution]:
    """Each installation by its folder, first the one that comes first; what a build left among sources is none."""
    places = [(Path(str(each.locate_file(""))).resolve(), each) for each in distributions(name="mteb-hybrid")]
    found: dict[str, Distribution] = {}
    for place, each in places:
        if not (place / "pyproject.toml").exists():
            found.setdefault(str(place), each)
    return found


def start_up() -> Findings:
    """The file that loads the plugin in every process: whether it is there, as it was installed, and was read."""
    installed = next(iter(_installed().values()), None)
    if installed is None:  # told with the versions
        return
    recorded = _recorded(installed)
    if recorded is None:
        yield wrong(f"mteb-hybrid was installed without {STARTUP}, so that mteb does not know it at start-up: {_AGAIN}")
        return
    path, digest = recorded
    if not path.is_file():
        yield wrong(f"{path} is gone, so that mteb does not know the plugin at start-up: {_AGAIN}")
    elif digest and _digest(path) != digest:
        yield wrong(f"{path} is not the one that was installed: {_AGAIN}")
    else:
        yield from read_at_start(path, sys.meta_path)


def read_at_start(path: Path, finders: Sequence[object]) -> Findings:
    """Whether this process has read the file: an interpreter without ``site``, or another folder, does not."""
    if _autoload.switched_off() or any(_HOOK in str(finder) for finder in finders):
        yield ok(f"{path} is read at start-up")
    else:
        yield wrong(
            f"{path} was not read when this process began: use the Python that it is installed for, without -S, -I or "
            "a changed PYTHONHOME"
        )


def _recorded(installed: Distribution) -> tuple[Path, str] | None:
    """Where the file was put and its digest, if that is known; ``Distribution.files`` leaves out what is gone."""
    for row in csv.reader((installed.read_text("RECORD") or "").splitlines()):
        name, digest, *_ = [*row, "", ""]
        if PurePosixPath(name).name == STARTUP:
            return Path(str(installed.locate_file(name))), digest.removeprefix("sha256=")
    return None


def _digest(path: Path) -> str:
    """As RECORD writes it: the SHA-256, URL-safe base64 without padding."""
    return urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).rstrip(b"=").decode()


def _is_editable(each: Distribution) -> bool:
    try:
        return bool(json.loads(each.read_text("direct_url.json") or "{}").get("dir_info", {}).get("editable"))
    except (ValueError, AttributeError):
        return False
