"""Every remedy for language bias side by side: made with MLQA-R alone, measured on XQuAD-R.

    python -m tests.benchmarks.remedies --model FOLDER --work FOLDER [--time STEPS]

Trained and fitted on a part of MLQA-R, with equal steps, seed and preset; where a remedy has a setting to choose, the
other part of MLQA-R chooses it, by the rule of ``mteb-hybrid recommend``. Only then XQuAD-R is looked at. What is done
already is not done again: interrupt it, and the same command goes on. What each took is fair only where nothing else
was at work; --time measures it again, by some steps of each training. Writes ``remedies.json`` in the work folder, and
prints what ``mteb-hybrid recommend`` makes of it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from mteb_hybrid.whole import whole_file

SEED = 42
ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)
TASKS = ("XQuADR", "XQuADRLanguageBias")
HELD_OUT = "MLQARHeldOut"

TRAINED: dict[str, dict[str, Any]] = {
    "mono": {"batches": {"strategy": "mono"}},
    "cross": {"batches": {"strategy": "cross"}},
    "hybrid": {"batches": {"strategy": "hybrid"}},
    "distill": {"batches": {"strategy": "mono"}, "loss": {"distill": {}}},
    "score-distill": {"batches": {"strategy": "mono"}, "loss": {"score_distill": {}}},
    "hybrid + keep": {"batches": {"strategy": "hybrid"}, "loss": {"keep": 1.0}},
    "hybrid + distill": {"batches": {"strategy": "hybrid"}, "loss": {"distill": {}}},
}
"""What is trained, with weights that were set before anything was measured."""


class Work:
    """The work folder: what is in it, and what each thing took."""

    def __init__(self, folder: Path, model: Path, steps: int) -> None:
        self.folder, self.model, self.steps = folder, model, steps
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["MTEB_HYBRID_MODELS"] = str(folder / "models.toml")
        self.corpus = folder / "training.parquet"
        self.held_out = folder / f"{HELD_OUT}.jsonl"
        self._seconds = folder / "seconds"
        self._seconds.mkdir(exist_ok=True)

    @property
    def seconds(self) -> dict[str, float]:
        """What making each model took, by its name."""
        return {path.name: float(path.read_text()) for path in self._seconds.iterdir()}

    def once(self, name: str, make: Callable[[], object]) -> None:
        """Make something unless it was made, and note what it took, in a file of its own: others may be at work too."""
        if not self.has(name):
            began = time.monotonic()
            make()
            self.note(name, time.monotonic() - began)

    def has(self, name: str) -> bool:
        """Whether something was made."""
        return (self._seconds / name).exists()

    def note(self, name: str, seconds: float) -> None:
        """Note that something was made, and what it took."""
        with whole_file(self._seconds / name) as path:
            path.write_text(f"{seconds:.1f}")
        print(f"{name}: {seconds:.1f} s", flush=True)


def plain(name: str) -> str:
    """A short name for a remedy."""
    return name.replace(" + ", "-")


def prepare(work: Work) -> None:
    """Part MLQA-R, and name the model."""
    from mteb_hybrid import save_collection, save_corpus
    from mteb_hybrid.data.lareqa import MLQA_R, load_lareqa
    from mteb_hybrid.models import add_model
    from tests.benchmarks.held_out import part

    parts = part(load_lareqa(MLQA_R, "MLQAR"), HELD_OUT)
    save_corpus(parts.training, work.corpus)
    save_collection(parts.held_out, work.held_out)
    add_model("untrained", str(work.model))
    queries = sum(map(len, parts.held_out.queries.values()))
    print(f"{len(parts.training)} rows to train on; {queries} questions held out", flush=True)


def train_remedy(work: Work, name: str) -> None:
    """Train one of the remedies."""
    import yaml

    from mteb_hybrid import read_recipe, train
    from mteb_hybrid.training.folders import work_folder

    settings = {
        "preset": "e5",
        "model": {"base": str(work.model)},
        "data": [{"source": str(work.corpus), "name": "MLQA-R", "mteb_tasks": ["MLQAR"]}],
        "training": {"max_steps": work.steps},
        "seed": SEED,
        **TRAINED[name],
    }
    path = work.folder / f"{plain(name)}.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    output = work.folder / plain(name)
    resume = work_folder(output).exists()
    train(read_recipe(path), output, resume=resume, say=print)


def time_training(work: Work, name: str, steps: int) -> None:
    """Note what training a remedy takes, by the seconds of its first steps, without checkpoints."""
    from mteb_hybrid import read_recipe, train
    from mteb_hybrid.training.outcome import read_record

    recipe = read_recipe(work.folder / f"{plain(name)}.yaml")
    short = recipe.model_copy(update={"training": {**recipe.training, "max_steps": steps, "save_steps": steps}})
    with tempfile.TemporaryDirectory(dir=work.folder) as scratch:
        output = Path(scratch) / plain(name)
        train(short, output, show_progress_bar=False)
        record = read_record(output)
    assert record is not None
    work.note(plain(name), record.seconds / steps * work.steps)


def fit(work: Work, model: str, wanted: dict[str, tuple[str, float | None]], *, again: bool = False) -> None:
    """Fit debiasings of a model that has a name, and name them; its passages are encoded once, and count for each.

    Those that were made stay as they are: what is fitted again, for its time, may differ in a last digit.
    """
    from mteb_hybrid.data.corpus_files import load_corpus
    from mteb_hybrid.debias.file import write_debiasing
    from mteb_hybrid.debias.fit import encode_passages, fit_debiasing
    from mteb_hybrid.debias.plain import find_plain, load_plain
    from mteb_hybrid.models import add_model

    made = all(work.has(name) for name in wanted)
    if made and not again:
        return
    base, corpus, began = find_plain(model, None), load_corpus(work.corpus), time.monotonic()
    encoded = encode_passages(load_plain(base), corpus)
    encoding = time.monotonic() - began
    for name, (method, alpha) in wanted.items():
        path, began = work.folder / f"{name}.safetensors", time.monotonic()
        kind = method.rpartition(" ")[2]  # of "hybrid + shift"
        strength = 1.0 if alpha is None else alpha
        debiasing = fit_debiasing(
            encoded,
            corpus,
            kind,  # type: ignore[arg-type]
            base=base,
            alpha=strength,
            mteb_tasks=("MLQAR",),
        )
        if not made:
            path.unlink(missing_ok=True)
            write_debiasing(debiasing, path)
            add_model(name, model, debias=str(path))
        work.note(name, encoding + time.monotonic() - began)


def merge_with_base(work: Work, weight: float, name: str) -> None:
    """Merge hybrid and the base model; weight is hybrid's."""
    from mteb_hybrid.merging import merge
    from mteb_hybrid.models import add_model

    output = work.folder / name
    merge(["hybrid", "untrained"], (1 - weight,), output)
    add_model(name, str(output))


