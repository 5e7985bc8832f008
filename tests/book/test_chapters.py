"""What becomes of single cells: maths, code, links, asides and outputs."""

import base64
import html
import math
import re
from xml.etree import ElementTree

import pandas as pd
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook, new_output

from lmcourse.chapters import (
    CLAIMS_MIME,
    Chapter,
    Term,
    compact,
    glossary,
    heading_id,
    highlight,
    printed,
)

from .small_course import FORMULAS, code, figure, shown, sweep, verdict

PAGES = {"01_first.ipynb": "01_first.md", "README.md": "index.md"}


@pytest.fixture
def chapter() -> Chapter:
    return Chapter("01_first.ipynb", PAGES)


# ------------------------------------------------------------------ maths


@pytest.mark.parametrize("formula", FORMULAS)
def test_formulas_become_mathml(chapter: Chapter, formula: str) -> None:
    display = html.unescape(chapter.markdown(f"$${formula}$$"))
    inline = html.unescape(chapter.markdown(f"so ${formula} $, then"))
    assert not chapter.problems
    assert FORMULAS[formula] in display
    assert display.startswith('<span class="formula display"><math display="block">')
    assert inline.startswith('so <span class="formula inline"><math>')
    assert inline.endswith("</math></span>, then")


def test_numbered_equations_count_through_a_chapter(chapter: Chapter) -> None:
    text = r"\begin{equation} a \end{equation} $$x$$ \begin{align} b \end{align}"
    assert re.findall(r"\((\d)\)", chapter.markdown(text)) == ["1", "2"]


def test_a_label_can_be_referred_to(chapter: Chapter) -> None:
    text = r"\begin{equation} a \label{loss} \end{equation} as $\eqref{loss}$ says"
    markup = chapter.markdown(text)
    assert 'id="01_first-loss"' in markup
    assert 'href="#01_first-loss"' in markup


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $6.",
        "`$a$` and ``b ` $c$``",
        "    $ indented",
        "a $ b $ c",
    ],
)
def test_other_dollars_stay(chapter: Chapter, text: str) -> None:
    assert chapter.markdown(text) == text


def test_an_escaped_dollar_is_a_dollar(chapter: Chapter) -> None:
    assert chapter.markdown(r"\$5 and \$6") == "&#36;5 and &#36;6"


def test_markdown_cannot_read_into_a_formula(chapter: Chapter) -> None:
    text = re.sub(r"<[^>]*>", "", chapter.markdown(r"| $a*b*c_i | \text{[x](y)}$ |"))
    assert text.count("|") == 2
    assert not set("*_[]`") & set(text)


def test_a_formula_in_a_quotation_loses_its_marks(chapter: Chapter) -> None:
    assert "&gt;" not in chapter.markdown("> $$\n> a = b\n> $$")
    assert "&gt;" in chapter.markdown("$$\na\n> b\n$$")
    assert not chapter.problems


@pytest.mark.parametrize(
    "formula", [r"\frac{a}{", r"\nosuchcommand", r"\begin{cases} a", "a & b"]
)
def test_a_bad_formula_names_notebook_and_cell(formula: str) -> None:
    chapter = Chapter("01_first.ipynb", PAGES)
    cells = [new_markdown_cell("# Title"), new_markdown_cell(f"Look: ${formula}$")]
    chapter.notebook(new_notebook(cells=cells))
    [problem] = chapter.problems
    assert problem.startswith("01_first.ipynb, cell 2: bad formula")
    assert repr(formula) in problem


# ------------------------------------------------------------------ text


def test_claims_vanish_from_prose_and_stay_in_code(chapter: Chapter) -> None:
    text = "**11.8**<!--=ppl--> and **0.9**<!--=acc±0.02-->, written `<!--=ppl-->`"
    assert chapter.markdown(text) == "**11.8** and **0.9**, written `<!--=ppl-->`"


@pytest.mark.parametrize(
    ("link", "leads_to"),
    [
        ("01_first.ipynb", "01_first.md"),
        ("01_first.ipynb#Your-turn", "01_first.md#your-turn"),
        ("README.md", "index.md"),
        ("#Which-letter-follows-q?", "#which-letter-follows-q"),
        ("map.svg", "map.svg"),
        ("https://example.org/a#B", "https://example.org/a#B"),
    ],
)
def test_links_lead_to_pages(chapter: Chapter, link: str, leads_to: str) -> None:
    assert chapter.markdown(f"[see]({link})") == f"[see]({leads_to})"


