"""Text that users supply cannot leave its place."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from mteb_hybrid.publishing.escape import code, fence, inline, plain, python_string, shell_word, url_path, xml

NASTY = [
    "a | b",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "![x](http://x.example/pixel.png)",
    "`code` and ``more``",
    "**bold** _it_ ~~no~~ #1 @ada",
    "line\n\n## A heading\n\n---\n",
    "a\r\n- b\u2028c\x85d\x0b",
    "\x00\x1b[31mred\x07",
    "\\(x\\) $$y$$ \\[z\\]",
    "&lt;b&gt; &copy;",
    "{{ card_data }} {% raw %}",
    "\ud800 half",
    "\u202egnp.exe\u202c \u2066x",
    "https://x.example and www.x.example and ada@x.example",
    "\\",
    "\\|",
    "`",
    "\\`|",
    "",
]


def rendered(markdown: str) -> str:
    return str(MarkdownIt("gfm-like", {"linkify": False}).render(markdown))


def shown(markdown: str) -> str:
    """The text that a reader sees, if it is nothing but one paragraph of text."""
    root = ElementTree.fromstring(f"<x>{rendered(markdown)}</x>")
    assert [child.tag for child in root.iter()] in (["x", "p"], ["x", "p", "code"]), rendered(markdown)
    return "".join(root.itertext()).strip("\n")


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("escape", [inline, code])
def test_text_in_a_paragraph_and_in_a_cell(text: str, escape: Callable[[str], str]) -> None:
    escaped = escape(text)
    assert shown(f"x{escaped}y") == f"x{plain(text)}y"
    html = rendered(f"| a | b |\n| --- | --- |\n| {escaped} | last |\n")
    assert html.count("<td>") == 2 and "<td>last</td>" in html
    assert rendered(f"## x {escaped}\n").count("<h2>") == 1


@settings(max_examples=100)
@given(st.text(st.sampled_from("`|\\*_[]()<>&!#$~\n\r\t\u202e\u200cאب x"), max_size=30))
def test_any_text(text: str) -> None:
    marks = str.maketrans("", "", "\u2068\u2069")
    for escape in (inline, code):
        assert shown(f"x{escape(text)}x").translate(marks) == f"x{plain(text)}x"
    for line in (inline(text), code(text), plain(text), python_string(text)):
        assert not {"\n", "\r", "\t", "\u202e"} & set(line)
    assert ast.literal_eval(python_string(text)) == plain(text)
    assert shlex.split(f"run {shell_word(text)}") == ["run", plain(text)]
    tokens = MarkdownIt().parse(f"{fence(text, 'yaml')}\n\nafter")
    assert [token.type for token in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert ElementTree.fromstring(f'<a b="{xml(text)}">{xml(text)}</a>').get("b") == plain(text)


def test_what_is_mathematics_or_an_address_to_the_hub_is_text() -> None:
    assert inline("\\(x\\) $$") == "&#92;(x&#92;) &#36;&#36;"
    assert "://" not in inline("see https://x.example") and "www." not in inline("www.x.example")


def test_directions() -> None:
    assert plain("a\u202eb\u2067c\u200fd") == "a b c d"
    assert inline("סיכום") == "\u2068סיכום\u2069"
    assert plain("می\u200cخواهم") == "می\u200cخواهم"  # spelling, not direction
    assert inline("Brücke") == "Brücke"


@pytest.mark.parametrize("backticks", [1, 3, 7])
def test_a_fence_is_longer_than_any_in_it(backticks: int) -> None:
    text = f"a: |\n{'`' * backticks}\n## x\n~~~\n\tb"
    (token,) = MarkdownIt().parse(fence(text, "yaml"))
    assert (token.type, token.info, token.content) == ("fence", "yaml", text + "\n")


def test_a_fence_shows_control_characters_and_line_ends_of_all_kinds() -> None:
    assert fence("a\r\nb\rc\x85d\x00e\u202ef\u00a0g ") == "```\na\nb\nc\nd\ufffde\ufffdf g\n```"


def test_long_text_is_cut() -> None:
    huge = "x`|<" * 2_500_000
    assert len(plain(huge)) == 200 and plain(huge).endswith("…")
    assert len(inline(huge)) < 1500 and len(code(huge)) < 1500 and len(url_path(huge)) < 1000
    assert plain("x" * 200) == "x" * 200
    block = fence(huge)
    assert len(block) < 20_100 and "… cut: 9,980,000 characters more" in block
    assert plain("\n" * 10_000_000 + "x") == "…"


def test_addresses() -> None:
    assert url_path("figures/a b)(c.svg") == "figures/a%20b%29%28c.svg"
    assert url_path("ORG/me5-small") == "ORG/me5-small"
