"""The results that go with a model: its own, and beside them its base model's and the others'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.models import LOCAL_ORGANISATION
from mteb_hybrid.reporting.benchmarks import find_benchmarks
from mteb_hybrid.reporting.render import render
from mteb_hybrid.reporting.results import ModelResults, read_results, select_models
from mteb_hybrid.reporting.tables import summary_tables, with_changes, with_margins


@dataclass(frozen=True)
class Comparison:
    """Results to publish.

    Attributes:
        own: the model's; None if it was not evaluated.
        others: those to set beside it, the one that differences are shown from first.
        baseline: the name of that one; None if there is none.
    """

    own: ModelResults | None
    others: tuple[ModelResults, ...] = ()
    baseline: str | None = None

    def tables(self, label: str) -> str:
        """The two tables, with confidence intervals, as Markdown.

        Args:
            label: what to call the model; the others go by their names without the organisation of local ones.
        """
        if self.own is None:
            return ""
        own = replace(self.own, model=label)
        others = [replace(run, model=_label(run.model)) for run in self.others]
        rows = [*others, own]
        tables = summary_tables(rows, list(find_benchmarks([own]).values()))
        if self.baseline is not None:
            baseline = _label(self.baseline)
            tables = [with_changes(table, baseline) for table in tables]
            return render([with_margins(table, baseline) for table in tables], "markdown")
        return render([with_margins(table) for table in tables], "markdown")


def compare(
    folder: Path | None, names: Sequence[tuple[str, str]], *, baseline: str | None, others: Sequence[str] | None
) -> Comparison:
    """Find a model's results and those to compare it with.

    Args:
        folder: the folder given to ``mteb run --output-folder``; None if there is none.
        names: the names and revisions that the model's results may be kept under, the best first.
        baseline: the model that differences are shown from; None for the model that the training began with, if it
            is there.
        others: the models to set beside it; None for all that are there.

    Raises:
        HybridError: the folder holds no results, or a model was named that has none.
    """
    if folder is None:
        return Comparison(None)
    runs = read_results(folder)
    own = next((run for name, revision in names for run in runs if (run.model, run.revision) == (name, revision)), None)
    if own is None:
        return Comparison(None)
    same = {name for name, _ in names}
    rest = [run for run in runs if run.model not in same]
    chosen = (
        [run for run in select_models(runs, others) if run is not own] if others else rest if others is None else []
    )
    if baseline is None:
        return Comparison(own, tuple(chosen))
    first = _one(rest, baseline)
    return Comparison(own, (first, *(run for run in chosen if run is not first)), first.model)


def has_results(folder: Path, name: str) -> bool:
    """Whether there are results of a model of this name."""
    return any(_label(run.model) == name or run.model == name for run in read_results(folder))


def _one(runs: Sequence[ModelResults], name: str) -> ModelResults:
    found = select_models(runs, [name])
    if len(found) > 1:
        raise HybridError(f"there are results of several revisions of {one_line(name, 80)}; name one: NAME@REVISION")
    return found[0]


def _label(model: str) -> str:
    return model.removeprefix(f"{LOCAL_ORGANISATION}/")
