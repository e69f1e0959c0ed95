"""Tiny translation models of several families, made in a folder without a download.

``nllb``, ``m2m100`` (M2M-100's architecture), ``opus`` and ``opus-many`` (Marian's) have weights that are written, not
fitted: they translate the words below one by one, in texts of up to 40. ``madlad`` and ``t5`` have random weights, for
how they are told the languages.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Sequence
from math import cos, sin
from pathlib import Path
from typing import Any, Literal

Family = Literal["nllb", "m2m100", "opus-many", "opus", "madlad", "t5"]

WORDS = {
    "en": ("who", "found", "the", "river", "city", "king", "built", "bridge", "water", "stone"),
    "de": ("wer", "fand", "den", "fluss", "stadt", "könig", "baute", "brücke", "wasser", "stein"),
    "ru": ("кто", "нашёл", "эту", "реку", "город", "король", "построил", "мост", "воды", "камень"),
}
LANGUAGES = tuple(WORDS)
SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")
PIECES = (*SPECIALS, *(f"▁{word}" for words in WORDS.values() for word in words))
"""The vocabulary of all families; the tokens of languages come after it."""

# Which dimension of a vector says what. Position p is written in sines and cosines of many frequencies, sines first.
# Of the low frequencies the sines are about 0 in a short text: there the words are written, a dimension each. The last
# is left free: all that is read is read as its difference to that one, which undoes that layer norms subtract a mean.
_WIDTH = 256
_HALF = _WIDTH // 2
_SHARP = range(40)  # frequencies that tell a position from the next
_FREE = _HALF - 1
_WORD = dict(zip((word for own in WORDS.values() for word in own), range(76, 106), strict=True))
_LANGUAGE = dict(zip(LANGUAGES, range(106, 109), strict=True))
_END_OF_TEXT, _A_LANGUAGE, _READ_END = range(109, 112)
_READ = range(112, 122)  # which word the decoder found in the text, in whatever language


def word_by_word(text: str, language: str, start: str = "en") -> str:
    """What a model makes of a text of its words."""
    return " ".join(WORDS[language][WORDS[start].index(word)] for word in text.split())


def sentences(count: int, seed: int = 0, language: str = "en") -> list[str]:
    """Texts that a model can translate, some of them twice."""
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS[language], k=draw.randint(1, 8))) for _ in range(count)]


def tiny_seq2seq(folder: Path, family: Family) -> Path:
    """Save a tiny translation model.

    Args:
        folder: where; made if need be.
        family: which kind.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer, languages = _TOKENIZERS[family](folder)
    tokenizer.save_pretrained(folder)
    (folder / "words.model").unlink(missing_ok=True)  # saved under the names of the family
    _model(family, tokenizer, languages).save_pretrained(folder)
    return folder


def _model(family: Family, tokenizer: Any, languages: Sequence[int]) -> Any:
    """The model of a family, whose tokenizer gives the languages these ids."""
    import torch

    torch.manual_seed(0)
    if family in {"madlad", "t5"}:
        return _t5(family, tokenizer)
    if family in {"nllb", "m2m100"}:
        return _construct(_m2m(tokenizer), tokenizer, languages, 0, LANGUAGES)
    shift = 1 if languages else 0
    return _construct(_marian(tokenizer), tokenizer, languages, shift, LANGUAGES if languages else ("de",))


def _sizes(tokenizer: Any) -> dict[str, Any]:
    return {
        "d_model": _WIDTH, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
        "decoder_attention_heads": 2, "encoder_ffn_dim": 128, "decoder_ffn_dim": 128, "max_position_embeddings": 48,
        "dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0, "encoder_layerdrop": 0.0,
        "decoder_layerdrop": 0.0, "scale_embedding": False, "bos_token_id": 0,
        "pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id,
    }  # fmt: skip


def _m2m(tokenizer: Any) -> Any:
    from transformers import M2M100Config, M2M100ForConditionalGeneration

    size = len(tokenizer) + getattr(tokenizer, "num_madeup_words", 0)
    config = M2M100Config(**_sizes(tokenizer), vocab_size=size, decoder_start_token_id=tokenizer.eos_token_id)
    return M2M100ForConditionalGeneration(config)


