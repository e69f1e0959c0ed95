"""Where a study keeps things, and what of it is done: read from what is there, never from a list of what was done.

STUDY/models/CELL           the trained model; CELL.training beside it while it is trained; averages beside the cells
STUDY/results               results as mteb writes them
STUDY/revisions/CELL        under which revision its results are kept
STUDY/claims                who does what just now
STUDY/failed/CELL.txt       why it failed the last time
STUDY/rows.json, scores.json
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mteb_hybrid.errors import HybridError
from mteb_hybrid.models import NamedModel, fingerprint
from mteb_hybrid.study.averages import Average, Trained
from mteb_hybrid.study.cells import Cell
from mteb_hybrid.training.folders import work_folder
from mteb_hybrid.training.outcome import RECORD, TrainingRecord, read_record
from mteb_hybrid.whole import whole_file

if TYPE_CHECKING:
    from mteb.abstasks.abstask import AbsTask
    from mteb.results import TaskResult


@dataclass(frozen=True)
class Evaluated:
    """A model as its results name it.

    Attributes:
        name: what results are kept under, ``organisation/name``.
        revision: its revision.
    """

    name: str
    revision: str


@dataclass(frozen=True)
class StudyFolder:
    """The folder of a study."""

    path: Path

    @property
    def results(self) -> Path:
        """Results, as the folder that is given to ``mteb run --output-folder``."""
        return self.path / "results"

    @property
    def claims(self) -> Path:
        """The folder of claims."""
        return self.path / "claims"

    def model(self, cell: Trained) -> Path:
        """Where the model of a cell or an average is, or will be."""
        return self.path / "models" / cell.name

    def failure(self, name: str) -> Path:
        """Where it is written why a cell, an average or a baseline failed."""
        return self.path / "failed" / f"{name.replace('/', '__')}.txt"

    def record(self, cell: Trained) -> TrainingRecord | None:
        """How the model of a cell came to be; None while it is not trained."""
        return read_record(self.model(cell))

    def is_trained(self, cell: Trained) -> bool:
        """Whether a cell's model is there, or an average of its cells as they are now; it is whole, or not there."""
        there = (self.model(cell) / RECORD).is_file()
        return self._is_of_its_cells(cell) if there and isinstance(cell, Average) else there

    def _is_of_its_cells(self, average: Average) -> bool:
        """Whether an average that is there was made of its cells as they are now; those that are gone do not count."""
        record = self.record(average)
        parts = {part.revision for part in (record.merged_from if record else None) or ()}
        return all(self.named_model(cell).revision in parts for cell in average.cells if self.is_trained(cell))

    def has_checkpoints(self, cell: Cell) -> bool:
        """Whether anything of a training is there."""
        work = work_folder(self.model(cell))
        return work.is_dir() and any(work.iterdir())

    def named_model(self, cell: Trained) -> NamedModel:
        """The model of a cell that is trained, as a short name stands for it.

        Its fingerprint is taken once, as all of its weights are read for it, and kept as long as the model stays.
        """
        folder = self.model(cell)
        record = hashlib.sha256((folder / RECORD).read_bytes()).hexdigest()
        path = self.path / "revisions" / cell.name
        try:
            revision, of = path.read_text(encoding="ascii").split()
        except (OSError, ValueError):
            revision, of = "", ""
        if of != record:
            revision = fingerprint(folder)
            with suppress(OSError):  # of a disk that is full: it is taken again next time
                path.parent.mkdir(exist_ok=True)
                with whole_file(path) as partial:
                    partial.write_text(f"{revision} {record}\n", encoding="ascii")
        return NamedModel(cell.name, str(folder.resolve()), revision)

    def evaluated(self, cell: Trained) -> Evaluated | None:
        """What the results of a cell are kept under; None while it is not trained."""
        if not self.is_trained(cell):
            return None
        model = self.named_model(cell)
        return Evaluated(model.full_name, model.revision or "")

    def result(self, task: AbsTask, model: Evaluated) -> TaskResult | None:
        """The result of a task; None if there is none, one of other data, or not all of it.

        Raises:
            HybridError: a result file is damaged.
        """
        from mteb.cache import ResultCache

        if not self.results.is_dir():  # which a cache would make
            return None
        cache, name = ResultCache(self.results), task.metadata.name
        try:
            found = cache.load_task_result(name, model.name, model.revision)
        except Exception:  # of JSON, of pydantic, of mteb's own readers of older forms
            path = cache.get_task_result_path(name, model.name, model.revision)
            raise HybridError(f"{path} is damaged; delete it, and what it held is run again") from None
        if found is None or found.dataset_revision != task.metadata.revision or found.get_missing_evaluations(task):
            return None
        return found if all(self.result(part, model) for part in getattr(task, "tasks", ())) else None

    def is_begun(self, task: AbsTask, model: Evaluated) -> bool:
        """Whether there is a file of results of a task, be they whole or not."""
        from mteb.cache import ResultCache

        return ResultCache(self.results).get_task_result_path(task.metadata.name, model.name, model.revision).exists()
