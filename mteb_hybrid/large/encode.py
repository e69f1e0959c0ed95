"""Encodes a collection into a folder of vectors, a shard at a time, by one process or several.

Texts go through the model as in an evaluation of the multilingual task: with its prompts, and each distinct text of a
shard once. A shard is encoded by itself, so that its bytes do not depend on which process does it, or when.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from mteb.types import PromptType
from numpy.typing import NDArray
from tqdm import tqdm

from mteb_hybrid.alone import alone
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.evaluation.dense import as_numpy, model_name
from mteb_hybrid.evaluation.encodings import ByLanguage, EncodingContext, SharedEncodings, join, take_rows
from mteb_hybrid.large.folder import (
    MANIFEST,
    PLAN,
    ROLES,
    SHARD_ROWS,
    Manifest,
    Plan,
    Role,
    Shard,
    VectorFolder,
    read_json,
    remove_partial,
    save_array,
    sha256_of,
    write_json,
)
from mteb_hybrid.large.layout import Layout, lay_out
from mteb_hybrid.large.processes import Processes

if TYPE_CHECKING:
    from datasets import Dataset
    from mteb.abstasks.task_metadata import TaskMetadata
    from mteb.models import EncoderProtocol
    from mteb.types import EncodeKwargs

_PROMPT_TYPES: Mapping[Role, PromptType] = {"queries": PromptType.query, "passages": PromptType.document}
_TRIED = 8  # texts of each role by which the model's similarity is found out


@dataclass(frozen=True)
class EncodeSettings:
    """How to encode.

    Attributes:
        name: what the collection is called; its task's name begins with it, which a prompt may depend on.
        batch_size: texts encoded at once.
        dtype: of the numbers that are kept.
        shard_rows: rows of a shard.
    """

    name: str
    batch_size: int = 32
    dtype: Literal["float32", "float16"] = "float32"
    shard_rows: int = SHARD_ROWS


def encode_collection(
    data: Path,
    model: EncoderProtocol,
    folder: Path,
    settings: EncodeSettings,
    *,
    processes: Processes | None = None,
    show_progress_bar: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> VectorFolder:
    """Encode a collection, going on with what is encoded already.

    Args:
        data: a collection, as ``load_collection`` takes.
        model: gives one dense vector a text, and compares vectors by cosine or dot product.
        folder: to be made, or to be finished.
        settings: how.
        processes: those that share the work; this one alone by default.
        show_progress_bar: whether to show progress.
        say: is told what is ahead and what was done, a line at a time, in the main process.

    Returns:
        The folder, whole.

    Raises:
        HybridError: the data are at fault, the model gives no such vectors, the folder holds something else, or it
            cannot be written.
    """
    processes = processes or Processes()
    try:
        if processes.is_main:
            folder.mkdir(parents=True, exist_ok=True)
        with alone(folder / MANIFEST, "choose another --output") if processes.is_main else nullcontext():
            made = VectorFolder(folder, _agree(data, model, folder, settings, processes, say))
            _encode_missing(made, model, processes, show_progress_bar, say)
        return made
    except OSError as error:
        fault = error.strerror or error
        raise HybridError(f"{folder}: {fault}; mend that, and the same command goes on where it was") from error


def _encode_missing(
    made: VectorFolder,
    model: EncoderProtocol,
    processes: Processes,
    show_progress_bar: bool,
    say: Callable[[str], None],
) -> None:
    """Encode the shards that are not there yet, each process its share, and write down what the whole folder holds."""
    plan, encoder = made.plan, ShardEncoder(model, made.plan)
    (made.path / "vectors").mkdir(exist_ok=True)
    missing = [shard for shard in plan.shards if not _is_there(made, shard)]
    if processes.is_main and missing:
        texts = sum(map(len, missing))
        say(f"{texts:,} of {plan.queries + plan.passages:,} texts to encode, in {len(missing):,} shards")
    processes.wait()  # all have seen the same missing before one writes
    mine = processes.share(missing)
    with tqdm(
        total=sum(map(len, mine)), desc="encoding", unit=" texts", unit_scale=True, disable=not show_progress_bar
    ) as bar:
        for shard in mine:
            save_array(made.vectors_file(shard), encoder.encode(shard, made.rows(shard, "text", "language")))
            bar.update(len(shard))
    processes.wait()
    if processes.is_main and (missing or not (made.path / MANIFEST).exists()):
        _finish(made)
    processes.wait()


def _agree(
    data: Path,
    model: EncoderProtocol,
    folder: Path,
    settings: EncodeSettings,
    processes: Processes,
    say: Callable[[str], None],
) -> Plan:
    """Lay the collection out, and write down what decides the vectors; the main process does, the others read it."""
    if processes.is_main:
        _prepare(data, model, folder, settings, say)
    processes.wait()
    return read_json(folder / PLAN, Plan)


def _prepare(
    data: Path, model: EncoderProtocol, folder: Path, settings: EncodeSettings, say: Callable[[str], None]
) -> None:
    digest = _digest_of(data)
    before = read_json(folder / PLAN, Plan) if (folder / PLAN).exists() else None
    there = (path.name for path in folder.iterdir() if path.name != "rows" and not path.name.startswith("."))
    if before is None and (unknown := sorted(there)):
        raise HybridError(f"{folder} holds something else ({one_line(unknown[0], 60)}); name a new folder")
    if before is not None:
        layout = Layout(tuple(before.languages), {"queries": before.queries, "passages": before.passages})
        if before.data_sha256 != digest:
            raise HybridError(f"{folder} holds vectors of other data than {data} is now; name a new folder")
    else:
        say(f"reading {data}")
        layout = _laid_out(data, folder, settings)
    plan = _plan(model, folder, settings, layout, digest)
    if before is None:
        write_json(folder / PLAN, plan)
        return
    for name, value in before:
        if value != getattr(plan, name):
            shown = (one_line(each, 60) for each in (value, getattr(plan, name)))
            raise HybridError(f"{folder} was begun with {name} {' and not '.join(shown)}; name a new folder")


def _laid_out(data: Path, folder: Path, settings: EncodeSettings) -> Layout:
    import shutil

    shutil.rmtree(folder / "rows", ignore_errors=True)  # of a run that was killed before it wrote its plan
    return lay_out(data, folder / "rows", settings.shard_rows)


def _digest_of(data: Path) -> str:
    """The SHA-256 of a file; of a folder, that of its files' names and checksums."""
    try:
        if not data.is_dir():
            return sha256_of(data)
        files = sorted(path for path in data.rglob("*") if path.suffix in {".jsonl", ".parquet"})
        listed = "".join(f"{sha256_of(path)} {path.relative_to(data).as_posix()}\n" for path in files)
        return hashlib.sha256(listed.encode()).hexdigest()
    except OSError as error:
        raise HybridError(f"cannot read {data}: {error.strerror or error}") from None


