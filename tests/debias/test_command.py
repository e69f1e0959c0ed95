"""``mteb-hybrid debias fit`` and ``models add --debias``, from pairs in a file to what ``mteb run`` writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mteb_hybrid.cli import main
from mteb_hybrid.data.corpus_files import save_corpus
from mteb_hybrid.data.parallel_corpus import corpus_from_collection
from mteb_hybrid.data.world import generate_world
from mteb_hybrid.debias.file import file_fingerprint, read_debiasing
from mteb_hybrid.models import MODELS_VARIABLE, read_models
from mteb_hybrid.tiny import tiny_encoder

TINY = "mteb-hybrid/tiny"
LANGUAGES = ("en", "de", "ru")
ROOT = Path(__file__).parents[2]

# In a process of its own, because mteb takes models in for good.
RUN = """
import sys
import mteb_hybrid
from mteb.cli.build_cli import main
folder, *models = sys.argv[1:]
for model in models:
    sys.argv = ["mteb", "run", "-m", model, "-t", "ParallelWorldLanguageBias", "-v", "2", "--output-folder", folder]
    main()
"""


@pytest.fixture(autouse=True)
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path / "models.toml"))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Facts of another world than that of the tasks."""
    path = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    save_corpus(corpus_from_collection(generate_world(90, seed=5, languages=LANGUAGES)), path)
    return path


@pytest.fixture(scope="module")
def fitted(pairs: Path) -> Path:
    path = pairs.with_name("fair.safetensors")
    words = ["debias", "fit", "-m", TINY, "--pairs", str(pairs), "--method", "shift", "--alpha", ".5", "-q"]
    assert main([*words, "--mteb-tasks", "Ours", "-o", str(path)]) == 0
    return path


def test_what_is_written_is_fitted_on_the_passages(fitted: Path, pairs: Path) -> None:
    found = read_debiasing(fitted)
    assert (found.method, found.alpha, found.apply, found.source) == ("shift", 0.5, "documents", "en")
    assert (found.languages, found.fitted_on.kind, found.fitted_on.rows) == (LANGUAGES, "tiny", 90)
    assert found.fitted_on.mteb_tasks == ("Ours",)
    rows = [json.loads(line) for line in pairs.read_text(encoding="utf-8").splitlines()]
    model: Any = tiny_encoder(device="cpu")
    german, english = (model.encode([row[f"passage_{tag}"] for row in rows]) for tag in ("de", "en"))
    np.testing.assert_allclose(found.directions[1, 0], (german - english).mean(axis=0), atol=1e-6)


def test_naming_it_says_what_it_is_and_what_comes_next(fitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "add", "fair", TINY, "--debias", str(fitted)]) == 0
    assert main(["models", "list"]) == 0
    out = capsys.readouterr().out
    assert f"fair is {TINY} debiased by {fitted}; results are kept under local/fair" in out
    assert f"fair  {TINY}  {file_fingerprint(fitted)[:8]}  debiased by {fitted}" in out


