"""A planted token is in no file, log, card, error or report: not as it is, not in base64, not quoted for an address."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

from mteb_hybrid.cli import main
from mteb_hybrid.data.own import save_collection
from mteb_hybrid.data.world import generate_world
from mteb_hybrid.errors import HybridError, without_tokens
from tests.hostile.strategies import LONG_FORM
from tests.hub.repositories import Account
from tests.hub.server import Fault, HubServer
from tests.publishing.desk import RECIPE, Desk, Ended, Worker, ok, working

long_form = pytest.mark.skipif(not LONG_FORM, reason="a minute of commands: FUZZ_EXAMPLES=1 or more runs them")

TOKEN = "hf_" + "PlantedSecretOfTheTests" + "Qx7"
PASSWORD = "p@ss/word+Planted="
IN_ADDRESS = f"https://ada:{TOKEN}@files.example/pairs.jsonl"


def forms(secret: str) -> dict[str, bytes]:
    """How a secret may be written."""
    found = {"as it is": secret, "for an address": quote(secret, safe=""), "in JSON": json.dumps(secret)[1:-1]}
    for shift in range(3):
        packed = base64.b64encode(b"x" * shift + secret.encode()).decode()
        found[f"in base64, {shift}"] = packed[4 if shift else 0 :].rstrip("=")[:-2]
    found["in hexadecimal"] = secret.encode().hex()
    found["backwards"] = secret[::-1]
    return {name: text.encode() for name, text in found.items()}


FORMS = {f"{what}: {name}": form for what in (TOKEN, PASSWORD) for name, form in forms(what).items()}


def in_files(folder: Path, planted: set[Path]) -> list[str]:
    """Where a form of a secret is found in a folder, but for the files that it was planted in."""
    return [
        f"{path.relative_to(folder)} ({name})"
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and path.resolve() not in planted
        for content in [path.read_bytes()]
        for name, form in FORMS.items()
        if form in content
    ]


def in_output(ended: Ended) -> list[str]:
    return [name for name, form in FORMS.items() if form in (ended.out + ended.err).encode()]


@pytest.fixture(scope="module")
def hub() -> Iterator[HubServer]:
    with HubServer(accounts={TOKEN: Account("alice", "write", {"ORG": "write"})}, delay=0.2) as server:
        yield server


@pytest.fixture(scope="module")
def worker(hub: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with working(hub, tmp_path_factory.mktemp("secrets") / "scratch") as worker:
        yield worker


@pytest.fixture(scope="module")
def desk(worker: Worker, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A folder with a model that was trained, published and evaluated with the token in the environment."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "recipe.yaml").write_text(RECIPE)
    save_collection(generate_world(12, languages=("en", "de")), folder / "small.jsonl")
    desk = Desk(folder, worker, token=TOKEN)
    ok(desk.run("train", "recipe.yaml", "--name", "ours", "-q"))
    return desk


def check(desk: Desk, ended: Ended, planted: set[Path] | None = None) -> None:
    """Look everywhere that a command may have written to."""
    assert in_output(ended) == []
    assert in_files(desk.folder, planted or set()) == []
    assert in_files(desk.worker.scratch / "hub", planted or set()) == []


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    for name, form in FORMS.items():
        (tmp_path / "file").write_bytes(b"before " + form + b" after")
        assert name.partition(":")[0] in str(in_files(tmp_path, set())), name
    auth = base64.b64encode(f"ada:{TOKEN}".encode())
    (tmp_path / "file").write_bytes(auth)
    assert in_files(tmp_path, set()) != [], "as a browser sends it"
    assert in_files(tmp_path, {(tmp_path / "file").resolve()}) == []


IN_PROCESS = (
    ["train", f"https://ada:{TOKEN}@hub.example/recipe.yaml"],
    ["batches", "recipe.yaml", "--set", f"model.base=[{TOKEN}"],
    ["batches", "recipe.yaml", "--set", f"{TOKEN}=1"],
    ["batches", "secret.yaml"],
    ["data", "build", f"https://ada:{quote(PASSWORD, safe='')}@hub.example/build.yaml"],
    ["data", "card", f"https://ada:{TOKEN}@hub.example/corpus"],
    ["models", "add", "secret", f"https://ada:{TOKEN}@hub.example/ORG/x"],
    ["models", "remove", TOKEN],
    ["table", f"results/{TOKEN}"],
    ["recommend", IN_ADDRESS],
)


@pytest.mark.parametrize("words", IN_PROCESS, ids=lambda words: f"{words[0]} {words[1][:8]}")
def test_a_token_that_is_mistyped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MTEB_HYBRID_MODELS", str(tmp_path / "models.toml"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    (tmp_path / "secret.yaml").write_text(f"{RECIPE}\nseed: {TOKEN}\n")
    assert main(words) == 2
    told = capsys.readouterr()
    assert in_output(Ended(2, told.out, told.err)) == []
    assert in_files(tmp_path, {(tmp_path / "secret.yaml").resolve()}) == []


def test_no_fault_tells_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "no-form-that-is-known"
    monkeypatch.setenv("HF_TOKEN", secret)
    packed = base64.b64encode(secret.encode()).decode()
    for said in (secret, quote(secret), packed, f"https://ada:{secret}@x/y", f"/a/https:/ada:{secret}@x/y", TOKEN):
        assert said not in str(HybridError(f"no {said} here"))
        assert "***" in without_tokens(f"no {said} here")
    for harmless in ("hf_subset de-all", "a/b@1234567", "user@host", "https://huggingface.co/x@y", "api_key", "hf_hub"):
        assert str(HybridError(harmless)) == harmless


@pytest.mark.slow
@long_form
def test_every_command_that_asks_the_hub(desk: Desk, hub: HubServer) -> None:
    """One after the other: what the next one needs, the one before has made."""
    published = ok(desk.run("publish", "ours", "--to", "ORG/ours", "--license", "mit"))
    assert "ORG/ours" in published
    hubs = {"preset": "tiny", "model": {"base": "ORG/ours"}, "data": [{"source": "ParallelWorld", "rows": 64}],
            "batches": {"size": 16}, "training": {"max_steps": 2, "use_cpu": True}}  # fmt: skip
    (desk.folder / "hub.yaml").write_text(yaml.safe_dump(hubs))
    study = {"recipe": hubs, "grids": [{"seed": 1}], "baselines": ["ORG/ours"], "tasks": ["ParallelWorldLanguageBias"]}
    (desk.folder / "study.yaml").write_text(yaml.safe_dump(study))
    commands = (
        ("publish-task", "ParallelWorld", "--to", "ORG/parallel-world"),
        ("train", "hub.yaml", "--name", "of-the-hub", "-v"),
        ("evaluate", "-m", "ORG/ours", "--data", "small.jsonl", "-v"),
        ("evaluate", "-m", "of-the-hub", "--data", "small.jsonl"),
        ("table", "results"),
        ("report", "results", "-o", "report.html", "--figures", "figures"),
        (
            "publish",
            "of-the-hub",
            "--to",
            "ORG/of-the-hub",
            "--results",
            "results",
            "--license",
            "mit",
            "--mteb",
            "mteb",
        ),
        ("models", "list"),
        ("study", "study.yaml", "--dry-run"),
    )
    for words in commands:
        check(desk, Ended(0, ok(desk.run(*words)), ""))
    check(desk, desk.run("doctor"))
    for repository in hub.hub.repositories.values():
        for branch in repository.branches:
            for path, content in repository.files(branch).items():
                assert not [name for name, form in FORMS.items() if form in content], path
    assert len(hub.requests) > 30 and {record.user for record in hub.requests} >= {"alice"}


STATUSES: tuple[Fault, ...] = (401, 403, 500)


@pytest.mark.slow
@long_form
@pytest.mark.parametrize("status", STATUSES)
def test_a_hub_that_says_the_token_back(desk: Desk, hub: HubServer, status: Fault) -> None:
    said = f"Bearer {TOKEN} of https://ada:{TOKEN}@hub.example {base64.b64encode(TOKEN.encode()).decode()} is no good"
    commands: tuple[tuple[str, ...], ...] = (
        ("publish", "ours", "--to", f"ORG/new-{status}", "--license", "mit"),
        ("publish-task", "ParallelWorld", "--to", f"ORG/new-data-{status}"),
        ("train", "recipe.yaml", "--set", f"model.base=ORG/none-{status}", "--output", f"models/{status}", "-v"),
        ("evaluate", "-m", f"ORG/none-{status}", "--data", "small.jsonl", "-v"),
        ("merge", "ours", f"ORG/none-{status}", "--output", f"merged-{status}"),
        ("debias", "fit", "-m", f"ORG/none-{status}", "--pairs", "ParallelWorld", "--rows", "8", "--method", "shift",
         "-o", "x.safetensors"),
        ("train", "recipe.yaml", "--set", f"data=[{{source: ORG/none-{status}}}]", "--output", f"models/d{status}"),
    )  # fmt: skip
    for endpoint in ("whoami", "info", "resolve", "refs", "create", "preupload", "commit", "tree"):
        hub.fail(endpoint, status, times=None, message=said)
    try:
        for words in commands:
            ended = desk.run(*words)
            assert ended.code not in {0, None}, words
            check(desk, ended)
            assert "Traceback" not in ended.err, (words, ended.err[-2000:])
            assert ended.code == 2, (words, ended.err[-2000:])
    finally:
        hub.heal()


def _in_token_file(folder: Path, worker: Worker) -> set[Path]:
    path = worker.scratch / "hub" / "token"
    path.parent.mkdir(exist_ok=True)
    path.write_text(TOKEN)
    return {path.resolve()}


def _in_base(folder: Path, _: Worker) -> set[Path]:
    return _recipe(folder, model={"base": f"https://ada:{TOKEN}@hub.example/ORG/x"})


def _in_source(folder: Path, _: Worker) -> set[Path]:
    return _recipe(folder, data=[{"source": IN_ADDRESS}])


def _in_password(folder: Path, _: Worker) -> set[Path]:
    return _recipe(folder, data=[{"source": f"https://ada:{quote(PASSWORD, safe='')}@files.example/x.jsonl"}])


def _in_training(folder: Path, _: Worker) -> set[Path]:
    return _recipe(folder, training={"hub_token": TOKEN})


def _in_wrong_value(folder: Path, _: Worker) -> set[Path]:
    return _recipe(folder, seed=TOKEN)


def _in_comment(folder: Path, _: Worker) -> set[Path]:
    planted = _recipe(folder, training={"max_steps": 1, "use_cpu": True})
    path = folder / "secret.yaml"
    path.write_text(f"# HF_TOKEN={TOKEN}\n{path.read_text()}")
    return planted


def _recipe(folder: Path, **changes: object) -> set[Path]:
    path = folder / "secret.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(RECIPE), **changes}))
    return {path.resolve()}


@pytest.mark.slow
@long_form
@pytest.mark.parametrize(
    "plant", [_in_token_file, _in_base, _in_source, _in_password, _in_training, _in_wrong_value, _in_comment]
)
def test_a_token_where_a_user_may_put_it(
    desk: Desk, worker: Worker, plant: Callable[[Path, Worker], set[Path]]
) -> None:
    planted = plant(desk.folder, worker)
    user = Desk(desk.folder, worker, token=None) if plant is _in_token_file else desk
    try:
        if plant is _in_token_file:
            check(
                user, Ended(0, ok(user.run("publish", "ours", "--to", "ORG/by-file", "--license", "mit")), ""), planted
            )
            return
        ended = user.run("train", "secret.yaml", "--output", f"models/{plant.__name__}", "-v")
        check(user, ended, planted)
        assert (ended.code == 0) is (plant is _in_comment), ended.err[-2000:]
        assert "Traceback" not in ended.err
    finally:
        for path in planted:
            path.unlink()


@pytest.mark.slow
@long_form
@pytest.mark.parametrize(
    "words",
    [
        ("train", "recipe.yaml", "--set", f"data[0].source={IN_ADDRESS}", "--output", "models/x"),
        ("train", "recipe.yaml", "--set", f"training.hub_token={TOKEN}", "--output", "models/x"),
        ("train", f"https://ada:{TOKEN}@hub.example/recipe.yaml", "--output", "models/x"),
        ("evaluate", "-m", f"https://ada:{TOKEN}@hub.example/ORG/x", "--data", "small.jsonl", "-v"),
        ("evaluate", "-m", "ours", "--data", IN_ADDRESS),
        ("publish", "ours", "--to", f"ORG/{TOKEN}@x"),
        ("models", "add", "secret", f"https://ada:{TOKEN}@hub.example/ORG/x"),
        ("study", f"https://ada:{TOKEN}@hub.example/study.yaml"),
        ("report", f"results/{TOKEN}"),
        ("table", "results", TOKEN),
    ],
    ids=lambda words: words[0],
)
def test_a_token_on_the_command_line(desk: Desk, words: tuple[str, ...]) -> None:
    ended = desk.run(*words)
    assert ended.code == 2, ended.err[-2000:]
    check(desk, ended)
