"""What is held out of training, and the pairs made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from mteb_hybrid.data.corpus_files import load_corpus
from mteb_hybrid.data.parallel_corpus import ParallelCorpus
from mteb_hybrid.errors import HybridError
from mteb_hybrid.training.validation import hold_out, validation_pairs
from tests.training.small_runs import LANGUAGES, Row, rows, write


@pytest.fixture
def corpus(tmp_path: Path) -> ParallelCorpus:
    """Forty rows, of which some lack a language."""
    return load_corpus(write(tmp_path / "ragged.jsonl", rows(ragged=True)))


def grouped(tmp_path: Path, groups: Sequence[int]) -> ParallelCorpus:
    """A row for each number, which is its passage group."""
    lines: list[Row] = [{**row, "group": f"g{group}"} for row, group in zip(rows(len(groups)), groups, strict=True)]
    return load_corpus(write(tmp_path / "grouped.jsonl", lines))


def ids(corpus: ParallelCorpus) -> list[str]:
    found: list[str] = corpus.table["id"].to_pylist()
    return found


def row_of(text: str) -> int:
    """The number of the row that a text names."""
    return int(text[len(text.rstrip("0123456789")) :])


def language_of(text: str) -> str:
    """The language that a text names."""
    return {tag.replace("-", ""): tag for tag in LANGUAGES}[text.rstrip("0123456789")[:-1]]


def test_both_parts_together_are_the_corpus(corpus: ParallelCorpus) -> None:
    training, held_out = hold_out(corpus, 0.2, at_most=100, seed=1)
    assert len(held_out) == 8
    assert sorted(ids(training) + ids(held_out), key=int) == ids(corpus)
    assert ids(training) == sorted(ids(training), key=int)
    assert training.languages == held_out.languages == corpus.languages
    for row, name in enumerate(ids(training)):
        assert training.texts(row, "en") == corpus.texts(int(name), "en")


def test_the_seed_decides(corpus: ParallelCorpus) -> None:
    chosen = [ids(hold_out(corpus, 0.2, at_most=100, seed=seed)[1]) for seed in (1, 1, 2)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_at_most_so_many(corpus: ParallelCorpus) -> None:
    assert len(hold_out(corpus, 0.5, at_most=3, seed=1)[1]) == 3


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_whole_passage_groups_are_held_out(share: float, tmp_path: Path) -> None:
    """Four groups of 1, 2, 3 and 4 rows."""
    groups = [4, 4, 4, 4, 3, 3, 3, 2, 2, 1]
    parts = hold_out(grouped(tmp_path, groups), share, at_most=100, seed=1)
    sides = [{groups[int(name)] for name in ids(part)} for part in parts]
    assert not sides[0] & sides[1]
    assert len(sides[1]) == 4 * share
    assert sum(map(len, parts)) == 10


@pytest.mark.parametrize(
    ("groups", "share", "counts"), [([1, 2, 3], 0.1, "0 of 3"), ([1, 2], 0.9, "2 of 2"), ([1, 1], 0.5, "0 of 1")]
)
def test_a_part_without_a_row(groups: list[int], share: float, counts: str, tmp_path: Path) -> None:
    with pytest.raises(HybridError, match=f"grouped: a validation share of {share} holds out {counts} passages"):
        hold_out(grouped(tmp_path, groups), share, at_most=100, seed=1)


def test_pairs_are_by_turns_in_one_language_and_in_two(corpus: ParallelCorpus) -> None:
    pairs = validation_pairs([corpus], pairs=40, languages=None, seed=1)
    assert pairs.column_names == ["query", "passage"]
    assert sorted(map(row_of, pairs["query"])) == list(range(40))
    assert list(map(row_of, pairs["query"])) == list(map(row_of, pairs["passage"]))
    queries, passages = (list(map(language_of, pairs[role])) for role in ("query", "passage"))
    assert [query == passage for query, passage in zip(queries, passages, strict=True)] == [True, False] * 20
    assert set(queries) == set(passages) == set(LANGUAGES)


def test_only_some_languages(corpus: ParallelCorpus) -> None:
    """Every row that has the language, and no others; alone, there are no pairs of two."""
    pairs = validation_pairs([corpus], pairs=100, languages=["zh-Hant"], seed=1)
    having = [row for row in range(len(corpus)) if corpus.texts(row, "zh-Hant")[0]]
    assert sorted(map(row_of, pairs["query"])) == having
    assert {language_of(text) for role in ("query", "passage") for text in pairs[role]} == {"zh-Hant"}


def test_each_source_has_its_share(corpus: ParallelCorpus, tmp_path: Path) -> None:
    """Of the languages asked for those that it has, and the negatives that all have."""
    other = load_corpus(write(tmp_path / "other.jsonl", rows(9, ("en", "fr"), name="other", negatives=2)))
    third = load_corpus(write(tmp_path / "third.jsonl", rows(9, ("fr",), name="third")))
    pairs = validation_pairs([corpus, other, third], pairs=8, languages=["en", "de"], seed=1)
    names = Counter(text[:5] for text in pairs["query"])
    assert len(pairs) == 6  # three from each; the third has neither language
    assert names["other"] == 3
    assert pairs.column_names == ["query", "passage"]


def test_negatives_are_in_the_language_of_their_passage(tmp_path: Path) -> None:
    corpus = load_corpus(write(tmp_path / "other.jsonl", rows(9, negatives=2)))
    pairs = validation_pairs([corpus], pairs=9, languages=None, seed=1)
    assert pairs.column_names == ["query", "passage", "negative_1", "negative_2"]
    for pair in pairs:
        passage, first, second = pair["passage"], pair["negative_1"], pair["negative_2"]
        assert language_of(passage) == language_of(first) == language_of(second)
        assert (row_of(first), row_of(second)) == (row_of(passage) + 1, row_of(passage) + 2)


def test_languages_that_the_data_lacks(corpus: ParallelCorpus) -> None:
    here = ", ".join(corpus.languages)
    with pytest.raises(HybridError) as refused:
        validation_pairs([corpus], pairs=8, languages=[corpus.languages[0], "fr"], seed=1)
    assert str(refused.value) == f"validation.languages: 'fr' is in no source of the validation; there are {here}"
