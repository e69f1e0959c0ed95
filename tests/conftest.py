"""What several test modules need: the real files, where they are, and encoders made in the tests."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# No test depends on the machine's speed.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

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


@pytest.fixture(scope="module")  # longer would leave playwright's event loop running in other modules' tests
def browser() -> Iterator[Any]:
    """The system's Chromium, driven by playwright; the test is skipped where one of them is missing."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install 'mteb-hybrid[browser]'")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium)
        yield found
        found.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how many hostile inputs were tried, in all processes together."""
    from tests.hostile.counting import summary

    line = summary(report for reports in terminalreporter.stats.values() for report in reports)
    if line is not None:
        terminalreporter.write_line(line)
