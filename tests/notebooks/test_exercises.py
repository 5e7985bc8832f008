"""Every exercise rejects the usual wrong answers, each with a hint of its own."""

import importlib
import pkgutil

import pytest

from lmcourse.exercises import exercises, judge

from . import wrong_answers

WRONG = {
    name: answers
    for module in pkgutil.iter_modules(wrong_answers.__path__)
    for name, answers in importlib.import_module(
        f"{wrong_answers.__name__}.{module.name}"
    ).WRONG.items()
}


def test_every_exercise_has_wrong_answers():
    assert set(WRONG) == set(exercises())


@pytest.mark.parametrize("name", sorted(WRONG))
def test_wrong_answers_get_the_hint_that_fits(name):
    hints = {}
    for mistake, answer, fragment in WRONG[name]:
        result = judge(exercises()[name], answer)
        assert result.status == "wrong", mistake
        assert fragment in result.hint, f"{mistake}: {result.hint}"
        hints[mistake] = result.hint
    assert len(hints) >= 3, "an exercise needs three wrong answers or more"
    assert len(set(hints.values())) == len(hints), "two mistakes share a hint"


@pytest.mark.parametrize("name", sorted(exercises()))
@pytest.mark.parametrize("stub", [None, ..., lambda *_: None])
def test_a_stub_is_not_tried(name, stub):
    assert judge(exercises()[name], stub).status == "not tried"


@pytest.mark.parametrize("name", sorted(exercises()))
@pytest.mark.parametrize("nonsense", ["text", 3, [], {}, object(), lambda: 1, print])
def test_nonsense_is_wrong_and_never_an_error(name, nonsense):
    result = judge(exercises()[name], nonsense)
    assert result.status == "wrong"
    assert result.hint
