"""What all tests share."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, sync_playwright

# Pictures need no window, and two busy workers no threads of their own.
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", help="a folder for the README's screenshots")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Chromium from the system's packages; without one, skipped, but never in CI.

    It ends with its module, because a process drives one browser at a time.
    """
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        reason = "no Chromium is installed (apt-get install chromium)"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def picture(request: pytest.FixtureRequest):
    """A function that keeps a screenshot where `--pictures` says, else does nothing."""
    folder = request.config.getoption("--pictures")

    def keep(view: Page | Locator, name: str) -> None:
        if folder:
            Path(folder).mkdir(exist_ok=True)
            view.screenshot(path=Path(folder) / f"{name}.png")

    return keep


@pytest.fixture
def displayed():
    """A function that calls another in IPython and returns the outputs it displayed."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output
    from traitlets.config import Config

    # Without its history it leaves nothing in the home folder.
    InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))

    def call(function, *arguments, **options):
        with capture_output() as captured:
            function(*arguments, **options)
        return captured.outputs

    yield call
    InteractiveShell.clear_instance()
