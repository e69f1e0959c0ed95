"""The generated world: the same everywhere, any window of it, and sound in every language."""

from __future__ import annotations

import json
import string
import unicodedata
from importlib import resources
from typing import Any

import pytest

from mteb_hybrid.data.collection import ParallelCollection, TextTable
from mteb_hybrid.data.world import WORLD_LANGUAGES, generate_world
from mteb_hybrid.errors import HybridError

SCRIPTS = {
    "en": "LATIN",
    "de": "LATIN",
    "es": "LATIN",
    "ru": "CYRILLIC",
    "el": "GREEK",
    "ar": "ARABIC",
    "hi": "DEVANAGARI",
    "zh": "CJK",
}
QUESTION_MARKS = {"el": ";", "ar": "؟", "zh": "？"}
RELATIONS, KINDS = 18, 3


@pytest.fixture(scope="module")
def world() -> ParallelCollection:
    return generate_world(5000)


@pytest.fixture(scope="module")
def files() -> dict[str, dict[str, Any]]:
    folder = resources.files("mteb_hybrid.data") / "world_texts"
    return {tag: json.loads((folder / f"{tag}.json").read_text(encoding="utf-8")) for tag in WORLD_LANGUAGES}


def rows(table: TextTable) -> list[tuple[str, str, tuple[str, ...]]]:
    return list(zip(table.ids, table.texts, table.groups, strict=True))


def shape(node: Any) -> Any:
    """Return the keys, the list lengths and the fields of the templates; nothing of the language."""
    if isinstance(node, dict):
        return {key: shape(value) for key, value in node.items()}
    if isinstance(node, list):
        return [shape(value) for value in node]
    return sorted(field for _, field, _, _ in string.Formatter().parse(node) if field is not None)


def entities(world: ParallelCollection) -> set[str]:
    """Return the invented names in the English questions: the one capitalised word not at their start."""
    return {word.rstrip("?") for text in world.queries["en"].texts for word in text.split()[1:] if word[0].isupper()}


def test_content_is_pinned() -> None:
    assert generate_world(50, seed=7).revision == "5db34ea020c918e04451ed55d028b88be38a7323"
    assert generate_world(50, seed=8).revision != generate_world(50, seed=7).revision


@pytest.mark.parametrize("first", [0, 18, 4321, 4999 - 7])
def test_a_window_is_a_slice_of_the_larger_world(world: ParallelCollection, first: int) -> None:
    window = generate_world(7, first=first)
    for tag in WORLD_LANGUAGES:
        assert rows(window.queries[tag]) == rows(world.queries[tag])[first : first + 7]
        expected = rows(world.passages[tag])
        start = expected.index(rows(window.passages[tag])[0])
        assert rows(window.passages[tag]) == expected[start : start + len(window.passages[tag])]


