"""What the README shows works as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from textwrap import dedent

import pytest

from mteb_hybrid import load_collection, load_corpus, read_recipe, save_corpus
from mteb_hybrid.building.build_file import read_build_file
from mteb_hybrid.building.sources.read import describe
from mteb_hybrid.reporting.recommend import recommend
from mteb_hybrid.reporting.remedies import read_rows
from mteb_hybrid.study.study_file import read_study

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """The rows that the README shows, in the file it names."""
    rows = [line.strip() for line in README.splitlines() if line.strip().startswith('{"role"')]
    assert len(rows) == 4
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def test_the_rows_are_a_collection(mine: Path) -> None:
    collection = load_collection(mine)
    assert collection.languages == ("de", "en")
    assert collection.passages["en"].groups == (("7",), ())


@pytest.mark.slow
def test_the_python_example_runs(mine: Path) -> None:
    (example,) = re.findall(r"```python\n(import mteb\n.*?)```", README, flags=re.DOTALL)
    code = example.replace("our-hybrid-labse", "mteb-hybrid/tiny").replace("aggregate())", "aggregate(), cache=None)")
    code += "print(round(results.task_results[0].main_score, 3))"
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(mine.parent)}
    command = [sys.executable, "-c", dedent(code)]
    process = subprocess.run(
        command, cwd=mine.parent, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert process.returncode == 0, process.stderr
    assert 0 < float(process.stdout.split()[-1]) <= 1


def test_the_training_rows_are_a_corpus(tmp_path: Path) -> None:
    rows = [line.strip() for line in README.splitlines() if line.strip().startswith('{"id"')]
    path = tmp_path / "corpus.jsonl"
    path.write_text("\n".join(rows), encoding="utf-8")
    corpus = load_corpus(path)
    assert (len(corpus), corpus.languages, corpus.pairs) == (2, ("de", "en"), 3)


def test_the_recipe_is_one_with_the_objectives_as_well(tmp_path: Path) -> None:
    _, text, _, objectives = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
    path = tmp_path / "recipe.yaml"
    path.write_text(text + objectives, encoding="utf-8")
    loss = read_recipe(path).loss
    assert loss.distill is not None
    assert loss.score_distill is not None
    assert (loss.contrastive, loss.distill.weight, loss.translate_align, loss.keep) == (1, 0.2, 0.1, 0.5)
    path.write_text(text, encoding="utf-8")
    recipe = read_recipe(path)
    assert recipe.model.base == "sentence-transformers/LaBSE"
    assert (recipe.batches.strategy, recipe.batches.alpha, recipe.training["max_steps"]) == ("hybrid", 0.5, 2000)


def test_the_study_is_one(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)[0], encoding="utf-8")
    recipes = [cell.recipe for cell in read_study(path).cells]
    assert Counter((recipe.batches.alpha, recipe.seed) for recipe in recipes) == Counter(
        [(alpha, seed) for alpha in (0, 0.5, 1) for seed in (1, 2, 3)] + [(0.25, 1), (0.75, 1)]
    )


def test_the_build_file_is_one(tmp_path: Path) -> None:
    path = tmp_path / "data.yaml"
    path.write_text(re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)[2], encoding="utf-8")
    settings = read_build_file(path)
    assert describe(settings.sources[0]).languages == ("en", "de", "ar")
    assert settings.translation is not None
    assert settings.translation.languages == ["de", "ar"]


@pytest.mark.slow
def test_the_training_script_runs_with_the_stock_trainer(tmp_path: Path) -> None:
    (script,) = re.findall(r"```python\n(from functools.*?)```", README, flags=re.DOTALL)
    assert len([line for line in script.splitlines() if line and not line.startswith(("from", "import"))]) <= 10
    save_corpus(load_corpus("ParallelWorld", rows=300), tmp_path / "corpus.jsonl")
    changes = {
        'SentenceTransformer("sentence-transformers/LaBSE")': "tiny_encoder()",
        '("run", per_device_train_batch_size=100,': '("run", max_steps=20, learning_rate=0.2, report_to="none",',
        ".train()\n": ".train()\nprint('mean loss', *(log['train_loss'] for log in trainer.state.log_history[-1:]))\n",
        "SentenceTransformerTrainer(model": "trainer = SentenceTransformerTrainer(model",
        "(model)).train()": "(model))\ntrainer.train()",
    }
    for shown, here in changes.items():
        assert shown in script
        script = script.replace(shown, here)
    process = subprocess.run(
        [sys.executable, "-c", "from mteb_hybrid.tiny import tiny_encoder\n" + script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert 0 < float(process.stdout.rpartition("mean loss")[2]) < 5


def test_the_table_of_remedies_is_that_of_its_rows() -> None:
    rows = ROOT / "tests" / "benchmarks" / "rows" / "remedies.json"
    remedies = read_rows(rows)
    for row in remedies:
        label = row.strategy if row.alpha is None else f"{row.strategy}, alpha {row.alpha:g}"
        assert row.seen is not None
        assert row.unseen is not None
        maps = (row.monolingual, row.cross_lingual, row.multilingual, row.seen.multilingual, row.unseen.multilingual)
        cells = [label, *(f"{value:.3f}" for value in maps), f"{row.rank_distance:.1f}"]
        cells.append(f"{100 * (row.top1_query_language or 0):.1f} %")
        cells.append("" if row.seconds is None else f"{row.seconds / 60:.1f}")
        assert f"| {' | '.join(cells)} |".replace("|  |", "| |") in README
    assert "The rule's answer: **hybrid batches**" in README
    assert "Recommended: hybrid; multilingual MAP" in recommend(remedies)
