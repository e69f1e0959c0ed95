"""The tables of a model card, as Markdown: the data, the recipe, the hardware."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mteb_hybrid.publishing.content import CardContent
from mteb_hybrid.publishing.escape import code, inline
from mteb_hybrid.training.outcome import SourceRecord
from mteb_hybrid.training.recipe import AlphaSchedule, BatchSettings, LossSettings, Recipe

_DEFAULT_ALPHA = {"hybrid": 0.5, "bilingual": 0.0}
_LISTED = 30


def data_table(content: CardContent) -> str:
    """The sources that were trained on, a row each."""
    if content.record is None or not content.record.data:
        return ""
    head = ["source", "languages", "rows", "pairs", "licence", "tasks whose texts it holds"]
    return table(head, map(_source_row, content.record.data), numeric={2, 3})


def recipe_table(content: CardContent) -> str:
    """The settings that matter most, and what came of them."""
    recipe, record = content.recipe, content.record
    if recipe is None:
        return ""
    batches = recipe.batches
    rows = [("strategy", inline(batches.strategy))]
    if alpha := alpha_words(batches):
        rows.append(("alpha, the share of monolingual batches", alpha))
    rows.append(("pairs in a batch", f"{record.batch_size if record else batches.size:,}"))
    if record:
        rows.append(("steps", f"{record.steps:,}"))
    if record and record.best_step is not None:
        rows.append(("best step, whose weights these are", f"{record.best_step:,}"))
    rows += [("loss", _loss(recipe.loss)), *_training_rows(recipe), ("seed", f"{recipe.seed}")]
    return table(["setting", "value"], rows)


def hardware_table(content: CardContent) -> str:
    """What it was trained on, and how long it took."""
    record = content.record
    if record is None or record.merged_from:
        return ""
    since = "" if record.resumed_at is None else f", since step {record.resumed_at:,}, where it was resumed"
    versions = ", ".join(f"{inline(name)} {inline(version)}" for name, version in sorted(record.versions.items()))
    rows = [
        ("hardware", inline(record.hardware)),
        ("processes", f"{record.processes:,}"),
        ("time", duration(record.seconds) + since),
        ("versions", versions),
        ("digest of all batches", code(record.batches_digest)),
    ]
    if record.base_revision:
        rows.append(("revision of the base model", code(record.base_revision)))
    return table(["", ""], [row for row in rows if row[1]])


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numeric: Iterable[int] = ()) -> str:
    """Return a Markdown table of cells that are escaped already.

    Args:
        head: the columns' names.
        rows: the cells of each row.
        numeric: the places of columns that are set to the right.
    """
    right = set(numeric)
    rule = ["---:" if place in right else "---" for place in range(len(head))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *rows])


def duration(seconds: float) -> str:
    """Return a time in words, to two units: ``2 h 5 min``."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} days {hours} h"


def listed(names: Sequence[str], at_most: int = _LISTED) -> str:
    """Return names as a list in prose, not all if there are very many."""
    more = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return ", ".join(map(inline, names[:at_most])) + more


def alpha_words(batches: BatchSettings) -> str:
    """The share of monolingual batches: a number, or from where to where it goes; empty if the strategy has none."""
    alpha = _DEFAULT_ALPHA.get(batches.strategy) if batches.alpha is None else batches.alpha
    if alpha is None:
        return ""
    if not isinstance(alpha, AlphaSchedule):
        return f"{alpha:g}"
    if alpha.schedule == "constant":
        return f"{alpha.start:g}"
    return f"from {alpha.start:g} at the start to {alpha.end:g} at the end ({alpha.schedule})"


def _loss(loss: LossSettings) -> str:
    weight = "" if loss.contrastive == 1 else f", weight {loss.contrastive:g}"
    parts = [f"InfoNCE with in-batch negatives, temperature {loss.temperature:g}{weight}"]
    if loss.symmetric:
        parts.append("in both directions")
    if loss.mini_batch_size:
        parts.append(f"a batch embedded in parts of {loss.mini_batch_size} (GradCache)")
    if loss.matryoshka:
        parts.append(f"also for the first {', '.join(map(str, loss.matryoshka))} numbers (Matryoshka)")
    if loss.distillation:
        parts.append(f"distillation from {_teacher(loss.distillation.teacher)}, weight {loss.distillation.weight:g}")
    return "; ".join([*parts, *_objectives(loss)])


def _teacher(name: str) -> str:
    return "the base model" if name == "base" else inline(name)


def _objectives(loss: LossSettings) -> Iterator[str]:
    pivot, places, scores = inline(loss.pivot), loss.distill, loss.score_distill
    if places and places.weight:
        alone = f", alone for the first {places.alone:.0%} of the steps" if places.alone else ""
        yield f"texts drawn to where {_teacher(places.teacher)} has them in {pivot}, weight {places.weight:g}{alone}"
    if scores and scores.weight:
        by = "the model itself" if scores.teacher is None else _teacher(scores.teacher)
        yield f"scores drawn to those of the parallel query in {pivot} by {by}, weight {scores.weight:g}"
    if loss.translate_align:
        yield f"passages drawn to their parallels in {pivot}, weight {loss.translate_align:g}"
    if loss.keep:
        yield f"texts kept where the base model has them, weight {loss.keep:g}"


def _training_rows(recipe: Recipe) -> Iterator[tuple[str, str]]:
    for key in ("learning_rate", "warmup_steps", "weight_decay", "optim", "bf16", "fp16"):
        if (value := recipe.training.get(key)) not in (None, False):
            yield inline(key.replace("_", " ")), inline(value)
    if recipe.model.max_seq_length:
        yield "tokens of a text in training", f"{recipe.model.max_seq_length:,}"
    if recipe.model.freeze_embeddings:
        yield "word embeddings", "kept as they are"
    if recipe.model.dropout is not None:
        yield "dropout", f"{recipe.model.dropout:g}"
    if recipe.model.freeze_layers:
        yield "embeddings and first layers", f"kept as they are, of the layers {recipe.model.freeze_layers}"
    if recipe.model.lora:
        yield "adapters", f"LoRA of rank {recipe.model.lora.rank}, merged into the weights"


def _source_row(source: SourceRecord) -> list[str]:
    named = inline(source.name)
    if source.source != source.name:
        named += f" ({code(source.source)})"
    return [
        named,
        listed(source.languages),
        f"{source.rows:,}",
        f"{source.pairs:,}",
        inline(source.license or "not known"),
        listed(source.mteb_tasks, 8) or "none known",
    ]
