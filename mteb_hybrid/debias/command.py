"""What ``mteb-hybrid debias fit`` does: find, check, encode, fit, write."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mteb_hybrid.data.corpus_files import load_corpus
from mteb_hybrid.debias.debiasing import Debiasing, Method, Roles
from mteb_hybrid.debias.file import write_debiasing
from mteb_hybrid.debias.fit import check_settings, fit_debiasing
from mteb_hybrid.debias.plain import find_plain, load_plain
from mteb_hybrid.errors import HybridError


@dataclass(frozen=True)
class FitChoices:
    """What the user asked for.

    Attributes:
        model: a short name, a folder, a Hub id or ``mteb-hybrid/tiny``.
        pairs: a source of training pairs, as in a recipe.
        method: as in ``fit_debiasing``, and so are the others that are named there.
        revision: of a model on the Hub.
        pairs_revision: of a corpus on the Hub.
        languages: some of the corpus; all by default.
        rows: the first so many rows only.
    """

    model: str
    pairs: str
    method: Method
    revision: str | None = None
    pairs_revision: str | None = None
    languages: Sequence[str] | None = None
    rows: int | None = None
    mteb_tasks: tuple[str, ...] = ()
    alpha: float = 1.0
    source: str | None = None
    components: int = 1
    apply: Roles | None = None


def fit_to_file(
    choices: FitChoices, path: Path, *, batch_size: int = 32, device: str | None = None, show_progress_bar: bool = True
) -> Debiasing:
    """Fit a debiasing and write it to a file; all that can be wrong is looked at before anything is encoded.

    Args:
        choices: what the user asked for.
        path: the file; one that is there is replaced.
        batch_size: texts encoded at once.
        device: as in sentence-transformers.
        show_progress_bar: whether to show progress.

    Raises:
        HybridError: the model or the corpus cannot be had, a setting is not possible, or the file cannot be written.
    """
    import datasets

    _check_writable(path)
    base = find_plain(choices.model, choices.revision)
    if not show_progress_bar:
        datasets.disable_progress_bars()
    corpus = load_corpus(choices.pairs, revision=choices.pairs_revision, languages=choices.languages, rows=choices.rows)
    check_settings(corpus, choices.method, choices.alpha, choices.source, choices.components)
    debiasing = fit_debiasing(
        load_plain(base, device=device),
        corpus,
        choices.method,
        base=base,
        alpha=choices.alpha,
        source=choices.source,
        components=choices.components,
        apply=choices.apply,
        mteb_tasks=choices.mteb_tasks,
        batch_size=batch_size,
        show_progress_bar=show_progress_bar,
    )
    write_debiasing(debiasing, path)
    return debiasing


def _check_writable(path: Path) -> None:
    folder = path.absolute().parent
    if path.is_dir():
        raise HybridError(f"{path} is a folder; name a file, such as {path / 'shift.safetensors'}")
    if not folder.is_dir():
        raise HybridError(f"cannot write {path}: there is no folder {folder}; make it, or choose another file")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise HybridError(f"cannot write in {folder}; choose another file")
