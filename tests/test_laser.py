"""LASER-2 by a small checkpoint of its own form, made here: a BiLSTM with its dictionary, and SentencePiece tokens."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import mteb
import numpy as np
import pytest
import torch
from mteb.models import EncoderProtocol

from mteb_hybrid import laser, register
from mteb_hybrid.data import download
from mteb_hybrid.data.world import generate_world
from mteb_hybrid.errors import HybridError
from mteb_hybrid.laser import LaserEncoder, check_is_laser2, laser_meta, load_laser

TEXTS = [
    "One.",
    "A much longer text, of many more words than any of the others has.",
    "",
    "two words",
    "TWO  words",
    "Две строки и число 27",
]
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
SIZES = {"embed_dim": 5, "hidden_size": 6, "num_layers": 2, "bidirectional": True}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A checkpoint and its SentencePiece model, under LASER-2's own file names."""
    pytest.importorskip("nano_laser", reason="needs the extra laser")
    import sentencepiece
    from nano_laser.models import LaserLstmEncoder

    world = generate_world(40, seed=2)
    texts = [text.lower() for table in world.passages.values() for text in table.texts]
    tokens = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_writer=tokens, vocab_size=400, hard_vocab_limit=False, minloglevel=2
    )
    pieces = sentencepiece.SentencePieceProcessor(model_proto=tokens.getvalue())
    names = [pieces.id_to_piece(number) for number in range(pieces.get_piece_size())]
    dictionary = {piece: number for number, piece in enumerate(dict.fromkeys([*SPECIAL, *names]))}
    params = {"num_embeddings": len(dictionary), "padding_idx": 1, "left_pad": True, "padding_value": 0.0, **SIZES}
    torch.manual_seed(0)
    weights = LaserLstmEncoder(**params).state_dict()
    folder = tmp_path_factory.mktemp("laser")
    torch.save({"params": params, "model": weights, "dictionary": dictionary}, folder / "laser2.pt")
    (folder / "laser2.spm").write_bytes(tokens.getvalue())
    return folder / "laser2.pt", folder / "laser2.spm"


@pytest.fixture(scope="module")
def encoder(files: tuple[Path, Path]) -> LaserEncoder:
    return LaserEncoder(*files, device="cpu")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that LASER-2 is kept in, which is not there yet; and nobody to download it from."""
    for module in (laser, download):
        monkeypatch.setattr(module, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(laser, "ADDRESS", "http://127.0.0.1:9/laser")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache" / "laser"


def put(files: tuple[Path, Path], folder: Path) -> None:
    folder.mkdir(parents=True)
    for file in files:
        (folder / file.name).write_bytes(file.read_bytes())


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def states(inputs: Any, weights: dict[str, Any], ending: str) -> Any:
    """One direction of one layer, by the equations of an LSTM (gates in PyTorch's order)."""
    hidden, cell, found = np.zeros(6), np.zeros(6), []
    for value in inputs:
        into = weights[f"lstm.weight_ih_{ending}"] @ value + weights[f"lstm.bias_ih_{ending}"]
        back = weights[f"lstm.weight_hh_{ending}"] @ hidden + weights[f"lstm.bias_hh_{ending}"]
        take, keep, new, give = np.split(into + back, 4)
        cell = sigmoid(keep) * cell + sigmoid(take) * np.tanh(new)
        hidden = sigmoid(give) * np.tanh(cell)
        found.append(hidden)
    return np.array(found)


# ---- embeddings


def test_an_embedding_is_the_largest_of_the_states(encoder: LaserEncoder, files: tuple[Path, Path]) -> None:
    import sentencepiece

    saved = torch.load(files[0], weights_only=True)
    weights = {name: tensor.double().numpy() for name, tensor in saved["model"].items()}
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(files[1])).encode("two words", out_type=str)
    assert len(pieces) > 1
    rows = [saved["dictionary"].get(piece, 3) for piece in pieces] + [2]  # 3: unknown; 2: end of text
    layer = weights["embed_tokens.weight"][rows]
    for number in range(2):
        forward = states(layer, weights, f"l{number}")
        backward = states(layer[::-1], weights, f"l{number}_reverse")[::-1]
        layer = np.concatenate([forward, backward], axis=1)
    assert layer.shape == (len(rows), encoder.dimensions) == (len(rows), 12)
    np.testing.assert_allclose(encoder.embed(["Two  words"])[0], layer.max(axis=0), atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_neither_padding_nor_company_nor_order_change_an_embedding(encoder: LaserEncoder, batch_size: int) -> None:
    alone = np.stack([encoder.embed([text])[0] for text in TEXTS])
    np.testing.assert_allclose(encoder.embed(TEXTS, batch_size), alone, atol=1e-6)
    np.testing.assert_allclose(encoder.embed(TEXTS[::-1], batch_size), alone[::-1], atol=1e-6)


def test_texts_are_told_apart_but_for_case_and_spaces(encoder: LaserEncoder) -> None:
    found = encoder.embed(TEXTS)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[3], found[4], atol=1e-6)
    assert len(np.unique(found.round(5), axis=0)) == len(TEXTS) - 1


