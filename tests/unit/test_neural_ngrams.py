"""Neural n-grams, against counts, formulas written out, and n-gram models."""

import itertools
import math

import pytest
import torch

from lmcourse.batches import sentence_batch
from lmcourse.evaluation import perplexity, score_sentences
from lmcourse.generation import beam_search, greedy
from lmcourse.neural_ngrams import NeuralBigram, NeuralNgram
from lmcourse.ngrams import MaximumLikelihood
from lmcourse.text import Vocabulary
from lmcourse.training import Recipe, train

WORDS = [
    line.split()
    for line in (
        "a rose is a rose is a rose",
        "a rose by any name is a rose",
        "no name is a rose",
        "is a name any name",
    )
]
VOCABULARY = Vocabulary(WORDS, specials=("<unk>", "</s>"))
END = VOCABULARY.tokens.index("</s>")
SENTENCES = [VOCABULARY.encode(sentence) for sentence in WORDS]
SIZE = len(VOCABULARY)
TOKENS = torch.tensor([[3, 1, 4, 1, 5, 2], [2, 6, 5, 3, 5, 0]])
ORDERS = [2, 3, 5]


def ngram(order: int, **options) -> NeuralNgram:
    """A model whose every weight matters."""
    torch.manual_seed(order)
    model = NeuralNgram(SIZE, order, width=4, hidden=6, **options).double().eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight)
    return model


# ---------------------------------------------------------------- the bigram


def test_gradient_descent_arrives_at_the_counts_from_above():
    counted = MaximumLikelihood(2).fit(WORDS)
    goal = counted.perplexity(WORDS)
    model = NeuralBigram(SIZE).double()
    inputs, targets = sentence_batch(SENTENCES, END)
    found = []
    for _ in range(3000):
        loss = torch.nn.functional.cross_entropy(
            model(inputs)[0].flatten(0, 1), targets.flatten()
        )
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            model.rows.weight -= 4 * model.rows.weight.grad
        found.append(math.exp(loss.detach()))
    assert found == sorted(found, reverse=True)
    assert goal < found[-1] < 1.01 * goal
    scores = score_sentences(model, SENTENCES, END)
    assert scores == pytest.approx(counted.score(WORDS).logprob, abs=0.01)


def test_a_full_table_begins_knowing_nothing():
    assert perplexity(NeuralBigram(SIZE), SENTENCES, END) == pytest.approx(SIZE)


def test_two_thin_tables_can_be_one_full_table_and_have_its_rank():
    torch.manual_seed(0)
    table, thin = NeuralBigram(SIZE).double(), NeuralBigram(SIZE, rank=3).double()
    logits, state = thin(TOKENS)
    table.rows.weight.data = thin.rows.weight @ thin.output.weight.T + thin.output.bias
    assert torch.allclose(table(TOKENS)[0], logits, rtol=0, atol=1e-12)
    assert state is None
    # The bias adds the same row to all rows: one more rank.
    assert torch.linalg.matrix_rank(table.rows.weight) == 4
    assert sum(p.numel() for p in thin.parameters()) == 2 * 3 * SIZE + SIZE


# ---------------------------------------------------------------- more words


@pytest.mark.parametrize("order", ORDERS)
def test_a_neural_ngram_is_its_formula(order):
    model = ngram(order)
    logits, _ = model(TOKENS)
    for row, time in itertools.product(range(2), range(6)):
        history = [SIZE] * (order - 1) + TOKENS[row].tolist()[: time + 1]
        vectors = [model.embedding.weight[token] for token in history[1 - order :]]
        x = torch.cat(vectors)
        inner = torch.tanh(model.hidden.weight @ x + model.hidden.bias)
        w = vectors[-1] + model.back.weight @ inner + model.back.bias
        expected = model.output.weight @ w + model.output.bias
        assert torch.allclose(logits[row, time], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("order", ORDERS)
def test_exactly_n_minus_1_words_matter(order):
    for place in range(TOKENS.shape[1]):
        changed = TOKENS.clone()
        changed[:, place] = (changed[:, place] + 1) % SIZE
        difference = (ngram(order)(changed)[0] - ngram(order)(TOKENS)[0]).abs().amax(-1)
        matters = torch.arange(6).sub(place).ge(0) & torch.arange(6).lt(
            place + order - 1
        )
        assert (difference[:, ~matters] == 0).all()
        assert (difference[:, matters] > 1e-9).all()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("cut", [1, 2, 5])
def test_text_read_in_pieces_gives_the_same_logits_and_state(order, cut):
    at_once, last = ngram(order)(TOKENS)
    first, state = ngram(order)(TOKENS[:, :cut])
    second, state = ngram(order)(TOKENS[:, cut:], state)
    assert torch.allclose(torch.cat([first, second], 1), at_once, rtol=0, atol=1e-12)
    assert torch.equal(state[0], last[0])
    assert state[0].shape == (2, order - 2)


@pytest.mark.parametrize("order", ORDERS)
def test_a_text_is_written_alike_with_and_without_its_state(order):
    model, prompt = ngram(order), TOKENS[:, :2]
    assert greedy(model, prompt, 8) == greedy(model, prompt, 8, cache=False)
    best = beam_search(model, prompt, 4, END, beams=1)
    assert [row[0].tokens for row in best] == greedy(model, prompt, 4, END)


def test_it_starts_as_the_bigram_whose_tables_it_takes():
    torch.manual_seed(0)
    bigram = NeuralBigram(SIZE, rank=8)
    model = NeuralNgram(SIZE, order=4, width=8)
    model.embedding.weight.data[:-1] = bigram.rows.weight
    model.output.load_state_dict(bigram.output.state_dict())
    assert torch.allclose(model(TOKENS)[0], bigram(TOKENS)[0])


def test_more_words_of_history_arrive_at_the_counts_of_longer_n_grams():
    text = [[*"xyxyyxxyyx"]]  # after “x y x” and “y y x” different letters come
    numbers = [[1 if letter == "x" else 2 for letter in text[0]]]
    found, counted = {}, {}
    for order in (2, 5):
        torch.manual_seed(1)
        model = NeuralNgram(3, order, width=8, hidden=16)
        recipe = Recipe(steps=100, learning_rate=0.03, every=100)
        train(model, lambda _: [sentence_batch(numbers, 0)], recipe)
        found[order] = perplexity(model, numbers, 0)
        counted[order] = MaximumLikelihood(order).fit(text).perplexity(text)
    assert found == pytest.approx(counted, rel=0.02)
    assert found[5] < 0.6 * found[2]


@pytest.mark.parametrize(
    "model", [NeuralBigram(SIZE, rank=4, dropout=0.5), ngram(3, dropout=0.5)]
)
def test_dropout_acts_in_training_only(model):
    model.eval()
    assert torch.equal(model(TOKENS)[0], model(TOKENS)[0])
    model.train()
    assert not torch.equal(model(TOKENS)[0], model(TOKENS)[0])


def test_a_model_without_history_is_refused():
    with pytest.raises(ValueError, match="order is 1: expected 2 or more"):
        NeuralNgram(10, order=1)
