"""Wrong answers to the exercises of notebook 04, as readers give them."""

import math

import numpy as np


def evaluation(first=1, ends=1, start=0, stop=None, mean=None):
    def honest_perplexity(probability, sentences):
        means, nats = [], []
        for sentence in sentences:
            padded = ["<s>", *sentence, *["</s>"] * ends]
            own = [
                -math.log(probability(padded[i], padded[:i][start:]))
                for i in range(first, len(padded))
            ]
            means.append(np.mean(own))
            nats += own
        return mean(means) if mean else math.exp(np.mean(nats))

    return honest_perplexity


def mean_perplexity(means):
    return np.mean(np.exp(means))


def mean_log(means):
    return math.exp(np.mean(means))


def sign_missing(probability, sentences):
    return 1 / evaluation()(probability, sentences)


def per_word(probability, sentences):
    words = sum(map(len, sentences))
    nats = nats_only(probability, sentences) * (words + len(sentences))
    return math.exp(nats / words)


def nats_only(probability, sentences):
    return math.log(evaluation()(probability, sentences))


def mixed_bases(probability, sentences):
    return math.exp(math.log2(evaluation()(probability, sentences)))


def interval(low=2.5, high=97.5, replace=True, share=1, last=np.exp, first=0):
    def bootstrap_interval(log_probs, tokens, random):
        found = []
        for _ in range(2000):
            size = max(int(share * len(tokens)), 1)
            pick = random.choice(range(first, len(tokens)), size, replace=replace)
            found.append(last(-log_probs[pick].sum() / tokens[pick].sum()))
        return tuple(np.percentile(found, [low, high]))

    return bootstrap_interval


def drawn_apart(log_probs, tokens, random):
    a = random.integers(0, len(tokens), size=(2000, len(tokens)))
    b = random.integers(0, len(tokens), size=(2000, len(tokens)))
    ppl = np.exp(-log_probs[a].sum(axis=1) / tokens[b].sum(axis=1))
    return tuple(np.percentile(ppl, [2.5, 97.5]))


def mean_of_blocks(log_probs, tokens, random):
    places = random.integers(0, len(tokens), size=(2000, len(tokens)))
    means = np.exp(-log_probs / tokens)[places].mean(axis=1)
    return tuple(np.percentile(means, [2.5, 97.5]))


def the_wrong_way_round(log_probs, tokens, random):
    return interval()(log_probs, tokens, random)[::-1]


def one_number(log_probs, tokens, random):
    return math.exp(-log_probs.sum() / tokens.sum())


def choose(rule, best=max):
    def best_correction(log_prior, log_channel):
        return best(
            log_prior, key=lambda word: rule(log_prior[word], log_channel[word])
        )

    return best_correction


def first_candidate(log_prior, log_channel):
    return next(iter(log_prior))


def by_the_alphabet(log_prior, log_channel):
    return max(log_prior)


def the_sum_itself(log_prior, log_channel):
    return max(log_prior[word] + log_channel[word] for word in log_prior)


WRONG = {
    "bits-per-character": [
        ("bits per prediction", math.log2(128), "per *prediction*"),
        ("upside down", math.log2(128) * 3000 / 600, "other way round"),
        ("nats", 600 * math.log(128) / 3000, "nats per character"),
        ("the perplexity divided", 128 * 600 / 3000, "divides the perplexity"),
        ("bits of the text", 600 * math.log2(128), "the whole text"),
        ("perplexity per character", 2**1.4, "perplexity per character"),
        ("a guess", 3.0, "How many bits"),
    ],
    "honest-perplexity": [
        ("<s> predicted", evaluation(first=0), "You predict `<s>`"),
        ("two ends", evaluation(ends=2), "There are two `</s>`"),
        ("no end", evaluation(ends=0), "not predicted at all"),
        ("mean perplexity", evaluation(mean=mean_perplexity), "average the perplex"),
        ("mean of logs", evaluation(mean=mean_log), "a mean for each sentence"),
        (
            "all three mistakes left in",
            evaluation(first=0, ends=2, mean=mean_perplexity),
            "; and you predict `<s>`, which is given: begin with the first word; and",
        ),
        ("no exponential", nats_only, "in nats"),
        ("two bases", mixed_bases, "use one base"),
        ("no sign", sign_missing, "a sign is missing"),
        ("divided by the words", per_word, "by the number of words"),
        ("the last token alone", evaluation(start=-1), "only the last token"),
        ("three tokens of history", evaluation(start=-3), "Does `before` hold"),
        ("history without <s>", evaluation(start=1), "should begin with `<s>`"),
    ],
    "bootstrap-interval": [
        ("90 %", interval(5, 95), "90 % interval"),
        ("99 %", interval(0.5, 99.5), "99 % interval"),
        ("68 %", interval(16, 84), "68 %"),
        ("without replacement", interval(replace=False), "*with*"),
        ("one block a resample", interval(share=0), "one block each"),
        ("half a resample", interval(share=0.5), "half as large"),
        ("double resamples", interval(share=2), "twice as large"),
        ("never block 0", interval(first=1), "never include 0"),
        (
            "half without replacement",
            interval(replace=False, share=0.5),
            "No block comes twice",
        ),
        ("shares, not per cent", interval(0.025, 0.975), "wants per cent"),
        ("in nats", interval(last=lambda x: x), "in nats"),
        ("drawn apart", drawn_apart, "drawn together"),
        ("mean of perplexities", mean_of_blocks, "blocks' perplexities"),
        ("high, low", the_wrong_way_round, "exchange them"),
        ("one number", one_number, "Two numbers"),
    ],
    "noisy-channel": [
        ("prior alone", choose(lambda p, c: p), "language model alone"),
        ("channel alone", choose(lambda p, c: c), "channel alone"),
        ("product", choose(lambda p, c: p * c), "product of two logarithms"),
        ("worst", choose(lambda p, c: p + c, min), "worst candidate"),
        (
            "probabilities added",
            choose(lambda p, c: math.exp(p) + math.exp(c)),
            "add the probabilities",
        ),
        ("divided", choose(lambda p, c: p - c), "divide by the channel"),
        ("one by the other", choose(lambda p, c: p / c), "one logarithm by the other"),
        ("the larger", choose(max), "the larger of the two"),
        ("prior twice", choose(lambda p, c: 2 * p + c), "model more weight"),
        ("half the prior", choose(lambda p, c: p / 2 + c), "channel more weight"),
        ("the first", first_candidate, "first candidate"),
        ("by the alphabet", by_the_alphabet, "by the alphabet"),
        ("the sum itself", the_sum_itself, "the chosen word itself"),
    ],
}
