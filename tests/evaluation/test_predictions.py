"""The predictions file: mteb's format, added to, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mteb.abstasks import AbsTaskRetrieval
from mteb.models import ModelMeta

from mteb_hybrid.errors import HybridError
from mteb_hybrid.evaluation.predictions import save_predictions
from mteb_hybrid.evaluation.ranking import Ranking, Relevance, rank

PASSAGES = ["de-1", "de-2", "en-1", 'zh "1" 中']
QUERIES = ["q1", 'q"2"']
RUN = {"q1": {"de-2": 0.75, "de-1": 0.5}, 'q"2"': {"en-1": 2.0, 'zh "1" 中': -0.125}}
SCORES = [[0.5, 0.75, 0.25, -1.0], [-3.0, -2.0, 2.0, -0.125]]


class Model:
    def __init__(self, name: str = "test/model", revision: str = "1") -> None:
        self.mteb_model_meta = ModelMeta.create_empty(overwrites={"name": name, "revision": revision})


def ranking(scores: Any = SCORES, depth: int = 2) -> Ranking:
    return rank(np.array(scores), Relevance(np.zeros((len(scores), 1), np.int64), PASSAGES), depth=depth)


def save(path: Path, subset: str = "de-all", *, model: Any = None, of: Ranking | None = None) -> None:
    save_predictions(path, of or ranking(), model or Model(), QUERIES, PASSAGES, subset, "test")


def meta(name: str = "test/model", revision: str = "1") -> dict[str, Any]:
    return {"mteb_model_meta": {"model_name": name, "revision": revision}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "Fake_predictions.json"


def test_the_file_is_the_one_that_mteb_writes(path: Path, tmp_path: Path) -> None:
    for subset in ("de-all", "zh-all"):
        save(path, subset)

    class Saver:
        """mteb's own saving, of a task that is named."""

        _predictions_path = AbsTaskRetrieval._predictions_path
        prediction_file_name = "Theirs_predictions.json"

    for subset in ("de-all", "zh-all"):
        AbsTaskRetrieval._save_task_predictions(Saver(), RUN, Model(), tmp_path, hf_split="test", hf_subset=subset)  # type: ignore[arg-type]
    assert path.read_bytes() == (tmp_path / "Theirs_predictions.json").read_bytes()


def test_each_subset_is_added(path: Path) -> None:
    save(path, "de-all")
    assert json.loads(path.read_text()) == meta() | {"de-all": {"test": RUN}}
    save(path, "en-all", of=ranking(np.array(SCORES) + 1))
    saved = json.loads(path.read_text())
    assert list(saved) == ["mteb_model_meta", "de-all", "en-all"]
    assert saved["de-all"] == {"test": RUN}
    assert saved["en-all"]["test"]["q1"] == {"de-2": 1.75, "de-1": 1.5}


@pytest.mark.parametrize("again", ["de-all", "en-all"])
def test_a_subset_that_is_there_is_replaced(path: Path, again: str) -> None:
    for subset in ("de-all", "en-all"):
        save(path, subset)
    save(path, again, of=ranking(np.array(SCORES) + 1))
    saved = json.loads(path.read_text())
    assert set(saved) == {"mteb_model_meta", "de-all", "en-all"}
    assert path.read_text().count(f'"{again}"') == 1
    assert saved.pop(again)["test"]["q1"] == {"de-2": 1.75, "de-1": 1.5}
    assert saved.popitem()[1] == {"test": RUN}


def test_a_subset_named_like_a_query_is_only_added(path: Path) -> None:
    save(path, "de-all")
    save(path, "q1")
    assert json.loads(path.read_text()) == meta() | {"de-all": {"test": RUN}, "q1": {"test": RUN}}


@pytest.mark.parametrize(("name", "revision"), [("test/other", "1"), ("test/model", "2"), ("test/model", "11")])
def test_the_file_of_another_model_is_begun_anew(path: Path, name: str, revision: str) -> None:
    save(path, "de-all")
    save(path, "en-all", model=Model(name, revision))
    assert json.loads(path.read_text()) == meta(name, revision) | {"en-all": {"test": RUN}}


def test_a_file_that_mteb_wrote_is_added_to(path: Path) -> None:
    path.write_text(json.dumps(meta() | {"de-all": {"test": {"q": {"p": 1.0}}}}))
    save(path, "en-all")
    expected = {"de-all": {"test": {"q": {"p": 1.0}}}, "en-all": {"test": RUN}}
    assert json.loads(path.read_text()) == meta() | expected


def test_what_was_not_retrieved_is_not_saved(path: Path) -> None:
    save(path, of=ranking([[0.5, -np.inf, -np.inf, -np.inf], [-np.inf] * 4]))
    assert json.loads(path.read_text())["de-all"]["test"] == {"q1": {"de-1": 0.5}, 'q"2"': {}}


@pytest.mark.parametrize("depth", [1, 3])
def test_no_more_is_saved_than_the_ranking_names(path: Path, depth: int) -> None:
    save(path, of=ranking(depth=depth))
    assert [len(found) for found in json.loads(path.read_text())["de-all"]["test"].values()] == [depth, depth]


@pytest.mark.parametrize("subset", ["de-all", "fr-all"])
def test_a_file_cut_off_anywhere_is_refused_and_left_as_it_is(path: Path, subset: str) -> None:
    for added in ("de-all", "en-all"):
        save(path, added)
    whole = path.read_bytes()
    accepted = []
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        try:
            save(path, subset)
        except HybridError as error:
            assert str(path) in str(error)
            assert "\n" not in str(error)
            assert path.read_bytes() == whole[:end]
        except ValueError as error:
            accepted.append((whole[:end][-20:], repr(error)))
        else:
            accepted.append((whole[:end][-20:], "taken for whole"))
    assert not accepted
    assert [found.name for found in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("step", ["write_bytes", "replace"])
def test_a_full_disk_leaves_the_old_file_whole_and_nothing_else(
    path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(path, "de-all")
    before = path.read_bytes()
    write = Path.write_bytes

    def fail(self: Path, argument: Any) -> None:
        if step == "write_bytes":
            write(self, argument[: len(argument) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, step, fail)
    with pytest.raises(HybridError, match=r"No space left on device\); choose another folder") as raised:
        save(path, "en-all")
    assert str(path) in str(raised.value)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("place", ["no folder/a.json", "a file/a.json", "a folder", f"{'x' * 250}.json"])
def test_what_cannot_be_written_is_said_in_one_line(tmp_path: Path, place: str) -> None:
    (tmp_path / "a file").write_text("")
    (tmp_path / "a folder").mkdir()
    with pytest.raises(HybridError, match="cannot write") as raised:
        save(tmp_path / place)
    assert "\n" not in str(raised.value)
    assert sorted(found.name for found in tmp_path.rglob("*")) == ["a file", "a folder"]


def test_no_partial_file_is_left(path: Path) -> None:
    for subset in ("de-all", "en-all", "de-all"):
        save(path, subset)
    assert list(path.parent.iterdir()) == [path]
