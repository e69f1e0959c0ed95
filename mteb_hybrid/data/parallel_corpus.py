"""A parallel corpus: training pairs whose rows say the same in several languages.

One row is one question and its passage, in some of the languages of the corpus::

    id | group | query_de | passage_de | query_en | passage_en

``group`` is optional: rows whose passages say the same share it. ``negative_1_de`` to ``negative_K_de`` are optional as
well. The table is Arrow, so that it may lie in a memory-mapped file; nothing here copies its texts unless it says so.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import datasets
import numpy as np
import pyarrow
import pyarrow.compute as pc
from numpy.typing import NDArray

from mteb_hybrid.data.collection import ParallelCollection
from mteb_hybrid.errors import HybridError, one_line

_ROWS_AT_A_TIME = 1 << 16

PIVOT_COLUMNS = ("pivot_query", "pivot_passage")
"""What a view shows of the pivot language. (Not query_pivot: the trainer would take it for a part of query.)"""


@dataclass(frozen=True, eq=False)  # two corpora are compared by their fingerprints
class ParallelCorpus:
    """Training pairs of several languages; the rows may lack languages.

    Attributes:
        name: what the corpus is called in logs and in the names of its views.
        table: the columns named above, no others; a text is a ``string`` or ``large_string``. Where a row has a query
            in a language it has the passage, and all K negatives.
        languages: the tags of its columns, in the order in which the views are built.
        negatives: K, how many hard negatives each passage has.
        trained_on: the mteb tasks whose texts these are: a model trained on them is not zero-shot there.
    """

    name: str
    table: pyarrow.Table
    languages: tuple[str, ...]
    negatives: int = 0
    trained_on: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        columns = {"id"}.union(*(self.columns(language) for language in self.languages))
        if set(self.table.column_names) - {"group"} != columns:
            raise ValueError("the table must have id, perhaps group, and the columns of every language, no others")

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __deepcopy__(self, memo: object) -> ParallelCorpus:
        return self  # nothing of it ever changes, and many methods of a datasets.Dataset copy all they hold

    def columns(self, language: str) -> list[str]:
        """The columns of a language: its query, its passage, its negatives."""
        return [f"query_{language}", *self.passage_columns(language)]

    def passage_columns(self, language: str) -> list[str]:
        """The columns of what a query may find in a language: its passage and its negatives."""
        return [f"passage_{language}", *(f"negative_{number + 1}_{language}" for number in range(self.negatives))]

    def texts(self, row: int, language: str) -> tuple[str | None, str | None]:
        """The query and the passage of a row in a language; None where it has none."""
        query, passage = self.table[f"query_{language}"][row], self.table[f"passage_{language}"][row]
        return query.as_py(), passage.as_py()

    @cached_property
    def presence(self) -> NDArray[np.uint8]:
        """Which row has which language: a line for each one, a bit for each row (``np.packbits``, little-endian)."""
        packed = np.zeros((len(self.languages), (len(self) + 7) // 8), dtype=np.uint8)
        for line, language in zip(packed, self.languages, strict=True):
            query, passage = self.table[f"query_{language}"], self.table[f"passage_{language}"]
            present = pc.and_(pc.is_valid(query), pc.is_valid(passage)).to_numpy()
            line[:] = np.packbits(present.astype(bool, copy=False), bitorder="little")
        return packed

    @cached_property
    def groups(self) -> NDArray[np.int32] | None:
        """A number for each row, the same for rows of one group; None where no two rows share a group."""
        if "group" not in self.table.column_names:
            return None
        column = self.table["group"]
        encoded = pc.dictionary_encode(column).chunks  # one dictionary for all chunks
        distinct = max((len(chunk.dictionary) for chunk in encoded), default=0)
        if distinct == len(column) - column.null_count:
            return None
        numbers = [pc.fill_null(chunk.indices, -1).to_numpy().astype(np.int32, copy=False) for chunk in encoded]
        groups: NDArray[np.int32] = np.concatenate(numbers)
        alone = np.flatnonzero(groups < 0)
        groups[alone] = np.arange(distinct, distinct + len(alone), dtype=np.int32)
        return groups

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of all columns and texts, as 40 hexadecimal digits; how Arrow has cut them does not matter."""
        digest = hashlib.sha256()
        for name in self.table.column_names:
            lengths, texts = hashlib.sha256(), hashlib.sha256()
            for chunk in pieces(self.table[name]):
                length = pc.fill_null(pc.binary_length(chunk), -1)
                lengths.update(length.cast(pyarrow.int64()).to_numpy())
                texts.update(_bytes(chunk))
            digest.update(hashlib.sha256(name.encode()).digest() + lengths.digest() + texts.digest())
        return digest.hexdigest()[:40]

    @cached_property
    def pairs(self) -> int:
        """How many pairs of a query and its passage there are, over all rows and languages."""
        return int(np.bitwise_count(self.presence).sum(dtype=np.int64))

    def select_languages(self, languages: Sequence[str]) -> ParallelCorpus:
        """Keep some languages, in the order given, and the rows that have any of them.

        Raises:
            HybridError: no language, one twice, or one that the corpus has not.
        """
        for number, language in enumerate(languages):
            if language not in self.languages or language in languages[:number]:
                fault = "asked for twice" if language in self.languages else "not in it"
                raise HybridError(
                    f"language {one_line(language, 40)!r} of {self.name} is {fault}; it has {', '.join(self.languages)}"
                )
        if not languages:
            raise HybridError(f"no language of {self.name} asked for; it has {', '.join(self.languages)}")
        columns = [name for language in languages for name in self.columns(language)]
        kept = [name for name in ("id", "group") if name in self.table.column_names]
        corpus = self._with(self.table.select([*kept, *columns]), tuple(languages))
        rows = np.unpackbits(np.bitwise_or.reduce(corpus.presence), count=len(self), bitorder="little").astype(bool)
        return corpus if rows.all() else corpus.select_rows(rows)

    def select_rows(self, rows: range | Sequence[int] | NDArray[Any]) -> ParallelCorpus:
        """Keep some rows. A range is cut out without a copy; what else is selected is copied into memory.

        Args:
            rows: their numbers, increasing; or a truth value for each row.
        """
        if isinstance(rows, range) and rows.step == 1 and 0 <= rows.start <= rows.stop <= len(self):
            return self._with(self.table.slice(rows.start, len(rows)), self.languages)
        chosen = np.asarray(rows)
        if chosen.dtype != bool:
            numbers = chosen.astype(np.int64)
            if len(numbers) and (numbers[0] < 0 or numbers[-1] >= len(self) or (np.diff(numbers) <= 0).any()):
                raise ValueError(f"rows must be increasing numbers from 0 to {len(self) - 1}")
            chosen = np.zeros(len(self), dtype=bool)
            chosen[numbers] = True
        # a filter goes chunk by chunk: to take rows by number, Arrow may first join 2 GB of texts and fail
        return self._with(self.table.filter(pyarrow.array(chosen)), self.languages)

    def sample_rows(self, count: int, seed: int) -> ParallelCorpus:
        """Keep so many rows drawn at random, in their order; all if there are no more.

        Args:
            count: rows, at least 1.
            seed: another seed draws other rows; of one seed a larger sample holds the smaller.
        """
        if count >= len(self):
            return self
        return self.select_rows(np.sort(np.random.default_rng([seed, 1]).permutation(len(self))[:count]))

    def without_rows(self, rows: NDArray[np.signedinteger]) -> ParallelCorpus:
        """Leave a few rows out, without a copy.

        Args:
            rows: their numbers, increasing.
        """
        ends = [*rows.tolist(), len(self)]
        starts = [0, *(rows + 1).tolist()]
        pieces = [self.table.slice(start, end - start) for start, end in zip(starts, ends, strict=True) if start < end]
        return self._with(pyarrow.concat_tables(pieces) if pieces else self.table.slice(0, 0), self.languages)

    def views(self, *, pivot: str | None = None) -> datasets.DatasetDict:
        """A data set for each pair of languages: see ``parallel_views``."""
        return parallel_views([self], pivot=pivot)

    def _with(self, table: pyarrow.Table, languages: tuple[str, ...]) -> ParallelCorpus:
        return ParallelCorpus(self.name, table, languages, self.negatives, self.trained_on)


