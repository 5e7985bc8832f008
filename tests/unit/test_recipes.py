"""What the long recipes promise: which texts they read, and that each run has a key."""

import importlib
import sys
from pathlib import Path

import pytest
import torch

from lmcourse import corpora
from lmcourse.recurrent import RecurrentLM

RECIPES = Path(__file__).parents[2] / "recipes"
BERT = ["pretraining", "sentiment", "entities", "craft"]


@pytest.fixture
def recipe(monkeypatch):
    """A function that imports a recipe by its name."""
    monkeypatch.syspath_prepend(str(RECIPES))
    yield importlib.import_module
    for name in [*BERT, "running"]:
        sys.modules.pop(name, None)


def test_pretraining_reads_nothing_that_is_held_out(recipe):
    for name in ("peoples_daily_entities", "chinese_reviews"):
        if not corpora.catalogue()[name].is_here:
            pytest.skip(f"{name} is not on this machine: lmcourse fetch {name}")
    texts = recipe("pretraining").texts
    lines, reviews = texts("train")
    newspaper = ["".join(x.words) for x in corpora.load("peoples_daily_entities")]
    assert lines == newspaper[: len(lines)]
    assert len(lines) == pytest.approx(0.8 * len(newspaper), abs=1)
    held_out = set(newspaper[-(len(newspaper) // 10) :])
    assert held_out.isdisjoint(lines) and held_out.isdisjoint(texts("dev")[0])
    all_reviews = corpora.load("chinese_reviews")
    assert {r.text for r in all_reviews.test + all_reviews.dev}.isdisjoint(reviews)
    assert {r.text for r in all_reviews.test}.isdisjoint(texts("dev")[1])
    assert reviews == [r.text for r in all_reviews.train]


@pytest.mark.parametrize("name", BERT)
def test_every_run_has_a_key_of_its_own(recipe, name):
    module = recipe(name)
    stages = {
        "sentiment": ["grid", "seeds", "reviews", "baselines"],
        "entities": ["tries", "seeds"],
        "pretraining": ["trainings", "comparisons"],
    }
    stages = [getattr(module, stage) for stage in stages.get(name, ["runs"])]
    runs = [run for stage in stages for run in stage({})]
    assert len({run.key for run in runs}) == len(runs) > 6
    for run in runs:
        seed = run.arguments.get("seed")
        assert f"seed {seed}" in run.key or ", seed" not in run.key


def test_settings_are_chosen_on_dev_alone(recipe):
    sentiment = recipe("sentiment")
    tried = {run.key: {**run.arguments, "dev": 0.8} for run in sentiment.grid({})}
    assert not any(run["test"] for run in tried.values())
    tried["films, grid, rate 0.00012, 4 epochs"]["dev"] = 0.9
    chosen = sentiment.seeds(tried)[0].arguments
    assert (chosen["learning_rate"], chosen["epochs"]) == (1.2e-4, 4)
    entities = recipe("entities")
    tried = {run.key: {"dev": 0.5, "test": 0.5} for run in entities.tries({})}
    tried["newspaper, random, rate 0.0006, seed 1"] = {"dev": 0.6, "test": 0.4}
    keys = [run.key for run in entities.seeds(tried)]
    assert "newspaper, random, rate 0.0006, seed 2" in keys
    assert "newspaper, our BERT, rate 0.0003, seed 3" in keys


def test_a_word_is_predicted_from_so_many_words_before_it_and_no_more(recipe):
    memory = recipe("recurrent_memory")
    torch.manual_seed(0)
    model = RecurrentLM(11, 8).eval()
    text, places = torch.arange(40) % 11, torch.tensor([20, 33])
    found = memory.read(model, text, places, 5)  # (places, vocabulary)
    assert torch.allclose(found[0], model(text[None, 15:20])[0][0, -1], atol=1e-6)
    earlier, inside = text.clone(), text.clone()
    earlier[14] = earlier[27] = inside[15] = inside[28] = 0
    assert torch.equal(memory.read(model, earlier, places, 5), found)
    assert (memory.read(model, inside, places, 5) != found).any(-1).all()
