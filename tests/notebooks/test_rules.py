"""What every notebook of the course must hold, read from the file without a run."""

import re
import statistics

import pytest

from lmcourse import execution
from lmcourse.execution import payloads, read, tags
from lmcourse.exercises import CHECK_MIME, exercises
from lmcourse.explore import FRAMES_MIME
from lmcourse.syllabus import notebooks

PATHS = execution.notebook_paths()
KNOWN_TAGS = {
    "parameters",
    "setup",
    "colab",
    "exercise",
    "check",
    "solution",
    "nbval-check-output",
}
SCREEN = 45  # lines


@pytest.fixture(params=PATHS, ids=lambda path: path.stem, scope="module")
def path(request):
    return request.param


@pytest.fixture(scope="module")
def notebook(path):
    return read(path)


def code_cells(notebook, *tagged):
    return [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and (not tagged or set(tagged) & tags(cell))
    ]


def prose(notebook):
    return "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")


def taught(notebook):
    """The code cells that teach: without set-up and exercises."""
    apart = {"parameters", "setup", "exercise", "check", "solution"}
    return [cell for cell in code_cells(notebook) if not apart & tags(cell)]


def test_every_written_notebook_is_there():
    written = [entry.name for entry in notebooks().values() if entry.written]
    assert [path.stem for path in PATHS] == written


def test_opens_with_title_abilities_and_facts(path, notebook):
    entry = notebooks()[path.stem]
    first = notebook.cells[0].source
    assert first.startswith(f"# {entry.number} · {entry.title}\n")
    assert "you can" in first or "you know" in first
    facts = re.findall(r"^\*[^*].*\*$", first, flags=re.M)
    assert len(facts) == 1, "one italic line of facts"
    for fact in ("laptop", "GPU", "memory", "builds on"):
        assert fact in facts[0]


def test_sets_itself_up(path, notebook):
    (parameters,) = code_cells(notebook, "parameters")
    assert parameters.source.startswith("profile = None")
    (colab,) = code_cells(notebook, "colab")
    assert colab.source == execution.colab_cell()
    code = "\n".join(cell.source for cell in code_cells(notebook, "setup"))
    assert f'lmcourse.setup("{path.stem}", profile=profile)' in code


def test_metadata_suits_every_home(notebook):
    assert notebook.nbformat == 4
    assert notebook.nbformat_minor >= 5
    assert notebook.metadata.kernelspec.name == "python3"
    known = {"kernelspec", "language_info", "lmcourse", "accelerator", "colab"}
    assert set(notebook.metadata) <= known
    assert all(tags(cell) <= KNOWN_TAGS for cell in notebook.cells)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)


def test_prose_introduces_every_code_cell(notebook):
    lessons = taught(notebook)
    for before, cell in zip(notebook.cells, notebook.cells[1:], strict=False):
        if any(cell is lesson for lesson in lessons):
            assert before.cell_type == "markdown", cell.source[:80]


def test_cells_are_short(notebook):
    sizes = sorted(
        sum(bool(line.strip()) for line in cell.source.splitlines())
        for cell in taught(notebook)
    )
    assert statistics.median(sizes) <= 5
    assert sizes[int(0.9 * (len(sizes) - 1))] <= 18
    lines = [line for cell in code_cells(notebook) for line in cell.source.splitlines()]
    assert max(map(len, lines)) <= 88


def test_has_a_sweep_and_a_measured_mistake(notebook):
    assert any(list(payloads(cell, FRAMES_MIME)) for cell in notebook.cells)
    assert re.search(r"^> \*\*Common mistake: .*\*\*", prose(notebook), flags=re.M)


def test_exercises_have_stub_check_and_folded_solution(path, notebook):
    steps = [
        (cell, (tags(cell) & {"exercise", "check", "solution"}).pop())
        for cell in code_cells(notebook, "exercise", "check", "solution")
    ]
    kinds = [kind for _, kind in steps]
    count = len(kinds) // 3
    assert count >= 2
    assert kinds == ["exercise", "check", "solution"] * count
    for cell, kind in steps:
        if kind == "solution":
            assert cell.source.startswith("#@title Solution\n")
            assert cell.metadata.cellView == "form"
            assert cell.metadata.jupyter.source_hidden is True
            assert "record=False" in cell.source
    checked = {
        verdict["exercise"]
        for cell in code_cells(notebook, "check")
        for verdict in payloads(cell, CHECK_MIME)
    }
    mine = {name for name, e in exercises().items() if e.notebook == path.stem}
    assert checked == mine


def test_ends_with_what_to_remember_read_and_call_it(notebook):
    text = prose(notebook)
    remember = text.split("### What you should remember", 1)[1].split("###", 1)[0]
    assert len(re.findall(r"^\d\. ", remember, flags=re.M)) == 5
    reading = text.split("### Where to read on", 1)[1].split("###", 1)[0]
    assert re.search(r"\((19|20)\d\d\)", reading), "papers with their year"
    last = notebook.cells[-1].source
    assert last.startswith("### New terms\n\n| English | 中文 | Meaning |\n")
    rows = [line for line in last.splitlines()[4:] if line.strip()]
    assert rows and all(row.count("|") == 4 for row in rows)


def test_outputs_are_stored_clean_and_current(path, notebook):
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1)), "run once, top to bottom"
    assert path.stat().st_size < 2**20
    for cell in code_cells(notebook):
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"
            assert execution.WIDGET_MIME not in output.get("data", {})
            text = output.get("text") or output.get("data", {}).get("text/plain", "")
            assert len(text.splitlines()) <= SCREEN, "longer than a screen"
            if any(kind.startswith("image/") for kind in output.get("data", {})):
                assert output.metadata.get("alt", "").strip()
    assert execution.is_current(notebook), "run `make outputs`"


def test_compared_cells_have_something_to_compare(notebook):
    compared = [c for c in notebook.cells if "nbval-check-output" in tags(c)]
    assert compared
    for cell in compared:
        assert cell.outputs, f"nbval would pass in silence: {cell.source[:60]!r}"


def test_prose_says_what_the_stored_run_gave(notebook):
    assert execution.claim_problems(notebook) == []
    assert execution.exercise_problems(notebook) == []


def test_bold_numbers_are_marked(notebook):
    text = re.sub(r"`[^`]*`", "", prose(notebook))
    bold = re.findall(r"\*\*[−-]?[\d.,]+(?: ?%)?\*\*(?!<!--=)", text)
    assert bold == [], "a number from a run carries a claim mark"
