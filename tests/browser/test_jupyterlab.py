"""What a learner does in JupyterLab: run all, move a slider, solve an exercise."""

import re

import pytest

from lmcourse.execution import notebook_paths

pytestmark = pytest.mark.browser

ERROR = "[data-mime-type='application/vnd.jupyter.error']"
BARS = ".widget-html img[alt^='bars: the probability of each next letter']"
RIGHT = "after_k = Counter(a for n in names for b, a in pairwise(n + '$') if b == 'k')"


def open_notebook(page, lab, name):
    page.goto(lab.url(f"notebooks/{name}.ipynb"))
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
    wait_until_idle(page)


def wait_until_idle(page):
    page.wait_for_selector(
        ".jp-NotebookPanel:not(.lm-mod-hidden) "
        ".jp-Notebook-ExecutionIndicator[data-status='idle']"
    )


def run_all(page):
    """Run every cell from the menu, and fail at the first error."""
    page.locator(".jp-NotebookPanel .jp-Cell").first.click()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("^Run All Cells")).first.click()
    page.wait_for_function(
        f"""() => document.querySelector("{ERROR}") ||
            ![...document.querySelectorAll(".jp-CodeCell .jp-InputPrompt")].some(
                (prompt) => /\\[[* ]\\]/.test(prompt.textContent))"""
    )
    assert page.locator(ERROR).count() == 0, page.locator(ERROR).first.inner_text()


def cell_holding(page, text):
    return page.locator(".jp-CodeCell", has_text=text).first


def answer(page, stub, code):
    """Replace a stub, and run it and the check below it."""
    stub.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(code)
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Shift+Enter")


def test_run_all_move_a_slider_solve_an_exercise(page, lab, picture):
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))

    open_notebook(page, lab, "01_bigram_counting")
    run_all(page)

    slider = page.locator(".jp-OutputArea .widget-slider").first
    slider.scroll_into_view_if_needed()
    stage = page.locator(BARS).first
    before = stage.get_attribute("src")
    handle = slider.locator(".noUi-handle")
    handle.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "([bars, before]) => document.querySelector(bars).src !== before",
        arg=[BARS, before],
    )
    assert slider.locator(".widget-readout").inner_text() == "b"
    assert stage.get_attribute("alt").endswith("history b")

    box = handle.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 5, steps=8)
    page.mouse.up()
    assert slider.locator(".widget-readout").inner_text() > "c"
    picture(page, "notebook")

    # A handle, since a locator would look for the text that is about to be replaced.
    stub = cell_holding(page, "after_k = ...").locator(".cm-content").element_handle()
    check = cell_holding(page, 'check("after-k", after_k)').locator(".jp-OutputArea")
    assert "Not tried yet" in check.inner_text()
    answer(page, stub, RIGHT.replace("'k'", "'a'"))
    check.get_by_text("change the letter").wait_for()
    answer(page, stub, RIGHT)
    check.get_by_text("Right.").wait_for()

    open_notebook(page, lab, "00_start_here")
    run_all(page)
    row = page.locator("tr", has_text="1 · Counting pairs").last
    row.scroll_into_view_if_needed()
    assert "1 of 5" in row.inner_text()
    assert "What follows k" not in row.inner_text()
    assert problems == []


@pytest.mark.parametrize("name", [path.stem for path in notebook_paths()])
def test_stored_outputs_are_readable_before_any_run(page, lab, name):
    """Opened and not run, a notebook shows its pictures, and solutions stay folded."""
    open_notebook(page, lab, name)
    # Outputs are drawn after the cells: wait for the first, then for the rest.
    shown = ".jp-OutputArea-output img, .jp-RenderedHTMLCommon table"
    page.locator(shown).first.wait_for(state="attached")
    page.wait_for_load_state("networkidle")
    assert page.locator(ERROR).count() == 0
    assert page.locator("text=Error displaying widget").count() == 0
    folded = page.locator(".jp-CodeCell", has_text="record=False")
    assert folded.count() == 0, "a solution lies open"
