"""The nearest passages: all compared, or those of lists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow
import pytest

from mteb_hybrid.building.mining import index, vectors
from mteb_hybrid.building.mining.index import FlatIndex, ListIndex, kind_of, lists_of, memory_of
from mteb_hybrid.building.mining.vectors import Floats, Vectors


def saved(folder: Path, values: Floats) -> Vectors:
    made = Vectors(folder, len(values), values.shape[1])
    texts = pyarrow.array([str(number) for number in range(len(values))], pyarrow.large_string())
    made.make(texts, lambda names: values[[int(name) for name in names]], lambda _: None)
    return made


def random(count: int, dimensions: int = 16, *, centres: int = 60) -> Floats:
    """Vectors around centres, as texts are around subjects."""
    generator = np.random.default_rng(1)
    middle = generator.normal(size=(centres, dimensions))
    around = generator.normal(size=(count, dimensions), scale=0.5)
    return (middle[generator.integers(centres, size=count)] + around).astype(np.float32)


def test_flat_is_brute_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "PART", 70)  # the last of 30
    made = saved(tmp_path, random(240))
    every = made.take(np.arange(240))
    scores, numbers = FlatIndex(made).search(every[:50], 7)
    products = every[:50] @ every.T
    assert numbers.tolist() == np.argsort(-products, axis=1, kind="stable")[:, :7].tolist()
    assert scores == pytest.approx(np.sort(products)[:, ::-1][:, :7], abs=1e-6)


def test_equals_come_by_their_numbers(tmp_path: Path) -> None:
    made = saved(tmp_path, np.ones((5, 4), np.float32))
    assert FlatIndex(made).search(made.take(np.array([0])), 5)[1].tolist() == [[0, 1, 2, 3, 4]]


def test_vectors_are_of_unit_length_and_taken_in_any_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "PART", 3)
    values = random(8, 4)
    taken = saved(tmp_path, values).take(np.array([7, 0, 3, 0]))
    expected = values[[7, 0, 3, 0]] / np.linalg.norm(values[[7, 0, 3, 0]], axis=1, keepdims=True)
    assert taken == pytest.approx(expected, abs=1e-3)


def test_lists_find_most_and_the_same_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (vectors, index):
        monkeypatch.setattr(module, "PART", 1500)  # merged of three
    made = saved(tmp_path / "vectors", random(4000))
    queries = made.take(np.arange(0, 4000, 20))
    exact = FlatIndex(made).search(queries, 10)[1]
    first = ListIndex(made, tmp_path / "lists", seed=3)
    scores, numbers = first.search(queries, 10)
    found = np.mean([len({*a} & {*b}) / 10 for a, b in zip(exact.tolist(), numbers.tolist(), strict=True)])
    assert found > 0.8
    assert lists_of(4000)[1] < lists_of(4000)[0] / 4  # and has not looked at all
    opened = ListIndex(made, tmp_path / "lists", seed=99)  # as it lies there
    anew = ListIndex(made, tmp_path / "anew", seed=3)
    for other in (opened, anew):
        again = other.search(queries, 10)
        assert np.array_equal(again[1], numbers)
        assert np.array_equal(again[0], scores)


def test_kind_and_memory_by_size() -> None:
    assert [kind_of("auto", count) for count in (200_000, 200_001)] == ["flat", "ivf"]
    assert kind_of("flat", 10**7) == "flat"
    assert lists_of(10) == (1, 1)
    assert lists_of(10**7) == (4096, 64)
    assert memory_of("flat", 10**5, 768, 56) == memory_of("flat", 10**7, 768, 56) < 10**9
    assert memory_of("ivf", 10**6, 768, 56) < memory_of("ivf", 10**7, 768, 56) < 2 * 10**9
