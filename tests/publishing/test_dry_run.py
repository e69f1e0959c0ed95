"""A dry run looks at the Hub where it can, and does without it where it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from mteb_hybrid.errors import HybridError
from mteb_hybrid.publishing import dry_run
from mteb_hybrid.publishing.dry_run import check_dry_run, look_without_fail
from mteb_hybrid.publishing.hub import Repository, Target
from mteb_hybrid.publishing.hub_errors import told

TARGET = Target("ada/ours", "Publish")
NOTHING = Repository(exists=False)


def test_without_a_connection_it_goes_on_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def look(target: Target) -> Repository:
        with told(target.repo_id):
            raise ConnectionError("no route to host")

    monkeypatch.setenv("HF_TOKEN", "hf_" + "x" * 34)
    monkeypatch.setattr(dry_run, "look", look)
    lines: list[str] = []
    assert look_without_fail(TARGET, lines.append) == NOTHING
    (line,) = lines
    assert line.startswith("as for a new repository, as what is in ada/ours is not known: no connection to the Hub")


def test_what_the_hub_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def look(_: Target) -> Repository:
        raise HybridError("the token can only read")

    monkeypatch.setenv("HF_TOKEN", "hf_" + "x" * 34)
    monkeypatch.setattr(dry_run, "look", look)
    with pytest.raises(HybridError, match="can only read"):
        look_without_fail(TARGET, print)


def test_a_folder_that_is_there(tmp_path: Path) -> None:
    check_dry_run(None)
    check_dry_run(tmp_path / "out")
    with pytest.raises(HybridError, match=r"is there already; choose another folder for --dry-run"):
        check_dry_run(tmp_path)
