"""The names of mteb that are built on: what is gone is an error, what is another is told, what is new is no matter."""

from __future__ import annotations

import importlib
import logging
import tomllib
from pathlib import Path
from typing import Any

import mteb
import pytest

from mteb_hybrid import mteb_names
from mteb_hybrid.errors import HybridError
from mteb_hybrid.mteb_names import NAMES, SUPPORTED, check_names, name_warning


def place(name: str) -> tuple[Any, str]:
    """What holds the last of a name's attributes."""
    module, _, attributes = name.partition(":")
    holder: Any = importlib.import_module(module)
    *path, last = attributes.split(".")
    for attribute in path:
        holder = getattr(holder, attribute)
    return holder, last


def test_what_is_called_supported_is_what_the_package_asks_for() -> None:
    declared = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    assert SUPPORTED in declared["project"]["dependencies"]


def test_the_installed_mteb_is_as_it_was_tested(caplog: pytest.LogCaptureFixture) -> None:
    assert name_warning() is None
    check_names()
    assert not caplog.records


@pytest.mark.parametrize("name", NAMES)
def test_what_is_gone_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    holder, last = place(name)
    if last == "cache_clear":
        monkeypatch.setattr(*place(name.removesuffix(".cache_clear")), lambda: {})
    else:
        monkeypatch.delattr(holder, last)
    gone = name.replace(":", ".")
    warning = name_warning()
    assert warning is not None
    assert f"{gone} is gone" in warning
    with pytest.raises(HybridError, match=rf"mteb {mteb.__version__} is not supported \({gone} is gone\); pip install"):
        check_names()


def test_other_arguments_are_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    from mteb.results import TaskResult

    def to_disk(self: Any, target: str, path: str) -> None: ...

    monkeypatch.setattr(TaskResult, "to_disk", to_disk)
    with caplog.at_level(logging.WARNING, "mteb_hybrid"):
        check_names()
    (record,) = caplog.records
    assert record.getMessage() == f"mteb-hybrid: {name_warning()}"
    assert "TaskResult.to_disk is not the (self, path) that it was; if anything goes wrong, pip" in record.getMessage()


def test_another_kind_of_registry_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("mteb.get_tasks"), "TASK_LIST", [])
    assert "mteb.get_tasks.TASK_LIST is not the tuple that it was" in (name_warning() or "")


def test_further_arguments_are_no_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    from mteb.results import TaskResult

    def to_disk(self: Any, path: str, indent: int = 2, *, sort: bool = False) -> None: ...

    monkeypatch.setattr(TaskResult, "to_disk", to_disk)
    assert name_warning() is None


def test_several_changes_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mteb_names, "NAMES", {"mteb:nothing": "", "mteb:nobody": "", "mteb:get_tasks": "(names)"})
    assert "mteb.nothing is gone, and 2 more; if" in (name_warning() or "")
