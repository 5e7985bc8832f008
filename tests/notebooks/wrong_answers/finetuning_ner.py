"""Wrong answers to the exercises of notebook 15."""

from lmcourse.finetuning import spans


def entities(tags):
    return {(kind, start, end) for kind, start, end in spans(tags)}


def changed(change):
    return lambda tags: {change(*span) for span in entities(tags)}


def without(keep):
    return lambda tags: {span for span in entities(tags) if keep(*span, len(tags))}


def by_kind(tags):
    """Neighbours of one kind are one; whatever is no `O` is an entity."""
    found, start = set(), None
    for place, tag in enumerate([*tags, "O"]):
        if start is not None and tag[2:] != tags[start][2:]:
            found.add((tags[start][2:], start, place))
            start = None
        if start is None and tag != "O":
            start = place
    return found


def lenient(tags):
    """An `I-` after something else begins an entity, too."""
    found, start = set(), None
    for place, tag in enumerate([*tags, "O"]):
        if start is not None and (tag[:1] != "I" or tag[2:] != tags[start][2:]):
            found.add((tags[start][2:], start, place))
            start = None
        if start is None and tag != "O":
            start = place
    return found


def any_inside(tags):
    """`I-` goes on whatever its kind."""
    found, start = set(), None
    for place, tag in enumerate([*tags, "O"]):
        if start is not None and not tag.startswith("I-"):
            found.add((tags[start][2:], start, place))
            start = None
        if tag.startswith("B-"):
            start = place
    return found


def begun_is_lost(tags):
    """An entity that is followed by another kind's `I-` is thrown away."""
    return {
        span
        for span in entities(tags)
        if not (span[2] < len(tags) and tags[span[2]].startswith("I-"))
    }


def gaps_do_not_count(tags):
    """`O` does not end what runs; the next `B-` or other `I-` does."""
    found, running = set(), None
    for place, tag in enumerate([*tags, "B-"]):
        if tag == "O":
            continue
        if running and tag == f"I-{running[0]}":
            running = (*running[:2], place + 1)
            continue
        if running:
            found.add(running)
        running = (tag[2:], place, place + 1) if tag.startswith("B-") else None
    return found


def f1(right, found, there):
    return 2 * right / max(found + there, 1)


def totals(table):
    return [sum(column) for column in zip(*table.values(), strict=True)]


def averages(table):
    parts = [f1(*row) for row in table.values()]
    return f1(*totals(table)), sum(parts) / len(parts)


def precision_only(table):
    right, found, _ = totals(table)
    return right / found, averages(table)[1]


def ordinary_mean(table):
    right, found, there = totals(table)
    return (right / found + right / there) / 2, averages(table)[1]


def mean_of_both(table):
    p = sum(r / max(f, 1) for r, f, _ in table.values()) / len(table)
    r = sum(r / max(t, 1) for r, _, t in table.values()) / len(table)
    return averages(table)[0], 2 * p * r / (p + r)


def weighted(table):
    there = [t for _, _, t in table.values()]
    parts = [f1(*row) * row[2] for row in table.values()]
    return averages(table)[0], sum(parts) / sum(there)


def divides(table):
    parts = [2 * r / (f + t) for r, f, t in table.values()]
    return averages(table)[0], sum(parts) / len(parts)


def leaves_out(table):
    return averages({k: row for k, row in table.items() if any(row)})


def three_kinds(table):
    return averages(table)[0], averages(table)[1] * len(table) / 3


def align(first=True, other=None, special=-100, seen=None):
    def aligned(word_ids, labels):
        marks = []
        for place, word in enumerate(word_ids):
            near = word_ids[place - 1 : place] if first else word_ids[place + 1 :][:1]
            if word is None:
                marks.append(special)
            elif near == [word]:
                marks.append(labels[word] if other is None else other)
            else:
                marks.append(labels[word])
        return marks

    return aligned


def right_alignment(word_ids, labels):
    return align(other=-100)(word_ids, labels)


def zero_is_lost(word_ids, labels):
    return [mark or -100 for mark in right_alignment(word_ids, labels)]


def compares_labels(word_ids, labels):
    marks, before = [], None
    for word in word_ids:
        label = None if word is None else labels[word]
        marks.append(-100 if label is None or label == before else label)
        before = label
    return marks


def begins_at_zero(word_ids, labels):
    marks = right_alignment(word_ids, labels)
    return [-100, *marks[1:]] if word_ids[0] == 0 else marks


def wraps_around(word_ids, labels):
    return [
        -100 if word is None or word == word_ids[place - 1] else labels[word]
        for place, word in enumerate(word_ids)
    ]


def zero_is_no_word(word_ids, labels):
    marks = zip(word_ids, right_alignment(word_ids, labels), strict=True)
    return [mark if word else -100 for word, mark in marks]


def no_specials(word_ids, labels):
    marks = zip(word_ids, right_alignment(word_ids, labels), strict=True)
    return [mark for word, mark in marks if word is not None]


def follows(before, after):
    return not after.startswith("I-") or before in (f"B-{after[2:]}", after)


