"""Wrong answers to the exercises of notebook 11, as readers give them."""


def merge(symbols, pair):
    merged = []
    for symbol in symbols:
        if merged and (merged[-1], symbol) == pair:
            merged[-1] += symbol
        else:
            merged.append(symbol)
    return merged


def overlapping(symbols, pair):
    merged, used = [], False
    for i, symbol in enumerate(symbols):
        if tuple(symbols[i : i + 2]) == pair:
            merged.append("".join(pair))
            used = True
        elif used:
            used = False
        else:
            merged.append(symbol)
    return merged


def right_one_kept(symbols, pair):
    merged = []
    for i, symbol in enumerate(symbols):
        hit = tuple(symbols[i : i + 2]) == pair
        merged.append("".join(pair) if hit else symbol)
    return merged


def last_one_lost(symbols, pair):
    merged, i = [], 0
    while i < len(symbols) - 1:
        hit = (symbols[i], symbols[i + 1]) == pair
        merged.append("".join(pair) if hit else symbols[i])
        i += 2 if hit else 1
    return merged


def index_past_the_end(symbols, pair):
    merged, i = [], 0
    while i < len(symbols):
        hit = (symbols[i], symbols[i + 1]) == pair
        merged.append("".join(pair) if hit else symbols[i])
        i += 2 if hit else 1
    return merged


def from_the_right(symbols, pair):
    left, right = pair
    turned = merge(
        [symbol[::-1] for symbol in symbols[::-1]], (right[::-1], left[::-1])
    )
    return [symbol[::-1] for symbol in turned[::-1]]


def first_only(symbols, pair):
    for i in range(len(symbols) - 1):
        if tuple(symbols[i : i + 2]) == pair:
            return [*symbols[:i], "".join(pair), *symbols[i + 2 :]]
    return symbols


def by_replacing(symbols, pair):
    return " ".join(symbols).replace(" ".join(pair), "".join(pair)).split()


def swallowing(symbols, pair):
    merged = []
    for symbol in symbols:
        if merged and symbol == pair[1] and merged[-1].endswith(pair[0]):
            merged[-1] += symbol
        else:
            merged.append(symbol)
    return merged


def as_tuple(symbols, pair):
    return [pair if token == "".join(pair) else token for token in merge(symbols, pair)]


def pieces(
    mark="##",
    first="",
    shortest=False,
    stop_after=99,
    inside_shortest=False,
    unknown=lambda found, rest: ["[UNK]"],
):
    def longest_match(word, vocabulary):
        found, start = [], 0
        while start < len(word) and len(found) < stop_after:
            sign = "##" if start else ""
            ends = list(range(len(word), start, -1))
            if shortest or (inside_shortest and start):
                ends.reverse()
            fits = [end for end in ends if sign + word[start:end] in vocabulary]
            if not fits:
                return unknown(found, word[start:])
            found.append((mark if start else first) + word[start : fits[0]])
            start = fits[0]
        return found

    return longest_match


def without_marks(word, vocabulary):
    found, start = [], 0
    while start < len(word):
        ends = range(len(word), start, -1)
        fits = [
            end for end in ends if word[start:end] in vocabulary or end - start == 1
        ]
        found.append(word[start : fits[0]])
        start = fits[0]
    return found


def either(word, vocabulary):
    """Takes a piece with or without its mark."""
    found, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            fits = [m + word[start:end] for m in ("", "##")]
            known = [piece for piece in fits if piece in vocabulary]
            if known and (start or known[0] == fits[0]):
                break
        else:
            return ["[UNK]"]
        found.append(known[0])
        start = end
    return found


def unmarked_as_marked(word, vocabulary):
    """Takes a piece without its mark where there is none with it, and writes it."""
    marked = {f"##{token}" for token in vocabulary if not token.startswith("##")}
    return pieces()(word, vocabulary | marked)


def rest_without_marks(word, vocabulary):
    unmarked = {token for token in vocabulary if not token.startswith("##")}
    return pieces()(word, unmarked | {f"##{token}" for token in unmarked})


def going_back(word, vocabulary, sign=""):
    if not word:
        return []
    for end in range(len(word), 0, -1):
        if sign + word[:end] in vocabulary:
            rest = going_back(word[end:], vocabulary, "##")
            if rest != ["[UNK]"]:
                return [sign + word[:end], *rest]
    return ["[UNK]"]


def a_string(word, vocabulary):
    found = pieces()(word, vocabulary)
    return "[UNK]" if found == ["[UNK]"] else found


def spans(strip=True, behind="whole", lower=True, end="behind"):
    def offsets(text, tokens):
        found, position = [], 0
        for token in tokens:
            piece = token.removeprefix("##") if strip else token
            where = text.lower() if lower else text
            start = where.index(piece, position)
            stop = {"behind": start + len(piece), "on": start + len(piece) - 1}
            found.append((start, stop.get(end, len(piece))))
            position = {"whole": start + len(piece), "first": start + 1}.get(behind, 0)
        return found

    return offsets


