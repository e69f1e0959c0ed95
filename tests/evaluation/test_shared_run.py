"""A run: what its tasks share, for how long."""

from __future__ import annotations

import gc
import weakref

import pytest

from mteb_hybrid.evaluation.shared_run import current_run, shared_run


def test_a_run_is_shared_nests_and_ends() -> None:
    assert current_run() is None
    with shared_run() as outer:
        assert current_run() is outer
        with shared_run() as inner:
            assert inner is outer
        assert current_run() is outer
    assert current_run() is None
    with shared_run() as later:
        assert later is not outer


def test_a_run_frees_what_it_shared_at_its_end() -> None:
    with shared_run() as run:
        freed = [weakref.ref(run.encodings), weakref.ref(run.query_scores)]
        del run
        gc.collect()
        assert all(part() is not None for part in freed)
    gc.collect()
    assert all(part() is None for part in freed)


def test_a_run_that_fails_is_over() -> None:
    with pytest.raises(KeyError), shared_run() as run:
        freed = weakref.ref(run.encodings)
        del run
        raise KeyError
    gc.collect()
    assert current_run() is None
    assert freed() is None
