"""Judges for the exercises of notebook 15."""

from itertools import product
from typing import Any

import numpy as np

from . import Hint, call, exercise, expect, kind
from .answers import numbers

NOTEBOOK = "15_finetuning_ner"
Triples = set[tuple[str, int, int]]


def _triples(value: Any) -> Triples:
    """Return entities as tuples, or raise a hint that says what was asked for."""
    asked = "A set of tuples `(kind, start, end)` is asked for, and "
    if isinstance(value, str | bytes | dict):
        raise Hint(f"{asked}this is {kind(value)}.")
    try:
        found = [tuple(one) if not isinstance(one, str) else one for one in value]
    except TypeError as error:
        raise Hint(f"{asked}this is {kind(value)}, or holds no tuples.") from error
    for one in found:
        expect(
            isinstance(one, tuple) and len(one) == 3,
            f"{asked}yours holds {one!r}.",
        )
        expect(
            not isinstance(one[2], str),
            f"The kind comes first, `(kind, start, end)`, and yours holds {one!r}.",
        )
        expect(isinstance(one[0], str), f"{asked}yours holds {one!r}.")
    try:
        triples = {(str(a), int(b), int(c)) for a, b, c in found}
    except (TypeError, ValueError) as error:
        raise Hint("Start and end are positions: each an integer.") from error
    expect(
        not any(name.startswith(("B-", "I-")) for name, _, _ in triples),
        "The kind is `PER`, without the mark `B-` or `I-` in front: `tag[2:]`.",
    )
    return triples


@exercise("tag-spans", title="Entities from tags", notebook=NOTEBOOK)
def tag_spans(answer: Any) -> None:
    tags = ["B-PER", "I-PER", "O", "B-LOC", "B-LOC", "I-LOC", "O", "B-ORG"]
    right = {("PER", 0, 2), ("LOC", 3, 4), ("LOC", 4, 6), ("ORG", 7, 8)}
    found = _triples(call(answer, tags))
    expect(
        found != {(name, start, end - 1) for name, start, end in right},
        "Yours end *at* the last character; `end` is the position after it, so that "
        "`line[start:end]` is the entity.",
    )
    expect(
        ("LOC", 3, 6) not in found,
        "Two places that touch have become one: a `B-` always begins a new entity.",
    )
    expect(
        found != right - {("ORG", 7, 8)},
        "The entity at the very end of the line is lost: close it when the line ends.",
    )
    expect(
        found != {(n, s, e) for n, s, e in right if e - s > 1},
        "Entities of a single character are lost: a `B-` alone is one, too.",
    )
    expect(
        found == right,
        f"For {tags} it should be {sorted(right)}, and yours is {sorted(found)}.",
    )
    odd = ["O", "I-PER", "I-PER", "O", "B-LOC", "I-PER", "I-LOC"]
    found = _triples(call(answer, odd))
    expect(
        not any(span[0] == "PER" for span in found),
        f"In {odd} no person *begins*: an `I-` that continues nothing belongs to no "
        "entity.",
    )
    expect(
        ("LOC", 4, 7) not in found,
        f"In {odd} the place goes on over an `I-PER`: `I-` continues an entity of the "
        "same kind only.",
    )
    expect(
        found == {("LOC", 4, 5)},
        f"In {odd} there is one entity, ('LOC', 4, 5), and yours is {sorted(found)}.",
    )
    broken = ["B-LOC", "O", "I-LOC"]
    found = _triples(call(answer, broken))
    expect(
        found == {("LOC", 0, 1)},
        f"In {broken} the place ends where the `O` is, and the `I-` behind it "
        f"continues nothing: [('LOC', 0, 1)] is right, and yours is {sorted(found)}.",
    )
    expect(
        _triples(call(answer, ["O", "O"])) == set(),
        "A line without an entity has none: the set is empty.",
    )


