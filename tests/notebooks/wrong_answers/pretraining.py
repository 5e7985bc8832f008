"""What readers answer in notebook 13, and a piece of the hint that each must get."""

import math

import numpy as np


def choose_without_looking(tokens, specials, draws, share=0.15):
    return [i for i, x in enumerate(draws) if x < share]


def choose_tokens(tokens, specials, draws, share=0.15):
    pairs = zip(tokens, draws, strict=True)
    return [token for token, x in pairs if token not in specials and x < share]


def choose_above(tokens, specials, draws, share=0.15):
    pairs = enumerate(zip(tokens, draws, strict=True))
    return [i for i, (token, x) in pairs if token not in specials and x > share]


def choose_up_to(tokens, specials, draws, share=0.15):
    pairs = enumerate(zip(tokens, draws, strict=True))
    return [i for i, (token, x) in pairs if token not in specials and x <= share]


def choose_fixed(tokens, specials, draws, share=0.15):
    pairs = enumerate(zip(tokens, draws, strict=True))
    return [i for i, (token, x) in pairs if token not in specials and x < 0.15]


def choose(tokens, specials, draws, share=0.15):
    places = choose_without_looking(tokens, specials, draws, share)
    return [i for i in places if tokens[i] not in specials]


def choose_from_one(*given):
    return [i + 1 for i in choose(*given)]


def choose_mask(*given):
    return [i in choose(*given) for i in range(len(given[0]))]


def read_always_hidden(token, fate, mask, other):
    return mask


def read_never_kept(token, fate, mask, other):
    return mask if fate < 0.8 else other


def read_never_replaced(token, fate, mask, other):
    return mask if fate < 0.8 else token


def read_mostly_kept(token, fate, mask, other):
    return token if fate < 0.8 else other if fate < 0.9 else mask


def read_swapped(token, fate, mask, other):
    return mask if fate < 0.8 else token if fate < 0.9 else other


def read_other_border(token, fate, mask, other):
    return mask if fate < 0.8 else other if fate < 0.85 else token


def read_from_the_end(token, fate, mask, other):
    return mask if fate > 0.2 else other if fate > 0.1 else token


def read_both(token, fate, mask, other):
    return [read_never_kept(token, fate, mask, other), token]


def asked(log_p, targets):
    return [log_p[i][t] for i, t in enumerate(targets) if t != -100]


def loss_with_padding(log_p, targets):
    return -np.mean([row[t] for row, t in zip(log_p, targets % 3, strict=True)])


def loss_of_mean(log_p, targets):
    return -math.log(np.mean(np.exp(asked(log_p, targets))))


def loss_of_likeliest(log_p, targets):
    return -np.mean([row.max() for row in log_p[np.asarray(targets) != -100]])


def pairs_with_last(lines, coins, others):
    nexts = [*lines[1:], lines[0]]
    coins = [*coins, 0]
    return [(a, b, c) for a, b, c in zip(lines, nexts, coins, strict=True)]


def pairs_other_labels(lines, coins, others):
    return [
        (lines[i], lines[others[i]] if coins[i] else lines[i + 1], 1 - coins[i])
        for i in range(len(lines) - 1)
    ]


def pairs_other_coins(lines, coins, others):
    return [
        (lines[i], lines[i + 1] if coins[i] else lines[others[i]], coins[i])
        for i in range(len(lines) - 1)
    ]


def pairs_always_next(lines, coins, others):
    return [(lines[i], lines[i + 1], coins[i]) for i in range(len(lines) - 1)]


def pairs_all_zero(lines, coins, others):
    return [
        (lines[i], lines[others[i]] if coins[i] else lines[i + 1], 0)
        for i in range(len(lines) - 1)
    ]


def pairs_that_compare(lines, coins, others):
    right = pairs_other_labels(lines, coins, others)
    nexts = lines[1:]
    return [(a, b, int(b != n)) for (a, b, _), n in zip(right, nexts, strict=True)]


def pairs_one_by_one(lines, coins, others):
    others = iter(others)
    return [
        (lines[i], lines[next(others)] if coins[i] else lines[i + 1], coins[i])
        for i in range(len(lines) - 1)
    ]


WRONG = {
    "mlm-choose": [
        ("special tokens too", choose_without_looking, "special token was chosen"),
        ("tokens, not positions", choose_tokens, "Positions are asked for"),
        ("draws above the share", choose_above, "*below*"),
        ("draws up to the share", choose_up_to, "exactly 0.15"),
        ("the share is not used", choose_fixed, "is `share` used"),
        ("from 1", choose_from_one, "count from 1"),
        ("mask", choose_mask, "a mask"),
        ("how many", lambda *given: len(choose(*given)), "this is an int"),
    ],
    "mlm-read": [
        ("always hidden", read_always_hidden, "Everything is hidden"),
        ("never kept", read_never_kept, "stays as it is"),
        ("never replaced", read_never_replaced, "ever replaced"),
        ("mostly kept", read_mostly_kept, "first 80 %"),
        ("the last two swapped", read_swapped, "other way round"),
        ("another border", read_other_border, "the borders are 0.8 and 0.9"),
        ("from the end", read_from_the_end, "*smallest* fates"),
        ("two numbers", read_both, "this is [4, 17]"),
    ],
    "mlm-loss": [
        ("the sign", lambda p, t: np.mean(asked(p, t)), "The sign"),
        ("the sum", lambda p, t: -np.sum(asked(p, t)), "That is the sum"),
        ("divided by all", lambda p, t: -np.sum(asked(p, t)) / len(t), "all four"),
        ("padding counted", loss_with_padding, "places with −100"),
        ("logarithm of the mean", loss_of_mean, "logarithm of the mean"),
        ("the likeliest", loss_of_likeliest, "likeliest tokens"),
        ("each loss", lambda p, t: [-x for x in asked(p, t)], "the mean loss"),
    ],
    "nsp-pairs": [
        ("the last line, too", pairs_with_last, "there are three"),
        ("labels inverted", pairs_other_labels, "0 means that the second"),
        ("coins inverted", pairs_other_coins, "0 takes the next line"),
        ("always the next line", pairs_always_next, "always the next line"),
        ("labels all 0", pairs_all_zero, "All labels are 0"),
        ("compares the lines", pairs_that_compare, "label is the coin, and does not"),
        ("one by one", pairs_one_by_one, "a number of its own"),
    ],
}
