"""The count of cases, and a folder outside of all others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.counting import PROPERTY
from tests.hostile.held import Cases


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder that nothing in ``tmp_path / "inside"`` leads to but a path with dots."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("secret")
    return folder


@pytest.fixture
def cases(request: pytest.FixtureRequest, outside: Path) -> Cases:
    """What readers are given their cases by; the report of the test carries the counts."""
    found = Cases(outside)
    request.node.user_properties.append((PROPERTY, found.readers))
    return found


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """The folder to work in."""
    folder = tmp_path / "inside"
    folder.mkdir()
    return folder