def evaluate_all(work: Work, models: Sequence[str], *, held_out: bool) -> None:
    """Evaluate models that share an encoder in one run, so that its texts are encoded once."""
    from mteb_hybrid.evaluation.run import evaluate, select_tasks
    from mteb_hybrid.evaluation.shared_run import shared_run

    tasks = select_tasks(None, work.held_out, None, None) if held_out else select_tasks(TASKS, None, None, None)
    with shared_run():
        for model in models:
            evaluate(model, tasks, folder=work.folder / "results", show_progress_bar=False)


def rows_of(work: Work, remedies: dict[str, tuple[str, float | None]]) -> list[Any]:
    """Rows of models that have names: name to remedy and alpha."""
    from mteb_hybrid.models import known_models
    from mteb_hybrid.reporting.remedies import Remedy, remedy_rows, seen_languages

    known, seconds = known_models(), work.seconds
    described = {}
    for name, (strategy, alpha) in remedies.items():
        model = known[name]
        debias = Path(model.debias) if model.debias else None
        cost = None if strategy == "untrained" else _cost(name, seconds)
        trained = strategy not in {"untrained", "shift", "centering", "lir"}
        seen = seen_languages(Path(model.source), debias)
        described[model.full_name] = Remedy(
            strategy, alpha, SEED if trained else None, work.steps if trained else 0, cost, seen
        )
    return remedy_rows(work.folder / "results", described)


