"""The small course's book, built once, and a browser to look at it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, Page, Route

from lmcourse import book

from .small_course import ROOT, first_notebook, second_notebook, write_course


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished book of the small course."""
    root = write_course(
        tmp_path_factory.mktemp("course"),
        **{"01_first": first_notebook(), "02_second": second_notebook()},
    )
    book.build(root, root / "_book")
    return root / "_book"


# ------------------------------------------------------------------ a real browser


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def course_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished book of the course itself."""
    destination = tmp_path_factory.mktemp("book") / "_book"
    book.build(ROOT, destination)
    return destination


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a book and yield its address."""
    handler = partial(QuietHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def address(built: Path) -> Iterator[str]:
    """Where the small course's book is served."""
    with serve(built) as url:
        yield url


@pytest.fixture(scope="session")
def course_address(course_book: Path) -> Iterator[str]:
    """Where the course's own book is served."""
    with serve(course_book) as url:
        yield url


# Playwright runs once at a time in a process, so it ends with the module.
@pytest.fixture
def tab(chromium: Browser, address: str) -> Iterator[Page]:
    """A tab on the small course's book."""
    with guarded_tab(chromium, address) as page:
        yield page


@pytest.fixture
def course_tab(chromium: Browser, course_address: str) -> Iterator[Page]:
    """A tab on the course's own book."""
    with guarded_tab(chromium, course_address) as page:
        yield page


@contextmanager
def guarded_tab(chromium: Browser, address: str) -> Iterator[Page]:
    """A fresh tab; foreign requests and errors on the console fail the test."""
    context = chromium.new_context(base_url=address)
    wrong: list[str] = []

    def guard(route: Route) -> None:
        if route.request.url.startswith((f"{address}/", "data:")):
            route.continue_()
        else:
            wrong.append(f"foreign request: {route.request.url}")
            route.abort()

    context.route("**/*", guard)
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("console", lambda m: m.type == "error" and wrong.append(m.text))
    yield page
    context.close()
    assert not wrong
