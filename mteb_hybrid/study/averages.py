"""Averages of cells: models whose weights are the mean of several cells' (Wortsman et al. 2022, arXiv 2203.05482)."""

from __future__ import annotations

import difflib
import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any, TypeAlias, TypeVar

from mteb_hybrid.errors import one_line
from mteb_hybrid.settings.yaml_lines import Location, YamlFile, dotted
from mteb_hybrid.study.cells import Cell, short_base, short_name, strategy_of

_Over = Mapping[str, Sequence[Any]]
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Average:
    """The mean of some cells' weights.

    Attributes:
        cells: what is averaged, two or more, each with the same weight.
        settings: what the study's grid says of all of them, and the lists of what they differ in.
    """

    cells: tuple[Cell, ...]
    settings: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @cached_property
    def name(self) -> str:
        """The short name of its model, such as ``mean-of-2-LaBSE-seed1-3f2a9c1b``; it depends on the cells alone."""
        parts = [] if self.alpha is None else [f"alpha{self.alpha:g}"]
        parts += [short_base(self.base)]
        parts += [] if self.seed is None else [f"seed{self.seed}"]
        digest = hashlib.sha256("".join(sorted(cell.digest for cell in self.cells)).encode()).hexdigest()
        return short_name(f"mean of {len(self.cells)}", parts, digest)

    @property
    def base(self) -> str:
        """The model that all training began with."""
        return self.cells[0].recipe.model.base

    @property
    def strategy(self) -> str:
        """What a row of results calls it."""
        return f"{', '.join(dict.fromkeys(strategy_of(cell.recipe)[0] for cell in self.cells))} averaged"

    @property
    def alpha(self) -> float | None:
        """The share of monolingual batches that all have; None if they differ in it."""
        return _common([strategy_of(cell.recipe)[1] for cell in self.cells])

    @property
    def seed(self) -> int | None:
        """The seed that all have; None if they differ in it."""
        return _common([cell.recipe.seed for cell in self.cells])


Trained: TypeAlias = Cell | Average
"""What a study makes a model of."""


def averages_of(over: _Over, cells: Sequence[Cell], file: YamlFile, at: Location) -> Iterator[Average]:
    """Find the cells that are averaged with each other.

    Args:
        over: settings or axes of the grids, each with values: cells that have these, in every combination, and differ
            in nothing else of the grid, are averaged. Where some of them are no cells, there is no average.
        cells: all cells of the study.
        file: of the study, for faults.
        at: where ``over`` stands in it.

    Raises:
        HybridError: no grid varies such a setting, there is no such average, or the cells begin with different models.
    """
    _check_keys(over, cells, file, at)
    count = prod(map(len, over.values()))
    if count < 2:
        raise file.fault(at, f"{dotted(at)} averages a cell with itself; give a setting two values or more")
    wanted = [*itertools.product(*over.values())] if count <= len(cells) else []
    groups: dict[str, dict[int, Cell]] = {}
    for cell in cells:
        if over.keys() <= cell.settings.keys():
            values = tuple(cell.settings[key] for key in over)
            rest = {key: value for key, value in cell.settings.items() if key not in over}
            if values in wanted:
                groups.setdefault(repr(sorted(rest.items())), {})[wanted.index(values)] = cell
    whole = [tuple(group[place] for place in sorted(group)) for group in groups.values() if len(group) == count]
    if not whole:
        raise file.fault(at, f"{dotted(at)}: no cells have all of these values and the same of all else; see --dry-run")
    for group in whole:
        if len({(cell.recipe.model.base, cell.recipe.model.revision) for cell in group}) > 1:
            raise file.fault(at, f"{dotted(at)} averages models that began with different ones, which makes no model")
        yield Average(group, dict(group[0].settings) | {key: list(values) for key, values in over.items()})


def _check_keys(over: _Over, cells: Sequence[Cell], file: YamlFile, at: Location) -> None:
    varied = {key: None for cell in cells for key in cell.settings}
    for key in over:
        if key not in varied:
            near = difflib.get_close_matches(key, varied, n=1)
            hint = f"did you mean {near[0]}?" if near else f"possible: {one_line(', '.join(varied), 120)}"
            raise file.fault((*at, key), f"{dotted((*at, key))} is in no grid; {hint}")


def _common(values: Sequence[_Value]) -> _Value | None:
    return values[0] if all(value == values[0] for value in values) else None
