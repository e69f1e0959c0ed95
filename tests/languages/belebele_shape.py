"""A collection of Belebele's shape: as many languages, queries and passages a language, the same tags, invented texts.

Belebele (Bandarkar et al. 2023, arXiv 2308.16884) has 122 language variants, named by ISO 639-3 code and script, of
which some differ in the script alone. Each has 900 questions on 488 passages, most of which
answer two.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import lru_cache

from mteb_hybrid.data.collection import ParallelCollection, TextTable

QUERIES = 900
PASSAGES = 488

_CODES = {
    "Arab": "acm apc arb ars ary arz ckb pbt pes snd urd",
    "Armn": "hye",
    "Beng": "asm ben",
    "Cyrl": "bul kaz khk kir mkd rus srp tgk ukr",
    "Deva": "hin mar npi",
    "Ethi": "amh tir",
    "Geor": "kat",
    "Grek": "ell",
    "Gujr": "guj",
    "Guru": "pan",
    "Hang": "kor",
    "Hans": "zho",
    "Hant": "zho",
    "Hebr": "heb",
    "Jpan": "jpn",
    "Khmr": "khm",
    "Knda": "kan",
    "Laoo": "lao",
    "Latn": (
        "afr als arb azj bam ben cat ceb ces dan deu eng est eus fin fra fuv gaz grn hat hau hin hrv hun ibo "
        "ilo ind isl ita jav kac kea kin lin lit lug luo lvs mlt mri nld nob npi nso nya plt pol por ron sin "
        "slk slv sna som sot spa ssw sun swe swh tgl tsn tso tur urd uzn vie war wol xho yor zsm zul"
    ),
    "Mlym": "mal",
    "Mymr": "mya shn",
    "Orya": "ory",
    "Sinh": "sin",
    "Taml": "tam",
    "Telu": "tel",
    "Thai": "tha",
    "Tibt": "bod",
}
TAGS = tuple(sorted(f"{code}_{script}" for script, codes in _CODES.items() for code in codes.split()))
"""The 122 tags, as the data set and mteb's BelebeleRetrieval write them."""

ODD = (
    "eng_Latn",
    "arb_Arab",
    "arb_Latn",
    "ben_Beng",
    "ben_Latn",
    "zho_Hans",
    "zho_Hant",
    "heb_Hebr",
    "tha_Thai",
    "hin_Deva",
    "tgl_Latn",
    "mya_Mymr",
)
"""Twelve of them: scripts from the right, without spaces, with marks that combine, and pairs that differ in script."""

# The first letter of each script's block and how many letters from it on are used.
_LETTERS = {
    "Arab": (0x0627, 20), "Armn": (0x0561, 38), "Beng": (0x0995, 20), "Cyrl": (0x0430, 32), "Deva": (0x0915, 37),
    "Ethi": (0x1200, 70), "Geor": (0x10D0, 33), "Grek": (0x03B1, 17), "Gujr": (0x0A95, 20), "Guru": (0x0A15, 20),
    "Hang": (0xAC00, 900), "Hans": (0x4E00, 900), "Hant": (0x4E00, 900), "Hebr": (0x05D0, 27), "Jpan": (0x3042, 80),
    "Khmr": (0x1780, 33), "Knda": (0x0C95, 20), "Laoo": (0x0E94, 4), "Latn": (0x0061, 26), "Mlym": (0x0D15, 36),
    "Mymr": (0x1000, 33), "Orya": (0x0B15, 20), "Sinh": (0x0D9A, 24), "Taml": (0x0BAE, 12), "Telu": (0x0C15, 20),
    "Thai": (0x0E01, 46), "Tibt": (0x0F40, 8),
}  # fmt: skip
_WITHOUT_SPACES = {"Hans", "Hant", "Jpan", "Khmr", "Laoo", "Mymr", "Thai", "Tibt"}


def belebele_shaped(
    tags: Sequence[str] = TAGS, queries: int = QUERIES, passages: int = PASSAGES, name: str = "Belebele"
) -> ParallelCollection:
    """Make the collection; the same one each time.

    Args:
        tags: its languages.
        queries: a language; query n is on passage n modulo ``passages``.
        passages: a language.
        name: what it is called.

    Returns:
        A collection in which every query has one relevant passage in each language, and no text is there twice.
    """
    asked = {tag: TextTable(*_columns(tag, "q", queries, _query_groups)) for tag in tags}
    pool = {
        tag: TextTable(*_columns(tag, f"{tag}-p", passages, lambda row: _passage_groups(row, queries, passages)))
        for tag in tags
    }
    return ParallelCollection(name, asked, pool)


def _columns(tag: str, prefix: str, count: int, groups: object) -> tuple[tuple[str, ...], ...]:
    ids = tuple(f"{prefix}{row}" for row in range(count))
    texts = tuple(_text(tag, prefix[-1], row) for row in range(count))
    return ids, texts, tuple(groups(row) for row in range(count))  # type: ignore[operator]


def _query_groups(row: int) -> tuple[str, ...]:
    return (f"g{row}",)


def _passage_groups(row: int, queries: int, passages: int) -> tuple[str, ...]:
    return tuple(f"g{query}" for query in range(row, queries, passages))


def _text(tag: str, role: str, row: int) -> str:
    """Words of the tag's script; a number at the end tells texts apart, the tag languages of one script."""
    chosen = random.Random(f"{tag} {role} {row}")
    between = "" if tag[4:] in _WITHOUT_SPACES else " "
    return between.join([*(chosen.choice(_words(tag)) for _ in range(6)), f"{role}{row}{tag[:3]}"])


@lru_cache(maxsize=256)
def _words(tag: str) -> tuple[str, ...]:
    chosen = random.Random(tag)
    first, count = _LETTERS[tag[4:]]
    return tuple("".join(chr(first + chosen.randrange(count)) for _ in range(chosen.randint(2, 6))) for _ in range(200))
