"""Wrong answers to the exercises of notebook 10, as readers give them."""

import math
from collections import Counter


def partners(score, count=set, choose=max, give=lambda character: character):
    def best_partners(pairs):
        words, characters, both = Counter(), Counter(), Counter()
        for english, chinese in pairs:
            words.update(count(english))
            characters.update(count(chinese))
            both.update((w, c) for w in count(english) for c in count(chinese))
        found = {}
        for word in words:
            scores = {  # sorted: which of two equals wins must not be luck
                c: score(n, words[w], characters[c])
                for (w, c), n in sorted(both.items(), reverse=True)
                if w == word
            }
            found[word] = give(choose(scores, key=scores.get))
        return found

    return best_partners


def dice(both, word, character):
    return 2 * both / (word + character)


def word_for_character(pairs):
    """Takes the first word for the first character, and so on."""
    met = Counter(
        pair
        for english, chinese in pairs
        for pair in zip(english, chinese, strict=False)
    )
    found = {word: "" for english, _ in pairs for word in english}
    for (word, character), _ in sorted(met.items(), key=lambda item: item[1]):
        found[word] = character
    return found


def without_marks(pairs):
    found = partners(dice)(pairs)
    return {word: best for word, best in found.items() if word.isalpha()}


def grams(text, n, last=1):
    return [tuple(text[i : i + n]) for i in range(len(text) - n + last)]


def unclipped(hypothesis, reference, n):
    known = grams(reference, n)
    return sum(g in known for g in grams(hypothesis, n)), len(grams(hypothesis, n))


def types(hypothesis, reference, n):
    found = set(grams(hypothesis, n))
    return len(found & set(grams(reference, n))), len(found)


def clipped(hypothesis, reference, n):
    found, known = Counter(grams(hypothesis, n)), Counter(grams(reference, n))
    return (found & known).total(), found.total()


def recall(hypothesis, reference, n):
    return clipped(reference, hypothesis, n)


def matched_types(hypothesis, reference, n):
    return types(hypothesis, reference, n)[0], len(grams(hypothesis, n))


def at_the_same_place(hypothesis, reference, n):
    pairs = zip(grams(hypothesis, n), grams(reference, n), strict=False)
    return sum(one == other for one, other in pairs), len(grams(hypothesis, n))


def all_of_one(hypothesis, reference, n):
    if len(hypothesis) < n:
        return 0, 1
    return clipped(hypothesis, reference, n)


def joined(hypothesis, reference, n):
    found, known = (
        Counter("".join(gram) for gram in grams(text, n))
        for text in (hypothesis, reference)
    )
    return (found & known).total(), found.total()


def geometric(precisions):
    return math.exp(sum(map(math.log, precisions)) / len(precisions))


def brevity(hypothesis, reference):
    return min(1, math.exp(1 - reference / hypothesis))


def loop(
    first=True,
    place=-1,
    grow=True,
    stop=True,
    keep_end=False,
    keep_first=False,
    limited=True,
    drawn=False,
):
    def greedy_loop(model, source, end, limit):
        import torch

        seeded = torch.Generator().manual_seed(1)
        read, found = [end] if first else [0], []
        for _ in range(limit if limited else 3 * limit):
            logits, _ = model(source, torch.tensor([read]))
            chances = logits[0, place].softmax(0)  # (vocabulary)
            token = int(
                chances.multinomial(1, generator=seeded) if drawn else chances.argmax()
            )
            if stop and token == end:
                found += [end] * keep_end
                break
            found.append(token)
            read = [*read, token] if grow else [token]
        return [end] * keep_first + found

    return greedy_loop


def never_asks(model, source, end, limit):
    return [4, 6, 6, 3]


def stops_early(model, source, end, limit):
    return (
        loop()(model, source, end, limit)[: limit - 1]
        if limit < 10
        else (loop()(model, source, end, limit))
    )