def _cost(name: str, seconds: dict[str, float]) -> float:
    """What a remedy took, with the hybrid model that some are made of."""
    base = name.startswith(("hybrid-shift", "merge"))
    return seconds[name] + (seconds["hybrid"] if base else 0)


def choose(work: Work, candidates: dict[str, tuple[str, float | None]]) -> str:
    """The candidate that the held-out part recommends over the untrained model, by its short name."""
    from mteb_hybrid.reporting.recommend import derive

    rows = rows_of(work, {"untrained": ("untrained", None), **candidates})
    rows = [row for row in rows if row.task == HELD_OUT]
    best = derive(rows, HELD_OUT, 0.01).best
    found = [
        name
        for name, (strategy, alpha) in candidates.items()
        if best.name == (strategy if alpha is None else f"{strategy}, alpha {alpha:g}")
    ]
    print(f"held out: {best.name} of {', '.join(candidates)}", flush=True)
    return found[0] if found else next(iter(candidates))  # to do nothing is no candidate here: the gentlest


def main(arguments: Iterable[str] | None = None) -> int:
    """Do what is not done yet."""
    from mteb_hybrid.models import add_model

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="the folder of the encoder that nothing was done to")
    parser.add_argument("--work", type=Path, required=True, help="where models and results are kept")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument(
        "--train-only", nargs="+", choices=TRAINED, help="train these and stop; the rest in other processes"
    )
    parser.add_argument("--time", type=int, metavar="STEPS", help="time all of it again, trainings by this many steps")
    options = parser.parse_args(None if arguments is None else list(arguments))
    work = Work(options.work.resolve(), options.model.resolve(), options.steps)
    work.once("prepared", lambda: prepare(work))
    for name in options.train_only or TRAINED:
        work.once(plain(name), lambda name=name: train_remedy(work, name))  # type: ignore[misc]
    if options.train_only:
        return 0
    for name in TRAINED:
        add_model(plain(name), str(work.folder / plain(name)))
    shifts = {f"shift-{alpha:g}": ("shift", alpha) for alpha in ALPHAS}
    others = {"centering": ("centering", None), "lir": ("lir", None)}
    hybrid_shifts = {f"hybrid-shift-{alpha:g}": ("hybrid + shift", alpha) for alpha in ALPHAS[1:]}
    merges = {f"merge-{weight:g}": ("hybrid merged with base", weight) for weight in ALPHAS[1:-1]}
    if options.time:
        for name in TRAINED:
            time_training(work, name, options.time)
    fit(work, "untrained", {**shifts, **others}, again=bool(options.time))
    fit(work, "hybrid", {**hybrid_shifts}, again=bool(options.time))
    for name, (_, weight) in merges.items():
        work.once(name, lambda n=name, w=weight: merge_with_base(work, w, n))  # type: ignore[misc]
    evaluate_all(work, ["untrained", *shifts, *others], held_out=True)
    evaluate_all(work, ["hybrid", *hybrid_shifts], held_out=True)
    evaluate_all(work, [*merges], held_out=True)
    chosen = {name: hybrid_shifts[name] for name in [choose(work, hybrid_shifts)]}
    chosen |= {name: merges[name] for name in [choose(work, merges)]}
    evaluate_all(work, ["untrained", *shifts, *others], held_out=False)
    evaluate_all(work, ["hybrid", *(name for name in chosen if name in hybrid_shifts)], held_out=False)
    trained = {plain(name): (name, None) for name in TRAINED}
    for name in [*(name for name in chosen if name in merges), *trained]:
        evaluate_all(work, [name], held_out=False)
    every = {"untrained": ("untrained", None), **shifts, **others, **trained, **chosen}
    finish(work, every, choose(work, shifts))
    return 0


def finish(work: Work, remedies: dict[str, Any], shift: str) -> None:
    """Write the rows, and print what they recommend with the shift that the held-out part chose."""
    from mteb_hybrid.reporting.recommend import recommend
    from mteb_hybrid.reporting.remedies import write_rows

    rows = [row for row in rows_of(work, remedies) if row.task == "XQuADR"]
    write_rows(rows, work.folder / "remedies.json")
    print(f"the alpha of shift that the held-out part chose: {shift}")
    print(recommend(rows))


if __name__ == "__main__":
    raise SystemExit(main())
