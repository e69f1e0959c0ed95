"""Objects of a JSON file whose fields are looked at one by one, so that a fault names the field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mteb_hybrid.errors import one_line

if TYPE_CHECKING:
    from mteb_hybrid.building.sources.files import Files

_KINDS = {dict: "an object", list: "a list", bool: "true or false", type(None): "null", str: "a text"}


@dataclass(frozen=True)
class Item:
    """An object of a JSON file.

    Attributes:
        value: the object.
        where: its place, for faults.
        files: whose it is.
        within: the fields that lead to it, each with a dot after it.
    """

    value: Any
    where: str
    files: Files
    within: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.value, dict):
            raise self.files.fault(
                self.where, f"{self.within.rstrip('.') or 'the line'} is {_kind(self.value)}, not an object"
            )

    def text(self, name: str) -> str | None:
        """A text, or None where there is null."""
        value = self._field(name)
        if value is None or isinstance(value, str):
            return value
        raise self._wrong(name, value, "a text")

    def key(self, name: str) -> str:
        """A text or a whole number, as text."""
        value = self._field(name)
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            return str(value)
        raise self._wrong(name, value, "a text or a number")

    def item(self, name: str) -> Item:
        """An object."""
        return self._within(name, self._field(name))

    def items(self, name: str) -> Iterator[Item]:
        """The objects of a list."""
        for value in self.values(name):
            yield self._within(name, value)

    def values(self, name: str) -> list[Any]:
        """A list."""
        value = self._field(name)
        if isinstance(value, list):
            return value
        raise self._wrong(name, value, "a list")

    def wrong(self, name: str, value: object, wanted: str) -> Exception:
        """The fault of a field that holds something else."""
        return self._wrong(name, value, wanted)

    def _field(self, name: str) -> Any:
        if name not in self.value:
            found = one_line(", ".join(self.value), 200) or "none"
            raise self.files.fault(self.where, f"has no column {self.within + name!r} (found: {found})")
        return self.value[name]

    def _within(self, name: str, value: Any) -> Item:
        return Item(value, self.where, self.files, f"{self.within}{name}.")

    def _wrong(self, name: str, value: object, wanted: str) -> Exception:
        return self.files.fault(self.where, f"column {self.within + name!r} holds {_kind(value)}, not {wanted}")


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a number")