WRONG = {
    "best-partners": [
        ("most often", partners(lambda b, w, c: b), "*most often*"),
        ("one denominator", partners(lambda b, w, c: b / c), "the *character* alone"),
        ("root", partners(lambda b, w, c: b / math.sqrt(w * c)), "For *,* the best"),
        ("the worst", partners(dice, choose=min), "goes *worst*"),
        ("tokens", partners(dice, count=list), "You count tokens"),
        ("sets", partners(dice, give=lambda c: {c}), "you give a set"),
        ("marks left out", without_marks, "is not in your dictionary"),
        ("a list", lambda pairs: list(partners(dice)(pairs).items()), "this is a list"),
        ("something else", partners(dice, give=lambda c: "好"), "and yours is 好"),
        ("in order", word_for_character, "the best is"),
    ],
    "clipped-precision": [
        ("not clipped", unclipped, "You do not clip"),
        ("types", types, "*different* n-grams"),
        ("recall", recall, "that of the *reference*"),
        ("matches as a set", matched_types, "each different n-gram once"),
        ("single characters", lambda h, r, n: clipped(h, r, 1), "single characters"),
        (
            "divided by length",
            lambda h, r, n: (clipped(h, r, n)[0], len(h)),
            "number of characters",
        ),
        ("same place", at_the_same_place, "same *place*"),
        ("swapped", lambda h, r, n: clipped(h, r, n)[::-1], "Matches first"),
        (
            "divided",
            lambda h, r, n: clipped(h, r, n)[0] / clipped(h, r, n)[1],
            "Two numbers are asked for, the matches",
        ),
        ("three", lambda h, r, n: (*clipped(h, r, n), n), "matches and total, not 3"),
        ("short text", all_of_one, "A text of one character"),
        (
            "fewer than none",
            lambda h, r, n: (clipped(h, r, n)[0], len(h) - n + 1),
            "yours is (0, -1)",
        ),
        ("joined", joined, "not one joined string"),
        ("pairs at most", lambda h, r, n: clipped(h, r, min(n, 2)), "and n = 3 it"),
        ("constant", lambda h, r, n: (4, 7), "and n = 1 it should be"),
    ],
    "bleu-from-parts": [
        (
            "0 to 1",
            lambda p, h, r: geometric(p) * brevity(h, r),
            "between 0 and 1",
        ),
        ("mean", lambda p, h, r: 25 * sum(p) * brevity(h, r), "*geometric*"),
        ("no penalty", lambda p, h, r: 100 * geometric(p), "penalty is missing"),
        (
            "the wrong way round",
            lambda p, h, r: 100 * geometric(p) * brevity(r, h),
            "*longer* than the reference",
        ),
        (
            "above 1",
            lambda p, h, r: 100 * geometric(p) * math.exp(1 - r / h),
            "may not exceed 1",
        ),
        (
            "ratio",
            lambda p, h, r: 100 * geometric(p) * min(1, h / r),
            "ratio of the lengths itself",
        ),
        (
            "product",
            lambda p, h, r: 100 * math.prod(p) * brevity(h, r),
            "leave out the root",
        ),
        ("constant", lambda p, h, r: 40.0, "it should be"),
        ("text", lambda p, h, r: "40", "this is a str"),
    ],
    "shifted-target": [
        ("unshifted", lambda t, e: ([e, *t], [e, *t]), "predict what you read: at"),
        ("unshifted end", lambda t, e: ([*t, e], [*t, e]), "`</s>` included"),
        ("bare", lambda t, e: (t, t), "no `</s>` at all"),
        ("swapped", lambda t, e: ([*t, e], [e, *t]), "lists are swapped"),
        ("no end", lambda t, e: ([e, *t[:-1]], t), "tells the model to stop"),
        ("no start", lambda t, e: (t, [*t[1:], e]), "first token is never predicted"),
        ("no marks", lambda t, e: (t[:-1], t[1:]), "but without `</s>`"),
        ("two lengths", lambda t, e: ([e, *t], t), "one prediction for each"),
        ("one list", lambda t, e: [e, *t, e], "these are 5"),
        ("another number", lambda t, e: ([0, *t], [*t, 0]), "it should be"),
        ("always 1", lambda t, e: ([1, *t], [*t, 1]), "is given as `end`"),
    ],
    "greedy-loop": [
        ("writes the end", loop(keep_end=True), "`</s>` is part of your text: it"),
        ("writes the start", loop(keep_first=True), "that is read first is part"),
        ("starts with 0", loop(first=False), "first token that the model reads"),
        ("looks at the first place", loop(place=0), "The model wants to write"),
        ("draws", loop(drawn=True), "take the likeliest token"),
        ("forgets", loop(grow=False), "read all that was written so far"),
        ("no limit", loop(limited=False), "although `limit` is 6"),
        ("never asks", never_asks, "never ask the model"),
        ("stops early", stops_early, "should be stopped after"),
        ("no batch", lambda m, s, e, n: m(s, [e]), "shape (batch, time)"),
    ],
}
