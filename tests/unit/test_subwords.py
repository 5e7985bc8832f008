"""Sub-words, against `tokenizers`, `transformers` and the definitions."""

import copy
import doctest
import json
import pickle
import random
import re
import unicodedata
from collections import Counter
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer, ByteLevel, WhitespaceSplit
from transformers import BertTokenizer

from lmcourse import corpora, subwords
from lmcourse.subwords import (
    BPE,
    CONTINUED,
    SPECIALS,
    Piece,
    Tokenizer,
    WordPiece,
    byte_letters,
    merge,
    normalize,
    split_words,
)

FEW_LETTERS = st.text("ab", min_size=1, max_size=9)
LETTERS = st.text("abcdeé北京", min_size=1, max_size=9)
COUNTS = st.dictionaries(FEW_LETTERS, st.integers(1, 5), min_size=1, max_size=8)
MORE_COUNTS = st.dictionaries(LETTERS, st.integers(1, 5), min_size=1, max_size=12)


def test_examples_in_the_docstrings():
    results = doctest.testmod(subwords)
    assert results.attempted >= 10
    assert results.failed == 0


@cache
def book() -> tuple[Counter[str], list[str]]:
    """How often words occur in training, and words that it may not have."""
    text = corpora.load("war_and_peace")
    train = Counter(word for sentence in text.train for word in sentence)
    return train, sorted({word for sentence in text.test for word in sentence})


# ---------------------------------------------------------------- byte pair encoding


def their_bpe(words: Counter[str], merges: int, **options) -> tokenizers.Tokenizer:
    """The library's BPE with as many merges, trained on the same counts."""
    letters = {letter for word in words for letter in word}
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=1 + len(letters) + merges,
        special_tokens=["<unk>"],
        show_progress=False,
        **options,
    )
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    texts = (word for word, count in words.items() for _ in range(count))
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def model_of(tokenizer: tokenizers.Tokenizer) -> dict:
    return json.loads(tokenizer.to_str())["model"]


def merges_of(tokenizer: tokenizers.Tokenizer) -> list[tuple[str, str]]:
    return [(left, right) for left, right in model_of(tokenizer)["merges"]]


def by_definition(words: dict[str, int], merges: int) -> list[tuple[str, str]]:
    """Byte pair encoding with everything counted anew for each merge."""
    texts = {word: list(word) for word in words}
    age = sorted({letter for word in words for letter in word})
    found = []
    for _ in range(merges):
        counts = Counter()
        for word, symbols in texts.items():
            for pair in pairwise(symbols):
                counts[pair] += words[word]
        if not counts:
            break
        pair = min(counts, key=lambda p: (-counts[p], age.index(p[0]), age.index(p[1])))
        found.append(pair)
        age.append("".join(pair))
        for word, symbols in texts.items():
            joined, i = [], 0
            while i < len(symbols):
                hit = tuple(symbols[i : i + 2]) == pair
                joined.append("".join(pair) if hit else symbols[i])
                i += 2 if hit else 1
            texts[word] = joined
    return found


def test_training_on_a_book_gives_the_library_s_merges_and_numbers():
    words, _ = book()
    theirs = their_bpe(words, 4000)
    ours = BPE.train(words, 4000)
    assert ours.merges == merges_of(theirs)
    assert ours.ids == model_of(theirs)["vocab"]


def test_training_on_chinese_gives_the_library_s_merges():
    lines = ["".join(line.words) for line in corpora.load("peoples_daily")[:700]]
    words = Counter(part for line in lines for part in re.split("[，。、；：“”]", line))
    del words[""]
    assert BPE.train(words, 800).merges == merges_of(their_bpe(words, 800))


@given(COUNTS | MORE_COUNTS)
def test_training_gives_the_library_s_merges(words):
    assert BPE.train(words, 30).merges == merges_of(their_bpe(Counter(words), 30))


@given(COUNTS | MORE_COUNTS, st.integers(0, 12))
def test_training_follows_the_definition(words, merges):
    assert BPE.train(words, merges).merges == by_definition(words, merges)