@dataclass(frozen=True)
class ViewOrigin:
    """What a view shows.

    Attributes:
        corpus: the corpus whose rows it has.
        query_language: the language of its queries.
        passage_language: the language of its passages and negatives.
        pivot: the language whose parallel texts stand beside them; None for no such texts.
    """

    corpus: ParallelCorpus
    query_language: str
    passage_language: str
    pivot: str | None = None


class ParallelView(datasets.Dataset):  # type: ignore[misc]  # datasets has no types
    """All rows of a corpus, with queries of one language and passages of one, as a data set for a trainer.

    The columns are ``query``, ``passage``, ``negative_1`` and so on: language tags must stay outside, because
    sentence-transformers takes every column for a text. A text is None where the row lacks the language.

    With a pivot language each row has its texts in that language too, ``pivot_query`` and ``pivot_passage``, and a
    ``label`` that tells whether it has them; where not, they are empty.

    Attributes:
        origin: the corpus and the languages.
    """

    origin: ViewOrigin

    def __init__(self, origin: ViewOrigin) -> None:
        corpus = origin.corpus
        source = [f"query_{origin.query_language}", *corpus.passage_columns(origin.passage_language)]
        names = ["query", "passage", *(f"negative_{number + 1}" for number in range(corpus.negatives))]
        if origin.pivot in corpus.languages:
            source += [f"query_{origin.pivot}", f"passage_{origin.pivot}"]
            names += PIVOT_COLUMNS
        # one column may be asked for once only, so pick by position; a random fingerprint, or datasets reads all texts
        table = pyarrow.table([corpus.table[name] for name in source], names=names)
        super().__init__(table, fingerprint=uuid.uuid4().hex[:16])
        if origin.pivot is not None:
            self.set_transform(_with_pivot)
        elif any(column.null_count for column in table.columns):
            self.set_transform(_missing_as_empty)
        self.origin = origin


