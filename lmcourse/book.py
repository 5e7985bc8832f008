"""The static book: notebooks become mdBook chapters, and the result is checked.

    python -m lmcourse.book    build _book/, or say what is wrong and in which cell

mdBook runs `preprocess` (the console script `mdbook-notebooks`), which turns every
notebook into Markdown and HTML. `build` runs mdBook, checks every link and picture,
and adds what mdBook lacks: pictures as files, a font for the maths, and search.
"""

import base64
import hashlib
import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.metadata import distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat

from .chapters import Chapter, glossary

GLOSSARY_MARK = "<!-- glossary -->"
EMBEDDED = re.compile(
    r"data:image/(?P<kind>png|svg)(?:\+xml)?;base64,(?P<data>[A-Za-z0-9+/=]+)"
)

# ------------------------------------------------------------------ mdBook


def preprocess() -> None:
    """What mdBook runs: its book as JSON comes in, and goes out with our chapters.

    Exits with 1 after naming every problem on stderr.
    """
    if sys.argv[1:2] == ["supports"]:
        sys.exit(sys.argv[2] != "html")
    context, book = json.load(sys.stdin.buffer)
    os.chdir(context["root"])
    found = [item for item in _chapters(book["items"]) if item["path"]]
    pages = {
        item["source_path"]: Path(item["path"]).with_suffix(".md").name
        for item in found
    }
    chapters = [_render(item, pages) for item in found]
    problems = [problem for chapter in chapters for problem in chapter.problems]
    try:
        table = glossary((t for chapter in chapters for t in chapter.terms), pages)
    except ValueError as error:
        problems.append(str(error))
    if problems:
        sys.exit("\n".join(problems))
    for item in found:
        item["content"] = item["content"].replace(GLOSSARY_MARK, table)
    sys.stdout.buffer.write(json.dumps(book).encode())


def _render(item: dict, pages: dict[str, str]) -> Chapter:
    """Replace the content of mdBook's chapter by Markdown, and return our chapter."""
    chapter = Chapter(item["source_path"], pages)
    if not chapter.source.endswith(".ipynb"):
        item["content"] = chapter.markdown(item["content"])
        return chapter
    try:
        notebook = nbformat.reads(item["content"], as_version=4)
    except ValueError:
        chapter.problem("this is not a notebook; is it cut off?")
    else:
        item["content"] = chapter.notebook(notebook)
    return chapter


def _chapters(items: list) -> Iterator[dict]:
    for item in items:
        if "Chapter" in item:
            yield item["Chapter"]
            yield from _chapters(item["Chapter"]["sub_items"])


# ------------------------------------------------------------------ the finished book


def build(root: Path, destination: Path) -> None:
    """Build the book of `root` (where book.toml is) and put it at `destination`.

    Raises ValueError with everything that is wrong; `destination` then stays as it was.
    """
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix="_book-") as new:
        book = Path(new, "book")
        run_mdbook(root, book)
        # mdBook copies whatever lies beside the chapters.
        shutil.rmtree(book / ".ipynb_checkpoints", ignore_errors=True)
        if problems := list(page_problems(book)):
            raise ValueError("\n".join(problems))
        store_pictures(book)
        write_math_font(book)
        write_search_index(book)
        shutil.rmtree(destination, ignore_errors=True)
        book.rename(destination)


