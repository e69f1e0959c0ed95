"""Registers our tasks, benchmarks and models in mteb: the one module that touches mteb's private registries.

mteb has no entry points. What it looks names up in: ``mteb.get_tasks`` (``_TASKS_REGISTRY``, ``TASK_LIST``,
``_SIMILAR_TASKS``), ``mteb.models.model_implementations`` (``MODEL_REGISTRY``), ``mteb.models.get_model_meta``
(``_MODEL_RENAMES``, for names without an organisation) and ``mteb.benchmarks.benchmarks`` (any attribute).
"""

from __future__ import annotations

import copy
import functools
import importlib
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType, SimpleNamespace, TracebackType
from typing import TYPE_CHECKING, Any

from mteb_hybrid import _autoload
from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.models import NamedModel, known_models, models_file, unknown_model
from mteb_hybrid.whole import scratch_folder, whole_file

if TYPE_CHECKING:
    from mteb.abstasks.abstask import AbsTask
    from mteb.models import ModelMeta

MTEB_TESTED = (2, 26)
"""The release of mteb (major, minor) whose private names this module was tested with."""

BENCHMARKS_MODULE = "mteb.benchmarks.benchmarks"

_NEEDED = {
    "mteb.get_tasks": ("TASK_LIST", "_TASKS_REGISTRY", "_SIMILAR_TASKS"),
    "mteb.models.model_implementations": ("MODEL_REGISTRY",),
    "mteb.models.get_model_meta": ("_MODEL_RENAMES",),
}


_given: dict[str, str] = {}  # the short names given in this process, and what for


def register() -> None:
    """Make all tasks, benchmarks and models known to mteb; any number of times.

    Raises:
        HybridError: this mteb is not supported, or one of our names is taken by something else.
    """
    importlib.import_module("mteb")
    check_supported()
    tasks = _module("mteb_hybrid.tasks")
    if not hasattr(tasks, "__all__"):
        return  # it is being imported, has mteb imported on its way, and calls us again in its last line
    register_tasks(getattr(tasks, name) for name in tasks.__all__)
    _autoload.after_import(BENCHMARKS_MODULE, _register_benchmarks)
    _share_encodings_over_runs()
    _save_results_whole()
    _save_results_when_due()
    _tell_faults_plainly()
    _look_names_up()
    register_named_models()  # last: the user's file may be broken


