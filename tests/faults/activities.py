"""What users do, in small: a folder in which every command runs in a second or two, and what each leaves there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mteb_hybrid.data.corpus_files import save_corpus
from mteb_hybrid.data.own import save_collection
from mteb_hybrid.data.parallel_corpus import corpus_from_collection
from mteb_hybrid.data.world import generate_world
from tests.faults.commands import Commands
from tests.training.small_runs import static_model, weights

LANGUAGES = ("en", "de")
SMALL_TASKS = "from tests.study.small_study import register_small_tasks; register_small_tasks()"
SHARDS = "from mteb_hybrid.building import build; build.ROWS = 20"


@dataclass(frozen=True)
class Activity:
    """A command, and what it leaves.

    Attributes:
        name: of the activity.
        line: the command.
        outcome: what is the same however often it was begun; of the folder.
        writes: the folder or file that it writes, which it names where it cannot.
        resume: more words where something of it is there.
        before: code to execute before.
        codes: exit codes of one that met a fault it can tell of.
    """

    name: str
    line: str
    outcome: Callable[[Path], Any]
    writes: str
    resume: Callable[[Path], tuple[str, ...]] = lambda folder: ()
    before: str = ""
    codes: tuple[int, ...] = (2,)

    @property
    def words(self) -> tuple[str, ...]:
        """After the program's name."""
        return tuple(self.line.split())

    def again(self, folder: Path) -> tuple[str, ...]:
        """The command that goes on."""
        return (*self.line.split(), *self.resume(folder))


def lay_out(folder: Path, commands: Commands) -> None:
    """Fill a folder with all that the activities need: data, a model, results, a corpus."""
    save_collection(generate_world(30, languages=LANGUAGES, name="small"), folder / "small.jsonl")
    save_corpus(corpus_from_collection(generate_world(60, languages=LANGUAGES, first=90)), folder / "pairs.jsonl")
    texts = [text for row in map(json.loads, (folder / "pairs.jsonl").open()) for text in row.values()]
    static_model(folder / "model", sorted({word for text in texts for word in text.split()}))
    training = {"max_steps": 6, "save_steps": 2, "use_cpu": True, "learning_rate": 0.05}
    recipe = {"model": {"base": "model"}, "data": [{"source": "pairs.jsonl"}], "batches": {"size": 8}}
    _yaml(folder / "recipe.yaml", recipe | {"training": training})
    placed = {"model": {"base": str(folder / "model")}, "data": [{"source": str(folder / "pairs.jsonl")}]}
    study = {"recipe": recipe | placed | {"training": training}}
    _yaml(folder / "study.yaml", study | {"grids": [{"seed": 1}], "tasks": ["StudyWorldLanguageBias"]})
    build = {"sources": [{"source": "pairs.jsonl", "license": "cc-by-4.0"}], "cleaning": {"language": False}}
    _yaml(folder / "build.yaml", build | {"decontamination": {"tasks": [], "files": ["small.jsonl"]}})
    for words in (
        ("models", "add", "ours", "model"),
        ("evaluate", "-m", "ours", "--data", "small.jsonl", "--output-folder", "results", "-q"),
        ("evaluate", "-m", "mteb-hybrid/tiny", "--data", "small.jsonl", "--output-folder", "results", "-q"),
        ("data", "build", "build.yaml", "-o", "corpus", "-q"),
    ):
        ended = commands(words, folder)
        assert ended.code == 0, ended.err[-3000:]


def copy_of(inputs: Path, folder: Path) -> Path:
    """The same in another folder."""
    shutil.copytree(inputs, folder, dirs_exist_ok=True)
    for name in ("models.toml", "study.yaml"):
        path = folder / name
        path.write_text(path.read_text().replace(str(inputs), str(folder)))
    return folder


def _yaml(path: Path, values: Any) -> None:
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def left_over(folder: Path) -> list[Path]:
    """What is there under a name that says that it is not whole, or in somebody's hands."""
    return [path for path in folder.rglob(".*") if path.suffix in {".partial", ".new", ".old", ".lock", ".claim"}]


# ---- what comes out


def _scores(results: str) -> Callable[[Path], Any]:
    def outcome(folder: Path) -> Any:
        found = {}
        for path in sorted((folder / results).rglob("*.json")):
            if path.name != "model_meta.json":
                found[path.stem] = sorted(json.dumps(entry) for entry in json.loads(path.read_text())["scores"]["test"])
        return found

    return outcome


def _bytes(*patterns: str) -> Callable[[Path], Any]:
    def outcome(folder: Path) -> Any:
        paths = sorted(path for pattern in patterns for path in folder.glob(pattern) if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}

    return outcome


def _weights(folder: Path) -> Any:
    return weights(folder / "out")


def _study(folder: Path) -> Any:
    rows = json.loads((folder / "out" / "scores.json").read_text())
    (cell,) = (path for path in (folder / "out" / "models").iterdir() if path.is_dir())
    return [(row["task"], row["score"]) for row in rows], weights(cell)


def _names(folder: Path) -> Any:
    return {"other": (folder / "models.toml").read_text().count("[other]")}


def _published(folder: Path) -> Any:
    return sorted(path.relative_to(folder).as_posix() for path in (folder / "out").rglob("*"))


def _resume(folder: Path) -> tuple[str, ...]:
    work = folder / "out.training"
    return ("--resume",) if work.is_dir() and any(work.iterdir()) else ()


_FIT = "debias fit -m ours --pairs pairs.jsonl --method shift -o out.safetensors -q"
_PUBLISH = "publish ours --to ada/ours --results results --license mit --dry-run out -q"
_EVALUATE = "evaluate -m ours --data small.jsonl --prediction-folder out/kept --output-folder out -q"
_FAILED = (1, 2)  # of a study: a cell that fails is told, and the others are done

ACTIVITIES = {
    activity.name: activity
    for activity in (
        Activity("evaluate", _EVALUATE, _scores("out/results"), "out"),
        Activity("train", "train recipe.yaml --output out -q", _weights, "out", _resume),
        Activity("study", "study study.yaml --output out -q", _study, "out", before=SMALL_TASKS, codes=_FAILED),
        Activity("build", "data build build.yaml -o out -q", _bytes("out/*.parquet"), "out", before=SHARDS),
        Activity("mine", "data mine corpus -m ours -n 2 -o out -q", _bytes("out/*.parquet"), "out"),
        Activity("debias", _FIT, _bytes("out.safetensors"), "out.safetensors"),
        Activity("merge", "merge ours ours --output out", _weights, "out"),
        Activity("publish", _PUBLISH, _published, "out"),
        Activity("models add", "models add other model", _names, "models.toml"),
        Activity("report", "report results -o out.html", _bytes("out.html"), "out.html"),
    )
}

READING = {
    "table": "table results --confidence",
    "compare": "compare mteb-hybrid/tiny local/ours --results results",
    "report": "report results -o out.html",
    "publish": _PUBLISH,
    "evaluate": "evaluate -m ours --data small.jsonl --output-folder results -q",
}
"""Commands that read the results that are there."""
