"""The file of a debiasing: the directions as safetensors, all the rest as JSON in its header."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from mteb_hybrid.debias.debiasing import Debiasing, FittedOn, Method, Roles
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.whole import whole_file

_KEY = "mteb_hybrid_debias"
_TENSOR = "directions"
_MOST_ENTRIES = 1 << 28  # a gigabyte: a thousand languages of 32 components of 8,192 dimensions

_LONGEST_HEADER = 100_000_000  # bytes that safetensors reads

_Tag = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,40}$")]


class _FittedOn(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    kind: Literal["hub", "folder", "tiny"]
    model: str
    revision: str | None
    corpus: str
    fingerprint: str
    rows: int
    passages: dict[_Tag, int]
    mteb_tasks: list[str]


class _Header(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    format: Literal[1]
    method: Method
    alpha: float
    apply: Roles
    source: _Tag | None
    languages: list[_Tag]
    fitted_on: _FittedOn


def write_debiasing(debiasing: Debiasing, path: Path) -> None:
    """Write a debiasing to a file, whole or not at all.

    Args:
        debiasing: what to write.
        path: the file, ``.safetensors`` by custom; one that is there is replaced.

    Raises:
        HybridError: the file cannot be written.
    """
    header = _Header(
        format=1,
        method=debiasing.method,
        alpha=debiasing.alpha,
        apply=debiasing.apply,
        source=debiasing.source,
        languages=list(debiasing.languages),
        fitted_on=_FittedOn(**asdict(debiasing.fitted_on) | {"mteb_tasks": list(debiasing.fitted_on.mteb_tasks)}),
    )
    tensors = {_TENSOR: np.ascontiguousarray(debiasing.directions)}
    try:
        with whole_file(path) as partial:
            partial.write_bytes(save(tensors, metadata={_KEY: header.model_dump_json()}))
    except OSError as error:
        raise HybridError(f"cannot write {path}: {error.strerror or error}; choose another file") from None


def read_debiasing(path: Path) -> Debiasing:
    """Read a debiasing; nothing of the file is executed.

    Raises:
        HybridError: the file is not there, cannot be read, or holds something else.
    """
    with _opened(path) as file:
        header = _header(path, file)
        if list(file.keys()) != [_TENSOR]:
            raise _no_debiasing(path, f"it must hold {_TENSOR} alone")
        part = file.get_slice(_TENSOR)
        shape = part.get_shape()
        if part.get_dtype() != "F32" or len(shape) != 3 or np.prod(shape, dtype=float) > _MOST_ENTRIES:
            raise _no_debiasing(path, f"{_TENSOR} are {part.get_dtype()} of shape {shape}")
        directions = file.get_tensor(_TENSOR)
    try:
        return Debiasing(
            method=header.method,
            alpha=header.alpha,
            apply=header.apply,
            languages=tuple(header.languages),
            directions=directions,
            fitted_on=_fitted_on(header),
            source=header.source,
        )
    except HybridError as error:
        raise _no_debiasing(path, error) from None


def read_fitted_on(path: Path) -> FittedOn:
    """Read what a debiasing was fitted on, and none of its numbers.

    Raises:
        HybridError: the file is not there, cannot be read, or holds something else.
    """
    with _opened(path) as file:
        return _fitted_on(_header(path, file))


def file_fingerprint(path: Path) -> str:
    """The SHA-256 of a file, as 40 hexadecimal digits.

    Raises:
        HybridError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:40]
    except OSError as error:
        raise HybridError(f"cannot read {path}: {error.strerror or error}") from None


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not path.is_file():
        fault = "is a folder" if path.is_dir() else "is not there"
        raise HybridError(f"{path} {fault}; name a file made with `mteb-hybrid debias fit`")
    if path.stat().st_size > 4 * _MOST_ENTRIES + _LONGEST_HEADER:
        raise _no_debiasing(path, "it is larger than a gigabyte")
    try:
        with safe_open(path, framework="numpy") as file:
            yield file
    except SafetensorError as error:
        raise _no_debiasing(path, error) from None
    except OSError as error:
        raise HybridError(f"cannot read {path}: {error.strerror or error}") from None


def _header(path: Path, file: Any) -> _Header:
    text = (file.metadata() or {}).get(_KEY)
    if text is None:
        raise _no_debiasing(path, f"its header has no {_KEY}")
    try:
        return _Header.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the header"
        raise _no_debiasing(path, f"{where}: {first['msg']}") from None


def _fitted_on(header: _Header) -> FittedOn:
    values = header.fitted_on.model_dump()
    return FittedOn(**values | {"mteb_tasks": tuple(header.fitted_on.mteb_tasks)})


def _no_debiasing(path: Path, fault: object) -> HybridError:
    return HybridError(f"{path} is no debiasing ({one_line(fault, 200)}); make one with `mteb-hybrid debias fit`")
