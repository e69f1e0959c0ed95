"""Questions one by one: the best and the worst of each model, and those on which two models differ most.

A page cannot hold all questions: of each order it holds as many of the first as there is room for, as many of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from mteb_hybrid.data.collection import ParallelCollection
from mteb_hybrid.html_report.content import name_to_show, text_to_show
from mteb_hybrid.html_report.queries import Queries

QUERIES_IN_ALL = 300
"""Questions that a page holds, over all benchmarks."""

MODELS = 6
"""Models among which questions are chosen: the first of the report."""

_OF_EACH_ORDER = 20
_QUESTION_LIMIT, _PASSAGE_LIMIT = 600, 900  # characters
_PASSAGES = 3  # of one language
_LANGUAGES = 24  # with more of them each question has less room
_CUT_PASSAGE = 160

Key = tuple[str, str]  # language and id of a query
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Score:
    """How a model does on a question: average precision, rank distance, and the rank of each language's answer."""

    precision: float
    distance: int
    ranks: tuple[int | None, ...]


@dataclass(frozen=True)
class Question:
    """A question in one language.

    Attributes:
        language: its language.
        id: its id.
        group: its place among the explorer's groups.
        text: its text; empty where texts are not at hand.
        scores: one for each model; None where the model was not asked.
    """

    language: str
    id: str
    group: int
    text: str
    scores: tuple[Score | None, ...]


