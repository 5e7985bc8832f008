"""The tests of notebooks can fail: each defect below is found."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from lmcourse import execution
from lmcourse.claims import CLAIMS_MIME
from lmcourse.exercises import CHECK_MIME
from lmcourse.explore import FRAMES_MIME, WIDGET_MIME


def shown(data):
    return new_output("display_data", data=data)


def claimed(**values):
    return new_code_cell("claim(…)", outputs=[shown({CLAIMS_MIME: values})])


def test_a_wrong_number_in_prose_is_found():
    text = new_markdown_cell("It is **11.8**<!--=ppl-->.")
    assert (
        execution.claim_problems(new_notebook(cells=[claimed(ppl=11.84), text])) == []
    )
    (problem,) = execution.claim_problems(
        new_notebook(cells=[claimed(ppl=11.86), text])
    )
    assert "ppl" in problem and "11.86" in problem


def test_marks_and_claims_must_match_one_to_one():
    cells = [claimed(used=1.0, unused=2.0), new_markdown_cell("**1**<!--=other-->")]
    problems = execution.claim_problems(new_notebook(cells=cells))
    assert [p.split()[0] for p in problems] == ["other", "unused", "used"]
    with pytest.raises(ValueError, match="claimed twice: a"):
        execution.recorded_claims(new_notebook(cells=[claimed(a=1), claimed(a=1)]))


def verdict(kind, status):
    data = {CHECK_MIME: {"exercise": "e", "status": status, "hint": None}}
    return new_code_cell("check", metadata={"tags": [kind]}, outputs=[shown(data)])


def test_a_failing_solution_is_found():
    good = [verdict("check", "not tried"), verdict("solution", "right")]
    assert execution.exercise_problems(new_notebook(cells=good)) == []
    bad = [verdict("check", "right"), verdict("solution", "wrong")]
    assert len(execution.exercise_problems(new_notebook(cells=bad))) == 2
    silent = new_code_cell("pass", metadata={"tags": ["solution"]})
    assert execution.exercise_problems(new_notebook(cells=[silent]))


def test_an_error_inside_a_widget_is_found():
    error = {"output_type": "error", "ename": "ValueError", "evalue": "bad"}
    state = {"m": {"state": {"outputs": [error]}}}
    metadata = {
        "widgets": {"application/vnd.jupyter.widget-state+json": {"state": state}}
    }
    notebook = new_notebook(metadata=metadata)
    assert execution.hidden_errors(notebook) == ["ValueError: bad"]


def test_a_changed_output_is_found_but_not_changed_picture_bytes():
    def cell(text, png):
        outputs = [shown({"text/plain": text, "image/png": png})]
        tagged = {"tags": ["nbval-check-output"]}
        return new_code_cell("x", metadata=tagged, outputs=outputs)

    stored = new_notebook(cells=[cell("1", "AAAA")])
    assert (
        execution.changed_cells(stored, new_notebook(cells=[cell("1", "BBBB")])) == []
    )
    assert execution.changed_cells(stored, new_notebook(cells=[cell("2", "AAAA")]))


def test_hash_follows_code_and_modules_but_not_prose():
    def notebook(code, prose="a"):
        return new_notebook(cells=[new_markdown_cell(prose), new_code_cell(code)])

    plain = execution.source_hash(notebook("x = 1"))
    assert execution.source_hash(notebook("x = 1", "b")) == plain
    assert execution.source_hash(notebook("x = 2")) != plain
    behind = {
        path.name for path in execution.modules_behind("from lmcourse import text")
    }
    assert "text.py" in behind and "book.py" not in behind
    indirect = execution.modules_behind("from lmcourse.course_map import show_map")
    assert {"course_map.py", "syllabus.py", "figures.py"} <= {p.name for p in indirect}


def test_a_new_notebook_or_exercise_makes_the_map_and_the_progress_old(monkeypatch):
    shown = [
        new_notebook(cells=[new_code_cell(f"{x}()")]) for x in ("progress", "show_map")
    ]
    other = new_notebook(cells=[new_code_cell("x = 1")])
    before = [execution.source_hash(notebook) for notebook in (*shown, other)]
    for name in ("notebooks", "exercises"):
        fewer = dict([*getattr(execution, name)().items()][1:])
        with monkeypatch.context() as changed:
            changed.setattr(execution, name, lambda fewer=fewer: fewer)
            after = [execution.source_hash(notebook) for notebook in (*shown, other)]
        changes = [a != b for a, b in zip(before, after, strict=True)]
        assert changes == [True, True, False]


def executed_notebook(tmp_path, *sources):
    notebook = new_notebook(
        cells=[new_code_cell(source) for source in sources],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    path = tmp_path / "99_test.ipynb"
    nbformat.write(notebook, path)
    return path


def test_stored_outputs_hold_frames_but_no_dead_widgets(tmp_path):
    path = executed_notebook(
        tmp_path,
        "from lmcourse import sweep\n"
        "sweep(lambda n: f'{n} squared is {n * n}', [1, 2], label='n', alt='a')",
        "from tqdm.auto import tqdm\nfor _ in tqdm(range(3)): pass",
    )
    execution.store_outputs(path)
    stored = execution.read(path)
    (frames,) = execution.payloads(stored.cells[0], FRAMES_MIME)
    assert frames["frames"] == [{"text": "1 squared is 1"}, {"text": "2 squared is 4"}]
    assert "widgets" not in stored.metadata
    assert WIDGET_MIME not in path.read_text(encoding="utf-8")
    assert stored.cells[1].outputs == []
    assert execution.is_current(stored)


def test_a_failed_run_leaves_the_file_as_it_was(tmp_path):
    from nbclient.exceptions import CellExecutionError

    path = executed_notebook(tmp_path, "1 / 0")
    before = path.read_bytes()
    with pytest.raises(CellExecutionError):
        execution.store_outputs(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_an_error_at_any_value_of_a_sweep_fails_the_run(tmp_path):
    from nbclient.exceptions import CellExecutionError

    path = executed_notebook(
        tmp_path,
        "from lmcourse import sweep\n"
        "sweep(lambda n: 1 / (2 - n), [1, 2, 3], label='n', alt='a')",
    )
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        execution.store_outputs(path)


def test_a_new_address_reaches_the_colab_cell_without_a_new_run(monkeypatch):
    cell = new_code_cell("old", metadata={"tags": ["setup", "colab"]})
    notebook = new_notebook(cells=[cell, new_code_cell("x = 1")])
    before = execution.source_hash(notebook)
    monkeypatch.setattr(execution, "repository", lambda: "https://example.org/a/b")
    assert execution.write_colab_cell(notebook)
    assert "git+https://example.org/a/b" in notebook.cells[0].source
    assert execution.source_hash(notebook) == before
    assert not execution.write_colab_cell(notebook)
