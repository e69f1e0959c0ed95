"""A generated parallel world: facts about invented women, towns and ships, told in eight languages.

It needs no download and comes in any size. An invented name is rare, and it is transliterated into each
script: within a language, question and passage share it; across scripts they share nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from mteb_hybrid.data.collection import ParallelCollection, TextTable
from mteb_hybrid.errors import HybridError

WORLD_LANGUAGES: tuple[str, ...] = ("en", "de", "es", "ru", "el", "ar", "hi", "zh")

# Each relation with its values: a list of words, numbers, or (None) invented names. Six are of women, six of towns, six
# of ships: this fixes the gender, so no template has to agree with a name. A word has the one form that its templates
# ask for; after any of these numbers, a unit has one form even in Russian and Arabic.
_RELATIONS: tuple[tuple[str, str | range | None], ...] = (
    ("birthplace", None),
    ("birth_year", range(1850, 2000)),
    ("profession", "professions"),
    ("instrument", "instruments"),
    ("pet", "animals"),
    ("mentor", None),
    ("founding_year", range(1100, 1900)),
    ("elevation", range(150, 3150, 100)),
    ("population", range(10_000, 100_000, 100)),
    ("mayor", None),
    ("crest", "animals"),
    ("crop", "plants"),
    ("captain", None),
    ("hull", "materials"),
    ("sails", "colours"),
    ("length", range(15, 100, 5)),
    ("launch_year", range(1750, 2000)),
    ("home_port", None),
)
_RELATIONS_PER_ENTITY = 6
_STEP = 7  # coprime to the number of relations: visits them all, changing the kind of entity each time
_FACTS_PER_DISTRACTOR = 5

# A name is four syllables. The last one does not end in -a: such names are declined in Russian.
_SYLLABLES, _LAST_SYLLABLES = 36, 24
_FRONTS, _BACKS = _SYLLABLES * _SYLLABLES, _SYLLABLES * _LAST_SYLLABLES
_NAMES_PER_FACT = 4  # its entity and value, and those of a distractor
_MAX_FACTS = _FRONTS * _BACKS // _NAMES_PER_FACT


@dataclass(frozen=True)
class _Fact:
    """One statement, in no language yet. A name is an index into each of a language's syllable tables."""

    id: str
    groups: tuple[str, ...]
    relation: str
    values: str | range | None
    entity: tuple[int, ...]
    value_name: tuple[int, ...]
    # Large random numbers, each reduced to the length of the list that it chooses from.
    value_choice: int
    question_choice: int
    passage_choice: int


@dataclass(frozen=True)
class _Language:
    """The content of one language file."""

    question_mark: str
    digits: str
    thousands: str
    syllables: Sequence[str]
    words: Mapping[str, Sequence[str]]
    relations: Mapping[str, Mapping[str, Sequence[str]]]

    @classmethod
    def load(cls, language: str) -> _Language:
        path = resources.files("mteb_hybrid.data") / "world_texts" / f"{language}.json"
        fields = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**fields, "syllables": [table.split() for table in fields["syllables"]]})

    def question(self, fact: _Fact) -> str:
        template = _choose(self.relations[fact.relation]["questions"], fact.question_choice)
        return template.format(entity=self._name(fact.entity)) + self.question_mark

    def passage(self, fact: _Fact) -> str:
        template = _choose(self.relations[fact.relation]["passages"], fact.passage_choice)
        return template.format(entity=self._name(fact.entity), value=self._value(fact))

    def _value(self, fact: _Fact) -> str:
        if isinstance(fact.values, str):
            return _choose(self.words[fact.values], fact.value_choice)
        if isinstance(fact.values, range):
            return self._number(fact.values[fact.value_choice % len(fact.values)])
        return self._name(fact.value_name)

    def _name(self, name: Sequence[int]) -> str:
        return "".join(table[i] for table, i in zip(self.syllables, name, strict=True))

    def _number(self, number: int) -> str:
        grouped = f"{number:,}" if number >= 10_000 else str(number)  # years and heights stay in one piece
        return grouped.translate(str.maketrans("0123456789", self.digits)).replace(",", self.thousands)


