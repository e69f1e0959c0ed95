"""A parallel collection: queries and passages in several languages, tied by parallel groups."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class TextTable:
    """The queries, or the passages, of one language, row by row.

    Attributes:
        ids: an id for each row, unique within the table.
        texts: the text of each row.
        groups: the parallel groups each row belongs to. A query belongs to exactly one; a passage
            to none (it only fills the pool), one, or several (it answers several questions).
    """

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        if not len(self.ids) == len(self.texts) == len(self.groups):
            raise ValueError("ids, texts and groups must be of one length")

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def rows_by_group(self) -> Mapping[str, tuple[int, ...]]:
        """The rows of each group, in the order of the table."""
        rows: dict[str, list[int]] = {}
        for row, groups in enumerate(self.groups):
            for group in groups:
                rows.setdefault(group, []).append(row)
        return {group: tuple(members) for group, members in rows.items()}


@dataclass(frozen=True)
class ParallelCollection:
    """Queries and passages of several languages; rows that say the same share a group.

    A query of group g in language x is relevant to every passage of g, in every language that has
    one (PROTOCOL, sections 1 and 2). Passage ids are unique over all languages, because one setting
    puts all passages in one pool; query ids are unique within a language.

    Attributes:
        name: what the collection is called in task names.
        queries: the query table of each language, keyed by language tag.
        passages: the passage table of each language; the same keys, in the same order.
    """

    name: str
    queries: Mapping[str, TextTable]
    passages: Mapping[str, TextTable]

    def __post_init__(self) -> None:
        if list(self.queries) != list(self.passages):
            raise ValueError("queries and passages must have the same languages, in the same order")

    @property
    def languages(self) -> tuple[str, ...]:
        """The language tags, in the order of the collection."""
        return tuple(self.queries)

    @cached_property
    def revision(self) -> str:
        """A fingerprint of all content: the SHA-256 of every row, as 40 hexadecimal digits."""
        digest = hashlib.sha256()
        for field in self._fields():
            digest.update(len(field).to_bytes(8, "little"))
            digest.update(field)
        return digest.hexdigest()[:40]

    def _fields(self) -> Iterator[bytes]:
        for role, tables in (("query", self.queries), ("passage", self.passages)):
            for language, table in tables.items():
                yield f"{role}/{language}/{len(table)}".encode()
                for id_, text, groups in zip(table.ids, table.texts, table.groups, strict=True):
                    row = (id_, text, str(len(groups)), *groups)
                    yield from (part.encode("utf-8", "surrogatepass") for part in row)
