"""Which benchmarks a set of results is about, and in which languages."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from mteb_hybrid.reporting.published import published_languages
from mteb_hybrid.reporting.results import ModelResults, unknown
from mteb_hybrid.subsets import Setting, split_task_name

_TITLES = {"XQuADR": "XQuAD-R", "MLQAR": "MLQA-R"}
# Other names of data sets that hold the same texts.
_XQUAD = {f"{name}{part}" for name in ("XQuADR", "MLIRXQuAD") for part in ("", *(each.value for each in Setting))}
_SAME_TEXTS = {
    "XQuADR": {"XQuAD", "XQuADRetrieval", "XQuADRXtremeR", *_XQUAD},
    "MLIRXQuAD": {"XQuAD", "XQuAD-R", "XQuADRetrieval", "XQuADRXtremeR", *_XQUAD},
    "MLQAR": {"MLQA", "MLQARetrieval"},
    "MLIRMLQA": {"MLQA", "MLQARetrieval"},
    "MLIRBelebele": {"Belebele", "BelebeleRetrieval"},
    "Belebele": {"BelebeleRetrieval", *(f"MLIRBelebele{part}" for part in ("", *(each.value for each in Setting)))},
}


@dataclass(frozen=True)
class Benchmark:
    """A benchmark that results were found for.

    Attributes:
        name: as in its tasks' names, such as ``XQuADR``.
        languages: the tags of all its languages, sorted.
        subsets: what a whole run of each setting has; by default every language asks, and every language answers.
    """

    name: str
    languages: tuple[str, ...]
    subsets: Mapping[Setting, frozenset[str]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def title(self) -> str:
        """The name to show."""
        return _TITLES.get(self.name, self.name)

    def subset_count(self, setting: Setting, language: str | None = None) -> int:
        """How many subsets a whole run of a setting has, of all query languages or of one."""
        counts = self._subset_counts[setting]
        return counts.total() if language is None else counts[language]

    @cached_property
    def _subset_counts(self) -> Mapping[Setting, Counter[str]]:
        """The number of subsets of each query language, and of none where a result file has a name of another form."""
        names = {setting: self.subsets.get(setting) or setting.subsets(self.languages) for setting in Setting}
        return {
            setting: Counter((setting.languages_of(name) or ("",))[0] for name in names[setting]) for setting in Setting
        }

    @property
    def data_names(self) -> frozenset[str]:
        """Every name under which training data may declare this benchmark's texts."""
        tasks = {setting.task_name(self.name) for setting in Setting}
        return frozenset({self.name, self.title, *tasks, *_SAME_TEXTS.get(self.name, ())})


def find_benchmarks(runs: Sequence[ModelResults]) -> dict[str, Benchmark]:
    """Return the benchmarks that any of the runs has results of, those with published figures first.

    A benchmark's languages are those that any run's subsets name, and for a benchmark with published
    figures at least the languages of these, so that a partial run shows as partial. Of any other, whose
    languages may lack queries or passages, a whole run has what any has, once one came to the mean of the settings.
    """
    names = {split[0] for run in runs for task in run.subsets if (split := split_task_name(task))}
    known_first = [name for name in _TITLES if name in names]
    return {
        name: Benchmark(name, tuple(sorted(_languages(runs, name))), _subsets(runs, name))
        for name in [*known_first, *sorted(names - {*_TITLES})]
    }


def choose_benchmarks(found: Mapping[str, Benchmark], names: Sequence[str]) -> list[Benchmark]:
    """Return the benchmarks called by name or by title, in that order.

    Raises:
        HybridError: there are no results of a benchmark of that name.
    """
    called = {benchmark.title: benchmark for benchmark in found.values()} | dict(found)
    for name in names:
        if name not in called:
            raise unknown("benchmark", name, called)
    return list(dict.fromkeys(called[name] for name in names))


def _languages(runs: Sequence[ModelResults], benchmark: str) -> set[str]:
    languages = set(published_languages(benchmark))
    for setting in Setting:
        for run in runs:
            for subset in run.subsets.get(setting.task_name(benchmark), {}):
                languages.update(setting.languages_of(subset))
    return languages


def _subsets(runs: Sequence[ModelResults], benchmark: str) -> dict[Setting, frozenset[str]]:
    whole = any(os.path.isfile(run.folder / f"{benchmark}.json") for run in runs)  # a name may be too long for a file
    if published_languages(benchmark) or not whole:
        return {}
    there = {setting: _there(runs, setting.task_name(benchmark)) for setting in Setting}
    return there | {Setting.LANGUAGE_BIAS: there[Setting.MULTILINGUAL]}


def _there(runs: Sequence[ModelResults], task: str) -> frozenset[str]:
    return frozenset(subset for run in runs for subset in run.subsets.get(task, {}))