def _marian(tokenizer: Any) -> Any:
    from transformers import MarianConfig, MarianMTModel

    ids = {"decoder_start_token_id": tokenizer.pad_token_id, "forced_eos_token_id": tokenizer.eos_token_id}
    return MarianMTModel(MarianConfig(**_sizes(tokenizer), vocab_size=len(tokenizer), **ids))


def _t5(family: Family, tokenizer: Any) -> Any:
    from transformers import T5Config, T5ForConditionalGeneration

    prefix = {"prefix": "translate English to German: "}
    tasks = {"task_specific_params": {"translation_en_to_de": prefix}} if family == "t5" else {}
    config = T5Config(
        vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=64, num_layers=1, num_decoder_layers=1, num_heads=4,
        pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.pad_token_id, **tasks,
    )  # fmt: skip
    return T5ForConditionalGeneration(config)


def _construct(model: Any, tokenizer: Any, languages: Sequence[int], shift: int, into: Sequence[str]) -> Any:
    """Set the weights so that the model translates: nothing is fitted.

    The decoder looks at the position of the text that it is at, reads what word is there, looks for the token of a
    language (in its own text in M2M-100, in the text in Marian), and writes that word of that language.

    Args:
        model: of one layer and two heads.
        tokenizer: its own.
        languages: ids of the tokens of ``LANGUAGES``, or none.
        shift: how far the text's words are behind those of the translation.
        into: the languages of translations.
    """
    import torch

    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "layer_norm" not in name and "embed_positions" not in name:
                weights.zero_()
        _write_embeddings(model.get_input_embeddings().weight, tokenizer, languages)
        decoder = model.get_decoder().layers[0]
        _write_reading(decoder.encoder_attn, model.config, shift)
        own = decoder.self_attn if model.config.model_type == "m2m_100" else decoder.encoder_attn
        _write_language(own, head=0 if own is decoder.self_attn else 1)
        _write_words(decoder, into)
    return model.eval()


def _write_embeddings(weights: Any, tokenizer: Any, languages: Sequence[int]) -> None:
    for word, place in _WORD.items():
        weights[tokenizer.convert_tokens_to_ids(f"▁{word}"), place] = 8.0
    weights[tokenizer.eos_token_id, _END_OF_TEXT] = 8.0
    for token, place in zip(languages, _LANGUAGE.values(), strict=False):
        weights[token, place] = weights[token, _A_LANGUAGE] = 8.0


def _read(weights: Any, row: int, place: int, factor: float = 1.0) -> None:
    weights[row, place] += factor
    weights[row, _FREE] -= factor


def _write_reading(attention: Any, config: Any, shift: int) -> None:
    """Let the first head look at its own position, so much further, and say what word is there."""
    half = _HALF
    base = half if config.model_type == "marian" else half - 1
    for i in _SHARP:
        turn = shift * 10000.0 ** (-i / base)
        for row, (sine, cosine) in ((i, (cos(turn), sin(turn))), (i + 40, (-sin(turn), cos(turn)))):
            _read(attention.q_proj.weight, row, i, 9 * sine)
            _read(attention.q_proj.weight, row, half + i, 9 * cosine)
        _read(attention.k_proj.weight, i, i, 9)
        _read(attention.k_proj.weight, i + 40, half + i, 9)
    for words in WORDS.values():
        for number, word in enumerate(words):
            _read(attention.v_proj.weight, number, _WORD[word])
    _read(attention.v_proj.weight, len(_READ), _END_OF_TEXT)
    for number, place in enumerate((*_READ, _READ_END)):
        attention.out_proj.weight[place, number] = 3.0


