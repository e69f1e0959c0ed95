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
        baseline = None if self.baseline is None else _label(self.baseline)
        if baseline is not None:
            tables = [with_changes(table, baseline) for table in tables]
        return render([with_margins(table, baseline) for table in tables], "markdown")


def compare(
    folder: Path,
    names: Sequence[tuple[str, str]],
    *,
    baseline: str | None = None,
    base: str | None = None,
    others: Sequence[str] = (),
) -> Comparison:
    """Find a model's results and those to compare it with.

    Args:
        folder: the folder given to ``mteb run --output-folder``.
        names: the names and revisions that the model's results may be kept under, the best first.
        baseline: the model that differences are shown from.
        base: the model that training began with, which is the baseline if none is named and it has results.
        others: the models to set beside it; all that are there by default.

    Raises:
        HybridError: the folder holds no results, or a model was named that has none.
    """
    runs = read_results(folder)
    own = next((run for name, revision in names for run in runs if (run.model, run.revision) == (name, revision)), None)
    if own is None:
        return Comparison(None)
    same = {name for name, _ in names}
    chosen = [run for run in select_models(runs, others) if run.model not in same]
    if baseline is None and any(base in {run.model, _label(run.model)} for run in runs):
        baseline = base
    if baseline is None:
        return Comparison(own, tuple(chosen))
    first = _one([run for run in runs if run.model not in same], baseline)
    return Comparison(own, (first, *(run for run in chosen if run is not first)), first.model)


def _one(runs: Sequence[ModelResults], name: str) -> ModelResults:
    found = select_models(runs, [name])
    if len(found) > 1:
        raise HybridError(f"there are results of several revisions of {one_line(name, 80)}; name one: NAME@REVISION")
    return found[0]


def _label(model: str) -> str:
    return model.removeprefix(f"{LOCAL_ORGANISATION}/")