@pytest.mark.parametrize(
    ("jupyter", "mdbook"),
    [
        ("1-·-Counting-pairs", "1--counting-pairs"),
        ("Which-letter-follows-*q*?", "which-letter-follows-q"),
        ("%E6%A6%82%E7%8E%87", "概率"),
    ],
)
def test_heading_ids(jupyter: str, mdbook: str) -> None:
    assert heading_id(jupyter) == mdbook


def test_a_common_mistake_becomes_an_aside(chapter: Chapter) -> None:
    text = "Before.\n\n> **Common mistake: x.** One\n>\n> two\n\n> just a quotation"
    markup = chapter.markdown(text)
    aside = markup.partition('<div class="mistake" role="note">')[2]
    inside, _, after = aside.partition("</div>")
    assert inside.strip() == "**Common mistake: x.** One\n\ntwo"
    assert after.strip() == "> just a quotation"


def test_code_keeps_what_looks_like_markup() -> None:
    source = "a = '{{#include x}}'\n\n\n# $x$ <b> *y*"
    markup = highlight(source)
    assert "\n" not in markup
    assert html.unescape(re.sub(r"<[^>]*>", "", markup)) == source


# ------------------------------------------------------------------ outputs


def test_printed_text_is_what_a_terminal_shows() -> None:
    text = "10 %\r50 %\r100 %\n\x1b[31mred\x1b[0m <tag>\n\n"
    assert printed(text) == '<pre class="printed">100 %&#10;red &lt;tag&gt;</pre>'


def test_html_output_has_no_blank_line_but_keeps_preformatted_lines() -> None:
    markup = "<style scoped>\nx\n</style>\n<p>a\n\n b</p>\n<pre>c\n\nd</pre>"
    assert compact(markup) == "<p>a b</p> <pre>c&#10;&#10;d</pre>"


def test_columns_of_words_are_told_from_columns_of_numbers() -> None:
    frame = pd.DataFrame(
        {"share": [-0.5, 1e-9, math.nan], "name": ["q", "1", "x"], "n": [1, 20, 3]}
    )
    rows = re.findall(r"<tr.*?</tr>", compact(frame.to_html()))
    marked = [[" class" in cell for cell in re.findall("<t[hd][^>]*", r)] for r in rows]
    assert marked == [[False, False, True, False]] * 4


def test_a_figure_keeps_its_place_and_its_description(chapter: Chapter) -> None:
    markup = chapter.output(figure('bars of "P" & <s>'))
    image = ElementTree.fromstring(markup.replace("></div>", "/></div>")).find("img")
    assert image is not None
    assert image.attrib["alt"] == 'bars of "P" & <s>'
    assert (image.attrib["width"], image.attrib["height"]) == ("120", "45")


def test_a_drawing_is_a_picture_with_a_description(chapter: Chapter) -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><text>地图</text></svg>'
    about = {"image/svg+xml": {"alt": "a map"}}
    markup = chapter.output(shown({"image/svg+xml": svg, "text/plain": ""}, about))
    alt, data = re.findall(
        r'alt="(.*?)" src="data:image/svg\+xml;base64,(.*?)"', markup
    )[0]
    assert alt == "a map"
    assert base64.b64decode(data).decode() == svg


def test_claims_show_nothing(chapter: Chapter) -> None:
    assert chapter.output(shown({CLAIMS_MIME: {"a": 1}, "text/plain": ""})) == ""


def test_an_output_the_book_cannot_show_is_a_problem(chapter: Chapter) -> None:
    chapter.output(shown({"application/x-unknown": "?", "text/plain": "object"}))
    assert "application/x-unknown" in chapter.problems[0]


def test_a_stored_error_is_a_problem(chapter: Chapter) -> None:
    chapter.output(new_output("error", ename="KeyError", evalue="q", traceback=[]))
    assert "KeyError" in chapter.problems[0]


def test_a_sweep_shows_its_first_frame_without_javascript(chapter: Chapter) -> None:
    markup = chapter.output(sweep("k", [{"text": "one"}, {"html": "<i>two</i>"}]))
    frames = re.findall(r'<div class="frame" ([\w-]+)>(.*?)</div>', markup)
    assert frames == [
        ("data-shown", '<pre class="printed">one</pre>'),
        ("data-pagefind-ignore", "<i>two</i>"),
    ]
    assert 'max="1"' in markup


