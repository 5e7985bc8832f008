"""The book as a reader meets it, in Chromium."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from lmcourse.syllabus import notebooks

pytestmark = pytest.mark.browser

PAGES = ["index", "01_first", "02_second", "glossary", "print"]
COURSE = [
    "index",
    "glossary",
    *(name for name, entry in notebooks().items() if entry.written),
]
SHADE, TEXT = 0, 1  # which sweep of the first page


def search(tab: Page, words: str) -> list[str]:
    """Titles of what the search finds."""
    tab.keyboard.press("/")
    tab.get_by_role("searchbox").fill(words)
    expect(tab.get_by_role("status")).to_contain_text("page")
    return tab.locator("#search li a").all_inner_texts()


# ------------------------------------------------------------------ sweeps


def test_a_sweep_moves_by_keyboard(tab: Page) -> None:
    tab.goto("/01_first.html")
    sweep = tab.locator(".sweep").nth(TEXT)
    slider = sweep.get_by_role("slider", name="text")
    expect(sweep.locator(".frame").nth(0)).to_be_visible()
    slider.focus()
    tab.keyboard.press("ArrowRight")
    expect(sweep.get_by_text("frame 1")).to_be_visible()
    expect(sweep.get_by_text("frame 0")).to_be_hidden()
    expect(sweep.locator("output")).to_have_text("value 1")
    expect(slider).to_have_attribute("aria-valuetext", "value 1")
    tab.keyboard.press("Home")
    expect(sweep.get_by_text("frame 0")).to_be_visible()


def test_a_sweep_moves_by_mouse_and_the_picture_changes(tab: Page) -> None:
    tab.goto("/01_first.html")
    sweep = tab.locator(".sweep").nth(SHADE)
    picture = sweep.locator("[data-shown] img")
    before = picture.screenshot()
    slider = sweep.get_by_role("slider")
    box = slider.bounding_box()
    assert box is not None
    slider.click(position={"x": box["width"] - 3, "y": box["height"] / 2})
    expect(sweep.locator("output")).to_have_text("value 1")
    assert picture.screenshot() != before
    assert picture.evaluate("image => image.complete && image.naturalWidth") == 240


def test_a_sweep_plays_to_its_end(tab: Page) -> None:
    tab.goto("/01_first.html")
    sweep = tab.locator(".sweep").nth(TEXT)
    sweep.get_by_role("button", name="Play").click()
    expect(sweep.get_by_role("button", name="Pause")).to_be_visible()
    expect(sweep.locator("output")).to_have_text("value 1")
    expect(sweep.get_by_role("button", name="Play")).to_be_visible()


def test_without_javascript_the_page_can_be_read(chromium, address: str) -> None:
    context = chromium.new_context(base_url=address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/01_first.html")
    expect(page.get_by_text("frame 0")).to_be_visible()
    expect(page.get_by_role("link", name="Glossary")).to_be_visible()
    assert page.get_by_role("slider").count() == 0
    context.close()


# ------------------------------------------------------------------ search and themes


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("probabilities", "2 · A second page › More of it"),  # the page: probability
        ("语言模型", "1 · A first page › Text that looks like something else"),
        ("概率", "1 · A first page › Text that looks like something else"),
    ],
)
def test_search_finds_both_languages(tab: Page, words: str, title: str) -> None:
    tab.goto("/index.html")
    assert title in search(tab, words)


@pytest.mark.parametrize("words", ["ёжик", "龘"])
def test_search_says_when_nothing_is_found(tab: Page, words: str) -> None:
    tab.goto("/index.html")
    tab.keyboard.press("/")
    tab.get_by_role("searchbox").fill(words)
    expect(tab.get_by_role("status")).to_have_text(f"Nothing found for “{words}”.")
    assert tab.locator("#search li").count() == 0


def test_a_hit_leads_to_its_heading(tab: Page) -> None:
    tab.goto("/index.html")
    search(tab, "probability")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/02_second.html#more-of-it")
    expect(tab.get_by_role("dialog")).to_be_hidden()


def test_the_theme_is_remembered(tab: Page) -> None:
    tab.emulate_media(color_scheme="light")
    tab.goto("/01_first.html")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = tab.evaluate(ground)
    tab.get_by_role("button", name="Switch to the dark theme").click()
    dark = tab.evaluate(ground)
    assert dark != light
    tab.get_by_role("link", name="Glossary").click()
    tab.wait_for_url("**/glossary.html")
    assert tab.evaluate(ground) == dark
    tab.reload()
    tab.get_by_role("button", name="Switch to the light theme").click()
    assert tab.evaluate(ground) == light


# ------------------------------------------------------------------ for everyone


def violations(tab: Page, name: str) -> list[tuple[str, str]]:
    """What axe finds on a page with all its folds open: rules and the first element."""
    tab.goto(f"/{name}.html")
    for fold in tab.locator("main summary").all():
        fold.click()
    tab.evaluate("document.fonts.ready")
    found = Axe().run(tab).response["violations"]
    harmless = {"empty-table-header"}  # pandas leaves the corner of a table empty
    return [
        (rule["id"], rule["nodes"][0]["html"])
        for rule in found
        if rule["id"] not in harmless
    ]


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_on_a_dark_page(tab: Page, name: str) -> None:
    tab.emulate_media(color_scheme="dark")
    assert not violations(tab, name)


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_on_a_phone(tab: Page, name: str) -> None:
    tab.set_viewport_size({"width": 360, "height": 700})
    assert not violations(tab, name)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", COURSE)
def test_axe_finds_nothing_in_the_course(
    course_tab: Page, name: str, scheme: str
) -> None:
    course_tab.emulate_media(color_scheme=scheme)
    assert not violations(course_tab, name)


def test_the_courses_first_lesson_plays(course_tab: Page, picture) -> None:
    course_tab.set_viewport_size({"width": 1280, "height": 900})
    course_tab.goto("/01_bigram_counting.html")
    sweep = course_tab.locator(".sweep").first
    slider = sweep.get_by_role("slider", name="history")
    slider.focus()
    for _ in "bcdefghijklmnopq":
        course_tab.keyboard.press("ArrowRight")
    expect(sweep.locator("output")).to_have_text("q")
    expect(sweep.locator("[data-shown] img")).to_be_visible()
    sweep.evaluate("sweep => sweep.scrollIntoView({block: 'center'})")
    picture(course_tab, "book")


@pytest.mark.parametrize("words", ["maximum likelihood", "困惑度"])
def test_the_course_is_found_in_both_languages(course_tab: Page, words: str) -> None:
    course_tab.goto("/index.html")
    found = search(course_tab, words)
    assert any(title.startswith("1 · Counting pairs") for title in found)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_open_search_is_accessible_too(tab: Page, scheme: str) -> None:
    tab.emulate_media(color_scheme=scheme)
    tab.goto("/index.html")
    search(tab, "probability")
    found = Axe().run(tab, context="#search").response["violations"]
    assert not [rule["id"] for rule in found]


def test_every_page_was_looked_at(built: Path) -> None:
    written = {path.stem for path in built.glob("*.html")} - {"toc"}
    assert written == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_never_scrolls_sideways(tab: Page, name: str) -> None:
    tab.set_viewport_size({"width": 360, "height": 700})
    tab.goto(f"/{name}.html")
    assert tab.evaluate("document.documentElement.scrollWidth") == 360


def test_the_contents_open_on_a_phone(tab: Page) -> None:
    tab.set_viewport_size({"width": 360, "height": 700})
    tab.goto("/01_first.html")
    expect(tab.get_by_role("link", name="Glossary")).to_be_hidden()
    tab.get_by_role("button", name="Contents").click()
    tab.get_by_role("link", name="Glossary").click()
    tab.wait_for_url("**/glossary.html")


def test_braces_stretch_with_the_maths_font(tab: Page) -> None:
    tab.goto("/01_first.html")
    heights = tab.evaluate(
        """() => document.fonts.ready.then(() => {
            const cases = [...document.querySelectorAll("math")]
              .find(math => math.textContent.includes("otherwise"));
            const parts = ["mo", "mtable"].map(tag => cases.querySelector(tag));
            return parts.map(part => part.getBoundingClientRect().height);
        })"""
    )
    brace, rows = heights
    assert brace > 0.8 * rows
    assert tab.evaluate("document.fonts.check('16px STIX Two Math')")
