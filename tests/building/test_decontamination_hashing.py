"""Hashes of texts by their words, and the tables that they are looked up in."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mteb_hybrid.building.decontamination.hash_table import HashTable, Lookup, load_array
from mteb_hybrid.building.decontamination.hashing import hash_texts, text_hash
from mteb_hybrid.errors import HybridError

WORDS = st.lists(st.sampled_from(["a", "b", "ab", "я", "中", "文", "ก"]), max_size=12)
SPACED = {"a", "b", "ab", "я"}


def test_hashes_are_those_of_every_other_machine() -> None:
    hashed = hash_texts(["hello world"])
    assert text_hash("hello") == 0x7D34E501A8EDB6A7
    assert hashed.whole().tolist() == [0x89F370285083C5DC]
    assert hashed.runs(2)[0].tolist() == [0x3B15390DB5FD3282]


def test_a_text_is_its_words_in_their_order() -> None:
    texts = ["The cat, the DOG!", "the cat the dog", "the dog the cat", "thecat the dog", "", "…"]
    same, also, turned, joined, empty, dots = hash_texts(texts).whole().tolist()
    assert same == also
    assert len({same, turned, joined, empty}) == 4
    assert empty == dots == 0


def test_a_character_of_a_script_without_spaces_is_half_a_word() -> None:
    assert hash_texts(["two words", "北京大学", "Beijing 大学", "ไทย", "한국 사람", ""]).half_words.tolist() == [
        4,
        4,
        4,
        3,
        4,
        0,
    ]


def expected_runs(words: list[str], n: int) -> list[tuple[str, ...]]:
    """By the definition: n words of which half or more have spaces; 2n of which fewer have."""
    return [
        run
        for length in (n, 2 * n)
        for start in range(len(words) - length + 1)
        for run in [tuple(words[start : start + length])]
        if (2 * sum(word not in SPACED for word in run) > length) == (length == 2 * n)
    ]


@given(st.lists(WORDS, max_size=6), st.integers(2, 5))
def test_runs_have_one_hash_if_they_are_the_same_words(texts: list[list[str]], n: int) -> None:
    hashes, numbers = hash_texts([" ".join(words) for words in texts]).runs(n)
    expected = [(number, run) for number, words in enumerate(texts) for run in expected_runs(words, n)]
    assert sorted(numbers.tolist()) == [number for number, _ in expected]
    by_text: dict[int, list[int]] = {}
    for hash_, number in zip(hashes.tolist(), numbers.tolist(), strict=True):
        by_text.setdefault(number, []).append(hash_)
    run_of: dict[int, tuple[str, ...]] = {}
    for number, words in enumerate(texts):
        for hash_, run in zip(by_text.get(number, []), expected_runs(words, n), strict=True):
            assert run_of.setdefault(hash_, run) == run  # one run a hash
    assert len(set(run_of.values())) == len(run_of)  # and one hash a run


@given(st.lists(WORDS, min_size=1, max_size=6), st.integers(2, 4), st.integers(0, 5))
def test_texts_are_hashed_alike_whatever_stands_beside_them(texts: list[list[str]], n: int, which: int) -> None:
    joined = [" ".join(words) for words in texts]
    number = which % len(texts)
    alone, together = hash_texts([joined[number]]), hash_texts(joined)
    assert alone.whole()[0] == together.whole()[number]
    hashes, numbers = together.runs(n)
    assert alone.runs(n)[0].tolist() == hashes[numbers == number].tolist()


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), max_size=30))
def test_a_table_has_the_first_text_of_each_hash(entries: list[tuple[int, int]]) -> None:
    spread = 0x9E3779B97F4A7C15
    hashes = np.array([(key * spread) % 2**64 for key, _ in entries], dtype=np.uint64)
    table = HashTable.of([(hashes, np.array([text for _, text in entries], dtype=np.int64))])
    asked = np.array([(key * spread) % 2**64 for key in range(60)], dtype=np.uint64)
    expected = [min((text for other, text in entries if other == key), default=-1) for key in range(60)]
    assert Lookup.of(table).find(asked).tolist() == expected


@pytest.mark.parametrize("entries", [0, 1, 5000])
def test_a_table_is_read_as_it_was_written(tmp_path: Path, entries: int) -> None:
    hashes = np.arange(entries, dtype=np.uint64) * np.uint64(3)
    HashTable.of([(hashes, np.arange(entries))]).save(tmp_path, "t")
    loaded = HashTable.load(tmp_path, "t")
    assert np.array_equal(loaded.hashes, hashes)
    assert Lookup.of(loaded).find(np.array([0, 1], dtype=np.uint64)).tolist() == [0 if entries else -1, -1]


def test_a_damaged_file_is_told_and_nothing_of_it_is_executed(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY\x01\x00")
    for name in ("objects.npy", "cut.npy", "none.npy"):
        with pytest.raises(HybridError, match=rf"{name} cannot be read \(.*delete its folder"):
            load_array(tmp_path / name)
