"""The command line: every fault in one plain line, and evaluation by way of what mteb leaves in a folder.

Commands that need mteb run in forks of one process that has imported it: each is as good as a fresh process, and
costs no import. Run as a script, this file is that process.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mteb_hybrid import cli
from mteb_hybrid.cli import main
from mteb_hybrid.commands.options import FORMATS
from mteb_hybrid.data.own import save_collection
from mteb_hybrid.data.world import generate_world

ROOT = Path(__file__).resolve().parents[1]
TINY = "mteb-hybrid/tiny"
LANGUAGES = ("en", "de", "ru")
PARTS = ("smallMonolingual", "smallCrossLingual", "smallMultilingual", "smallLanguageBias")

# Write down which subsets are evaluated.
COUNT = """
from mteb_hybrid.evaluation.task import AbsTaskParallelRetrieval as Task

evaluate_subset = Task._evaluate_subset

def noted(self, *args, hf_subset, **kwargs):
    with open("evaluated", "a") as file:
        print(self.metadata.name, hf_subset, file=file)
    return evaluate_subset(self, *args, hf_subset=hf_subset, **kwargs)

Task._evaluate_subset = noted
"""

# A task that is no setting of a benchmark.
AS_XTREME_R = """
from functools import partial
from mteb_hybrid.data.world import generate_world
from mteb_hybrid.evaluation.declare import parallel_task
from mteb_hybrid.subsets import Setting, Subset
from mteb_hybrid.registry import register_tasks
from tasks.parallel_world import BENCHMARK

subsets = {"en-all": Subset("en", ("de", "en"))}
world = partial(generate_world, 10, languages=("de", "en"))
described = {"description": "-", "main_score": "map_at_20", "subsets": subsets, "load": world}
register_tasks([parallel_task(BENCHMARK, "AsXtremeR", Setting.MULTILINGUAL, **described)])
"""

# Ctrl-C before the sixth subset is evaluated.
INTERRUPT_EVALUATION = """
import os, signal
from mteb_hybrid.evaluation.task import AbsTaskParallelRetrieval as Task

evaluate_subset, left = Task._evaluate_subset, 5

def interrupted(self, *args, **kwargs):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGINT)
    left -= 1
    return evaluate_subset(self, *args, **kwargs)

Task._evaluate_subset = interrupted
"""

# Ctrl-C while the sixth result is written, when half of it is in the file.
INTERRUPT_SAVING = """
import io, json, os, signal
from types import SimpleNamespace
from mteb.results import task_result

left = 5

def dump(value, file, **kwargs):
    global left
    text = json.dumps(value, **kwargs)
    half = len(text) // 2
    file.write(text[:half])
    file.flush()
    if left == 0:
        os.kill(os.getpid(), signal.SIGINT)
    left -= 1
    file.write(text[half:])

task_result.json = SimpleNamespace(**{**vars(json), "dump": dump})
"""


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str


def child_environment(home: Path) -> dict[str, str]:
    """An environment of its own for child processes, without network."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MTEB", "COV", "HF_", "XDG_"))}
    return clean | {
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
        "HOME": str(home),
        "HF_HUB_OFFLINE": "1",
        "MTEB_HYBRID_MODELS": str(home / "models.toml"),
        "MTEB_HYBRID_AUTOLOAD": "0",
    }


