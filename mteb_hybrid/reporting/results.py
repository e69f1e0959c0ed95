"""Result folders as mteb writes them, read as plain JSON: neither mteb nor torch is imported."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.subsets import Setting, split_task_name

# The folder given to mteb, its inner folder, one model's folder, one revision's folder.
_LAYOUTS = ("results/*/*/*.json", "*/*/*.json", "*/*.json", "*.json")
_EXPERIMENTS = "experiments"
_SPLIT = "test"
# Tasks of mteb's own that have tables here, and the split that they are evaluated on.
OTHER_TASKS = {f"MIRACLRetrieval{version}": "dev" for version in ("", "HardNegatives", "HardNegatives.v2")}


@dataclass(frozen=True)
class ModelResults:
    """What one revision of one model scored.

    Attributes:
        model: the model's name, such as ``local/our-hybrid-labse``.
        revision: the model's revision.
        subsets: for each task the scores of each subset, such as ``["XQuADRCrossLingual"]["ar-de"]["map"]``.
        dataset_revisions: for each task the revision of its data.
        training_datasets: the training data that the model declares, None when it declares nothing.
        folder: where the result files are.
    """

    model: str
    revision: str
    subsets: Mapping[str, Mapping[str, Mapping[str, float]]]
    dataset_revisions: Mapping[str, str]
    training_datasets: frozenset[str] | None = None
    folder: Path = Path()


def read_results(folder: Path) -> tuple[ModelResults, ...]:
    """Read every model's results in a folder.

    Tasks are recognised by the ending of their name and the form of their subsets, MIRACL's by their name; other
    tasks' results and experiments are passed over.

    Args:
        folder: the folder given to ``mteb run --output-folder``, the folder ``results`` in it, or the folder
            of one model or one revision.

    Returns:
        A part for each revision of each model, by name and revision.

    Raises:
        HybridError: the folder is missing or holds no such results, or a file is not a whole result file.
    """
    if not folder.is_dir():
        raise HybridError(f"{_shown(folder)} is not a folder; give the one that mteb run --output-folder wrote")
    runs = [run for place, files in _task_files(folder).items() if (run := _read_run(place, files)).subsets]
    if not runs:
        raise HybridError(
            f"{_shown(folder)} holds no results that there are tables for; give the folder that mteb run "
            "--output-folder wrote, or first run mteb run -m MODEL -t XQuADR --output-folder FOLDER"
        )
    return tuple(sorted(runs, key=lambda run: (run.model, run.revision)))


def select_models(runs: Sequence[ModelResults], names: Sequence[str]) -> tuple[ModelResults, ...]:
    """Choose models by name.

    Args:
        runs: what there is to choose from.
        names: ``org/name``, or ``name`` of any organisation, each with ``@`` and the start of a revision or
            without; none chooses all.

    Returns:
        The chosen, in the order of the names.

    Raises:
        HybridError: a name is not there; the text names the nearest and what there is.
    """
    if not names:
        return tuple(runs)
    chosen: list[ModelResults] = []
    for name in names:
        matching = [run for run in runs if _is_named(run, name)]
        if not matching:
            raise unknown("model", name, [f"{run.model}@{run.revision}" if "@" in name else run.model for run in runs])
        chosen += [run for run in matching if run not in chosen]
    return tuple(chosen)


def unknown(kind: str, name: str, there: Iterable[str], at_most: int = 8) -> HybridError:
    """Return the error for a name without results, with the nearest name and the names that there are."""
    names = sorted(set(there))
    # The bare name is what people type: look for the nearest among both forms.
    forms = {form.casefold(): full for full in names for form in (full.rpartition("/")[2], full)}
    nearest = difflib.get_close_matches(name.casefold(), forms, n=1)
    hint = f"did you mean {one_line(forms[nearest[0]], 120)!r}? " if nearest else ""
    more = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    listed = ", ".join(one_line(each, 120) for each in names[:at_most])
    return HybridError(f"no results of {kind} {one_line(name, 120)!r}; {hint}there are: {listed}{more}")


def _task_files(folder: Path) -> dict[Path, list[Path]]:
    files = {file for layout in _LAYOUTS for file in folder.glob(layout)}
    places: dict[Path, list[Path]] = {}
    for file in sorted(files):
        known = split_task_name(file.stem) or file.stem in OTHER_TASKS
        if known and _EXPERIMENTS not in file.relative_to(folder).parts:
            places.setdefault(file.parent, []).append(file)
    return places


def _read_run(place: Path, files: Iterable[Path]) -> ModelResults:
    meta = _read_meta(place)
    name, declared = meta.get("name"), meta.get("training_datasets")
    folder = place.resolve()
    tasks = {file.stem: task for file in files if (task := _read_task(file))}
    return ModelResults(
        model=name if isinstance(name, str) and name else folder.parent.name.replace("__", "/", 1),
        revision=folder.name,
        subsets={task: subsets for task, (_, subsets) in tasks.items()},
        dataset_revisions={task: revision for task, (revision, _) in tasks.items()},
        training_datasets=frozenset(map(str, declared)) if isinstance(declared, list) else None,
        folder=place,
    )


def _read_meta(place: Path) -> Mapping[str, Any]:
    """The model's own description; results count without it, so a missing or damaged one is no fault."""
    try:
        meta = json.loads((place / "model_meta.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return meta if isinstance(meta, dict) else {}


def _read_task(file: Path) -> tuple[str, dict[str, dict[str, float]]] | None:
    """The data revision and the subsets of a result file; None for a task that only ends like one of ours."""
    match _read_json(file):
        case {"task_name": str(task), "dataset_revision": str(revision), "scores": dict(splits)}:
            entries = splits.get(OTHER_TASKS.get(task, _SPLIT), [])
        case _:
            raise _damaged(file, "task_name, dataset_revision or scores is missing")
    if task != file.stem:
        raise _damaged(file, f"it holds the task {one_line(task, 80)}")
    subsets = _subsets(file, entries)
    if task in OTHER_TASKS:
        return (revision, subsets) if subsets else None
    _, setting = split_task_name(task) or ("", Setting.MULTILINGUAL)
    ours = all(setting.languages_of(subset) for subset in subsets) and any(
        not scores.keys().isdisjoint({"map", "rank_distance"}) for scores in subsets.values()
    )
    return (revision, subsets) if ours else None


def _subsets(file: Path, entries: object) -> dict[str, dict[str, float]]:
    subsets: dict[str, dict[str, float]] = {}
    for entry in entries if isinstance(entries, list) else [None]:
        if not (isinstance(entry, dict) and isinstance(subset := entry.get("hf_subset"), str)):
            raise _damaged(file, "its scores are not one record for each subset")
        figures = {metric: _figure(value) for metric, value in entry.items()}
        subsets[subset] = {metric: figure for metric, figure in figures.items() if figure is not None}
    return subsets


def _figure(value: object) -> float | None:
    """The value as a number, None for what is no number a mean could be taken of."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        figure = float(value)
    except OverflowError:
        return None
    return figure if math.isfinite(figure) else None


def _read_json(file: Path) -> object:
    try:
        return json.loads(file.read_bytes())
    except OSError as error:
        raise HybridError(
            f"cannot read {_shown(file)} ({error.strerror or error}); make it readable, or delete it"
        ) from None
    except (ValueError, RecursionError):
        raise _damaged(file, "cut short, or not JSON") from None


def _damaged(file: Path, why: str) -> HybridError:
    return HybridError(
        f"{_shown(file)} is not a whole result file ({why}); "
        "delete it and run the same mteb command again: it continues with what is missing"
    )


def _is_named(run: ModelResults, wanted: str) -> bool:
    name, _, revision = wanted.partition("@")
    own = run.model if "/" in name else run.model.rpartition("/")[2]
    return own == name and run.revision.startswith(revision)


def _shown(path: Path) -> str:
    return one_line(path, 1000)
