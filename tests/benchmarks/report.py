"""The measurements as plain text."""

from __future__ import annotations

from typing import Any

Row = tuple[str, float, float, str]


def machine_lines(machine: dict[str, Any]) -> list[str]:
    """Where it was measured, and with which versions."""
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    return [
        f"Machine   {machine['cpu']}, {machine['cores']} cores, load {machine['load_before']:.1f} before the start",
        f"Versions  Python {machine['python']}, {versions}",
        "",
    ]


def workload_lines(spec: dict[str, Any], work: dict[str, Any]) -> list[str]:
    """What is evaluated, with which model."""
    data = "XQuAD-R" if work["source"] == "xquad-r" else f"a GENERATED world, not XQuAD-R ({work['reason']})"
    part = "all texts" if spec["sample"] == 1 else f"SAMPLE: every {spec['sample']}th group of parallel paragraphs"
    subsets = work["subsets"].values()
    return [
        "EVALUATION",
        f"Data      {data}; {part}; {len(work['languages'])} languages, {work['queries']:,} questions, "
        f"{work['passages']:,} passages",
        f"Subsets   {' + '.join(map(str, subsets))} = {sum(subsets)}, the same on both sides",
        f"Model     {spec['encoder']}, batch size {spec['batch_size']}",
        "",
    ]


def evaluation_lines(ours: dict[str, Any], biased: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """Both sides and their ratio; what language bias adds; how it was measured."""
    rows: list[Row] = [
        ("texts encoded", ours["texts"], theirs["texts"], ",.0f"),
        ("wall time of the whole process, s", ours["wall"], theirs["wall"], ",.1f"),
        ("processor time of the process, s", ours["processor"], theirs["processor"], ",.1f"),
        ("of the wall time: encoding, s", ours["encoding"], theirs["encoding"], ",.1f"),
        ("                  scoring, s", ours["scoring"], theirs["scoring"], ",.2f"),
        ("                  loading data, s", ours["loading"], theirs["loading"], ",.2f"),
        ("                  mteb keeping results, s", _keeping(ours), _keeping(theirs), ",.2f"),
        ("                  start, imports, model, s", _starting(ours), _starting(theirs), ",.2f"),
        ("peak memory of the process, MB", ours["peak_memory"] / 1e6, theirs["peak_memory"] / 1e6, ",.0f"),
    ]
    both = f"{ours['subsets']} and {theirs['subsets']} subsets"
    return [
        f"{f'whole evaluation ({both})':<46}{'mteb-hybrid':>14}{'mteb':>14}{'mteb / ours':>14}",
        *(f"{name:<46}{a:>14{form}}{b:>14{form}}{_ratio(a, b):>14}" for name, a, b, form in rows),
        "",
        f"mteb-hybrid with language bias too ({biased['subsets']} subsets, a process of its own): scoring "
        f"{biased['scoring']:.2f} s,",
        f"  whole process {biased['wall']:.1f} s, {biased['texts']:,} texts encoded, "
        f"{biased['peak_memory'] / 1e6:,.0f} MB at the peak",
        "",
        "scoring: time in the tasks' evaluate() less time in the model's encode(): similarities, ranking, metrics and",
        "  the preparation of batches outside encode(); no loading of data or models, no result files. Same clock on",
        "  both sides. mteb keeping results: it validates and writes all scores of a task after each subset.",
        "mteb: plain subclasses of its AbsTaskRetrieval over the datasets and qrels that our tasks load (corpora",
        "  shared between subsets, which favours mteb: a task of its own would hold each subset's copy).",
        "",
    ]


def _keeping(side: dict[str, Any]) -> float:
    return float(side["evaluate"] - side["encoding"] - side["scoring"] - side["loading"])


def _starting(side: dict[str, Any]) -> float:
    return float(side["wall"] - side["evaluate"])


def _ratio(ours: float, theirs: float) -> str:
    return f"{theirs / ours:.2f}" if ours > 0 else "-"


def agreement_lines(agreement: dict[str, Any], tolerance: float) -> list[str]:
    """Whether the figures agree, and why not where they do not."""
    differing = agreement["differing"]
    lines = [
        f"Agreement: {agreement['compared']:,} scores in {agreement['subsets']} subsets that both report "
        f"(NaN equal NaN): largest absolute difference {agreement['largest']:.3g}; "
        f"{len(differing)} differ by more than {tolerance:g}"
    ]
    if agreement["only_in_one"]:
        lines.append(f"  {agreement['only_in_one']} subsets were evaluated on one side alone")
    if differing:
        rest = [row for row in differing if not row[2].startswith("nauc_")]
        lines.append(
            f"  {len(differing) - len(rest)} of them nAUC; largest of the others {rest[0][0] if rest else 0:.3g}"
        )
    lines += [f"  {subset:8} {name:32} {a:.9g} ours, {b:.9g} mteb's" for _, subset, name, a, b in differing[:12]]
    if differing:
        lines += _explanation_lines(agreement["explanation"], tolerance)
    return [*lines, ""]


def _explanation_lines(found: dict[str, Any], tolerance: float) -> list[str]:
    ties = found["ties"].values()
    exact, near, queries = (sum(tie[key] for tie in ties) for key in ("exact", "near", "queries"))
    lines = [
        f"  {', '.join(found['subsets'])} evaluated again, both sides given the very same vector for a text: largest "
        f"difference {found['largest']:.3g}.",
        f"  Of their {queries:,} questions, {exact} have a relevant passage tied with another in single precision, "
        f"{near} one within 1e-6.",
    ]
    if found["largest"] <= tolerance:
        return [
            *lines,
            "  So the scoring agrees: the encoder gives a text vectors that differ in the last bits with the batch it",
            "  comes in, mteb encodes it again in each subset, and near-equal similarities then change places.",
        ]
    if all(row[2].startswith("nauc_") for row in found["differing"]):
        return [
            *lines,
            "  Only nAUC differs: of a metric that is the same for all questions it is 0/0, and its value the rounding",
            "  error of a sum. Not ties; the order of summation differs.",
        ]
    if exact:
        return [*lines, "  What is left may stem from ties in single precision; see the rows in the JSON file."]
    return [*lines, "  NOT EXPLAINED by vectors or ties: the scoring itself differs."]


def startup_lines(startup: dict[str, Any]) -> list[str]:
    """The cost of the start-up line."""
    rows = []
    for what, figures in startup.items():
        label = f"{what} (medians of {figures['repeats']})"
        rows.append(f"{label:<46}{figures['without']:>14.2f}{figures['with']:>14.2f}{figures['cost']:>+14.2f}")
    return [
        f"{'START-UP, ms':<46}{'without':>14}{'with':>14}{'cost':>14}",
        *rows,
        "python -c pass: isolated (-I -S), site reading a folder without and with mteb_hybrid.pth.",
        "import mteb: the line read in both; MTEB_HYBRID_AUTOLOAD=0 against 1, that is, registration itself.",
    ]
