"""Hostile text in cards, and hostile cards: what is written is one document, with nothing but what we wrote."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from mteb_hybrid.publishing.card import model_card
from mteb_hybrid.publishing.card_merge import merge_cards
from mteb_hybrid.publishing.card_parts import read_card
from mteb_hybrid.publishing.content import CardContent, Encoder, Figure
from mteb_hybrid.reporting.results import ModelResults
from mteb_hybrid.training.outcome import TrainingRecord
from tests.hostile.held import Cases
from tests.hostile.strategies import TEXTS, fuzzed, spoiled_bytes, texts
from tests.hostile.test_model_files import TRAINING

PLAIN = "word"


def content_of(text: str) -> CardContent:
    """What a card is made of, with one text in every place that comes from files."""
    source = {**TRAINING["data"][0], "name": text, "source": text, "license": text, "mteb_tasks": [text]}
    record = TrainingRecord.model_validate(
        {
            **TRAINING,
            "base": text,
            "origin": text,
            "hardware": text,
            "versions": {text: text},
            "base_data": [source],
            "data": [{**source, "languages": [text, "de"], "decontaminated": [text]}],
            "base_mteb_tasks": [text],
            "merged_from": None,
        }
    )
    scores = {f"{text}-{text}": {"map": 0.5}, "de-de": {"map": 0.5}}
    results = ModelResults(text, text, {f"{text}Monolingual": scores}, {f"{text}Monolingual": text})
    return CardContent(
        name=text,
        repo_id="ORG/name",
        license=text,
        base_model=text,
        base_name=text,
        languages=(text, "de"),
        encoder=Encoder({"query": text, text: text}, text, 64, 8, 1000),
        record=record,
        recipe=None,
        recipe_text=f"name: {text}\n",
        results=results,
        tables="",
        figures=(Figure(f"figures/{text}.svg", text),),
        zero_shot=(text,),
        seen=(text,),
    )


class _Skeleton(HTMLParser):
    """The elements of a page, with the names of their attributes, and the addresses in them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, ...]] = []
        self.addresses: list[str] = []
        self.comments = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, *sorted(name for name, _ in attrs)))
        self.addresses += [value or "" for name, value in attrs if name in {"href", "src"}]

    def handle_comment(self, data: str) -> None:
        self.comments += 1


def skeleton(markdown: str) -> _Skeleton:
    found = _Skeleton()
    found.feed(MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(markdown))
    return found


def parted(card: str) -> tuple[Any, str]:
    match = re.match(r"\A---\n(.*?)\n---\n", card, re.DOTALL)
    assert match, card[:200]
    return yaml.safe_load(match[1]), card[match.end() :]


EXPECTED = {"h1", "h2", "h3", "p", "a", "img", "code", "pre", "table", "thead", "tbody", "tr", "th", "td", "ul", "li",
            "strong", "em", "hr"}  # fmt: skip


def check_card(card: str) -> None:
    metadata, body = parted(card)
    assert isinstance(metadata, dict)
    assert set(metadata) <= {
        "language", "language_bcp47", "license", "library_name", "pipeline_tag", "tags", "base_model", "datasets",
        "model-index", "base_model_relation", "mteb-hybrid",
    }, set(metadata)  # fmt: skip
    found = skeleton(body)
    assert {element[0] for element in found.elements} <= EXPECTED, {element[0] for element in found.elements} - EXPECTED
    assert found.comments == 0
    for address in found.addresses:
        assert re.match(
            r"(https://(huggingface\.co|arxiv\.org|github\.com|sbert\.net|doi\.org)|figures/|#)", address
        ), address
    for sign in card:
        assert sign.isprintable() or sign in "\n\t\u200c\u200d\u2068\u2069", repr(sign)
    assert len(card) < 200_000


@given(text=texts)
@fuzzed(25)
def test_any_text_in_a_card(cases: Cases, text: str) -> None:
    card = cases.hold("text in a card", lambda: model_card(content_of(text)))
    check_card(card)


