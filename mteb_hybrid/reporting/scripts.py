"""An order of very many languages in which something can be seen: those of one script stand together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mteb_hybrid.data.languages import language_and_script
from mteb_hybrid.errors import HybridError


def in_groups(tags: Sequence[str], at_most: int = 24) -> tuple[Sequence[str], str]:
    """Very many languages in an order in which those of one script stand together, the commonest script first.

    Args:
        tags: the languages.
        at_most: up to so many stay as they are.

    Returns:
        The languages, and what to say of their order.
    """
    if len(tags) <= at_most:
        return tags, ""
    script_of = {tag: _script(tag) for tag in tags}
    sizes = Counter(script_of.values())
    ordered = sorted(tags, key=lambda tag: (-sizes[script_of[tag]], script_of[tag], tag))
    named = ", ".join(
        f"{script} ({size})" for script, size in sorted(sizes.items(), key=lambda each: (-each[1], each[0]))
    )
    return ordered, f" Languages of one script stand together: {named}."


def _script(tag: str) -> str:
    try:
        return language_and_script(tag).partition("-")[2]
    except HybridError:
        return "other"