def _plan(model: EncoderProtocol, folder: Path, settings: EncodeSettings, layout: Layout, digest: str) -> Plan:
    meta: Any = getattr(model, "mteb_model_meta", None)
    tried = _try(model, folder, settings, layout)
    return Plan(
        name=settings.name,
        data_sha256=digest,
        languages=list(layout.languages),
        queries=layout.counts["queries"],
        passages=layout.counts["passages"],
        shard_rows=settings.shard_rows,
        model=model_name(model),
        revision=getattr(meta, "revision", None),
        similarity=_similarity_of(model, *tried),
        dimensions=int(tried[0].shape[1]),
        dtype=settings.dtype,
        prompts=_prompts(model, _metadata(settings.name, layout.languages)),
        batch_size=settings.batch_size,
    )


def _try(model: EncoderProtocol, folder: Path, settings: EncodeSettings, layout: Layout) -> tuple[Any, Any]:
    """Embeddings of the first queries and passages."""
    from pyarrow import parquet

    texts = _Texts(model, settings.name, layout.languages, settings.batch_size)
    first = (parquet.ParquetFile(folder / "rows" / f"{role}-00000.parquet", pre_buffer=False) for role in ROLES)
    tables = (next(file.iter_batches(_TRIED, columns=["text", "language"])) for file in first)
    queries, passages = (
        texts.encode(role, table["text"].to_pylist(), table["language"].to_pylist())
        for role, table in zip(ROLES, tables, strict=True)
    )
    return queries, passages


def _similarity_of(model: EncoderProtocol, queries: Any, passages: Any) -> Literal["cosine", "dot"]:
    asked = as_numpy(model.similarity(queries, passages))
    plain = [as_numpy(each).astype(np.float32) for each in (queries, passages)]
    ways: dict[Literal["cosine", "dot"], NDArray[Any]] = {
        "cosine": _unit(queries) @ _unit(passages).T,
        "dot": plain[0] @ plain[1].T,
    }
    for name, found in ways.items():
        if asked.shape == found.shape and np.allclose(asked, found, rtol=1e-4, atol=1e-4):
            return name
    raise HybridError(
        f"{model_name(model)} compares vectors neither by cosine nor by dot product; evaluate it with "
        "`mteb-hybrid evaluate --data`"
    )


def _prompts(model: object, metadata: TaskMetadata) -> dict[str, str | None]:
    """What is put before texts, as far as mteb's wrapper of the model tells."""
    wrapper: Any = model.inner if isinstance(model, ByLanguage) else model
    return {role.value: _prompt(wrapper, metadata, role) for role in _PROMPT_TYPES.values()}


def _prompt(wrapper: Any, metadata: TaskMetadata, role: PromptType) -> str | None:
    prompts = getattr(wrapper, "model_prompts", None)
    name = wrapper.get_prompt_name(metadata, role) if hasattr(wrapper, "get_prompt_name") else None
    if isinstance(prompts, Mapping) and name in prompts:
        return str(prompts[name])
    if getattr(wrapper, "instruction_template", None):
        return str(wrapper.get_task_instruction(metadata, role))
    return None


def _is_there(folder: VectorFolder, shard: Shard) -> bool:
    try:
        folder.vectors(shard)
    except HybridError:
        return False
    return True


