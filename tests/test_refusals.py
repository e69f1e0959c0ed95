"""Errors of files in the words of each library, raised by the libraries themselves."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from mteb_hybrid.refusals import refusal


def test_the_systems_own(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught:
        (tmp_path / "nowhere" / "file").write_text("text")
    assert refusal(caught.value) == f"No such file or directory: {tmp_path / 'nowhere' / 'file'}"
    assert refusal(OSError(errno.ENOSPC, "No space left on device")) == "No space left on device"
    assert refusal(OSError("no more")) == "no more"


def test_of_tokenizers(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="os error") as caught:
        Tokenizer(WordLevel({"a": 0}, unk_token="a")).save(str(tmp_path / "nowhere" / "tokenizer.json"))
    assert refusal(caught.value) == "No such file or directory (os error 2)"


def test_of_safetensors(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"\x08" + b"\0" * 10)
    with pytest.raises(SafetensorError) as caught:
        load_file(tmp_path / "model.safetensors")
    assert refusal(caught.value) == str(caught.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_of_torch() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.save(torch.zeros(100_000), "/dev/full")
    assert refusal(caught.value) == "no checkpoint can be written, the disk may be full"


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("12"), KeyError("a")])
def test_another_kind(error: Exception) -> None:
    assert refusal(error) is None