@given(MORE_COUNTS, st.integers(1, 9))
def test_training_stops_at_the_smallest_count(words, least):
    theirs = their_bpe(Counter(words), 50, min_frequency=least)
    assert BPE.train(words, 50, min_count=least).merges == merges_of(theirs)


def test_the_four_words_of_the_paper():
    words = {"low_": 5, "lower_": 2, "newest_": 6, "widest_": 3}
    bpe = BPE.train(words, 10)
    assert bpe.merges[0] == ("e", "s")
    assert {"est_", "lo", "low", "low_", "newest_"} <= set(bpe.vocabulary)
    assert bpe.cut("lowest_") == ["low", "est_"]


@given(COUNTS | MORE_COUNTS, st.integers(0, 10))
def test_fewer_merges_are_the_first_of_many(words, merges):
    many = BPE.train(words, 20)
    few = min(merges, len(many.merges))
    first = many.first(few)
    assert first.merges == BPE.train(words, few).merges
    assert first.vocabulary == BPE.train(words, few).vocabulary


def assert_cut_alike(ours, theirs, words):
    for word in words:
        found = theirs.encode(word)
        pieces = zip(found.tokens, found.offsets, strict=True)
        expected = [Piece(token, *offset) for token, offset in pieces]
        assert list(ours.pieces(word)) == expected, word


def test_words_of_a_book_are_cut_as_by_the_library():
    words, unseen = book()
    theirs = their_bpe(words, 3000)
    ours = BPE(merges_of(theirs), {letter for word in words for letter in word})
    strange = ["", "x", "naïve", "ü", "北京", "zzzzzz", "a" * 300, "don't😀"]
    assert len(unseen) > 5000
    assert_cut_alike(ours, theirs, [*words, *unseen, *strange])


@given(COUNTS | MORE_COUNTS, st.lists(st.text("abcdeé北x", max_size=12), max_size=20))
def test_any_word_is_cut_as_by_the_library(counts, words):
    assert_cut_alike(BPE.train(counts, 25), their_bpe(Counter(counts), 25), words)


@given(COUNTS | MORE_COUNTS, LETTERS)
def test_the_pieces_are_the_word_again(counts, word):
    bpe = BPE.train(counts, 20, unknown="?")
    pieces = bpe.pieces(word)
    assert "".join(word[piece.start : piece.end] for piece in pieces) == word
    for piece in pieces:
        known = word[piece.start : piece.end] == piece.token
        assert known or piece.token == "?"
    if set(word) <= set(bpe.alphabet):
        assert "".join(bpe.cut(word)) == word


@given(st.lists(st.sampled_from("abc"), max_size=12), st.sampled_from("abc"))
def test_merge_goes_from_left_to_right(symbols, letter):
    word = "".join(symbols)
    assert "".join(merge(symbols, (letter, letter))) == word
    expected = re.findall(f"{letter}{letter}|.", word)
    assert merge(symbols, (letter, letter)) == expected
    assert merge(symbols, ("a", letter)) == re.findall(f"a{letter}|.", word)


def test_merges_out_of_order_are_refused():
    with pytest.raises(ValueError, match=r"\('lo', 'w'\) must join two tokens that"):
        BPE([("lo", "w"), ("l", "o")])
    with pytest.raises(ValueError, match=r"\('a', 'bc'\) must join .* to a new one"):
        BPE([("a", "b"), ("ab", "c"), ("b", "c"), ("a", "bc")])


def test_training_refuses_what_cannot_be_counted():
    with pytest.raises(ValueError, match="words is a list: expected how often"):
        BPE.train(["a", "b"], 3)
    with pytest.raises(ValueError, match="'a' has the count -1"):
        BPE.train({"a": -1}, 3)
    with pytest.raises(ValueError, match="merges is -1: expected 0 or more"):
        BPE.train({"a": 1}, -1)
    with pytest.raises(ValueError, match="min_count is 0: expected 1 or more"):
        BPE.train({"ab": 1}, 1, min_count=0)
    with pytest.raises(ValueError, match="merges is 3: expected 0 to 1"):
        BPE.train({"ab": 1}, 5).first(3)