class Commands:
    """Runs ``mteb-hybrid`` commands that need mteb."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._server = subprocess.Popen(
            [sys.executable, __file__],
            env=child_environment(home),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: object, folder: Path, before: str = "", env: dict[str, str] | None = None) -> Ended:
        """Run a command in a folder.

        Args:
            arguments: the words after the program's name.
            folder: where it runs.
            before: code to execute before.
            env: more environment variables.
        """
        request = {
            "arguments": list(map(str, arguments)),
            "folder": str(folder),
            "before": before,
            "env": env or {},
            "out": str(self._home / "out"),
            "err": str(self._home / "err"),
        }
        assert self._server.stdin and self._server.stdout
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        code = int(self._server.stdout.readline())
        return Ended(code, (self._home / "out").read_text(), (self._home / "err").read_text())

    def close(self) -> None:
        self._server.communicate(timeout=60)


def serve() -> None:
    """Read commands from stdin, run each in a fork, answer with its exit code."""
    import mteb
    import sentence_transformers  # noqa: F401

    import mteb_hybrid.registry
    from mteb_hybrid.evaluation import run  # noqa: F401

    assert mteb_hybrid.registry.registered_tasks(), mteb.__version__
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _run_forked(request)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _run_forked(request: dict[str, Any]) -> None:
    code: object = 1
    try:
        os.chdir(request["folder"])
        os.environ.update(request["env"])
        for descriptor, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
        if request["before"]:
            exec(compile(request["before"], "before", "exec"), {"__name__": "before"})
        code = main(request["arguments"])
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """What runs commands that need mteb."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork on this system")
    commands = Commands(tmp_path_factory.mktemp("home"))
    yield commands
    commands.close()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small collection."""
    path = tmp_path_factory.mktemp("data") / "small.jsonl"
    save_collection(generate_world(30, languages=LANGUAGES), path)
    return path


def told(err: str, *parts: object) -> None:
    """Stderr is one line of ours that holds all parts."""
    assert "Traceback" not in err
    (line,) = err.splitlines()
    assert line.startswith("mteb-hybrid: ")
    for part in parts:
        assert str(part) in line


def results_in(folder: Path) -> dict[str, Path]:
    """The result files, by the name of the task."""
    return {path.stem: path for path in folder.rglob("*.json") if path.stem != "model_meta"}


def scores_in(path: Path) -> dict[str, dict[str, Any]]:
    """The scores in a result file, by subset."""
    entries = json.loads(path.read_text())["scores"]["test"]
    return {entry["hf_subset"]: entry for entry in entries}


# ---- faults that need no mteb


@pytest.fixture(autouse=True)
def models_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nobody's own file of names is touched."""
    path = tmp_path / "config" / "models.toml"
    monkeypatch.setenv("MTEB_HYBRID_MODELS", str(path))
    return path