def check_supported() -> None:
    """Raise a HybridError if this mteb lacks a private name that registration needs."""
    missing = [
        f"{module}.{name}" for module, names in _NEEDED.items() for name in names if not hasattr(_module(module), name)
    ]
    if missing:
        import mteb

        raise HybridError(
            f"mteb {mteb.__version__} is not supported ({missing[0]} is gone); "
            f"pip install 'mteb>={MTEB_TESTED[0]}.{MTEB_TESTED[1]},<{MTEB_TESTED[0] + 1}'"
        )


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
    """Make the tiny encoder, LASER-2 and the user's short names known to mteb.

    Raises:
        HybridError: a short name is one of mteb's own, or the file of names cannot be read.
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
    for model in known_models().values():
        register_named_model(model)


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
    registry = _module("mteb.models.model_implementations").MODEL_REGISTRY
    for origin in {part.origin for part in record.merged_from or () if part.origin} - {record.origin}:
        declared = registry[origin].get_training_datasets() if origin in registry else None
        tasks = {*(tasks or ()), *declared} if declared else tasks
    return {"training_datasets": tasks} | ({"adapted_from": record.origin} if record.origin else {})


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


def _share_encodings_over_runs() -> None:
    """Let one call of ``mteb.evaluate`` be one run: its tasks share encodings, and they are freed at its end."""
    module = _module("mteb.evaluate")
    evaluate: Callable[..., Any] = module.evaluate
    if getattr(evaluate, "__mteb_hybrid__", False):
        return

    @functools.wraps(evaluate)
    def evaluate_sharing_encodings(*args: Any, **kwargs: Any) -> Any:
        from mteb_hybrid.evaluation.shared_run import shared_run

        with shared_run():
            return evaluate(*args, **kwargs)

    evaluate_sharing_encodings.__mteb_hybrid__ = True  # type: ignore[attr-defined]
    for name, loaded in list(sys.modules.items()):
        if name.partition(".")[0] == "mteb" and vars(loaded).get("evaluate") is evaluate:
            loaded.evaluate = evaluate_sharing_encodings  # type: ignore[attr-defined]


def _save_results_whole() -> None:
    """Let result files be replaced in one step, and keep the scores of single queries beside them.

    An interrupt while one is written must not leave half of it.
    """
    result: Any = _module("mteb.results.task_result").TaskResult
    to_disk: Callable[..., None] = result.to_disk
    if getattr(to_disk, "__mteb_hybrid__", False):
        return

    @functools.wraps(to_disk)
    def to_disk_whole(self: Any, path: Path) -> None:
        from mteb_hybrid.evaluation.shared_run import current_run

        try:
            with whole_file(path) as partial:
                to_disk(self, partial)
                if (run := current_run()) is not None:  # first: what is in the results is not run again
                    run.query_scores.save(self.task_name, path, self.dataset_revision)
        except OSError as error:
            raise HybridError(
                f"cannot write {path} ({error.strerror or error}); mend that, and the same command goes on"
            ) from None

    to_disk_whole.__mteb_hybrid__ = True  # type: ignore[attr-defined]
    result.to_disk = to_disk_whole
    _save_notes_whole()


def _save_notes_whole() -> None:
    """Let what mteb keeps beside results be replaced in one step too, and before them.

    Whoever is killed after the results has nothing left to run, and so would never write ``model_meta.json``.
    """
    cache: Any = _module("mteb.cache.result_cache").ResultCache
    save: Callable[..., None] = cache.save_to_cache

    @functools.wraps(save)
    def save_whole(self: Any, result: Any, model: Any, revision: str | None = None, **kwargs: Any) -> None:
        path: Path = self.get_task_result_path(result.task_name, model, revision)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with scratch_folder(path.parent) as folder:
                for note in path.parent.glob("*.jsonl"):  # is added to
                    shutil.copyfile(note, folder / note.name)
                elsewhere = copy.copy(self)
                elsewhere.get_task_result_path = lambda *_, **__: folder / path.name
                notes = SimpleNamespace(task_name=result.task_name, scores=result.scores, to_disk=lambda _: None)
                save(elsewhere, notes, model, revision, **kwargs)
                for written in folder.iterdir():
                    written.replace(path.parent / written.name)
        except OSError as error:
            raise HybridError(
                f"cannot write in {path.parent} ({error.strerror or error}); mend that, and the same command goes on"
            ) from None
        result.to_disk(path)

    cache.save_to_cache = save_whole


def _save_results_when_due() -> None:
    """Let results of very many subsets be written less often than after each: see ``mteb_hybrid.evaluation.saving``."""
    result: Any = _module("mteb.results.task_result").TaskResult
    cache: Any = _module("mteb.cache.result_cache").ResultCache
    make, save = result.from_task_results, cache.save_to_cache
    if getattr(make, "__mteb_hybrid__", False):
        return

    @functools.wraps(make)
    def make_when_due(_: Any, task: Any, scores: Any, *args: Any, **kwargs: Any) -> Any:
        from mteb_hybrid.evaluation.shared_run import current_run

        now = functools.partial(make, task, scores, *args, **kwargs)
        run = current_run()
        return now() if run is None else run.saving.result(task, scores, now)

    @functools.wraps(save)
    def save_when_due(self: Any, result: Any, *args: Any, **kwargs: Any) -> None:
        from mteb_hybrid.evaluation.shared_run import current_run

        run = current_run()
        if run is None:
            save(self, result, *args, **kwargs)
        else:
            run.saving.write(result, lambda each: save(self, each, *args, **kwargs))

    make_when_due.__mteb_hybrid__ = True  # type: ignore[attr-defined]
    result.from_task_results = classmethod(make_when_due)
    cache.save_to_cache = save_when_due


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


def _tell_faults_plainly() -> None:
    """In mteb's command line, print a HybridError as its one line and exit with 2, instead of a traceback."""
    before = sys.excepthook
    if getattr(before, "__mteb_hybrid__", False):
        return

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, HybridError) and _is_mteb_command():
            print(f"mteb-hybrid: {one_line(error, 1000)}", file=sys.stderr)
            raise SystemExit(2)  # the interpreter honours an exit that a hook asks for
        before(kind, error, trace)

    tell.__mteb_hybrid__ = True  # type: ignore[attr-defined]
    sys.excepthook = tell


def _is_mteb_command() -> bool:
    program = Path(sys.argv[0] if sys.argv else "")
    return program.stem == "mteb" or program.parts[-2:] == ("mteb", "__main__.py")


def _module(name: str) -> Any:
    # some submodules share their name with a function of the package, so attribute access will not do
    return importlib.import_module(name)