def test_nothing_to_learn_from():
    assert BPE.train({}, 5).vocabulary == ("<unk>",)
    assert BPE.train({"": 3, "a": 2}, 5).merges == []
    assert BPE.train({"ab": 0, "cd": 1}, 5).merges == [("c", "d")]
    assert BPE.train({}, 0).cut("ab") == ["<unk>", "<unk>"]


def test_a_long_word_takes_no_time():
    word = "".join(random.Random(1).choices("abcd", k=10_000))
    bpe = BPE.train({word[:2000]: 1}, 200)
    assert "".join(bpe.cut(word)) == word


def test_models_can_be_copied_and_pickled():
    bpe = BPE.train({"low": 2, "lower": 3}, 4)
    for same in (copy.deepcopy(bpe), pickle.loads(pickle.dumps(bpe))):
        assert same.cut("lowlower") == bpe.cut("lowlower")


def test_bytes_have_the_letters_of_the_library():
    assert sorted(byte_letters()) == sorted(ByteLevel.alphabet())
    level = ByteLevel(add_prefix_space=False, use_regex=False)
    for text in ("Café 北京 😀", " a\tb\n", "".join(map(chr, range(1, 600)))):
        ours = "".join(byte_letters()[byte] for byte in text.encode())
        assert [(ours, (0, len(text)))] == level.pre_tokenize_str(text)


# ------------------------------------------------------------------------- WordPiece


@cache
def minilm() -> tuple[Tokenizer, BertTokenizer]:
    """MiniLM's tokenizer: ours and theirs."""
    folder = corpora.load("minilm")
    return Tokenizer.from_pretrained(folder), BertTokenizer.from_pretrained(folder)


def their_wordpiece(vocabulary) -> tokenizers.Tokenizer:
    vocab = {token: number for number, token in enumerate(vocabulary)}
    model = tokenizers.models.WordPiece(vocab, unk_token="[UNK]")
    return tokenizers.Tokenizer(model)


def test_words_are_cut_as_by_the_library():
    ours, _ = minilm()
    words, unseen = book()
    long = ["x" * 100, "x" * 101, "a" * 10_000]
    strange = ["naïve", "北京", "한", "😀", "[MASK]", "##able", "a##b"]
    theirs = their_wordpiece(ours.vocabulary)
    assert_cut_alike(ours.model, theirs, [*words, *unseen, *long, *strange])


TOKEN = st.text("ab", min_size=1, max_size=3)


@given(
    st.sets(TOKEN | TOKEN.map(lambda token: CONTINUED + token), max_size=12),
    st.lists(st.text("abc", min_size=1, max_size=8), max_size=20),
)
def test_any_word_is_cut_as_by_the_library_whatever_the_vocabulary(tokens, words):
    vocabulary = ["[UNK]", *sorted(tokens)]
    assert_cut_alike(WordPiece(vocabulary), their_wordpiece(vocabulary), words)


def their_trained_wordpiece(words: Counter[str], size: int) -> set[str]:
    trainer = tokenizers.trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=[*SPECIALS], show_progress=False
    )
    model = tokenizers.models.WordPiece(unk_token="[UNK]")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = WhitespaceSplit()
    texts = (word for word, count in words.items() for _ in range(count))
    tokenizer.train_from_iterator(texts, trainer)
    return set(tokenizer.get_vocab())


def marked(pair: tuple[str, str]) -> str:
    return pair[0] + pair[1].removeprefix(CONTINUED)


def test_wordpiece_learns_the_library_s_vocabulary():
    """At sizes where the last pair has no rival: in the library, chance breaks ties."""
    words, _ = book()
    for size in (298, 695):
        ours = WordPiece.train(words, size)
        assert set(ours.vocabulary) == their_trained_wordpiece(words, size)