def test_no_texts(encoder: LaserEncoder) -> None:
    assert encoder.embed([]).shape == (0, 12)


# ---- in mteb


@pytest.mark.slow
def test_mteb_evaluates_it(encoder: LaserEncoder, tmp_path: Path) -> None:
    register()
    assert isinstance(encoder, EncoderProtocol)
    task = mteb.get_task("ParallelWorldMonolingual", hf_subsets=["de-de"])
    results = mteb.evaluate(
        encoder, task, cache=mteb.ResultCache(tmp_path), show_progress_bar=False, encode_kwargs={"batch_size": 64}
    )
    assert (results.model_name, results.model_revision) == ("facebook/LASER2", "2022-07-06")
    (entry,) = results.task_results[0].scores["test"]
    assert entry["hf_subset"] == "de-de"
    assert 0.02 < entry["map"] < 1  # of 400 and more passages: shared words count for something
    assert [path.parent.parent.name for path in tmp_path.rglob("ParallelWorldMonolingual.json")] == ["facebook__LASER2"]


def test_what_mteb_is_told(encoder: LaserEncoder) -> None:
    from nano_laser.models import LaserLstmEncoder

    meta = laser_meta()
    with torch.device("meta"):  # LASER-2's sizes, without the memory
        whole = LaserLstmEncoder(50_004, 1, num_layers=5, bidirectional=True)
    assert meta.n_parameters == sum(weights.numel() for weights in whole.parameters())
    assert meta.n_embedding_parameters == whole.embed_tokens.weight.numel()
    assert meta.embed_dim == whole.output_units
    same, other = encoder.embed(["two words", "One."])
    pairs = encoder.similarity(np.stack([same, other]), np.stack([3 * same]))
    assert float(pairs[0, 0]) == pytest.approx(1)
    assert float(pairs[1, 0]) < 1
    assert float(encoder.similarity_pairwise(same[None], 3 * same[None])[0]) == pytest.approx(1)


# ---- loading


def test_what_is_in_the_cache_is_loaded_and_checked(
    files: tuple[Path, Path], encoder: LaserEncoder, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(files, cache)
    with pytest.raises(HybridError, match=r"are not LASER-2: 'This is a test sentence.' has another embedding") as told:
        load_laser("facebook/LASER2", device="cpu")
    assert str(cache) in str(told.value)
    values = encoder.embed([laser.CHECK_TEXT])[0, :10]
    monkeypatch.setattr(laser, "CHECK_VALUES", tuple(values))
    loaded: Any = laser_meta().load_model(device="cpu")
    np.testing.assert_array_equal(loaded.embed(["One."]), encoder.embed(["One."]))
    monkeypatch.setattr(laser, "CHECK_VALUES", (*values[:9], values[9] + 0.002))
    with pytest.raises(HybridError, match="are not LASER-2"):
        check_is_laser2(loaded, cache)


def test_no_network_is_one_line(files: tuple[Path, Path], cache: Path) -> None:
    with pytest.raises(HybridError) as told:
        load_laser("facebook/LASER2")
    text = str(told.value)
    assert text.isprintable()
    for part in ("cannot download http://127.0.0.1:9/laser/laser2.pt", "put laser2.pt into", str(cache)):
        assert part in text
    assert [path for path in cache.rglob("*") if path.is_file()] == []


def test_a_missing_extra_is_one_line_before_any_download(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nano_laser", None)
    with pytest.raises(HybridError, match=r"needs nano-laser .*: pip install 'mteb-hybrid\[laser\]'"):
        load_laser("facebook/LASER2")
    assert not cache.exists()


class Trap:
    """Pickled, it makes a file when it is unpickled by a reader that executes what it loads."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_checkpoint_that_would_execute_something_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    trap, sprung = tmp_path / "laser2.pt", tmp_path / "sprung"
    torch.save({"params": Trap(sprung)}, trap)
    torch.load(trap, weights_only=False)
    assert sprung.exists()  # the trap works
    sprung.unlink()
    with pytest.raises(HybridError, match="no LASER-2 that can be loaded"):
        LaserEncoder(trap, files[1], device="cpu")
    assert not sprung.exists()


@pytest.mark.parametrize("damaged", ["laser2.pt", "laser2.spm"])
def test_a_damaged_file_is_one_line(files: tuple[Path, Path], tmp_path: Path, damaged: str) -> None:
    put(files, tmp_path / "cut")
    (tmp_path / "cut" / damaged).write_bytes((tmp_path / "cut" / damaged).read_bytes()[:1000])
    with pytest.raises(HybridError, match="delete them, and they are downloaded again") as told:
        LaserEncoder(*(tmp_path / "cut" / file.name for file in files), device="cpu")
    assert str(told.value).isprintable()
