"""The finished pages, and everything that must stop a build."""

import re
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_markdown_cell, new_notebook

from lmcourse import book
from lmcourse.syllabus import notebooks

from .small_course import ROOT, code, figure, first_notebook, write_course


def page(built: Path, name: str) -> BeautifulSoup:
    return BeautifulSoup((built / name).read_text(encoding="utf-8"), "html.parser")


def build(folder: Path, **cells: list[nbformat.NotebookNode]) -> Path:
    """Build a course with the given notebooks."""
    made = {name: new_notebook(cells=of_it) for name, of_it in cells.items()}
    root = write_course(folder, **made)
    book.build(root, root / "_book")
    return root / "_book"


# ------------------------------------------------------------------ a good book


@pytest.mark.parametrize("which", ["built", "course_book"])
def test_every_link_of_every_page_leads_somewhere(
    which: str, request: pytest.FixtureRequest
) -> None:
    """Followed again with another parser than the build's own."""
    built = request.getfixturevalue(which)
    pages = {path.name: page(built, path.name) for path in built.glob("*.html")}
    checked = 0
    for name, soup in pages.items():
        for element in soup.select("a[href], link[href], script[src], img[src]"):
            link = urljoin(f"/{name}", element.get("href") or element.get("src"))
            url = urlsplit(link)
            if url.netloc:
                continue
            target = unquote(url.path).lstrip("/")
            assert (built / target).is_file(), (name, link)
            if url.fragment:
                assert pages[target].find(id=unquote(url.fragment)), (name, link)
            checked += 1
    assert checked > 100


def test_what_only_tests_read_is_not_on_the_page(built: Path) -> None:
    text = (built / "01_first.html").read_text(encoding="utf-8")
    for hidden in ("<!--=", "#@title", "vnd.lmcourse", "data:image"):
        assert hidden not in text


def test_jupyters_own_files_stay_out(built: Path) -> None:
    assert (built.parent / "notebooks/.ipynb_checkpoints/old.ipynb").exists()
    assert not list(built.rglob("old.ipynb"))


def test_text_survives_as_it_was_written(built: Path) -> None:
    text = page(built, "01_first.html").main.get_text()
    for part in (
        "It costs $5 and $6, or $7.",
        "$code$, a ` $tick$ and 11.8.",
        "{{#include ../secret.txt}} costs $x$ and {{braces}}\n\nafter a blank line",
        'text = "{{#include x}}"\n\n\nprint(text)  # $x$ and *y*',
        "line one\n\n\n  $x$ *line* <two>",
        "pipe | in text",
        "*q*",
    ):
        assert part in text


def test_formulas_stay_in_their_table_cells(built: Path) -> None:
    tables = page(built, "01_first.html").find_all("table")
    [table] = [found for found in tables if "pipe" in found.get_text()]
    assert [len(row.find_all("td")) for row in table.find_all("tr")] == [0, 3, 3]
    assert len(table.find_all("math")) == 2


def test_the_glossary_gathers_every_table(built: Path) -> None:
    rows = page(built, "glossary.html").main.table.find_all("tr")[1:]
    cells = [[cell.get_text() for cell in row.find_all("td")] for row in rows]
    assert [row[:2] for row in cells] == [
        ["Bigram", "二元语法"],
        ["language model", "语言模型"],
    ]
    assert rows[1].math is not None
    links = [link["href"] for link in rows[1].find_all("a")]
    assert links == ["01_first.html#new-terms", "02_second.html#new-terms"]


def test_the_notebook_itself_can_be_downloaded(built: Path) -> None:
    link = page(built, "01_first.html").find("a", download=True)
    served = nbformat.read(built / link["href"], as_version=4)
    assert len(served.cells) == len(first_notebook().cells)


def test_print_page_holds_all_chapters_and_shares_their_pictures(built: Path) -> None:
    printed = page(built, "print.html")
    titles = [title.get_text() for title in printed.main.find_all("h1")]
    expected = ["Welcome", "1 · A first page", "2 · A second page", "Glossary"]
    assert titles == expected
    pictures = {image["src"] for image in printed.find_all("img")}
    assert pictures == {
        image["src"] for image in page(built, "01_first.html").find_all("img")
    }
    assert len(printed.select(".frame[data-shown]")) == 3


