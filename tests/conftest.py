"""What several test modules need: the real files, where they are, and encoders made in the tests."""

import os
import signal
import tempfile
from pathlib import Path

import pytest

# Nothing of the machine's user takes part: no names of models, no folder of data.
os.environ["MTEB_HYBRID_MODELS"] = str(Path(tempfile.gettempdir()) / "mteb-hybrid-tests" / "no-models.toml")
os.environ.pop("MTEB_HYBRID_DATA", None)
os.environ.pop("MTEB_HYBRID_HUB", None)

# Ctrl-C is tested also where the tests were started in the background, where a shell lets it be ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how many hostile inputs were tried, in all processes together."""
    from tests.hostile.counting import summary

    line = summary(report for reports in terminalreporter.stats.values() for report in reports)
    if line is not None:
        terminalreporter.write_line(line)
