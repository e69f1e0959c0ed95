"""Finds the passages that are nearest to queries, in memory that does not grow with the passages.

Up to ``FLAT_UP_TO`` passages a query is compared with all of them, a part at a time (``knn_ground_truth`` of faiss); of
N passages and as many queries that is N x N products of vectors. Beyond, the passages are put into lists around
centres, and a query is compared with those of the nearest centres: an IVF index of faiss, its lists in a file that is
mapped. It finds most of what the other does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mteb_hybrid.building.mining.corpus import ROWS
from mteb_hybrid.building.mining.vectors import PART, Floats
from mteb_hybrid.whole import whole_folder

FLAT_UP_TO = 200_000
"""Passages of a language that ``auto`` still compares one by one: a thousand billion products of 768 numbers in all
(some 3e13 operations), minutes on a few cores."""
MOST_LISTS = 4096
SAMPLE = 64
"""Passages for each list from which its centre is learnt."""
_FEWEST = 40  # passages a list; faiss warns below 39

Kind = Literal["flat", "ivf"]


class Passages(Protocol):
    """Vectors in files, as ``Vectors`` are."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    @property
    def dimensions(self) -> int:
        """Of each vector."""
        ...

    def parts(self) -> Iterator[Floats]:
        """All vectors in their order, some at a time, in single precision."""
        ...

    def take(self, numbers: NDArray[np.integer[Any]]) -> Floats:
        """Some vectors in single precision, shape (numbers, dimensions)."""
        ...


class Index(Protocol):
    """Finds passages."""

    def search(self, queries: Floats, count: int) -> tuple[Floats, NDArray[np.int64]]:
        """The nearest passages of each query, the nearest first, equals by number.

        Args:
            queries: unit vectors, shape (n, dimensions).
            count: how many; there must be as many passages.

        Returns:
            Cosine similarities and numbers of passages, shapes (n, count); -1 where none was found.
        """
        ...


def kind_of(asked: Literal["auto", "flat", "ivf"], passages: int) -> Kind:
    """The kind of index for so many passages."""
    if asked == "auto":
        return "flat" if passages <= FLAT_UP_TO else "ivf"
    return asked


def lists_of(passages: int) -> tuple[int, int]:
    """How many lists an IVF index has, and in how many a query looks."""
    lists = max(1, min(MOST_LISTS, int(4 * passages**0.5), passages // _FEWEST))
    return lists, min(lists, 64, max(8, lists // 8))


def memory_of(kind: Kind, passages: int, dimensions: int, count: int) -> int:
    """Bytes that searching takes at its peak, about: a part of the passages, queries and their passages, what is found.

    Of an IVF index also the sample that its centres are learnt from, twice. Its lists are pages of a file, which the
    system takes back when it needs them.
    """
    part = min(PART, passages) * dimensions * (4 + 4 + 2)  # read, converted, held by faiss
    found = ROWS * count * (4 + 8) * 6  # scores and numbers, ranked and judged
    learnt = 2 * min(passages, SAMPLE * lists_of(passages)[0]) * dimensions * 4 if kind == "ivf" else 0
    return max(learnt, part + 3 * ROWS * dimensions * 4 + found)


class FlatIndex:
    """Compares with all passages."""

    def __init__(self, vectors: Passages) -> None:
        self._vectors = vectors

    def search(self, queries: Floats, count: int) -> tuple[Floats, NDArray[np.int64]]:
        """As the protocol says."""
        import faiss
        from faiss.contrib.exhaustive_search import knn_ground_truth

        found = knn_ground_truth(  # type: ignore[no-untyped-call]
            queries, self._vectors.parts(), count, faiss.METRIC_INNER_PRODUCT
        )
        return _in_order(*found)


class ListIndex:
    """Compares with the passages of the nearest lists.

    Args:
        vectors: of the passages.
        folder: where the lists are, or are to be put.
        seed: of the centres.
    """

    def __init__(self, vectors: Passages, folder: Path, seed: int) -> None:
        import faiss

        if not folder.exists():
            with whole_folder(folder) as made:
                _build(vectors, made, seed)
        self._index = faiss.read_index(str(folder / "index"), faiss.IO_FLAG_ONDISK_SAME_DIR)
        faiss.ParameterSpace().set_index_parameter(self._index, "nprobe", lists_of(len(vectors))[1])

    def search(self, queries: Floats, count: int) -> tuple[Floats, NDArray[np.int64]]:
        """As the protocol says."""
        return _in_order(*self._index.search(queries, count))


def _build(vectors: Passages, folder: Path, seed: int) -> None:
    import faiss
    from faiss.contrib.ondisk import merge_ondisk

    lists = lists_of(len(vectors))[0]
    index = faiss.IndexIVFScalarQuantizer(  # half precision, as the vectors are on disk
        faiss.IndexFlatIP(vectors.dimensions),
        vectors.dimensions,
        lists,
        faiss.ScalarQuantizer.QT_fp16,
        faiss.METRIC_INNER_PRODUCT,
        False,
    )
    index.cp.seed, index.cp.spherical = seed, True
    sample = min(len(vectors), SAMPLE * lists)
    chosen = np.random.default_rng([seed, 0]).choice(len(vectors), sample, replace=False)
    index.train(vectors.take(np.sort(chosen)))
    names: list[str] = []
    begin = 0
    for part in vectors.parts():
        index.reset()
        index.add_with_ids(part, np.arange(begin, begin + len(part)))
        begin += len(part)
        names.append(str(folder / f"part-{len(names)}"))
        faiss.write_index(index, names[-1])
    index.reset()
    merge_ondisk(index, names, str(folder / "lists"))
    faiss.write_index(index, str(folder / "index"))
    for name in names:
        Path(name).unlink()


def _in_order(scores: Floats, numbers: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64]]:
    order = np.lexsort((numbers, -scores), axis=1)
    return np.take_along_axis(scores, order, 1), np.take_along_axis(numbers, order, 1)
