"""A model's way to the Hub and back: published, published again, interrupted, and loaded by others.

The real client talks to a small Hub on loopback; every step is a process of its own, as it is for a user.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
import yaml
from mteb.models.model_implementations import MODEL_REGISTRY

from mteb_hybrid.errors import HybridError
from mteb_hybrid.licences import choose_license
from mteb_hybrid.publishing.publish import _data_licenses, _hub_id, _zero_shot
from mteb_hybrid.reporting.results import ModelResults
from tests.hub.repositories import Repository
from tests.hub.server import FINE_TOKEN, OTHER_TOKEN, READ_TOKEN, TOKEN, HubServer
from tests.publishing.conftest import NAME, TASKS
from tests.publishing.desk import Desk, environment, ok, refused, working
from tests.publishing.test_card import source, training

pytestmark = pytest.mark.slow


PART: dict[str, Any] = {"source": "ada/half", "revision": None, "weight": 1.0, "origin": None, "mteb_tasks": []}


@pytest.fixture
def repo(request: pytest.FixtureRequest) -> str:
    """A repository of this test's own."""
    return "ORG/" + request.node.name.replace("[", "-").rstrip("]")[:90]


@pytest.mark.parametrize(
    ("values", "hub_id"),
    [
        ({}, "ada/base"),
        ({"base": "once", "origin": "ada/base"}, "ada/base"),  # in a folder, which was trained before
        ({"base": "mteb-hybrid/tiny", "origin": "mteb-hybrid/tiny"}, None),
        ({"base": "ada/half", "origin": "ada/base", "merged_from": [PART]}, "ada/base"),
        ({"base": "ada/half", "origin": None, "merged_from": [PART]}, None),
    ],
)
def test_what_the_card_calls_the_base_model(values: dict[str, Any], hub_id: str | None) -> None:
    assert _hub_id(training(**values)) == hub_id


def test_each_source_has_its_licence_by_whatever_name() -> None:
    data = [source(name="x", license=None), source(name="x", license="mit"), source(name="x (2)", license="cc0-1.0")]
    before = source(name="older", license="cc-by-nc-4.0")
    licenses = _data_licenses(training(data=data, base_data=[before, data[0]]))
    assert licenses == {"x": None, "x (2)": "mit", "x (2) (2)": "cc0-1.0", "older": "cc-by-nc-4.0"}
    assert _data_licenses(None) == {}
    with pytest.raises(HybridError, match=r"contradicts older \(cc-by-nc-4.0\), which forbids commercial use"):
        choose_license("apache-2.0", licenses)


def test_a_benchmark_that_mteb_says_the_origin_was_trained_on_is_not_zero_shot(monkeypatch: pytest.MonkeyPatch) -> None:
    own = ModelResults("ada/ours", "rev", {"ToyMonolingual": {"de-de": {"map": 0.8}}}, {})
    assert _zero_shot(own, training(origin="ada/base")) == (("Toy",), ())
    assert _zero_shot(own, training(base_mteb_tasks=["ToyMonolingual"])) == ((), ("Toy",))
    known = SimpleNamespace(get_training_datasets=lambda: {"ToyMonolingual"})
    monkeypatch.setitem(MODEL_REGISTRY, "ada/base", known)
    assert _zero_shot(own, training(origin="ada/base")) == ((), ("Toy",))
    part = PART | {"origin": "ada/base"}
    assert _zero_shot(own, training(origin=None, merged_from=[part])) == ((), ("Toy",))


def publish(desk: Desk, repo: str, *options: str) -> str:
    return ok(desk.run("publish", NAME, "--to", repo, "--results", "results", *options))


def revision_of(desk: Desk) -> str:
    """The fingerprint of the model's folder."""
    (place,) = (desk.folder / "results" / "results" / f"local__{NAME}").iterdir()
    return place.name


EMBED = """
import json
from sentence_transformers import SentenceTransformer
model = SentenceTransformer({source!r}, revision={revision!r})
texts = ["Wer baute die Brücke?", "Ποιος έχτισε τη γέφυρα;"]
print(json.dumps([model.encode_query(texts).tolist(), model.encode_document(texts).tolist()]))
"""
BY_NAME = """
import json, mteb_hybrid, mteb
meta = mteb.get_model_meta({name!r}, fetch_from_hf=True)  # as mteb run does
print(meta.name, meta.revision)
model = mteb.get_model({name!r}).model
texts = ["Wer baute die Brücke?", "Ποιος έχτισε τη γέφυρα;"]
print(json.dumps([model.encode_query(texts).tolist(), model.encode_document(texts).tolist()]))
"""