def _write_language(attention: Any, head: int) -> None:
    """Let a head look for the token of a language, and say which it is."""
    start = head * (_WIDTH // 2)
    attention.q_proj.bias[start + 100] = 8.0
    _read(attention.k_proj.weight, start + 100, _A_LANGUAGE, 8.0)
    for number, place in enumerate(_LANGUAGE.values()):
        _read(attention.v_proj.weight, start + 100 + number, place)
        attention.out_proj.weight[place, start + 100 + number] = 1.0


def _write_words(decoder: Any, into: Sequence[str]) -> None:
    """Let the last layer write the word of the language: a unit for each, which no other language's token silences."""
    units = [(place, _WORD[WORDS[language][number]], language)
             for language in into for number, place in enumerate(_READ)]  # fmt: skip
    for unit, (place, word, language) in enumerate([*units, (_READ_END, _END_OF_TEXT, None)]):
        _read(decoder.fc1.weight, unit, place)
        for other, its in _LANGUAGE.items():
            if language not in {None, other}:
                _read(decoder.fc1.weight, unit, its, -20.0)
        decoder.fc1.bias[unit] = -1.0
        decoder.fc2.weight[word, unit] = 10.0


def _nllb_tokenizer(folder: Path) -> tuple[Any, list[int]]:
    from transformers import NllbTokenizer

    vocabulary = {piece: number for number, piece in enumerate(PIECES)}
    codes = ["eng_Latn", "deu_Latn", "rus_Cyrl"]
    languages = [len(vocabulary) + number for number in range(len(codes))]
    vocabulary |= dict(zip(codes, languages, strict=True))
    merges = []  # a word is put together letter by letter
    for piece in PIECES[len(SPECIALS) :]:
        for end in range(1, len(piece)):
            for part in (piece[:end], piece[end], piece[: end + 1]):
                vocabulary.setdefault(part, len(vocabulary))
            if (piece[:end], piece[end]) not in merges:
                merges.append((piece[:end], piece[end]))
    tokenizer = NllbTokenizer(vocab=vocabulary, merges=merges, extra_special_tokens=codes, src_lang="eng_Latn")
    return tokenizer, languages


def _pieces_model(folder: Path) -> Path:
    """A sentencepiece model whose pieces are the words."""
    import sentencepiece

    words = [word for own in WORDS.values() for word in own]
    model = io.BytesIO()  # a file would be named in the model
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(words)] * 3), model_writer=model, model_type="word",
        vocab_size=len(words) + 3, num_threads=1, minloglevel=2, hard_vocab_limit=False,
    )  # fmt: skip
    path = folder / "words.model"
    path.write_bytes(model.getvalue())
    return path


def _m2m_tokenizer(folder: Path) -> tuple[Any, list[int]]:
    from transformers import M2M100Tokenizer
    from transformers.models.m2m_100.tokenization_m2m_100 import FAIRSEQ_LANGUAGE_CODES

    (folder / "vocab.json").write_text(json.dumps({piece: number for number, piece in enumerate(PIECES)}))
    codes = [f"__{code}__" for code in FAIRSEQ_LANGUAGE_CODES["m2m100"]]  # as in the files of the real one
    files = str(folder / "vocab.json"), str(_pieces_model(folder))
    tokenizer = M2M100Tokenizer(*files, num_madeup_words=8, additional_special_tokens=codes)
    return tokenizer, [tokenizer.get_lang_id(language) for language in LANGUAGES]


def _marian_tokenizer(folder: Path, codes: Sequence[str] = (), **languages: str) -> tuple[Any, list[int]]:
    from transformers import MarianTokenizer

    pieces = ("</s>", "<unk>", *PIECES[len(SPECIALS) :], *codes, "<pad>")  # in the order of Opus-MT
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    model = str(_pieces_model(folder))
    tokenizer = MarianTokenizer(model, model, str(folder / "vocab.json"), **languages)
    return tokenizer, [vocabulary[code] for code in codes]


def _t5_tokenizer(folder: Path, codes: Sequence[str] = ()) -> tuple[Any, list[int]]:
    from transformers import T5Tokenizer

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((piece, -1.0) for piece in PIECES[len(SPECIALS) :])]
    tokenizer = T5Tokenizer(vocab=[*pieces, ("▁", -9.0)], extra_ids=0)
    tokenizer.add_tokens(list(codes))
    return tokenizer, []


_TOKENIZERS: dict[Family, Callable[[Path], tuple[Any, list[int]]]] = {
    "nllb": _nllb_tokenizer,
    "m2m100": _m2m_tokenizer,
    "opus-many": lambda folder: _marian_tokenizer(folder, (">>eng<<", ">>deu<<", ">>rus<<"), source_lang="eng"),
    "opus": lambda folder: _marian_tokenizer(folder, source_lang="en", target_lang="de"),
    "madlad": lambda folder: _t5_tokenizer(folder, ("<2de>", "<2ru>", "<2zh>")),
    "t5": _t5_tokenizer,
}
