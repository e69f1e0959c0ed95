"""One measured process: ``python -m tests.benchmarks.child SPEC OUT``, both JSON (SPEC itself, OUT a file)."""

from __future__ import annotations

import json
import logging
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BIAS = "LanguageBias"


def prepare(spec: dict[str, Any]) -> dict[str, Any]:
    """Get the data, downloading it where need be, and count; a generated world where it cannot be had."""
    from mteb_hybrid.errors import HybridError
    from tests.benchmarks.workload import our_tasks

    source, reason = "xquad-r", ""
    try:
        collection = our_tasks(source, spec["sample"])[0].load_collection()  # type: ignore[attr-defined]
    except HybridError as error:
        source, reason = "world", str(error)
        collection = our_tasks(source, spec["sample"])[0].load_collection()  # type: ignore[attr-defined]
    settings = our_tasks(source, spec["sample"])[:-2]
    return {
        "source": source,
        "reason": reason,
        "languages": list(collection.languages),
        "subsets": {task.metadata.name: len(task.metadata.eval_langs) for task in settings},
        "queries": sum(map(len, collection.queries.values())),
        "passages": sum(map(len, collection.passages.values())),
    }


def ours(spec: dict[str, Any]) -> dict[str, Any]:
    """This package's aggregate, with ``bias`` its language bias task too, in one call of ``mteb.evaluate``."""
    from mteb_hybrid import registry
    from tests.benchmarks.workload import our_tasks

    registry.register()
    *_, bias, aggregate = our_tasks(spec["source"], spec["sample"])
    whole: Any = aggregate()
    tasks = [whole, bias()] if spec["bias"] else [whole]
    return _measure(spec, tasks, [*whole.metadata.tasks, *tasks[1:]])


def plain(spec: dict[str, Any]) -> dict[str, Any]:
    """The same subsets as unmodified retrieval tasks of mteb."""
    from tests.benchmarks.workload import plain_tasks

    tasks = plain_tasks(spec["source"], spec["sample"])
    return _measure(spec, tasks, tasks)


def _measure(spec: dict[str, Any], tasks: list[Any], measured: list[Any]) -> dict[str, Any]:
    import mteb
    import sentence_transformers  # noqa: F401  (evaluate would import it, within the time taken)

    from tests.benchmarks.encoders import load_encoder
    from tests.benchmarks.meter import Meter

    meter = Meter()
    model = load_encoder(spec["encoder"])
    meter.watch_model(model)
    for task in measured:
        meter.watch_task(task)
    with tempfile.TemporaryDirectory() as folder:
        cache = mteb.ResultCache(folder)
        meter.watch_results(cache)
        start = time.perf_counter()
        mteb.evaluate(
            model,
            tasks,
            cache=cache,
            encode_kwargs={"batch_size": spec["batch_size"], "show_progress_bar": False},
            show_progress_bar=False,
        )
        whole = time.perf_counter() - start
    scores = {
        subset: {name: value for name, value in values.items() if isinstance(value, (int, float))}
        for task, subsets in meter.scores.items()
        if not task.endswith(BIAS)
        for subset, values in subsets.items()
    }
    return meter.figures() | {"evaluate": whole, "scores": scores}


def explain(spec: dict[str, Any]) -> dict[str, Any]:
    """Compare some subsets again with one vector a text for both sides, and count equal similarities."""
    from mteb.timing import TimingStack

    from tests.benchmarks.agreement import count_ties
    from tests.benchmarks.encoders import load_encoder, remember_vectors
    from tests.benchmarks.workload import our_tasks, plain_tasks

    model = load_encoder(spec["encoder"])
    remember_vectors(model)
    kwargs = {"batch_size": spec["batch_size"], "show_progress_bar": False}
    found: dict[str, Any] = {"scores": [{}, {}], "ties": {}}
    settings = our_tasks(spec["source"], spec["sample"])[:-2]
    for side, tasks in enumerate(([task() for task in settings], plain_tasks(spec["source"], spec["sample"]))):
        for task in tasks:
            for subset in set(task.hf_subsets) & set(spec["subsets"]):
                scores = task.evaluate(model, subsets_to_run=[subset], encode_kwargs=kwargs, timer=TimingStack())  # type: ignore[arg-type]
                found["scores"][side][subset] = scores[subset]
                if side == 0:
                    found["ties"][subset] = count_ties(model, task, subset, kwargs)
    return found


def main() -> None:
    """Do what the specification asks and write the result."""
    spec, out = json.loads(sys.argv[1]), Path(sys.argv[2])
    logging.disable(logging.WARNING)
    roles: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "prepare": prepare,
        "ours": ours,
        "plain": plain,
        "explain": explain,
    }
    result = roles[spec["role"]](spec)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    result["peak_memory"] = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    result["processor"] = usage.ru_utime + usage.ru_stime
    out.write_text(json.dumps(result))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:  # the parent says so
        sys.exit(130)
