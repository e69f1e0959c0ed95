"""The files of a model's results: as mteb wrote them, and in the form that the Hub shows beside a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.publishing.comparison import Comparison


def result_files(comparison: Comparison) -> dict[str, Path | bytes]:
    """The results as mteb wrote them, and as the Hub reads them.

    Raises:
        HybridError: a result file is damaged.
    """
    if comparison.own is None:
        return {}
    tasks = [path for path in sorted(comparison.own.folder.glob("*.json")) if path.name != "model_meta.json"]
    files: dict[str, Path | bytes] = {f"results/{path.name}": path for path in tasks}
    return files | {f".eval_results/{name}.yaml": text.encode() for name, text in eval_results(tasks).items()}


def eval_results(results: Sequence[Path]) -> dict[str, str]:
    """Turn result files into the Hub's form: a YAML file a task, as mteb writes it.

    Args:
        results: the result files.

    Returns:
        The text of the file of each task, by the task's name. Aggregates have none in mteb, and tasks of collections
        of one's own are not known to others; both are left out.

    Raises:
        HybridError: a result file is damaged.
    """
    import mteb
    from mteb.abstasks.aggregated_task import AbsTaskAggregate
    from mteb.results import TaskResult

    from mteb_hybrid.registry import register

    register()
    texts = {}
    for path in results:
        try:
            task = mteb.get_task(path.stem)
        except KeyError:
            continue
        if isinstance(task, AbsTaskAggregate):
            continue
        try:
            texts[path.stem] = str(TaskResult.from_disk(path)._to_hf_benchmark_result().to_yaml())
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise HybridError(f"{path} is damaged ({one_line(error, 120)}); delete it and run its task again") from None
    return texts