def _missing_as_empty(rows: dict[str, list[str | None]]) -> dict[str, list[str | None]]:
    """Show missing texts as empty, but not in a row asked for alone.

    The trainer describes every view in its model card and fails on None there. It trains on single rows: a sampler that
    asks for a row which lacks the language must fail, and not train on empty texts.
    """
    if len(next(iter(rows.values()))) == 1:
        return rows
    return {name: [text or "" for text in texts] for name, texts in rows.items()}


def _with_pivot(rows: dict[str, list[str | None]]) -> dict[str, list[Any]]:
    """Show rows with their texts in the pivot language, empty where they have none, and which have them."""
    own = {name: texts for name, texts in rows.items() if name not in PIVOT_COLUMNS}
    nothing: list[str | None] = [None] * len(own["query"])
    pivots = {name: rows.get(name, nothing) for name in PIVOT_COLUMNS}
    shown = {name: [text or "" for text in texts] for name, texts in pivots.items()}
    return {**_missing_as_empty(own), **shown, "label": [text is not None for text in pivots["pivot_passage"]]}


def parallel_views(corpora: Sequence[ParallelCorpus], *, pivot: str | None = None) -> datasets.DatasetDict:
    """Show corpora as one data set for each pair of a query language and a passage language.

    In the concatenation of the values, row r of corpus c with its query in language number a and its passage in
    language number b has the index ``offset + (a * L + b) * N + r``, where L and N are the languages and rows of c and
    ``offset`` is the sum of L * L * N over the corpora before it.

    Args:
        corpora: their names must differ.
        pivot: a language whose parallel texts every view shows beside its own, where a row has it.

    Returns:
        ``ParallelView`` objects over the tables of the corpora, without copies. The key is ``de-en`` (query language,
        then passage language), after ``NAME/`` where there are several corpora.

    Raises:
        HybridError: no corpus, or two of one name.
    """
    names = [corpus.name for corpus in corpora]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise HybridError(f"two sources are called {one_line(twice, 60)!r}; give each its own name")
    if not corpora:
        raise HybridError("no training data; name one source or more")
    views = {}
    for corpus in corpora:
        prefix = f"{corpus.name}/" if len(corpora) > 1 else ""
        for query_language in corpus.languages:
            for passage_language in corpus.languages:
                origin = ViewOrigin(corpus, query_language, passage_language, pivot)
                views[f"{prefix}{query_language}-{passage_language}"] = ParallelView(origin)
    return datasets.DatasetDict(views)