def any_kind(before, after):
    return not after.startswith("I-") or before != "O"


def only_after_begin(before, after):
    return not after.startswith("I-") or before == f"B-{after[2:]}"


def no_neighbours(before, after):
    same = after.startswith("B-") and before[2:] == after[2:]
    return follows(before, after) and not same


def needs_an_inside(before, after):
    return follows(before, after) and not (before[:1] == "B" and after == "O")


def begins_after_nothing(before, after):
    return follows(before, after) and (after[:1] != "B" or before == "O")


def only_persons(before, after):
    return after != "I-PER" or before in ("B-PER", "I-PER")


def by_first_letter(before, after):
    return not after.startswith("I-") or before[2:3] == after[2:3]


def by_last_letter(before, after):
    return not after.startswith("I-") or before[-1] == after[-1]


def within(before, after):
    return not after.startswith("I-") or after[2:] in before


def no_other_begins(before, after):
    return follows(before, after) and (before, after) != ("B-LOC", "B-PER")


def from_a_list(before, after):
    known = {"O", "B-PER", "I-PER", "B-LOC", "I-LOC"}
    return {before, after} <= known and follows(before, after)


WRONG = {
    "tag-spans": [
        ("end at the last", changed(lambda k, s, e: (k, s, e - 1)), "position after"),
        ("neighbours merged", by_kind, "become one"),
        ("last one lost", without(lambda k, s, e, n: e < n), "very end"),
        ("single ones lost", without(lambda k, s, e, n: e - s > 1), "single character"),
        ("lenient", lenient, "no person *begins*"),
        ("any inside", any_inside, "same kind only"),
        ("begun is lost", begun_is_lost, "one entity"),
        ("gaps do not count", gaps_do_not_count, "ends where the `O` is"),
        ("kind last", changed(lambda k, s, e: (s, e, k)), "kind comes first"),
        ("mark kept", changed(lambda k, s, e: (f"B-{k}", s, e)), "without the mark"),
        ("two numbers", changed(lambda k, s, e: (s, e)), "yours holds"),
        ("kinds alone", lambda tags: [k for k, _, _ in entities(tags)], "(kind, start"),
        ("nothing", lambda tags: set(), "it should be"),
    ],
    "entity-averages": [
        ("swapped", lambda t: averages(t)[::-1], "swapped"),
        ("percentages", lambda t: [100 * x for x in averages(t)], "percentages"),
        ("precision", precision_only, "only precision"),
        ("ordinary mean", ordinary_mean, "the ordinary mean"),
        ("divided by three", three_kinds, "divided by 3"),
        ("micro twice", lambda t: [averages(t)[0]] * 2, "Both are the micro"),
        ("half", lambda t: [x / 2 for x in averages(t)], "factor of 2"),
        ("rounded", lambda t: [round(x, 3) for x in averages(t)], "are rounded"),
        ("of the means", mean_of_both, "mean precision"),
        ("weighted", weighted, "weighted"),
        ("divides by zero", divides, "nothing to divide by"),
        ("leaves out", leaves_out, "counts with an F1 of 0"),
        ("micro alone", lambda t: averages(t)[0], "this is a float"),
        ("three", lambda t: [*averages(t), 0.0], "these are 3"),
    ],
    "align-labels": [
        ("copied", align(), "two companies"),
        ("last piece", align(first=False, other=-100), "*last* piece"),
        ("others are O", align(other=0), "which is a label"),
        ("specials are O", align(other=-100, special=0), "both ends"),
        ("zero is lost", zero_is_lost, "like any other"),
        ("compares labels", compares_labels, "same label"),
        ("before is 0", begins_at_zero, "not even word 0"),
        ("wraps around", wraps_around, "the *last* piece"),
        ("word 0 is none", zero_is_no_word, "`word is None`"),
        ("no specials", no_specials, "special tokens are missing"),
        ("labels of words", lambda ids, labels: labels, "each *word*"),
        ("nothing asked", lambda ids, labels: [-100] * len(ids), "it should be"),
    ],
    "legal-tags": [
        ("everything", lambda before, after: True, "goes on with nothing"),
        ("nothing", lambda before, after: False, "has begun"),
        ("any kind", any_kind, "*kinds* have to be"),
        ("only after B", only_after_begin, "more than two characters"),
        ("no neighbours", no_neighbours, "side by side"),
        ("needs an I", needs_an_inside, "entities end"),
        ("B after O only", begins_after_nothing, "something new"),
        ("persons only", only_persons, "`I-LOC` after `O`: that may not be"),
        ("first letter", by_first_letter, "`I-PERCENT` after `B-PER`: that may not"),
        ("last letter", by_last_letter, "compare the whole names"),
        ("within", within, "`I-PER` after `B-PERCENT`: that may not"),
        ("no other begins", no_other_begins, "`B-PER` after `B-LOC`: that may be"),
        ("from a list", from_a_list, "more kinds than PER and LOC"),
        ("a number", lambda before, after: int(follows(before, after)), "an int"),
    ],
}