@pytest.mark.parametrize(
    "text", [*TEXTS, "x" * 10_000_000, "`" * 100_000 + "\n---\n"], ids=lambda text: repr(text[:20])
)
def test_a_text_in_a_card(cases: Cases, text: str) -> None:
    card = cases.hold("text in a card", lambda: model_card(content_of(text)))
    check_card(card)
    ours = [element for element in skeleton(parted(card)[1]).elements if element[0] in {"h1", "h2", "img"}]
    usual = [element for element in skeleton(parted(model_card(content_of(PLAIN)))[1]).elements
             if element[0] in {"h1", "h2", "img"}]  # fmt: skip
    assert ours == usual, "a heading or a picture more or less"


# ---- cards read back

CARD = """\
---
# kept by hand
language:
- de
license: mit
tags: [mteb, mine]
model-index:
- name: x
  results: []
---

# ours

Text.

## Usage

    code

## Mine

| a | b |
|---|---|
| 1 | 2 |
"""

FRONT_BOMBS = {
    "laughs": "a: &a0 [x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)),
    "merged keys": "a: &a0 {x: 1}\n" + "".join(
        f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)),
    "python": "a: !!python/object/apply:os.system ['touch gone']\n",
    "a loop": "a: &a [*a]\n",
    "a loop of keys": "? &a [*a]\n: b\n",
    "deep": "a: " + "[" * 5_000,
    "a long hexadecimal": "a: 0x" + "f" * 5_000 + "\n",
    "sixties": "a: " + ":".join(["59"] * 3_000) + "\n",
    "a date that is none": "a: 2001-99-99\n",
    "binary": "a: !!binary aGFsbG8=\n",
    "a set": "a: !!set {x, y}\n",
    "pairs": "a: !!omap [x: 1]\n",
    "half of a pair": 'a: "\\ud800"\n',
    "a key that is none": "? [a, b]\n: c\n",
    "a key of null": "null: 1\n~: 2\n",
    "keys twice": "a: 1\na: 2\n",
    "documents": "a: 1\n...\nb: 2\n",
    "a comment": "# nothing\n",
    "NUL": "a: \x00\n",
    "model-index": "model-index: 7\nlicense: [mit]\n",
    "model-index of texts": "model-index: [x]\ntags: {a: b}\nlanguage: 7\n",
}  # fmt: skip


@pytest.mark.parametrize("bomb", FRONT_BOMBS)
def test_a_card_that_would_hide_or_burst(cases: Cases, bomb: str) -> None:
    theirs = f"---\n{FRONT_BOMBS[bomb]}---\n\n# theirs\n"
    merged = cases.hold("card in a repository", lambda: merge_cards(CARD, theirs, CARD.replace("Text", "New")))
    if merged is not None:
        cases.hold("licence in a card", lambda: _license(merged))
        merged.encode()


def _license(card: str) -> None:
    from mteb_hybrid.publishing.publish import _check_license

    _check_license(card, {"pairs": "mit"})


@given(data=st.data())
@fuzzed(50)
def test_a_card_in_a_repository(cases: Cases, data: st.DataObject) -> None:
    base = CARD if data.draw(st.booleans()) else data.draw(spoiled_bytes(CARD.encode())).decode("utf-8", "replace")
    theirs = data.draw(spoiled_bytes(CARD.encode(), 5)).decode("utf-8", "replace")
    new = CARD.replace("Text.", "New.").replace("mit", "apache-2.0")
    merged = cases.hold("card in a repository", lambda: merge_cards(base, theirs, new))
    if merged is not None:
        again = cases.hold("card that was merged", lambda: merge_cards(new, merged, new))
        assert again is not None, "what is merged is a card"
        cases.hold("licence in a card", lambda: _license(merged))


@given(text=st.text(st.sampled_from("-#\n\r \t:`~[]{}&*!|>'\"%@\\<a0\u2028\ud800"), max_size=60))
@fuzzed(50)
def test_any_text_as_a_card(cases: Cases, text: str) -> None:
    cases.hold("card in a repository", lambda: read_card(text))
    cases.hold("card in a repository", lambda: read_card(f"---\n{text}\n---\n{text}"))
    cases.hold("card in a repository", lambda: merge_cards(None, f"---\n{text}\n---\n{text}", CARD))
