"""How a seq2seq model is told what to translate from and into: each family has its own way, seen from its tokenizer.

- NLLB, M2M-100 and mBART-50 have a token for each language: that of the source stands before the text, that of the
  target is the first token that the decoder gives.
- MADLAD-400 reads ``<2de>`` before the text, and multilingual Opus-MT ``>>deu<<``; both tell the source by themselves.
- T5 reads words, ``translate English to German:``, that its configuration lists.
- Opus-MT for one pair, and what was trained by other people for one, are told nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mteb_hybrid.building.translation.tags import code_for, nearest_code
from mteb_hybrid.data.languages import language_and_script
from mteb_hybrid.errors import HybridError, one_line

_FLORES = re.compile(r"[a-z]{3}_[A-Z][a-z]{3}")
_MBART = re.compile(r"[a-z]{2}_[A-Z]{2}")
_MADLAD = re.compile(r"<2([A-Za-z_]+)>")
_OPUS = re.compile(r">>([A-Za-z_]+)<<")
_T5 = re.compile(r"translation_([a-z]+)_to_([a-z]+)")


@dataclass(frozen=True)
class Direction:
    """How a model is told a pair of languages.

    Attributes:
        family: ``language tokens``, ``prefix token``, ``prefix words`` or ``one pair``.
        source: what the tokenizer's ``src_lang`` must be; None if it has none.
        first: the token that the translation begins with; None if that is left to the model.
        prefix: what is put before each text.
    """

    family: str
    source: str | None = None
    first: str | None = None
    prefix: str = ""


def find_direction(tokenizer: Any, config: Any, pair: tuple[str, str], model: str, *, named: bool = False) -> Direction:
    """Find out how a model is told to translate.

    Args:
        tokenizer: the model's, of transformers.
        config: the model's configuration.
        pair: the tags of the source and the target.
        model: what it is called in errors.
        named: whether the user chose this model for just this target, and so vouches for one that does not say what
            languages it is for.

    Raises:
        HybridError: the model lacks a language, or does not say that it has it; the nearest that it has is named.
    """
    for family in (_language_tokens, _prefix_token, _prefix_words, _one_pair):
        if (direction := family(tokenizer, config, pair, model)) is not None:
            return direction
    if named:
        return Direction("one pair")
    raise HybridError(
        f"{model} does not say what languages it translates; if it is for {pair[0]} to {pair[1]}, say so: "
        f"model: {{{pair[1]}: {model}}}"
    )


def _language_tokens(tokenizer: Any, config: Any, pair: tuple[str, str], model: str) -> Direction | None:
    if not hasattr(tokenizer, "src_lang"):
        return None
    vocabulary = tokenizer.get_vocab()
    for codes in (
        getattr(tokenizer, "lang_code_to_token", None) or {},  # M2M-100: the tokenizer takes de for __de__
        {token: token for token in vocabulary if _FLORES.fullmatch(token)},
        {token: token for token in vocabulary if _MBART.fullmatch(token)},
    ):
        if codes:
            source, target = (_code(tag, codes, model) for tag in pair)
            return Direction("language tokens", source, codes[target])
    return None


def _prefix_token(tokenizer: Any, config: Any, pair: tuple[str, str], model: str) -> Direction | None:
    vocabulary = tokenizer.get_vocab()
    for form in (_MADLAD, _OPUS):
        codes = {match[1]: token for token in vocabulary if (match := form.fullmatch(token))}
        if codes:
            _check_source(tokenizer, pair[0], model)
            return Direction("prefix token", prefix=f"{codes[_code(pair[1], codes, model)]} ")
    return None


def _prefix_words(tokenizer: Any, config: Any, pair: tuple[str, str], model: str) -> Direction | None:
    tasks = getattr(config, "task_specific_params", None) or {}
    known = {
        (match[1], match[2]): str(task["prefix"])
        for name, task in tasks.items()
        if (match := _T5.fullmatch(name)) and isinstance(task, dict) and "prefix" in task
    }
    if not known:
        return None
    source = _code(pair[0], {source: source for source, _ in known}, model)
    target = _code(pair[1], {own: own for start, own in known if start == source}, model)
    return Direction("prefix words", prefix=known[source, target])


def _one_pair(tokenizer: Any, config: Any, pair: tuple[str, str], model: str) -> Direction | None:
    target = getattr(tokenizer, "target_lang", None)
    if not target:
        return None
    _check_source(tokenizer, pair[0], model)
    _code(pair[1], {str(target): str(target)}, model)
    return Direction("one pair")


def _check_source(tokenizer: Any, tag: str, model: str) -> None:
    """Raise a HybridError if a model is for another source; one for a group of languages does not list them."""
    source = str(getattr(tokenizer, "source_lang", None) or "")
    if _is_language(source) and not code_for(tag, [source]):
        raise HybridError(f"{model} translates from {one_line(source, 40)}, not from {tag}; take another model")


def _is_language(code: str) -> bool:
    if code in {
        "mul",
        "roa",
        "gem",
        "sla",
        "zle",
        "zlw",
        "zls",
        "gmw",
        "gmq",
        "itc",
        "cel",
        "bat",
        "fiu",
        "urj",
        "ine",
    }:
        return False  # groups of languages (ISO 639-5), as Opus-MT names them
    try:
        return bool(language_and_script(code.replace("_", "-")))
    except HybridError:
        return False


def _code(tag: str, codes: Mapping[str, str], model: str) -> str:
    code = code_for(tag, codes)
    if code is None:
        nearest = nearest_code(tag, codes)
        hint = f"; the nearest that it has is {nearest}" if nearest else ""
        raise HybridError(f"{model} has no {tag}{hint}; take another model, or leave the language out")
    return code


def source_ids(tokenizer: Any, direction: Direction, texts: list[str]) -> list[list[int]]:
    """Tokenise texts the way that a model is told their language.

    Args:
        tokenizer: the model's; its ``src_lang`` is set.
        direction: what ``find_direction`` found.
        texts: the texts.

    Returns:
        The ids of each text, with all that the model wants around it, uncut.
    """
    if direction.source is not None:
        tokenizer.src_lang = direction.source
    ids: list[list[int]] = tokenizer([direction.prefix + text for text in texts], truncation=False, verbose=False)[
        "input_ids"
    ]
    return ids


def first_id(tokenizer: Any, direction: Direction) -> int | None:
    """The id of the token that a translation begins with; None if that is left to the model."""
    return None if direction.first is None else int(tokenizer.convert_tokens_to_ids(direction.first))


def check_prefix(tokenizer: Any, direction: Direction, model: str) -> None:
    """Raise a HybridError if the tokenizer takes the token before a text for mere characters."""
    if direction.family != "prefix token":
        return
    token = direction.prefix.strip()
    if tokenizer.get_vocab()[token] not in source_ids(tokenizer, direction, ["a"])[0]:
        raise HybridError(f"{model}: its tokenizer takes {token} apart; take another revision of the model")