def test_each_merge_of_the_library_is_a_most_frequent_pair():
    """With its ties replayed, the library's training is the one documented here."""
    words = Counter(dict(book()[0].most_common(700)))
    theirs = merges_of(their_bpe(words, 500, continuing_subword_prefix=CONTINUED))
    texts = {w: [w[0], *(CONTINUED + letter for letter in w[1:])] for w in words}
    for pair in theirs:
        counts = Counter()
        for word, symbols in texts.items():
            for neighbours in pairwise(symbols):
                counts[neighbours] += words[word]
        assert counts[pair] == max(counts.values())
        for word, symbols in texts.items():
            if set(pair) <= set(symbols):
                texts[word] = merge(symbols, pair, marked(pair))
    assert len(theirs) > 400


@given(MORE_COUNTS, st.integers(0, 20))
def test_a_trained_vocabulary_spells_its_words(words, more):
    least = len(WordPiece.train(words, 10_000, min_count=10_000))
    model = WordPiece.train(words, least + more)
    assert model.vocabulary[: len(SPECIALS)] == SPECIALS
    assert len(model) <= least + more
    for word in words:
        pieces = model.pieces(word)
        assert "".join(p.token.removeprefix(CONTINUED) for p in pieces) == word


def test_bad_vocabularies_are_refused():
    with pytest.raises(ValueError, match=r"'\[UNK\]' is not in the vocabulary of 2"):
        WordPiece(["a", "##b"])
    with pytest.raises(ValueError, match="'a' is in the vocabulary twice"):
        WordPiece(["[UNK]", "a", "a"])
    with pytest.raises(ValueError, match=r"lacks \[PAD\], \[CLS\], \[SEP\], \[MASK\]"):
        Tokenizer(["[UNK]", "a"])
    with pytest.raises(ValueError, match="size is 7, but specials and letters are 9"):
        WordPiece.train({"ab": 1, "ba": 1}, 7)
    with pytest.raises(ValueError, match=r"'\[UNK\]' is not in the vocabulary"):
        WordPiece.train({"ab": 1}, 70, specials=["[PAD]"])


# -------------------------------------------------------- what BERT does to a text

OLD = unicodedata.ucd_3_2_0
EVERY = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
# The library's tables are of an older Unicode than Python's.
SETTLED = [
    letter
    for letter in EVERY
    if OLD.category(letter) == unicodedata.category(letter) != "Cn"
]
SETTINGS = [(True, None), (False, None), (True, False), (False, True)]


def in_chunks(letters: list[str], size: int = 500) -> list[str]:
    """Texts in which each of the letters stands between two others."""
    chunks = [letters[i : i + size] for i in range(0, len(letters), size)]
    return ["a " + "b".join(chunk) + "c" for chunk in chunks]


@pytest.mark.parametrize("lowercase, strip_accents", SETTINGS)
def test_every_character_is_normalised_as_by_the_library(lowercase, strip_accents):
    theirs = BertNormalizer(lowercase=lowercase, strip_accents=strip_accents)
    assert len(SETTLED) > 200_000
    for text in in_chunks(SETTLED):
        ours, places = normalize(text, lowercase, strip_accents)
        assert ours == theirs.normalize_str(text), hex(ord(text[2]))
        assert len(places) == len(ours)


def test_few_newer_characters_differ_from_the_library():
    theirs = BertNormalizer()
    newer = set(EVERY) - set(SETTLED)
    named = [letter for letter in newer if unicodedata.category(letter) != "Cn"]
    differ = [x for x in named if normalize(x)[0] != theirs.normalize_str(x)]
    assert len(differ) < 1000 < len(named)


def test_every_character_is_split_as_by_the_library():
    for text in in_chunks(SETTLED):
        theirs = [span for _, span in BertPreTokenizer().pre_tokenize_str(text)]
        assert split_words(text) == theirs, hex(ord(text[2]))


