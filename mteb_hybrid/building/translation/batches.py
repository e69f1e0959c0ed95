"""Batches of texts that are about as long, so that little of them is padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def token_batches(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Put texts into batches, the longest first: what does not fit in memory shows at once.

    Args:
        lengths: tokens of each text.
        tokens: of a batch, padding counted; a longer text is a batch of its own.

    Yields:
        The numbers of the texts of a batch.
    """
    batch: list[int] = []
    longest = 0
    for number in sorted(range(len(lengths)), key=lambda number: (-lengths[number], number)):
        if batch and longest * (len(batch) + 1) > tokens:
            yield batch
            batch = []
        if not batch:
            longest = lengths[number]
        batch.append(number)
    if batch:
        yield batch