def test_a_smaller_world_is_a_prefix(world: ParallelCollection) -> None:
    small = generate_world(123, languages=("zh", "de"))
    assert small.languages == ("zh", "de")
    for tag in small.languages:
        assert rows(small.queries[tag]) == rows(world.queries[tag])[:123]
        assert rows(small.passages[tag]) == rows(world.passages[tag])[: 123 + 123 // 5]


def test_windows_cut_between_blocks_share_no_entity() -> None:
    train, test = generate_world(10 * RELATIONS, first=20 * RELATIONS), generate_world(20 * RELATIONS)
    assert len(entities(train)) == 10 * KINDS
    assert len(entities(test)) == 20 * KINDS
    assert not entities(train) & entities(test)


def test_counts(world: ParallelCollection) -> None:
    assert world.name == "ParallelWorld"
    assert world.languages == WORLD_LANGUAGES
    for tag in WORLD_LANGUAGES:
        assert len(world.queries[tag]) == 5000
        assert len(world.passages[tag]) == 6000
        assert world.passages[tag].groups.count(()) == 1000


def test_ids_and_questions_are_unique(world: ParallelCollection) -> None:
    passage_ids = [id_ for table in world.passages.values() for id_ in table.ids]
    assert len(set(passage_ids)) == len(passage_ids)
    assert "de-fact-00017" in passage_ids
    for tag in WORLD_LANGUAGES:
        assert len(set(world.queries[tag].texts)) == 5000
        assert len(set(world.passages[tag].texts)) == 6000


def test_every_group_is_told_in_every_language(world: ParallelCollection) -> None:
    groups = world.queries["en"].ids
    assert groups[17] == "fact-00017"
    for tag in WORLD_LANGUAGES:
        assert world.queries[tag].ids == groups
        assert world.queries[tag].groups == tuple((group,) for group in groups)
        assert tuple(world.passages[tag].rows_by_group) == groups
        assert all(len(found) == 1 for found in world.passages[tag].rows_by_group.values())


@pytest.mark.parametrize("tag", WORLD_LANGUAGES)
def test_texts_are_in_the_script_of_the_language(world: ParallelCollection, tag: str) -> None:
    texts = world.queries[tag].texts + world.passages[tag].texts
    characters = {character for text in texts for character in text}
    assert not characters & set("{}")
    assert all(unicodedata.name(c).startswith(SCRIPTS[tag]) for c in characters if c.isalpha())
    assert all(text[-1] == QUESTION_MARKS.get(tag, "?") for text in world.queries[tag].texts)
    assert all(text[-1] in ".।。" for text in world.passages[tag].texts)


@pytest.mark.parametrize("tag", [tag for tag in WORLD_LANGUAGES if tag != "zh"])  # Chinese has no spaces between words
def test_a_question_and_its_passage_share_some_words_not_all(world: ParallelCollection, tag: str) -> None:
    answers = world.passages[tag].rows_by_group
    for id_, question in zip(world.queries[tag].ids, world.queries[tag].texts, strict=True):
        asked = set(question[:-1].lower().split())
        told = set(world.passages[tag].texts[answers[id_][0]][:-1].lower().split())
        assert asked & told
        assert asked - told


def test_language_files_are_parallel(files: dict[str, dict[str, Any]]) -> None:
    for tag, fields in files.items():
        parallel = {key: shape(fields[key]) for key in ("words", "relations")}
        assert parallel == {key: shape(files["en"][key]) for key in ("words", "relations")}, tag
        assert fields.keys() == files["en"].keys(), tag
        assert len(fields["digits"]) == 10, tag


def test_relations_have_phrasings(files: dict[str, dict[str, Any]]) -> None:
    for fields in files.values():
        assert len(fields["relations"]) == RELATIONS
        for templates in fields["relations"].values():
            assert len(set(templates["questions"])) >= 2
            assert all("{entity}" in text for text in templates["questions"])
            assert len(set(templates["passages"])) >= 2
            assert all("{entity}" in text and "{value}" in text for text in templates["passages"])
        assert all(len(set(words)) == len(words) for words in fields["words"].values())


def test_syllables_are_distinct_and_names_can_be_told_apart(files: dict[str, dict[str, Any]]) -> None:
    for tag, fields in files.items():
        tables = [table.split() for table in fields["syllables"]]
        assert [len(table) for table in tables] == [36, 36, 36, 24], tag
        assert all(len(set(table)) == len(table) for table in tables), tag


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"facts": 0}, "1 or more"),
        ({"first": -1}, "first=0"),
        ({"facts": 2, "first": 279_935}, "279936"),
        ({"languages": ()}, "no language"),
        ({"languages": ("en", "fr")}, "'fr'"),
    ],
)
def test_bad_arguments_are_told_in_one_line(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(HybridError, match=words) as caught:
        generate_world(**arguments)
    assert "\n" not in str(caught.value)
    assert "ask for" in str(caught.value)


def test_the_last_fact_can_be_had() -> None:
    assert generate_world(1, first=279_935).queries["en"].ids == ("fact-279935",)
