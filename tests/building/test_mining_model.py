"""Mining with real models: against sentence-transformers' own miner, and into training."""

from __future__ import annotations

from pathlib import Path

import pyarrow
import pytest
from datasets import Dataset
from pyarrow import parquet
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import mine_hard_negatives

from mteb_hybrid.building.mining import MiningSettings, mine
from mteb_hybrid.building.mining.model import load_encoder
from mteb_hybrid.data.corpus_files import load_corpus, save_corpus
from mteb_hybrid.errors import HybridError
from mteb_hybrid.training.recipe import Recipe
from mteb_hybrid.training.run import train
from tests.training.small_runs import logged, rows, static_model, words_of


@pytest.mark.slow
def test_as_sentence_transformers_mines(tmp_path: Path) -> None:
    """On pairs of one language that share nothing."""
    pairs = rows(60, ("de",))
    folder = static_model(tmp_path / "model", words_of(pairs))
    path = tmp_path / "own.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(pairs), path)
    settings = MiningSettings(model=str(folder), negatives=3, mode="mono", relative_margin=0.3, range_max=59)  # all
    model, revision = load_encoder(settings)
    assert revision
    mine([path], tmp_path / "out", model, settings, revision=revision)
    ours = {row["query_de"]: row for row in parquet.read_table(tmp_path / "out" / "own.parquet").to_pylist()}
    data = Dataset.from_dict({name: [row[f"{name}_de"] for row in pairs] for name in ("query", "passage")})
    theirs = mine_hard_negatives(
        data,
        SentenceTransformer(str(folder), device="cpu"),
        num_negatives=3,
        relative_margin=0.3,
        range_max=59,
        output_format="n-tuple",
        use_faiss=True,
        verbose=False,
    )
    assert len(theirs) > 20  # for the others it finds too few
    names = [f"negative_{number}" for number in (1, 2, 3)]
    for row in theirs:
        found = ([row[name] for name in names], [ours[row["query"]][f"{name}_de"] for name in names])
        both = model.similarity(model.encode([row["query"]]), model.encode([*found[0], *found[1]]))[0].tolist()
        assert both[:3] == pytest.approx(both[3:], abs=1e-3)  # ours are in half precision
        assert len({*found[0], *found[1]}) <= 4


@pytest.mark.slow
def test_training_takes_them_and_finds_them_hard(tmp_path: Path) -> None:
    """The first batch is the same with and without, and its loss before training higher by the negatives."""
    plain = tmp_path / "world.parquet"
    save_corpus(load_corpus("ParallelWorld", languages=["de", "en"], rows=300), plain)
    settings = MiningSettings(model="mteb-hybrid/tiny", negatives=2)
    model, revision = load_encoder(settings)
    mine([plain], tmp_path / "mined", model, settings, revision=revision)
    assert load_corpus(tmp_path / "mined" / plain.name).negatives == 2
    first = {}
    for source in (plain, tmp_path / "mined" / plain.name):
        recipe = Recipe.model_validate(
            {
                "model": {"base": "mteb-hybrid/tiny"},
                "data": [{"source": str(source)}],
                "batches": {"size": 16},
                "training": {"max_steps": 2, "learning_rate": 0.01, "logging_steps": 1},
            }
        )
        output = tmp_path / source.parent.name / "model"
        trained = train(recipe, output, show_progress_bar=False)
        assert trained.steps == 2
        first[source] = next(logged(output, "loss"))
    without, with_them = first.values()
    assert with_them > without + 0.01


def test_a_model_that_is_not_there() -> None:
    with pytest.raises(HybridError, match=r"^'nowhere' is no folder, short name or Hub id"):
        load_encoder(MiningSettings(model="nowhere"))