def run_mdbook(root: Path, book: Path) -> None:
    """mdBook's own part. It exits with 0 after some errors, so its log is read too."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    mdbook = shutil.which("mdbook", path=path)
    if mdbook is None:
        raise ValueError("mdBook is not installed: pip install 'lmcourse[book]'")
    done = subprocess.run(
        [mdbook, "build", root, "--dest-dir", book],
        env=os.environ | {"PATH": path, "RUST_LOG": "info"},
        capture_output=True,
        text=True,
    )
    bad = [line for line in done.stderr.splitlines() if not line.startswith(" INFO ")]
    if done.returncode or bad:
        raise ValueError("\n".join(bad) or f"mdbook exited with {done.returncode}")


class Page(HTMLParser):
    """Identifiers, links and pictures of one page, with the cell each stands in."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[tuple[str, str]] = []
        self.problems: list[str] = []
        notebook = path.with_suffix(".ipynb")
        self.name = self.where = notebook.name if notebook.exists() else path.name
        self.feed(path.read_text(encoding="utf-8"))

    def handle_comment(self, data: str) -> None:
        if found := re.fullmatch(r" (cell \d+) ", data):
            self.where = f"{self.name}, {found[1]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids.add(given.get("id") or "")
        if tag == "img" and not (given.get("alt") or "").strip():
            self.problems.append(f"{self.where}: a picture without alternative text")
        if tag == "a" and given.get("href"):
            self.links.append((self.where, given["href"]))
        resource = given.get("src") or (given.get("href") if tag == "link" else None)
        if resource and urlsplit(resource).scheme not in {"", "data"}:
            self.problems.append(f"{self.where}: {resource} is loaded from elsewhere")
        elif resource and not resource.startswith("data:"):
            self.links.append((self.where, resource))


def page_problems(book: Path) -> Iterator[str]:
    """Links that lead nowhere, and pictures without a description."""
    paths = sorted(book.glob("*.html"))
    pages = {path: Page(path) for path in paths if path.name != "print.html"}
    for path, page in pages.items():
        yield from page.problems
        for where, link in page.links:
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            target = book / unquote(url.path) if url.path else path
            if not target.is_file():
                yield f"{where}: the link {link} leads nowhere"
                continue
            ids = pages[target].ids if target in pages else set()
            if url.fragment and unquote(url.fragment) not in ids:
                yield f"{where}: the link {link} leads to no heading"


def store_pictures(book: Path) -> None:
    """Take pictures out of the pages, so that they load when they are looked at."""
    folder = book / "figures"
    folder.mkdir()

    def store(found: re.Match) -> str:
        picture = base64.b64decode(found["data"])
        name = f"{hashlib.sha256(picture).hexdigest()[:16]}.{found['kind']}"
        (folder / name).write_bytes(picture)
        return f"figures/{name}"

    for path in book.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        path.write_text(EMBEDDED.sub(store, text), encoding="utf-8")


def write_math_font(book: Path) -> None:
    """Write the signs that the maths uses, of STIX Two Math, as fonts/math.woff2.

    Without a font for mathematics, browsers do not stretch braces.
    """
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    text = "".join(path.read_text(encoding="utf-8") for path in book.glob("*.html"))
    formulas = "".join(re.findall(r"<math.*?</math>", text, flags=re.DOTALL))
    signs = {ord(sign) for sign in html.unescape(re.sub(r"<[^>]*>", "", formulas))}
    # Browsers show a variable's letter in italics, which are signs of their own.
    italics = set(range(0x1D434, 0x1D468)) | set(range(0x1D6E2, 0x1D71C)) | {0x210E}
    subsetter = Subsetter(Options(layout_features=["*"]))
    subsetter.populate(unicodes=signs | italics)
    whole = distribution("ziamath").locate_file("ziamath/fonts/STIXTwoMath-Regular.ttf")
    with TTFont(whole) as font:
        subsetter.subset(font)
        font.flavor = "woff2"
        font.save(book / "fonts/math.woff2")


def write_search_index(book: Path) -> None:
    """Index the chapters twice with pagefind: English is stemmed, Chinese is cut."""
    command = [sys.executable, "-m", "pagefind", "--site", book, "--keep-index-url"]
    for language in ("en", "zh"):
        folder = ["--output-subdir", f"pagefind/{language}"]
        forced = ["--force-language", language, "--silent"]
        subprocess.run([*command, *folder, *forced], check=True, capture_output=True)


def main() -> None:
    """Build _book/ in the current folder."""
    started = time.perf_counter()
    destination = Path.cwd() / "_book"
    try:
        build(Path.cwd(), destination)
    except ValueError as error:
        sys.exit(f"The book was not built:\n{error}")
    seconds = time.perf_counter() - started
    print(f"{destination / 'index.html'} ({seconds:.1f} s)")


if __name__ == "__main__":
    main()
