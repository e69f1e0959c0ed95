"""The paragraphs and lists of a model card, as Markdown; all text that users supply is escaped here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from mteb_hybrid.publishing.card_tables import alpha_words, listed
from mteb_hybrid.publishing.content import CardContent
from mteb_hybrid.publishing.escape import code, fence, inline, python_string, shell_word, url_path
from mteb_hybrid.reporting.benchmarks import Benchmark, find_benchmarks
from mteb_hybrid.subsets import Setting
from mteb_hybrid.training.outcome import SourceRecord

LAREQA = frozenset({"XQuADR", "MLQAR"})
_PUBLIC = ("XQuADR", "MLQAR", "ParallelWorld")  # whoever installs the package has them

_KINDS = {
    "mono": "monolingual batches",
    "cross": "cross-lingual batches",
    "hybrid": "hybrid batches",
    "mixed": "batches of mixed languages",
    "bilingual": "bilingual batches",
}
_STRATEGIES = {
    "mono": "In training, all queries and passages of a batch were in one language.",
    "cross": "In training, every query was in one language and its passage in another.",
    "hybrid": "In training, a batch was in one language with {chance}; in any other batch every query was in one "
    "language and its passage in another.",
    "mixed": "In training, every query was in the language of its passage, and a batch held pairs of many languages.",
    "bilingual": "In training, a batch was in one language with {chance}; in any other batch all queries were in one "
    "language and all passages in another.",
}


def purpose(content: CardContent) -> str:
    """What the model is for, and what it is made of."""
    languages = (
        f" in {_count(content.languages, 'language')} ({listed(content.languages)})" if content.languages else ""
    )
    base = _base(content)
    does = (
        f"{inline(content.name)} turns queries and passages{languages} into vectors of {content.encoder.dimensions:,} "
        "numbers, to find passages in collections whose languages are mixed."
    )
    if content.record is None:
        base = f"is {base} and " if content.base_name else ""
        measured = "; its language bias was measured with it" if content.results else ""
        return f"{does} It {base}was not trained with mteb-hybrid{measured}."
    if content.record.merged_from:
        parts = _and([f"{part.weight:.3g} of {inline(part.source)}" for part in content.record.merged_from])
        return f"{does} Its weights are the mean of several models' weights: {parts}."
    strategy = content.recipe.batches.strategy if content.recipe else None
    kind = f" with {_KINDS[strategy]}" if strategy else ""
    if strategy in {None, "mono"}:
        return f"{does} It is {base}, trained further{kind}."
    return (
        f"{does} It is {base}, trained further{kind} against *language bias*: that a model prefers passages in some "
        "languages, most often that of the query, to those in others that answer as well."
    )


def training_in_words(content: CardContent) -> str:
    """How batches were made."""
    if content.recipe is None:
        return ""
    batches = content.recipe.batches
    alpha = alpha_words(batches)
    chance = f"{'that goes ' if alpha.startswith('from') else 'of '}{alpha}"
    return _STRATEGIES[batches.strategy].format(chance=f"a chance (*alpha*) {chance}")


def quick_start_python(content: CardContent) -> str:
    """Lines that encode and compare, to be copied."""
    return fence(
        f"""from sentence_transformers import SentenceTransformer

model = SentenceTransformer({python_string(content.repo_id)})
queries = model.encode_query(["Wer baute die Brücke?"])
passages = model.encode_document(["Ada Roth built the bridge.", "Die Brücke baute Ada Roth.", "It is made of stone."])
print(model.similarity(queries, passages))""",
        "python",
    )


def quick_start_shell(content: CardContent) -> str:
    """Commands that measure the model, to be copied."""
    known = [benchmark.name for benchmark in benchmarks(content) if benchmark.name in _PUBLIC] or ["XQuADR"]
    tasks = " ".join(f"{name} {Setting.LANGUAGE_BIAS.task_name(name)}" for name in known)
    return fence(f"pip install mteb-hybrid\nmteb run -m {shell_word(content.repo_id)} -t {tasks}", "bash")


def prompts_in_words(content: CardContent) -> str:
    """What is put before texts, and how vectors are compared."""
    prompts = content.encoder.prompts
    # As sentence-transformers looks for them.
    passage = next((prompts[name] for name in ("document", "passage", "corpus") if prompts.get(name)), "")
    known = {"query": prompts.get("query"), "passage": passage}
    put = " and ".join(f"{_quoted(text)} before a {role}" for role, text in known.items() if text)
    trained = ", as in training" if content.record else ""
    said = f"`encode_query` and `encode_document` put {put}{trained}." if put else "There are no prompts."
    return f"{said} Vectors are compared by {inline(content.encoder.similarity)} similarity."


def zero_shot_in_words(content: CardContent) -> str:
    """On which benchmarks the figures are of texts that were not trained on."""
    parts = []
    if content.seen:
        parts.append(
            f"**Not zero-shot on {_and(content.seen)}**: some of its texts were trained on, so that the figures there "
            "say less about texts that the model has not seen."
        )
    if content.zero_shot:
        parts.append(f"Zero-shot on {_and(content.zero_shot)}: none of its texts are known to have been trained on.")
    return " ".join(parts) or "Whether the model is zero-shot here is not known: its training data are not declared."


def figures(content: CardContent) -> str:
    """The pictures."""
    return "\n\n".join(f"![{inline(each.title)}]({url_path(each.path)})" for each in content.figures)


def contamination_in_words(content: CardContent) -> str:
    """Which tasks' texts were trained on, here or before."""
    if content.record is None:
        return ""
    held = {task for source in content.record.data for task in source.mteb_tasks}
    before = sorted(content.record.base_mteb_tasks)
    parts = [] if held else ["No source is known to hold texts of an mteb task."]
    for source in content.record.data:
        if source.decontaminated:
            parts.append(f"{inline(source.name)} was decontaminated against {listed(source.decontaminated)}.")
    if earlier := content.record.sources[len(content.record.data) :]:
        parts.append(f"Before these data, training was on {_licensed(earlier)}.")
    if before:
        parts.append(f"The base model was trained before on texts of {listed(before)}.")
    parts.append("What else the base model was trained on before, only its own card tells.")
    return " ".join(parts)


