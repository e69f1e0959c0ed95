"""A run of tasks on a model, through ``mteb.evaluate``: checked before it starts, continued where it stopped."""

from __future__ import annotations

import difflib
import json
import logging
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.models import known_models, unknown_model

if TYPE_CHECKING:
    from mteb.abstasks.abstask import AbsTask
    from mteb.models import ModelMeta, MTEBModels

logger = logging.getLogger(__name__)

DEFAULT_TASKS = ("XQuADR", "XQuADRLanguageBias")


@dataclass(frozen=True)
class RunNames:
    """What a run was about, in the names that results are kept under.

    Attributes:
        model: ``organisation/name``.
        benchmarks: such as ``XQuADR``, or ``MIRACL``; of tasks that there are tables for.
        others: a line for each of the other tasks: its main score.
    """

    model: str
    benchmarks: tuple[str, ...]
    others: tuple[str, ...] = ()


def select_tasks(
    names: Sequence[str] | None, data: Path | None, name: str | None, languages: Sequence[str] | None
) -> list[AbsTask]:
    """Get the tasks to run.

    Args:
        names: task names; by default ``XQuADR`` and ``XQuADRLanguageBias``, or all tasks of ``data``.
        data: a parallel collection of the user's own, made known to mteb for this process.
        name: what to call its tasks.
        languages: ISO 639-3 codes to keep the subsets of.

    Raises:
        HybridError: a task is unknown, nothing is left for the languages, or ``data`` cannot be read.
    """
    import mteb

    from mteb_hybrid.registry import register, register_tasks

    register()
    if data is not None:
        from mteb_hybrid.data.own import load_collection
        from mteb_hybrid.evaluation.own import collection_tasks

        own = collection_tasks(load_collection(data, name))
        register_tasks(own)
        bias = [task.metadata.name for task in own if task.metadata.main_score == "rank_closeness"]
        names = names or [own[-1].metadata.name, *bias]
    elif name is not None:
        raise HybridError("--name says what to call the tasks of --data; give --data as well")
    tasks: list[AbsTask] = []
    for task in names or DEFAULT_TASKS:
        try:
            whole = mteb.get_task(task)
            # A mean over some languages must not be kept under the name of the mean over all.
            parts = getattr(whole, "tasks", [whole]) if languages else [whole]
            tasks += [mteb.get_task(part.metadata.name, languages=languages) for part in parts]
        except KeyError:
            near = difflib.get_close_matches(task, _known_tasks(), n=1)
            hint = f"did you mean {near[0]}?" if near else "`mteb available-tasks` lists all"
            raise HybridError(f"no task is named {one_line(task, 60)!r}; {hint}") from None
        except ValueError as error:
            raise HybridError(f"{task}: {one_line(error)}; use ISO 639-3 codes, such as deu") from None
    return tasks


def evaluate(
    model: str,
    tasks: Sequence[AbsTask],
    *,
    folder: Path,
    batch_size: int = 32,
    device: str | None = None,
    overwrite: bool = False,
    prediction_folder: Path | None = None,
    show_progress_bar: bool = True,
) -> RunNames:
    """Evaluate a model and keep the results as ``mteb run`` does.

    Args:
        model: a short name, or what mteb takes.
        tasks: the tasks; what has results in ``folder`` is not run again, unless the data have changed since.
        folder: where results are kept.
        batch_size: texts encoded at once.
        device: as in sentence-transformers.
        overwrite: run again what has results.
        prediction_folder: where to keep the best-ranked passages.
        show_progress_bar: whether to show progress.

    Raises:
        HybridError: the model cannot be had, a result file is damaged, or a folder cannot be written.
    """
    import mteb
    from mteb.cache import ResultCache

    meta = find_model(model)
    _check_writable(folder, "--output-folder")
    if prediction_folder is not None:
        _check_writable(prediction_folder, "--prediction-folder")
    cache = ResultCache(folder)
    stale = list(_stale_results(cache, meta, tasks))
    if stale:
        logger.warning(f"{stale[0]} is of other data than these: all tasks are run again")
    for mean in list(_outdated_means(cache, meta, tasks)):
        mean.unlink(missing_ok=True)  # another process may be at the same
    if not show_progress_bar:
        _hide_bars()
    results = mteb.evaluate(
        load_model(meta, model, device),
        tasks,
        cache=cache,
        overwrite_strategy="always" if overwrite or stale else "only-missing",
        encode_kwargs={"batch_size": batch_size, "show_progress_bar": show_progress_bar},
        prediction_folder=prediction_folder,
        show_progress_bar=show_progress_bar,
    )
    main_scores = {result.task_name: result.get_score() for result in results.task_results}
    others = tuple(
        f"{name}: {task.metadata.main_score} {main_scores[name]:.3f}"
        for task in tasks
        if not _benchmark(task) and (name := task.metadata.name) in main_scores
    )
    return RunNames(str(results.model_name), tuple(dict.fromkeys(filter(None, map(_benchmark, tasks)))), others)


