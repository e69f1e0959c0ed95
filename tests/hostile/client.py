"""What asks the Hub, in a process of its own: the client reads its environment when it is imported.

``python -m tests.hostile.client`` reads the name of a call a line, and answers with a line of JSON: ``taken``,
``refused`` and the line, or ``traceback`` and the traceback.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable

from mteb_hybrid.building.sources import own
from mteb_hybrid.building.sources.settings import SourceSettings
from mteb_hybrid.data.hub_collection import hub_or
from mteb_hybrid.errors import HybridError
from mteb_hybrid.loading import is_on_hub, published_record
from mteb_hybrid.publishing.hub import Target, look, push, read_file
from mteb_hybrid.publishing.manifest import CARD, MANIFEST, read_manifest


def _look() -> None:
    target = Target("ORG/model", "a message", tag="v9")
    repository = look(target)
    for path in (CARD, MANIFEST):
        text = read_file(target, repository, path)
        if path == MANIFEST:
            read_manifest(text, target.repo_id)


def _push() -> None:
    target = Target("ORG/model", "a message", revision="trial", tag="v8")
    push({"notes.txt": os.urandom(8)}, target, look(target), show_progress_bar=False)


def _collection() -> None:
    def source() -> None:
        raise AssertionError("the Hub was to be asked")

    os.environ["MTEB_HYBRID_HUB"] = "ORG"
    hub_or("data", source, None)  # type: ignore[arg-type]


def _record() -> None:
    published_record("ORG/model", None)


def _source() -> None:
    own.on_hub(SourceSettings(source="ORG/data"))


def _exists() -> None:
    is_on_hub("ORG/model")


CALLS: dict[str, Callable[[], None]] = {
    "look": _look,
    "push": _push,
    "collection": _collection,
    "record": _record,
    "source": _source,
    "exists": _exists,
}


def main() -> None:
    """Do what is asked for, until there is no more."""
    print("ready", flush=True)
    for line in sys.stdin:
        try:
            CALLS[line.strip()]()
            told = ("taken", "")
        except HybridError as error:
            told = ("refused", str(error))
        except Exception:
            told = ("traceback", traceback.format_exc())
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
