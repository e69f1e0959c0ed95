"""The pictures of a model card, from a model's results."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from zlib import crc32

from mteb_hybrid.publishing.content import Figure
from mteb_hybrid.reporting.benchmarks import Benchmark, find_benchmarks
from mteb_hybrid.reporting.heat_map import heat_map
from mteb_hybrid.reporting.results import ModelResults
from mteb_hybrid.reporting.scripts import in_groups
from mteb_hybrid.subsets import Setting

FOLDER = "figures"

LanguageShares = Mapping[str, Mapping[str, Mapping[str, float]]]
"""For each benchmark and query language the shares of languages among the first 10 passages."""

_SHARES = "language_share_at_10"


def card_figures(results: ModelResults, shares: LanguageShares | None = None) -> dict[Figure, str]:
    """Draw what a model scores by language.

    Args:
        results: the model's results.
        shares: as ``language_shares`` reads them; without, there are no pictures of them.

    Returns:
        For each picture its text, as SVG: MAP by the languages of query and passages, and what share each language
        has among the first 10 passages. A benchmark without the figures has no picture.
    """
    drawn = {}
    for benchmark in find_benchmarks([results]).values():
        stem = f"{FOLDER}/{_slug(benchmark.name)}"
        if picture := _map_picture(results, benchmark):
            title, text = picture
            drawn[Figure(f"{stem}-map.svg", title)] = text
        if picture := _share_picture(benchmark, (shares or {}).get(benchmark.name, {})):
            title, text = picture
            drawn[Figure(f"{stem}-language-share.svg", title)] = text
    return drawn


def language_shares(folder: Path) -> LanguageShares:
    """Read the languages among the first 10 passages from the result files of one revision of a model.

    Args:
        folder: it holds ``XQuADRLanguageBias.json`` and so on, which ``read_results`` has read already.

    Returns:
        The shares; nothing where there are no files, or none with shares.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    # Both tasks rank the same pool; the one that is about bias goes before.
    for setting in (Setting.MULTILINGUAL, Setting.LANGUAGE_BIAS):
        for file in sorted(folder.glob(f"?*{setting.value}.json")):
            benchmark = file.stem.removesuffix(setting.value)
            for subset, shares in _shares(file):
                for language in setting.languages_of(subset):
                    found.setdefault(benchmark, {})[language] = shares
    return found


def _shares(file: Path) -> Iterator[tuple[str, dict[str, float]]]:
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return
    match content:
        case {"scores": {"test": list(entries)}}:
            for entry in entries:
                match entry:
                    case {"hf_subset": str(subset), "language_share_at_10": dict(shares)}:
                        yield subset, {str(tag): float(x) for tag, x in shares.items() if _is_share(x)}


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value <= 1


def _map_picture(results: ModelResults, benchmark: Benchmark) -> tuple[str, str] | None:
    figures: dict[tuple[str, str], float] = {}
    for setting in (Setting.MONOLINGUAL, Setting.CROSS_LINGUAL):
        for subset, scores in results.subsets.get(setting.task_name(benchmark.name), {}).items():
            languages = setting.languages_of(subset)
            if "map" in scores and languages:
                figures[languages[0], languages[-1]] = scores["map"]
    if not figures:
        return None
    tags, _ = in_groups(benchmark.languages)
    title = f"{benchmark.title}: MAP by language of the query and of the passages"
    values = [[figures.get((query, passages)) for passages in tags] for query in tags]
    return title, heat_map(title, tags, tags, values, form="score", row_axis="query", column_axis="passages")


def _share_picture(benchmark: Benchmark, shares: Mapping[str, Mapping[str, float]]) -> tuple[str, str] | None:
    if not shares:
        return None
    tags, _ = in_groups(benchmark.languages)
    title = f"{benchmark.title}: languages of the first 10 passages, all languages in one pool"
    values = [[shares.get(query, {}).get(passages) for passages in tags] for query in tags]
    return title, heat_map(title, tags, tags, values, form="share", row_axis="query", column_axis="passages")


def _slug(name: str) -> str:
    """A benchmark's name as part of a file's name; names that differ keep different ones."""
    plain = re.sub(r"[^A-Za-z0-9_.]+", "-", name)[:60].strip(".-")
    return plain if plain == name else f"{plain}-{crc32(name.encode('utf-8', 'replace')):08x}"