def adding_up(text, tokens):
    found, position = [], 0
    for token in tokens:
        length = len(token.removeprefix("##"))
        found.append((position, position + length))
        position += length
    return found


def behind_letters(text, tokens):
    found, letters = [], 0
    for token in tokens:
        piece = token.removeprefix("##")
        start = text.lower().index(piece, letters)
        found.append((start, start + len(piece)))
        letters += len(piece)
    return found


def whole_words(text, tokens):
    found, position = [], 0
    for token in tokens:
        if token.startswith("##"):
            found.append(found[-1])
            continue
        start = text.lower().index(token, position)
        rest = text[start:].split()[0] if token.isalpha() else token
        position = start + len(rest)
        found.append((start, position))
    return found


def marks_counted(text, tokens):
    found, position = [], 0
    for token in tokens:
        if not token.startswith("##"):
            while position < len(text) and text[position].isspace():
                position += 1
        found.append((position, position + len(token)))
        position += len(token)
    return found


def starts_only(text, tokens):
    return [start for start, _ in spans()(text, tokens)]


WRONG = {
    "first-two-merges": [
        ("not counted again", [("p", "e"), ("e", "t")], "count again after"),
        ("second first", [("t", "_"), ("p", "e")], "in the wrong order"),
        ("e t first", [("e", "t"), ("p", "e")], "occur 3 + 7 = 10 times each"),
        ("by types", [("e", "n"), ("p", "e")], "5 + 4 = 9 times. Is"),
        ("rare", [("o", "p"), ("p", "e")], "not the most frequent pair. Multiply"),
        ("pen", [("p", "e"), ("pe", "n")], "occurs 9 times at most"),
        ("open", [("p", "e"), ("o", "pe")], "four times only"),
        ("net", [("p", "e"), ("n", "e")], "after the first merge"),
        ("one pair", [("p", "e")], "Two pairs are asked for"),
        ("joined", ["pe", "t_"], "you give one string for each"),
        ("a string", "pe t_", "this is a str"),
    ],
    "merge-pair": [
        ("overlapping", overlapping, "the two pairs overlap"),
        ("right one kept", right_one_kept, "still there after the merge"),
        ("last one lost", last_one_lost, "The last token is missing"),
        ("index past the end", index_past_the_end, "IndexError"),
        ("from the right", from_the_right, "the left one comes first"),
        ("first only", first_only, "the first one only"),
        ("joined text", by_replacing, "compare whole tokens"),
        ("swallowing", swallowing, "what has just been made"),
        ("a string", lambda s, p: "".join(merge(s, p)), "one string, in which"),
        ("a tuple inside", as_tuple, "not the tuple"),
        ("nothing", lambda s, p: s, "Nothing has been merged"),
        ("both ways", lambda s, p: merge(merge(s, p), p[::-1]), "gives `['s', 'ea']`"),
        ("swapped", lambda s, p: merge(s, p[::-1]), "the other way round"),
        ("one token", lambda s, p: ["".join(s)], "and should give `w at e r`"),
    ],
    "longest-match": [
        ("no marks", pieces(mark=""), "with its mark"),
        ("marked beginning", pieces(first="##"), "its piece has no `##`"),
        ("shortest", pieces(shortest=True), "try the longest first."),
        ("shortest inside", pieces(inside_shortest=True), "inside the word as well"),
        ("one piece", pieces(stop_after=1), "Go on with the rest"),
        ("without marks", without_marks, "and should give `['play', '##ing']`"),
        ("either", either, "look for `##able`"),
        ("unknown rest", pieces(unknown=lambda f, r: [*f, "[UNK]"]), "*whole* word"),
        ("rest left out", pieces(unknown=lambda f, r: f), "you leave it out"),
        ("unknown kept", pieces(unknown=lambda f, r: [r]), "should give `['[UNK]']`"),
        ("no marks sought", rest_without_marks, "look for what comes after"),
        ("unmarked", unmarked_as_marked, "There is no `##play`"),
        ("going back", going_back, "does not go back"),
        ("a string", a_string, "a *list* with one token"),
    ],
    "token-offsets": [
        ("last letter", spans(end="on"), "the place *behind* the last"),
        ("lengths", spans(end="length"), "not how long"),
        ("spaces forgotten", adding_up, "the space between them"),
        ("whole words", whole_words, "where the *word* stands"),
        ("marks counted", marks_counted, "The marks `##` are not in the text"),
        ("marks searched", spans(strip=False), "ValueError"),
        ("from the beginning", spans(behind="none"), "search behind the token before"),
        ("behind the first letter", spans(behind="first"), "an earlier `ana`"),
        ("behind the letters", behind_letters, "not behind its number of letters"),
        ("case", spans(lower=False), "compare in lower case"),
        ("starts only", starts_only, "`(start, end)`"),
        ("one too few", lambda t, x: spans()(t, x)[1:], "as many pairs"),
    ],
}