def corpus_from_collection(collection: ParallelCollection, *, trained_on: Sequence[str] = ()) -> ParallelCorpus:
    """Make training pairs of a collection that is meant for evaluation.

    A row is a parallel group; its id is the group's. A language counts where the group has both a query and a passage
    in it: the first of each. Rows share a passage group if one passage, in whichever language, answers both.

    Args:
        collection: queries and passages, tied by parallel groups.
        trained_on: as in ``ParallelCorpus``.

    Raises:
        HybridError: no group has a query and a passage in one language.
    """
    texts: dict[str, dict[str, str]] = {}
    joined: dict[str, str] = {}
    for language, queries in collection.queries.items():
        passages = collection.passages[language]
        for group, rows in queries.rows_by_group.items():
            if answers := passages.rows_by_group.get(group):
                row = texts.setdefault(group, {})
                row[f"query_{language}"] = queries.texts[rows[0]]
                row[f"passage_{language}"] = passages.texts[answers[0]]
        for groups in passages.groups:
            for group in groups[1:]:
                _join(joined, groups[0], group)
    if not texts:
        raise HybridError(f"{collection.name} has no query with a passage in its own language; nothing to train on")
    columns: dict[str, list[str | None]] = {"id": list(texts), "group": [_root(joined, group) for group in texts]}
    if len(set(columns["group"])) == len(texts):
        del columns["group"]
    languages = tuple(tag for tag in collection.languages if any(f"query_{tag}" in row for row in texts.values()))
    names = [f"{role}_{language}" for language in languages for role in ("query", "passage")]
    columns |= {name: [row.get(name) for row in texts.values()] for name in names}
    schema = pyarrow.schema([(name, pyarrow.string()) for name in columns])
    return ParallelCorpus(collection.name, pyarrow.table(columns, schema), languages, trained_on=tuple(trained_on))


def _root(joined: dict[str, str], group: str) -> str:
    """The group that stands for all that ``group`` was joined with."""
    root = group
    while root in joined:
        root = joined[root]
    while group != root:  # the next walk is short
        joined[group], group = root, joined[group]
    return root


def _join(joined: dict[str, str], first: str, second: str) -> None:
    first, second = _root(joined, first), _root(joined, second)
    if first != second:
        joined[second] = first


def pieces(column: pyarrow.ChunkedArray) -> Iterator[pyarrow.Array]:
    """A column without a copy, in pieces of 65,536 rows at most."""
    for chunk in column.chunks:
        for start in range(0, len(chunk), _ROWS_AT_A_TIME):
            yield chunk.slice(start, _ROWS_AT_A_TIME)


def _bytes(texts: pyarrow.Array) -> memoryview:
    """The bytes of all texts, one after the other."""
    if texts.null_count:
        texts = texts.drop_null()  # there may be bytes below a null
    _, ends, data = texts.buffers()
    if not len(texts) or data is None:
        return memoryview(b"")
    width = np.int64 if pyarrow.types.is_large_string(texts.type) else np.int32
    ends = np.frombuffer(ends, dtype=width)
    return memoryview(data)[ends[texts.offset] : ends[texts.offset + len(texts)]]
