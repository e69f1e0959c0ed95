"""Whether a corpus that was built again is the one that the lock file tells of."""

from __future__ import annotations

from pathlib import Path

from mteb_hybrid.data.corpus_lock import LOCK, CorpusLock, read_lock


def differences(path: Path, built: CorpusLock) -> list[str]:
    """What differs between a corpus and the one that it was to be again.

    Args:
        path: what it was built from; nothing differs from a build file.
        built: the lock of the corpus.

    Returns:
        A line for each file that is not the same byte for byte, with what may be why; and one where that cannot be
        told, as hard negatives were mined since.
    """
    if path.name != LOCK:
        return []
    before = read_lock(path)
    others = {file.name: file for file in built.files}
    changed = [
        f"{package} {version}, now {built.versions.get(package, 'none')}"
        for package, version in before.versions.items()
        if built.versions.get(package) != version
    ]
    why = f"; built with other versions ({', '.join(changed)})" if changed else ""
    lines = []
    for file in before.files:
        other = others.pop(file.name, None)
        if other is None:
            lines.append(f"{file.file} is not there again{why}")
        elif other.revision != file.revision:
            lines.append(f"{file.file} differs: {file.source} is at {other.revision}, and was at {file.revision}")
        elif other.sha256 != file.sha256 and not before.negatives:
            lines.append(f"{file.file} differs: {other.rows:,} rows, and there were {file.rows:,}{why}")
    if before.negatives:
        lines.append(
            "the corpus had hard negatives: mine them again with mteb-hybrid data mine; whether the files are the same "
            "but for these was not compared"
        )
    return [*lines, *(f"{file.file} is new{why}" for file in others.values())]
