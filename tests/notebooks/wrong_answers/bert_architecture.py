"""Wrong answers to the exercises of notebook 12, as readers give them."""

import torch
from torch.nn import functional


def pair(special, types):
    """An answer with tokens from `special`, and types that begin to be 1 somewhere."""

    def pair_input(first, second, cls, sep):
        tokens = special(first, second, cls, sep)
        return tokens, types(first, second, tokens)

    return pair_input


def right_tokens(first, second, cls, sep):
    return [cls, *first, sep, *second, sep]


def right_types(first, second, tokens):
    return [0] * (len(first) + 2) + [1] * (len(tokens) - len(first) - 2)


def middle_separator_second(first, second, tokens):
    return [0] * (len(first) + 1) + [1] * (len(tokens) - len(first) - 1)


def types_of_words_alone(first, second, tokens):
    return [0] * len(first) + [1] * len(second)


def two_of_the_second(first, second, cls, sep):
    return [cls, *first, sep, *second[:2], sep]


def pre_norm(x, attend, think, norm_1, norm_2):
    x = x + attend(norm_1(x))
    return x + think(norm_2(x))


def nothing_added(x, attend, think, norm_1, norm_2):
    return norm_2(think(norm_1(attend(x))))


def side_by_side(x, attend, think, norm_1, norm_2):
    return norm_2(norm_1(x + attend(x)) + think(x))


def old_x(x, attend, think, norm_1, norm_2):
    return norm_2(x + think(norm_1(x + attend(x))))


def network_not_added(x, attend, think, norm_1, norm_2):
    return norm_2(think(norm_1(x + attend(x))))


def no_second_norm(x, attend, think, norm_1, norm_2):
    x = norm_1(x + attend(x))
    return x + think(x)


def last_norm_twice(x, attend, think, norm_1, norm_2):
    x = norm_1(x + attend(x))
    return norm_2(norm_2(x + think(x)))


def first_norm_twice(x, attend, think, norm_1, norm_2):
    x = norm_1(norm_1(x + attend(x)))
    return norm_2(x + think(x))


def count(
    attention=4,
    biases=1,
    norms=1,
    pooler=1,
    tables=514,
    heads=1,
    all_layers=True,
    inner_given=True,
):
    def parameters(vocabulary, width, layers, inner):
        inner = inner if inner_given else 4 * width
        embeddings = (vocabulary + tables + 2 * norms) * width
        one = heads * attention * (width * width + biases * width)
        one += 2 * width * inner + biases * (inner + width) + 4 * width * norms
        last = pooler * (width * width + biases * width)
        return embeddings + (layers if all_layers else 1) * one + last

    return parameters


def masked_mean(hidden, mask):
    text = hidden * mask[..., None]
    return text.sum(1), mask.sum(1, keepdim=True)


def zeros_divided_by_all(hidden, mask):
    return masked_mean(hidden, mask)[0] / hidden.shape[1]


def everything_divided_by_text(hidden, mask):
    return hidden.sum(1) / mask.sum(1, keepdim=True)


def mean_of_padding(hidden, mask):
    return (hidden * ~mask[..., None]).sum(1) / (~mask).sum(1, keepdim=True)


def one_vector(hidden, mask):
    return hidden[mask].mean(0)


def nearest(near):
    """An answer that takes what `near` says is nearest."""

    def nearest_sense(vectors, senses):
        chosen = near(vectors).argmax(1).tolist()
        hits = [
            sense == senses[other]
            for sense, other in zip(senses, chosen, strict=True)
        ]  # fmt: skip
        return sum(hits) / len(hits)

    return nearest_sense


def cosines(vectors):
    unit = functional.normalize(vectors, dim=1)
    return (unit @ unit.T).fill_diagonal_(-2)


def with_itself(vectors):
    unit = functional.normalize(vectors, dim=1)
    return unit @ unit.T


def products(vectors):
    return (vectors @ vectors.T).fill_diagonal_(-torch.inf)


def distances(vectors):
    return -torch.cdist(vectors, vectors).fill_diagonal_(torch.inf)


def farthest(vectors):
    return -with_itself(vectors)


def unsigned(vectors):
    return with_itself(vectors).abs().fill_diagonal_(-2)


def next_one(vectors):
    return torch.eye(len(vectors)).roll(1, 1)