def test_the_maths_font_covers_the_formulas(built: Path) -> None:
    from fontTools.ttLib import TTFont

    with TTFont(built / "fonts/math.woff2") as font:
        signs = font.getBestCmap()
        assert "MATH" in font  # without this table, braces do not stretch
    text = "".join(
        formula.get_text() for formula in page(built, "01_first.html").find_all("math")
    )
    missing = {sign for sign in text if ord(sign) not in signs and not sign.isspace()}
    # Chinese comes from the reader's fonts, and invisible signs need no shape.
    assert missing <= set("语言模型\u2061\u2063")


def test_contents_list_the_syllabus() -> None:
    summary = (ROOT / "notebooks/SUMMARY.md").read_text(encoding="utf-8")
    listed = re.findall(r"^- \[(\d+ · .*?)\]\((.*?)\)$", summary, flags=re.M)
    assert listed == [
        (f"{entry.number} · {entry.title}", f"{name}.ipynb" if entry.written else "")
        for name, entry in notebooks().items()
    ]


# ------------------------------------------------------------------ a bad one


def test_all_bad_cells_are_named_at_once(tmp_path: Path) -> None:
    terms = "### New terms\n\n| English | 中文 | Meaning |\n|---|---|---|\n| token |"
    with pytest.raises(ValueError) as failure:
        build(
            tmp_path / "course",
            **{
                "01_first": [
                    new_markdown_cell("# One\n\n$\\frac{a}{$"),
                    new_markdown_cell("[gone](../nowhere.py)"),
                    new_markdown_cell(f"{terms} 词元 | a piece |"),
                ],
                "02_second": [new_markdown_cell(f"{terms} 标记 | a piece |")],
            },
        )
    message = str(failure.value)
    assert "01_first.ipynb, cell 1: bad formula" in message
    assert "01_first.ipynb, cell 2: the link ../nowhere.py leads nowhere" in message
    assert "02_second.ipynb: 'token' is 标记 here, but 词元 in 01_first" in message


def test_all_bad_links_and_pictures_are_named_at_once(tmp_path: Path) -> None:
    root = tmp_path / "course"
    with pytest.raises(ValueError) as failure:
        build(
            root,
            **{
                "01_first": [
                    new_markdown_cell("# One\n\n[a](03_none.ipynb) [b](#nothing)"),
                    code("show()", figure("")),
                    new_markdown_cell("![](https://example.org/x.png)"),
                ],
                "02_second": [new_markdown_cell("# Two\n\n[c](01_first.ipynb#Two)")],
            },
        )
    message = str(failure.value)
    for line in (
        "01_first.ipynb, cell 1: the link 03_none.ipynb leads nowhere",
        "01_first.ipynb, cell 1: the link #nothing leads to no heading",
        "01_first.ipynb, cell 2: a picture without alternative text",
        "01_first.ipynb, cell 3: a picture without alternative text",
        "01_first.ipynb, cell 3: https://example.org/x.png is loaded from elsewhere",
        "02_second.ipynb, cell 1: the link 01_first.html#two leads to no heading",
    ):
        assert line in message
    assert not (root / "_book").exists()


def test_a_failed_build_leaves_the_last_good_book(tmp_path: Path) -> None:
    root = write_course(tmp_path / "course", **{"01_first": new_notebook()})
    good = root / "_book/index.html"
    good.parent.mkdir()
    good.write_text("the last good book", encoding="utf-8")
    (root / "notebooks/README.md").write_text("# W\n\n[x](gone.md)", encoding="utf-8")
    with pytest.raises(ValueError, match=r"index.html: the link gone.* leads nowhere"):
        book.build(root, root / "_book")
    assert good.read_text(encoding="utf-8") == "the last good book"
    assert list(root.glob("_book*")) == [root / "_book"]


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("book.toml", "smart-punct", "stray-punct", "stray-punct"),
        ("notebooks/SUMMARY.md", "01_first.ipynb", "09_gone.ipynb", "09_gone.ipynb"),
        ("notebooks/README.md", "small", "<b>small", "unclosed HTML tag"),
        ("notebooks/01_first.ipynb", "}", "", "01_first.ipynb: this is not a notebook"),
    ],
)
def test_a_damaged_file_stops_the_build(
    tmp_path: Path, name: str, old: str, new: str, said: str
) -> None:
    root = write_course(tmp_path / "course", **{"01_first": new_notebook()})
    file = root / name
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), "utf-8")
    with pytest.raises(ValueError, match=said):
        book.build(root, root / "_book")
    assert not (root / "notebooks/09_gone.ipynb").exists()
