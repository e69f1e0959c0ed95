"""Studies as files: cells from grids, faults with their line, presets that lack nothing but data."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mteb_hybrid.errors import HybridError
from mteb_hybrid.study.study_file import preset_names, read_study
from mteb_hybrid.training.recipe import Recipe

STUDY = """\
recipe:
  model: {base: mteb-hybrid/tiny}
  data: [{source: ParallelWorld}]
  training: {max_steps: 2}
axes:
  start:
    small:
      data[0].rows: 100
      batches.size: 8
    large:
      data[0].rows: 200
grids:
  - batches.alpha: [0, 0.5]
    seed: [1, 2]
tasks: [ParallelWorld]
"""


def recipes(tmp_path: Path, text: str, *settings: str) -> list[Recipe]:
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return [cell.recipe for cell in read_study(path, settings).cells]


def test_every_combination_is_a_cell(tmp_path: Path) -> None:
    found = recipes(tmp_path, STUDY)
    assert [(recipe.batches.alpha, recipe.seed) for recipe in found] == [(0, 1), (0, 2), (0.5, 1), (0.5, 2)]
    assert {recipe.training["max_steps"] for recipe in found} == {2}


def test_a_cell_of_several_grids_is_one(tmp_path: Path) -> None:
    """Three seeds at some alphas and one at others; two spellings of cross."""
    more = "  - batches.alpha: [0.25, 0.5]\n    seed: 1\n  - {batches.strategy: cross, seed: [1, 2, 3]}\ntasks:"
    found = recipes(tmp_path, STUDY.replace("tasks:", more))
    cells = [("cross" if recipe.batches.strategy == "cross" else recipe.batches.alpha, recipe.seed) for recipe in found]
    assert cells == [(0, 1), (0, 2), (0.5, 1), (0.5, 2), (0.25, 1), ("cross", 3)]


def test_an_axis_changes_settings_together(tmp_path: Path) -> None:
    found = recipes(tmp_path, STUDY.replace("seed: [1, 2]", "start: [small, large]"))
    assert [(recipe.data[0].rows, recipe.batches.size) for recipe in found] == [(100, 8), (200, 100)] * 2


def test_a_cell_tells_what_the_grid_says_of_it(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(STUDY.replace("seed: [1, 2]", "start: [small, large]"), encoding="utf-8")
    first, *_, last = read_study(path).cells
    assert first.settings == {"batches.alpha": 0, "start": "small"}
    assert last.settings == {"batches.alpha": 0.5, "start": "large"}


def test_a_grid_of_nothing_is_the_recipe_itself(tmp_path: Path) -> None:
    text = STUDY.replace("  - batches.alpha: [0, 0.5]\n    seed: [1, 2]\n", "  - {}\n")
    (found,) = recipes(tmp_path, text)
    assert (found.seed, found.batches.alpha) == (42, None)


def test_a_recipe_of_a_file_beside_the_study_or_a_preset(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("preset: tiny\nbatches: {size: 8}\n")
    head = STUDY[: STUDY.index("axes:")]
    (found, *_) = recipes(tmp_path, STUDY.replace(head, "recipe: base.yaml\n"))
    assert (found.preset, found.batches.size, found.model.base) == ("tiny", 8, "mteb-hybrid/tiny")
    (found, *_) = recipes(tmp_path, STUDY.replace(head, "recipe: tiny\n"))
    assert found.batches.size == 128


def test_changes_of_the_recipe_and_of_the_study(tmp_path: Path) -> None:
    found = recipes(tmp_path, STUDY, "training.max_steps=7", "data=[{source: ParallelWorld, rows: 50}]", "loss.keep=1")
    assert {(each.training["max_steps"], each.data[0].rows, each.loss.keep) for each in found} == {(7, 50, 1)}
    study = read_study(
        tmp_path / "study.yaml", ["tasks=[XQuADR, NQ, NQ]", "baselines=[mteb-hybrid/tiny]", "grids=[{}]"]
    )
    assert (study.tasks, study.baselines, len(study.cells)) == (("XQuADR", "NQ"), ("mteb-hybrid/tiny",), 1)


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("recipe:", "recipes:", ["line 1", "recipes is no setting", "did you mean recipe?"]),
        ("axes:", "axis:", ["line 5", "axis is no setting", "axes"]),
        ("grids:", "grid:", ["line 12", "grid is no setting", "did you mean grids?"]),
        ("tasks:", "task:", ["line 15", "task is no setting", "did you mean tasks?"]),
        ("tasks:", "baseline: [a]\ntasks:", ["line 15", "baseline is no setting", "did you mean baselines?"]),
        ("tasks:", "qestion: why\ntasks:", ["line 15", "did you mean question?"]),
        ("tasks:", "zzz: 1\ntasks:", ["line 15", "possible: question, recipe"]),
        ("  model:", "  modle:", ["line 2", "modle is no setting", "did you mean model?"]),
        ("max_steps", "max_stepz", ["line 4", "training.max_stepz", "did you mean max_steps?"]),
        ("batches.alpha:", "batches.alfa:", ["line 13", "batches.alfa is no setting", "did you mean alpha?"]),
        ("batches.alpha:", "batch.alpha:", ["line 13", "did you mean"]),
        ("seed: [1, 2]", "sede: [1, 2]", ["line 14", "grids[0].sede", "did you mean seed?"]),
        ("seed: [1, 2]", "strt: [small]", ["line 14", "did you mean start?"]),
        ("seed: [1, 2]", "start: [smal]", ["line 14", "smal is no value of axes.start", "did you mean small?"]),
        ("data[0].rows: 200", "dat[0].rows: 200", ["line 11", "dat[0].rows", "did you mean data?"]),
        ("data[0].rows: 200", "data[0].row: 200", ["line 11", "data[0].row is no setting", "did you mean rows?"]),
        ("data[0].rows: 200", "data[1].rows: 200", ["line 11", "there is no data[1]"]),
        ("[0, 0.5]", "[0, 1.5]", ["line 13", "batches.alpha is 1.5"]),
        ("[0, 0.5]", "[]", ["line 13", "has no values"]),
        ("seed: [1, 2]", "seed: [1, two]", ["line 14", 'seed is "two"']),
        ("seed: [1, 2]", "output: [a, b]", ["line 14", "output", "cannot be varied"]),
        ("seed: [1, 2]", "preset: [e5, tiny]", ["line 14", "preset", "cannot be varied"]),
        ("  start:", "  seed:", ["line 6", "axes.seed has the name of a setting"]),
        ("[ParallelWorld]\n", "[]\n", ["line 15", "tasks is []", "a list of one or more"]),
        ("[ParallelWorld]\n", "[ParallelWorld, our.jsonl]\n", ["line 15", ": there is no file our.jsonl"]),
        ("tasks: [ParallelWorld]\n", "", ["tasks is missing"]),
        ("tasks: [ParallelWorld]", "tasks: ParallelWorld", ["line 15", "it must be a list"]),
        ("source: ParallelWorld", "source: nowhere.jsonl", ["line 3", "there is no file nowhere.jsonl"]),
        ("source: ParallelWorld", "source: ParalelWorld", ["line 3", "did you mean ParallelWorld?"]),
        ("base: mteb-hybrid/tiny", "base: ./nowhere", ["line 2", "model.base", "nowhere"]),
        ("tasks:", "baselines: ['.']\ntasks:", ["line 15", "baselines[0]", "holds no model"]),
        ("seed: [1, 2]", "seed: [1, 2]\n    seed: 3", ["line 15", "given twice"]),
    ],
)  # fmt: skip
def test_a_fault_is_one_line_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, parts: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    uses_axis = "data[" in old
    text = STUDY.replace("seed: [1, 2]", "start: [small, large]") if uses_axis else STUDY
    assert old in text
    with pytest.raises(HybridError) as caught:
        recipes(tmp_path, text.replace(old, new))
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "part"),
    [
        ("nonsense", "SETTING=VALUE"),
        ("batches.alfa=1", "batches.alfa is no setting"),
        ("task=[a]", "task is no setting"),
        ("preset=e5", "a preset is named in the recipe"),
    ],
)
def test_a_fault_of_a_change_names_the_change(tmp_path: Path, setting: str, part: str) -> None:
    with pytest.raises(HybridError, match=f"--set {setting[:4]}") as caught:
        recipes(tmp_path, STUDY, setting)
    assert part in str(caught.value)


def test_a_grid_that_is_too_large(tmp_path: Path) -> None:
    many = ", ".join(map(str, range(200)))
    with pytest.raises(HybridError, match="more than 10,000 cells"):
        recipes(tmp_path, STUDY.replace("[1, 2]", f"[{many}]").replace("[0, 0.5]", f"[{many}]"))


def test_there_is_no_such_study(tmp_path: Path) -> None:
    with pytest.raises(HybridError, match="no file scalin, and no preset of that name; did you mean scaling"):
        read_study("scalin")
    with pytest.raises(HybridError, match="cannot read"):
        read_study(tmp_path / "nowhere.yaml")


CELLS = {"alpha": 11, "xtreme-r": 18, "sizes": 18, "mixed": 6, "scaling": 18}


def test_the_presets_are_these() -> None:
    assert sorted(CELLS) == preset_names()


@pytest.mark.parametrize("name", CELLS)
def test_a_preset_needs_data_and_nothing_else(name: str) -> None:
    with pytest.raises(HybridError, match=rf"preset {name}, line \d+: data|preset {name}.*data"):
        read_study(name)
    study = read_study(name, ["data=[{source: ParallelWorld}]"])
    assert len(study.cells) == CELLS[name]
    assert study.question
    assert study.baselines


@pytest.mark.parametrize("name", CELLS)
def test_the_head_of_a_preset_says_what_it_takes(name: str) -> None:
    import mteb_hybrid.study

    text = (Path(mteb_hybrid.study.__file__).parent / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
    head = text[: text.index("question:")]
    assert all(line.startswith("# ") for line in head.splitlines())
    for word in ("# Question: ", "# Costs: ", "# Downloads: ", "--set 'data=["):
        assert word in head
    trainings, evaluations = len(read_study(name, ["data=[{source: ParallelWorld}]"]).cells), 0
    evaluations = trainings + len(yaml.safe_load(text)["baselines"])
    assert f"{trainings} trainings" in head
    assert f"{evaluations} evaluations" in head


def test_tasks_of_presets_are_known() -> None:
    """To mteb as it is installed, with ours."""
    from mteb_hybrid.evaluation.run import select_tasks

    for name in CELLS:
        study = read_study(name, ["data=[{source: ParallelWorld}]"])
        assert [task.metadata.name for task in select_tasks(study.tasks, None, None, None)] == list(study.tasks)
