"""What this package changes in mteb: how results are written, what a run shares, and how faults are told.

Each change wraps one function, once, takes its arguments by the same names, and leaves to it what is not of our tasks.
"""

from __future__ import annotations

import copy
import functools
import importlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.whole import scratch_folder, whole_file


def patch() -> None:
    """Make all changes; any number of times."""
    _share_encodings_over_runs()
    _save_results_whole()
    _save_results_when_due()
    _tell_faults_plainly()


def _share_encodings_over_runs() -> None:
    """Let one call of ``mteb.evaluate`` be one run: its tasks share encodings, and they are freed at its end."""
    module = importlib.import_module("mteb.evaluate")
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
    result: Any = importlib.import_module("mteb.results.task_result").TaskResult
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
    cache: Any = importlib.import_module("mteb.cache.result_cache").ResultCache
    save: Callable[..., None] = cache.save_to_cache

    @functools.wraps(save)
    def save_whole(
        self: Any, task_result: Any, model_name: Any, model_revision: str | None = None, **kwargs: Any
    ) -> None:
        path: Path = self.get_task_result_path(task_result.task_name, model_name, model_revision)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with scratch_folder(path.parent) as folder:
                for note in path.parent.glob("*.jsonl"):  # is added to
                    shutil.copyfile(note, folder / note.name)
                elsewhere = copy.copy(self)
                elsewhere.get_task_result_path = lambda *_, **__: folder / path.name
                notes = SimpleNamespace(
                    task_name=task_result.task_name, scores=task_result.scores, to_disk=lambda _: None
                )
                save(elsewhere, notes, model_name, model_revision, **kwargs)
                for written in folder.iterdir():
                    written.replace(path.parent / written.name)
        except OSError as error:
            raise HybridError(
                f"cannot write in {path.parent} ({error.strerror or error}); mend that, and the same command goes on"
            ) from None
        task_result.to_disk(path)

    cache.save_to_cache = save_whole


def _save_results_when_due() -> None:
    """Let results of very many subsets be written less often than after each: see ``mteb_hybrid.evaluation.saving``."""
    result: Any = importlib.import_module("mteb.results.task_result").TaskResult
    cache: Any = importlib.import_module("mteb.cache.result_cache").ResultCache
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
    def save_when_due(self: Any, task_result: Any, *args: Any, **kwargs: Any) -> None:
        from mteb_hybrid.evaluation.shared_run import current_run

        run = current_run()
        if run is None:
            save(self, task_result, *args, **kwargs)
        else:
            run.saving.write(task_result, lambda each: save(self, each, *args, **kwargs))

    make_when_due.__mteb_hybrid__ = True  # type: ignore[attr-defined]
    result.from_task_results = classmethod(make_when_due)
    cache.save_to_cache = save_when_due


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
