"""Generated text, against frequencies, all possible texts, and no cache."""

import itertools
from functools import partial

import numpy as np
import pytest
import torch

from lmcourse.generation import beam_search, greedy, sample
from lmcourse.recurrent import RecurrentLM
from lmcourse.transformer import EncoderDecoder, TransformerLM

VOCABULARY, END, MAX = 6, 0, 12
PROMPT = torch.tensor([[END, 3], [END, 5], [END, 1]])
SOURCE = torch.tensor([[3, 1, 4], [2, 5, 0], [1, 0, 0]])


def sharpened(model: torch.nn.Module) -> torch.nn.Module:
    """Make an untrained model decided, so that its texts differ.

    In float64, where the size of a batch changes no digit that a test looks at.
    """
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    return model.double().eval()


def models() -> dict[str, object]:
    torch.manual_seed(7)
    options = {"width": 16, "num_layers": 2}
    translator = EncoderDecoder(VOCABULARY, VOCABULARY, **options)
    return {
        "rotary": sharpened(TransformerLM(VOCABULARY, **options)),
        "learned": sharpened(TransformerLM(VOCABULARY, positions="learned", **options)),
        "rnn": sharpened(RecurrentLM(VOCABULARY, cell="rnn", **options)),
        "lstm": sharpened(RecurrentLM(VOCABULARY, cell="lstm", **options)),
        "gru": sharpened(RecurrentLM(VOCABULARY, cell="gru", **options)),
        "translator": partial(sharpened(translator), SOURCE),
    }


NAMES = list(models())


class Chain:
    """A model whose probabilities are known: a table, and the last token."""

    def __init__(self, table: np.ndarray) -> None:
        self.log_p = torch.tensor(table).log()

    def __call__(self, tokens, state):
        return self.log_p[tokens], None


def chain(vocabulary: int, seed: int = 0) -> Chain:
    rng = np.random.default_rng(seed)
    return Chain(rng.dirichlet(np.ones(vocabulary) / 2, vocabulary))


# ---------------------------------------------------------------- the cache


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("end", [END, None])
def test_with_and_without_a_cache_the_text_is_the_same(name, end):
    model = models()[name]
    slow = greedy(model, PROMPT, MAX, end, cache=False)
    assert greedy(model, PROMPT, MAX, end) == slow
    # A test in which every text is alike would show nothing.
    assert len({tuple(text) for text in slow}) > 1
    options = {"temperature": 1.5, "top_k": 4, "top_p": 0.9, "seed": 7}
    assert sample(model, PROMPT, MAX, end, **options) == sample(
        model, PROMPT, MAX, end, cache=False, **options
    )


@pytest.mark.parametrize("name", NAMES)
def test_greedy_takes_the_likeliest_token_every_time(name):
    model = models()[name]
    texts = greedy(model, PROMPT, MAX)
    logits, _ = model(torch.cat([PROMPT, torch.tensor(texts)], 1), None)
    assert logits[:, 1:-1].argmax(-1).tolist() == texts


# ---------------------------------------------------------------- sampling


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0.1, 0.2, 0.3, 0.4]),
        ({"temperature": 0.5}, np.array([1, 4, 9, 16]) / 30),
        ({"top_k": 2}, [0, 0, 3 / 7, 4 / 7]),
        ({"top_p": 0.8}, [0, 2 / 9, 3 / 9, 4 / 9]),
        ({"temperature": 0.5, "top_k": 3, "top_p": 0.5}, [0, 0, 0, 1]),
    ],
)
def test_tokens_are_drawn_as_often_as_they_should_be(options, expected):
    model = Chain(np.full((4, 1), 1) * np.array([0.1, 0.2, 0.3, 0.4]))
    (text,) = sample(model, torch.tensor([[0]]), 10_000, **options)
    drawn = np.bincount(text, minlength=4) / 10_000
    assert drawn == pytest.approx(expected, abs=5 * 0.5 / 100)
    assert (drawn[np.array(expected) == 0] == 0).all()


def test_one_seed_gives_one_text_and_another_another():
    model = models()["lstm"]
    first = sample(model, PROMPT, 50, seed=1)
    torch.manual_seed(99)
    assert sample(model, PROMPT, 50, seed=1) == first
    assert sample(model, PROMPT, 50, seed=2) != first


@pytest.mark.parametrize("name", NAMES)
def test_the_likeliest_of_one_is_greedy(name):
    model = models()[name]
    assert sample(model, PROMPT, MAX, END, top_k=1) == greedy(model, PROMPT, MAX, END)


