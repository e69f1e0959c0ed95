"""The measurements of training as plain text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_KINDS = {"ours": "HybridBatchSampler", "plain": "NoDuplicates", "hashed": "NoDuplicates, hashed"}
_SIDES = {
    "stock": "stock trainer, pairs in one data set",
    "sampler": "stock trainer, HybridBatchSampler",
    "hybrid": "our trainer, HybridBatchSampler",
}
_STEPS = {
    "python": "Python",
    "imports": "imports",
    "rows": "bitmaps and groups made up",
    "build": "RowIndex, HybridBatches",
    "first batch": "first batch (shuffles all rows)",
    "batches": "batches up to the last",
}


def data_lines(made: dict[str, Any], size: int) -> list[str]:
    """What the batches are made from."""
    rows, languages = made["corpora"]["complete"], made["languages"]
    return [
        "TRAINING",
        f"Data      a generated world: {rows:,} rows, {len(languages)} languages ({' '.join(languages)}), "
        f"{len(languages) ** 2} views; made in {made['seconds']:.1f} s",
        "          ragged: a row has each language with a chance of 0.9; groups: four rows share a passage",
        f"Batches   {size} pairs",
        "",
    ]


def sampler_lines(found: dict[str, Any], repeats: int) -> list[str]:
    """Batches a second."""
    first = next(iter(found.values()))
    head = f"{f'SAMPLER, batches a second (medians of {repeats})':<50}"
    lines = [head + "".join(f"{strategy:>12}" for strategy in first["alone"])]
    for what, label in (("alone", "sampler alone"), ("loaded", "data loader, texts")):
        for corpus, rates in found.items():
            cells = "".join(f"{rate['median']:>12,.0f}" for rate in rates[what].values())
            lines.append(f"{f'{label}: {corpus}':<50}{cells}")
    return [
        *lines,
        "Whole epochs, the shuffle at their start among them; the loader in the process itself, nothing tokenised.",
        "",
    ]


def memory_lines(spec: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Time and memory after each step."""
    groups = "passage groups" if spec["groups"] else "no groups"
    what = f"{spec['rows']:,} rows, {spec['languages']} languages, presence {spec['presence']:g}, {groups}"
    steps = {step["name"]: step for step in found["steps"]}
    rows = [
        f"{_STEPS[name]:<50}{step['seconds']:>12.2f}{step['processor']:>12.2f}{_megabytes(step['resident']):>12}"
        f"{_megabytes(step['peak']):>12}"
        for name, step in steps.items()
    ]
    own = steps["batches"]["peak"] - steps["imports"]["peak"]
    made = steps["rows"]["peak"]
    lines = [
        f"MEMORY    {what}; strategy {spec['strategy']}",
        f"{'':<50}{'wall, s':>12}{'CPU, s':>12}{'MB after':>12}{'MB peak':>12}",
        *rows,
        f"Peak above the imports: {own / 1e6:,.0f} MB, {own / spec['rows']:.1f} bytes a row; bitmaps and groups are "
        f"{found['index_bytes'] / 1e6:,.0f} MB of it. {found['batches']:,} batches.",
    ]
    if made >= steps["batches"]["peak"]:
        lines.append("The peak is that of making up the rows, NOT the sampler's, which is smaller.")
    return [*lines, ""]


def _megabytes(size: int | None) -> str:
    return "-" if size is None else f"{size / 1e6:,.0f}"


def trainer_lines(found: dict[str, Any]) -> list[str]:
    """Each side: its loop against the stock one's, its whole process, and what the process did before the loop."""
    stock = found["sides"]["stock"]
    columns = ("loop, s", "CPU, s", "steps/s", "of stock", "process, s", "of stock")
    parts = {"data": "data", "model": "model", "trainer": "trainer", "first": "first step"}
    lines = [f"{_trainer_title(found):<44}" + _cells(columns)]
    for side, figures in found["sides"].items():
        speed, whole = figures["rate"] / stock["rate"], stock["wall"] / figures["wall"]
        cells = [f"{figures[name]:.2f}" for name in ("loop", "processor", "rate")]
        lines.append(f"{_SIDES[side]:<44}" + _cells([*cells, f"{speed:.3f}", f"{figures['wall']:.1f}", f"{whole:.3f}"]))
    lines.append(f"{'of the process, s':<44}" + _cells(parts.values()))
    for side, figures in found["sides"].items():
        lines.append(f"{_SIDES[side]:<44}" + _cells(f"{figures[part]:.2f}" for part in parts))
    return [
        *lines,
        "of stock: speed, 1 is as fast; the aim is 0.98 for steps/s. loop: from the end of the first step, which waits",
        "for libraries, to the end. data: reading the file, ours with its checks; trainer: making it and what it does",
        "before the first step. The rest of a process is start, imports and exit.",
        *_model_lines(found["model"]),
        f"Weights after training: {_weights(found['weights'])}",
        "",
    ]


def _cells(texts: Iterable[str]) -> str:
    return "".join(f"{text:>12}" for text in texts)


def _trainer_title(found: dict[str, Any]) -> str:
    return f"TRAINER, {found['steps']} steps (medians of {found['repeats']})"


def _model_lines(model: str | None) -> list[str]:
    if model:
        return [f"Model: {model}"]
    return [
        "Model: the tiny encoder, a mean of static embeddings, which costs almost nothing: this is the worst case.",
        "What fetching texts costs a step does not grow with the model, so its share falls: see --model.",
    ]


def _weights(digests: dict[str, list[str]]) -> str:
    if len({digest for side in digests.values() for digest in side}) == 1:
        return "the same on all sides, bit for bit: the same pairs in the same order."
    own = [_SIDES[side] for side, found in digests.items() if len(set(found)) > 1]
    if own:
        return f"DIFFER from run to run ({', '.join(own)}): this machine does not repeat itself bit for bit."
    return "DIFFER between the sides; equal pairs in the same order are not shown."


def no_duplicates_lines(found: dict[str, Any], repeats: int) -> list[str]:
    """Set-up and iteration, and what slips through."""
    lines = [
        f"{f'AGAINST NoDuplicatesBatchSampler (medians of {repeats})':<58}{'rows':>10}{'set-up, ms':>14}{'rows/s':>14}"
    ]
    for corpus, kinds in found["timed"].items():
        label = "shared passages" if "groups" in corpus else "distinct texts"
        lines += [
            f"{f'one language, {label}: {_KINDS[kind]}':<58}{timed['rows']:>10,}"
            f"{timed['setup']['median'] * 1000:>14,.1f}{timed['rate']['median']:>14,.0f}"
            for kind, timed in kinds.items()
        ]
    slips = found["clashes"]
    over = f"over all {slips['views']} views of {slips['rows']:,} rows"
    lines += [
        "set-up: making the sampler and its first batch (hashed: hashing all rows); rows/s: the rest of the epoch.",
        "NoDuplicates compares strings, so translations of one row come into one batch as each other's negatives:",
        *(
            f"  {_KINDS[kind]} {over}: {slips[kind]['pairs']:,} such "
            f"pairs, in {slips[kind]['with']} of {slips[kind]['batches']} batches"
            for kind in ("plain", "ours")
        ),
    ]
    if "hashed" not in next(iter(found["timed"].values())):
        lines.append("Without xxhash NoDuplicates cannot hash: not measured.")
    return [*lines, ""]
