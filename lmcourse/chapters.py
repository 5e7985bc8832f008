"""A notebook as a chapter of the book: its cells and outputs as Markdown and HTML."""

import base64
import html
import json
import posixpath
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count, groupby
from pathlib import Path
from urllib.parse import unquote, urlsplit

from nbformat import NotebookNode

from .claims import CLAIMS_MIME
from .execution import repository, tags
from .exercises import CHECK_MIME
from .explore import FRAMES_MIME

BRANCH = "main"
TERMS_HEADING = "### New terms"
SETUP_TAGS = {"colab", "parameters", "setup"}
EXERCISE_TAGS = {"exercise", "check", "solution"}

# ------------------------------------------------------------------ Markdown cells

# What Markdown must not read, and what the book changes. The first alternative that
# fits wins, so that a dollar inside code stays a dollar.
TOKEN = re.compile(
    r"""
    ^(?P<fence>`{3,}|~{3,})[ ]*(?P<language>\w*)[^\n]*\n(?P<code>.*?)^(?P=fence)[ ]*$
  | (?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)
  | (?P<claim><!--=.*?-->)
  | (?P<dollar>\\\$)
  | \$\$(?P<display>.+?)\$\$
  | (?P<equation>\\begin\{(?P<name>(?:align|equation|gather)\*?)\}.+?\\end\{(?P=name)\})
  | \$(?![\s$]|\d(?:[^$\\]|\\.)*\s\$)   # $5 and $6 are prices
      (?P<inline>(?:[^$\\\n]|\\.|\n(?!\n))+)\$(?!\d)
  | !\[(?P<alt>[^\]]*)\]\((?P<picture>[^)\s]+)\)
  | (?<=\]\()(?P<target>[^)\s]+)
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
MISTAKE = re.compile(r"^> \*\*Common mistake.*(?:\n>.*)*", re.MULTILINE)
NUMBER = re.compile(r"[-+−]?[\d.,]+(?:e[-+]?\d+)?\s?%?|NaN|inf|")
HEADING = re.compile(r"^#{2,6} ", re.MULTILINE)


def highlight(code: str, language: str = "python") -> str:
    """`code` as HTML with the field's colours."""
    from pygments import highlight as colour
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import find_lexer_class_by_name
    from pygments.lexers.special import TextLexer
    from pygments.util import ClassNotFound

    try:
        lexer = find_lexer_class_by_name(language)()
    except ClassNotFound:
        lexer = TextLexer()
    markup = colour(code, lexer, HtmlFormatter(nowrap=True))
    # Names, operators and punctuation have no colour: marked, they are half a page.
    markup = re.sub(r'<span class="[nopw]">(.*?)</span>', r"\1", markup)
    return f'<pre class="code"><code>{one_line(markup.rstrip())}</code></pre>'


def one_line(text: str) -> str:
    """Preformatted `text` on one line, for a blank line would end an HTML block."""
    return text.replace("\n", "&#10;")


def hide_from_markdown(markup: str) -> str:
    """Inline HTML whose text Markdown leaves alone: signs become references."""
    parts = re.split(r"(<[^>]*>)", markup)
    signs = re.compile(r"[!#$*\[\\\]^_`{|}~]")
    parts[::2] = [signs.sub(lambda m: f"&#{ord(m[0])};", part) for part in parts[::2]]
    return "".join(parts)


def heading_id(fragment: str) -> str:
    """mdBook's identifier for a heading, from Jupyter's or GitHub's."""
    text = unquote(fragment).lower().replace(" ", "-")
    return "".join(sign for sign in text if sign.isalnum() or sign in "-_")


# ------------------------------------------------------------------ outputs


def printed(text: str) -> str:
    """What a program printed, as a terminal shows it in the end."""
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    shown = html.escape("\n".join(lines).rstrip("\n"), quote=False)
    return f'<pre class="printed">{one_line(shown)}</pre>'


def picture(png: str, alt: str, width: int | None = None) -> str:
    """An <img> that keeps its place on the page until it has loaded."""
    data = "".join(png.split())
    pixels, height = struct.unpack(">II", base64.b64decode(data[:32])[16:24])
    width = width or pixels
    return (
        f'<img alt="{html.escape(alt)}" width="{width}" '
        f'height="{round(height * width / pixels)}" loading="lazy" '
        f'src="data:image/png;base64,{data}">'
    )


def drawing(svg: str, alt: str) -> str:
    """An SVG as an <img>, so that its names and styles stay its own."""
    data = base64.b64encode(svg.encode()).decode()
    return f'<img alt="{html.escape(alt)}" src="data:image/svg+xml;base64,{data}">'


def compact(markup: str) -> str:
    """HTML output on one line; line ends survive inside <pre>."""
    markup = re.sub(r"<style scoped>.*?</style>", "", markup, flags=re.DOTALL)
    parts = re.split(r"(<pre.*?</pre>)", markup.strip(), flags=re.DOTALL)
    parts[::2] = [re.sub(r"\s*\n\s*", " ", part) for part in parts[::2]]
    markup = one_line("".join(parts))
    return mark_words(markup) if 'class="dataframe"' in markup else markup


def mark_words(table: str) -> str:
    """A pandas table with class="words" in each column that holds more than numbers."""
    body = table.partition("<tbody>")[2].split("</tr>")[:-1]
    rows = [re.findall(r"<t[hd].*?>(.*?)</t", row) for row in body]
    columns = enumerate(zip(*rows, strict=False))  # merged cells make short rows
    words = {place for place, cells in columns if not all(map(NUMBER.fullmatch, cells))}

    def mark(row: re.Match) -> str:
        marks = (' class="words"' * (place in words) for place in count())
        return re.sub(r"<t[hd]\b", lambda cell: cell[0] + next(marks), row[0])

    return re.sub(r"<tr.*?</tr>", mark, table)


def player(sweep: dict) -> str:
    """A slider over the frames of a sweep; without JavaScript, the first frame."""
    label = html.escape(sweep["label"])
    values = [html.escape(value) for value in sweep["values"]]
    frames = []
    for value, content in zip(values, sweep["frames"], strict=True):
        alt = f"{sweep['alt']}; {sweep['label']} {html.unescape(value)}"
        state = "data-pagefind-ignore" if frames else "data-shown"
        frames.append(f'<div class="frame" {state}>{_frame(content, alt)}</div>')
    return (
        '<div class="sweep"><div class="controls">'
        '<button type="button" aria-label="Play" hidden></button>'
        f'<span class="label">{label}</span>'
        f'<input type="range" min="0" max="{len(values) - 1}" value="0" '
        f'aria-label="{label}" aria-valuetext="{values[0]}" hidden>'
        f'<output data-values="{html.escape(json.dumps(sweep["values"]))}">'
        f"{values[0]}</output></div>"
        f'<div class="frames">{"".join(frames)}</div></div>'
    )


def _frame(content: dict, alt: str) -> str:
    if "png" in content:
        return picture(content["png"], alt, content.get("width"))
    return compact(content["html"]) if "html" in content else printed(content["text"])


def fold(title: str, inner: str) -> str:
    """`inner` behind a title that opens it."""
    head = f'<details class="{title.lower()}">\n<summary>{title}</summary>'
    return f"{head}\n\n{inner}\n\n</details>"


def split_statement(text: str) -> tuple[str, str]:
    """The Markdown before an exercise: what precedes its last heading, and the rest."""
    starts = [found.start() for found in HEADING.finditer(text)]
    start = starts[-1] if starts else 0
    return text[:start], text[start:]


# ------------------------------------------------------------------ chapters


@dataclass
class Term:
    """A row of a notebook's table of new terms, as rendered Markdown."""

    english: str
    chinese: str
    meaning: str
    source: str


@dataclass
class Chapter:
    """One chapter on its way from the file `source` to Markdown.

    `pages` maps every chapter's file to its page. Problems are collected, so that one
    build names them all.
    """

    source: str
    pages: dict[str, str]
    problems: list[str] = field(default_factory=list)
    terms: list[Term] = field(default_factory=list)
    cell: int = 0

    def __post_init__(self) -> None:
        from math_core import LatexToMathML

        prefix = f"{Path(self.source).stem}-"
        self.mathml = LatexToMathML(id_prefix=prefix, fancy_error=False)

    def problem(self, text: str) -> None:
        """Note what is wrong in the current cell."""
        where = f", cell {self.cell}" if self.cell else ""
        self.problems.append(f"{self.source}{where}: {text}")

    def formula(self, latex: str, display: bool) -> str:
        """`latex` as MathML; a formula that cannot be read is a problem."""
        from math_core import LatexError

        try:
            mathml = self.mathml.convert_with_global_state(latex, displaystyle=display)
        except LatexError as error:
            self.problem(f"bad formula {latex.strip()!r}: {error}")
            return ""
        # Readers of screens cannot reach a link inside a formula.
        mathml = re.sub(r"<math><mtext>(<a .*</a>)</mtext></math>", r"\1", mathml)
        shape = "display" if display else "inline"
        return hide_from_markdown(f'<span class="formula {shape}">{mathml}</span>')

    def link(self, target: str) -> str:
        """Where a link in a notebook leads in the book."""
        if urlsplit(target).scheme:
            return target
        path, hash_sign, fragment = target.partition("#")
        fragment = hash_sign + heading_id(fragment)
        path = posixpath.normpath(path) if path else ""
        if not path.startswith("../"):
            return self.pages.get(path, path) + fragment
        if not Path("notebooks", path).exists():
            self.problem(f"the link {target} leads nowhere")
        return f"{repository()}/blob/{BRANCH}/{path[3:]}"

    def markdown(self, text: str) -> str:
        """Markdown with its maths, code, links and admonitions rendered."""
        return TOKEN.sub(self._token, MISTAKE.sub(_admonition, text))

    def _token(self, found: re.Match) -> str:
        part = found.groupdict()
        if part["code"] is not None:
            return highlight(part["code"], part["language"])
        if latex := part["display"] or part["equation"]:
            line = found.string.rfind("\n", 0, found.start()) + 1
            if found.string.startswith(">", line):  # a quotation marks every line
                latex = re.sub(r"^>", "", latex, flags=re.MULTILINE)
            return self.formula(latex, display=True)
        if part["inline"]:
            return self.formula(part["inline"], display=False)
        if part["picture"]:
            return f'<img alt="{html.escape(part["alt"])}" src="{part["picture"]}">'
        if part["target"]:
            return self.link(part["target"])
        if part["claim"]:
            return ""
        return "&#36;" if part["dollar"] else found[0]

    def output(self, output: NotebookNode) -> str:
        """One stored output as HTML; "" for what only tests read."""
        if output.output_type == "stream":
            return printed(output.text)
        if output.output_type == "error":
            self.problem(f"the stored output is an error: {output.ename}")
            return ""
        data = output.data
        if CLAIMS_MIME in data:
            return ""
        if CHECK_MIME in data:
            status = data[CHECK_MIME]["status"].replace(" ", "-")
            return f'<div class="check {status}">{compact(data["text/html"])}</div>'
        if FRAMES_MIME in data:
            return player(data[FRAMES_MIME])
        if "image/png" in data:
            about = output.metadata.get("image/png", {})
            image = picture(data["image/png"], about.get("alt", ""), about.get("width"))
            return f'<div class="figure">{image}</div>'
        if "image/svg+xml" in data:
            about = output.metadata.get("image/svg+xml", {})
            image = drawing(data["image/svg+xml"], about.get("alt", ""))
            return f'<div class="figure">{image}</div>'
        if "text/html" in data:
            return f'<div class="table-wrapper">{compact(data["text/html"])}</div>'
        if "text/markdown" in data:
            return self.markdown(data["text/markdown"])
        if strange := data.keys() - {"text/plain"}:
            self.problem(f"the book cannot show an output of {', '.join(strange)}")
        return printed(data.get("text/plain", ""))

    def code(self, cell: NotebookNode) -> str:
        """A code cell with its outputs."""
        source = re.sub(r"^#@title.*\n+", "", cell.source)
        parts = [highlight(source)] if source.strip() else []
        parts += filter(None, map(self.output, cell.outputs))
        inner = "\n\n".join(parts)
        if "solution" in tags(cell):
            return fold("Solution", inner)
        return f'<div class="cell">\n\n{inner}\n\n</div>'

    def prose(self, cell: NotebookNode) -> str:
        """A Markdown cell; the title is followed by links to the notebook itself."""
        text = self.markdown(cell.source)
        if text.startswith(TERMS_HEADING):
            self._collect_terms(text)
        if text.startswith("# "):
            title, _, rest = text.partition("\n")
            text = f"{title}\n\n{self._doors()}\n\n{rest}"
        return text

    def notebook(self, notebook: NotebookNode) -> str:
        """The whole notebook as Markdown."""
        parts: list[str] = []
        before = ""
        for place, (kind, group) in enumerate(groupby(notebook.cells, key=_kind)):
            cells = list(group)
            body = [self._cell(cell) for cell in cells]
            # Nobody reads the set-up below the title; what it prints later is meant.
            if kind == "set-up" and (place == 1 or not any(c.outputs for c in cells)):
                body = [fold("Set-up", "\n\n".join(body))]
            elif kind == "exercise":
                earlier, statement = "", ""
                if before == "prose":
                    earlier, statement = split_statement(parts.pop())
                opening = [earlier, '<div class="exercise">', statement]
                body = [*opening, *body, "</div>"]
            parts += body
            before = kind
        text = "\n\n".join(parts)
        if re.search(r"^## ", text, re.MULTILINE):
            return text
        # Jupyter sets ## as large as a title, so notebooks begin with ###; a page must
        # not skip a level.
        return re.sub(r"^#(?=##+ )", "", text, flags=re.MULTILINE)

    def _cell(self, cell: NotebookNode) -> str:
        self.cell += 1
        markup = self.code(cell) if cell.cell_type == "code" else self.prose(cell)
        return f"<!-- cell {self.cell} -->\n\n{markup}"

    def _doors(self) -> str:
        path = f"blob/{BRANCH}/notebooks/{self.source}"
        address = repository()
        colab = address.replace("//github.com", "//colab.research.google.com/github")
        return (
            '<p class="doors" data-pagefind-ignore>'
            f'<a href="{colab}/{path}">Open in Colab</a> '
            f'<a href="{self.source}" download>Download notebook</a> '
            f'<a href="{address}/{path}">View source</a></p>'
        )

    def _collect_terms(self, text: str) -> None:
        rows = [line for line in text.splitlines() if line.startswith("|")]
        for row in rows[2:]:
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
            if len(cells) == 3:
                self.terms.append(Term(*cells, self.source))
            else:
                self.problem(f"a term needs English, 中文 and a meaning: {row}")


def _admonition(quotation: re.Match) -> str:
    inner = re.sub(r"^> ?", "", quotation[0], flags=re.MULTILINE)
    return f'<div class="mistake" role="note">\n\n{inner}\n\n</div>'


def _kind(cell: NotebookNode) -> str:
    """What neighbouring cells have in common."""
    if cell.cell_type != "code":
        return "prose"
    if tags(cell) & SETUP_TAGS:
        return "set-up"
    return "exercise" if tags(cell) & EXERCISE_TAGS else "code"


# ------------------------------------------------------------------ glossary


def glossary(terms: Iterable[Term], pages: dict[str, str]) -> str:
    """One sorted table of all terms. Raises ValueError where translations disagree."""
    rows = ["| English | 中文 | Meaning | Where |", "|---|---|---|---|"]

    def name(term: Term) -> str:
        return term.english.casefold()

    for _, group in groupby(sorted(terms, key=name), name):
        first, *others = group
        for other in others:
            if other.chinese != first.chinese:
                raise ValueError(
                    f"{other.source}: {other.english!r} is {other.chinese} here, but "
                    f"{first.chinese} in {first.source}"
                )
        links = ", ".join(
            f"[Notebook&nbsp;{int(term.source[:2])}]({pages[term.source]}#new-terms)"
            for term in [first, *others]
        )
        chinese = f'<span lang="zh">{first.chinese}</span>'
        rows.append(f"| {first.english} | {chinese} | {first.meaning} | {links} |")
    return "\n".join(rows)