def test_what_is_published_is_what_was_trained(desk: Desk, hub: HubServer, repo: str) -> None:
    out = publish(desk, repo, "--tag", "v1")
    repository = hub.repository(repo)
    head = repository.head()
    assert f"{NAME} is published" in out
    assert head in out
    assert repository.commit().title == f"Publish {NAME}"
    assert repository.tags == {"v1": head}
    files = repository.files()
    local = desk.folder / "models" / NAME
    for name in ("model.safetensors", "tokenizer.json", "modules.json", "config_sentence_transformers.json"):
        assert files[name] == (local / name).read_bytes()
    for task in TASKS:
        assert f".eval_results/{task}.yaml" in files
        assert json.loads(files[f"results/{task}.json"])["task_name"] == task
    assert {name for name in files if name.endswith(".svg")}
    assert not [name for name in files if name.endswith((".bin", ".pt", ".pkl", ".py"))]
    card = files["README.md"].decode()
    assert yaml.safe_load(card.split("---")[1])["license"] == "apache-2.0"
    assert "± is half the width" in card
    everything = b"".join(files.values())
    assert TOKEN.encode() not in everything
    assert str(desk.folder.parent).encode() not in everything


def without_the_package(hub: HubServer, folder: Path, code: str) -> str:
    """What a program prints in a process that has nothing of this package in it."""
    code += "\nimport sys; assert not [name for name in sys.modules if name.startswith('mteb_hybrid.')]"
    env = environment(hub, folder / "cache", token=None) | {"PYTHONPATH": "", "MTEB_HYBRID_AUTOLOAD": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_everybody_loads_the_same_model(
    desk: Desk, hub: HubServer, repo: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    publish(desk, repo)
    head = hub.repository(repo).head()
    local = desk.folder / "models" / NAME
    embedded = ok(desk.run(EMBED.format(source=str(local), revision=None), main="python"))
    meta, by_name = ok(desk.run(BY_NAME.format(name=NAME), main="python")).splitlines()[-2:]
    assert (meta, by_name) == (f"{repo} {head}", embedded.strip())
    folder = tmp_path_factory.mktemp("elsewhere")
    assert without_the_package(hub, folder, EMBED.format(source=repo, revision=head)) == embedded
    with working(hub, folder / "scratch") as other:
        elsewhere = Desk(desk.folder, other, token=None, names="theirs.toml")
        ok(elsewhere.run("models", "add", "theirs", f"{repo}@{head}"))
        for name in ("theirs", repo):
            assert ok(elsewhere.run(BY_NAME.format(name=name), main="python")).splitlines()[-1] == by_name


def test_the_published_model_scores_as_the_local_one(desk: Desk, hub: HubServer, repo: str) -> None:
    publish(desk, repo)
    words = ("run", "-m", NAME, "-t", TASKS[0], "-l", "deu", "ell", "--output-folder", "published")
    ok(desk.run(*words, main="mteb"))
    result = f"{TASKS[0]}.json"
    before = desk.folder / "results" / "results" / f"local__{NAME}" / revision_of(desk) / result
    after = desk.folder / "published" / "results" / repo.replace("/", "__") / hub.repository(repo).head() / result
    assert json.loads(after.read_text())["scores"] == json.loads(before.read_text())["scores"]


def sent(hub: HubServer) -> int:
    return sum(record.received for record in hub.seen("lfs-upload"))


def test_publishing_again_sends_nothing_and_changes_nothing(desk: Desk, hub: HubServer, repo: str) -> None:
    before = sent(hub)
    publish(desk, repo)
    head, after = hub.repository(repo).head(), sent(hub)
    out = publish(desk, repo)
    assert "was there as it is" in out
    assert hub.repository(repo).head() == head
    assert sent(hub) == after > before + 1_000_000


def untouched(repository: Repository) -> bool:
    return set(repository.files()) <= {".gitattributes"}


@pytest.mark.parametrize("endpoint", ["lfs-upload", "commit"])
def test_a_killed_upload_leaves_the_repository_as_it_was(
    desk: Desk, hub: HubServer, repo: str, endpoint: Literal["lfs-upload", "commit"]
) -> None:
    hold = hub.hold(endpoint)
    process = desk.start("publish", NAME, "--to", repo, "--results", "results")
    hold.wait(120)
    process.kill()
    process.communicate()
    hold.drop()
    repository = hub.repository(repo)
    assert untouched(repository)
    before = sent(hub)
    publish(desk, repo)
    assert "model.safetensors" in repository.files()
    assert len(repository.commits()) == 2  # the Hub's own first one, and ours
    assert (sent(hub) == before) is (endpoint == "commit")  # then all had been sent
    assert f'source = "{repo}"' in (desk.folder / "models.toml").read_text()


def test_interrupted_with_ctrl_c(desk: Desk, hub: HubServer, repo: str) -> None:
    hold = hub.hold("lfs-upload")
    process = desk.start("publish", NAME, "--to", repo)
    hold.wait(120)
    process.send_signal(signal.SIGINT)
    hold.drop()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "interrupted" in err
    assert untouched(hub.repository(repo))


def test_an_answer_that_is_lost_is_no_second_commit(desk: Desk, hub: HubServer, repo: str) -> None:
    hub.fail("commit", "lost", times=1)
    publish(desk, repo)
    assert len(hub.repository(repo).commits()) == 2


def test_private_on_a_branch_and_by_pull_request(desk: Desk, hub: HubServer, repo: str) -> None:
    publish(desk, repo, "--private", "--revision", "trial")
    repository = hub.repository(repo)
    assert repository.private
    assert "model.safetensors" in repository.files("trial")
    assert untouched(repository)
    stranger = Desk(desk.folder, desk.worker, token=OTHER_TOKEN)
    assert stranger.run(EMBED.format(source=repo, revision=repository.head("trial")), main="python").code != 0
    out = publish(desk, repo, "--create-pr", "--message", "A first one")
    assert "in a pull request: " in out
    assert untouched(repository)
    (request,) = repository.pull_requests
    assert repository.commit(f"refs/pr/{request}").title == "A first one"


def test_what_a_reader_changed_in_the_card_stays(desk: Desk, hub: HubServer, repo: str) -> None:
    publish(desk, repo)
    edit = f"""
from huggingface_hub import HfApi
text = {hub.repository(repo).files()["README.md"].decode()!r}
text = text.replace("license: apache-2.0", "license: mit") + "\\n## Thanks\\n\\nTo Ada.\\n"
HfApi().upload_file(path_or_fileobj=text.encode(), path_in_repo="README.md", repo_id={repo!r})
"""
    ok(desk.run(edit, main="python"))
    shutil.rmtree(desk.folder / "results" / "results" / f"local__{NAME}")
    assert "no results of" in publish(desk, repo)
    files = hub.repository(repo).files()
    card = files["README.md"].decode()
    assert "license: mit" in card
    assert "To Ada." in card
    assert "## Results" not in card  # what nobody had changed is new
    assert not [name for name in files if name.startswith(("results/", ".eval_results/", "figures/"))]


def test_a_dry_run_sends_nothing(desk: Desk, hub: HubServer, repo: str) -> None:
    before = len(hub.requests)
    out = publish(desk, repo, "--dry-run", "out")
    folder = desk.folder / "out"
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert "nothing was sent" in out
    assert not [record for record in hub.requests[before:] if record.method in {"POST", "PUT", "DELETE"}]
    assert all(path in out for path in written)
    publish(desk, repo)
    files = hub.repository(repo).files()
    assert written == set(files) - {".gitattributes"}
    assert all((folder / path).read_bytes() == files[path] for path in written)


def test_what_mteb_takes_in(desk: Desk, hub: HubServer, repo: str) -> None:
    publish(desk, repo, "--mteb", "for-mteb")
    head = hub.repository(repo).head()
    place = desk.folder / "for-mteb" / "results" / repo.replace("/", "__") / head
    assert {path.name for path in place.iterdir()} == {f"{task}.json" for task in TASKS} | {"model_meta.json"}
    meta = json.loads((place / "model_meta.json").read_text())
    assert (meta["name"], meta["revision"], meta["license"]) == (repo, head, "apache-2.0")
    source = desk.folder / "for-mteb" / "models" / "our_tiny.py"
    check = f"""
import json, runpy
meta = runpy.run_path({str(source)!r})["our_tiny"]
print(json.dumps([meta.name, meta.revision, meta.embed_dim, sorted(meta.languages), meta.n_parameters]))
"""
    name, revision, dimensions, languages, parameters = json.loads(ok(desk.run(check, main="python")))
    assert (name, revision, dimensions) == (repo, head, 256)
    assert "deu-Latn" in languages
    assert parameters > 1_000_000
    assert "leave it out" in refused(desk.run("publish", NAME, "--to", repo, "--mteb", "x", "--create-pr"))


def test_who_may_not_publish(desk: Desk, hub: HubServer, repo: str) -> None:
    def told(token: str | None, to: str = repo) -> str:
        return refused(Desk(desk.folder, desk.worker, token=token).run("publish", NAME, "--to", to))

    before = set(hub.hub.repositories)
    assert told(None).startswith("no token for the Hub; log in with `hf auth login`")
    assert told(READ_TOKEN).startswith("the token can only read")
    assert "does not accept the token" in told("hf_" + "X" * 34)
    assert told(OTHER_TOKEN) == (
        "mallory is neither ORG nor a member of it; choose another --to, or a token of somebody who is"
    )
    assert "may not do this with alice/x" in told(FINE_TOKEN, "alice/x")
    assert set(hub.hub.repositories) == before
    publish(desk, repo)
    assert f"may not do this with {repo}" in told(OTHER_TOKEN)


def test_what_is_not_published(desk: Desk, hub: HubServer, repo: str) -> None:
    def told(*words: str) -> str:
        return refused(desk.run("publish", *words))

    before = len(hub.requests)
    assert "no model is named 'our-tinny'; did you mean our-tiny?" in told("our-tinny", "--to", repo)
    assert "is not ORGANISATION/NAME" in told(NAME, "--to", "our-tiny")
    assert "--message is empty" in told(NAME, "--to", repo, "--message", " ")
    assert "--tag" in told(NAME, "--to", repo, "--tag", "a..b")
    assert "leave out --revision" in told(NAME, "--to", repo, "--create-pr", "--revision", "x")
    assert "did you mean" in told(NAME, "--to", repo, "--license", "apache-2")
    assert "is not a folder" in told(NAME, "--to", repo, "--results", "nowhere")
    assert "choose another folder for --dry-run" in told(NAME, "--to", repo, "--dry-run", "models")
    assert len(hub.requests) == before
    unknown = desk.run("run", "-m", "our-tinny", "-t", TASKS[0], main="mteb")
    assert "no model is named 'our-tinny'; did you mean our-tiny?" in refused(unknown)
    foreign = f"""
from huggingface_hub import HfApi
HfApi().create_repo({repo!r})
HfApi().upload_file(path_or_fileobj=b"{{}}", path_in_repo="config.json", repo_id={repo!r})
"""
    ok(desk.run(foreign, main="python"))
    assert "holds a model that mteb-hybrid did not publish (config.json)" in told(NAME, "--to", repo)


def test_a_folder_that_changed_or_needs_code(desk: Desk, repo: str) -> None:
    def told() -> str:
        return refused(desk.run("publish", NAME, "--to", repo))

    model = desk.folder / "models" / NAME
    config = model / "config_sentence_transformers.json"
    changed = json.loads(config.read_text()) | {"prompts": {"query": "ask: "}}
    config.write_text(json.dumps(changed))
    assert "has changed since it was named" in told()
    ok(desk.run("models", "add", NAME, str(model)))
    assert "is not as it was trained: prompts was {} and is {'query': 'ask: '}" in told()
    (model / "modules.json").write_text('[{"idx": 0, "name": "0", "path": "", "type": "custom.Evil"}]')
    ok(desk.run("models", "add", NAME, str(model)))
    assert "needs code of its own (custom.Evil" in told()


def test_a_published_model_whose_prompts_were_changed_on_the_hub(desk: Desk, hub: HubServer, repo: str) -> None:
    publish(desk, repo)
    config = json.loads(hub.repository(repo).files()["config_sentence_transformers.json"])
    edit = f"""
import json
from huggingface_hub import HfApi
text = json.dumps({config!r} | {{"prompts": {{"query": "ask: "}}}})
HfApi().upload_file(path_or_fileobj=text.encode(), path_in_repo="config_sentence_transformers.json", repo_id={repo!r})
"""
    ok(desk.run(edit, main="python"))
    ok(desk.run(BY_NAME.format(name=NAME), main="python"))  # its commit is pinned
    ok(desk.run("models", "add", "newest", repo))
    ended = desk.run("run", "-m", "newest", "-t", TASKS[0], "-l", "deu", main="mteb")
    assert "does not encode as it was trained: prompts was {} and is {'query': 'ask: '}" in refused(ended)