def test_fitting_says_what_comes_next(pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "lir.safetensors"
    words = ["debias", "fit", "-m", TINY, "--pairs", str(pairs), "--method", "lir", "--components", "2"]
    assert main([*words, "-l", "de", "ru", "--rows", "40", "--apply", "documents", "-q", "-o", str(path)]) == 0
    out = capsys.readouterr().out
    assert f"{path} holds lir with alpha 1 for de, ru" in out
    assert f"next: mteb-hybrid models add NAME {TINY} --debias {path}" in out
    found = read_debiasing(path)
    assert (found.apply, found.directions.shape[:2], found.fitted_on.rows) == ("documents", (2, 2), 40)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"-m": "nowhere"}, "'nowhere' is no folder, short name or Hub id (ORGANISATION/NAME)"),
        ({"-m": "."}, "holds no model"),
        ({"--pairs": "gone.jsonl"}, "gone.jsonl"),
        ({"--alpha": "-1"}, "alpha is -1.0; it must be 0 or more"),
        ({"--alpha": "nan"}, "alpha is nan"),
        ({"--source": "fr"}, "has no 'fr' to shift towards"),
        ({"--method": "centering", "--source": "en"}, "centering goes towards no language"),
        ({"--components": "2"}, "more are for lir"),
        ({"-l": "de"}, "has no 'en' to shift towards; it has de"),
        ({"-l": "fr"}, "'fr' of pairs is not in it"),
        ({"-o": "."}, ". is a folder; name a file, such as shift.safetensors"),
        ({"-o": "gone/a"}, "cannot write gone/a: there is no folder"),
        ({"--revision": "v1"}, "the revision is for models on the Hub"),
    ],
)
def test_what_is_refused(
    change: dict[str, str],
    part: str,
    pairs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    words = {"-m": TINY, "--pairs": str(pairs), "--method": "shift", "-o": "a"} | change
    assert main(["debias", "fit", *(word for pair in words.items() for word in pair)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("mteb-hybrid: ")
    assert error.count("\n") == 1
    assert part in error
    assert not (tmp_path / "a").exists()


def test_the_parser_refuses_other_methods(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["debias", "fit", "-m", TINY, "--pairs", "x", "-o", "a", "--method", "swap"])
    assert "invalid choice: 'swap'" in capsys.readouterr().err


@pytest.mark.slow
def test_mteb_run_takes_the_name(pairs: Path, tmp_path: Path) -> None:
    path = tmp_path / "fair.safetensors"
    words = ["debias", "fit", "-m", TINY, "--pairs", str(pairs), "--method", "centering", "-q", "-o", str(path)]
    assert main(words) == 0
    assert main(["models", "add", "fair", TINY, "--debias", str(path)]) == 0
    results = tmp_path / "results"
    wide = {"COLUMNS": "500"}  # or the log is wrapped
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"} | wide
    ended = subprocess.run(
        [sys.executable, "-c", RUN, str(results), "fair", TINY],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    told = ended.stdout + ended.stderr
    assert told.count("left as they are") == 1
    assert "ar (480), el (480), es (480), hi (480), zh (480)" in told
    scores = {}
    for name, revision in (("local__fair", read_models()["fair"].revision), ("mteb-hybrid__tiny", "1")):
        (file,) = results.glob(f"**/{name}/{revision}/ParallelWorldLanguageBias.json")
        subsets = json.loads(file.read_text(encoding="utf-8"))["scores"]["test"]
        scores[name] = {entry["hf_subset"]: entry["rank_closeness"] for entry in subsets}
    fair, plain = scores.values()
    assert fair.keys() == plain.keys()
    assert all(fair[f"{tag}-all"] > plain[f"{tag}-all"] for tag in LANGUAGES)


def test_what_needs_a_folder_refuses_a_debiased_name(
    fitted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "add", "fair", TINY, "--debias", str(fitted)]) == 0
    for words in (
        ["publish", "fair", "--to", "ada/fair", "--dry-run", str(tmp_path / "dry")],
        ["train", "tiny", "--set", "model.base=fair", "--output", str(tmp_path / "trained")],
    ):
        capsys.readouterr()
        assert main(words) == 2
        error = capsys.readouterr().err
        assert "fair is debiased by a file" in error
        assert TINY in error
    assert not (tmp_path / "trained").exists()


def test_the_doctor_sees_that_the_file_has_changed(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "fair.safetensors"
    words = ["debias", "fit", "-m", TINY, "--pairs", str(pairs), "--method", "lir", "-q", "-o", str(path)]
    assert main(words) == 0
    assert main(["models", "add", "fair", TINY, "--debias", str(path)]) == 0
    main(["doctor"])
    assert f"fair: {TINY} debiased by {path}" in capsys.readouterr().out
    path.unlink()
    assert main([*words, "--components", "2"]) == 0
    main(["doctor"])
    assert "has changed since it was named" in capsys.readouterr().out
