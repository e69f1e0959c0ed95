"""Whether results of several models are of the same queries, so that scores of single queries are pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mteb_hybrid.data.unpacked import check_unpacked
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.reporting.resampling import KEYS, Draws, draw_mean, has_keys, query_scores_file
from mteb_hybrid.reporting.results import ModelResults
from mteb_hybrid.subsets import Setting

if TYPE_CHECKING:
    import pyarrow as pa

_REVISION = b"dataset_revision"
_CLOSE = 1e-3


def scores_of(run: ModelResults, task: str, metric: str) -> dict[str, float]:
    """Return a run's score of each subset that has it."""
    return {subset: scores[metric] for subset, scores in run.subsets.get(task, {}).items() if metric in scores}


def task_with_scores(runs: Sequence[ModelResults], benchmark: str, setting: Setting) -> str | None:
    """Return the task whose results all runs have, None if there is none.

    Language bias is measured by the multilingual task too, which ranks the same pool.
    """
    settings = [setting, Setting.MULTILINGUAL] if setting is Setting.LANGUAGE_BIAS else [setting]
    tasks = [each.task_name(benchmark) for each in settings]
    return next((task for task in tasks if all(scores_of(run, task, setting.metric) for run in runs)), None)


def check_pairs(runs: Sequence[ModelResults], labels: Sequence[str], task: str, metric: str) -> None:
    """See that all runs have a score of the same single queries of the same data.

    Args:
        runs: results, each with scores of the task.
        labels: what to call each.
        task: the task.
        metric: the score.

    Raises:
        HybridError: revisions of the data, subsets or queries differ, scores of single queries were not kept or are
            not those of the results, or a file is damaged.
    """
    first: pa.Table | None = None
    for run, label in zip(runs, labels, strict=True):
        _check_revision(run, label, runs[0], labels[0], task)
        _check_subsets(run, label, runs[0], labels[0], task, metric)
        path = query_scores_file(run.folder, task)
        table = _read(path, run, label, task, metric)
        if first is None:
            first = table
        else:
            _check_queries(first, labels[0], table, label, task)
        _check_means(path, run, task, metric)


def draws_of(run: ModelResults, task: str, subsets: Sequence[str], metric: str) -> Draws:
    """Return a run's mean over subsets; `check_pairs` has seen that it is there."""
    path = query_scores_file(run.folder, task)
    draws = draw_mean(path, subsets, metric)
    if draws is None:
        raise HybridError(f"{_shown(path)} has no scores of some subsets; {_again(task)}")
    return draws


def _check_revision(run: ModelResults, label: str, first: ModelResults, first_label: str, task: str) -> None:
    one, other = first.dataset_revisions[task], run.dataset_revisions[task]
    if one != other:
        raise HybridError(
            f"{task}: {one_line(first_label, 80)} and {one_line(label, 80)} were run on different revisions of the "
            f"data ({one_line(one, 60)}, {one_line(other, 60)}), which do not compare; run one of them again"
        )


def _check_subsets(
    run: ModelResults, label: str, first: ModelResults, first_label: str, task: str, metric: str
) -> None:
    one, other = scores_of(first, task, metric).keys(), scores_of(run, task, metric).keys()
    for lacking, label_of, having in ((one - other, label, first_label), (other - one, first_label, label)):
        if lacking:
            more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            raise HybridError(
                f"{one_line(label_of, 80)} has no results of {task} {one_line(min(lacking), 40)}{more}, which "
                f"{one_line(having, 80)} has; run the task for it again, or name other tasks with --task"
            )


def _read(path: Path, run: ModelResults, label: str, task: str, metric: str) -> pa.Table:
    """The queries of the subsets that the results have."""
    import pyarrow as pa

    try:
        check_unpacked(path)
        return _queries(path, run, label, task, metric)
    except FileNotFoundError:
        raise _not_kept(label, task) from None
    except (OSError, ValueError, pa.ArrowException):  # a ValueError of names that are no UTF-8
        raise HybridError(f"{_shown(path)} is damaged, or no Parquet file; {_again(task)}") from None


def _queries(path: Path, run: ModelResults, label: str, task: str, metric: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    schema = pq.read_schema(path)
    if not has_keys(schema):
        raise _without_keys(path, task)
    if schema.names.count(metric) != 1:
        raise _not_kept(label, task)
    if not pa.types.is_floating(schema.field(metric).type):
        raise _no_numbers(path, task)
    # What says the same over and over is held once: with 122 languages there are 13 million rows.
    with pq.ParquetFile(path, read_dictionary=list(KEYS)) as file:
        table = file.read(columns=[*KEYS, metric])
    table.validate(full=True)
    if any(table[name].null_count for name in KEYS):
        raise _without_keys(path, task)
    revision = (schema.metadata or {}).get(_REVISION, b"").decode(errors="replace")
    if revision != run.dataset_revisions[task]:
        raise HybridError(f"{_shown(path)} is of other data than the results beside it; {_again(task)}")
    subsets = set(scores_of(run, task, metric))
    table = table.unify_dictionaries()
    there = set(pc.unique(table["hf_subset"]).to_pylist())
    if there - subsets:
        names = table["hf_subset"].cast(pa.string())
        table = table.filter(pc.is_in(names, pa.array(sorted(subsets), pa.string())))
    if table[metric].null_count or not subsets <= there:
        raise _not_kept(label, task)
    if not pc.all(pc.is_finite(table[metric])).as_py():
        raise _no_numbers(path, task)
    return table.select(list(KEYS))


def _check_queries(first: pa.Table, first_label: str, other: pa.Table, label: str, task: str) -> None:
    import pyarrow as pa

    if first.equals(other):
        return
    first, other = (pa.table({name: table[name].cast(pa.string()) for name in KEYS}) for table in (first, other))
    order = [(name, "ascending") for name in KEYS]
    if first.sort_by(order).equals(other.sort_by(order)):
        return
    rows = [set(zip(*(table[name].to_pylist() for name in KEYS), strict=True)) for table in (first, other)]
    subset, query, _ = min(rows[0] ^ rows[1], default=("", "one that is there twice", ""))
    raise HybridError(
        f"{task}: {one_line(first_label, 80)} and {one_line(label, 80)} have scores of different queries, "
        f"such as {one_line(subset, 40)} {one_line(query, 80)}; run the task for both again"
    )


def _check_means(path: Path, run: ModelResults, task: str, metric: str) -> None:
    """A file that was copied from elsewhere, or is of an older run, is found out by its means."""
    for subset, score in scores_of(run, task, metric).items():
        mean = draws_of(run, task, [subset], metric).figure
        if abs(mean - score) > _CLOSE * max(1.0, abs(score)):
            raise HybridError(
                f"{_shown(path)} is not of the results beside it ({one_line(subset, 40)}: mean {mean:.4g}, "
                f"result {score:.4g}); {_again(task)}"
            )


def _without_keys(path: Path, task: str) -> HybridError:
    return HybridError(f"{_shown(path)} lacks one of the columns {', '.join(KEYS)}, or texts in it; {_again(task)}")


def _no_numbers(path: Path, task: str) -> HybridError:
    return HybridError(f"{_shown(path)} holds scores that are no numbers; {_again(task)}")


def _not_kept(label: str, task: str) -> HybridError:
    return HybridError(f"scores of single queries of {task} were not kept for {one_line(label, 80)}; {_again(task)}")


def _again(task: str) -> str:
    return f"delete {task}.json and what goes with it from the model's results, and run the task again"


def _shown(path: Path) -> str:
    return one_line(path, 1000)
