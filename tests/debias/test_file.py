"""The file of a debiasing: what is written is read, and what is not of its form is told in one line."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from mteb_hybrid.debias.debiasing import Debiasing, FittedOn
from mteb_hybrid.debias.file import file_fingerprint, read_debiasing, read_fitted_on, write_debiasing
from mteb_hybrid.errors import HybridError

KEY = "mteb_hybrid_debias"
FITTED_ON = FittedOn("hub", "ada/paper", "1" * 40, "Wörld", "0" * 40, 20, {"en": 20, "zh-Hant": 12}, ("MLQAR", "X"))
DIRECTIONS = np.array([[[0, 0, 0]], [[1.5, -2, 1e-7]]], dtype=np.float32)
SHIFT = Debiasing("shift", 0.75, "documents", ("en", "zh-Hant"), DIRECTIONS, FITTED_ON, "en")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shift.safetensors"


def _header(**changes: Any) -> dict[str, Any]:
    fitted_on = {"kind": "tiny", "model": "mteb-hybrid/tiny", "revision": None, "corpus": "w", "fingerprint": "0"}
    fitted_on |= {"rows": 20, "passages": {"de": 20}, "mteb_tasks": []}  # type: ignore[dict-item]
    header = {"format": 1, "method": "centering", "alpha": 1.0, "apply": "documents", "source": None}
    return header | {"languages": ["de"], "fitted_on": fitted_on} | changes


def _write(path: Path, header: object, **tensors: Any) -> None:
    text = header if isinstance(header, str) else json.dumps(header)
    save_file(tensors or {"directions": np.zeros((1, 1, 2), dtype=np.float32)}, path, metadata={KEY: text})


def _fails(call: Callable[[], object], *parts: object) -> None:
    with pytest.raises(HybridError) as caught:
        call()
    message = str(caught.value)
    assert message.isprintable()
    for part in parts:
        assert str(part) in message


def test_what_is_written_is_read(path: Path) -> None:
    write_debiasing(SHIFT, path)
    found = read_debiasing(path)
    assert (found.method, found.alpha, found.apply, found.source) == ("shift", 0.75, "documents", "en")
    assert (found.languages, found.fitted_on) == (SHIFT.languages, FITTED_ON)
    np.testing.assert_array_equal(found.directions, DIRECTIONS)
    assert found.directions.dtype == np.float32
    assert read_fitted_on(path) == FITTED_ON


def test_the_same_debiasing_is_the_same_file_and_another_is_another(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write_debiasing(SHIFT, path)
    write_debiasing(SHIFT, other)
    assert file_fingerprint(path) == file_fingerprint(other)
    assert len(file_fingerprint(path)) == 40
    for change in ({"alpha": 0.5}, {"apply": "all"}, {"fitted_on": replace(FITTED_ON, revision="2" * 40)}):
        write_debiasing(replace(SHIFT, **change), other)  # type: ignore[arg-type]
        assert file_fingerprint(path) != file_fingerprint(other)


def test_everybody_may_read_it_who_may_read_files_written_here(path: Path) -> None:
    usual = path.with_name("usual")
    usual.touch()
    write_debiasing(SHIFT, path)
    assert path.stat().st_mode == usual.stat().st_mode


def test_a_file_that_is_there_is_replaced_whole_or_not_at_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_debiasing(SHIFT, path)
    before = path.read_bytes()
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    _fails(lambda: write_debiasing(replace(SHIFT, alpha=0.1), path), "cannot write", path, "No space left")
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    _fails(lambda: write_debiasing(SHIFT, tmp_path / "gone" / "a"), "cannot write", "choose another file")


@pytest.mark.parametrize("read", [read_debiasing, read_fitted_on])
def test_no_file(tmp_path: Path, read: Callable[[Path], object]) -> None:
    _fails(lambda: read(tmp_path / "gone"), "is not there; name a file made with `mteb-hybrid debias fit`")
    _fails(lambda: read(tmp_path), tmp_path, "is a folder")


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"\0" * 100, struct.pack("<Q", 1 << 62), struct.pack("<Q", 4) + b"{{{{", b"PK\x03\x04" + b"x" * 50],
)
@pytest.mark.parametrize("read", [read_debiasing, read_fitted_on])
def test_a_file_that_is_no_safetensors(path: Path, content: bytes, read: Callable[[Path], object]) -> None:
    path.write_bytes(content)
    _fails(lambda: read(path), path, "is no debiasing (", "make one with `mteb-hybrid debias fit`")


def test_every_cut_of_a_file_is_told(path: Path) -> None:
    write_debiasing(SHIFT, path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 29):
        path.write_bytes(whole[:length])
        _fails(lambda: read_debiasing(path), "is no debiasing (")


def test_safetensors_of_something_else(path: Path) -> None:
    save_file({"weight": np.zeros(2, dtype=np.float32)}, path)
    _fails(lambda: read_debiasing(path), f"its header has no {KEY}")
    save_file({"weight": np.zeros(2, dtype=np.float32)}, path, metadata={"format": "pt"})
    _fails(lambda: read_debiasing(path), f"its header has no {KEY}")


def test_the_headers_of_these_tests_are_of_the_right_form(path: Path) -> None:
    _write(path, _header())
    assert read_debiasing(path).method == "centering"


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("", "the header: Invalid JSON"),
        ("[" * 100_000, "the header: Invalid JSON"),
        ("[]", "the header"),
        (_header(format=2), "format"),
        (_header(method="swap"), "method"),
        (_header(method="shift"), "shift must have a source"),
        (_header(alpha="1"), "alpha"),
        (_header(alpha=-1), "alpha is -1"),
        (_header(apply="queries"), "apply"),
        (_header(languages=["de", "en"]), "for 2 languages"),
        (_header(languages=[]), "there must be a language"),
        (_header(languages=["de\x1b[31m"]), "languages.0"),
        (_header(languages=["x" * 41]), "languages.0"),
        (_header(fitted_on=None), "fitted_on"),
        (_header(fitted_on={"kind": "elsewhere"}), "fitted_on.kind"),
        (_header(surplus=1), "surplus"),
    ],
)
def test_a_header_of_another_form(path: Path, header: object, part: str) -> None:
    _write(path, header)
    _fails(lambda: read_debiasing(path), path, "is no debiasing (", part)


@pytest.mark.parametrize(
    ("tensors", "part"),
    [
        ({"vectors": np.zeros((1, 1, 2), dtype=np.float32)}, "it must hold directions alone"),
        ({"directions": np.zeros((1, 1, 2), dtype=np.float32), "more": np.zeros(1)}, "it must hold directions alone"),
        ({"directions": np.zeros((1, 1, 2))}, "directions are F64 of shape [1, 1, 2]"),
        ({"directions": np.zeros((1, 2), dtype=np.float32)}, "directions are F32 of shape [1, 2]"),
        ({"directions": np.zeros((1, 2, 2), dtype=np.float32)}, "centering has one component"),
        ({"directions": np.full((1, 1, 2), np.inf, dtype=np.float32)}, "must be finite"),
    ],
)
def test_directions_of_another_form(path: Path, tensors: dict[str, Any], part: str) -> None:
    _write(path, _header(), **tensors)
    _fails(lambda: read_debiasing(path), path, "is no debiasing (", part)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(path: Path) -> None:
    write_debiasing(SHIFT, path)
    path.chmod(0)
    _fails(lambda: read_debiasing(path), path)
    _fails(lambda: file_fingerprint(path), "cannot read", path)
