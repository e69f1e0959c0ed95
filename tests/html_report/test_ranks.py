"""How ranks are spread, by hand."""

from __future__ import annotations

import numpy as np

from mteb_hybrid.html_report.ranks import OTHERS, POOLED_FROM, rank_picture, rank_spreads

NONE = np.nan


def test_quantiles_of_each_pair_of_languages() -> None:
    ranks = {"de": {"de": np.array([1.0, 1, 2, NONE]), "en": np.arange(1.0, 102), "fr": np.array([NONE])}}
    spreads = rank_spreads(ranks, ["de", "en", "fr"])
    assert [(each.query, each.answer, each.count, each.is_own) for each in spreads] == [
        ("de", "de", 3, True),
        ("de", "en", 101, False),
    ]
    assert spreads[1].quantiles == (6, 26, 51, 76, 96)


def test_many_languages_are_taken_together() -> None:
    tags = [f"x{number:02d}" for number in range(POOLED_FROM)]
    ranks = {tags[0]: {tag: np.array([float(place)]) for place, tag in enumerate(tags)}}
    spreads = rank_spreads(ranks, tags)
    assert [(each.answer, each.count) for each in spreads] == [(tags[0], 1), (OTHERS, POOLED_FROM - 1)]
    assert spreads[1].quantiles[2] == 8.5  # of 1 to 16


def test_the_picture_says_what_it_shows() -> None:
    ranks = {"de": {"de": np.array([1.0, 3, 5]), "en": np.array([100.0, 200, 300])}}
    picture = rank_picture("local/a", "Toy", rank_spreads(ranks, ["de", "en"]), 300)
    assert picture is not None
    assert "answers in the query's language: 3;" in picture.description
    assert picture.description.endswith("answers in another language: 200.")
    assert picture.data.rows[1][:3] == ("de", "en", 3)
    assert rank_picture("local/a", "Toy", [], 1) is None
