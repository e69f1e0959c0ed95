"""How much a Parquet file unpacks to: a few kilobytes can say the same megabyte a million times."""

from __future__ import annotations

from pathlib import Path

from mteb_hybrid.errors import HybridError

_LOOKED_INTO = 1 << 28  # bytes: a larger file takes long to look into, and whoever has it has the room
_TIMES = 200  # texts, packed well, are a tenth; what says the same paragraph often may be a fiftieth
_ALWAYS = 1 << 28
_ROWS = 256


def check_unpacked(path: Path) -> None:
    """Raise a HybridError for a Parquet file that unpacks to far more than texts do.

    It is read once, a few rows at a time; a file of more than 256 MB is not looked into.

    Raises:
        HybridError: it is such a file.
        OSError: it cannot be read.
        pyarrow.ArrowException: it is no Parquet file, or a damaged one.
    """
    from pyarrow import parquet

    size = path.stat().st_size
    room = _TIMES * size + _ALWAYS
    with parquet.ParquetFile(path, pre_buffer=False) as file:  # else all of it is fetched ahead, and held
        groups = range(file.metadata.num_row_groups)
        packed_pages = sum(file.metadata.row_group(number).total_byte_size for number in groups)
        if packed_pages <= room and size > _LOOKED_INTO:
            return
        left = room - packed_pages
        if left >= 0:
            left = room
            for batch in file.iter_batches(_ROWS):
                left -= batch.nbytes
                if left < 0:
                    break
    if left < 0:
        raise HybridError(
            f"{path} unpacks to more than {room // 1_000_000:,} MB, which are no texts; leave it, or write it as JSONL"
        )
