"""Wrong answers to the exercises of notebook 00, as readers give them."""

from lmcourse import corpora


def count(condition):
    return sum(condition(name) for name in corpora.load("names"))


def last_of_the_longest(names):
    return max(reversed(names), key=len)


def last_in_the_alphabet(names):
    return max(names) if "zoe" in names else max(names, key=len)


def most_different_letters(names):
    return max(names, key=lambda name: len(set(name)))


WRONG = {
    "starting-with-a": [
        ("upper case", count(lambda name: name.startswith("A")), "in lower case"),
        ("ending in a", count(lambda name: name.endswith("a")), "*end* in a"),
        ("a anywhere", count(lambda name: "a" in name), "contain an a anywhere"),
        (
            "the names themselves",
            [name for name in corpora.load("names") if name.startswith("a")],
            "A whole number is asked for",
        ),
    ],
    "most-letters": [
        ("the length", lambda names: max(map(len, names)), "9 is its length"),
        ("the last in the alphabet", last_in_the_alphabet, "compare lengths"),
        ("different letters", most_different_letters, "count all of them"),
        ("the shortest", lambda names: min(names, key=len), "shortest"),
        ("the last of the longest", last_of_the_longest, "prefer the first"),
        ("always the same", lambda names: "annabella", "is the argument used"),
    ],
}
