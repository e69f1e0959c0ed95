"""A card that is published again keeps what its user has edited.

Three versions take part: the card as it was generated last, the card that is in the repository, and the card as it is
generated now. They are compared piece by piece: keys of the front matter, the preamble, sections. What the user has
not touched becomes what is generated now; what the user wrote, changed or deleted stays so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from mteb_hybrid.errors import HybridError
from mteb_hybrid.publishing.card_parts import Card, Key, Part, card_text, normal, read_card

_NOTHING = Part("", "", False)
_NO_CARD = Card({}, _NOTHING, {})


def merge_cards(base: str | None, theirs: str | None, new: str) -> str:
    """Return the card to publish.

    Args:
        base: the card as it was generated last time; None if it never was. Then all in the repository is its user's.
        theirs: the card that is in the repository now; None if there is none.
        new: the card as it is generated now.

    Returns:
        The new card, with what the user has edited. Line ends and blanks at line ends are no edits.

    Raises:
        HybridError: the front matter in the repository is not YAML. The text names the line.
    """
    if theirs is None or not theirs.strip():
        return new
    if base is not None:
        if normal(theirs) == normal(base):
            return new
        if normal(new) == normal(base):
            read_card(theirs)  # what is broken is said now, not when it next matters
            return theirs
    before, there, now = _read_base(base), read_card(theirs), read_card(new)
    keys = _merged(before.keys, there.keys, now.keys)
    sections = _merged(before.sections, there.sections, now.sections)
    return card_text(keys, _kept(before.preamble, there.preamble, now.preamble), sections)


def _read_base(base: str | None) -> Card:
    """The card of last time; one that cannot be read is as good as none, so that nothing of the user's is lost."""
    try:
        return read_card(base) if base is not None else _NO_CARD
    except HybridError:
        return _NO_CARD


def _kept(before: Part, there: Part, now: Part) -> Part:
    """Of a piece that is in all three: theirs if it was edited, else the new one."""
    if there.meaning == now.meaning or there.meaning != before.meaning:
        return there
    return replace(now, comment=there.comment or now.comment)


def _merged(before: Mapping[Key, Part], there: Mapping[Key, Part], now: Mapping[Key, Part]) -> list[Part]:
    """All pieces of the merged card, in order."""
    chosen: dict[Key, Part] = {}
    for key, part in there.items():
        if key not in before:
            # The user's own, unless it is a mere name for which there is now something to say.
            chosen[key] = part if part.has_content or key not in now else now[key]
        elif key in now:
            chosen[key] = _kept(before[key], part, now[key])
        elif part.meaning != before[key].meaning:
            chosen[key] = part
    for key, part in now.items():
        if key not in there and key not in before:
            chosen[key] = part
    return [chosen[key] for key in _order(list(before), list(there), list(now), chosen)]


def _order(before: Sequence[Key], there: Sequence[Key], now: Sequence[Key], chosen: Collection[Key]) -> list[Key]:
    """The user's order where the user has made one, else the new one; all others follow whom they followed."""
    common = [key for key in before if key in there]
    if common and common == [key for key in there if key in before]:
        first, second = now, there
    else:
        first, second = there, now
    order = [key for key in first if key in chosen]
    for place, key in enumerate(second):
        if key in chosen and key not in order:
            previous = next((other for other in reversed(second[:place]) if other in order), None)
            after = 0 if previous is None else order.index(previous) + 1
            # What the user has put below a section stays below it.
            while previous is not None and after < len(order) and second is now and order[after] not in now:
                after += 1
            order.insert(after, key)
    return order
