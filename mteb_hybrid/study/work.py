"""The work of a study in units, each claimed and done on its own: train a cell, average some, evaluate a model."""

from __future__ import annotations

import gc
import os
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.models import NamedModel, fingerprint
from mteb_hybrid.study.averages import Average, Trained
from mteb_hybrid.study.cells import Cell, short_base
from mteb_hybrid.study.failures import Failure, failure_of
from mteb_hybrid.study.folder import Evaluated, StudyFolder
from mteb_hybrid.study.study_file import Study
from mteb_hybrid.training.folders import work_folder
from mteb_hybrid.whole import discard_folder

if TYPE_CHECKING:
    from mteb.abstasks.abstask import AbsTask


class Stopped(Exception):
    """A training was ended by a signal, and has a checkpoint."""

    def __init__(self, received: signal.Signals) -> None:
        super().__init__(received.name)
        self.received = received


class TasksFailed(Exception):
    """A model could not be evaluated on some tasks; on the others it was."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.line)
        self.failure = failure


@dataclass(frozen=True)
class Unit:
    """A piece of work that one process does.

    Attributes:
        name: of its claim.
        subject: the name of the cell, average or baseline.
        verb: what is done: ``train``, ``average`` or ``evaluate``.
        is_ready: whether what it builds on is there.
        is_done: whether its outcome is there.
        do: does it, or goes on with it.
    """

    name: str
    subject: str
    verb: str
    is_ready: Callable[[], bool]
    is_done: Callable[[], bool]
    do: Callable[[], None]


@dataclass(frozen=True)
class Means:
    """How work is done, which does not change what comes out.

    Attributes:
        batch_size: texts encoded at once in an evaluation.
        device: of an evaluation, as in sentence-transformers.
        show_progress_bar: whether to show progress.
        say: is told what happens, a line at a time.
    """

    batch_size: int = 32
    device: str | None = None
    show_progress_bar: bool = True
    say: Callable[[str], None] = lambda _: None


class Work:
    """All work of a study, done or not."""

    def __init__(self, study: Study, folder: StudyFolder, tasks: Sequence[AbsTask], means: Means) -> None:
        self.study, self.folder, self.tasks, self._means = study, folder, tasks, means
        self._baselines: dict[str, tuple[str, Evaluated]] = {}

    def units(self) -> Iterator[Unit]:
        """Every unit, in the order in which one process would do them."""
        for cell in self.study.cells:
            yield self.training(cell)
            yield self.evaluation(cell)
        for average in self.study.averages:
            yield self.averaging(average)
            yield self.evaluation(average)
        for name in self.study.baselines:
            yield self.baseline_evaluation(name)

    def training(self, cell: Cell) -> Unit:
        """The training of a cell."""
        return Unit(
            f"train-{cell.name}",
            cell.name,
            "train",
            is_ready=lambda: True,
            is_done=lambda: self.folder.is_trained(cell) and not self.folder.has_checkpoints(cell),
            do=lambda: self._train(cell),
        )

    def averaging(self, average: Average) -> Unit:
        """The making of an average, once all of its cells are trained."""
        return Unit(
            f"average-{average.name}",
            average.name,
            "average",
            is_ready=lambda: all(map(self.folder.is_trained, average.cells)),
            is_done=lambda: self.folder.is_trained(average),
            do=lambda: self._average(average),
        )

    def evaluation(self, cell: Trained) -> Unit:
        """The evaluation of a cell that is trained, or of an average that is made."""
        return Unit(
            f"evaluate-{cell.name}",
            cell.name,
            "evaluate",
            is_ready=lambda: self.folder.is_trained(cell),
            is_done=lambda: self.is_evaluated(self.folder.evaluated(cell)),
            do=lambda: self._evaluate_cell(cell),
        )

    def baseline_evaluation(self, name: str) -> Unit:
        """The evaluation of a model as it is."""
        return Unit(
            f"evaluate-{name.strip('/').replace('/', '__')}",
            name,
            "evaluate",
            is_ready=lambda: True,
            is_done=lambda: self.is_evaluated(self.baseline(name)),
            do=lambda: self._evaluate(*self._find_baseline(name)),
        )

    def baseline(self, name: str) -> Evaluated | None:
        """What the results of a baseline are kept under; None if it cannot be found now."""
        try:
            return self._find_baseline(name)[1]
        except HybridError:
            return None

    def is_evaluated(self, model: Evaluated | None) -> bool:
        """Whether a model has results of all tasks."""
        try:
            return model is not None and all(self.folder.result(task, model) for task in self.tasks)
        except HybridError:  # told when it is evaluated
            return False

    def _train(self, cell: Cell) -> None:
        from mteb_hybrid.training.run import train

        output = self.folder.model(cell)
        work = work_folder(output)
        if self.folder.is_trained(cell):  # ended between its last two acts
            with suppress(OSError):
                discard_folder(work)
            return
        resume = self.folder.has_checkpoints(cell)
        try:
            trained = train(
                cell.recipe,
                output,
                resume=resume,
                show_progress_bar=self._means.show_progress_bar,
                say=lambda line: self._means.say(f"  {line}"),
            )
        except HybridError as error:
            if resume:
                raise HybridError(f"{error} (in a study: delete {work}, and the cell begins anew)") from error
            raise
        if trained.stopped_by is not None:
            raise Stopped(trained.stopped_by)

    def _average(self, average: Average) -> None:
        from mteb_hybrid.merging import merge

        output = self.folder.model(average)
        discard_folder(output)  # of cells as they were before
        merge([str(self.folder.model(cell)) for cell in average.cells], (), output)

    def _evaluate_cell(self, cell: Trained) -> None:
        from mteb_hybrid.registry import register, register_named_model

        model = self.folder.named_model(cell)
        register()
        register_named_model(model)  # in this process alone: others write no common file of names
        self._evaluate(model.full_name, Evaluated(model.full_name, model.revision or ""))

    def _find_baseline(self, name: str) -> tuple[str, Evaluated]:
        """How a baseline is called in this process, and what its results are kept under."""
        if name not in self._baselines:
            self._baselines[name] = _find_model(name)
        return self._baselines[name]

    def _evaluate(self, name: str, model: Evaluated) -> None:
        """Run every task that has no results yet, also where another fails."""
        from mteb_hybrid.evaluation.shared_run import shared_run

        failures: dict[str, Failure] = {}
        with shared_run():
            for task in self.tasks:
                try:
                    self._evaluate_task(name, model, task)
                except BrokenPipeError:
                    raise
                except Exception as error:  # mteb, data sets and models are other people's code
                    failures[task.metadata.name] = failure_of(error)
                    traceback.clear_frames(error.__traceback__)  # which hold what was on the device
        if failures:
            raise TasksFailed(_together(failures))

    def _evaluate_task(self, name: str, model: Evaluated, task: AbsTask) -> None:
        from mteb_hybrid.evaluation.run import evaluate

        if self.folder.result(task, model) is not None:
            return
        evaluate(
            name,
            [task],
            folder=self.folder.results,
            batch_size=self._means.batch_size,
            device=self._means.device,
            show_progress_bar=self._means.show_progress_bar,
        )
        if self.folder.result(task, model) is None:
            raise HybridError(f"{task.metadata.name} gave no result; are its data private?")


def free_memory() -> None:
    """Let go of what a unit left behind, so that the next has room."""
    gc.collect()
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _find_model(name: str) -> tuple[str, Evaluated]:
    import mteb

    from mteb_hybrid.registry import register, register_named_model

    register()
    folder = Path(os.path.expanduser(name))
    if folder.is_dir():
        model = NamedModel(short_base(str(folder.resolve())), str(folder.resolve()), fingerprint(folder))
        register_named_model(model)
        return model.full_name, Evaluated(model.full_name, model.revision or "")
    try:
        meta = mteb.get_model_meta(name, fetch_from_hf="/" in name)
    except HybridError:
        raise
    except Exception as error:  # of the Hub's client, and of mteb
        raise HybridError(
            f"cannot find model {one_line(name, 80)} ({failure_of(error).line}); check its name"
        ) from None
    return name, Evaluated(str(meta.name), meta.revision or "no_revision_available")


def _together(failures: dict[str, Failure]) -> Failure:
    """Failures of several tasks as one; those that have the same cause are told once."""
    tasks: dict[str, list[str]] = {}
    for task, failure in failures.items():
        tasks.setdefault(failure.line, []).append(task)
    line = "; ".join(f"{', '.join(names)}: {line}" for line, names in tasks.items())
    return Failure(one_line(line, 600), "\n".join(f"{task}\n{each.details}" for task, each in failures.items()))
