"""The settings of a benchmark, and the task and subset names that say which is which."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from functools import lru_cache


class Setting(Enum):
    """One way to pose a benchmark; the value is the ending of its task's name."""

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

    def subset_names(self, languages: Sequence[str]) -> frozenset[str]:
        """Return the subsets of a whole run in which every language asks and every language answers."""
        tags = [tag.replace("-", "_") for tag in languages]
        match self:
            case Setting.MONOLINGUAL:
                return frozenset(f"{tag}-{tag}" for tag in tags)
            case Setting.CROSS_LINGUAL:
                return frozenset(f"{one}-{other}" for one in tags for other in tags if one != other)
            case _:
                return frozenset(f"{tag}-all" for tag in tags)

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
