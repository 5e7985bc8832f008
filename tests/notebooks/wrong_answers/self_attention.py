"""Wrong answers to the exercises of notebook 08, as readers give them."""

import math

import numpy as np
import torch


def scaled(query, keys):
    return keys @ query / math.sqrt(len(query))


def normalised(scores):
    return scores / scores.sum()


def looks_back(time):
    return torch.ones(time, time, dtype=torch.bool).tril()


def hidden(scores, allowed, filler=-math.inf):
    return scores.masked_fill(~allowed, filler).softmax(-1)


def causal(keep=looks_back, filler=-math.inf):
    return lambda scores: hidden(scores, keep(len(scores)), filler)


def kept_only(scores):
    """Multiplied by the mask: the future has score 0."""
    return (scores * looks_back(len(scores))).softmax(-1)


def minus_infinity_times(scores):
    """0 · −∞ is not a number."""
    return (scores + -math.inf * (~looks_back(len(scores))).float()).softmax(-1)


def next_word_too(time):
    return torch.ones(time, time, dtype=torch.bool).tril(1)


def one_diagonal_less(scores):
    allowed = looks_back(len(scores)).tril(-1)
    allowed[0, 0] = True
    return hidden(scores, allowed)


def divided_again(scores):
    return hidden(scores / math.sqrt(len(scores)), looks_back(len(scores)))


def five_rows(scores):
    return torch.stack([causal()(scores)[min(i, len(scores) - 1)] for i in range(5)])


