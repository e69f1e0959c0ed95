"""The model card: README.md of a model's repository, made with huggingface_hub from the template beside this module."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import TYPE_CHECKING

from mteb_hybrid.publishing import card_tables, card_words
from mteb_hybrid.publishing.content import CardContent
from mteb_hybrid.publishing.escape import fence, inline, plain
from mteb_hybrid.reporting.benchmarks import Benchmark, find_benchmarks
from mteb_hybrid.reporting.figures import setting_cell
from mteb_hybrid.reporting.results import ModelResults
from mteb_hybrid.subsets import RETRIEVAL_SETTINGS, Setting

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

_TEMPLATE = "card_template.md"
_FILE_ENDINGS = (".jsonl", ".parquet")
_HUB_ID = re.compile(r"\w[\w.-]{0,95}/\w[\w.-]{0,95}", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")
_TAGS = ("sentence-transformers", "mteb", "mteb-hybrid", "cross-lingual", "multilingual", "retrieval", "language-bias")
_TASK_NAMES = {
    Setting.MONOLINGUAL: "monolingual retrieval",
    Setting.CROSS_LINGUAL: "cross-lingual retrieval",
    Setting.MULTILINGUAL: "multilingual retrieval",
    Setting.LANGUAGE_BIAS: "language bias of multilingual retrieval",
}


def model_card(content: CardContent) -> str:
    """Return a model card: YAML metadata, and sections under headings that stay the same from one version to the next.

    Sections that there is nothing to say in are left out. Text that users supply is escaped and cut.

    Args:
        content: what the card says.

    Returns:
        The text of README.md, with one line end after the last line.
    """
    from huggingface_hub import ModelCard

    template = files("mteb_hybrid.publishing").joinpath(_TEMPLATE).read_text(encoding="utf-8")
    recipe = fence(content.recipe_text, "yaml") if content.recipe_text.strip() else ""
    card = ModelCard.from_template(
        card_metadata(content),
        template_str=template,
        title=inline(content.name),
        purpose=card_words.purpose(content),
        training_in_words=card_words.training_in_words(content),
        quick_start_python=card_words.quick_start_python(content),
        prompts_in_words=card_words.prompts_in_words(content),
        quick_start_shell=card_words.quick_start_shell(content),
        tables=content.tables.strip(),
        zero_shot_in_words=card_words.zero_shot_in_words(content),
        figures=card_words.figures(content),
        data_table=card_tables.data_table(content),
        contamination_in_words=card_words.contamination_in_words(content),
        recipe=recipe,
        recipe_table=card_tables.recipe_table(content),
        hardware_table=card_tables.hardware_table(content),
        limits=card_words.limits(content),
        license_in_words=card_words.license_in_words(content),
        lareqa=card_words.uses_lareqa(content),
    )
    return str(card).rstrip("\n") + "\n"


def card_metadata(content: CardContent) -> ModelCardData:
    """Return the card's metadata, in the form that the Hub reads.

    The Hub takes ISO 639 codes for languages; tags that say more stand under ``language_bcp47`` as well.
    """
    from huggingface_hub import ModelCardData

    results = list(_eval_results(content.results)) if content.results else []
    tags = [tag for tag in content.languages if _LANGUAGE.fullmatch(tag)]
    codes = list(dict.fromkeys(tag.partition("-")[0].lower() for tag in tags))
    longer = [tag for tag in tags if "-" in tag]
    strategy = content.recipe.batches.strategy if content.recipe else None
    return ModelCardData(
        language=codes or None,
        language_bcp47=longer or None,
        license=plain(content.license),
        library_name="sentence-transformers",
        pipeline_tag="sentence-similarity",
        tags=[*_TAGS, *([f"{strategy}-batches"] if strategy else [])],
        base_model=plain(content.base_model) if content.base_model else None,
        datasets=_hub_datasets(content) or None,
        model_name=plain(content.name) if results else None,
        eval_results=results or None,
    )


def _hub_datasets(content: CardContent) -> list[str]:
    """The Hub ids among the sources: neither files nor the data that the package knows by name."""
    sources = [source.source for source in content.record.sources] if content.record else []
    ids = (source for source in sources if _HUB_ID.fullmatch(source) and not source.lower().endswith(_FILE_ENDINGS))
    return list(dict.fromkeys(ids))


def _eval_results(results: ModelResults) -> Iterator[EvalResult]:
    """A figure for each task and measure: the mean over the task's subsets."""
    for benchmark in find_benchmarks([results]).values():
        for setting in RETRIEVAL_SETTINGS:
            yield from _eval_result(results, benchmark, setting, "map", "MAP")
        bias = Setting.LANGUAGE_BIAS
        yield from _eval_result(results, benchmark, bias, "rank_distance", "rank distance")
        yield from _eval_result(results, benchmark, bias, "top1_query_language", "top 1 in query language")


def _eval_result(
    results: ModelResults, benchmark: Benchmark, setting: Setting, metric: str, name: str
) -> Iterator[EvalResult]:
    from huggingface_hub import EvalResult

    cell = setting_cell(results, benchmark, setting, metric)
    if cell.value is None:
        return
    task = setting.task_name(benchmark.name)
    revision = results.dataset_revisions.get(task)
    yield EvalResult(
        task_type="Retrieval",
        task_name=_TASK_NAMES[setting],
        # The task is the data's id: the Hub tells results apart by it, and it is what `mteb run -t` takes.
        dataset_type=plain(task),
        dataset_name=plain(f"{benchmark.title} {setting.value}"),
        dataset_split="test",
        dataset_revision=plain(revision) if revision else None,
        metric_type=metric,
        metric_name=f"{name}, mean of {cell.note or 'all subsets'}",
        metric_value=round(cell.value, 6),
    )
