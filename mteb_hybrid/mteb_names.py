"""What of mteb this package builds on beyond its public interface, and as what it was tested.

mteb has no entry points; so we put our tasks and models into its registries, and wrap a few of its functions. A release
of mteb may rename or change any of these without notice: what is gone is an error, what is another is told.
"""

from __future__ import annotations

import importlib
import inspect
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from mteb_hybrid.errors import HybridError

TESTED = (2, 26)
"""The release of mteb (major, minor) that all of this was tested with."""

SUPPORTED = "mteb>=2.26.5,<3"
"""What the package asks for."""

NAMES: Mapping[str, str] = {
    "mteb.get_tasks:TASK_LIST": "tuple",
    "mteb.get_tasks:_TASKS_REGISTRY": "dict",
    "mteb.get_tasks:_SIMILAR_TASKS": "defaultdict",
    "mteb.models.model_implementations:MODEL_REGISTRY": "dict",
    "mteb.models.get_model_meta:_MODEL_RENAMES": "dict",
    "mteb.models.get_model_meta:MODEL_REGISTRY": "dict",
    "mteb.models.get_model_meta:get_model_meta": "(model_name, revision, fetch_from_hf, fill_missing)",
    "mteb.benchmarks.get_benchmark:_build_registry.cache_clear": "()",
    "mteb.benchmarks.get_benchmark:_build_aliases_registry.cache_clear": "()",
    "mteb.evaluate:evaluate": "(model, tasks)",
    "mteb.results.task_result:TaskResult.to_disk": "(self, path)",
    "mteb.results.task_result:TaskResult.from_task_results": "(task, scores)",
    "mteb.cache.result_cache:ResultCache.save_to_cache": "(self, task_result, model_name, model_revision)",
    "mteb.cache.result_cache:ResultCache.get_task_result_path": "(self, task_name, model_name, model_revision)",
    "mteb.abstasks.abstask:AbsTask._evaluate_subset": "(self, model, data_split)",
    "mteb.abstasks.retrieval:_filter_queries_without_positives": "(relevant_docs, queries)",
    "mteb._evaluators:RetrievalEvaluator": "(corpus, queries)",
    "mteb._create_dataloaders:create_dataloader": "(dataset)",
    "mteb.types._metadata:Licenses": "",
}
"""By module and attribute: the type of a value, or the arguments of a function that may be given by position.

Of a function further arguments may follow.
"""


def check_names() -> None:
    """Look at all names, which is cheap: what they are in was loaded with mteb. What has changed is told as a warning.

    Raises:
        HybridError: one of them is gone.
    """
    gone = [name for name in NAMES if not _is_there(name)]
    if gone:
        raise HybridError(f"mteb {_version()} is not supported ({_dotted(gone[0])} is gone); {_supported()}")
    if told := name_warning():
        logging.getLogger("mteb_hybrid").warning("mteb-hybrid: %s", told)


def name_warning() -> str | None:
    """What is to be said of the installed mteb; None if it is as it was tested, whatever its version."""
    changed = [*_changes()]
    if not changed:
        return None
    more = f", and {len(changed) - 1} more" if len(changed) > 1 else ""
    return f"mteb {_version()} was not tested: {changed[0]}{more}; if anything goes wrong, {_supported()}"


def _changes() -> Iterator[str]:
    for name, tested in NAMES.items():
        if not _is_there(name):
            yield f"{_dotted(name)} is gone"
        elif not _is_as(_value(name), tested):
            yield f"{_dotted(name)} is not the {tested} that it was"


def _is_as(value: Any, tested: str) -> bool:
    if not tested.startswith("("):
        return not tested or type(value).__name__ == tested
    try:
        parameters = inspect.signature(inspect.unwrap(value)).parameters.values()
    except (TypeError, ValueError):  # of what is no function, or has no Python source
        return tested == "()" and callable(value)
    found = [each.name for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    wanted = [name for name in tested.strip("()").split(", ") if name]
    return found[: len(wanted)] == wanted


def _is_there(name: str) -> bool:
    try:
        _value(name)
    except (ImportError, AttributeError):
        return False
    return True


def _value(name: str) -> Any:
    module, _, attributes = name.partition(":")
    value: Any = importlib.import_module(module)
    for attribute in attributes.split("."):
        value = getattr(value, attribute)
    return value


def _dotted(name: str) -> str:
    return name.replace(":", ".")


def _supported() -> str:
    return f"pip install '{SUPPORTED}'"


def _version() -> str:
    import mteb

    return mteb.__version__
