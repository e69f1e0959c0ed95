"""Every endpoint of the Hub failing in every way: no broken repository, no token told, always one clear line.

Each case publishes with the fault, and then without, which must finish what the first could not. `make faults` tries
all of them; else every endpoint has an eighth of the faults, another eighth than its neighbours.
"""

from __future__ import annotations

import json
import os
from collections import Counter

import pytest
import yaml

from tests.hub.endpoints import ENDPOINTS, Endpoint
from tests.hub.server import FAULTS, TOKEN, Fault, HubServer
from tests.publishing.conftest import NAME
from tests.publishing.desk import Desk, Ended, ok, refused

pytestmark = pytest.mark.slow

# The client itself tries these again, with growing pauses; twice is enough to see that and to get past it.
RETRIED: frozenset[Endpoint] = frozenset({"preupload", "lfs-batch", "lfs-upload", "lfs-verify"})
AGAIN: frozenset[Fault] = frozenset({429, 500, 503, "drop", "cut", "lost"})
ASKED = tuple(endpoint for endpoint in ENDPOINTS if endpoint != "tree")  # that is asked by those who load
OF_EXISTING: frozenset[Endpoint] = frozenset({"auth-check", "refs", "resolve"})
PLANTED = "hf_" + "planted" * 5


def state(hub: HubServer, repo: str, branch: str) -> str:
    """The licence on the card of a whole publication, "" if nothing of one is there; anything else is an error."""
    if ("model", repo) not in hub.hub.repositories:
        return ""
    repository = hub.repository(repo)
    if branch not in repository.branches:
        return ""
    files = repository.files(branch)
    if set(files) <= {".gitattributes"}:
        return ""
    paths = set(json.loads(files[".mteb-hybrid/published.json"])["files"])
    assert paths <= set(files)
    return str(yaml.safe_load(files["README.md"].decode().split("---")[1])["license"])


@pytest.mark.parametrize(
    ("endpoint", "existing"),
    [*((endpoint, endpoint in OF_EXISTING) for endpoint in ASKED), ("lfs-upload", True), ("commit", True)],
)
def test_an_endpoint_that_fails(
    desk: Desk, hub: HubServer, endpoint: Endpoint, existing: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes: Counter[str] = Counter()
    branch = "trial" if endpoint == "branch" else "main"
    repo = f"ORG/{endpoint}-there"
    if existing:
        ok(desk.run("publish", NAME, "--to", repo, "--license", "mit"))
    faults = FAULTS if os.environ.get("ALL_FAULTS") else FAULTS[ENDPOINTS.index(endpoint) % 8 :: 8]
    for number, fault in enumerate(faults):
        before, license = ("mit", "isc") if number % 2 == 0 else ("isc", "mit")
        if existing:
            change_weights(desk)
        else:
            repo, before = f"ORG/{endpoint}-{fault}", ""
        words = ("publish", NAME, "--to", repo, "--revision", branch, "--tag", f"v{number}", "--license", license)
        asked = len(hub.seen(endpoint))
        hub.fail(endpoint, fault, times=1 if endpoint in RETRIED and fault in AGAIN else None, message=f"No {PLANTED}")
        ended = desk.run(*words)
        hub.heal()
        assert len(hub.seen(endpoint)) > asked, "the fault was not met"
        assert TOKEN not in ended.out + ended.err
        assert PLANTED not in ended.out + ended.err
        outcomes[_outcome(ended)] += 1
        assert state(hub, repo, branch) in {before, license}
        if ended.code != 0:
            ok(desk.run(*words))
        assert state(hub, repo, branch) == license
        repository = hub.repository(repo)
        assert repository.tags[f"v{number}"] == repository.head(branch)
        assert len(repository.commits(branch)) == 2 + (number + 1) * existing
    with capsys.disabled():
        told = ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))
        where = "a repository that is there" if existing else "a new repository"
        print(f"\n{endpoint}, {where}: {outcomes.total()} faults: {told}; the second try always published")


def _outcome(ended: Ended) -> str:
    if ended.code == 0:
        return "published all the same"
    assert 20 < len(refused(ended)) < 600
    return "refused in one line"


def change_weights(desk: Desk) -> None:
    """Train as it were: another number in the weights."""
    path = desk.folder / "models" / NAME / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1000] = (content[-1000] + 1) % 256  # another number each time: what the Hub has is not sent
    path.write_bytes(content)
