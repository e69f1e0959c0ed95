"""Where parallel corpora come from: files, data sets on the Hub, what the package has itself; and how they are saved.

The columns are the same everywhere (see ``mteb_hybrid.data.parallel_corpus``). In JSONL a line is one flat object::

    {"id": "q7", "group": "p3", "query_de": "Wer baute sie?", "passage_de": "Ada Roth.", "negative_1_de": "Stein."}

Any line may lack languages; a query has its passage, a passage its query and as many negatives as all others.
"""

from __future__ import annotations

import difflib
import glob
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow
from pyarrow import parquet

from mteb_hybrid.data.collection import ParallelCollection
from mteb_hybrid.data.corpus_checks import Columns, checked_corpus
from mteb_hybrid.data.lareqa import MLQA_R, XQUAD_R, load_lareqa
from mteb_hybrid.data.parallel_corpus import ParallelCorpus, corpus_from_collection
from mteb_hybrid.data.unpacked import check_unpacked
from mteb_hybrid.data.world import generate_world
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.whole import whole_file

if TYPE_CHECKING:
    import datasets


@dataclass(frozen=True)
class _BuiltIn:
    load: Callable[[], ParallelCollection]
    trained_on: tuple[str, ...] = ()
    commit: str | None = None


_BUILT_IN = {
    "MLQA-R": _BuiltIn(
        partial(load_lareqa, MLQA_R, "MLQA-R"),
        ("MLQARMonolingual", "MLQARCrossLingual", "MLQARMultilingual", "MLQARLanguageBias", "MLQAR"),
        MLQA_R.commit,
    ),
    "XQuAD-R": _BuiltIn(
        partial(load_lareqa, XQUAD_R, "XQuAD-R"),
        (
            "XQuADRMonolingual",
            "XQuADRCrossLingual",
            "XQuADRMultilingual",
            "XQuADRLanguageBias",
            "XQuADR",
            "XQuADRXtremeR",
        ),
        XQUAD_R.commit,
    ),
    # The tasks hold the facts below 400; 414 is the next multiple of 18, so that no entity is shared with them.
    "ParallelWorld": _BuiltIn(partial(generate_world, 4000, first=414)),
}

BUILT_IN_SOURCES: tuple[str, ...] = tuple(_BUILT_IN)
"""The names that ``load_corpus`` knows without a file."""

BUILT_IN_TASKS: Mapping[str, tuple[str, ...]] = {name: built_in.trained_on for name, built_in in _BUILT_IN.items()}
"""The mteb tasks that hold the texts of each."""

BUILT_IN_COMMITS: Mapping[str, str | None] = {name: built_in.commit for name, built_in in _BUILT_IN.items()}
"""The upstream commit of each; None of what is generated."""

_SUFFIXES = (".jsonl", ".parquet")
_JSONL_BYTES = 1 << 24  # parsed at a time
_PARQUET_ROWS = 10_000  # unpacked at a time; by default as many as the first row group has, which may be none


def load_corpus(
    source: str | Path,
    *,
    name: str | None = None,
    revision: str | None = None,
    languages: Sequence[str] | None = None,
    rows: int | None = None,
) -> ParallelCorpus:
    """Load training pairs.

    Args:
        source: a ``.jsonl`` or ``.parquet`` file, one of ``BUILT_IN_SOURCES``, or a data set ``ORG/NAME`` on the Hub,
            of which the split ``train`` is taken. A JSONL file is held in memory; the others are memory-mapped.
        name: what to call the corpus; the source's own name by default.
        revision: of a data set on the Hub.
        languages: some of its languages, in the order wanted; all by default.
        rows: the first so many rows only, of those that have any of the languages.

    Raises:
        HybridError: the source cannot be found or read, or is not of the form above, or lacks a language. The text
            names the place.
    """
    corpus = _load(source, revision)
    if name is not None:
        corpus = replace(corpus, name=name)
    if languages is not None:
        corpus = corpus.select_languages(languages)
    if rows is not None:
        if rows < 1:
            raise HybridError(f"the first {rows} rows of {corpus.name} asked for; ask for 1 or more")
        corpus = corpus.select_rows(range(min(rows, len(corpus))))
    return corpus


