"""A Hub on loopback, and the warm process whose forks are killed."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.hub.server import HubServer
from tests.publishing.desk import environment
from tests.soak.kills import Warm
from tests.test_cli import child_environment


@pytest.fixture(scope="session")
def soak_hub() -> Iterator[HubServer]:
    """A Hub that the warm process knows."""
    with HubServer() as server:
        yield server


@pytest.fixture(scope="session")
def warm(soak_hub: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """What runs commands and kills them."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork on this system")
    home = tmp_path_factory.mktemp("warm")
    own = child_environment(home)
    del own["HF_HUB_OFFLINE"]  # the Hub is there; nothing but publishing asks it
    hub = environment(soak_hub, home / "hub")
    names = ("HF_ENDPOINT", "HF_HOME", "HF_TOKEN", "HF_HUB_DISABLE_XET", "HF_HUB_DISABLE_TELEMETRY")
    quiet = ("TQDM_DISABLE", "COLUMNS", "OMP_NUM_THREADS", "TOKENIZERS_PARALLELISM")
    warm = Warm(home, own | {name: hub[name] for name in (*names, *quiet)})
    yield warm
    warm.close()
