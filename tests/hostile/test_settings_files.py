"""Hostile files of settings: recipes, studies, build files, names of models, and values on the command line."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mteb_hybrid.building.build_file import read_build_file
from mteb_hybrid.cli import main
from mteb_hybrid.models import MODELS_VARIABLE, NamedModel, keep_model, known_models, remove_model, unknown_model
from mteb_hybrid.settings.yaml_lines import parse_yaml
from mteb_hybrid.study.study_file import read_study
from mteb_hybrid.training.recipe_file import dump_recipe, read_recipe
from tests.hostile.held import Cases, check_output
from tests.hostile.strategies import TEXTS, as_json, fuzzed, spoiled, spoiled_bytes, texts

RECIPE: dict[str, Any] = {
    "preset": "tiny",
    "model": {"base": "mteb-hybrid/tiny", "max_seq_length": 64, "query_prompt": "query: "},
    "data": [{"source": "ParallelWorld", "rows": 256, "languages": ["en", "de"]}, {"source": "MLQA-R", "name": "m"}],
    "batches": {"strategy": "hybrid", "alpha": {"start": 0.9, "end": 0.1}, "size": 16},
    "training": {"max_steps": 3, "learning_rate": 1e-5, "use_cpu": True},
    "seed": 7,
}
STUDY: dict[str, Any] = {
    "question": "Which?",
    "recipe": {"preset": "tiny", "data": [{"source": "ParallelWorld"}], "training": {"max_steps": 2}},
    "axes": {"base": {"tiny": {"model.base": "mteb-hybrid/tiny"}}},
    "grids": [{"batches.strategy": ["mono", "cross"], "base": "tiny", "seed": [1, 2]}],
    "baselines": ["mteb-hybrid/tiny"],
    "tasks": ["XQuADR"],
}
BUILD: dict[str, Any] = {
    "name": "corpus",
    "sources": [
        {"source": "mMARCO", "languages": ["en", "de"], "rows": 10},
        {"source": "ours.jsonl", "license": "mit"},
    ],
    "cleaning": {"languages": False},
    "translation": {"model": "facebook/nllb-200-distilled-600M", "languages": ["de"]},
    "decontamination": {"tasks": ["XQuADR"]},
}
NAMES = b"""\
# ours
[our-labse]
source = "/nowhere/models/our-labse"
revision = "5d3fb71466a15b047455d3c6c91964db4bbb4b1b"
[their-e5]
source = "ORG/e5"
folder = "/nowhere/e5"
[shifted]
source = "mteb-hybrid/tiny"
debias = "/nowhere/shift.safetensors"
revision = "abc"
"""


def yaml_files(valid: Any) -> st.SearchStrategy[bytes]:
    """The content of a YAML file, spoiled as a value, in block style or in flow style, or as bytes."""
    written = yaml.safe_dump(valid, sort_keys=False).encode()
    return st.one_of(
        spoiled(valid).map(as_json),
        spoiled(valid).map(lambda value: yaml.safe_dump(value, sort_keys=False).encode("utf-8", "replace")),
        spoiled_bytes(written),
        spoiled_bytes(written),
    )


@given(data=st.data())
@fuzzed(50)
def test_recipe(cases: Cases, inside: Path, data: st.DataObject) -> None:
    path = inside / "recipe.yaml"
    path.write_bytes(data.draw(yaml_files(RECIPE)))
    recipe = cases.hold("recipe", lambda: read_recipe(path))
    if recipe is not None:
        again = inside / "again.yaml"
        again.write_text(dump_recipe(recipe), encoding="utf-8")
        assert read_recipe(again) == recipe, "what is kept of a run is not what was run"


@given(data=st.data())
@fuzzed(50)
def test_setting_on_the_command_line(cases: Cases, inside: Path, data: st.DataObject) -> None:
    path = inside / "recipe.yaml"
    path.write_bytes(as_json(RECIPE))
    names = [
        "batches.alpha",
        "data[0].rows",
        "data",
        "training",
        "model.base",
        "data[99999999999999999999]",
        "[",
        "...",
    ]
    name = data.draw(st.sampled_from(names) | texts)
    value = data.draw(texts | spoiled_bytes(b"{a: [1, 'b']}").map(lambda content: content.decode("latin-1")))
    cases.hold("--set", lambda: read_recipe(path, [f"{name}{data.draw(st.sampled_from(('=', '')))}{value}"]))


@given(data=st.data())
@fuzzed(40)
def test_study(cases: Cases, inside: Path, data: st.DataObject) -> None:
    path = inside / "study.yaml"
    path.write_bytes(data.draw(yaml_files(STUDY)))
    study = cases.hold("study", lambda: read_study(path))
    if study is not None:
        for cell in study.cells:
            assert Path(cell.name).name == cell.name, "the name of a cell is a path"


@given(data=st.data())
@fuzzed(50)
def test_build_file(cases: Cases, inside: Path, data: st.DataObject) -> None:
    path = inside / "build.yaml"
    path.write_bytes(data.draw(yaml_files(BUILD)))
    cases.hold("build file", lambda: read_build_file(path))


BOMBS = {
    "a laugh": "a: &a [x, x]\nb: &b [*a, *a]\n" + "".join(f"c{n}: &c{n} [*b, *b]\n" for n in range(20)),
    "merged keys": "a: &a {x: 1}\nb:\n  <<: [*a, *a]\n",
    "merged keys without an anchor": "<<: {x: 1}\n",
    "python": "a: !!python/object/apply:os.system ['touch gone']\n",
    "python, by its URI": "a: !<tag:yaml.org,2002:python/object/new:os.system> ['touch gone']\n",
    "a tag of one's own": "%TAG ! tag:yaml.org,2002:python/\n---\na: !name:os.system ''\n",
    "deep": "a: " + "[" * 200,
    "deep blocks": "".join(f"{' ' * n}a:\n" for n in range(300)),
    "a long number": "seed: " + "9" * 90_000,
    "a long octal": "seed: 0o" + "7" * 90_000,
    "a number of sixties": "seed: " + ":".join(["59"] * 20_000),
    "a complex key": "? [a, b]\n: c\n",
    "two documents": "a: 1\n---\nb: 2\n",
    "too large": "a: " + "x" * 200_000,
    "binary": "a: !!binary aGFsbG8=\n",
    "a set": "a: !!set {x, y}\n",
    "many keys": "".join(f"k{n}: 1\n" for n in range(200)),
    "many lines": "\n" * 20_000,
    "a key of megabytes": "x" * 90_000 + ": 1\n",
    "NUL": "a: \x00\n",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_yaml_that_would_hide_or_burst(cases: Cases, inside: Path, bomb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(inside)
    path = inside / "settings.yaml"
    path.write_text(BOMBS[bomb], encoding="utf-8")
    for name, read in (("recipe", read_recipe), ("study", read_study), ("build file", read_build_file)):
        assert cases.hold(name, lambda read=read: read(path)) is None  # type: ignore[misc]
    assert not (inside / "gone").exists()


def test_yaml_deeper_than_any_stack(cases: Cases) -> None:
    assert cases.hold("YAML", lambda: parse_yaml("a: " + "[" * 1_200, "x.yaml")) is None


@given(text=st.text(max_size=60) | st.sampled_from(TEXTS))
@fuzzed(60)
def test_any_text_as_yaml(cases: Cases, text: str) -> None:
    cases.hold("YAML", lambda: parse_yaml(text, "x.yaml"))


@given(data=st.data())
@fuzzed(50)
def test_names_of_models(
    cases: Cases, inside: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], data: st.DataObject
) -> None:
    path = inside / "models.toml"
    monkeypatch.setenv(MODELS_VARIABLE, str(path))
    content = data.draw(spoiled_bytes(NAMES))
    path.write_bytes(content)
    models = cases.hold("names of models", known_models)
    if models is None:
        assert main(["models", "list"]) == 2
        check_output(capsys.readouterr().err)
        return
    cases.hold("list of names", lambda: main(["models", "list"]))
    check_output(capsys.readouterr().out)
    cases.hold("a name to add", lambda: keep_model(NamedModel("new", "ORG/new")))
    cases.hold("a name to remove", lambda: remove_model("our-labse"))


@given(name=texts)
@fuzzed(40)
def test_name_of_a_model(cases: Cases, inside: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    from mteb_hybrid.models import add_model

    monkeypatch.setenv(MODELS_VARIABLE, str(inside / "models.toml"))

    def refused() -> None:
        raise unknown_model(name)

    cases.hold("an unknown name", refused)
    cases.hold("a name given", lambda: add_model(name, f"{name}/{name}"))


NO_PATHS = [
    *TEXTS,
    "~nobody-at-all/x",
    "~",
    ".",
    "/dev/null",
    "/proc/self/mem",
    "x" * 300 + ".jsonl",
    "a\x00.parquet",
]


@pytest.mark.parametrize("text", NO_PATHS, ids=lambda text: repr(text[:24]))
def test_any_text_as_a_path(
    cases: Cases, inside: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    from mteb_hybrid.data.built_corpus import find_built
    from mteb_hybrid.data.corpus_files import load_corpus
    from mteb_hybrid.data.own import load_collection
    from mteb_hybrid.models import add_model
    from mteb_hybrid.training.base_model import find_base
    from mteb_hybrid.training.recipe import ModelSettings

    monkeypatch.setenv(MODELS_VARIABLE, str(inside / "models.toml"))
    monkeypatch.chdir(inside)
    readers: tuple[Callable[[str], Any], ...] = (
        read_recipe,
        read_study,
        read_build_file,
        find_built,
        load_corpus,
        load_collection,
        lambda name: add_model("x", name),
        lambda name: find_base(ModelSettings.model_construct(base=name)),
    )
    for reader in readers:
        cases.hold("a path", lambda reader=reader: reader(text))  # type: ignore[misc]
    for words in (["table", text], ["recommend", text], ["data", "card", text], ["batches", text], ["train", text]):
        if not text.startswith("-") and _is_a_word(text):
            assert main(words) in {0, 2}, words
            check_output(capsys.readouterr().err)


def _is_a_word(text: str) -> bool:
    """Whether a command line can hold it."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False
