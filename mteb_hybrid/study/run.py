"""Runs a study: whatever is not done and nobody else is at, one unit after the other."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mteb_hybrid.errors import HybridError, Terminated
from mteb_hybrid.study.claims import Claim, Claims
from mteb_hybrid.study.failures import Failure, failure_of, write_failure
from mteb_hybrid.study.folder import StudyFolder
from mteb_hybrid.study.inputs import is_collection
from mteb_hybrid.study.rows import write_findings
from mteb_hybrid.study.same_inputs import check_same_inputs
from mteb_hybrid.study.study_file import Study
from mteb_hybrid.study.work import Means, Stopped, TasksFailed, Unit, Work, free_memory


@dataclass
class Ended:
    """How a run of a study ended.

    Attributes:
        done: units that this run did.
        failed: names of cells and baselines that failed in it, and why, in a line each.
        elsewhere: units that other processes are at.
        stopped_by: the signal that ended it, or None.
    """

    done: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    elsewhere: int = 0
    stopped_by: signal.Signals | None = None


def open_work(study: Study, folder: Path, means: Means = Means()) -> Work:  # noqa: B008  # frozen
    """Look up the tasks of a study, and what of it is there.

    Args:
        study: of ``read_study``.
        folder: where everything is kept; may be shared by several machines, and need not exist.
        means: how work is done.

    Raises:
        HybridError: a task is unknown, a collection cannot be read, or data or a base model changed between cells.
    """
    from mteb_hybrid.evaluation.run import select_tasks

    tasks = []
    for task in study.tasks:
        names, data = (None, Path(task)) if is_collection(task) else ([task], None)
        tasks += select_tasks(names, data, None, None)
    check_same_inputs(study.cells, StudyFolder(folder))
    return Work(study, StudyFolder(folder), tasks, means)


def run_study(work: Work, say: Callable[[str], None] = print, claims: Claims | None = None) -> Ended:
    """Do what is left of a study; any number of processes may do so at once, also on several machines.

    A unit that fails is told, written down and passed over. At the end, and also where it is interrupted, the rows
    of all that is done are written.

    Args:
        work: of ``open_work``.
        say: is told what happens, a line at a time.
        claims: by default those of the study's folder.

    Returns:
        How it ended. On SIGINT the same call goes on later where it was.

    Raises:
        HybridError: the folder cannot be written, or data or a base model changed between cells.
    """
    _make(work.folder.path)
    ended = Ended()
    try:
        with _interruptible():
            _do_all(work, claims or Claims(work.folder.claims), ended, say)
    except KeyboardInterrupt as error:
        ended.stopped_by = signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT
    except Stopped as stopped:
        ended.stopped_by = stopped.received
    write_findings(work)
    return ended


def summary(work: Work, ended: Ended) -> Iterator[str]:
    """What is said at the end of a run: what was done, what failed and where more of it stands, what others are at."""
    folder = work.folder
    yield f"{ended.done} done now; rows of all that is done are in {folder.path / 'rows.json'} and scores.json"
    if ended.elsewhere:
        yield f"{ended.elsewhere} being done by other processes; --dry-run tells by which"
    for name, line in ended.failed.items():
        yield f"failed: {name}: {line} (more in {folder.failure(name)})"
    if ended.failed:
        yield "the same command tries again what failed"


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let this process be interrupted, as it is when a claim is lost, also where a shell lets it ignore SIGINT."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _make(folder: Path) -> None:
    try:
        (folder / "models").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HybridError(f"cannot make {folder} ({error.strerror or error}); choose another --output") from None


def _do_all(work: Work, claims: Claims, ended: Ended, say: Callable[[str], None]) -> None:
    """Go through the units until nothing is left for this process: others may have made some ready meanwhile."""
    tried: set[str] = set()
    while True:
        before, elsewhere = len(tried), 0
        for unit in work.units():
            if unit.name in tried or not unit.is_ready() or unit.is_done():
                continue
            claim = claims.take(unit.name)
            if claim is None:
                elsewhere += 1
                continue
            with claim:
                tried.add(unit.name)
                if not unit.is_done():  # another may have done it just before
                    _do(work, unit, claim, ended, say)
                    check_same_inputs(work.study.cells, work.folder)  # they may have changed since it was opened
        if len(tried) == before:
            ended.elsewhere = elsewhere
            return


def _do(work: Work, unit: Unit, claim: Claim, ended: Ended, say: Callable[[str], None]) -> None:
    say(f"{unit.subject}: {unit.verb}")
    try:
        unit.do()
    except (KeyboardInterrupt, Stopped):
        if not claim.lost:
            raise
        say(f"{unit.subject}: another process took it over, as this one gave no sign for long")
        return
    except BrokenPipeError:
        raise
    except TasksFailed as error:
        _failed(work, unit, error.failure, ended, say)
        return
    except Exception as error:  # whatever is wrong with one cell, the others are done
        _failed(work, unit, failure_of(error), ended, say)
        return
    finally:
        free_memory()
    ended.done += 1
    work.folder.failure(unit.subject).unlink(missing_ok=True)


def _failed(work: Work, unit: Unit, failure: Failure, ended: Ended, say: Callable[[str], None]) -> None:
    ended.failed[unit.subject] = failure.line
    write_failure(failure, work.folder.failure(unit.subject))
    say(f"{unit.subject}: {unit.verb} failed: {failure.line}")
