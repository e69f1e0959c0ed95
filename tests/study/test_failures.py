"""What is written down of a failure tells all but secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from mteb_hybrid.errors import HybridError
from mteb_hybrid.study.failures import failure_of, without_secrets, write_failure


def failed(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


def test_a_fault_of_ours_is_its_line_and_any_other_says_its_kind(tmp_path: Path) -> None:
    assert failure_of(failed(HybridError("the data are gone"))).line == "the data are gone"
    failure = failure_of(failed(MemoryError("out\nof memory")))
    assert failure.line == "MemoryError: out of memory"
    assert failure_of(failed(MemoryError())).line == "MemoryError"
    path = tmp_path / "failed" / "cell.txt"
    write_failure(failure, path)
    text = path.read_text()
    assert text.startswith("MemoryError: out of memory\n\nTraceback")
    assert "in failed" in text


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("401 for hf_abcdefghijKLMNOP", "hf_abcdefghijKLMNOP"),
        ("headers {'Authorization': 'Bearer abcdef.ghij-kl'}", "abcdef.ghij-kl"),
        ("at https://ada:pa55word@host.org/x", "pa55word"),
        ("GET https://host.org/x?X-Amz-Signature=0123abcd&y=1", "0123abcd"),
        ("HF_TOKEN=xyzxyzxyz", "xyzxyzxyz"),
        ('{"password": "open sesame"}', "open"),
        ("my own is tr0ub4dor-and-3", "tr0ub4dor-and-3"),
    ],
)
def test_secrets_are_taken_out(text: str, secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "tr0ub4dor-and-3")
    assert secret in text
    assert secret not in without_secrets(text)
    failure = failure_of(failed(OSError(text)))
    assert secret not in failure.line
    assert secret not in failure.details


def test_what_is_no_secret_stays() -> None:
    text = "OSError: intfloat/multilingual-e5-small is not in the cache, see https://huggingface.co/docs#offline"
    assert without_secrets(text) == text
    assert without_secrets("tokenizer.json: 512 tokens at most") == "tokenizer.json: 512 tokens at most"