Fails = Callable[..., None]


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Fails:
    """What checks that a command ends with 2 and one line that holds all parts."""

    def fails(arguments: list[object], *parts: object) -> None:
        assert main(list(map(str, arguments))) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        told(captured.err, *parts)

    return fails


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "COMMAND"),
        (["evalute"], "invalid choice: 'evalute'"),
        (["models"], "ACTION"),
        (["models", "ad"], "invalid choice: 'ad'"),
        (["models", "add", "x"], "PATH_OR_HUB_ID"),
        (["models", "remove"], "name"),
        (["doctor", "--fix"], "unrecognized arguments: --fix"),
        (["table"], "results"),
        (["table", "r", "--format", "word"], "invalid choice: 'word'"),
        (["table", "r", "--against", "all"], "invalid choice: 'all'"),
        (["evaluate"], "-m/--model"),
        (["evaluate", "-m", "x", "--nonsense"], "unrecognized arguments: --nonsense"),
        (["evaluate", "-m", "x", "-q", "-v"], "not allowed with"),
        (["evaluate", "-m", "x", "-t"], "expected at least one argument"),
        *(
            (["evaluate", "-m", "x", "--batch-size", size], "is not a number above 0")
            for size in ("0", "-1", "1.5", "many", "", "²", "9" * 5000)
        ),
    ],
)
def test_a_command_line_of_the_wrong_form(arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    usage, *_, fault = captured.err.splitlines()
    assert usage.startswith("usage: mteb-hybrid")
    assert "error: " in fault
    assert part in fault


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    for argument in ("--version", "--help"):
        with pytest.raises(SystemExit) as ended:
            main([argument])
        assert not ended.value.code
        assert capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["models", "add", "a b", "ada/x"], ["'a b' cannot be a short name", "letters, digits"]),
        (["models", "add", "x", "./nowhere"], ["'./nowhere' is neither a folder nor a Hub id", "check the path"]),
        (["models", "add", "x", "."], ["holds no model", "config.json"]),
        (["models", "add", "x", ".", "--revision", "v1"], ["leave out --revision v1"]),
        (["models", "remove", "xyzzy"], ["no model is named 'xyzzy'", "`mteb-hybrid models list`"]),
    ],
)
def test_faults_of_models(
    arguments: list[object], parts: list[str], fails: Fails, models_file: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    fails(arguments, *parts)
    assert not models_file.exists()


def test_a_file_of_names_that_is_broken(fails: Fails, models_file: Path) -> None:
    models_file.parent.mkdir()
    models_file.write_text("[x\n")
    for arguments in (["models", "list"], ["models", "add", "y", "ada/y"], ["models", "remove", "x"]):
        fails(list(arguments), models_file, "is not TOML", "mend it or delete it")
    assert models_file.read_text() == "[x\n"


def test_a_file_of_names_that_cannot_be_written(fails: Fails, models_file: Path) -> None:
    models_file.parent.touch()
    fails(["models", "add", "x", "ada/x"], models_file, "Not a directory")


def test_add_list_remove(models_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list"]) == 0
    assert "no names" in capsys.readouterr().out
    assert main(["models", "add", "paper", "ada/paper", "--revision", "0123456789abcdef"]) == 0
    assert "mteb run -m paper -t XQuADR" in capsys.readouterr().out
    assert main(["models", "add", "newest-of-all", "ada/other"]) == 0
    capsys.readouterr()
    assert main(["models", "list"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == ["paper          ada/paper  01234567", "newest-of-all  ada/other  newest"]
    assert main(["models", "remove", "papr"]) == 2
    told(capsys.readouterr().err, "did you mean paper?")
    assert main(["models", "remove", "paper"]) == 0
    assert "ada/paper stays where it is" in capsys.readouterr().out
    assert main(["models", "list"]) == 0
    assert "paper" not in capsys.readouterr().out
    assert captured.err == ""


# ---- tables of results that are there


def write_result(folder: Path, task: str, scores: dict[str, dict[str, float]]) -> Path:
    """A result file of a model, as mteb lays it out."""
    path = folder / "results" / "local__ours" / "r1" / f"{task}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    entries = [{"hf_subset": subset, **figures} for subset, figures in scores.items()]
    path.write_text(json.dumps({"task_name": task, "dataset_revision": "1", "scores": {"test": entries}}))
    return path


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    write_result(folder, "smallMonolingual", {"de-de": {"map": 0.25}, "en-en": {"map": 0.5}})
    return folder


def test_faults_of_table(tmp_path: Path, results: Path, fails: Fails) -> None:
    fails(["table", tmp_path / "nowhere"], tmp_path / "nowhere", "is not a folder")
    (tmp_path / "empty").mkdir()
    fails(["table", tmp_path / "empty"], tmp_path / "empty", "holds no results", "mteb run")
    fails(["table", results, "local/our"], "no results of model 'local/our'", "did you mean 'local/ours'?")
    fails(["table", results, "--benchmark", "smal"], "no results of benchmark 'smal'", "'small'")
    whole = write_result(results, "smallMultilingual", {"de-all": {"map": 0.5}})
    whole.write_bytes(whole.read_bytes()[:-20])
    fails(["table", results], whole, "is not a whole result file", "delete it")


@pytest.mark.parametrize("format", FORMATS)
def test_a_table_in_each_format(format: str, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table", str(results), "ours", "--format", format]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "local/ours" in captured.out
    assert "0.375" in captured.out
    mark = {"terminal": "──", "markdown": "| ---", "csv": "local/ours,", "latex": r"\begin{tabular}"}[format]
    assert mark in captured.out.replace("|:--", "| ---").replace("|---", "| ---"), captured.out


def test_tables_by_language(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table", str(results), "--by-language", "--format", "markdown"]) == 0
    out = capsys.readouterr().out
    assert "0.250" in out
    assert "0.500" in out


@pytest.mark.parametrize("models", [1, 4000])
def test_a_reader_that_has_seen_enough(models: int, tmp_path: Path) -> None:
    """With more than a buffer to say, and with less."""
    for number in range(models):
        folder = tmp_path / "results" / f"local__{number:04}" / "r1"
        folder.mkdir(parents=True)
        entry = {"hf_subset": "de-de", "map": 0.5}
        content = {"task_name": "smallMonolingual", "dataset_revision": "1", "scores": {"test": [entry]}}
        (folder / "smallMonolingual.json").write_text(json.dumps(content))
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as closed:
        process = subprocess.run(
            [sys.executable, "-m", "mteb_hybrid", "table", str(tmp_path), "--format", "csv"],
            env=child_environment(tmp_path),
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert process.stderr == ""
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [(["models", "list"], ""), (["rank", "vectors"], " (-v tells where it came from)")],
)
def test_minus_v_is_advised_where_there_is_one(
    arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    options = cli._parser().parse_args(arguments)
    options.command = full
    assert cli._run(options) == 2
    err = capsys.readouterr().err
    assert err == f"mteb-hybrid: No space left on device; mend that, and give the same command again{hint}\n"


# ---- faults of evaluate


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["-m", TINY, "-t", "XQuARD"], ["no task is named 'XQuARD'", "did you mean XQuADR?"]),
        (["-m", TINY, "-t", "qqqqqqqqqq"], ["no task is named 'qqqqqqqqqq'", "`mteb available-tasks`"]),
        (["-m", TINY, "--name", "x"], ["--name", "give --data as well"]),
        (["-m", TINY, "--data", "nowhere.jsonl"], ["nowhere.jsonl", "No such file"]),
        (["-m", TINY, "--data", "."], ["broken.jsonl, line 1", "a folder with the files of facebook/belebele"]),
        (["-m", TINY, "--data", "data.csv"], ["data.csv", ".jsonl or a .parquet file"]),
        (["-m", TINY, "--data", "broken.jsonl"], ["broken.jsonl, line 3: not JSON"]),
        (["-m", TINY, "--data", "field.jsonl"], ["field.jsonl, line 2: text: is missing"]),
        (["-m", TINY, "--data", "empty.jsonl"], ["empty.jsonl holds no rows"]),
        (["-m", TINY, "--data", "SMALL", "--name", "a b"], ["'a b' cannot name a task", "letters, digits"]),
        (["-m", TINY, "--data", "SMALL", "--name", "XQuADR"], ["another task named XQuADR"]),
        (["-m", TINY, "--data", "SMALL", "-l", "german"], ["german", "ISO 639-3 codes, such as deu"]),
        (["-m", TINY, "--data", "SMALL", "-l", "jpn"], ["small", "jpn", "ISO 639-3 codes, such as deu"]),
        (["-m", TINY, "--data", "SMALL", "-t", "smallMonolingual", "-l", "jpn"], ["smallMonolingual", "ISO 639-3"]),
        (["-m", "our", "--data", "SMALL"], ["no model is named 'our'; did you mean ours?", "models add NAME"]),
        (["-m", "qqqqq", "--data", "SMALL"], ["no model is named 'qqqqq'", "`mteb-hybrid models add", "Hub id"]),
        (["-m", "ada/nowhere", "--data", "SMALL"], ["ada/nowhere", "check its Hub id"]),
        (["-m", "folder", "--data", "SMALL"], ["folder is a folder", "`mteb-hybrid models add NAME folder`"]),
        (["-m", "gone", "--data", "SMALL"], ["gone", "name it anew with `mteb-hybrid models add gone PATH`"]),
        (["-m", TINY, "--data", "SMALL", "--device", "abacus"], [f"cannot load model {TINY}", "device"]),
        (["-m", TINY, "--data", "SMALL", "--output-folder", "broken.jsonl"], ["broken.jsonl", "--output-folder"]),
        (["-m", TINY, "--data", "SMALL", "--output-folder", "broken.jsonl/r"], ["broken.jsonl/r", "--output-folder"]),
        (["-m", TINY, "--data", "SMALL", "--prediction-folder", "broken.jsonl/p"], ["broken.jsonl/p", "folder"]),
    ],
)
def test_faults_of_evaluate(arguments: list[str], parts: list[str], run: Commands, small: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "data.csv").touch()
    (tmp_path / "empty.jsonl").touch()
    rows = small.read_text().splitlines()[:2]
    (tmp_path / "broken.jsonl").write_text("\n".join([*rows, '{"role": "que']) + "\n")
    (tmp_path / "field.jsonl").write_text(rows[0] + '\n{"role": "query", "id": "1", "language": "de", "group": "1"}\n')
    names = tmp_path / "models.toml"
    names.write_text(f'[ours]\nsource = "ada/ours"\n[gone]\nsource = "{tmp_path / "nowhere"}"\nrevision = "1"\n')
    words = [str(small) if word == "SMALL" else word for word in arguments]
    before = sorted(tmp_path.rglob("*"))
    ended = run("evaluate", "-q", *words, folder=tmp_path, env={"MTEB_HYBRID_MODELS": str(names)})
    told(ended.err, *parts)
    assert (ended.code, ended.out) == (2, "")
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == [p for p in before if p.is_file()]


@pytest.mark.slow
def test_a_fault_in_a_process_of_its_own(tmp_path: Path) -> None:
    """As users start it, nothing imported before."""
    folder = tmp_path / "folder"
    folder.mkdir()
    process = subprocess.run(
        [sys.executable, "-m", "mteb_hybrid", "evaluate", "-m", TINY, "-t", "XQuARD"],
        env=child_environment(tmp_path),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    told(process.stderr, "did you mean XQuADR?")
    assert (process.returncode, process.stdout) == (2, "")
    assert list(folder.iterdir()) == []


# ---- evaluation


@dataclass(frozen=True)
class Evaluated:
    """A folder in which the small collection was evaluated, and how that ended."""

    folder: Path
    ended: Ended

    @property
    def results(self) -> dict[str, Path]:
        return results_in(self.folder / "results")

    @property
    def subsets(self) -> list[str]:
        """The tasks and subsets that were evaluated, in order."""
        path = self.folder / "evaluated"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture(scope="module")
def evaluated(run: Commands, small: Path, tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    """The small collection, evaluated without interruption."""
    folder = tmp_path_factory.mktemp("whole")
    return Evaluated(folder, run("evaluate", "-m", TINY, "--data", small, folder=folder, before=COUNT))


def again(run: Commands, done: Evaluated, tmp_path: Path, *arguments: object, before: str = COUNT) -> Evaluated:
    """The same command in a copy of a folder."""
    folder = tmp_path / "again"
    shutil.copytree(done.folder, folder)
    (folder / "evaluated").unlink(missing_ok=True)
    return Evaluated(folder, run("evaluate", "-m", TINY, *arguments, folder=folder, before=before))


@pytest.mark.slow
def test_evaluate_prints_tables_and_writes_results(evaluated: Evaluated) -> None:
    ended = evaluated.ended
    assert ended.code == 0, ended.err
    assert TINY in ended.out
    assert "Mean average precision" in ended.out
    assert "Language bias" in ended.out
    assert set(evaluated.results) == {"small", *PARTS}
    assert {name: len(scores_in(path)) for name, path in evaluated.results.items()} == {
        "small": 1,
        "smallMonolingual": 3,
        "smallCrossLingual": 6,
        "smallMultilingual": 3,
        "smallLanguageBias": 3,
    }
    assert len(evaluated.subsets) == len(set(evaluated.subsets)) == 15
    assert "%|" in ended.err  # a progress bar


@pytest.mark.slow
def test_the_table_shows_what_the_files_hold(evaluated: Evaluated, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table", str(evaluated.folder / "results")]) == 0
    assert capsys.readouterr().out == evaluated.ended.out
    score = scores_in(evaluated.results["small"])["default"]["main_score"]
    assert f"{score:.3f}" in evaluated.ended.out


@pytest.mark.slow
def test_nothing_is_evaluated_twice(run: Commands, evaluated: Evaluated, small: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in evaluated.results.values()}
    second = again(run, evaluated, tmp_path, "-q", "--data", small)
    assert second.ended == Ended(0, evaluated.ended.out, "")  # no progress bars
    assert second.subsets == []
    copied = {path.name: path.stat() for path in second.results.values()}
    assert {path.name: path.read_bytes() for path in second.results.values()} == before
    for path in evaluated.results.values():  # a copy keeps the time, a rewrite does not
        assert copied[path.name].st_mtime_ns == path.stat().st_mtime_ns


@pytest.mark.slow
def test_overwrite_evaluates_all_again(run: Commands, evaluated: Evaluated, small: Path, tmp_path: Path) -> None:
    second = again(run, evaluated, tmp_path, "-q", "--overwrite", "--data", small)
    assert second.ended == Ended(0, evaluated.ended.out, "")
    assert sorted(second.subsets) == sorted(evaluated.subsets)


@pytest.mark.slow
def test_data_that_changed_are_evaluated_again(
    run: Commands, evaluated: Evaluated, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    changed = tmp_path_factory.mktemp("changed") / "small.jsonl"
    save_collection(generate_world(20, languages=LANGUAGES), changed)
    second = again(run, evaluated, tmp_path, "--data", changed)
    assert second.ended.code == 0
    assert "is of other data than these" in second.ended.err
    assert sorted(second.subsets) == sorted(evaluated.subsets)
    assert second.ended.out != evaluated.ended.out
    for name in PARTS:
        assert (
            json.loads(second.results[name].read_text())["dataset_revision"]
            == (json.loads(second.results["smallMonolingual"].read_text())["dataset_revision"])
        )
        assert scores_in(second.results[name]) != scores_in(evaluated.results[name])
    assert scores_in(second.results["small"]) != scores_in(evaluated.results["small"])


@pytest.mark.slow
def test_results_of_changed_data_for_the_part_alone(
    run: Commands, evaluated: Evaluated, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A setting run again by itself on new data leaves a mean of old data, which the next run must not take."""
    changed = tmp_path_factory.mktemp("changed") / "small.jsonl"
    save_collection(generate_world(20, languages=LANGUAGES), changed)
    second = again(run, evaluated, tmp_path, "-q", "--data", changed, "-t", *PARTS)
    assert second.ended.code == 0
    third = run("evaluate", "-q", "-m", TINY, "--data", changed, folder=second.folder)
    assert third.code == 0
    means = [
        sum(entry["map"] for entry in scores_in(second.results[name]).values()) / len(scores_in(second.results[name]))
        for name in PARTS[:3]
    ]
    assert scores_in(second.results["small"])["default"]["main_score"] == pytest.approx(sum(means) / 3, abs=1e-5)


@pytest.mark.slow
def test_languages_choose_subsets_of_the_aggregate_too(run: Commands, small: Path, tmp_path: Path) -> None:
    ended = run("evaluate", "-q", "-m", TINY, "--data", small, "-l", "deu", folder=tmp_path, before=COUNT)
    assert ended.code == 0, ended.err
    subsets = {line.split()[1] for line in (tmp_path / "evaluated").read_text().splitlines()}
    assert "de-de" in subsets
    assert not subsets & {"en-en", "ru-ru", "en-ru", "ru-en"}


@pytest.mark.slow
def test_more_languages_later_are_evaluated(run: Commands, evaluated: Evaluated, small: Path, tmp_path: Path) -> None:
    assert run("evaluate", "-q", "-m", TINY, "--data", small, "-l", "deu", folder=tmp_path).code == 0
    ended = run("evaluate", "-q", "-m", TINY, "--data", small, folder=tmp_path)
    assert ended == Ended(0, evaluated.ended.out, "")


@pytest.mark.slow
def test_a_truncated_result_file_is_named(run: Commands, evaluated: Evaluated, small: Path, tmp_path: Path) -> None:
    broken = evaluated.results["smallCrossLingual"].relative_to(evaluated.folder)
    cut = f"import os; os.truncate({str(broken)!r}, 1000)"
    second = again(run, evaluated, tmp_path, "-q", "--data", small, before=COUNT + cut)
    told(second.ended.err, broken, "is damaged; delete it")
    assert (second.ended.code, second.ended.out) == (2, "")
    assert second.subsets == []
    assert (second.folder / broken).stat().st_size == 1000


@pytest.mark.slow
def test_predictions_are_kept(run: Commands, small: Path, tmp_path: Path) -> None:
    arguments = ["-t", "smallMonolingual", "--prediction-folder", "kept", "--format", "csv"]
    ended = run("evaluate", "-q", "-m", TINY, "--data", small, *arguments, folder=tmp_path)
    assert ended.code == 0, ended.err
    assert TINY in ended.out
    kept = json.loads((tmp_path / "kept" / "smallMonolingual_predictions.json").read_text())
    assert {"de-de", "en-en", "ru-ru"} < set(kept)


@pytest.mark.slow
def test_a_name_for_the_data(run: Commands, small: Path, tmp_path: Path) -> None:
    arguments = ["--name", "Other", "-t", "OtherMonolingual", "--output-folder", "r"]
    ended = run("evaluate", "-q", "-m", TINY, "--data", small, *arguments, folder=tmp_path)
    assert ended.code == 0, ended.err
    assert set(results_in(tmp_path / "r")) == {"OtherMonolingual"}


@pytest.mark.slow
def test_a_collection_in_one_language_has_no_language_bias(run: Commands, tmp_path: Path) -> None:
    rows = [
        {"role": role, "id": f"{role}{number}", "language": "de", "group": str(number), "text": f"{text} {number}"}
        for number in range(12)
        for role, text in (("query", "Wer war Nummer"), ("passage", "Hier steht Nummer"))
    ]
    (tmp_path / "one.jsonl").write_text("\n".join(map(json.dumps, rows)))
    ended = run("evaluate", "-q", "-m", TINY, "--data", "one.jsonl", "--confidence", folder=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert "Mean average precision" in ended.out
    assert set(results_in(tmp_path / "results")) == {"one", "oneMonolingual", "oneMultilingual"}


@pytest.mark.slow
def test_of_a_task_without_tables_the_main_score_is_told(run: Commands, small: Path, tmp_path: Path) -> None:
    arguments = ["-t", "smallMonolingual", "AsXtremeR"]
    ended = run("evaluate", "-q", "-m", TINY, "--data", small, *arguments, folder=tmp_path, before=AS_XTREME_R)
    assert ended.code == 0, ended.err
    score = scores_in(results_in(tmp_path / "results")["AsXtremeR"])["en-all"]["main_score"]
    *tables, last = ended.out.splitlines()
    assert last == f"AsXtremeR: map_at_20 {score:.3f}"
    assert TINY in "\n".join(tables)
    alone = run("evaluate", "-q", "-m", TINY, "-t", "AsXtremeR", folder=tmp_path, before=AS_XTREME_R)
    assert alone == Ended(0, f"{last}\n", "")


INTERRUPTED_IMPORT = """
import sys

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == {module!r}:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Finder)
{start}
"""
STARTS = {
    "script": "from mteb_hybrid.cli import main; sys.exit(main(['doctor']))",
    "module": "import runpy; runpy.run_module('mteb_hybrid', run_name='__main__', alter_sys=True)",
}


@pytest.mark.parametrize("module", ["commands.endings", "reporting", "commands.train"])
@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_an_interrupt_while_commands_are_imported(start: str, module: str) -> None:
    code = INTERRUPTED_IMPORT.format(module=f"mteb_hybrid.{module}", start=start)
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 130
    (line,) = ended.stderr.splitlines()
    assert line.startswith("mteb-hybrid: interrupted")


def test_a_token_that_was_mistyped_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    token = "hf_" + "x" * 34
    for words in (["publish", "ours", "--to", "a/b", "--token", token], [token], ["table", "x", "--format", token]):
        with pytest.raises(SystemExit):
            main(words)
        err = capsys.readouterr().err
        assert token not in err
        assert "hf_***" in err


@pytest.mark.slow
@pytest.mark.parametrize("interrupt", [INTERRUPT_EVALUATION, INTERRUPT_SAVING], ids=["evaluating", "saving"])
def test_an_interrupted_run_goes_on_where_it_stopped(
    interrupt: str, run: Commands, evaluated: Evaluated, small: Path, tmp_path: Path
) -> None:
    command = ["evaluate", "-q", "-m", TINY, "--data", small]
    ended = run(*command, folder=tmp_path, before=interrupt)
    assert (ended.code, ended.out) == (130, "")
    told(ended.err, "interrupted; the same command goes on where it stopped")
    results = results_in(tmp_path)
    done = {f"{name} {subset}" for name, path in results.items() for subset in scores_in(path)}
    times = {name: path.stat().st_mtime_ns for name, path in results.items()}
    assert len(done) >= 4
    assert run(*command, folder=tmp_path, before=COUNT) == Ended(0, evaluated.ended.out, "")
    resumed = Evaluated(tmp_path, ended)
    assert sorted([*resumed.subsets, *done]) == sorted(evaluated.subsets)
    assert resumed.results["smallMonolingual"].stat().st_mtime_ns == times["smallMonolingual"]
    for name in PARTS:
        assert scores_in(resumed.results[name]) == scores_in(evaluated.results[name])
    mean = scores_in(evaluated.results["small"])["default"]["main_score"]  # of scores rounded to six decimals
    assert scores_in(resumed.results["small"])["default"]["main_score"] == pytest.approx(mean, abs=2e-6)


if __name__ == "__main__":
    serve()
