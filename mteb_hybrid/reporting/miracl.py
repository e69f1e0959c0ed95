"""MIRACL's tables: mteb's own tasks, a language a column, beside Tables 12 and 13 of Elmahdy et al. (arXiv 2408.10536).

The paper's figures are of the whole corpora (mteb's MIRACLRetrieval), on 15 of MIRACL's 18 languages. The variants with
hard negatives rank a fraction of the passages; they stand in tables of their own, where the paper's rows are marked.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from math import fsum

from mteb_hybrid.reporting import footnotes
from mteb_hybrid.reporting.figures import Cell
from mteb_hybrid.reporting.results import ModelResults
from mteb_hybrid.reporting.tables import MAP, Column, Row, Table, row_labels

TITLE = "MIRACL"

_WHOLE = "MIRACLRetrieval"
_TASKS = {
    _WHOLE: TITLE,
    f"{_WHOLE}HardNegatives": f"{TITLE} with hard negatives",
    f"{_WHOLE}HardNegatives.v2": f"{TITLE} with hard negatives, v2",
}
_METRICS = {"ndcg_at_10": "nDCG@10", "recall_at_100": "Recall@100"}
# Every name under which training data may declare MIRACL's texts.
_DATA_NAMES = {*_TASKS, TITLE, "MIRACLReranking", "MIRACLJaRetrievalLite", "MIRACLVisionRetrieval"}
_WHOLE_CORPUS = "of the whole corpus"
_NO_COMPARISON = (  # the counts: mteb's own descriptive statistics of the two tasks
    f"{footnotes.INCOMPLETE_MARK} Published figures are {_WHOLE_CORPUS}; hard negatives are another corpus (2.4 of 106 "
    "million passages, and fewer queries), so figures on the two do not compare."
)


@dataclass(frozen=True)
class PublishedMiracl:
    """What one base model, trained with one batch strategy, scored in the publication.

    Attributes:
        label: how tables call this row.
        source: the publication.
        figures: for each metric the figure of each language.
    """

    label: str
    source: str
    figures: Mapping[str, Mapping[str, float]]


def miracl_tables(results: Sequence[ModelResults], against_published: bool = False) -> list[Table]:
    """Return a table for each of MIRACL's tasks and each metric, over the models that have results of it.

    Args:
        results: the models.
        against_published: whether rows of published figures follow.

    Returns:
        nDCG at 10 and recall at 100 by language, with their mean over the paper's languages, and over all of a wider
        run; no table of a task without results.
    """
    models = list(zip(row_labels(results), results, strict=True))
    return [
        _table(task, metric, having, against_published)
        for task in _TASKS
        if (having := [(label, run) for label, run in models if task in run.subsets])
        for metric in _METRICS
    ]


@cache
def published_miracl() -> tuple[PublishedMiracl, ...]:
    """Return the published rows, in the order in which tables show them."""
    text = files("mteb_hybrid.reporting").joinpath("published_figures.json").read_text(encoding="utf-8")
    content = json.loads(text)
    return tuple(
        PublishedMiracl(
            f"{row['base_model']}, {row['strategy']} (published)",
            content["sources"][row["source"]],
            row["miracl_dev"],
        )
        for row in content["miracl_models"]
    )


def _table(task: str, metric: str, models: Sequence[tuple[str, ModelResults]], against_published: bool) -> Table:
    figures = {label: _figures(run, task, metric) for label, run in models}
    paper = {language for row in published_miracl() for language in row.figures[metric]}
    languages = sorted(paper.union(*figures.values()))
    means = {f"mean of {len(part)}": part for part in (paper, languages)}
    columns = [*languages, *means]
    own = [
        Row(label, (*_cells(each, languages), *(_mean(each, part) for part in means.values())))
        for label, each in figures.items()
    ]
    note = "" if task == _WHOLE else _WHOLE_CORPUS
    published = published_miracl() if against_published else ()
    rows = (
        *own,
        *(_published_row(each.label, each.figures[metric], languages, means.values(), note) for each in published),
    )
    notes = [line for row in own for line in footnotes.incomplete(row.label, columns, row.cells)]
    notes += [*_zero_shot(models), *_differing_data(task, models)]
    if published and note:
        notes.append(_NO_COMPARISON)
    notes += footnotes.sources(each.source for each in published)
    title = f"{_TASKS[task]}: {_METRICS[metric]} by language"
    return Table(title, tuple(Column(name, MAP) for name in columns), rows, tuple(notes))


def _published_row(
    label: str, figures: Mapping[str, float], languages: Sequence[str], means: Iterable[Collection[str]], note: str
) -> Row:
    """A row without a mean over languages that the paper has not."""
    of_means = (_mean(figures, part) if figures.keys() >= set(part) else Cell(None) for part in means)
    cells = (*_cells(figures, languages), *of_means)
    return Row(label, tuple(cell if cell.value is None else replace(cell, note=note) for cell in cells))


def _cells(figures: Mapping[str, float], languages: Sequence[str]) -> Iterator[Cell]:
    return (Cell(figures.get(language)) for language in languages)


def _mean(figures: Mapping[str, float], languages: Collection[str]) -> Cell:
    values = [figures[language] for language in languages if language in figures]
    if not values:
        return Cell(None)
    note = f"{len(values)} of {len(languages)} languages" if len(values) < len(languages) else ""
    return Cell(fsum(values) / len(values), note)


def _figures(run: ModelResults, task: str, metric: str) -> dict[str, float]:
    return {language: scores[metric] for language, scores in run.subsets[task].items() if metric in scores}


def _zero_shot(models: Sequence[tuple[str, ModelResults]]) -> Iterator[str]:
    """Say which models have seen MIRACL's texts, as far as declared training data tells."""
    declared = {label: run.training_datasets for label, run in models}
    seen = [label for label, data in declared.items() if data is not None and not data.isdisjoint(_DATA_NAMES)]
    unseen = [label for label, data in declared.items() if data is not None and data.isdisjoint(_DATA_NAMES)]
    silent = [label for label, data in declared.items() if data is None]
    if seen:
        yield f"Not zero-shot, as declared training data holds the texts: {', '.join(seen)}."
    if unseen:
        yield f"Zero-shot by declared training data: {', '.join(unseen)}."
    if silent:
        yield f"Training data not declared, so zero-shot is not known: {', '.join(silent)}."


def _differing_data(task: str, models: Sequence[tuple[str, ModelResults]]) -> Iterator[str]:
    revisions = sorted({run.dataset_revisions[task] for _, run in models if task in run.dataset_revisions})
    if len(revisions) > 1:
        yield f"{task} was run on different revisions of its data, which do not compare: {', '.join(revisions)}."
