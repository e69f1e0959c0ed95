"""What ranking a large pool takes: wall time and peak memory of `mteb-hybrid rank`, and what faiss indexes lose.

    python -m tests.benchmarks.bench_pool --passages 10000000 --memory 1GB --folder F
    python -m tests.benchmarks.bench_pool --passages 100000 1000000 --index-passages 100000 --folder F

Vectors are random (``random_pool``), made on disk once for a size and a seed: 4 bytes a number. Ranking is a process of
its own, whose peak memory is asked of the kernel; imports are in its wall time, and ranked counts without them.
Indexes are built and searched at a size of their own. Random vectors have no neighbourhoods, which is the worst case
for IVF and HNSW: embeddings of texts lose less.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tests.benchmarks.process import positive, run_child, run_main, say, show, write_report

_CHILD = "tests.benchmarks.bench_pool"


def main() -> None:
    """Measure, and print Markdown tables."""
    options = _options()
    rows = []
    for passages in options.passages:
        spec = _spec(options, passages, [])
        _make(spec)
        rows.append((passages, _measured(spec, f"ranking {passages:,} passages")))
    report: dict[str, Any] = {"ranking": [dict(figures, passages=passages) for passages, figures in rows]}
    show(_ranking_lines(options, rows))
    if options.index_passages:
        spec = _spec(options, options.index_passages, ["flat", "ivf", "hnsw"])
        _make(spec)
        figures = _measured(spec | {"memory": options.index_memory}, f"indexes of {options.index_passages:,} passages")
        report["indexes"] = figures
        show(_index_lines(options, figures))
    if options.json:
        write_report(options.json, report)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=positive, nargs="+", default=[100_000], help="sizes; default: 100000")
    parser.add_argument("--dimensions", type=positive, default=64)
    parser.add_argument("--queries", type=positive, default=2000)
    parser.add_argument("--languages", type=positive, default=11)
    parser.add_argument("--memory", default="1GB", help="of ranking; default: 1GB")
    parser.add_argument("--index-passages", type=int, default=100_000, help="of the indexes; 0 leaves them out")
    parser.add_argument("--index-memory", default="8GB", help="of the indexes; default: 8GB")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, required=True, help="for the vectors, which stay there")
    parser.add_argument("--json", type=Path, help="write all raw figures there")
    return parser.parse_args()


def _spec(options: argparse.Namespace, passages: int, indexes: list[str]) -> dict[str, Any]:
    names = ("queries", "languages", "dimensions", "seed")
    settings = {name: getattr(options, name) for name in names} | {"passages": passages}
    folder = options.folder / "-".join(str(settings[name]) for name in sorted(settings))
    return {"pool": settings, "folder": str(folder), "memory": options.memory, "indexes": indexes}


def _make(spec: dict[str, Any]) -> None:
    """Make the vectors in a process of their own: a child's peak memory begins with its parent's."""
    run_child(_CHILD, spec | {"make": True}, f"{spec['pool']['passages']:,} random vectors in {spec['folder']}", {})


def _measured(spec: dict[str, Any], what: str) -> dict[str, Any]:
    return run_child(_CHILD, spec, what, {})


def _ranking_lines(options: argparse.Namespace, rows: list[tuple[int, dict[str, Any]]]) -> list[str]:
    lines = [
        f"Exact ranks of {options.queries:,} queries in {options.languages} languages, {options.dimensions} numbers a "
        "vector:",
        "",
        "| passages | wall time | ranking | passages x queries a second | --memory | peak memory | MAP |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for passages, figures in rows:
        pairs = passages * options.queries / figures["seconds"]
        lines.append(
            f"| {passages:,} | {figures['wall']:.1f} s | {figures['seconds']:.1f} s | {pairs / 1e6:,.1f} million | "
            f"{options.memory} | {figures['peak'] / 1e6:,.0f} MB | {figures['map']:.4f} |"
        )
    return [*lines, ""]


def _index_lines(options: argparse.Namespace, figures: dict[str, Any]) -> list[str]:
    depths = [at["depth"] for at in figures["indexes"][0]["depths"]]
    heads = [f"exact top {depth} found | recall at {depth} | lost at {depth}" for depth in depths]
    lines = [
        f"faiss over {options.index_passages:,} passages, against exact ranks (peak memory "
        f"{figures['peak'] / 1e6:,.0f} MB in all):",
        "",
        f"| index | settings | {' | '.join(heads)} | build | ms a query | size |",
        "|---|---|" + "---:|" * (3 * len(depths) + 3),
    ]
    for report in figures["indexes"]:
        cells = [f"{at['found']:.1%} | {at['recall_by_index']:.3f} | {at['lost']:+.3f}" for at in report["depths"]]
        settings = ", ".join(f"{name} {value:,}" for name, value in report["settings"].items()) or "–"
        lines.append(
            f"| {report['kind']} | {settings} | {' | '.join(cells)} | {report['build_seconds']:.1f} s | "
            f"{1000 * report['search_seconds'] / options.queries:.2f} | {report['bytes'] / 1e6:,.1f} MB |"
        )
    return [*lines, ""]


# ---- the measured process


def child(spec: dict[str, Any], out: Path) -> None:
    """Make the vectors, or rank them anew."""
    folder = Path(spec["folder"])
    if spec.get("make"):
        from tests.benchmarks.random_pool import make_pool

        make_pool(folder, **spec["pool"])
        out.write_text("{}")
        return
    import resource
    import shutil

    from mteb_hybrid.large.run import rank

    for left in (*folder.glob("ranks-*"), *folder.glob("index-ivf-*")):
        shutil.rmtree(left)
    for file in folder.glob("index-hnsw-*"):
        file.unlink()
    print(rank(folder, memory=spec["memory"], indexes=spec["indexes"], show_progress_bar=True), file=sys.stderr)
    written = json.loads((folder / "scores.json").read_text())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    figures = {"seconds": written["run"]["seconds"], "map": written["mean"]["map"], "indexes": written["indexes"]}
    out.write_text(json.dumps(figures | {"peak": peak}))


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1].startswith("{"):
        child(json.loads(sys.argv[1]), Path(sys.argv[2]))
    else:
        say("vectors and what is made of them stay in --folder")
        run_main("bench_pool", main)