@exercise("entity-averages", title="Micro and macro", notebook=NOTEBOOK)
def entity_averages(answer: Any) -> None:
    table = {"LOC": (90, 100, 120), "PER": (10, 40, 20), "ORG": (1, 2, 4)}
    micro, parts = 202 / 286, [180 / 220, 20 / 60, 2 / 6]
    macro = sum(parts) / 3

    def ask(table: dict[str, tuple[int, int, int]]) -> tuple[float, float]:
        micro, macro = numbers(
            call(answer, table), 2, "Two numbers, micro and macro, are"
        )
        return micro, macro

    found = ask(table)

    def near(one: float, other: float) -> bool:
        return bool(np.allclose(found, (one, other), rtol=1e-6))

    expect(not near(macro, micro), "The two are swapped: micro first, then macro.")
    expect(
        not near(100 * micro, 100 * macro),
        "These are percentages; shares between 0 and 1 are asked for.",
    )
    precision, recall = 101 / 142, 101 / 144
    expect(
        not np.isclose(found[0], precision) and not np.isclose(found[0], recall),
        "The micro average holds only precision or only recall; F1 weighs what was "
        "found *and* what is there.",
    )
    expect(
        not np.isclose(found[0], (precision + recall) / 2, rtol=1e-6),
        "The micro average is the ordinary mean of precision and recall; F1 is the "
        "harmonic one.",
    )
    expect(
        not near(micro, micro),
        "Both are the micro average: for the macro average compute F1 of each kind "
        "first, then take their mean.",
    )
    expect(
        not np.isclose(found[0], 101 / 286),
        "A factor of 2 is missing: a perfect tagger should have an F1 of 1.",
    )
    p = sum(r / f for r, f, _ in table.values()) / 3
    r = sum(r / t for r, _, t in table.values()) / 3
    expect(
        not np.isclose(found[1], 2 * p * r / (p + r)),
        "That is F1 of the mean precision and the mean recall. The macro average asked "
        "for is the mean of the three values of F1.",
    )
    there = [120, 20, 4]
    weighted = sum(f * n for f, n in zip(parts, there, strict=True)) / sum(there)
    expect(
        not np.isclose(found[1], weighted),
        "The kinds are weighted by how frequent they are; in the macro average each "
        "counts the same.",
    )
    expect(
        near(micro, macro)
        or not any(near(*np.round((micro, macro), n)) for n in range(1, 6)),
        "These are rounded: return both as they are.",
    )
    expect(
        near(micro, macro),
        f"For {table} it should be ({micro:.3f}, {macro:.3f}), and yours is "
        f"({found[0]:.3f}, {found[1]:.3f}).",
    )
    try:
        with np.errstate(all="ignore"):
            found = ask({"LOC": (5, 5, 5), "ORG": (0, 0, 0)})
    except Hint as hint:
        raise Hint(
            "A kind of which nothing was found, and nothing is there, has nothing to "
            "divide by: its F1 is 0 here."
        ) from hint
    expect(
        not near(1, 1 / 3),
        "Here the table has two kinds, and the sum was divided by 3: divide it by "
        "`len(table)`.",
    )
    expect(
        near(1, 0.5),
        "A kind of which nothing was found, and nothing is there, counts with an F1 of "
        f"0: (1.0, 0.5) is asked for, and yours is ({found[0]:.3f}, {found[1]:.3f}).",
    )