def heads_view(x, heads):
    batch, time, width = x.shape
    return x.view(batch, heads, time, width // heads)


def heads_not_transposed(x, heads):
    return x.unflatten(-1, (heads, -1))


def heads_right(x, heads):
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def heads_interleaved(x, heads):
    return x.unflatten(-1, (-1, heads)).permute(0, 3, 1, 2)


def heads_first(x, heads):
    return torch.stack(x.chunk(heads, -1))


def heads_swapped(x, heads):
    """The sizes exchanged: as many heads as a head is wide."""
    size = x.shape[-1] // heads
    return x.unflatten(-1, (size, heads)).transpose(1, 2)


def heads_reversed(x, heads):
    return heads_right(x, heads).flip(1)


def one_head_only(x, heads):
    return x[..., : x.shape[-1] // heads]


def attention(
    mask="before",
    by="head",
    cut="transpose",
    join="transpose",
    output=True,
    dim=-1,
    swapped=False,
    transposed=False,
    single=False,
):
    def causal_self_attention(x, to_query, to_key, to_value, to_output, num_heads):
        time, width = x.shape
        if single:
            num_heads = 1
        size = width // num_heads
        maps = [to_query, to_key, to_value]
        if transposed:
            maps, to_output = [matrix.T for matrix in maps], to_output.T
        parts = [x @ matrix for matrix in maps]
        if cut == "view":
            parts = [part.view(num_heads, time, size) for part in parts]
        else:
            parts = [part.view(time, num_heads, size).transpose(0, 1) for part in parts]
        query, key, value = parts
        if swapped:
            query, key = key, query
        divided = {"head": size, "width": width, "size": size**2, "none": 1}
        divided |= {"time": time, "heads": num_heads}
        scores = query @ key.mT / math.sqrt(divided[by])
        allowed = looks_back(time)
        if mask == "before":
            scores = scores.masked_fill(~allowed, -math.inf)
        if mask == "zero":
            scores = scores * allowed
        weights = scores.softmax(dim)
        if mask == "after":
            weights = weights * allowed
        mixed = weights @ value
        if join == "none":
            return mixed
        if join == "view":
            mixed = mixed.reshape(time, width)
        else:
            mixed = mixed.transpose(0, 1).reshape(time, width)
        return mixed @ to_output if output else mixed

    return causal_self_attention


def keys_for_queries(x, to_query, to_key, *others):
    return attention()(x, to_key, to_key, *others)


WRONG = {
    "attention-weights": [
        ("not divided", lambda q, k: (k @ q).softmax(-1), "not divided by √size"),
        ("by the size", lambda q, k: (k @ q / len(q)).softmax(-1), "its *root*"),
        ("always 3", lambda q, k: (k @ q / 3).softmax(-1), "not for those of 4"),
        (
            "by the number",
            lambda q, k: (k @ q / math.sqrt(len(k))).softmax(-1),
            "the *number* of keys",
        ),
        (
            "multiplied",
            lambda q, k: (k @ q * math.sqrt(len(q))).softmax(-1),
            "You multiply",
        ),
        ("scores", scaled, "These are the scores"),
        ("plain scores", lambda q, k: k @ q, "plain scores"),
        (
            "divided late",
            lambda q, k: (k @ q).softmax(-1) / math.sqrt(len(q)),
            "after the softmax",
        ),
        ("exponentials", lambda q, k: scaled(q, k).exp(), "by their sum"),
        ("shares", lambda q, k: normalised(scaled(q, k)), "may be negative"),
        (
            "the best alone",
            lambda q, k: torch.nn.functional.one_hot((k @ q).argmax(), len(k)),
            "everything to the best key",
        ),
        ("logarithms", lambda q, k: scaled(q, k).log_softmax(-1), "logarithms"),
        ("the sign", lambda q, k: (-scaled(q, k)).softmax(-1), "a sign is wrong"),
        (
            "the average",
            lambda q, k: scaled(q, k).softmax(-1) @ k,
            "the size of a key",
        ),
        ("equal weights", lambda q, k: np.full(len(k), 1 / len(k)), "should be"),
        ("a matrix", lambda q, k: k * q, "has shape"),
    ],
    "causal-weights": [
        ("no mask", lambda scores: scores.softmax(-1), "Nothing is hidden"),
        ("zeros", kept_only, "e⁰ = 1"),
        (
            "after the softmax",
            lambda scores: scores.softmax(-1).tril(),
            "mask after the softmax",
        ),
        (
            "the past",
            causal(lambda time: looks_back(time).T),
            "You hide the *past*",
        ),
        ("strict", causal(lambda time: looks_back(time).tril(-1)), "first row is"),
        ("0 times −∞", minus_infinity_times, "Some weights are NaN"),
        (
            "columns",
            lambda s: s.masked_fill(~looks_back(len(s)), -math.inf).softmax(0),
            "Your *columns*",
        ),
        (
            "no softmax",
            lambda s: s.masked_fill(~looks_back(len(s)), -math.inf),
            "the softmax is missing",
        ),
        ("not itself", one_diagonal_less, "hide the diagonal"),
        ("one ahead", causal(next_word_too), "Somebody looks ahead"),
        ("−10", causal(filler=-10.0), "a weight of 5.6e-05"),
        ("logarithms", lambda scores: causal()(scores).log(), "These are the log"),
        ("a number fixed", causal(lambda time: looks_back(5)), "stops with Runtime"),
        ("rows fixed", five_rows, "and not for 3"),
        ("divided again", divided_again, "divided already"),
        ("the mask", lambda scores: looks_back(len(scores)).int(), "sums to 1; one"),
        ("a row", lambda scores: scores[0], "of the same shape"),
    ],
    "split-heads": [
        ("view", heads_view, "got the first words"),
        ("not transposed", heads_not_transposed, "wrong way round: you return"),
        ("interleaved", heads_interleaved, "every third entry"),
        ("heads first", heads_first, "heads before the batch"),
        (
            "batch and heads mixed",
            lambda x, heads: heads_right(x, heads).flatten(0, 1),
            "mixed in one axis",
        ),
        (
            "last axes",
            lambda x, heads: heads_right(x, heads).mT,
            "The last two axes",
        ),
        ("nothing done", lambda x, heads: x, "as it came"),
        ("sizes exchanged", heads_swapped, "should become"),
        ("reversed", heads_reversed, "torch.arange"),
        ("one head", one_head_only, "lose none"),
        ("three heads fixed", lambda x, heads: heads_right(x, 3), "and not for 4"),
    ],
    "causal-self-attention": [
        ("no mask", attention(mask="none"), "future is not hidden"),
        ("zeros", attention(mask="zero"), "words are cut off"),
        ("no output", attention(output=False), "`to_output` is missing"),
        ("√width", attention(by="width"), "You divide by √width"),
        ("the size", attention(by="size"), "not by its root"),
        ("not divided", attention(by="none"), "not divided by √head_size"),
        ("√time", attention(by="time"), "You divide by √time"),
        ("√num_heads", attention(by="heads"), "You divide by √num_heads"),
        ("keys for queries", keys_for_queries, "the *weights* are wrong"),
        ("one head", attention(single=True), "one head only"),
        ("view", attention(cut="view", join="view"), "cut and joined wrongly"),
        ("view, cut", attention(cut="view"), "joined rightly, and cut wrongly"),
        ("view, joined", attention(join="view"), "cut rightly, and joined wrongly"),
        ("columns", attention(dim=-2), "Your *columns*"),
        ("exchanged", attention(swapped=True), "exchanged"),
        ("transposed", attention(transposed=True), "have transposed them"),
        ("not joined", attention(join="none"), "still apart"),
        (
            "values forgotten",
            lambda x, *maps: x,
            "the numbers are not",
        ),
        ("a vector", lambda x, *maps: x[0], "comes in and goes out"),
    ],
}
