"""Perplexity against the n-gram models', BLEU and chrF against sacrebleu's own tool."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from lmcourse.batches import running_text, sentence_batch
from lmcourse.evaluation import (
    bleu,
    chrf,
    perplexity,
    score_sentences,
    score_text,
)
from lmcourse.ngrams import MaximumLikelihood, WittenBell
from lmcourse.recurrent import RecurrentLM
from lmcourse.text import Vocabulary
from lmcourse.training import Recipe, train
from lmcourse.transformer import TransformerLM

RHYME = """the king was in his counting house , counting out his money .
the queen was in the parlour , eating bread and honey .
the maid was in the garden , hanging out the clothes .
when down came a blackbird and pecked off her nose .
oh .
there was an old woman who lived in a shoe .
she had so many children , she did not know what to do .
she gave them some broth without any bread .
then whipped them all soundly and put them to bed ."""
WORDS = [line.split() for line in RHYME.splitlines()]
VOCABULARY = Vocabulary(WORDS, specials=("<unk>", "</s>"))
END = VOCABULARY.tokens.index("</s>")
SENTENCES = [VOCABULARY.encode(sentence) for sentence in WORDS]
TOKENS = sum(len(sentence) + 1 for sentence in SENTENCES)


class Bigram(nn.Module):
    """One row of logits for each history: what the counted bigram has, to be learnt."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(len(VOCABULARY), len(VOCABULARY))
        nn.init.zeros_(self.table.weight)

    def forward(self, tokens, state=None):
        return self.table(tokens), None


# ---------------------------------------------------------------- perplexity


def test_gradient_descent_arrives_at_the_counts():
    counted = MaximumLikelihood(2).fit(WORDS)
    model = Bigram()
    batch = sentence_batch(SENTENCES, END)
    recipe = Recipe(steps=300, learning_rate=0.5, weight_decay=0, clip=1e9, every=300)
    train(model, lambda epoch: [batch], recipe)
    ours = perplexity(model, SENTENCES, END)
    assert ours == pytest.approx(counted.perplexity(WORDS), rel=0.01)
    scores = score_sentences(model, SENTENCES, END)
    assert scores == pytest.approx(counted.score(WORDS).logprob, abs=0.05)


def test_a_bigram_with_the_n_gram_models_probabilities_has_its_perplexity():
    """Words that training never saw, sentences of one word, the empty sentence."""
    counted = WittenBell(2).fit(WORDS)
    places = [2 if w == "<unk>" else counted.words.index(w) for w in VOCABULARY.tokens]
    model = Bigram().double()
    for number, word in enumerate(VOCABULARY.tokens):
        history = "<s>" if word == "</s>" else word
        p = counted.distribution([history])[places]
        model.table.weight.data[number] = torch.tensor(p).log()
    text = [["the", "cat", "was", "in"], ["oh"], [], ["a", "shoe", "."], ["."]]
    numbers = [VOCABULARY.encode(sentence) for sentence in text]
    expected = counted.score(text)
    assert score_sentences(model, numbers, END, size=2) == pytest.approx(
        expected.logprob
    )
    assert score_text(model, numbers, END, context=2) == pytest.approx(expected.logprob)
    assert perplexity(model, numbers, END) == pytest.approx(expected.perplexity)


def network(kind) -> nn.Module:
    torch.manual_seed(0)
    options = {"num_heads": 2} if kind is TransformerLM else {}
    return kind(len(VOCABULARY), 8, 2, **options).double().eval()


@pytest.mark.parametrize("kind", [RecurrentLM, TransformerLM])
def test_sentences_are_scored_by_themselves(kind):
    model = network(kind)
    one_by_one = []
    for sentence in SENTENCES:
        log_p = model(torch.tensor([[END, *sentence]]))[0][0].log_softmax(-1)
        for place, token in enumerate([*sentence, END]):
            one_by_one.append(log_p[place, token].item())
    assert score_sentences(model, SENTENCES, END, size=4) == pytest.approx(one_by_one)
    assert perplexity(model, SENTENCES, END) == pytest.approx(
        np.exp(-np.mean(one_by_one))
    )


@pytest.mark.parametrize("kind", [RecurrentLM, TransformerLM])
@pytest.mark.parametrize("context", [1, 10, 1000])
def test_a_text_is_scored_with_the_context_that_is_promised(kind, context):
    model = network(kind)
    text = running_text(SENTENCES, END)
    expected = []
    for place in range(1, len(text)):
        first = max((place - 1) // context * context - context, 0)
        log_p = model(text[None, first:place])[0][0, -1].log_softmax(-1)
        expected.append(log_p[text[place]].item())
    scores = score_text(model, SENTENCES, END, context, size=3)
    assert len(scores) == TOKENS
    assert scores == pytest.approx(expected)
    ours = perplexity(model, SENTENCES, END, context)
    assert ours == pytest.approx(np.exp(-np.mean(expected)))


def test_scoring_turns_dropout_off_and_leaves_the_model_as_it_was():
    model = network(RecurrentLM).train()
    assert perplexity(model, SENTENCES, END) == perplexity(model, SENTENCES, END)
    assert model.training


# ---------------------------------------------------------------- translations

HYPOTHESES = ["The cat sat on a mat.", "It's raining, isn't it?", "我今天去学校。"]
REFERENCES = ["The cat sat on the mat.", "It is raining, isn't it?", "我今天去了学校。"]


def asked_at_the_command_line(tmp_path, *options) -> dict:
    for name, lines in (("hypotheses", HYPOTHESES), ("references", REFERENCES)):
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "sacrebleu", "references", "-i", "hypotheses"]
    command += ["--width", "12", *options]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("tokenize", ["13a", "zh"])
def test_bleu_is_what_sacrebleus_tool_prints(tmp_path, tokenize):
    said = asked_at_the_command_line(tmp_path, "-m", "bleu", "-tok", tokenize)
    score = bleu(HYPOTHESES, REFERENCES, tokenize)
    assert score.value == pytest.approx(said["score"])
    assert score.signature == said["signature"]
    assert f"tok:{tokenize}" in str(score)


def test_chrf_is_what_sacrebleus_tool_prints(tmp_path):
    said = asked_at_the_command_line(tmp_path, "-m", "chrf")
    score = chrf(HYPOTHESES, REFERENCES)
    assert score.value == pytest.approx(said["score"])
    assert (score.name, score.signature) == (said["name"], said["signature"])
    assert str(score).startswith(f"chrF2 {said['score']:.1f} (nrefs:1|")


# ---------------------------------------------------------------- bad input


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="there is no sentence to score"):
        score_sentences(Bigram(), [], END)
    with pytest.raises(ValueError, match="context is 0"):
        score_text(Bigram(), SENTENCES, END, 0)
    with pytest.raises(ValueError, match="2 translations and 1 references"):
        bleu(["a", "b"], ["a"])
    with pytest.raises(ValueError, match="expected a string: join tokens"):
        chrf([["a", "b"]], ["a b"])
    with pytest.raises(ValueError, match=r"'chinese': choose .*zh"):
        bleu(["a"], ["a"], "chinese")