# Marks that can be put in another order, but stay, are the only ones that a look at
# one character at a time gets wrong.
TEXT = st.text(
    st.sampled_from(
        [x for x in SETTLED if not unicodedata.combining(x) or OLD.category(x) == "Mn"]
    )
    | st.sampled_from("aAéÉİßﬁΣ北한 \t\n\0\u200d\u0301.,'$[MASK]😀👍"),
    max_size=20,
)


@given(TEXT, st.sampled_from(SETTINGS))
def test_any_text_is_normalised_and_split_as_by_the_library(text, setting):
    theirs = BertNormalizer(lowercase=setting[0], strip_accents=setting[1])
    ours, places = normalize(text, *setting)
    assert ours == theirs.normalize_str(text)
    assert places == sorted(places)
    spans = [span for _, span in BertPreTokenizer().pre_tokenize_str(ours)]
    assert split_words(ours) == spans


def test_half_a_character_is_dropped():
    assert normalize("a\ud83db") == ("ab", [0, 2])


# ---------------------------------------------------------------- the whole tokenizer


def assert_same(text, pair=None, max_length=None):
    ours, theirs = minilm()
    if pair == "":  # `transformers` takes it for none, `tokenizers` does not
        assert ours.encode(text, pair).tokens[-2:] == ["[SEP]", "[SEP]"]
        pair = None
    expected = theirs(
        text,
        pair,
        return_offsets_mapping=True,
        is_split_into_words=isinstance(text, list),
        truncation=max_length is not None,
        max_length=max_length,
    )
    found = ours.encode(text, pair, max_length)
    assert found.ids == expected["input_ids"], text
    assert found.tokens == expected.tokens()
    assert found.offsets == expected["offset_mapping"], text
    assert found.word_ids == expected.word_ids()
    assert found.type_ids == expected["token_type_ids"]
    assert found.sequence_ids == expected.sequence_ids()


CORPORA = ["film_reviews", "tweets", "products", "chinese_reviews"]


@pytest.mark.parametrize("name", CORPORA)
def test_real_texts_are_encoded_as_by_transformers(name):
    texts = [rated.text for rated in corpora.load(name)[:500]]
    for text, other in pairwise(texts):
        assert_same(text)
        assert_same(text, other, max_length=64)


def test_real_words_are_encoded_as_by_transformers():
    for words, _ in corpora.load("ner_tweets")[:500]:
        assert_same(words)
        assert_same(words, max_length=16)


STRANGE = [
    "",
    " \t\n",
    "naïve café, İstanbul ΟΔΟΣ in 北京! 한국 😊👍🏽 e\u0301 x\u0301y",
    "what [MASK] is[SEP]  x [cls] [CLS][MASK] [FOO] [UNK]s",
    "\u0301 \u0301a",
    "a\u200bb\u00ad c\ufffdd\0e\u2028f\u3000g",
    "a" * 10_000 + " b",
    "ﬁne Ⅷ ½ ＡＢＣ１２３ …—“”‘’",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 \U0002a6d6 \ue000 \u202eabc",
]


@pytest.mark.parametrize("text", STRANGE)
def test_strange_texts_are_encoded_as_by_transformers(text):
    assert_same(text)
    assert_same(text, "and more")
    assert_same("some", text)
    assert_same([text, "word", *text.split()])


@settings(deadline=None)
@given(TEXT, TEXT | st.none(), st.integers(3, 20) | st.none())
def test_any_text_is_encoded_as_by_transformers(text, pair, max_length):
    assert_same(text, pair, max_length)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(3, 16))
def test_truncation_is_that_of_transformers(first, second, max_length):
    assert_same("a " * first, "b " * second, max_length)


@given(TEXT)
def test_offsets_point_into_the_text(text):
    """A known piece, whose text no rule changes, is what its offsets say."""
    ours, _ = minilm()
    found = ours.encode(text)
    for token, (start, end) in zip(
        found.tokens[1:-1], found.offsets[1:-1], strict=True
    ):
        assert 0 <= start < end <= len(text)
        part = text[start:end]
        if part.isascii() and part.isalnum() and token != "[UNK]":
            assert token.removeprefix(CONTINUED) == part.lower()


