"""What several test modules need: the real files, where they are, and encoders made in the tests."""

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def lareqa_folder() -> Path:
    """The folder of the real LAReQA files; the test is skipped where there is none."""
    folder = SHARED / "lareqa"
    if not folder.is_dir():
        pytest.skip(f"no LAReQA files in {folder}")
    return folder


@pytest.fixture
def lareqa_data(lareqa_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, with the package told to read it."""
    monkeypatch.setenv("MTEB_HYBRID_DATA", str(lareqa_folder))
    return lareqa_folder