@exercise("align-labels", title="Align", notebook=NOTEBOOK)
def align_labels(answer: Any) -> None:
    def ask(word_ids: list[int | None], labels: list[int]) -> list[int]:
        value = call(answer, word_ids, labels)
        try:
            if isinstance(value, str | bytes | dict):
                raise TypeError
            found = [int(mark) for mark in value]
        except (TypeError, ValueError) as error:
            raise Hint(
                f"A list of numbers is asked for, one for each piece; this is "
                f"{kind(value)}, or holds something else."
            ) from error
        expect(
            len(found) != len(labels) or len(labels) == len(word_ids),
            "That is one label for each *word*; each *piece* needs one.",
        )
        pieces = [word for word in word_ids if word is not None]
        expect(
            len(found) != len(pieces) or len(pieces) == len(word_ids),
            "The special tokens are missing: they are pieces of the batch, too, and "
            "get −100.",
        )
        expect(
            len(found) == len(word_ids),
            f"There are {len(word_ids)} pieces, and these are {len(found)} labels.",
        )
        return found

    word_ids, labels = [None, 0, 0, 1, 2, 2, 2, None], [5, 0, 3]
    right = [-100, 5, -100, 0, 3, -100, -100, -100]
    found = ask(word_ids, labels)
    expect(
        found != [-100, 5, 5, 0, 3, 3, 3, -100],
        "Every piece carries the label of its word: then one company in two pieces is "
        "two companies. Only the first piece is asked.",
    )
    expect(
        found != [-100, -100, 5, 0, -100, -100, 3, -100],
        "The *last* piece of each word carries the label; the first one should.",
    )
    expect(
        found != [-100, 5, 0, 0, 3, 0, 0, -100],
        "The other pieces get 0, which is a label, `O`; −100 says that nothing is "
        "asked.",
    )
    expect(
        found[0] == found[-1] == -100,
        "The special tokens at both ends, `None`, are asked for a label; they should "
        "get −100.",
    )
    expect(
        found != [-100 if mark == 0 else mark for mark in right],
        "The label 0 became −100: `0` is a label like any other. Is there an `or`, or "
        "an `if label`?",
    )
    expect(
        found != [-100, -100, -100, 0, 3, -100, -100, -100],
        "The first word, number 0, has lost its label: is there a `not word`? It is "
        "true for 0 as well as for `None`; ask `word is None`.",
    )
    expect(
        found == right,
        f"For {word_ids} and {labels} it should be {right}, and yours is {found}.",
    )
    expect(
        ask([None, 0, 1, 1, None], [3, 3]) == [-100, 3, 3, -100, -100],
        "Two words in a row with the same label: the second one has lost its own. "
        "Compare numbers of *words*, not labels.",
    )
    expect(
        ask([0, 0, 1], [4, 2]) == [4, -100, 2],
        "Without a special token in front, the first word has lost its label: nothing "
        "comes before the first piece, not even word 0.",
    )
    expect(
        ask([0, 0], [4]) == [4, -100],
        "A single word and nothing else: its first piece has lost the label. For the "
        "first place, `word_ids[place - 1]` is the *last* piece.",
    )


@exercise("legal-tags", title="What may follow", notebook=NOTEBOOK)
def legal_tags(answer: Any) -> None:
    def ask(before: str, after: str) -> bool:
        value = call(answer, before, after)
        said = value.tolist() if hasattr(value, "tolist") else value
        expect(
            isinstance(said, bool),
            f"True or False is asked for, and this is {kind(value)}.",
        )
        return said

    expect(
        ask("B-PER", "I-PER"),
        "`I-PER` after `B-PER` goes on with what has begun: that may be.",
    )
    expect(
        not ask("O", "I-PER"),
        "`I-PER` after `O` goes on with nothing: that may not be.",
    )
    expect(
        ask("I-PER", "I-PER"),
        "`I-PER` after `I-PER`: names have more than two characters, too.",
    )
    expect(
        not ask("B-LOC", "I-PER") and not ask("I-LOC", "I-PER"),
        "`I-PER` after `B-LOC` or `I-LOC`: a place does not go on as a person. The "
        "*kinds* have to be the same.",
    )
    expect(
        ask("I-PER", "O") and ask("B-PER", "O") and ask("O", "O"),
        "`O` may stand behind any tag: entities end, even after one character.",
    )
    expect(
        ask("O", "B-LOC") and ask("I-PER", "B-LOC"),
        "`B-LOC` may stand behind any tag: something new may begin at any time.",
    )
    expect(
        ask("B-LOC", "B-LOC") and ask("I-LOC", "B-LOC"),
        "`B-LOC` after `B-LOC` or `I-LOC`: two places side by side, as in *Beijing "
        "Haidian*. That is what `B-` is for.",
    )
    # Some begin alike, some end alike, and one holds another.
    kinds = ("PER", "LOC", "ORG", "product", "person", "location", "PERCENT")
    tags = ["O", *(f"{mark}-{name}" for name in kinds for mark in "BI")]
    for before, after in product(tags, repeat=2):
        may = not after.startswith("I-") or before in (f"B-{after[2:]}", after)
        why = (
            "an `I-` goes on with its own kind only; compare the whole names"
            if after.startswith("I-")
            else "`O` and `B-` may stand behind any tag"
        )
        expect(
            ask(before, after) == may,
            f"`{after}` after `{before}`: that may {'' if may else 'not '}be. There "
            f"are more kinds than PER and LOC, and for all of them {why}.",
        )
