"""Wrong answers to the exercises of notebook 02, as readers give them."""

from collections import Counter

import numpy as np

START = 1


def cut(sentence, n, start=True, end=True):
    padded = ["<s>"] * (n - 1) * start + sentence + ["</s>"] * end
    return [tuple(padded[i : i + n]) for i in range(len(padded) - n + 1)]


def share_of_sentences(judge=any, scale=1.0, turn=False, **marks):
    def impossible_share(train, test, n):
        seen = {gram for s in train for gram in cut(s, n, **marks)}
        found = [judge(g not in seen for g in cut(s, n, **marks)) for s in test]
        share = sum(found) / len(test) * scale
        return 1 - share if turn else share

    return impossible_share


def share_of_ngrams(train, test, n):
    seen = {gram for s in train for gram in cut(s, n)}
    grams = [gram for s in test for gram in cut(s, n)]
    return sum(gram not in seen for gram in grams) / len(grams)


def count_of_sentences(train, test, n):
    return share_of_sentences()(train, test, n) * len(test)


def share_with_new_words(train, test, n):
    words = {word for s in train for word in s}
    return sum(any(word not in words for word in s) for s in test) / len(test)


def different_sentences(train, test, n):
    return share_of_sentences()(train, [list(s) for s in set(map(tuple, test))], n)


def one_start_mark(train, test, n):
    def grams(sentence):
        padded = ["<s>", *sentence, "</s>"]
        return [tuple(padded[i : i + n]) for i in range(len(padded) - n + 1)]

    seen = {gram for s in train for gram in grams(s)}
    return sum(any(g not in seen for g in grams(s)) for s in test) / len(test)


def verdicts(train, test, n):
    seen = {gram for s in train for gram in cut(s, n)}
    return [any(g not in seen for g in cut(s, n)) for s in test]


def bigrams_whatever_n(train, test, n):
    return share_of_sentences()(train, test, 2)


def replace(keep, counted=lambda train, test: train, drop=False):
    def replace_rare(train, test, min_count):
        counts = Counter(word for s in counted(train, test) for word in s)
        changed = [
            [w if keep(counts[w], min_count) else "<unk>" for w in s] for s in test
        ]
        return [[w for w in s if not (drop and w == "<unk>")] for s in changed]

    return replace_rare


def enough(count, least):
    return count >= least


def one_flat_list(train, test, min_count):
    return [word for s in replace(enough)(train, test, min_count) for word in s]


def each_sentence_once(train, test, min_count):
    changed = replace(enough)(train, test, min_count)
    return [list(s) for s in dict.fromkeys(map(tuple, changed))]


def pieces_of_text(train, test, min_count):
    text = "\n".join(" ".join(s) for s in train)
    return [[w if text.count(w) >= min_count else "<unk>" for w in s] for s in test]


def training_text(train, test, min_count):
    return replace(enough)(train, train, min_count)


def unique(windows):
    return np.unique(windows, axis=0, return_counts=True)


def table(group=unique, trim=None, keep=lambda windows: windows[:, -1] != START):
    def count_table(stream, n):
        windows = np.lib.stride_tricks.sliding_window_view(stream[:trim], n)
        return group(windows[keep(windows)])

    return count_table


def keyed(base):
    def group(windows):
        key = np.zeros(len(windows), dtype=np.int64)
        for column in windows.T:
            key = key * base(windows) + column
        _, first, counts = np.unique(key, return_index=True, return_counts=True)
        return windows[first], counts

    return group


def all_ones(windows):
    grams, counts = unique(windows)
    return grams, np.ones_like(counts)


def everything(windows):
    return np.full(len(windows), True)


def keys_alone(windows):
    grams, counts = unique(windows)
    return grams @ np.arange(grams.shape[1]), counts


WRONG = {
    "visible-history": [
        ("n words of history", ["went", "out", "of", "the"], "history of four"),
        ("a bigram's history", ["the"], "history of a 2-gram"),
        ("a trigram's history", ["of", "the"], "history of a 3-gram"),
        (
            "the whole sentence",
            ["she", "smiled", "and", "went", "out", "of", "the"],
            "7 words",
        ),
        ("the predicted word", ["out", "of", "the", "room"], "cannot see it"),
        ("the first words", ["she", "smiled", "and"], "at the end"),
        ("backwards", ["the", "of", "out"], "last one first"),
        ("a string", "out of the", "A list of words"),
    ],
    "impossible-share": [
        ("n-grams instead of sentences", share_of_ngrams, "Count sentences"),
        ("all instead of any", share_of_sentences(all), "`any`, not `all`"),
        ("possible sentences", share_of_sentences(turn=True), "other way round"),
        ("unseen words", share_with_new_words, "words alone"),
        ("no end mark", share_of_sentences(end=False), "never reach `</s>`"),
        ("no start mark", share_of_sentences(start=False), "never start with"),
        ("no marks", share_of_sentences(start=False, end=False), "neither"),
        ("not divided", count_of_sentences, "Divide it"),
        ("percentage", share_of_sentences(scale=100), "percentage"),
        ("bigrams for every n", bigrams_whatever_n, "at n = 3"),
        ("each sentence once", different_sentences, "comes twice counts"),
        ("one start mark", one_start_mark, "one `<s>`"),
        ("a list of verdicts", verdicts, "this is a list"),
        ("a word", lambda train, test, n: "many", "this is a str"),
    ],
    "replace-rare": [
        ("counts the test too", replace(enough, lambda a, b: a + b), "*night*"),
        ("counts the test alone", replace(enough, lambda a, b: b), "the test itself"),
        ("more than min_count", replace(lambda n, least: n > least), "`>=`"),
        ("the frequent ones", replace(lambda n, least: n < least), "rare words and"),
        ("no min_count", replace(lambda n, least: n > 0), "changes nothing"),
        ("dropped", replace(enough, drop=True), "in their place"),
        ("one flat list", one_flat_list, "list of sentences"),
        ("training text", training_text, "those of `test`"),
        ("nothing done", lambda train, test, least: test, "Nothing is replaced"),
        ("always 3", replace(lambda n, least: n >= 3), "whatever `min_count` is"),
        ("pieces of words", pieces_of_text, "inside *roses*"),
        ("repetitions lost", each_sentence_once, "returned twice"),
        (
            "sentences counted",
            replace(enough, lambda train, test: [set(s) for s in train]),
            "*sentences*",
        ),
    ],
    "count-table": [
        ("windows that end in <s>", table(keep=everything), "never predicted"),
        (
            "marks thrown away first",
            lambda stream, n: table()(stream[stream != START], n),
            "go on after `</s>`",
        ),
        ("last window lost", table(trim=-1), "very last n-gram"),
        ("base too small", table(keyed(lambda windows: 3)), "share a key"),
        ("overflow", table(keyed(lambda windows: windows.max() + 1)), "one int64"),
        (
            "equal n-grams not grouped",
            table(lambda w: (w, w[:, 0])),
            "more than one row",
        ),
        ("base without 0", table(keyed(lambda w: w.max())), "share a key"),
        ("backwards", table(lambda w: unique(w[:, ::-1])), "read backwards"),
        (
            "no window with <s>",
            table(keep=lambda w: (w != START).all(axis=1)),
            "needed",
        ),
        ("never counted", table(all_ones), "Every count is 1"),
        ("keys instead of words", table(keys_alone), "one row for each n-gram"),
        ("counts alone", lambda stream, n: Counter(stream.tolist()), "Two arrays"),
    ],
}
