"""What the system refuses, a full disk or a folder that may not be written, told by libraries in words of their own."""

from __future__ import annotations


def refusal(error: Exception) -> str | None:
    """What is wrong with a file, as an error of reading or writing says; None of an error of another kind.

    Of libraries in Rust, safetensors raises an error of its own, and tokenizers a bare Exception that ends with
    ``(os error 28)``. Torch raises a RuntimeError that names the source file in which it writes archives.
    """
    from safetensors import SafetensorError

    text = str(error)
    if isinstance(error, OSError):
        return f"{error.strerror}: {error.filename}" if error.strerror and error.filename else error.strerror or text
    if isinstance(error, SafetensorError) or "(os error " in text:
        return text
    if isinstance(error, RuntimeError) and "inline_container" in text:
        return "no checkpoint can be written, the disk may be full"
    return None
