"""A benchmark's settings: which queries are asked of which pool (PROTOCOL section 2), and the names that say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache


@dataclass(frozen=True)
class Subset:
    """One retrieval problem: the queries of one language against the passages of one or more.

    Attributes:
        query_language: the queries' language.
        corpus_languages: the languages in the pool.
    """

    query_language: str
    corpus_languages: tuple[str, ...]


class Setting(Enum):
    """Where the passages come from, seen from the query; the value is the ending of the task's name.

    Language bias has the subsets of the multilingual setting, and other scores.
    """

    MONOLINGUAL = "Monolingual"
    CROSS_LINGUAL = "CrossLingual"
    MULTILINGUAL = "Multilingual"
    LANGUAGE_BIAS = "LanguageBias"

    @property
    def metric(self) -> str:
        """The score that tables show: average precision, or how far apart parallel answers rank."""
        return "rank_distance" if self is Setting.LANGUAGE_BIAS else "map"

    @property
    def subject(self) -> str:
        """What a table of this setting is about."""
        return _SUBJECTS[self]

    def task_name(self, benchmark: str) -> str:
        """Return the name of this setting's task of a benchmark."""
        return benchmark + self.value

    def subsets(self, languages: Sequence[str]) -> dict[str, Subset]:
        """The subsets over some languages, keyed by ``hf_subset``: ``x-x``, ``x-y`` or ``x-all``.

        A hyphen within a language tag becomes an underscore, so that the name splits at its hyphen.
        """
        everything = tuple(languages)
        match self:
            case Setting.MONOLINGUAL:
                return {f"{_plain(x)}-{_plain(x)}": Subset(x, (x,)) for x in languages}
            case Setting.CROSS_LINGUAL:
                pairs = [(x, y) for x in languages for y in languages if x != y]
                return {f"{_plain(x)}-{_plain(y)}": Subset(x, (y,)) for x, y in pairs}
            case _:
                return {f"{_plain(x)}-all": Subset(x, everything) for x in languages}

    def languages_of(self, subset: str) -> tuple[str, ...]:
        """Return the languages that a subset's name holds, the query language first.

        Args:
            subset: such as ``de-de``, ``ar-de`` or ``de-all``; a tag's own hyphens are underscores in it.

        Returns:
            One language tag, or two in the cross-lingual setting; none when the name is not of
            this setting's form.
        """
        return _languages_of(self, subset)


@lru_cache(maxsize=2**17)
def _languages_of(setting: Setting, subset: str) -> tuple[str, ...]:
    query, _, pool = subset.partition("-")
    match setting:
        case Setting.MONOLINGUAL:
            languages = [query] if pool == query else []
        case Setting.CROSS_LINGUAL:
            languages = [query, pool] if pool != query and "-" not in pool else []
        case _:
            languages = [query] if pool == "all" else []
    return tuple(tag.replace("_", "-") for tag in languages) if all(languages) else ()


_SUBJECTS = {
    Setting.MONOLINGUAL: "monolingual MAP",
    Setting.CROSS_LINGUAL: "cross-lingual MAP",
    Setting.MULTILINGUAL: "multilingual MAP",
    Setting.LANGUAGE_BIAS: "rank distance",
}
RETRIEVAL_SETTINGS = (Setting.MONOLINGUAL, Setting.CROSS_LINGUAL, Setting.MULTILINGUAL)


def split_task_name(task: str) -> tuple[str, Setting] | None:
    """Return the benchmark and the setting that a task's name holds, or None when it holds none."""
    for setting in Setting:
        benchmark = task.removesuffix(setting.value)
        if benchmark and benchmark != task:
            return benchmark, setting
    return None


def _plain(tag: str) -> str:
    return tag.replace("-", "_")