def generate_world(
    facts: int = 400,
    *,
    first: int = 0,
    seed: int = 0,
    languages: Sequence[str] = WORLD_LANGUAGES,
    name: str = "ParallelWorld",
) -> ParallelCollection:
    """Return a window of the generated world as a parallel collection.

    A fact is one question and one passage in every language; its group is its id, such as ``fact-00017``. After every
    fifth comes a distractor: a passage of no group, about a name no question asks for. A fact depends on its number and
    the seed alone, so a small world is a prefix of a large one. Windows cut at multiples of 18 share no entity.

    Args:
        facts: how many facts.
        first: the number of the first one.
        seed: another seed gives another world.
        languages: some of WORLD_LANGUAGES, in the order wanted.
        name: what to call the collection.

    Returns:
        The collection, the same on every platform and Python version.

    Raises:
        HybridError: facts or first out of range; no language, or one that the world is not told in.
    """
    _check(facts, first, languages)
    told = list(_facts(seed, range(first, first + facts)))
    asked = [fact for fact in told if fact.groups]
    texts = {tag: _Language.load(tag) for tag in languages}
    queries = {tag: _table((f.id, t.question(f), f.groups) for f in asked) for tag, t in texts.items()}
    passages = {tag: _table((f"{tag}-{f.id}", t.passage(f), f.groups) for f in told) for tag, t in texts.items()}
    return ParallelCollection(name, queries, passages)


def _check(facts: int, first: int, languages: Sequence[str]) -> None:
    if facts < 1:
        raise HybridError(f"a world of {facts} facts: ask for 1 or more")
    if first < 0:
        raise HybridError(f"a world from fact {first} on: facts count from 0; ask for first=0 or more")
    if first + facts > _MAX_FACTS:
        raise HybridError(f"a world of {facts} facts from {first} on: ask for facts below {_MAX_FACTS} only")
    unknown = [language for language in languages if language not in WORLD_LANGUAGES]
    if unknown or not languages:
        asked = repr(unknown[0]) if unknown else "no language"
        raise HybridError(f"a world in {asked}: ask for one or more of {', '.join(WORLD_LANGUAGES)}")


def _table(rows: Iterator[tuple[str, str, tuple[str, ...]]]) -> TextTable:
    ids, texts, groups = zip(*rows, strict=True)
    return TextTable(ids, texts, groups)


def _facts(seed: int, numbers: range) -> Iterator[_Fact]:
    """Yield the facts of ``numbers`` and their distractors; 18 facts are all relations of a woman, a town, a ship."""
    for number in numbers:
        block, place = divmod(number, len(_RELATIONS))
        relation = (place * _STEP + _draw(seed, "block", block)) % len(_RELATIONS)
        # The names of a block's first three facts are those of its woman, its town and its ship.
        entity = (block * len(_RELATIONS) + relation // _RELATIONS_PER_ENTITY) * _NAMES_PER_FACT
        yield _fact(seed, f"fact-{number:05d}", relation, entity, number * _NAMES_PER_FACT + 1, asked=True)
        if (number + 1) % _FACTS_PER_DISTRACTOR == 0:
            relation = _draw(seed, "distractor", number) % len(_RELATIONS)
            entity = number * _NAMES_PER_FACT + 2
            yield _fact(seed, f"distractor-{number:05d}", relation, entity, entity + 1, asked=False)


def _fact(seed: int, id_: str, relation: int, entity: int, value: int, *, asked: bool) -> _Fact:
    groups = (id_,) if asked else ()
    names = _name(seed, entity), _name(seed, value)
    return _Fact(id_, groups, *_RELATIONS[relation], *names, *(_draw(seed, id_, i) for i in range(3)))


def _name(seed: int, number: int) -> tuple[int, ...]:
    """Return name ``number``; by a Feistel network, so that no two numbers have the same name."""
    front, back = divmod(number, _BACKS)
    for turn in range(2):
        front = (front + _draw(seed, f"front {turn}", back)) % _FRONTS
        back = (back + _draw(seed, f"back {turn}", front)) % _BACKS
    return (*divmod(front, _SYLLABLES), *divmod(back, _LAST_SYLLABLES))


def _choose(texts: Sequence[str], choice: int) -> str:
    return texts[choice % len(texts)]


def _draw(seed: int, label: str, number: int) -> int:
    """Return a random whole number below 2**64 that depends on the arguments alone."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{label}/{number}".encode()).digest()[:8], "big")
