"""Results of long recipes: stored one by one, never lost, found again."""

import json
from concurrent.futures import ProcessPoolExecutor

import pytest

from lmcourse import results


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "_path", lambda name: tmp_path / f"{name}.json")
    return tmp_path


def test_runs_are_added_and_replaced():
    results.store("models", "lstm, seed 2", 1.5, {"test": 80.0})
    results.store("models", "lstm, seed 1", 1.25, {"test": 82.0})
    results.store("models", "lstm, seed 2", 1.5, {"test": 81.0})
    found = results.load("models")
    assert list(found) == ["lstm, seed 1", "lstm, seed 2"]
    assert found["lstm, seed 2"]["test"] == 81.0
    assert found["lstm, seed 1"]["about"]["minutes"] == 1.25
    for fact in ("date", "device", "system", "python", "torch"):
        assert found["lstm, seed 1"]["about"][fact]


def test_what_was_never_stored_says_how_to_make_it():
    with pytest.raises(FileNotFoundError, match="make long NAME=nothing"):
        results.load("nothing")


def test_a_run_that_cannot_be_stored_leaves_the_others(folder):
    results.store("models", "good", 1, {"test": 80.0})
    with pytest.raises(TypeError):
        results.store("models", "bad", 1, {"test": object()})
    assert list(results.load("models")) == ["good"]


def store_one(folder, number):
    results._path = lambda name: folder / f"{name}.json"
    results.store("models", f"run {number}", number, {"test": number})


def test_recipes_side_by_side_lose_nothing(folder):
    with ProcessPoolExecutor(4) as pool:
        list(pool.map(store_one, [folder] * 12, range(12)))
    assert len(results.load("models")) == 12


def test_stored_results_are_complete():
    """Every result file of the course says where its runs come from."""
    from lmcourse.execution import RESULTS

    stored = [path for path in RESULTS.glob("*.json") if "bench" not in path.name]
    assert stored
    for path in stored:
        for run in json.loads(path.read_text("utf-8")).values():
            assert {"date", "device", "torch", "minutes"} <= run["about"].keys()