def limits(content: CardContent) -> str:
    """What the model and its figures do not show, a point each."""
    return "\n".join(f"- {point}" for point in _limits(content))


def license_in_words(content: CardContent) -> str:
    """The licence of the model, and of what it is made of."""
    parts = [f"The model is under the licence {code(content.license)}."]
    if content.base_model:
        parts.append(f"It is made from {_base(content)}, whose own terms hold too.")
    if content.record is not None and content.record.sources:
        parts.append(
            f"Licences of the training data: {_licensed(content.record.sources)}. How far they bind a model is not "
            "settled everywhere; this is no legal advice."
        )
    return " ".join(parts)


def benchmarks(content: CardContent) -> tuple[Benchmark, ...]:
    """The benchmarks that the model was evaluated on."""
    return tuple(find_benchmarks([content.results]).values()) if content.results else ()


def uses_lareqa(content: CardContent) -> bool:
    """Whether LAReQA's data took part, in training or evaluation."""
    sources = {source.source.replace("-", "") for source in content.record.sources} if content.record else set()
    return not LAREQA.isdisjoint({benchmark.name for benchmark in benchmarks(content)} | sources)


def _licensed(sources: Sequence[SourceRecord]) -> str:
    return _and([f"{source.name} ({source.license or 'not known'})" for source in sources])


def _quoted(text: str) -> str:
    return code(json.dumps(text, ensure_ascii=False))


def _base(content: CardContent) -> str:
    name = inline(content.base_name)
    return f"[{name}](https://huggingface.co/{url_path(content.base_model)})" if content.base_model else name


def _and(names: Sequence[str]) -> str:
    *first, last = map(inline, names)
    return f"{', '.join(first)} and {last}" if first else last


def _count(things: Sequence[object], kind: str) -> str:
    return f"{len(things)} {kind}{'' if len(things) == 1 else 's'}"


def _limits(content: CardContent) -> Iterator[str]:
    yield from _limits_of_training(content)
    if content.encoder.max_seq_length:
        yield f"Texts are cut after {content.encoder.max_seq_length:,} tokens; what follows is not searched."
    yield from _limits_of_figures(content)


def _limits_of_training(content: CardContent) -> Iterator[str]:
    if content.record is None:
        return
    measured = _measured(content)
    if content.languages:
        yield f"Trained on {_count(content.languages, 'language')}. In others it may be worse than its base model."
    if untrained := [language for language in measured if language not in content.languages]:
        yield f"Measured but not trained on: {listed(untrained)}."
    if unmeasured := [language for language in content.languages if measured and language not in measured]:
        yield f"Trained on but not measured: {listed(unmeasured)}."
    if content.seen:
        yield f"The training data hold texts of {_and(content.seen)}: figures on it are of texts that the model knows."
    if not content.record.merged_from:
        yield "It is one run with one seed; another seed gives other figures."


def _limits_of_figures(content: CardContent) -> Iterator[str]:
    measured, names = _measured(content), {benchmark.name for benchmark in benchmarks(content)}
    if not measured:
        yield "It was not evaluated."
        return
    yield (
        f"The figures are of {_count(measured, 'language')} ({listed(measured)}). Language bias in other languages, or "
        "in a collection that holds other shares of them, was not measured."
    )
    if names & LAREQA:
        yield (
            "Passages of XQuAD-R and MLQA-R are single sentences of Wikipedia: longer ones and other kinds of text "
            "were not measured."
        )
    if "ParallelWorld" in names:
        yield "The texts of ParallelWorld are generated: figures on it say nothing about real text."


def _measured(content: CardContent) -> list[str]:
    return sorted({language for benchmark in benchmarks(content) for language in benchmark.languages})
