"""One measured process of bench_languages: ``python -m tests.benchmarks.languages_child SPEC OUT``, both JSON."""

from __future__ import annotations

import json
import logging
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def make(spec: dict[str, Any]) -> dict[str, Any]:
    """Write the collection, so that what it costs to make is not counted elsewhere."""
    from mteb_hybrid.data.own import save_collection
    from tests.languages.belebele_shape import TAGS, belebele_shaped

    tags = TAGS[:: max(1, len(TAGS) // spec["languages"])][: spec["languages"]]
    collection = belebele_shaped(tags, spec["queries"], spec["passages"])
    save_collection(collection, spec["data"])
    texts = [text for tables in (collection.queries, collection.passages) for t in tables.values() for text in t.texts]
    return {"languages": len(tags), "texts": len(texts), "distinct": len(set(texts))}


def evaluate(spec: dict[str, Any]) -> dict[str, Any]:
    """Evaluate a free encoder: all pairs, the pool, the bias."""
    import mteb
    import sentence_transformers  # noqa: F401  (evaluate would import it, within the time taken)

    from mteb_hybrid import registry
    from mteb_hybrid.data.own import load_collection
    from mteb_hybrid.evaluation.own import collection_tasks
    from tests.benchmarks.meter import Meter
    from tests.languages.lookup import LookupEncoder

    registry.register()
    imported, start = _peak(), time.perf_counter()
    collection = load_collection(spec["data"])
    *_, bias, aggregate = collection_tasks(collection)
    read = time.perf_counter() - start
    tasks: list[Any] = [aggregate(), bias()]
    meter, model = Meter(), LookupEncoder(collection, spec["model"], spec["bias"])
    meter.watch_model(model)
    for task in (*tasks[0].metadata.tasks, tasks[1]):
        meter.watch_task(task)
    cache = mteb.ResultCache(spec["results"])
    meter.watch_results(cache)
    start, used = time.perf_counter(), time.process_time()
    kwargs: Any = {"batch_size": 512, "show_progress_bar": False}
    mteb.evaluate(model, tasks, cache=cache, encode_kwargs=kwargs, show_progress_bar=False)
    took, used = time.perf_counter() - start, time.process_time() - used
    return meter.figures() | {"evaluate": took, "used": used, "read": read, "imported": imported}


def report(spec: dict[str, Any]) -> dict[str, Any]:
    """Run a command on the results, and count what it says."""
    from contextlib import redirect_stdout
    from io import StringIO

    from mteb_hybrid.cli import main

    said, used = StringIO(), time.process_time()
    with redirect_stdout(said):
        code = main(spec["command"])
    if code:
        raise SystemExit(f"{spec['command']} ended with {code}")
    lines = said.getvalue().splitlines()
    return {"used": time.process_time() - used, "lines": len(lines), "widest": max(map(len, lines))}


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    """Do what the specification asks and write the result."""
    spec, out = json.loads(sys.argv[1]), Path(sys.argv[2])
    logging.disable(logging.WARNING)
    roles: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "make": make,
        "evaluate": evaluate,
        "report": report,
    }
    result = roles[spec["role"]](spec)
    out.write_text(json.dumps(result | {"peak_memory": _peak()}))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:  # the parent says so
        sys.exit(130)
