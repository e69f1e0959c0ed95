"""The form in which a source is declared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from mteb_hybrid.building.sources.wanted import Layout


@dataclass(frozen=True)
class Declaration:
    """A source that is known by name.

    Attributes:
        name: what a build file calls it.
        source: where it is, as ``ORG/NAME``.
        host: whose names these are.
        revision: the commit that is read; None where none is known, then the newest is.
        license: of the texts, by the Hub's identifiers; ``other`` for terms of their own, ``unknown`` for none found.
        languages: tags of its languages, in their order.
        layout: its files and their columns.
        note: what a user should know, and where these facts were found.
        mteb_tasks: mteb tasks that hold texts of it: a model trained on it is not zero-shot there.
        branch: what is read where there is no revision.
    """

    name: str
    source: str
    host: Literal["hub", "github"]
    revision: str | None
    license: str
    languages: tuple[str, ...]
    layout: Layout
    note: str
    mteb_tasks: tuple[str, ...] = ()
    branch: str = "main"

    @property
    def url(self) -> str:
        """Where a person finds it."""
        return f"https://huggingface.co/datasets/{self.source}" if self.host == "hub" else self._github

    @property
    def _github(self) -> str:
        return f"https://github.com/{self.source}"

    def root(self, revision: str | None) -> str:
        """The address that its files are under."""
        at = revision or self.branch
        if self.host == "hub":
            return f"hf://datasets/{self.source}@{at}"
        return f"https://raw.githubusercontent.com/{self.source}/{at}"


def by_name(*declarations: Declaration) -> Mapping[str, Declaration]:
    """Declarations by their names, in their order."""
    return MappingProxyType({declaration.name: declaration for declaration in declarations})
