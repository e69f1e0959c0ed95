"""A built corpus with hard negatives: mined beside it, and put in its place when all is there."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pyarrow import parquet
from pydantic import ValidationError

from mteb_hybrid.alone import alone
from mteb_hybrid.building.finish import FOUND
from mteb_hybrid.building.mining.settings import MiningSettings
from mteb_hybrid.building.shards import languages_of
from mteb_hybrid.data.built_corpus import find_built
from mteb_hybrid.data.corpus_lock import LOCK, CorpusLock, FileRecord, StageRecord, file_digest, write_lock
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.whole import put_back, replace_folder


def mining_settings(values: Mapping[str, Any]) -> MiningSettings:
    """Check settings of the command line.

    Raises:
        HybridError: one is not possible.
    """
    try:
        return MiningSettings.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        option = "".join(f"--{str(part).replace('_', '-')}: " for part in first["loc"][:1])
        raise HybridError(f"{option}{one_line(first['msg'].removeprefix('Value error, '), 200)}") from None


def mine_corpus(
    corpus: Path,
    output: Path,
    settings: MiningSettings,
    *,
    overwrite: bool = False,
    show_progress_bar: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> CorpusLock:
    """Mine hard negatives for a built corpus.

    Args:
        corpus: its folder.
        output: the folder of the corpus with negatives; the corpus's own to put it in its place.
        settings: which negatives.
        overwrite: replace another corpus that is there.
        show_progress_bar: whether to show progress.
        say: is told what is ahead, a line at a time.

    Returns:
        The lock of the corpus with negatives.

    Raises:
        HybridError: there is no such corpus or model, something else is in the output's place, or it cannot be written.
    """
    from mteb_hybrid.building.mining.mine import mine
    from mteb_hybrid.building.mining.model import load_encoder

    put_back(corpus.absolute())
    built = find_built(corpus)
    if built is None or not corpus.is_dir():
        raise HybridError(f"{corpus} is no corpus that was built ({LOCK} is not in it); see mteb-hybrid data build")
    in_place = output.exists() and output.samefile(corpus)
    if output.exists() and not (in_place or overwrite):
        raise HybridError(f"{output} exists; choose another --output, or replace it with --overwrite")
    model, revision = load_encoder(settings)
    work = output.absolute().with_name(f"{output.name}.mining")
    try:
        output.absolute().parent.mkdir(parents=True, exist_ok=True)
        with alone(output, "choose another --output"):
            work.mkdir(exist_ok=True)
            record = mine(
                [corpus / file.file for file in built.files],
                work,
                model,
                settings,
                revision=revision,
                show_progress_bar=show_progress_bar,
                say=say,
            )
            files = [_mined(file, work) for file in built.files]
            lock = built.lock.model_copy(update={"files": files, "negatives": record.as_json()})
            write_lock(lock, work / LOCK)
            if (corpus / FOUND).is_file():
                shutil.copyfile(corpus / FOUND, work / FOUND)
            for left in work.glob(".*.partial"):  # by processes that were killed: they would come along
                left.unlink()
            replace_folder(work, output.absolute())
    except BrokenPipeError:  # of what is said
        raise
    except OSError as error:
        raise HybridError(f"cannot write {output} ({error.strerror or error}); choose another --output") from None
    return lock


def _mined(file: FileRecord, folder: Path) -> FileRecord:
    """What is known of a file now that it has negatives."""
    path = folder / file.file
    read = parquet.ParquetFile(path)
    pairs = dict.fromkeys(languages_of(read.schema_arrow.empty_table()), 0)
    for language in pairs:
        column = read.schema_arrow.names.index(f"query_{language}")
        groups = [read.metadata.row_group(number).column(column) for number in range(read.metadata.num_row_groups)]
        pairs[language] = sum(group.num_values - group.statistics.null_count for group in groups)
    gone = sum(file.pairs.values()) - sum(pairs.values())
    dropped = {"no passage that may be a negative": gone} if gone else {}
    stage = StageRecord(stage="mine", rows=read.metadata.num_rows, pairs=pairs, dropped=dropped)
    return file.model_copy(update={"stages": [*file.stages, stage], "sha256": file_digest(path)})
