"""The large path against the small one: the same collection, every figure that both report, to the last digit."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mteb_hybrid.cli import main
from mteb_hybrid.data.collection import ParallelCollection
from mteb_hybrid.data.own import load_collection
from mteb_hybrid.data.world import generate_world
from mteb_hybrid.evaluation.own import collection_tasks
from mteb_hybrid.large import memory
from mteb_hybrid.large import rank as rank_module
from mteb_hybrid.large.encode import EncodeSettings, encode_collection
from mteb_hybrid.large.run import rank
from mteb_hybrid.large.scores import K_VALUES
from mteb_hybrid.registry import register
from tests.evaluation.encoders import HashEncoder

LANGUAGES = ("en", "de", "ru", "zh-Hant")
NOT_STREAMED = {"mrc_at_10", "mrc_at_20", "main_score", "hf_subset", "languages", "mteb_version"}
"""Mean rank correlation needs all similarities of two queries at once."""


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    register()


def tied_rows(facts: int) -> list[dict[str, Any]]:
    """A world in mixed order, in which every fourth passage is there again, under ids before and after its own.

    Copies are of no group, in the same language or another; some passages are of several groups.
    """
    world = generate_world(facts, languages=LANGUAGES[:3])
    draw = random.Random(3)
    rows = [
        {"role": role, "id": f"{language}-{id_}", "language": language, "group": list(groups), "text": text}
        for role, tables in (("query", world.queries), ("passage", world.passages))
        for language, table in tables.items()
        for id_, text, groups in zip(table.ids, table.texts, table.groups, strict=True)
    ]
    passages = [row for row in rows if row["role"] == "passage"]
    for number, row in enumerate(passages[::4]):
        for letter in "az":
            language = draw.choice(LANGUAGES)
            rows.append(row | {"id": f"{letter}{number}", "group": [], "language": language})
    for row in draw.sample(passages, 10):
        row["group"] = [*row["group"], passages[0]["group"][0]]
    draw.shuffle(rows)
    return rows


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in tied_rows(40)), encoding="utf-8")
    return path


def multilingual(collection: ParallelCollection) -> Any:
    (task,) = (task for task in collection_tasks(collection) if task.metadata.name.endswith("Multilingual"))
    return task()


def assert_equal(ours: dict[str, Any], theirs: dict[str, Any], where: str) -> int:
    compared = 0
    for name, value in theirs.items():
        if name not in NOT_STREAMED:
            missing = isinstance(value, float) and math.isnan(value)  # JSON has no NaN
            assert ours[name] == (None if missing else value), (where, name)
            compared += 1
    return compared


@pytest.mark.parametrize("encoder", [HashEncoder(), HashEncoder(dimensions=3, spread=1), HashEncoder(dimensions=1)])
@pytest.mark.parametrize("shard_rows", [70, 10**4])
def test_every_figure_equals_that_of_the_task_with_ties(
    data: Path, tmp_path: Path, encoder: HashEncoder, shard_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (memory, rank_module):
        monkeypatch.setattr(module, "QUERIES_AT_ONCE", 32)
        monkeypatch.setattr(module, "PASSAGES_AT_ONCE", 50)
    encode_collection(data, encoder, tmp_path / "out", EncodeSettings("mine", shard_rows=shard_rows))
    rank(tmp_path / "out", output=tmp_path / "out.json")
    ours = json.loads((tmp_path / "out.json").read_text())["scores"]
    task = multilingual(load_collection(data))
    task.load_data()
    assert ours.keys() == set(task.hf_subsets)
    compared = 0
    for subset in task.hf_subsets:
        scores = task.evaluate(encoder, "test", subsets_to_run=[subset], encode_kwargs={"batch_size": 32})[subset]
        compared += assert_equal(ours[subset], scores, subset)
    assert compared == 3 * 161
    assert list(task.k_values) == list(K_VALUES)


def test_many_ties_were_there(data: Path) -> None:
    """Of the test above: most relevant passages tie with another one, at their own similarity."""
    collection, encoder = load_collection(data), HashEncoder()
    texts = [text for table in collection.passages.values() for text in table.texts]
    vectors = np.stack([encoder._vector(text) for text in texts])
    tied = total = 0
    for language, table in collection.queries.items():
        for text, (group,) in zip(table.texts, table.groups, strict=True):
            scores = vectors @ encoder._vector(text)
            rows = [row for row, groups in enumerate(_groups(collection)) if group in groups]
            total += len(rows)
            tied += sum(int(np.count_nonzero(scores == scores[row])) > 1 for row in rows)
        assert len(table) or language == "zh-Hant"
    assert tied > total / 2


def _groups(collection: ParallelCollection) -> list[tuple[str, ...]]:
    return [groups for table in collection.passages.values() for groups in table.groups]


@pytest.mark.slow
def test_the_commands_give_the_figures_of_evaluate(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the tiny encoder, whose numbers are no whole ones."""
    monkeypatch.chdir(tmp_path)
    model = ("-m", "mteb-hybrid/tiny", "-q")
    assert main(["encode", "mine.jsonl", *model, "-o", "out"]) == 0
    assert main(["rank", "out", "--memory", "3GB", "-q", "--format", "csv"]) == 0
    table = capsys.readouterr().out
    assert main(["evaluate", "--data", "mine.jsonl", *model, "-t", "mineMultilingual"]) == 0
    (path,) = tmp_path.glob("results/**/mineMultilingual.json")
    ours = json.loads((tmp_path / "out" / "scores.json").read_text())
    theirs = {entry["hf_subset"]: entry for entry in json.loads(path.read_text())["scores"]["test"]}
    assert theirs.keys() == ours["scores"].keys()
    for subset, scores in theirs.items():
        rounded = {name: _rounded(value) for name, value in ours["scores"][subset].items()}
        assert assert_equal(rounded, {name: _rounded(value) for name, value in scores.items()}, subset) > 140
    assert f"map,{ours['mean']['map']!r}" in table.replace("MAP", "map")


def _rounded(value: Any) -> Any:
    """As mteb writes scores; one that is not a number is null."""
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 6)
    return value