def corpus_from_dataset(dataset: datasets.Dataset, name: str) -> ParallelCorpus:
    """Take the rows of a data set as training pairs, without a copy of its texts.

    Args:
        dataset: of the columns above. If rows were selected from it, they are copied first.
        name: what to call the corpus; errors name it as well.

    Raises:
        HybridError: a column or a row is not of the form above.
    """
    table = _arrow(dataset)
    columns = Columns()
    columns.add_schema(table.schema, name)
    return checked_corpus(table, columns, name, name, lambda row: f"{name}, row {row + 1}")


def to_dataset(corpus: ParallelCorpus) -> datasets.Dataset:
    """Show the rows of a corpus as one data set, without a copy; ``corpus_from_dataset`` takes it back."""
    import datasets

    return datasets.Dataset(corpus.table, fingerprint=corpus.fingerprint[:16])


def save_corpus(corpus: ParallelCorpus, path: str | Path) -> None:
    """Write a corpus as JSONL or Parquet, whole or not at all; ``load_corpus`` reads it back.

    Raises:
        HybridError: the suffix is neither ``.jsonl`` nor ``.parquet``, or the file cannot be written.
    """
    path = Path(path)
    with _whole(path) as partial_path:
        if _suffix(path) == ".parquet":
            parquet.write_table(corpus.table, partial_path)
            return
        with partial_path.open("w", encoding="utf-8") as file:
            first = True
            for batch in corpus.table.to_batches(max_chunksize=10_000):
                for row in batch.to_pylist():
                    # the first line names all columns, so that the order of the languages survives
                    kept = row if first else {key: value for key, value in row.items() if value is not None}
                    file.write(json.dumps(kept, ensure_ascii=False) + "\n")
                    first = False


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Put what is written to the path given out in place of ``path``, if all goes well."""
    try:
        with whole_file(path) as partial_path:
            yield partial_path
    except OSError as error:
        raise HybridError(f"cannot write {path} ({error.strerror or error}); choose another place") from None


# ---- sources


def _load(source: str | Path, revision: str | None) -> ParallelCorpus:
    text = str(source)
    path = Path(os.path.expanduser(source))
    is_file = isinstance(source, Path) or path.suffix in (*_SUFFIXES, ".json", ".csv", ".tsv")
    is_file |= bool(text) and os.path.exists(path)
    if not is_file and re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", text, re.ASCII):
        return corpus_from_dataset(_from_hub(text, revision), text)
    if revision is not None:
        raise HybridError(f"{text} has no revision {one_line(revision, 60)!r}: only a data set ORG/NAME on the Hub has")
    if text in _BUILT_IN and not isinstance(source, Path):
        built_in = _BUILT_IN[text]
        return corpus_from_collection(built_in.load(), trained_on=built_in.trained_on)
    if is_file or "/" in text or "\\" in text:
        if not os.path.exists(path):
            missing = one_line(path, 200)
            raise HybridError(f"there is no file {missing}; name a .jsonl or .parquet file, or ORG/NAME on the Hub")
        return _from_jsonl(path) if _suffix(path) == ".jsonl" else _from_parquet(path)
    forms = {name.casefold(): name for name in _BUILT_IN}
    near = difflib.get_close_matches(text.casefold(), forms, n=1)
    hint = f"did you mean {forms[near[0]]}? Otherwise name" if near else f"it is none of {', '.join(_BUILT_IN)}; name"
    raise HybridError(
        f"unknown source {one_line(text, 60)!r}: {hint} a .jsonl or .parquet file, or ORG/NAME on the Hub"
    )


def _suffix(path: Path) -> str:
    if path.suffix not in _SUFFIXES:
        raise HybridError(f"{path}: a parallel corpus is a .jsonl or a .parquet file, not {path.suffix or 'this'!r}")
    return path.suffix


def _from_hub(source: str, revision: str | None) -> datasets.Dataset:
    import datasets

    at = f" at revision {one_line(revision, 60)}" if revision else ""
    try:
        return datasets.load_dataset(source, revision=revision, split="train")
    except Exception as error:  # the Hub client and the readers of foreign files raise whatever they like
        hint = {
            "ConnectionError": "connect, or name a file that is here",
            "DatasetNotFoundError": "nor is there such a file; check the name, and for a gated or private one log in "
            "with `hf auth login`",
        }.get(type(error).__name__, "only the split train is read; or download the data and name a file")
        fault = one_line(error, 240).rstrip(".") or type(error).__name__
        raise HybridError(f"cannot load {source}{at} from the Hub ({fault}); {hint}") from error


def _from_parquet(path: Path) -> ParallelCorpus:
    import datasets

    columns = Columns()
    try:
        schema = parquet.read_schema(path)
        columns.add_schema(schema, str(path))
        check_unpacked(path)
        # By way of the cache of datasets, where Hub data lies as well: Parquet has to be unpacked to be read row by
        # row, and there it is unpacked once, to a file that is memory-mapped, so that it may exceed the memory.
        files = glob.escape(str(path.absolute()))
        if parquet.read_metadata(path).num_rows:
            options = {"batch_size": _PARQUET_ROWS, "fragment_scan_options": _in_passing()}
            data = datasets.load_dataset("parquet", data_files=files, split="train", **options)
        else:
            data = datasets.Dataset(schema.empty_table())
    except (pyarrow.ArrowException, datasets.exceptions.DatasetsError, ValueError) as error:
        fault = one_line(error.__cause__ or error, 100)
        raise HybridError(f"cannot read {path} as Parquet ({fault}); write it again") from None
    except OSError as error:
        if error.strerror is None:  # of Arrow's own, about what is in the file
            raise HybridError(f"cannot read {path} as Parquet ({one_line(error, 100)}); write it again") from None
        raise HybridError(f"cannot read {path}: {error.strerror}") from None
    return checked_corpus(_arrow(data), columns, path.stem, str(path), lambda row: f"{path}, row {row + 1}")


def _in_passing() -> Any:
    """Let Arrow read a row group at a time: by default it fetches all of a file ahead, and holds that till the end."""
    from pyarrow.dataset import ParquetFragmentScanOptions

    return ParquetFragmentScanOptions(pre_buffer=False)


def _arrow(dataset: datasets.Dataset) -> pyarrow.Table:
    flat = dataset.flatten_indices() if dataset._indices is not None else dataset
    return flat.data.table


def _from_jsonl(path: Path) -> ParallelCorpus:
    columns = Columns()
    tables: list[pyarrow.Table] = []
    blank: list[int] = []  # numbers of the lines that are no rows
    read = 0
    try:
        with path.open("rb") as file:
            while lines := file.readlines(_JSONL_BYTES):
                rows: dict[int, dict[str, Any]] = {}
                for number, line in enumerate(lines, start=read + 1):
                    if line.strip():
                        rows[number] = _parse(path, number, line)
                    else:
                        blank.append(number)
                tables.append(_json_table(path, rows, columns))
                read += len(lines)
    except OSError as error:
        raise HybridError(f"cannot read {path}: {error.strerror or error}") from None
    table = pyarrow.concat_tables(tables, promote_options="default") if tables else pyarrow.table({})

    def where(row: int) -> str:
        line = row + 1
        for number in blank:
            line += number <= line
        return f"{path}, line {line}"

    return checked_corpus(table, columns, path.stem, str(path), where)


def _object(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(fields)
    if len(row) < len(fields):
        raise ValueError("a name occurs twice in one object")
    return row


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


def _parse(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = _DECODER.decode(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError:
        raise HybridError(f"{path}, line {number}: not UTF-8; save the file as UTF-8") from None
    except (ValueError, RecursionError) as error:
        at = f"{error.msg} at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else error
        fault = one_line(at, 100)
        raise HybridError(f"{path}, line {number}: not JSON ({fault}); one object per line") from None
    if not isinstance(row, dict):
        raise HybridError(f"{path}, line {number}: not a JSON object; one object per line")
    return row


def _json_table(path: Path, rows: dict[int, dict[str, Any]], columns: Columns) -> pyarrow.Table:
    """The rows of some lines, keyed by the number of the line."""
    names = list(dict.fromkeys(chain(["id"], chain.from_iterable(rows.values()))))  # a table has one column at least
    arrays = []
    for name in names:
        first = next((number for number, row in rows.items() if name in row), 0)
        columns.add(name, f"{path}, line {first}")
        texts = [row.get(name) for row in rows.values()]
        try:
            arrays.append(pyarrow.array(texts, pyarrow.string()))
        except (pyarrow.ArrowException, UnicodeEncodeError):
            number, fault = next(
                (number, fault) for number, row in rows.items() if (fault := _text_fault(row.get(name)))
            )
            raise HybridError(f"{path}, line {number}: {name} {fault}") from None
    return pyarrow.table(arrays, names=names)


def _text_fault(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        kind = {dict: "an object", list: "a list", bool: "true or false"}.get(type(value), "a number")
        return f"holds {kind}, not a text"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "is not valid Unicode"
    return None