@dataclass(frozen=True)
class Explorer:
    """The questions of one benchmark that the page holds.

    Attributes:
        models: the models.
        languages: the languages of the answers.
        depth: how many of the first questions of each order are among those held.
        asked: how many questions there are in all.
        questions: the questions, in the order that decides between equal ones.
        answers: for each group the texts of its passages in each language, the first few of each.
        notes: what is missing, and why.
    """

    models: tuple[str, ...]
    languages: tuple[str, ...]
    depth: int
    asked: int
    questions: tuple[Question, ...]
    answers: tuple[tuple[tuple[str, ...], ...], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Table:
    """All queries of all models: keys in order, and scores of shape (models, queries), NaN where not asked."""

    keys: list[Key]
    precision: Floats
    distance: Floats


def explore(
    queries: Mapping[str, Queries],
    languages: Sequence[str],
    texts: ParallelCollection | str,
    room: int = QUERIES_IN_ALL,
) -> Explorer | None:
    """Choose the questions to hold.

    Args:
        queries: the scores of each model, by its label; the first 6 are looked at.
        languages: the languages of the benchmark.
        texts: where to read texts, or why there are none.
        room: how many questions to hold at most.

    Returns:
        What the page holds; None if there are no scores.
    """
    models = tuple(queries)[:MODELS]
    if not models:
        return None
    shown = [queries[model] for model in models]
    table = _joined(shown)
    chosen, depth = _chosen(_orders(table), min(room, max(room * _LANGUAGES // len(languages), 1)))
    keys = [table.keys[row] for row in sorted(chosen)]
    rows_of = [{key: row for row, key in enumerate(zip(q.languages, q.ids, strict=True))} for q in shown]
    group_of = {key: q.groups[rows[key]] for q, rows in zip(shown, rows_of, strict=True) for key in keys if key in rows}
    groups = {group: place for place, group in enumerate(sorted(set(group_of.values())))}
    collection = None if isinstance(texts, str) else texts
    text_of = _texts_of_queries(collection, keys)
    questions = tuple(
        Question(
            language=key[0],
            id=name_to_show(key[1]),
            group=groups[group_of[key]],
            text=text_of.get(key, ""),
            scores=tuple(_score(q, rows.get(key), languages) for q, rows in zip(shown, rows_of, strict=True)),
        )
        for key in keys
    )
    many = len(languages) > _LANGUAGES
    answers = tuple(_answers(collection, group, languages, many) for group in groups)
    cut = f"Of each language the first passage is here, cut at {_CUT_PASSAGE} characters: there are many languages."
    notes = (*([texts] if isinstance(texts, str) else [cut] if many else []), *_notes(queries, models))
    return Explorer(models, tuple(languages), depth, len(table.keys), questions, answers, notes)


def _notes(queries: Mapping[str, Queries], models: Sequence[str]) -> Iterator[str]:
    without = [model for model in models if not queries[model].ranks]
    if without:
        yield f"No ranks by language were kept for {', '.join(without)}; run the LanguageBias task again."
    if len(queries) > len(models):
        yield f"Of {len(queries)} models the first {len(models)} are here; choose others with --models."


def _joined(queries: Sequence[Queries]) -> _Table:
    of_model = [list(zip(each.languages, each.ids, strict=True)) for each in queries]
    keys = sorted({key for keys in of_model for key in keys})
    row_of = {key: row for row, key in enumerate(keys)}
    figures = np.full((2, len(queries), len(keys)), np.nan)
    for model, (each, own) in enumerate(zip(queries, of_model, strict=True)):
        rows = [row_of[key] for key in own]
        # as they are held by the page, which puts them in order again
        figures[0, model, rows] = np.round(each.precision, 5)
        figures[1, model, rows] = np.round(each.distance)
    return _Table(keys, figures[0], figures[1])


def _orders(table: _Table) -> list[NDArray[np.integer]]:
    """The rows of the queries in each order that the page can show; script.js puts them in the same orders."""
    found = []
    models = range(len(table.precision))
    for precision, distance in zip(table.precision, table.distance, strict=True):
        found += [
            _order(-distance, precision),
            _order(distance, -precision),
            _order(precision, -distance),
            _order(-precision, distance),
        ]
    found += [_order(table.precision[other] - table.precision[one]) for one, other in permutations(models, 2)]
    return found


def _order(*keys: Floats) -> NDArray[np.integer]:
    """Rows by the first key, then by the next, then as they are; without those that are NaN."""
    rows = np.lexsort(tuple(reversed(keys)))
    return rows[~np.isnan(keys[0][rows])]


def _chosen(orders: Sequence[NDArray[np.integer]], room: int) -> tuple[set[int], int]:
    """The first so many rows of every order, as many as there is room for; at least the first of each."""
    chosen: set[int] = set()
    for depth in range(_OF_EACH_ORDER):
        more = {int(order[depth]) for order in orders if depth < len(order)}
        if depth and len(chosen | more) > room:
            return chosen, depth
        chosen |= more
    return chosen, _OF_EACH_ORDER


def _score(queries: Queries, row: int | None, languages: Sequence[str]) -> Score | None:
    if row is None:
        return None
    ranks = [queries.ranks[tag][row] if tag in queries.ranks else np.nan for tag in languages]
    return Score(
        round(float(queries.precision[row]), 5),
        round(float(queries.distance[row])),
        tuple(None if np.isnan(rank) else int(rank) for rank in ranks),
    )


def _texts_of_queries(collection: ParallelCollection | None, keys: Sequence[Key]) -> dict[Key, str]:
    wanted, found = set(keys), {}
    for language, table in collection.queries.items() if collection else ():
        for id_, text in zip(table.ids, table.texts, strict=True):
            if (language, id_) in wanted:
                found[language, id_] = text_to_show(text, _QUESTION_LIMIT)
    return found


def _answers(
    collection: ParallelCollection | None, group: str, languages: Sequence[str], many: bool
) -> tuple[tuple[str, ...], ...]:
    if collection is None:
        return ()
    found, (passages, limit) = [], (1, _CUT_PASSAGE) if many else (_PASSAGES, _PASSAGE_LIMIT)
    for tag in languages:
        table = collection.passages.get(tag)
        rows = table.rows_by_group.get(group, ())[:passages] if table else ()
        found.append(tuple(text_to_show(table.texts[row], limit) for row in rows) if table else ())
    return tuple(found)
