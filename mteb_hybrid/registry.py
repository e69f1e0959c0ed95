"""Registers our tasks, benchmarks and models in mteb: the one module that touches mteb's private registries.

mteb has no entry points. What it looks names up in: ``mteb.get_tasks`` (``_TASKS_REGISTRY``, ``TASK_LIST``,
``_SIMILAR_TASKS``), ``mteb.models.model_implementations`` (``MODEL_REGISTRY``), ``mteb.models.get_model_meta``
(``_MODEL_RENAMES``, for names without an organisation) and ``mteb.benchmarks.benchmarks`` (any attribute).
"""

from __future__ import annotations

import functools
import importlib
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mteb_hybrid import _autoload
from mteb_hybrid.errors import HybridError
from mteb_hybrid.models import NamedModel, known_models, models_file, unknown_model
from mteb_hybrid.mteb_names import check_names
from mteb_hybrid.mteb_patches import patch

if TYPE_CHECKING:
    from mteb.abstasks.abstask import AbsTask
    from mteb.models import ModelMeta

BENCHMARKS_MODULE = "mteb.benchmarks.benchmarks"

_given: dict[str, str] = {}  # the short names given in this process, and what for


def register() -> None:
    """Make all tasks, benchmarks and models known to mteb; any number of times. Faults of short names are told once.

    Raises:
        HybridError: this mteb is not supported, or the name of one of our tasks is taken by another.
    """
    importlib.import_module("mteb")
    check_names()
    tasks = _module("mteb_hybrid.tasks")
    if not hasattr(tasks, "__all__"):
        return  # it is being imported, has mteb imported on its way, and calls us again in its last line
    register_tasks(getattr(tasks, name) for name in tasks.__all__)
    _autoload.after_import(BENCHMARKS_MODULE, _register_benchmarks)
    patch()
    _look_names_up()
    try:
        register_named_models()  # last: the user's file may be broken
    except HybridError as error:
        _warn(f"mteb-hybrid: not all short names are registered: {error}")


@functools.cache
def _warn(text: str) -> None:
    logging.getLogger("mteb_hybrid").warning(text)


def register_tasks(tasks: Iterable[type[AbsTask]]) -> None:
    """Make task classes known to mteb by name; a class that is known already is left as it is.

    The tasks of a collection of one's own take the place of those made of it before.

    Raises:
        HybridError: a name belongs to another task.
    """
    module = _module("mteb.get_tasks")
    for task in tasks:
        name = task.metadata.name
        known = module._TASKS_REGISTRY.get(name, task)
        if known is not task and not known.__dict__.get("of_own_collection"):
            raise HybridError(
                f"mteb has another task named {name} (from {known.__module__}); rename yours, or "
                f"set {_autoload.SWITCH}=0"
            )
        module._TASKS_REGISTRY[name] = task
        if task not in module.TASK_LIST:
            module.TASK_LIST = (*(other for other in module.TASK_LIST if other is not known), task)
        for parent in task.metadata.adapted_from or ():
            similar = module._SIMILAR_TASKS[parent]
            if name not in similar:
                similar.append(name)


def registered_tasks() -> list[str]:
    """The names of our tasks that mteb knows."""
    from mteb_hybrid import tasks

    known = _module("mteb.get_tasks")._TASKS_REGISTRY
    return [name for name in tasks.__all__ if known.get(name) is getattr(tasks, name)]


def register_named_models() -> None:
    """Make the tiny encoder, LASER-2 and the user's short names known to mteb, all that can be.

    Raises:
        HybridError: short names are mteb's own, which is told when the others are known; or the file of names cannot
            be read.
    """
    from mteb.models import ModelMeta

    from mteb_hybrid.laser import NAME as LASER
    from mteb_hybrid.laser import laser_meta
    from mteb_hybrid.loading import load_tiny

    registry = _module("mteb.models.model_implementations").MODEL_REGISTRY
    tiny = {
        "name": "mteb-hybrid/tiny",
        "revision": "1",
        "loader": load_tiny,
        "framework": ["Sentence Transformers"],
        "training_datasets": set(),
    }
    registry.setdefault("mteb-hybrid/tiny", ModelMeta.create_empty(overwrites=tiny))
    registry.setdefault(LASER, laser_meta())
    faults = []
    for model in known_models().values():
        try:
            register_named_model(model)
        except HybridError as error:
            faults.append(str(error))
    if faults:
        raise HybridError("; ".join(faults))


def mteb_name(name: str) -> str | None:
    """What mteb itself calls by a short name; None if it is free, or the user's."""
    importlib.import_module("mteb")
    taken: str | None = _module("mteb.models.get_model_meta")._MODEL_RENAMES.get(name)
    return None if taken == _given.get(name) else taken


def register_named_model(model: NamedModel) -> None:
    """Make one short name known to mteb.

    Raises:
        HybridError: the name is one of mteb's own.
    """
    registry = _module("mteb.models.model_implementations").MODEL_REGISTRY
    renames = _module("mteb.models.get_model_meta")._MODEL_RENAMES
    key = model.full_name
    known = registry.get(key)
    if not model.is_local and model.revision and (known is None or known.revision != model.revision):
        key = f"{key}@{model.revision}"  # the Hub id itself stays mteb's: its own entry, or the newest
    taken = renames.get(model.name)
    if taken not in {None, key, _given.get(model.name)}:
        raise HybridError(
            f"{model.name} is mteb's own name for {taken}; change it in {models_file()} or with `mteb-hybrid models`"
        )
    if model.is_local or key != model.full_name:
        registry[key] = _meta(model)
    renames[model.name] = _given[model.name] = key


