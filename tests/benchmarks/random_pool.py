"""A folder of random unit vectors, as ``mteb-hybrid encode`` makes folders, of any size and in little memory.

A group is one query and one passage in every language; the other passages belong to none. Vectors are drawn from a
normal distribution and scaled to unit length; those of a group share a part of their direction, so that its passages
rank before others, but seldom first.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow
from numpy.typing import NDArray
from pyarrow import parquet

from mteb_hybrid.large.folder import (
    MANIFEST,
    PLAN,
    SHARD_ROWS,
    Manifest,
    Plan,
    Role,
    Shard,
    VectorFolder,
    save_array,
    sha256_of,
    write_json,
)

LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh", "fr", "it", "ja", "ko", "nl", "pl", "pt")
_SHARED = 0.35  # of a vector's length: the rest is its own


def make_pool(
    path: Path,
    *,
    passages: int,
    queries: int,
    languages: int,
    dimensions: int,
    seed: int = 0,
    dtype: Literal["float32", "float16"] = "float32",
    shard_rows: int = SHARD_ROWS,
) -> VectorFolder:
    """Make the folder, unless it is there.

    Args:
        path: the folder.
        passages: how many, in turn of every language; at least as many as queries.
        queries: how many, in turn of every language.
        languages: how many, at most 18.
        dimensions: of a vector.
        seed: of all numbers.
        dtype: of the numbers.
        shard_rows: rows of a shard.
    """
    tags = LANGUAGES[:languages]
    plan = Plan(
        name="random",
        data_sha256=hashlib.sha256(f"{passages} {queries} {languages} {dimensions} {seed}".encode()).hexdigest(),
        languages=list(tags),
        queries=queries,
        passages=passages,
        shard_rows=shard_rows,
        model="random/vectors",
        revision=str(seed),
        similarity="cosine",
        dimensions=dimensions,
        dtype=dtype,
        prompts={},
        batch_size=0,
    )
    folder = VectorFolder(path, plan)
    if (path / MANIFEST).exists():
        return folder
    for name in ("rows", "vectors"):
        (path / name).mkdir(parents=True, exist_ok=True)
    write_json(path / PLAN, plan)
    for shard in plan.shards:
        numbers = np.arange(shard.start, shard.stop)
        save_array(folder.vectors_file(shard), _vectors(shard, numbers // languages, queries, plan, seed))
        parquet.write_table(_rows(shard.role, numbers, queries, tags), folder.rows_file(shard))
    save_array(path / "rows" / "order.npy", np.arange(passages - 1, -1, -1))  # ids ascend
    save_array(path / "rows" / "languages.npy", (np.arange(passages) % languages).astype(np.int16))
    sums = {file.relative_to(path).as_posix(): sha256_of(file) for file in folder.files()}
    write_json(path / MANIFEST, Manifest(plan=plan, sha256=sums))
    return folder


def _vectors(shard: Shard, groups: NDArray[np.int64], queries: int, plan: Plan, seed: int) -> NDArray[Any]:
    of_groups = np.random.default_rng([seed, 2]).standard_normal(
        (-(-queries // len(plan.languages)), plan.dimensions), dtype=np.float32
    )
    draw = np.random.default_rng([seed, int(shard.role == "queries"), shard.number])
    vectors = draw.standard_normal((len(shard), plan.dimensions), dtype=np.float32)
    member = np.flatnonzero(np.arange(shard.start, shard.stop) < queries)
    vectors[member] = (1 - _SHARED) * vectors[member] + _SHARED * of_groups[groups[member]]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(plan.dtype)


def _rows(role: Role, numbers: NDArray[np.int64], queries: int, tags: tuple[str, ...]) -> pyarrow.Table:
    letter = role[0]
    groups = [[f"g{number // len(tags)}"] if number < queries else [] for number in numbers.tolist()]
    return pyarrow.table(
        {
            "id": [f"{letter}{number:012}" for number in numbers.tolist()],
            "language": [tags[number % len(tags)] for number in numbers.tolist()],
            "group": pyarrow.array(groups, pyarrow.large_list(pyarrow.large_string())),
        }
    )
