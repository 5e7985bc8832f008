"""Wrong answers to the exercises of notebook 00, as readers give them."""

from lmcourse import corpora


def count(condition):
    return sum(condition(name) for name in corpora.load("names"))


def last_of_the_longest(names):
    return max(reversed(names), key=len)


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
        ("the length", lambda names: max(map(len, names)), "5 is its length"),
        ("the last in the alphabet", max, "compare lengths"),
        ("the shortest", lambda names: min(names, key=len), "shortest"),
        ("the last of the longest", last_of_the_longest, "prefer the first"),
        ("always the same", lambda names: "maria", "is the argument used"),
    ],
}
