"""Rows as the readers give them, and tables made of those that can be trained on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import pyarrow

from mteb_hybrid.building.shards import schema_of

Pair = tuple[str | None, str | None]
"""A query and its passage."""

ROWS = 5_000
"""Rows of a table."""


class Row(NamedTuple):
    """One row of a source, as it was found.

    Attributes:
        pairs: by language; a text may be empty or missing.
        id: what the source calls it; None if it calls it nothing, then its position is its id.
        group: rows whose passages are the same share it; None is the row's own.
        lacking: why the whole row is no pair, in a few words; None if it is one.
    """

    pairs: Mapping[str, Pair]
    id: str | None = None
    group: str | None = None
    lacking: str | None = None


def same(text: str | None) -> str | None:
    """A short name that equal texts share (64 bits of BLAKE2b); None for no text."""
    if text is None:
        return None
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def tables(
    rows: Iterable[Row], languages: Sequence[str], *, skipped: Counter[str], limit: int | None = None
) -> Iterator[pyarrow.Table]:
    """Make tables of the rows that have a pair, and count the pairs that are none.

    The second row of one id gets ``#2`` after it, the third ``#3``. (A few bytes are kept for each id that the source
    gives; ids that are positions need none.)

    Args:
        rows: read only as far as needed.
        languages: columns of the tables, as in ``shards.schema_of``.
        skipped: gets the counts, by reason.
        limit: rows at most.
    """
    schema = schema_of(languages)
    columns: dict[str, list[str | None]] = {name: [] for name in schema.names}
    seen: Counter[bytes] = Counter()
    left = limit
    for position, row in enumerate(rows):
        pairs = _whole(row, languages, skipped)
        if not pairs:
            continue
        name = str(position) if row.id is None else _numbered(row.id, seen)
        columns["id"].append(name)
        columns["group"].append(name if row.group is None else row.group)
        for language in languages:
            query, passage = pairs.get(language, (None, None))
            columns[f"query_{language}"].append(query)
            columns[f"passage_{language}"].append(passage)
        left = None if left is None else left - 1
        if left == 0 or len(columns["id"]) == ROWS:
            yield pyarrow.table(columns, schema)
            columns = {name: [] for name in schema.names}
        if left == 0:
            return
    if columns["id"]:
        yield pyarrow.table(columns, schema)


def _whole(row: Row, languages: Sequence[str], skipped: Counter[str]) -> dict[str, Pair]:
    """The pairs that have both texts."""
    if row.lacking is not None:
        skipped[row.lacking] += 1
        return {}
    pairs = {}
    for language in languages:
        pair = row.pairs.get(language)
        if pair is None:
            continue
        fault = _fault(pair)
        if fault is None:
            pairs[language] = pair
        else:
            skipped[fault] += 1
    return pairs


def _fault(pair: Pair) -> str | None:
    for role, text in zip(("query", "passage"), pair, strict=True):
        if text is None or not text or text.isspace():
            return f"empty {role}"
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:  # half of a surrogate pair, which JSON can hold
                return f"{role} is not Unicode"
    return None


def _numbered(name: str, seen: Counter[bytes]) -> str:
    key = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    seen[key] += 1
    return name if seen[key] == 1 else f"{name}#{seen[key]}"
