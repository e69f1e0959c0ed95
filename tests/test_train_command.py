"""The commands ``train`` and ``batches``: what they print, how they end, and the model that ``mteb run`` then finds."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mteb_hybrid.cli import main
from mteb_hybrid.data.corpus_files import load_corpus
from mteb_hybrid.training.batches import HybridBatches
from mteb_hybrid.training.recipe_file import describe_recipe
from mteb_hybrid.training.sampler import row_index
from mteb_hybrid.training.trainer import StopOnSignal
from tests.test_cli import Ended, _run_forked, child_environment, told
from tests.training.small_runs import LANGUAGES, record, rows, single_thread, static_model, weights, words_of, write

RECIPE: dict[str, Any] = {
    "model": {"base": "model"},
    "data": [{"source": "small.jsonl"}],
    "batches": {"size": 8},
    "training": {"max_steps": 10, "learning_rate": 0.05, "save_steps": 2},
}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    with single_thread():
        yield


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of forty rows, some of which lack a language, a model that knows its words, and a recipe."""
    folder = tmp_path_factory.mktemp("inputs")
    write(folder / "small.jsonl", rows(ragged=True))
    static_model(folder / "model", words_of(rows()))
    (folder / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    return folder


@pytest.fixture
def here(inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same in the current folder, and nobody's own file of names is touched."""
    folder = tmp_path / "here"
    shutil.copytree(inputs, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MTEB_HYBRID_MODELS", str(tmp_path / "models.toml"))
    return folder


Fails = Callable[..., None]


@pytest.fixture
def fails(here: Path, capsys: pytest.CaptureFixture[str]) -> Fails:
    """What checks that a command ends with 2 and one line that holds all parts, and leaves nothing behind."""

    def fails(command: str, *parts: object) -> None:
        before = sorted(here.rglob("*"))
        assert main(command.split()) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        told(captured.err, *parts)
        assert sorted(here.rglob("*")) == before

    return fails


# ---- faults


@pytest.mark.parametrize(
    ("command", "part"),
    [
        ("train recipe.yaml --output", "--output"),
        ("train recipe.yaml --set", "--set"),
        ("train recipe.yaml --name", "--name"),
        ("train recipe.yaml other.yaml", "unrecognized arguments: other.yaml"),
        ("train recipe.yaml --resum --no", "unrecognized arguments: --no"),
        ("train recipe.yaml -q -v", "not allowed with"),
        ("batches", "RECIPE"),
        ("batches recipe.yaml -n 0", "'0' is not a number above 0"),
        ("batches recipe.yaml -n -1", "'-1' is not a number above 0"),
        ("batches recipe.yaml -n many", "'many' is not a number above 0"),
        ("batches recipe.yaml --epoch x", "'x' is not a number from 0 on"),
        ("batches recipe.yaml --epoch -1", "'-1' is not a number from 0 on"),
        ("batches recipe.yaml --name x", "unrecognized arguments: --name x"),
    ],
)
def test_a_command_line_of_the_wrong_form(command: str, part: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(command.split())
    assert ended.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    usage, *_, fault = captured.err.splitlines()
    assert usage.startswith("usage: mteb-hybrid")
    assert part in fault


def test_faults_of_a_command(here: Path, fails: Fails) -> None:
    fails("train", "name a recipe", "--explain")
    for command in ("train", "batches"):
        fails(f"{command} nowhere.yaml", "nowhere.yaml")
        fails(f"{command} lab", "lab")
        fails(f"{command} .", ".")
        fails(f"{command} labse", "data is missing")
        fails(f"{command} recipe.yaml --set nonsense", "--set nonsense", "SETTING=VALUE")
        fails(f"{command} recipe.yaml --set batches.sise=8", "batches.sise is no setting", "did you mean size?")
        fails(f"{command} recipe.yaml --set batches.size=many", "batches.size", '"many"')
        fails(f"{command} recipe.yaml --set data[3].rows=1", "data[3]")
        fails(f"{command} recipe.yaml --set data[0].source=nowhere.jsonl", "there is no file nowhere.jsonl")
        fails(f"{command} recipe.yaml --set data[0].languages=[xx]", "'xx'", "small")
        fails(f"{command} recipe.yaml --set batches.size=41", "need 41 different passages")
        fails(f"{command} recipe.yaml --set validation.share=0.001", "validation share")
    fails("train recipe.yaml --set model.base=nowhere", "model.base", "'nowhere'")
    fails("train recipe.yaml --set training.max_stps=3", "training.max_stps", "did you mean max_steps?")
    fails("train recipe.yaml --resume --overwrite", "exclude each other")
    fails("train recipe.yaml --resume", "nothing to resume", "models/recipe.training")
    fails("train recipe.yaml --output small.jsonl", "small.jsonl is there already")
    fails("train recipe.yaml --output small.jsonl --overwrite", "small.jsonl is there already")
    fails("train recipe.yaml --output small.jsonl/ours", "cannot write small.jsonl/ours", "Not a directory")
    fails("train recipe.yaml --output model --overwrite", "model is there already")
    fails("train recipe.yaml --output .", "choose another --output")
    fails("train recipe.yaml --name a/b", "'a/b' cannot be a short name")


def test_a_name_of_two_words(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "recipe.yaml", "--name", "our model"]) == 2
    told(capsys.readouterr().err, "'our model' cannot be a short name", "letters, digits")
    assert not (here / "models").exists()


def test_explain(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--explain"]) == 0
    captured = capsys.readouterr()
    assert captured.out == describe_recipe()
    assert captured.err == ""


# ---- batches


def test_batches_to_the_letter(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three batches unless said otherwise; each pair shows its languages, its row and its texts."""
    assert main(["batches", "recipe.yaml"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    lines = captured.out.splitlines()
    assert len(lines) == 3 * (1 + 8)
    assert [line.split(":")[0] for line in lines[::9]] == ["batch 0", "batch 1", "batch 2"]
    expected = HybridBatches([row_index(load_corpus(here / "small.jsonl"))], 8, seed=42)
    for head, batch in zip(lines[::9], expected.epoch(0), strict=False):
        kind = f"mono, {LANGUAGES[batch.query_languages[0]]}" if batch.kind == "mono" else "cross"
        assert head.endswith(f": {kind}, 8 pairs of small")
    first = next(expected.epoch(0))
    a, b = LANGUAGES[first.query_languages[0]], LANGUAGES[first.passage_languages[0]]
    texts = f"{a.replace('-', '')}q{first.rows[0]}  |  {b.replace('-', '')}p{first.rows[0]}"
    assert lines[1] == f"  {f'{a}-{b}':8} {first.rows[0]:<24}  {texts}"


def test_batches_of_an_epoch(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def shown(*options: str) -> str:
        assert main(["batches", "recipe.yaml", "-n", "99", *options]) == 0
        return capsys.readouterr().out

    assert shown().count("batch ") == 5
    assert shown("--epoch", "0") == shown()
    assert shown("--epoch", "1") != shown()
    assert shown("--set", "batches.size=20", "--set", "batches.strategy=mono").count(": mono, ") == 2


def test_batches_of_a_preset(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["batches", "tiny", "-n", "1", "--set", "data[0].rows=200"]) == 0
    assert "128 pairs of ParallelWorld" in capsys.readouterr().out


# ---- train


def test_a_run_from_its_beginning_to_its_end(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "recipe.yaml"]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if not line.lstrip().startswith("{")]
    assert said == [
        "data: small, 40 rows, 107 pairs in de, en, zh-Hant",
        "batches: hybrid, 8 pairs, 5 an epoch; 10 steps",
        "models/recipe is trained (10 steps)",
    ]
    assert [path.name for path in (here / "models").iterdir()] == ["recipe"]
    assert not (here.parent / "models.toml").exists()


def test_a_quiet_run_says_one_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "recipe.yaml", "-q"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "models/recipe is trained (10 steps)\n"
    assert "it/s" not in captured.err


def test_where_the_model_is_written(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said on the command line, by the recipe, by the name, by the recipe's file: in this order."""
    monkeypatch.setenv("HOME", str(here / "home"))
    base = ["train", "recipe.yaml", "-q", "--set", "training.max_steps=1"]
    said = ["--set", "output=said/by recipe"]
    for options, folder in [
        (["--output", "~/mine", *said, "--name", "a"], "home/mine"),
        ([*said, "--name", "b"], "said/by recipe"),
        (["--set", "output=~/ours"], "home/ours"),
        (["--name", "c"], "models/c"),
        ([], "models/recipe"),
    ]:
        assert main([*base, *options]) == 0
        assert record(here / folder).steps == 1


def test_overwrite(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", "recipe.yaml", "-q", "--output", "ours"]
    assert main([*command, "--set", "training.max_steps=1"]) == 0
    assert main(command) == 2
    told(capsys.readouterr().err, "ours is there already", "--overwrite")
    assert main([*command, "--resume"]) == 2
    assert main([*command, "--overwrite"]) == 0
    assert record(here / "ours").steps == 10


@pytest.fixture
def send(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What has this process receive signals when a step of the training is done."""
    on_step_end = StopOnSignal.on_step_end

    def send(step: int, *numbers: signal.Signals) -> None:
        def sending(self: StopOnSignal, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == step:
                for number in numbers:
                    os.kill(os.getpid(), number)
            on_step_end(self, args, state, control, **kwargs)

        monkeypatch.setattr(StopOnSignal, "on_step_end", sending)

    return send


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_says_how_to_go_on(
    number: signal.Signals, code: int, here: Path, send: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """And a run that is stopped again goes on again."""
    command = ["train", "recipe.yaml", "-q", "--output", "ours"]
    for step, options in ((3, []), (7, ["--resume"])):
        send(step, number)
        assert main([*command, *options]) == code
        captured = capsys.readouterr()
        assert captured.out == ""
        fault = captured.err.splitlines()[-1]
        assert fault == (
            f"mteb-hybrid: stopped after step {step}, with a checkpoint; the same command with --resume goes on"
        )
        assert (here / "ours.training" / f"checkpoint-{step}").is_dir()
        assert not (here / "ours").exists()
    send(0)
    assert main(command) == 2
    told(capsys.readouterr().err, "ours.training holds an unfinished training", "--resume", "--overwrite")
    assert main([*command, "--resume", "--set", "seed=1"]) == 2
    told(capsys.readouterr().err, "the recipe's seed changed since ours.training was begun")
    assert main([*command, "--resume", "--set", "loss.distill={}"]) == 2
    told(capsys.readouterr().err, "the recipe's loss.distill changed since ours.training was begun")
    write(here / "small.jsonl", rows(ragged=True)[:-1])
    assert main([*command, "--resume"]) == 2
    told(capsys.readouterr().err, "the data changed since ours.training was begun")
    write(here / "small.jsonl", rows(ragged=True))
    assert main([*command, "--resume"]) == 0
    assert main(["train", "recipe.yaml", "-q", "--output", "whole"]) == 0
    assert weights(here / "ours") == weights(here / "whole")
    assert record(here / "ours").batches_digest == record(here / "whole").batches_digest


def test_a_run_that_replaces_another_and_is_stopped(
    here: Path, send: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    send(3, signal.SIGINT)
    assert main(["train", "recipe.yaml", "-q", "--overwrite"]) == 130
    assert "with --resume in place of --overwrite goes on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("step", "end"), [(1, "the same command begins anew"), (3, "with --resume goes on from the last checkpoint")]
)
def test_a_second_signal(
    step: int, end: str, here: Path, send: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the first checkpoint, which is that of step 2, and after it."""
    send(step, signal.SIGINT, signal.SIGINT)
    assert main(["train", "recipe.yaml", "-q"]) == 130
    told(capsys.readouterr().err.splitlines()[-1], "interrupted", end)
    assert (here / "models" / "recipe.training").exists() == (step == 3)


# ---- in processes of their own

# Killed in the middle of the checkpoint of step 8: all is written but the trainer's state.
KILLED = """
import os, signal
from transformers import TrainerState

save_to_json = TrainerState.save_to_json

def killed(self, path):
    if self.global_step == 8:
        os.kill(os.getpid(), signal.SIGKILL)
    save_to_json(self, path)

TrainerState.save_to_json = killed
"""

# What mteb makes of the user's names.
NAMED = """
import json, mteb
from mteb_hybrid.registry import register

register()
for name in {names}:
    meta = mteb.get_model_meta(name)
    zero_shot = {{task: meta.is_zero_shot_on([mteb.get_task(task)]) for task in {tasks}}}
    known = sorted(meta.training_datasets) if meta.training_datasets is not None else None
    print(json.dumps({{"datasets": known, "from": meta.adapted_from, "zero-shot": zero_shot}}))
"""


class Forks:
    """Runs commands in forks of this process, which has imported all that they need: each is as good as a fresh one."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def __call__(self, *arguments: str, folder: Path, before: str = "") -> Ended:
        """Run a command in a folder; before it, execute some code."""
        out, err = self._home / "out", self._home / "err"
        env = {"HF_HUB_OFFLINE": "1", "MTEB_HYBRID_MODELS": str(self._home / "models.toml")}
        request = {"arguments": arguments, "folder": str(folder), "before": before, "env": env}
        pid = os.fork()
        if pid == 0:
            sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)  # not pytest's
            _run_forked(request | {"out": str(out), "err": str(err)})
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return Ended(code, out.read_text(), err.read_text())


@pytest.fixture
def command(tmp_path: Path) -> Forks:
    """What runs commands in processes of their own."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork on this system")
    importlib.import_module("mteb")
    home = tmp_path / "home"
    home.mkdir()
    return Forks(home)


def test_a_killed_process(here: Path, command: Forks) -> None:
    whole = command("train", "recipe.yaml", "--output", "whole", folder=here)
    assert (whole.code, whole.out.splitlines()[-1]) == (0, "whole is trained (10 steps)")
    assert command("train", "recipe.yaml", "--output", "ours", folder=here, before=KILLED).code == -9
    work = here / "ours.training"
    assert (work / "checkpoint-8" / "model.safetensors").is_file()
    assert not (work / "checkpoint-8" / "trainer_state.json").exists()
    resumed = command("train", "recipe.yaml", "--output", "ours", "--resume", folder=here)
    assert (resumed.code, resumed.out.splitlines()[-1]) == (0, "ours is trained (10 steps)")
    assert "resuming from checkpoint-6" in resumed.out
    assert weights(here / "ours") == weights(here / "whole")
    assert not work.exists()


# Nobody reads what is printed, and it is not kept back.
UNREAD = """
import os, sys

reading, writing = os.pipe()
os.close(reading)
os.dup2(writing, 1)
sys.stdout.reconfigure(line_buffering=True)
"""


def test_a_reader_that_has_seen_enough(here: Path, command: Forks) -> None:
    """The batches end, all is well; a training ends, and is not done."""
    shown = command("batches", "recipe.yaml", folder=here, before=UNREAD)
    assert (shown.code, shown.err) == (0, "")
    trained = command("train", "recipe.yaml", folder=here, before=UNREAD)
    assert trained.code == 128 + signal.SIGPIPE
    assert "Traceback" not in trained.err
    assert not (here / "models" / "recipe").exists()


def test_a_named_model_is_found_by_mteb(here: Path, command: Forks) -> None:
    """Trained on texts of a task, and then on others: neither is zero-shot on that task."""
    recipe = yaml.safe_load((here / "recipe.yaml").read_text())
    recipe["model"]["base"] = "mteb-hybrid/tiny"
    recipe["data"][0]["mteb_tasks"] = ["MLQARMonolingual"]
    recipe["training"]["save_strategy"] = "no"
    (here / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    recipe["model"]["base"] = "first"
    recipe["data"][0]["mteb_tasks"] = []
    (here / "again.yaml").write_text(yaml.safe_dump(recipe))

    first = command("train", "recipe.yaml", "--name", "first", folder=here)
    assert first.code == 0
    assert first.out.splitlines()[-1] == "next: mteb run -m first -t XQuADR"
    assert command("train", "again.yaml", "--name", "second", folder=here).code == 0
    assert record(here / "models" / "second").base == str(here / "models" / "first")
    assert record(here / "models" / "second").base_mteb_tasks == ["MLQARMonolingual"]

    tasks = ["MLQARMonolingual", "XQuADRMonolingual", "XQuADRMultilingual", "ParallelWorldMonolingual"]
    listed = command("models", "list", folder=here, before=NAMED.format(names=["first", "second"], tasks=tasks))
    *metas, one, two = listed.out.splitlines()
    assert one.split()[:2] == ["first", str(here / "models" / "first")]
    assert two.split()[:2] == ["second", str(here / "models" / "second")]
    for meta in map(json.loads, metas):
        assert meta["datasets"] == ["MLQARMonolingual"]
        assert meta["zero-shot"] == {task: task != "MLQARMonolingual" for task in tasks}
    assert json.loads(metas[0])["from"] == "mteb-hybrid/tiny"

    (here / "models" / "first" / "training.json").write_text("{")
    broken = command("models", "list", folder=here, before=NAMED.format(names=["first", "second"], tasks=tasks))
    assert broken.code == 0
    assert json.loads(broken.out.splitlines()[0])["datasets"] is None
    told(command("train", "again.yaml", "--output", "third", folder=here).err.splitlines()[-1], "first", "has changed")


# ---- real processes, and several

LONG = ("--set", "training.max_steps=1000", "--set", "training.save_steps=50", "-q")
LONG_FOR_TWO = ("--set", "training.max_steps=300", "--set", "training.save_steps=20", "-q")
PYTHON = (sys.executable, "-m", "mteb_hybrid", "train", "recipe.yaml")


def two_processes() -> tuple[str, ...]:
    """What trains with two processes. (For accelerate, --cpu is one process, unless mpirun starts more.)"""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = f"--num_processes 2 --num_machines 1 --mixed_precision no --dynamo_backend no --main_process_port {port}"
    launch = (sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", *settings.split())
    return (*launch, "-m", *PYTHON[2:])


def start(here: Path, *words: str) -> subprocess.Popen[str]:
    """Start a process, with one thread."""
    env = child_environment(here.parent) | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(words, env=env, cwd=here, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for the end of a process: its code and what it printed."""
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


def saved_steps(work: Path) -> list[int]:
    """The steps of the checkpoints that are whole; none while the folder is made anew."""
    try:
        return [int(path.parent.name.rpartition("-")[2]) for path in work.glob("checkpoint-*/trainer_state.json")]
    except FileNotFoundError:
        return []


def interrupted(here: Path, number: signal.Signals, *words: str, after: int = 0) -> tuple[int, str, str]:
    """Send a process a signal when it has written a checkpoint after some step."""
    process = start(here, *words)
    deadline = time.monotonic() + 300
    while not any(step > after for step in saved_steps(here / "ours.training")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    return ended(process)


@pytest.mark.slow
def test_a_process_interrupted_again_and_again(here: Path) -> None:
    assert ended(start(here, *PYTHON, *LONG, "--output", "whole"))[0] == 0
    ours, step = (*PYTHON, *LONG, "--output", "ours"), 0
    for number, code, options in ((signal.SIGINT, 130, ()), (signal.SIGTERM, 143, ("--resume",))):
        returned, out, err = interrupted(here, number, *ours, *options, after=step)
        assert (returned, out) == (code, "")
        (line,) = (line for line in err.splitlines() if line.startswith("mteb-hybrid:"))
        stopped = int(re.sub(r".*after step ([\d,]+), with a checkpoint; .*", r"\1", line).replace(",", ""))
        assert step < stopped < 1000
        assert (here / "ours.training" / f"checkpoint-{stopped}").is_dir()
        assert "Traceback" not in err
        step = stopped
    assert ended(start(here, *ours, "--resume"))[0] == 0
    assert weights(here / "ours") == weights(here / "whole")


@pytest.mark.slow
def test_two_processes_train_on_the_batches_of_one(here: Path) -> None:
    """Also where a validation is smaller than a batch; what is written and said comes from one of them."""
    validation = ("--set", "validation.share=0.1", "--set", "validation.every=5")
    code, out, err = ended(start(here, *two_processes(), *validation, "--set", "batches.size=4"))
    assert code == 0, err
    said = [line for line in out.splitlines() if not line.lstrip().startswith("{")]
    assert said == [
        "data: small, 40 rows, 107 pairs in de, en, zh-Hant",
        "validation: 4 pairs",
        "batches: hybrid, 8 pairs, 4 an epoch; 10 steps",
        "models/recipe is trained (10 steps)",
    ]
    assert [path.name for path in (here / "models").iterdir()] == ["recipe"]
    two = record(here / "models" / "recipe")
    assert (two.processes, two.batch_size, two.steps) == (2, 8, 10)
    assert len([entry for entry in two.curve if "eval_loss" in entry]) == 2
    assert main(["train", "recipe.yaml", "--output", "one", *validation]) == 0
    one = record(here / "one")
    assert (one.processes, one.batch_size) == (1, 8)
    assert two.batches_digest == one.batches_digest


@pytest.mark.slow
def test_two_processes_interrupted(here: Path) -> None:
    """They stop at one step, and resumed end with the weights of two that were not; one does not resume two."""
    code, _, err = ended(start(here, *two_processes(), *LONG_FOR_TWO, "--output", "whole"))
    assert code == 0, err
    code, _, err = interrupted(here, signal.SIGINT, *two_processes(), *LONG_FOR_TWO, "--output", "ours")
    assert code
    assert not (here / "ours").exists()
    (line,) = (line for line in err.splitlines() if line.startswith("mteb-hybrid:"))
    assert "with a checkpoint; the same command with --resume goes on" in line
    code, _, err = ended(start(here, *PYTHON, *LONG_FOR_TWO, "--output", "ours", "--resume"))
    assert code == 2
    told(err, "the number of processes changed")
    code, _, err = ended(start(here, *two_processes(), *LONG_FOR_TWO, "--output", "ours", "--resume"))
    assert code == 0, err
    assert weights(here / "ours") == weights(here / "whole")
    assert record(here / "ours").batches_digest == record(here / "whole").batches_digest
