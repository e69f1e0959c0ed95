"""Measures what very many languages cost: texts encoded, time, memory, result files, and reports of them.

    python -m tests.benchmarks.bench_languages [--languages 11 31 61 122] [--compare] [--keep FOLDER] [--json FILE]

A collection of Belebele's shape (900 queries and 488 passages a language, its 122 tags) is evaluated with an encoder
that looks vectors up, so that what is measured is everything but encoding: all pairs of languages, the pool of all of
them, and language bias. Each part runs in a process of its own.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.machine import describe_machine
from tests.benchmarks.process import positive, run_child, run_main, show, write_report
from tests.benchmarks.report import machine_lines

_CHILD = "tests.benchmarks.languages_child"
_VARIABLES = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "MTEB_HYBRID_AUTOLOAD": "0"}
_MODELS = {"base": 0.6, "better": 0.3}


def main() -> None:
    """Measure, print, exit: 0, 2 on a fault, 130 when interrupted."""
    run_main("bench", _main)


def _main() -> None:
    options = _options()
    report: dict[str, Any] = {"machine": describe_machine(), "languages": []}
    show(machine_lines(report["machine"]))
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        for place, languages in enumerate(options.languages):
            found = measure(languages, folder / str(languages), options)
            report["languages"].append(found)
            show([*(_HEAD if not place else []), _row(found)])
        last = options.languages[-1]
        report["reports"] = list(measure_reports(folder / str(last), options.compare))
        show(["", *_report_lines(report["reports"])])
    if options.json:
        write_report(options.json, report)


def measure(languages: int, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Make the collection and evaluate one model, or two where they are to be compared."""
    folder.mkdir(parents=True, exist_ok=True)
    spec = {
        "languages": languages,
        "queries": options.queries,
        "passages": options.passages,
        "data": str(folder / "Belebele.jsonl"),
        "results": str(folder / "results"),
    }
    made = _child(spec | {"role": "make"}, f"{languages} languages, making")
    for model, bias in list(_MODELS.items())[: 2 if options.compare else 1]:
        named = spec | {"role": "evaluate", "model": f"test/{model}", "bias": bias}
        found = _child(named, f"{languages} languages, evaluating {model}")
    files = sorted(path.stat().st_size for path in (folder / "results").rglob("*.*") if path.is_file())
    return {**made, **found, "files": sum(files), "largest": files[-1]}


def measure_reports(folder: Path, compare: bool) -> Any:
    """Run the commands that show results."""
    results = str(folder / "results" / "results")
    page = folder / "report.html"
    commands = {
        "table": ["table", results],
        "table --by-language": ["table", results, "--by-language"],
        "table --confidence": ["table", results, "--confidence"],
        "report": ["report", results, "-o", str(page), "--data", str(folder / "Belebele.jsonl")],
    }
    if compare:
        commands["compare"] = ["compare", "test/base", "test/better", "--results", results]
    for name, command in commands.items():
        found = _child({"role": "report", "command": command}, name)
        yield {"command": name, **found, "page": page.stat().st_size if name == "report" else None}


def _child(spec: dict[str, Any], what: str) -> dict[str, Any]:
    return run_child(_CHILD, spec, what, _VARIABLES)


_HEAD = [
    "| languages | texts | texts encoded | subsets | evaluation, s | of it processor, s | scoring, ms a subset | "
    "writing, s | peak memory, MB | imports alone, MB | result files, MB | largest, MB |",
    "|---:" * 12 + "|",
]


def _row(found: dict[str, Any]) -> str:
    cells = (
        f"{found['languages']}",
        f"{found['distinct']:,}",
        f"{found['texts']:,}",
        f"{found['subsets']:,}",
        f"{found['evaluate']:,.0f}",
        f"{found['used']:,.0f}",
        f"{1000 * found['scoring'] / found['subsets']:,.1f}",
        f"{found['writing']:,.1f}",
        f"{found['peak_memory'] / 1e6:,.0f}",
        f"{found['imported'] / 1e6:,.0f}",
        f"{found['files'] / 1e6:,.1f}",
        f"{found['largest'] / 1e6:,.1f}",
    )
    return f"| {' | '.join(cells)} |"


def _report_lines(reports: list[dict[str, Any]]) -> list[str]:
    rows = [
        f"| {each['command']} | {each['wall']:,.0f} | {each['used']:,.0f} | {each['peak_memory'] / 1e6:,.0f} | "
        f"{each['lines']} | {each['widest']} | {'' if each['page'] is None else format(each['page'] / 1e6, '.1f')} |"
        for each in reports
    ]
    head = "| command | whole, s | processor, s | peak memory, MB | lines | widest line | page, MB |"
    return [head, "|---" + "|---:" * 6 + "|", *rows]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench_languages", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--languages", type=positive, nargs="+", default=[11, 31], metavar="N")
    parser.add_argument("--queries", type=positive, default=900, help="a language (900)")
    parser.add_argument("--passages", type=positive, default=488, help="a language (488)")
    parser.add_argument("--compare", action="store_true", help="evaluate a second model, and compare")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep data, results and the page there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all raw figures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
