"""The readers under atheris, which looks for inputs that reach new code: a long form that runs where atheris does.

``python -m tests.hostile.coverage_guided READER -runs=100000 [CORPUS_FOLDER]``; without a reader it lists them.
Its inputs are the bytes of a file; whatever breaks what ``held`` asks for ends it, with the input in a file.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris  # type: ignore  # no requirement: pip install atheris

with atheris.instrument_imports(include=["mteb_hybrid", "yaml", "tomllib", "json"]):
    from mteb_hybrid.building.build_file import read_build_file
    from mteb_hybrid.data.corpus_files import load_corpus
    from mteb_hybrid.data.corpus_lock import read_lock
    from mteb_hybrid.data.lareqa import read_lareqa
    from mteb_hybrid.data.own import load_collection
    from mteb_hybrid.debias.file import read_debiasing
    from mteb_hybrid.models import MODELS_VARIABLE, known_models
    from mteb_hybrid.publishing.card_merge import merge_cards
    from mteb_hybrid.publishing.manifest import read_manifest
    from mteb_hybrid.reporting.remedies import read_rows
    from mteb_hybrid.settings.yaml_lines import read_yaml
    from mteb_hybrid.training.outcome import read_record

from tests.hostile.held import Cases

Read = Callable[[Path], Any]

CARD = "---\nlicense: mit\ntags: [a]\n---\n\n# x\n\n## y\n\nz\n"


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")


READERS: dict[str, tuple[str, Read, bytes]] = {
    "lareqa": ("x.json", lambda path: read_lareqa(path, "en"), b'{"data": [{"paragraphs": []}]}'),
    "own": ("x.jsonl", load_collection, b'{"role": "query", "id": "1", "language": "de", "group": "g", "text": "t"}'),
    "pairs": ("x.jsonl", load_corpus, b'{"id": "1", "query_de": "a", "passage_de": "b"}'),
    "lock": (
        "corpus.lock.json",
        read_lock,
        b'{"name": "x", "settings": {}, "files": [], "license": "mit", "versions": {}}',
    ),
    "yaml": ("x.yaml", read_yaml, b"a: {b: [1, 2.5, 'x']}\n"),
    "build": ("x.yaml", read_build_file, b"sources: [{source: MKQA, rows: 3}]\n"),
    "names": ("models.toml", lambda _: known_models(), b'[x]\nsource = "ORG/x"\n'),
    "rows": (
        "rows.json",
        read_rows,
        b'[{"task": "T", "model": "m", "strategy": "s", "monolingual": 0.5, "multilingual": 0.5}]',
    ),
    "record": ("training.json", lambda path: read_record(path.parent), b'{"base": "x", "data": []}'),
    "debiasing": ("x.safetensors", read_debiasing, b"\x02\0\0\0\0\0\0\0{}"),
    "manifest": (
        "x.json",
        lambda path: read_manifest(_text(path), "ORG/x"),
        b'{"name": "x", "fingerprint": "1", "files": []}',
    ),
    "card": ("x.md", lambda path: merge_cards(CARD, _text(path), CARD.replace("z", "new")), CARD.encode()),
}
"""Name to the file that it reads, the reader, and an input to begin with."""


def main() -> None:
    """Feed one reader until something breaks or the runs are done."""
    if len(sys.argv) < 2 or sys.argv[1] not in READERS:
        print("\n".join(READERS))
        return
    name = sys.argv[1]
    file, read_it, valid = READERS[name]
    folder = Path(tempfile.mkdtemp(prefix="hostile-"))
    seeds = folder / "seeds"
    seeds.mkdir()
    (seeds / "valid").write_bytes(valid)
    path, cases = folder / file, Cases(folder / "outside")
    os.environ[MODELS_VARIABLE] = str(folder / "models.toml")

    def one(content: bytes) -> None:
        path.write_bytes(content)
        cases.hold(name, lambda: read_it(path))

    atheris.Setup([sys.argv[0], *sys.argv[2:], str(seeds)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
