"""Registration in the real mteb: each check in a fork of one process that has imported mteb and then the plugin.

Run as a script, this file is that process. A check ends well if nothing is raised.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
OURS = [
    *(f"{name}{part}" for name in ("MLQAR", "ParallelWorld", "XQuADR") for part in ("", "CrossLingual")),
    *(f"{name}{part}" for name in ("MLQAR", "ParallelWorld", "XQuADR") for part in ("LanguageBias", "Monolingual")),
    *(f"{name}Multilingual" for name in ("MLQAR", "ParallelWorld", "XQuADR")),
    "XQuADRXtremeR",
    *(
        f"MLIR{name}{part}"
        for name in ("Belebele", "MLQA", "XQuAD", "MultiEuP")
        for part in ("", "CrossLingual", "LanguageBias", "Monolingual", "Multilingual")
    ),
]
AGGREGATES = {"MLQAR", "ParallelWorld", "XQuADR", "MLIRBelebele", "MLIRMLQA", "MLIRXQuAD", "MLIRMultiEuP"}
LABSE = "sentence-transformers/LaBSE"
NAMES = """
[ours]
source = "{folder}"
revision = "{revision}"
[paper]
source = "ada/paper"
[pinned]
source = "ada/pinned"
revision = "v1"
[labse]
source = "sentence-transformers/LaBSE"
[old-labse]
source = "sentence-transformers/LaBSE"
revision = "0123456789abcdef0123456789abcdef01234567"
"""

Check = Callable[[], object]
CHECKS: dict[str, Check] = {}
before: dict[str, Any] = {}
"""What mteb held before the plugin came."""


def check(function: Check) -> Check:
    """Have a function called in a fork."""
    CHECKS[function.__name__] = function
    return function


def raises(call: Check, *parts: str) -> None:
    """The call raises a HybridError of one line that holds all parts."""
    from mteb_hybrid.errors import HybridError

    try:
        call()
    except HybridError as error:
        assert str(error).isprintable()
        for part in parts:
            assert part in str(error), error
    else:
        raise AssertionError(f"no HybridError with {parts}")


def use_names(content: str) -> None:
    """Let this process have other short names."""
    path = Path(os.environ["MTEB_HYBRID_MODELS"]).with_name(f"{os.getpid()}.toml")
    path.write_text(content)
    os.environ["MTEB_HYBRID_MODELS"] = str(path)


def get_tasks_module() -> Any:
    import importlib

    return importlib.import_module("mteb.get_tasks")


def get_model_meta_module() -> Any:
    import importlib

    return importlib.import_module("mteb.models.get_model_meta")


# ---- tasks and benchmarks


@check
def every_task_is_known_by_its_name() -> None:
    import mteb
    from mteb.abstasks import AbsTaskRetrieval
    from mteb.abstasks.aggregated_task import AbsTaskAggregate

    from mteb_hybrid import tasks
    from mteb_hybrid.registry import registered_tasks

    assert sorted(tasks.__all__) == sorted(registered_tasks()) == sorted(OURS)
    for name in OURS:
        task = mteb.get_task(name)
        assert type(task) is getattr(tasks, name)
        assert task.metadata.name == name
        assert isinstance(task, AbsTaskAggregate if name in AGGREGATES else AbsTaskRetrieval)


@check
def filters_find_our_tasks() -> None:
    import mteb

    ours = {name for name in OURS if not name.startswith("MLIR")}

    def found(**filters: Any) -> set[str]:
        return {task.metadata.name for task in mteb.get_tasks(**filters)} & ours

    assert found() == ours
    assert found(task_types=["Retrieval"], languages=["deu"]) == ours
    assert found(task_types=["Clustering"]) == set()
    thai = {name for name in ours if name.startswith("XQuADR")}
    assert found(languages=["tha"]) == thai
    assert found(languages=["jpn"]) == set()
    assert found(script=["Grek"]) == {name for name in ours if not name.startswith("MLQAR")}
    parts = ours - AGGREGATES
    assert found(domains=["Constructed"]) & parts == {name for name in parts if name.startswith("ParallelWorld")}
    assert found(domains=["Encyclopaedic"]) & parts == {name for name in parts if not name.startswith("Parallel")}
    assert found(exclude_aggregate=True) == parts


@check
def a_language_keeps_its_subsets() -> None:
    import mteb

    def subsets(name: str, **filters: Any) -> set[str]:
        return set(mteb.get_task(name, **filters).hf_subsets)

    assert subsets("XQuADRMonolingual", languages=["deu", "tha"]) == {"de-de", "th-th"}
    cross = subsets("XQuADRCrossLingual", languages=["deu"])
    assert cross == {f"{a}-{b}" for a in XQUAD for b in XQUAD if a != b and "de" in (a, b)}
    both = subsets("XQuADRCrossLingual", languages=["deu", "tha"], exclusive_language_filter=True)
    assert both == {"de-th", "th-de"}
    assert subsets("XQuADRCrossLingual", hf_subsets=["ar-de"]) == {"ar-de"}
    assert len(subsets("XQuADRCrossLingual")) == 110  # a filter does not stay
    (task,) = mteb.get_tasks(tasks=["MLQARMonolingual"], languages=["zho"])
    assert task.hf_subsets == ["zh-zh"]


XQUAD = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")


@check
def benchmarks_are_known() -> None:
    import mteb

    public = [task.metadata.name for task in mteb.get_benchmark("HybridBatch").tasks]
    paper = [task.metadata.name for task in mteb.get_benchmark("HybridBatch(paper)").tasks]
    assert sorted(public) == ["MLQAR", "MLQARLanguageBias", "XQuADR", "XQuADRLanguageBias", "XQuADRXtremeR"]
    assert sorted(paper) == sorted([*public, "MIRACLRetrieval"])
    names = {benchmark.name for benchmark in mteb.get_benchmarks()}
    assert {"HybridBatch", "HybridBatch(paper)", "MTEB(eng, v2)"} <= names
    for name in ("HybridBatch", "HybridBatch(paper)"):
        benchmark = mteb.get_benchmark(name)
        assert benchmark.description
        assert benchmark.reference
        assert benchmark.citation


@check
def the_command_line_of_mteb_lists_them() -> None:
    import contextlib
    import io

    from mteb.cli.build_cli import main

    os.environ["COLUMNS"] = "300"
    for arguments in (["available-tasks", "-l", "deu"], ["available-benchmarks", "-b", "HybridBatch"]):
        sys.argv = ["mteb", *arguments]
        listed = io.StringIO()
        with contextlib.redirect_stdout(listed):
            main()
        words = {word.strip(",.") for word in listed.getvalue().split()}
        assert {"XQuADR", "XQuADRLanguageBias", "MLQAR"} <= words, listed.getvalue()[-3000:]


@check
def registering_twice_changes_nothing() -> None:
    import mteb
    from mteb.benchmarks import benchmarks
    from mteb.models.model_implementations import MODEL_REGISTRY

    from mteb_hybrid.registry import register

    def state() -> object:
        tasks, models = get_tasks_module(), get_model_meta_module()
        return (
            tasks.TASK_LIST,
            dict(tasks._TASKS_REGISTRY),
            {name: list(similar) for name, similar in tasks._SIMILAR_TASKS.items()},
            {name: id(meta) for name, meta in MODEL_REGISTRY.items() if name not in {"local/ours", "ada/pinned@v1"}}
            | {name: meta.revision for name, meta in MODEL_REGISTRY.items()},
            dict(models._MODEL_RENAMES),
            sorted(vars(benchmarks)),
            mteb.evaluate,
            sys.excepthook,
        )

    mteb.get_benchmark("HybridBatch")
    once = state()
    register()
    register()
    mteb.get_benchmark("HybridBatch")
    again = state()
    for first, second in zip(once, again, strict=True):  # type: ignore[call-overload]
        if not (isinstance(first, dict) and any("@" in key for key in first)):
            assert first == second


@check
def what_is_mtebs_own_is_unharmed() -> None:
    import mteb
    from mteb.models.model_implementations import MODEL_REGISTRY

    tasks, models = get_tasks_module(), get_model_meta_module()
    count = len(before["tasks"])
    assert count > 1000
    assert tasks.TASK_LIST[:count] == before["tasks"]
    assert sorted(task.metadata.name for task in tasks.TASK_LIST[count:]) == sorted(OURS)
    own = {name: task for name, task in tasks._TASKS_REGISTRY.items() if name not in OURS}
    assert own == before["registry"]
    assert len(before["models"]) > 300
    for name, meta in before["models"].items():
        assert MODEL_REGISTRY[name] is meta
    new = set(MODEL_REGISTRY) - set(before["models"])
    named = {"local/ours", "ada/pinned@v1", f"{LABSE}@{'0123456789abcdef' * 2}01234567"}
    assert new == {"facebook/LASER2", "mteb-hybrid/tiny", *named}
    renames = {name: key for name, key in models._MODEL_RENAMES.items() if name in before["renames"]}
    assert renames == before["renames"]
    assert set(models._MODEL_RENAMES) - set(renames) == {"ours", "paper", "pinned", "labse", "old-labse"}
    assert mteb.get_task("STS12").metadata.name == "STS12"
    assert mteb.get_task("MIRACLRetrieval", languages=["deu"]).hf_subsets == ["de"]
    assert mteb.get_model_meta(LABSE).revision == before["models"][LABSE].revision
    assert mteb.evaluate.__name__ == "evaluate"


@check
def another_task_under_one_of_our_names_is_told() -> None:
    import mteb

    from mteb_hybrid import tasks
    from mteb_hybrid.registry import register, register_tasks

    class Impostor(tasks.XQuADRMonolingual):  # type: ignore[misc, valid-type]
        pass

    raises(lambda: register_tasks([Impostor]), "XQuADRMonolingual", "another task", "rename yours")
    assert type(mteb.get_task("XQuADRMonolingual")) is tasks.XQuADRMonolingual
    get_tasks_module()._TASKS_REGISTRY["MLQAR"] = Impostor
    raises(register, "another task named MLQAR", "MTEB_HYBRID_AUTOLOAD=0")


@check
def one_of_mtebs_names_cannot_be_taken() -> None:
    import mteb

    from mteb_hybrid.data.world import generate_world
    from mteb_hybrid.evaluation.own import collection_tasks
    from mteb_hybrid.registry import register_tasks

    tasks = collection_tasks(generate_world(3, name="STS12"))
    known = get_tasks_module()._TASKS_REGISTRY["STS12"]
    raises(lambda: register_tasks(tasks), "another task named STS12")
    assert type(mteb.get_task("STS12")) is known
    names = [task.metadata.name for task in get_tasks_module().TASK_LIST]
    assert len(names) == len(set(names))


@check
def an_mteb_without_a_private_name_is_not_supported() -> None:
    from mteb_hybrid.registry import register

    del get_tasks_module()._SIMILAR_TASKS
    raises(register, "mteb.get_tasks._SIMILAR_TASKS is gone", "is not supported", "pip install 'mteb>=2.26.5,<3'")


@check
def similar_tasks_are_ours_once() -> None:
    from mteb_hybrid import tasks
    from mteb_hybrid.registry import register, register_tasks

    class Adapted(tasks.XQuADRMonolingual):  # type: ignore[misc, valid-type]
        metadata = tasks.XQuADRMonolingual.metadata.model_copy(update={"name": "Adapted", "adapted_from": ["STS12"]})

    register_tasks([Adapted])
    register_tasks([Adapted])
    register()
    assert get_tasks_module()._SIMILAR_TASKS["STS12"].count("Adapted") == 1


# ---- models


@check
def a_short_name_is_a_model_for_mteb() -> None:
    import mteb
    import torch

    from mteb_hybrid.models import read_models

    warnings.simplefilter("ignore")
    meta, named = mteb.get_model_meta("ours"), read_models()["ours"]
    assert (meta.name, meta.revision) == ("local/ours", named.revision)
    assert mteb.get_model_meta("local/ours") is meta
    for name in ("ours", "local/ours"):
        model: Any = mteb.get_model(name, device="cpu")
        assert model.mteb_model_meta.name == "local/ours"
        assert model.mteb_model_meta.revision == named.revision
    vectors = torch.as_tensor(model.model.encode(["one", "two"]))
    tiny: Any = mteb.get_model("mteb-hybrid/tiny", device="cpu")
    expected = torch.as_tensor(tiny.model.encode(["one", "two"]))
    assert torch.allclose(vectors, expected, atol=1e-6)


@check
def a_folder_that_changed_is_told_when_it_is_loaded() -> None:
    import mteb

    from mteb_hybrid.models import read_models

    warnings.simplefilter("ignore")
    new = Path(read_models()["ours"].source) / "new.json"
    new.touch()
    raises(lambda: mteb.get_model("ours", device="cpu"), "has changed", "`mteb-hybrid models add ours PATH`")
    new.unlink()


@check
def hub_ids_with_and_without_revision() -> None:
    import mteb
    from mteb.models import ModelMeta

    warnings.simplefilter("ignore")
    asked: list[tuple[str, str | None]] = []

    def from_hub(name: str, revision: str | None = None, **_: Any) -> ModelMeta:
        asked.append((name, revision))
        overwrites = {"name": name, "revision": revision or "newest", "loader": lambda *_, **__: Loaded()}
        return ModelMeta.create_empty(overwrites=overwrites)

    class Loaded:
        mteb_model_meta: Any = None

    ModelMeta.from_hub = staticmethod(from_hub)  # type: ignore[assignment]
    meta = mteb.get_model_meta("paper", fetch_from_hf=True)
    assert (meta.name, meta.revision) == ("ada/paper", "newest")
    assert asked == [("ada/paper", None)]
    pinned = mteb.get_model_meta("pinned")
    assert (pinned.name, pinned.revision) == ("ada/pinned", "v1")
    newest = mteb.get_model_meta("ada/pinned", fetch_from_hf=True)  # the Hub id itself is not pinned by a short name
    assert (newest.name, newest.revision) == ("ada/pinned", "newest")
    asked.clear()
    pinned.load_model()
    assert asked == [("ada/pinned", "v1")]


@check
def a_hub_id_that_mteb_knows_with_another_revision() -> None:
    import mteb

    warnings.simplefilter("ignore")
    own, old = before["models"][LABSE], mteb.get_model_meta("old-labse")
    assert mteb.get_model_meta(LABSE) is own
    assert mteb.get_model_meta("labse") is own
    assert (old.name, old.revision) == (LABSE, f"{'0123456789abcdef' * 2}01234567")
    assert own.revision != old.revision


@check
def a_name_given_anew_while_the_process_runs() -> None:
    import mteb

    from mteb_hybrid.models import add_model
    from mteb_hybrid.registry import register

    warnings.simplefilter("ignore")
    use_names("")
    add_model("ours", LABSE)
    add_model("pinned", "ada/pinned", "v2")
    add_model("old-labse", LABSE, "fedcba")
    register()
    assert mteb.get_model_meta("ours") is before["models"][LABSE]
    assert mteb.get_model_meta("pinned").revision == "v2"
    assert mteb.get_model_meta("old-labse").revision == "fedcba"
    assert mteb.get_model_meta(LABSE) is before["models"][LABSE]


@check
def a_name_from_a_hub_id_that_mteb_knows_can_be_given_anew() -> None:
    import mteb

    from mteb_hybrid.models import add_model
    from mteb_hybrid.registry import register

    warnings.simplefilter("ignore")
    use_names("")
    add_model("labse", "ada/pinned", "v2")
    register()
    assert mteb.get_model_meta("labse").name == "ada/pinned"
    assert mteb.get_model_meta("labse").revision == "v2"


@check
def a_broken_file_of_names_costs_only_the_names() -> None:
    """Nothing else that the plugin brings is lost with them."""
    path = Path(os.environ["MTEB_HYBRID_MODELS"]).with_name("broken.toml")
    path.write_text("[x")
    code = "import mteb_hybrid, mteb; print(len(mteb.get_benchmark('HybridBatch').tasks), mteb.get_task('XQuADR'))"
    process = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "MTEB_HYBRID_MODELS": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith("5 XQuADR")
    (line,) = process.stderr.splitlines()
    assert line.startswith(f"mteb-hybrid: not all short names are registered: {path} is not TOML")


@check
def a_short_name_that_is_mtebs_own() -> None:
    import mteb

    from mteb_hybrid.models import add_model
    from mteb_hybrid.registry import register, register_named_models

    warnings.simplefilter("ignore")
    use_names("[bm25s]\nsource = 'ada/x'\n[mine]\nsource = 'ada/x'\nrevision = 'v1'\n")
    register()
    raises(register_named_models, "bm25s is mteb's own name for mteb/baseline-bm25s", os.environ["MTEB_HYBRID_MODELS"])
    assert mteb.get_model_meta("bm25s").name == "mteb/baseline-bm25s"
    assert mteb.get_model_meta("mine").name == "ada/x"
    raises(lambda: add_model("bm25s", "ada/x"), "bm25s is mteb's own name for mteb/baseline-bm25s; choose another")
    add_model("mine", "ada/y")  # given anew


# ---- encodings shared by the tasks of a run


@check
def one_run_encodes_each_text_once() -> None:
    import mteb

    from mteb_hybrid.evaluation.encodings import SharedEncodings
    from mteb_hybrid.evaluation.shared_run import current_run
    from tests.evaluation.encoders import HashEncoder

    encoder = HashEncoder()
    tasks = [mteb.get_task(name, languages=["deu", "ell"]) for name in ("ParallelWorld", "ParallelWorldLanguageBias")]
    mteb.evaluate(encoder, tasks, cache=None, show_progress_bar=False)
    assert set(encoder.asked.values()) == {1}
    assert Counter(role for role, _ in encoder.asked) == distinct_texts()
    assert current_run() is None
    gc.collect()
    assert not [thing for thing in gc.get_objects() if isinstance(thing, SharedEncodings)]


@check
def a_run_that_fails_frees_its_encodings() -> None:
    import mteb

    from mteb_hybrid.evaluation.encodings import SharedEncodings
    from mteb_hybrid.evaluation.shared_run import current_run
    from tests.evaluation.encoders import HashEncoder

    class Fails(HashEncoder):
        def similarity(self, *_: Any) -> Any:
            raise MemoryError

    try:
        mteb.evaluate(Fails(), mteb.get_task("ParallelWorldMonolingual"), cache=None, show_progress_bar=False)
    except MemoryError:
        pass
    else:
        raise AssertionError("it did not fail")
    assert current_run() is None
    gc.collect()
    assert not [thing for thing in gc.get_objects() if isinstance(thing, SharedEncodings)]


@check
def a_meta_in_place_of_a_model_shares_too() -> None:
    import mteb
    from mteb.models import ModelMeta
    from mteb.models.sentence_transformer_wrapper import SentenceTransformerEncoderWrapper as Wrapper

    asked: Counter[tuple[str, str]] = Counter()
    encode = Wrapper.encode

    def counted(self: Any, inputs: Any, *, prompt_type: Any, **kwargs: Any) -> Any:
        asked.update((prompt_type.value, text) for batch in inputs for text in batch["text"])
        return encode(self, inputs, prompt_type=prompt_type, **kwargs)

    Wrapper.encode = counted  # type: ignore[assignment, method-assign]
    meta = mteb.get_model_meta("mteb-hybrid/tiny")
    assert isinstance(meta, ModelMeta)
    mteb.evaluate(
        meta,
        [mteb.get_task(name) for name in ("ParallelWorldMonolingual", "ParallelWorldLanguageBias")],
        cache=None,
        show_progress_bar=False,
    )
    assert set(asked.values()) == {1}
    assert Counter(role for role, _ in asked) == distinct_texts()


def distinct_texts() -> Counter[str]:
    """How many texts ParallelWorld has, by role."""
    from mteb_hybrid.data.world import generate_world

    world = generate_world(400)
    return Counter(
        query=len({text for table in world.queries.values() for text in table.texts}),
        document=len({text for table in world.passages.values() for text in table.texts}),
    )


# ---- faults, as processes tell them


def run_without_data(program: str) -> None:
    """What ``mteb run`` does where MTEB_HYBRID_DATA names an empty folder."""
    from mteb.cli.build_cli import main

    empty = Path(os.environ["MTEB_HYBRID_MODELS"]).with_name("empty")
    empty.mkdir(exist_ok=True)
    os.environ["MTEB_HYBRID_DATA"] = str(empty)
    arguments = ["run", "-m", "mteb-hybrid/tiny", "-t", "XQuADRMonolingual", "-v", "0"]
    sys.argv = [program, *arguments, "--output-folder", str(empty.with_name("results"))]
    main()


@check
def fault_in_the_script_mteb() -> None:
    run_without_data("/somewhere/bin/mteb")


@check
def fault_in_python_m_mteb() -> None:
    run_without_data("/somewhere/site-packages/mteb/__main__.py")


@check
def fault_in_a_script_of_the_users() -> None:
    run_without_data("/home/ada/evaluate.py")


@check
def other_fault_in_the_script_mteb() -> None:
    sys.argv = ["mteb"]
    raise KeyError("something else")


# ---- the process of the checks, and the tests


def serve(home: Path) -> None:
    """Run each check in a fork; write exit codes and what was told on stderr."""
    import mteb
    from mteb.models.model_implementations import MODEL_REGISTRY

    tasks = get_tasks_module()
    before["tasks"], before["registry"] = tasks.TASK_LIST, dict(tasks._TASKS_REGISTRY)
    before["models"], before["renames"] = dict(MODEL_REGISTRY), dict(get_model_meta_module()._MODEL_RENAMES)
    mteb.get_benchmark("MTEB(eng, v2)")  # mteb's own benchmarks are loaded before ours are added
    save_names(home)

    import mteb_hybrid  # noqa: F401

    ended = {}
    for name, function in CHECKS.items():
        path = home / f"{name}.err"
        pid = os.fork()
        if pid == 0:
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), 2)
            function()
            if "fault_in" in name:
                return  # what ends a process is up to the interpreter
            os._exit(0)
        ended[name] = (os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), path.read_text())
    (home / "ended.json").write_text(json.dumps(ended))


def save_names(home: Path) -> None:
    """A model in a folder, made in a fork, and a file of names."""
    folder = home / "model"
    pid = os.fork()
    if pid == 0:
        from mteb_hybrid.models import fingerprint
        from mteb_hybrid.tiny import tiny_encoder

        tiny_encoder(device="cpu").save(str(folder))
        names = NAMES.format(folder=folder, revision=fingerprint(folder))
        Path(os.environ["MTEB_HYBRID_MODELS"]).write_text(names)
        os._exit(0)
    os.waitpid(pid, 0)


@dataclass(frozen=True)
class Ended:
    """A check that has ended."""

    code: int
    err: str


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """How each check ended."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork on this system")
    home = tmp_path_factory.mktemp("home")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MTEB", "COV", "HF_", "XDG_"))}
    own = {
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
        "HOME": str(home),
        "HF_HUB_OFFLINE": "1",
        "MTEB_HYBRID_MODELS": str(home / "models.toml"),
        "MTEB_HYBRID_AUTOLOAD": "0",  # the plugin is imported when mteb's own state has been noted
    }
    process = subprocess.run(
        [sys.executable, __file__, str(home)],
        env={**clean, **own},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    path = home / "ended.json"
    assert path.exists(), process.stderr
    return {name: Ended(*values) for name, values in json.loads(path.read_text()).items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CHECKS if "fault_in" not in name])
def test_check(name: str, ended: dict[str, Ended]) -> None:
    assert ended[name].code == 0, ended[name].err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fault_in_the_script_mteb", "fault_in_python_m_mteb"])
def test_a_fault_in_the_command_line_of_mteb_is_one_line(name: str, ended: dict[str, Ended]) -> None:
    assert ended[name].code == 2
    assert "Traceback" not in ended[name].err
    (line,) = [line for line in ended[name].err.splitlines() if line and "%|" not in line]  # beside mteb's bar
    assert line.startswith("mteb-hybrid: ")
    assert "xquad-r/ar.json is missing: MTEB_HYBRID_DATA must name a folder" in line


@pytest.mark.slow
def test_a_fault_elsewhere_is_a_traceback(ended: dict[str, Ended]) -> None:
    fault = ended["fault_in_a_script_of_the_users"]
    assert fault.code == 1
    assert "Traceback" in fault.err
    assert fault.err.splitlines()[-1].startswith("mteb_hybrid.errors.HybridError: ")
    other = ended["other_fault_in_the_script_mteb"]
    assert other.code == 1
    assert other.err.startswith("Traceback")
    assert other.err.splitlines()[-1] == "KeyError: 'something else'"


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
