"""Perplexities that other tools gave on two real texts, and laws on a third."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcourse import corpora
from lmcourse.ngrams import (
    SMOOTHERS,
    AddK,
    Counts,
    JelinekMercer,
    KneserNey,
    ModifiedKneserNey,
    UnseenHistory,
)
from lmcourse.text import Vocabulary

KENLM = json.loads((Path(__file__).parent / "kenlm.json").read_text("utf-8"))["texts"]
CASES = [(text, int(order)) for text in KENLM for order in KENLM[text]["perplexity"]]
pytestmark = pytest.mark.filterwarnings(
    "ignore::lmcourse.ngrams.smoothing.DiscountWarning"
)


def make(name):
    """Training and test sentences of a text in kenlm.json, made as that says."""
    if name == "a few words":
        return [["a"], ["b", "e", "e", "e"]], [["a"], ["b", "e", "e", "e"]]
    corpus = corpora.load(name.split(",")[0])
    training, test = corpus.train, corpus.test
    if name in ("king_james_bible", "botchan"):
        training = [s for i, s in enumerate(corpus.items) if i % 10 != 9]
        test = corpus.items[9::10]
    if name in ("names", "surnames"):
        return [[list(s.replace(" ", "_")) for s in part] for part in (training, test)]
    if name == "peoples_daily, characters":
        return [[s.characters for s in part] for part in (training, test)]
    if name == "peoples_daily, words":
        training, test = ([s.words for s in part] for part in (training, test))
    vocabulary = Vocabulary(training, min_count=3 if name == "war_and_peace" else 2)
    return [
        [vocabulary.replace_unknown(s) for s in part if s] for part in (training, test)
    ]


@lru_cache(maxsize=1)
def read(name):
    """Our counts of a training text, and its test text: the very text KenLM read."""
    expected = KENLM[name]
    parts = make(name)
    for part, sentences in zip(("training", "test"), parts, strict=True):
        text = "".join(" ".join(sentence) + "\n" for sentence in sentences)
        digest = hashlib.sha256(text.encode()).hexdigest()
        assert digest.startswith(expected[part]["sha256"])
        assert len(sentences) == expected[part]["lines"]
    return Counts.of(parts[0], max(map(int, expected["perplexity"]))), parts[1]


@pytest.mark.parametrize(("name", "order"), CASES)
def test_modified_kneser_ney_equals_kenlm_to_four_decimals(name, order):
    counts, test = read(name)
    model = ModifiedKneserNey(order).fit(counts)
    expected = KENLM[name]["perplexity"][str(order)]
    assert model.perplexity(test) == pytest.approx(expected, abs=5e-5)
    discounts = KENLM[name]["discounts"][str(order)]  # six digits of each
    assert np.array(model.discounts) == pytest.approx(np.array(discounts), rel=5e-6)


@pytest.mark.parametrize("name", ["king_james_bible", "botchan"])
def test_other_methods_come_near_those_of_nltk(name):
    """nltk lets ``<s>`` take some probability, so its perplexities are a bit higher."""
    counts, test = read(name)
    models = {
        "Laplace": AddK(3, k=1),
        "Lidstone 0.1": AddK(3, k=0.1),
        "Kneser-Ney 0.75": KneserNey(3, discount=0.75),
    }
    for method, model in models.items():
        ours = model.fit(counts).perplexity(test)
        assert ours == pytest.approx(KENLM[name]["nltk"][method], rel=2e-3), method


@pytest.fixture(scope="module")
def novel():
    """A trigram model of each kind, trained on War and Peace, rare words ``<unk>``."""
    corpus = corpora.load("war_and_peace")
    vocabulary = Vocabulary(corpus.train, min_count=3)
    corpus = corpus.map(vocabulary.replace_unknown)
    counts = Counts.of(corpus.train, 3)
    return counts.words, [
        smoother(3).fit(counts, corpus.dev)
        if smoother is JelinekMercer
        else smoother(3).fit(counts)
        for smoother in SMOOTHERS.values()
        if smoother.normalised
    ]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_every_model_of_a_novel_sums_to_one_after_any_history(novel, data):
    words, models = novel
    word = st.one_of(
        st.sampled_from(["the", "of", "<unk>", ",", "never seen"]),  # frequent, unseen
        st.sampled_from(words[3:]),
    )
    history = data.draw(st.lists(word, max_size=3))
    if data.draw(st.booleans()):
        history = ["<s>", *history]
    for model in models:
        try:
            p = model.distribution(history)
        except UnseenHistory:
            assert model.name == "mle"
            continue
        assert p.min() >= 0
        assert p.sum() == pytest.approx(1, abs=1e-9), (model.name, history)