def test_batches_are_those_of_transformers():
    ours, theirs = minilm()
    texts = [rated.text for rated in corpora.load("tweets")[:40]]
    for options in ({}, {"max_length": 12}):
        batch = ours(texts, texts[::-1], **options)
        expected = theirs(
            texts, texts[::-1], padding=True, truncation=bool(options), **options
        )
        assert set(batch) == set(expected)
        for name, array in batch.items():
            assert array.dtype == np.int64
            assert array.tolist() == expected[name]


def test_decoding_is_the_library_s():
    ours, _ = minilm()
    decoder = tokenizers.decoders.WordPiece(cleanup=False)
    for rated in corpora.load("film_reviews")[:300]:
        found = ours.encode(rated.text)
        assert ours.decode(found.ids) == decoder.decode(found.tokens[1:-1])
        whole = ours.decode(found.ids, skip_special=False)
        assert whole == decoder.decode(found.tokens)
    assert ours.decode([]) == ""


@pytest.mark.parametrize("lowercase, strip_accents", SETTINGS)
def test_a_saved_tokenizer_is_read_by_transformers(tmp_path, lowercase, strip_accents):
    text = "Der Zug fährt nach 北京, ÄÖÜ!"
    both = text + normalize(text)[0]
    words = Counter(both[start:end] for start, end in split_words(both))
    ours = Tokenizer(WordPiece.train(words, 90).vocabulary, lowercase, strip_accents)
    ours.save_pretrained(tmp_path / "saved")
    theirs = BertTokenizer.from_pretrained(tmp_path / "saved")
    again = Tokenizer.from_pretrained(tmp_path / "saved")
    assert again.vocabulary == ours.vocabulary
    expected = theirs(text, return_offsets_mapping=True)
    theirs.save_pretrained(tmp_path / "theirs")
    assert not (tmp_path / "theirs" / "vocab.txt").exists()
    once_more = Tokenizer.from_pretrained(tmp_path / "theirs")
    for found in (ours.encode(text), again.encode(text), once_more.encode(text)):
        assert found.ids == expected["input_ids"]
        assert found.offsets == expected["offset_mapping"]


def test_bad_input_is_refused_with_what_to_do(tmp_path):
    ours, _ = minilm()
    with pytest.raises(ValueError, match="max_length is 2: 3 special tokens must"):
        ours.encode("a", "b", max_length=2)
    with pytest.raises(ValueError, match="texts is 'one text': expected a list of"):
        ours("one text")
    with pytest.raises(ValueError, match=r"texts is \[\]: expected a list of texts"):
        ours([])
    with pytest.raises(ValueError, match="2 texts need as many pairs: got 1"):
        ours(["a", "b"], ["c"])
    with pytest.raises(ValueError, match=r"got \[1, 2\]: expected a text or a list"):
        ours.encode([1, 2])
    with pytest.raises(ValueError, match="got None: expected a text"):
        ours.encode(None, "a pair")
    with pytest.raises(ValueError, match="got 3: expected a text or a list of words"):
        ours(["a", 3])
    with pytest.raises(ValueError, match="nothing to pad: give at least one encoding"):
        ours.pad([])
    with pytest.raises(ValueError, match=r"id 99999 is not in 0 … 30521"):
        ours.decode([99_999])
    with pytest.raises(FileNotFoundError, match=r"holds neither vocab.txt nor token"):
        Tokenizer.from_pretrained(tmp_path)
    ids = {token: 2 * number for number, token in enumerate(SPECIALS)}
    bert = {"type": "BertNormalizer", "lowercase": True}
    whole = {"model": {"vocab": ids}, "normalizer": bert}
    (tmp_path / "tokenizer.json").write_text(json.dumps(whole))
    with pytest.raises(ValueError, match="does not number its tokens 0, 1, 2"):
        Tokenizer.from_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_text(json.dumps({**whole, "normalizer": None}))
    with pytest.raises(ValueError, match="tokenizer of another model than BERT"):
        Tokenizer.from_pretrained(tmp_path)
