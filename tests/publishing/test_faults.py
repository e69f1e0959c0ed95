"""Every endpoint of the Hub failing in every way: no broken repository, no token told, always one clear line.

Each case publishes twice: with the fault, and then without, which must finish what the first could not.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.hub.endpoints import ENDPOINTS, Endpoint
from tests.hub.server import FAULTS, TOKEN, Fault, HubServer
from tests.publishing.conftest import NAME
from tests.publishing.desk import Desk, ok, refused

pytestmark = pytest.mark.slow

# The client itself tries these again, with growing pauses; twice is enough to see that and to get past it.
RETRIED: frozenset[Endpoint] = frozenset({"tree", "preupload", "lfs-batch", "lfs-upload", "lfs-verify"})
AGAIN: frozenset[Fault] = frozenset({429, 500, 503, "drop", "cut", "lost"})
PLANTED = "hf_" + "planted" * 5


def whole(hub: HubServer, repo: str) -> bool:
    """Whether a repository holds one whole publication; False if it holds none of it."""
    try:
        repository = hub.repository(repo)
    except KeyError:
        return False
    files = set(repository.files()) - {".gitattributes"}
    assert len(repository.commits()) == (2 if files else 1)
    assert not files or {"README.md", "model.safetensors", ".mteb-hybrid/published.json"} <= files
    return bool(files)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_an_endpoint_that_fails(
    desk: Desk, hub: HubServer, endpoint: Endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes: Counter[str] = Counter()
    for fault in FAULTS:
        repo = f"ORG/{endpoint}-{fault}"
        branch = ("--revision", "trial") if endpoint == "branch" else ()
        words = ("publish", NAME, "--to", repo, "--tag", "v1", *branch)
        hub.fail(endpoint, fault, times=1 if endpoint in RETRIED and fault in AGAIN else None, message=f"No {PLANTED}")
        ended = desk.run(*words)
        hub.heal()
        assert TOKEN not in ended.out + ended.err, fault
        assert PLANTED not in ended.out + ended.err, fault
        if ended.code != 0:
            line = refused(ended)
            assert 20 < len(line) < 600, line
            outcomes["refused"] += 1
        else:
            outcomes["published"] += 1
        if not branch:
            assert whole(hub, repo) or ended.code != 0
        ok(desk.run(*words))
        repository = hub.repository(repo)
        published = repository.files("trial" if branch else "main")
        assert "model.safetensors" in published
        assert repository.tags == {"v1": repository.head("trial" if branch else "main")}
    assert sum(outcomes.values()) == len(FAULTS)
    with capsys.disabled():
        told = ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))
        print(f"\n{endpoint}: {len(FAULTS)} faults: {told}; all published at the second try")