def test_texts_stop_before_their_own_end():
    follow = np.eye(4)[[1, 2, 0, 3]]  # 0 → 1 → 2 → 0, and 3 for ever
    prompt = torch.tensor([[0], [1], [3]])
    assert greedy(Chain(follow), prompt, 5, 0) == [[1, 2], [2], [3] * 5]
    assert greedy(Chain(follow), prompt[:2], 100, 0) == [[1, 2], [2]]


# ---------------------------------------------------------------- beam search


def every_text(model: Chain, start: int, max_tokens: int, vocabulary: int) -> dict:
    """ln p of all complete texts, and of all that are cut at the limit."""
    found = {}
    for length in range(1, max_tokens + 1):
        for text in itertools.product(range(vocabulary), repeat=length):
            whole = END not in text[:-1]
            if whole and (text[-1] == END or length == max_tokens):
                path = itertools.pairwise((start, *text))
                found[text] = sum(model.log_p[a, b].item() for a, b in path)
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_a_beam_wide_enough_finds_what_trying_everything_finds(seed, length_penalty):
    model, max_tokens, vocabulary = chain(3, seed), 4, 3
    texts = every_text(model, 1, max_tokens, vocabulary)
    (found,) = beam_search(
        model, torch.tensor([[1]]), max_tokens, END, len(texts), length_penalty
    )
    scores = {text: p / len(text) ** length_penalty for text, p in texts.items()}
    # Two texts with the same steps in another order are equally likely.
    assert [c.score for c in found] == pytest.approx(sorted(scores.values())[::-1])
    logprobs = {tuple(t for t in text if t != END): p for text, p in texts.items()}
    assert {tuple(c.tokens): c.logprob for c in found} == pytest.approx(logprobs)


@pytest.mark.parametrize("name", NAMES)
def test_one_beam_is_greedy_and_more_find_no_worse(name):
    model = models()[name]
    one = beam_search(model, PROMPT, MAX, END, 1)
    assert [found[0].tokens for found in one] == greedy(model, PROMPT, MAX, END)
    # Wide enough for all that two tokens can say, a beam cannot miss the best.
    narrow = beam_search(model, PROMPT, 2, END, 1, length_penalty=0)
    wide = beam_search(model, PROMPT, 2, END, VOCABULARY**2, length_penalty=0)
    for (first,), (best, *_) in zip(narrow, wide, strict=True):
        assert best.logprob >= first.logprob - 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_candidates_have_the_probability_that_the_model_gives_them(name):
    """Wrong rows of the state, or of the texts, would show here."""
    model = models()[name]
    for row, found in enumerate(beam_search(model, PROMPT, 5, END, 3)):
        assert len({tuple(candidate.tokens) for candidate in found}) == 3
        for candidate in found:
            text = candidate.tokens + [END] * (len(candidate.tokens) < 5)
            read = torch.tensor([PROMPT[row].tolist() + text])
            read = read.expand(len(PROMPT), -1)  # a translator has three sources
            log_p = model(read, None)[0][row, 1:-1].log_softmax(-1)
            expected = log_p[torch.arange(len(text)), text].sum().item()
            assert candidate.logprob == pytest.approx(expected, abs=1e-4)


def test_beam_search_finds_what_greedy_misses():
    """The likeliest first step leads where nothing is likely."""
    table = np.array(
        [[0, 0.6, 0.4, 0, 0], [0, 0, 0, 0.5, 0.5], [1, 0, 0, 0, 0]]
        + 2 * [[1, 0, 0, 0, 0]]
    )
    prompt = torch.tensor([[0]])
    assert greedy(Chain(table), prompt, 5, END)[0][0] == 1
    ((best, *_),) = beam_search(Chain(table), prompt, 5, END, 2, length_penalty=0)
    assert best.tokens == [2]
    assert np.exp(best.logprob) == pytest.approx(0.4)


# ---------------------------------------------------------------- bad input


def test_bad_input_is_refused():
    model = chain(3)
    with pytest.raises(ValueError, match=r"shape \(1, 0\): expected \(batch, time\)"):
        greedy(model, torch.zeros(1, 0).long(), 5)
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        beam_search(model, torch.tensor([1, 2]), 5, END)
    with pytest.raises(ValueError, match="max_tokens is 0"):
        sample(model, PROMPT, 0)
    with pytest.raises(ValueError, match="beams is 0"):
        beam_search(model, torch.tensor([[1]]), 5, END, 0)
    with pytest.raises(ValueError, match="top_k=1 always takes the likeliest"):
        sample(model, torch.tensor([[1]]), 5, temperature=0)