# ------------------------------------------------------------------ cells in order


def test_set_up_is_folded_and_exercises_are_framed(chapter: Chapter) -> None:
    text = chapter.notebook(
        new_notebook(
            cells=[
                new_markdown_cell("# Title\n\nGoals."),
                code("profile = None", tag="parameters"),
                code("course = 1", tag="setup"),
                new_markdown_cell("Earlier.\n\n### Your turn\n\nWrite it."),
                code("...", tag="exercise"),
                code("check()", verdict("not tried"), tag="check"),
                code("#@title Solution\nanswer = 42", tag="solution"),
                new_markdown_cell("Later."),
            ]
        )
    )
    assert text.count("<summary>Set-up</summary>") == 1
    exercise = text.partition('<div class="exercise">')[2]
    assert exercise.strip().startswith("## Your turn")
    assert 'class="check not-tried"' in exercise
    assert text.index("Earlier.") < text.index('<div class="exercise">')
    solution = text.partition("<summary>Solution</summary>")[2]
    assert "#@title" not in text
    assert "42" in solution.partition("</details>")[0]
    assert solution.index("</details>") < solution.index("</div>\n\n<!-- cell 8")


def test_set_up_that_prints_is_shown_unless_below_the_title(chapter: Chapter) -> None:
    report = new_output("stream", text="device")
    first, second = (code("setup()", report, tag="setup") for _ in range(2))
    title, later = new_markdown_cell("# Title"), new_markdown_cell("Look:")
    cells = [title, first, later, second]
    above, _, below = chapter.notebook(new_notebook(cells=cells)).partition("Look:")
    assert "device" in above.partition("<details")[2].partition("</details>")[0]
    assert "device" in below
    assert "<details" not in below


@pytest.mark.parametrize(
    ("levels", "on_the_page"),
    [("# ### #### ###", "# ## ### ##"), ("# ## ### ##", "# ## ### ##")],
)
def test_headings_do_not_skip_a_level(
    chapter: Chapter, levels: str, on_the_page: str
) -> None:
    cells = [new_markdown_cell(f"{level} Title") for level in levels.split()]
    cells.append(code("### a comment"))
    text = chapter.notebook(new_notebook(cells=cells))
    assert " ".join(re.findall(r"^(#+) Title", text, flags=re.M)) == on_the_page
    assert "### a comment" in text


def test_doors_follow_the_title(chapter: Chapter) -> None:
    cells = [new_markdown_cell("# Title\n\nGoals.")]
    text = chapter.notebook(new_notebook(cells=cells))
    doors = text.partition("# Title\n\n")[2].partition("</p>")[0]
    assert re.search(
        r'href="https://colab\.research\.google\.com/github/[^"]+/blob/main/notebooks/'
        r'01_first\.ipynb">Open in Colab',
        doors,
    )
    assert 'href="01_first.ipynb" download' in doors


# ------------------------------------------------------------------ glossary


def term(english: str, chinese: str, source: str) -> Term:
    return Term(english, chinese, "a meaning", source)


def test_the_glossary_is_sorted_and_says_where() -> None:
    pages = {"01_a.ipynb": "01_a.md", "02_b.ipynb": "02_b.md"}
    table = glossary(
        [
            term("perplexity", "困惑度", "01_a.ipynb"),
            term("Bigram", "二元语法", "01_a.ipynb"),
            term("perplexity", "困惑度", "02_b.ipynb"),
        ],
        pages,
    )
    rows = [row.split(" | ") for row in table.splitlines()[2:]]
    assert [row[0] for row in rows] == ["| Bigram", "| perplexity"]
    assert "困惑度" in rows[1][1]
    assert re.findall(r"\((.*?)#", rows[1][3]) == ["01_a.md", "02_b.md"]


def test_one_term_has_one_translation() -> None:
    terms = [term("token", "词元", "01_a.ipynb"), term("Token", "标记", "02_b.ipynb")]
    with pytest.raises(ValueError, match=r"02_b.*标记.*词元 in 01_a"):
        glossary(terms, {})


def test_a_row_of_new_terms_has_three_cells(chapter: Chapter) -> None:
    table = "### New terms\n\n| English | 中文 | Meaning |\n|---|---|---|\n| a | b |"
    chapter.notebook(new_notebook(cells=[new_markdown_cell(table)]))
    assert "| a | b |" in chapter.problems[0]