def _meta(model: NamedModel) -> ModelMeta:
    from mteb.models import ModelMeta

    from mteb_hybrid.loading import load_debiased, load_folder, load_from_hub

    values: dict[str, Any] = {"name": model.full_name, "revision": model.revision}
    if model.debias is not None:
        values |= {"loader": load_debiased, "loader_kwargs": {"source": model.source, "debias": model.debias}}
        values |= {"framework": ["Sentence Transformers"]} | _debiasing_data(model.source, Path(model.debias))
    elif model.is_local:
        values |= {"loader": load_folder, "loader_kwargs": {"source": model.source}}
        values |= {"framework": ["Sentence Transformers"]} | _training_data(Path(model.source))
    else:
        values["loader"] = load_from_hub
        values |= _training_data(Path(model.folder)) if model.folder else {}
    return ModelMeta.create_empty(overwrites=values)


def _training_data(folder: Path) -> dict[str, Any]:
    """What mteb's marks of contamination need to know of a model that we trained."""
    from mteb_hybrid.training.outcome import read_record

    try:
        record = read_record(folder)
    except HybridError:  # told when the model is loaded: its fingerprint is no longer the one it was named with
        return {}
    if record is None:
        return {}
    # of a model that was not trained by us nothing is known, unless it is mteb that knows it
    tasks = set(record.mteb_tasks) if record.origin or record.mteb_tasks else None
    # what the origin was trained on mteb adds itself
    declared = declared_data({part.origin for part in record.merged_from or ()} - {record.origin})
    tasks = {*(tasks or ()), *declared} if declared else tasks
    return {"training_datasets": tasks} | ({"adapted_from": record.origin} if record.origin else {})


def declared_data(models: Iterable[str | None]) -> frozenset[str]:
    """The tasks whose texts models were trained on, as far as mteb says.

    Args:
        models: names, of which mteb need not know any.
    """
    registry = _module("mteb.models.model_implementations").MODEL_REGISTRY
    known = [registry[name] for name in models if name in registry]
    return frozenset[str]().union(*(model.get_training_datasets() or () for model in known))


def _debiasing_data(source: str, file: Path) -> dict[str, Any]:
    """The same of a debiased model: what the plain one was trained on, and what the debiasing was fitted on."""
    import mteb

    from mteb_hybrid.debias.file import read_fitted_on

    try:
        fitted_on = read_fitted_on(file)
    except HybridError:  # told when the model is loaded
        return {}
    if fitted_on.kind == "folder":
        data = _training_data(Path(source))
    else:
        try:
            known = mteb.get_model_meta(source).training_datasets
        except KeyError:  # a model that mteb does not know
            known = None
        data = {"training_datasets": known, "adapted_from": source}
    tasks = data.get("training_datasets")
    if tasks is not None or fitted_on.mteb_tasks:
        data["training_datasets"] = {*(tasks or ()), *fitted_on.mteb_tasks}
    return data


def _register_benchmarks(module: ModuleType) -> None:
    """Add our benchmarks; their module is imported by mteb only when somebody asks for a benchmark."""
    from mteb_hybrid.benchmarks import benchmarks

    for benchmark in benchmarks():
        attribute = "HYBRID_" + "".join(c if c.isalnum() else "_" for c in benchmark.name).upper()
        setattr(module, attribute, benchmark)
    lookup = _module("mteb.benchmarks.get_benchmark")
    lookup._build_registry.cache_clear()
    lookup._build_aliases_registry.cache_clear()


def _look_names_up() -> None:
    """Let ``mteb.get_model``, and with it ``mteb run -m``, know names given since, and say of others that none is.

    mteb takes any name for one of the Hub, where a few old models have no organisation in theirs.
    """
    module = _module("mteb.models.get_model_meta")
    get_model_meta: Callable[..., Any] = module.get_model_meta
    if getattr(get_model_meta, "__mteb_hybrid__", False):
        return

    @functools.wraps(get_model_meta)
    def get_model_meta_of_name(model_name: str, *args: Any, **kwargs: Any) -> Any:
        from mteb_hybrid.loading import is_on_hub, load_from_hub

        def known() -> bool:
            return model_name in module._MODEL_RENAMES or model_name in module.MODEL_REGISTRY

        if "/" not in model_name and not known():
            register_named_models()  # it may have been given since
            if not known() and not os.path.isdir(model_name) and not is_on_hub(model_name):
                raise unknown_model(model_name)
        meta = get_model_meta(model_name, *args, **kwargs)
        if model_name in _given and meta.name not in module.MODEL_REGISTRY:  # the Hub's newest of a name of ours
            return meta.model_copy(update={"loader": load_from_hub, "loader_kwargs": {}})
        return meta

    get_model_meta_of_name.__mteb_hybrid__ = True  # type: ignore[attr-defined]
    module.get_model_meta = get_model_meta_of_name  # where mteb.get_model looks it up


def _module(name: str) -> Any:
    # some submodules share their name with a function of the package, so attribute access will not do
    return importlib.import_module(name)