def by_sums(vectors):
    unit = functional.normalize(vectors, p=1, dim=1)
    return (unit @ unit.T).fill_diagonal_(-2)


def first_half_is_one_sense(vectors, senses):
    halves = [i < len(senses) / 2 for i in range(len(senses))]
    return nearest(cosines)(vectors, halves)


WRONG = {
    "bert-pair-input": [
        (
            "two [CLS]",
            pair(lambda a, b, c, s: [c, *a, s, c, *b, s], right_types),
            "second `[CLS]`",
        ),
        (
            "no last [SEP]",
            pair(lambda a, b, c, s: [c, *a, s, *b], right_types),
            "ends the second text",
        ),
        (
            "no [SEP] between",
            pair(lambda a, b, c, s: [c, *a, *b, s], right_types),
            "Between the texts",
        ),
        (
            "no [CLS]",
            pair(lambda a, b, c, s: [*a, s, *b, s], right_types),
            "belongs to `[CLS]`",
        ),
        ("[SEP] in the second", pair(right_tokens, middle_separator_second), "*first*"),
        ("words alone", pair(right_tokens, types_of_words_alone), "the special ones"),
        ("all 0", pair(right_tokens, lambda a, b, t: [0] * len(t)), "all of yours"),
        (
            "1 and 2",
            pair(right_tokens, lambda a, b, t: [k + 1 for k in right_types(a, b, t)]),
            "not 1 and 2",
        ),
        ("tokens alone", right_tokens, "Two lists"),
        (
            "BERT's numbers",
            pair(lambda a, b, c, s: right_tokens(a, b, 101, 102), right_types),
            "take the numbers from",
        ),
        ("two tokens", pair(two_of_the_second, right_types), "may have any length"),
    ],
    "bert-layer": [
        ("pre-norm", pre_norm, "pre-norm"),
        ("nothing added", nothing_added, "Nothing is added"),
        ("side by side", side_by_side, "Both halves read"),
        ("old x", old_x, "*old* `x`"),
        ("network not added", network_not_added, "replaces its input"),
        ("no second norm", no_second_norm, "second norm is missing"),
        ("last norm twice", last_norm_twice, "normalise the result once more"),
        ("first norm twice", first_norm_twice, "normalise twice before"),
        ("attention alone", lambda x, a, t, n, m: n(x + a(x)), "half alone"),
    ],
    "bert-parameters": [
        ("no biases", count(biases=0), "The biases are missing"),
        ("no norms", count(norms=0), "The norms are missing"),
        ("no pooler", count(pooler=0), "The pooler is missing"),
        ("no positions and types", count(tables=0), "have tables, too"),
        ("no positions", count(tables=2), "table of positions"),
        ("no output map", count(attention=3), "*four* linear maps"),
        ("wide heads", count(heads=12), "*share* the width"),
        ("one layer", count(all_layers=False), "one layer"),
        ("four times the width", count(inner_given=False), "take `inner` to be"),
        ("no types", count(tables=512), "there are two types"),
    ],
    "bert-mean-pool": [
        ("plain mean", lambda hidden, mask: hidden.mean(1), "padding included"),
        ("zeros counted", zeros_divided_by_all, "divide by the number"),
        ("sum", lambda hidden, mask: masked_mean(hidden, mask)[0], "That is the sum"),
        ("padding added", everything_divided_by_text, "add up the padding"),
        ("[CLS]", lambda hidden, mask: hidden[:, 0], "the vector of `[CLS]`"),
        ("of the padding", mean_of_padding, "mean of the *padding*"),
        ("one for all", one_vector, "One vector for each sentence"),
    ],
    "bert-nearest-sense": [
        ("itself", nearest(with_itself), "nearest to itself"),
        ("not normalised", nearest(products), "long vectors win"),
        ("Euclid", nearest(distances), "smallest distance"),
        ("farthest", nearest(farthest), "farthest"),
        ("a count", lambda v, s: len(s) * nearest(cosines)(v, s), "number of hits"),
        ("percent", lambda v, s: 100 * nearest(cosines)(v, s), "percentage"),
        ("unsigned", nearest(unsigned), "without their sign"),
        ("the next one", nearest(next_one), "the share should be"),
        ("divided by sums", nearest(by_sums), "the share should be"),
        ("halves", first_half_is_one_sense, "the share should be"),
        ("misses", lambda v, s: 1 - nearest(cosines)(v, s), "*misses*"),
    ],
}