def find_model(name: str) -> ModelMeta:
    """Find what mteb knows of a model.

    Args:
        name: a short name, or what mteb takes.

    Raises:
        HybridError: there is none of that name.
    """
    import mteb

    if name not in known_models() and os.path.isdir(os.path.expanduser(name)):
        raise HybridError(f"{name} is a folder: name it first, with `mteb-hybrid models add NAME {name}`")
    try:
        return mteb.get_model_meta(name, fetch_from_hf="/" in name)
    except KeyError:
        raise unknown_model(name) from None
    except Exception as error:
        raise HybridError(f"cannot find model {one_line(name, 80)} ({_reason(error)}); check its Hub id") from None


def load_model(meta: ModelMeta, name: str, device: str | None) -> MTEBModels:
    """Load a model that was found by its name.

    Raises:
        HybridError: it cannot be loaded.
    """
    try:
        return meta.load_model(device=device)
    except HybridError:
        raise
    except Exception as error:  # loaders are other people's code: whatever they raise, the model cannot be had
        logger.info("loading failed", exc_info=True)
        raise HybridError(f"cannot load model {one_line(name, 80)} ({_reason(error)}); -v tells more") from None


def _reason(error: Exception) -> str:
    text = str(error).strip()
    return one_line(f"{type(error).__name__}: {text}" if text else type(error).__name__, 200)


def _check_writable(folder: Path, option: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HybridError(f"cannot make {folder} ({error.strerror or error}); choose another {option}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise HybridError(f"cannot write in {folder}; choose another {option}")


def _stale_results(cache: object, meta: ModelMeta, tasks: Sequence[AbsTask]) -> Iterator[Path]:
    """Result files of these tasks that were made with other data."""
    for task in _flat(tasks):
        path: Path = cache.get_task_result_path(task.metadata.name, meta)  # type: ignore[attr-defined]
        if not path.exists():
            continue
        try:
            revision = json.loads(path.read_text(encoding="utf-8"))["dataset_revision"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            raise HybridError(f"{path} is damaged; delete it, and what it held is run again") from None
        if revision != task.metadata.revision:
            yield path


def _outdated_means(cache: object, meta: ModelMeta, tasks: Sequence[AbsTask]) -> Iterator[Path]:
    """Results of aggregates that are not the mean of what their parts have now, which mteb would take for current.

    The files' times tell nothing: clocks are set back.
    """
    for task in _flat(tasks):
        parts = getattr(task, "tasks", ())
        path, *others = (
            cache.get_task_result_path(each.metadata.name, meta)  # type: ignore[attr-defined]
            for each in (task, *parts)
        )
        if parts and path.exists() and not _is_mean(path, others, task):
            yield path


def _is_mean(path: Path, parts: Sequence[Path], aggregate: Any) -> bool:
    """Whether a kept mean is that of the parts that are there; scores are written with six decimals."""
    from mteb.results import TaskResult

    if not all(part.exists() for part in parts):
        return False
    try:
        kept = TaskResult.from_disk(path).scores
        now = aggregate.task_results_to_scores([TaskResult.from_disk(part) for part in parts])
        return all(
            math.isclose(entry["main_score"], now[split]["default"]["main_score"], abs_tol=2e-6)
            for split, entries in kept.items()
            for entry in entries
        )
    except Exception:  # mteb's own readers meet it again, or it is made anew
        return False


def _flat(tasks: Sequence[AbsTask]) -> Iterator[AbsTask]:
    for task in tasks:
        yield task
        yield from _flat(getattr(task, "tasks", ()))


def _hide_bars() -> None:
    import datasets

    datasets.disable_progress_bars()


def _known_tasks() -> list[str]:
    import mteb

    return [task.metadata.name for task in mteb.get_tasks(exclude_superseded=False)]


def _benchmark(task: AbsTask) -> str:
    """The benchmark in whose tables a task's figures are; empty if there is none."""
    from mteb_hybrid.evaluation.declare import AbsTaskParallelAggregate
    from mteb_hybrid.evaluation.task import AbsTaskParallelRetrieval
    from mteb_hybrid.reporting.miracl import TITLE
    from mteb_hybrid.reporting.results import OTHER_TASKS
    from mteb_hybrid.subsets import split_task_name

    name = task.metadata.name
    if name in OTHER_TASKS:
        return TITLE
    if isinstance(task, AbsTaskParallelAggregate):
        return name
    parts = split_task_name(name) if isinstance(task, AbsTaskParallelRetrieval) else None
    return parts[0] if parts else ""
