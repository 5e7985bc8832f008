"""`check` never fails because of an answer, and remembers the right ones."""

import json
import os
import subprocess
import sys
import threading
import time

import pytest

from lmcourse import exercises
from lmcourse.exercises import CHECK_MIME, Exercise, Hint, check, expect, judge


@pytest.fixture
def progress_file(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "progress.jsonl"
    monkeypatch.setenv("LMCOURSE_PROGRESS", str(path))
    monkeypatch.setattr(exercises, "_shown_solutions", [])
    return path


def double(answer):
    expect(exercises.call(answer, 3) == 6, "Twice 3 is 6.")


DOUBLE = Exercise("double", "Double", "00_start_here", double)


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr(exercises, "exercises", lambda: {"double": DOUBLE})


@pytest.fixture
def verdict(displayed):
    def judged(answer, **options):
        (output,) = displayed(check, "double", answer, **options)
        return output.data

    return judged


def endless(n):
    while True:
        pass


def stubborn(n):
    while True:
        try:
            while True:
                pass
        except Exception:
            pass


def deep(n):
    return deep(n)


def leaves(n):
    raise SystemExit


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (3, "A function is asked for"),
        (lambda n: n, "Twice 3 is 6"),
        (lambda n: 1 / 0, "ZeroDivisionError"),
        (lambda: 6, "TypeError"),
        (lambda n: print("noise"), "is a `return` missing"),
        (deep, "RecursionError"),
        (leaves, "SystemExit"),
        (int, "Twice 3 is 6"),
    ],
)
def test_bad_answers_get_a_hint(answer, hint, capsys):
    result = judge(DOUBLE, answer)
    assert result.status == "wrong"
    assert hint in result.hint
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("answer", [endless, stubborn])
def test_endless_answers_are_stopped(answer, monkeypatch):
    monkeypatch.setattr(exercises, "TIME_LIMIT", 0.2)
    result = judge(DOUBLE, answer)
    assert result.status == "wrong"
    assert "never ends" in result.hint


def test_waiting_is_not_computing_but_has_an_end(monkeypatch):
    monkeypatch.setattr(exercises, "TIME_LIMIT", 0.1)
    slow = judge(DOUBLE, lambda n: time.sleep(1.3) or 2 * n)
    monkeypatch.setattr(exercises, "PATIENCE", 1.0)
    stuck = judge(DOUBLE, lambda n: time.sleep(30) or 2 * n)
    assert (slow.status, stuck.status) == ("right", "wrong")


def test_outside_the_main_thread_answers_are_judged_too():
    results = []
    thread = threading.Thread(target=lambda: results.append(judge(DOUBLE, lambda n: 6)))
    thread.start()
    thread.join()
    assert results[0].status == "right"


def test_arguments_are_copies():
    numbers = [1, 2]
    exercises.call(lambda xs: xs.clear() or "done", numbers)
    assert numbers == [1, 2]


def stub(n):
    """With a docstring."""


@pytest.mark.parametrize("answer", [None, ..., lambda n: None, stub])
def test_stubs_are_not_tried(answer):
    assert judge(DOUBLE, answer).status == "not tried"


@pytest.mark.parametrize("answer", [lambda n: 0, lambda n: n, lambda n: print(n)])
def test_a_short_answer_is_an_answer(answer):
    assert judge(DOUBLE, answer).status == "wrong"


def test_hints_are_shown_as_text_not_as_markup(
    verdict, registered, progress_file, monkeypatch
):
    def judge_markup(answer):
        raise Hint("use `a < b` & not <b>")

    found = Exercise("double", "", "", judge_markup)
    monkeypatch.setattr(exercises, "exercises", lambda: {"double": found})
    data = verdict(1)
    assert "<code>a &lt; b</code> &amp; not &lt;b&gt;" in data["text/html"]
    assert data[CHECK_MIME]["hint"] == "use `a < b` & not <b>"


def test_right_answers_are_remembered(verdict, registered, progress_file):
    assert exercises.solved() == set()
    verdict(lambda n: n)
    assert exercises.solved() == set()
    verdict(lambda n: 2 * n)
    assert exercises.solved() == {"double"}


def test_the_courses_solution_is_not_the_readers(verdict, registered, progress_file):
    def solution(n):
        return 2 * n

    assert verdict(solution, record=False)[CHECK_MIME]["status"] == "right"
    assert "run your own cell" in verdict(solution)["text/plain"]
    assert exercises.solved() == set()
    verdict(lambda n: n + n)
    assert exercises.solved() == {"double"}


def test_a_damaged_progress_file_loses_only_what_is_damaged(
    verdict, registered, progress_file
):
    progress_file.parent.mkdir()
    good = json.dumps({"exercise": "double", "at": "2026-01-01"})
    progress_file.write_bytes(
        b'\xff\xfe{"half\n[1]\n"text"\n{"exercise": 3}\n' + good.encode()
    )
    assert exercises.solved() == {"double"}


def test_a_place_that_cannot_be_written_is_said_and_no_error(
    verdict, registered, progress_file
):
    progress_file.parent.write_text("a file, not a folder")
    data = verdict(lambda n: 2 * n)
    assert data[CHECK_MIME]["status"] == "right"
    assert "could not be remembered" in data["text/plain"]


def test_two_notebooks_may_remember_at_once(progress_file):
    code = (
        "from lmcourse import exercises\n"
        "for _ in range(200): assert exercises._remember('most-letters') == ''"
    )
    environment = os.environ | {"LMCOURSE_PROGRESS": str(progress_file)}
    runs = [
        subprocess.Popen([sys.executable, "-c", code], env=environment)
        for _ in range(2)
    ]
    assert [run.wait() for run in runs] == [0, 0]
    lines = progress_file.read_text(encoding="utf-8").splitlines()
    assert len([json.loads(line) for line in lines]) == 400


def test_an_unknown_exercise_names_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'most-letters'"):
        check("most-leters", 1)


def test_the_progress_table_has_a_row_a_notebook(progress_file):
    table = exercises.progress()
    mine = [e for e in exercises.exercises().values() if e.notebook == "00_start_here"]
    assert table.loc["0 · Start here", "solved"] == f"0 of {len(mine)}"
    exercises._remember(mine[0].name)
    row = exercises.progress().loc["0 · Start here"]
    assert row["solved"] == f"1 of {len(mine)}"
    assert mine[0].title not in row["still to do"]
