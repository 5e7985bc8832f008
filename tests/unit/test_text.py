"""Sentences, tokens and vocabularies."""

import doctest
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmcourse import text
from lmcourse.text import Vocabulary, characters, sentences, tokenize

ENGLISH = st.text(alphabet="abcXYZ '’.,!?;\n\"0-é", max_size=80)
TOKENS = st.lists(st.sampled_from(["a", "b", "是", "语言", "<s>", "'", "é"]))


def test_examples_in_the_docstrings():
    results = doctest.testmod(text)
    assert results.attempted >= 5
    assert results.failed == 0


def test_both_apostrophes_are_one_token():
    assert tokenize("Don’t") == tokenize("don't") == ["don't"]


def test_words_of_other_alphabets_do_not_disappear_into_their_neighbours():
    assert tokenize("naïve 1812 semi-final") == ["na", "ve", "semi", "final"]


def test_empty_text_has_no_sentence():
    assert sentences("") == sentences(" \n“ ” 12 ") == []


def test_quotation_marks_do_not_split_a_run_of_end_marks():
    assert sentences('"Really?" "!" Yes') == [["really", "?", "!"], ["yes"]]


@given(ENGLISH)
def test_sentences_cut_the_tokens_and_lose_none(prose):
    cut = sentences(prose)
    assert [token for s in cut for token in s] == tokenize(prose)
    assert all(cut)


@given(ENGLISH)
def test_only_the_last_sentence_may_lack_an_end_mark(prose):
    ends = {".", "!", "?"}
    cut = sentences(prose)
    assert all(s[-1] in ends for s in cut[:-1])
    assert all(s[0] not in ends for s in cut[1:])
    for s in cut:  # inside, an end mark is followed by end marks only
        first = next((i for i, token in enumerate(s) if token in ends), len(s))
        assert set(s[first:]) <= ends


@given(st.text())
def test_characters_are_the_text_without_white_space(anything):
    assert "".join(characters(anything)) == "".join(anything.split())


def test_ideographic_space_is_white_space():
    assert characters("人民　日报") == ["人", "民", "日", "报"]


@given(st.lists(TOKENS), st.integers(1, 3))
def test_vocabulary_keeps_exactly_the_frequent_types(training, min_count):
    vocabulary = Vocabulary(training, min_count)
    counts = Counter(token for s in training for token in s)
    frequent = {token for token, n in counts.items() if n >= min_count}
    assert set(vocabulary.tokens) == frequent | {"<unk>"}
    assert len(vocabulary) == len(frequent) + 1


@given(st.lists(TOKENS), TOKENS, st.integers(1, 3))
def test_decode_undoes_encode_up_to_unknown_tokens(training, unseen, min_count):
    vocabulary = Vocabulary(training, min_count)
    ids = vocabulary.encode(unseen)
    expected = [token if token in vocabulary else "<unk>" for token in unseen]
    assert vocabulary.decode(ids) == expected == vocabulary.replace_unknown(unseen)
    assert vocabulary.encode(vocabulary.decode(ids)) == ids


def test_every_number_is_decoded_and_encoded_to_itself():
    vocabulary = Vocabulary([characters("今天天气很好"), ["good", "day"]])
    numbers = list(range(len(vocabulary)))
    assert vocabulary.encode(vocabulary.decode(numbers)) == numbers


def test_order_does_not_depend_on_the_order_of_the_sentences():
    training = [["b", "a"], ["c", "b"], ["a"], ["d"]]
    assert (
        Vocabulary(training).tokens
        == Vocabulary(training[::-1]).tokens
        == ("<unk>", "a", "b", "c", "d")
    )


def test_specials_come_first_and_are_never_counted_twice():
    specials = ("<pad>", "<unk>", "</s>")
    vocabulary = Vocabulary([["a", "</s>", "<unk>", "a"]], specials=specials)
    assert vocabulary.tokens == (*specials, "a")
    assert vocabulary.encode(["zebra", "</s>"]) == [1, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sentences": [], "min_count": 0}, "min_count is 0"),
        ({"sentences": [], "specials": ("<pad>",)}, "must be in them"),
        ({"sentences": [], "specials": "<unk>"}, "must be in them"),
        ({"sentences": [], "specials": ("<unk>", "<unk>")}, "may stand there once"),
        ({"sentences": ["a string"]}, "expected a list of tokens"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Vocabulary(**arguments)


def test_a_string_is_not_a_list_of_tokens():
    vocabulary = Vocabulary([["a"]])
    with pytest.raises(ValueError, match="tokenize"):
        vocabulary.encode("a")
    with pytest.raises(ValueError, match="characters"):
        vocabulary.replace_unknown("语言")


@pytest.mark.parametrize("number", [-1, 2])
def test_a_number_outside_the_vocabulary_is_refused(number):
    with pytest.raises(ValueError, match="not in 0 … 1"):
        Vocabulary([["a"]]).decode([number])