def _finish(folder: VectorFolder) -> None:
    for part in (folder.path, folder.path / "vectors"):
        remove_partial(part)
    sums = {path.relative_to(folder.path).as_posix(): sha256_of(path) for path in folder.files()}
    write_json(folder.path / MANIFEST, Manifest(plan=folder.plan, sha256=sums))


# ---- texts


class ShardEncoder:
    """Encodes shards as a plan says.

    Args:
        model: the encoder.
        plan: what decides the vectors.
    """

    def __init__(self, model: EncoderProtocol, plan: Plan) -> None:
        self._plan = plan
        self._texts = _Texts(model, plan.name, plan.languages, plan.batch_size)

    def encode(self, shard: Shard, rows: Any) -> NDArray[np.floating[Any]]:
        """Encode the texts of a shard.

        Args:
            shard: the shard.
            rows: its texts and their languages, a table.

        Raises:
            HybridError: the model gives something else than finite vectors of as many dimensions as before.
        """
        embeddings = self._texts.encode(shard.role, rows["text"].to_pylist(), rows["language"].to_pylist())
        unit = self._plan.similarity == "cosine"
        vectors = _unit(embeddings) if unit else as_numpy(embeddings).astype(np.float32, copy=False)
        with np.errstate(over="ignore"):  # is seen in the next line
            kept = np.ascontiguousarray(vectors, self._plan.dtype)
        if kept.shape != (len(shard), self._plan.dimensions) or not np.isfinite(kept).all():
            raise HybridError(
                f"{self._plan.model} gives no {self._plan.dimensions} finite numbers ({self._plan.dtype}) for each "
                f"text of {shard.name}; encode with another model" + ("" if unit else " or --dtype float32")
            )
        return kept


class _Texts:
    """Gives texts to a model as an evaluation of the multilingual task does."""

    def __init__(self, model: EncoderProtocol, name: str, languages: Sequence[str], batch_size: int) -> None:
        self._model, self._languages = model, languages
        self._metadata = _metadata(name, languages)
        self._arguments: EncodeKwargs = {"batch_size": batch_size, "show_progress_bar": False}

    def encode(self, role: Role, texts: list[str], languages: list[str]) -> Any:
        """Embeddings of texts, shape (texts, dimensions), of the kind that the model gives."""
        from datasets import Dataset

        encodings = SharedEncodings()  # of this shard alone
        parts, order = [], []
        for language, at in self._parts(role, languages):
            rows = Dataset.from_dict({"id": [str(row) for row in at], "text": [texts[row] for row in at]})
            parts.append(self._encode(encodings, role, rows, language, [languages[row] for row in at]))
            order += at
        embeddings = parts[0]
        for part in parts[1:]:
            embeddings = join(embeddings, part)
        places = np.empty(len(order), np.int64)
        places[order] = np.arange(len(order))
        return take_rows(embeddings, places.tolist())

    def _parts(self, role: Role, languages: list[str]) -> Iterator[tuple[str, list[int]]]:
        """The rows that the task would encode for one subset: queries by language; of the pool, all."""
        if role == "passages":
            yield self._languages[0], list(range(len(languages)))
            return
        for language in dict.fromkeys(languages):
            yield language, [row for row, tag in enumerate(languages) if tag == language]

    def _encode(
        self, encodings: SharedEncodings, role: Role, rows: Dataset, language: str, languages: list[str]
    ) -> Any:
        from mteb_hybrid.evaluation.declare import SPLIT

        context = EncodingContext(self._metadata, SPLIT, f"{language.replace('-', '_')}-all", self._arguments)
        embeddings = encodings.encode(self._model, rows, _PROMPT_TYPES[role], context, languages=languages)
        if getattr(embeddings, "is_sparse", False):
            raise HybridError(
                f"{model_name(self._model)} gives sparse vectors; evaluate it with `mteb-hybrid evaluate --data`"
            )
        return embeddings


def _metadata(name: str, languages: Sequence[str]) -> TaskMetadata:
    """The metadata of the task that evaluates the collection: prompts may depend on its name."""
    from mteb_hybrid.data.collection import ParallelCollection
    from mteb_hybrid.evaluation.declare import ParallelBenchmark, parallel_task
    from mteb_hybrid.subsets import Setting

    benchmark = ParallelBenchmark(
        name=name,
        title=name,
        description="A parallel collection of the user's own.",
        load=lambda: ParallelCollection(name, {}, {}),
        languages=languages,
        dataset={"path": name, "revision": "1"},
    )
    setting = Setting.MULTILINGUAL
    return parallel_task(benchmark, setting.task_name(name), setting, description="One pool of all.").metadata


def _unit(embeddings: Any) -> NDArray[np.float32]:
    """Vectors of unit length in single precision, as the cosine of sentence-transformers and mteb makes them."""
    import torch

    vectors = torch.nn.functional.normalize(torch.as_tensor(as_numpy(embeddings)), p=2, dim=1)
    return vectors.numpy().astype(np.float32, copy=False)
