"""Profiles, seeds and the preflight table."""

import random
import subprocess
import sys
import types

import numpy as np
import pytest

from lmcourse import runtime
from lmcourse.runtime import choose_profile, setup
from lmcourse.syllabus import Notebook, notebook, notebooks


@pytest.fixture(autouse=True)
def no_profile(monkeypatch):
    monkeypatch.delenv("LMCOURSE_PROFILE", raising=False)


def test_the_argument_wins_then_the_environment_then_the_device(monkeypatch):
    assert choose_profile(None, "cpu") == "cpu"
    assert choose_profile(None, "cuda") == "gpu"
    monkeypatch.setenv("LMCOURSE_PROFILE", "smoke")
    assert choose_profile(None, "cuda") == "smoke"
    assert choose_profile("cpu", "cuda") == "cpu"


@pytest.mark.parametrize("asked", ["fast", "CPU", "smoke "])
def test_an_unknown_profile_is_an_error_that_lists_them(asked):
    with pytest.raises(ValueError, match="smoke, cpu, gpu"):
        choose_profile(asked, "cpu")


def test_an_unknown_notebook_names_the_nearest():
    with pytest.raises(ValueError, match="did you mean '02_ngrams'"):
        setup("02_ngram")


def test_seeds_make_two_runs_equal(capsys):
    drawn = []
    for _ in range(2):
        course = setup("01_bigram_counting", profile="cpu")
        drawn.append((random.random(), np.random.rand(), course.random().random()))
    assert drawn[0] == drawn[1]


def test_pick_follows_the_profile(capsys):
    def pick(profile, **values):
        return setup("01_bigram_counting", profile=profile).pick(**values)

    assert pick("smoke", smoke=1, cpu=2, gpu=3) == 1
    assert pick("cpu", smoke=1, cpu=2, gpu=3) == 2
    assert pick("gpu", smoke=1, cpu=2, gpu=3) == 3
    assert pick("gpu", smoke=1, cpu=2) == 2
    assert pick("gpu", smoke=1, cpu=2, gpu=0) == 0


def test_the_preflight_table_says_what_to_expect(capsys):
    setup("01_bigram_counting", profile="cpu")
    text = capsys.readouterr().out
    assert text.startswith("1 · Counting pairs")
    for word in ("profile", "device", "memory", "GB free", "time", "seed", "numpy"):
        assert word in text


def test_too_little_memory_says_what_to_do(monkeypatch):
    assert "close other notebooks" in runtime._describe_memory(1e6)
    assert "close" not in runtime._describe_memory(0)


def test_versions_that_were_not_tested_are_named(monkeypatch):
    monkeypatch.setattr(runtime, "version", lambda name: "0.0.1")
    text = runtime._describe_versions(notebook("01_bigram_counting"))
    tested = runtime.tested_versions()["numpy"][0]
    assert f"numpy 0.0.1 (tested: {tested})" in text


def test_a_build_label_is_not_another_version(monkeypatch):
    tested = runtime.tested_versions()
    monkeypatch.setattr(runtime, "version", lambda name: f"{tested[name][0]}+cpu")
    entry = Notebook("99_x", "X", "II", "?", minutes=1, uses_torch=True)
    assert "tested" not in runtime._describe_versions(entry)


def test_colab_without_a_gpu_says_how_to_switch_one_on(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    entry = Notebook("99_x", "X", "II", "?", minutes=1, uses_torch=True)
    course = runtime.Course(entry, "cpu", "cpu", 1)
    assert "Change runtime type" in runtime._describe_device(course)


def test_importing_the_package_loads_nothing_heavy():
    heavy = "torch", "matplotlib", "pandas", "numpy"
    code = f"import lmcourse, sys; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stderr


def test_the_syllabus_is_in_order():
    numbers = [entry.number for entry in notebooks().values()]
    assert numbers == list(range(23))
