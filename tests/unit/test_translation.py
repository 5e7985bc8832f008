"""Sentence pairs as numbers, translations as strings, and the baselines."""

import json
from collections import Counter, defaultdict
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lmcourse import corpora, evaluation, text, translation
from lmcourse.batches import pair_batch
from lmcourse.corpora import Pair
from lmcourse.generation import greedy
from lmcourse.training import Recipe, train
from lmcourse.translation import Dictionary, Languages, words

PAIRS = [
    Pair("I love you.", "我爱你。"),
    Pair("You love Tom.", "你爱汤姆。"),
    Pair("Tom sleeps.", "汤姆睡觉。"),
    Pair("I sleep, Tom!", "我睡觉，汤姆！"),
    Pair("Tom has 12 books.", "汤姆有十二本书。"),
]


@pytest.fixture(scope="module")
def languages():
    return Languages.of(PAIRS, min_count=1)


@pytest.fixture(scope="module")
def trained(languages):
    """A translator that has learned five pairs by heart."""
    torch.manual_seed(1)
    model = translation.build(languages, width=32, num_layers=1, dropout=0.0)
    pairs = languages.number(PAIRS)
    recipe = Recipe(steps=80, learning_rate=1e-2)
    train(model, translation.epochs(pairs, languages, 5), recipe)
    return model


# ---------------------------------------------------------------- numbers and strings


@given(st.text(st.characters(codec="ascii", exclude_categories=["Nd"])))
def test_words_are_those_of_the_course_where_there_are_no_digits(english):
    assert words(english) == text.tokenize(english)


def test_words_keep_numbers_and_accents():
    assert words("At 10, René’s café.") == ["at", "1", "0", ",", "rené's", "café", "."]


def test_what_was_numbered_can_be_written_again(languages):
    for pair, (source, target) in zip(PAIRS, languages.number(PAIRS), strict=True):
        assert languages.write(target) == pair.chinese
        assert languages.english.decode(source) == words(pair.english)


def test_padding_and_ends_belong_to_one_language_each(languages):
    assert languages.english.tokens[languages.pad] == "<pad>"
    assert languages.chinese.tokens[languages.end] == "</s>"
    assert "</s>" not in languages.english
    numbered = languages.number(PAIRS)
    assert all(languages.pad not in source for source, _ in numbered)
    assert all(languages.end not in target for _, target in numbered)


def test_a_sentence_without_words_is_refused(languages):
    with pytest.raises(ValueError, match="no word to translate in '…'"):
        languages.read("…")


def test_an_epoch_holds_every_pair_once(languages):
    numbered = languages.number(PAIRS)
    found = [
        (tuple(source[source != languages.pad].tolist()), tuple(read[1:].tolist()))
        for batch in translation.epochs(numbered, languages, 2)(3)
        for source, read in zip(batch[0], batch[1], strict=True)
    ]
    assert len(found) == len(PAIRS)
    assert {source for source, _ in found} == {tuple(s) for s, _ in numbered}


# ---------------------------------------------------------------- the model


def test_loss_is_that_of_pytorch_on_each_pair_alone(languages):
    torch.manual_seed(2)
    model = translation.build(languages, width=16, num_layers=1).eval()
    numbered = languages.number(PAIRS)
    total = count = 0
    for pair in numbered:
        source, read, targets = pair_batch([pair], languages.end, languages.pad)
        log_p = model(source, read)[0][0].detach().log_softmax(-1)  # (time, vocabulary)
        total -= float(log_p[range(len(targets[0])), targets[0]].sum())
        count += targets.numel()
    found = translation.loss_per_character(model, numbered, languages, size=3)
    assert found == pytest.approx(total / count, rel=1e-5)


@pytest.mark.parametrize("beams", [1, 3])
def test_what_was_learned_by_heart_comes_back_in_order(trained, languages, beams):
    english = [pair.english for pair in PAIRS]
    found = translation.translate(trained, english, languages, beams, size=2)
    assert found == [pair.chinese for pair in PAIRS]


def test_a_translation_does_not_depend_on_its_neighbours(trained, languages):
    english = ["Tom sleeps.", "You love books, Tom, you love, I love!", "I sleep."]
    together = translation.translate(trained, english, languages)
    alone = [translation.translate(trained, [one], languages)[0] for one in english]
    assert together == alone


def test_greedy_translation_is_that_of_generation(trained, languages):
    source = torch.tensor([languages.read("You sleep, Tom.")])
    prompt = torch.tensor([[languages.end]])
    one = lambda tokens, state: trained(source, tokens, state)  # noqa: E731
    (expected,) = greedy(one, prompt, 28, languages.end)
    found = translation.translate(trained, ["You sleep, Tom."], languages)
    assert found == [languages.write(expected)]


def test_unknown_is_never_written(languages):
    torch.manual_seed(3)
    model = translation.build(languages, width=16, num_layers=1).eval()
    table = model.target.tokens.weight
    with torch.no_grad():  # a model that wants to write nothing else
        model.decoder_norm.weight.zero_()
        model.decoder_norm.bias.copy_(table[0])
        table[0] *= 10
    for beams in (1, 2):
        (found,) = translation.translate(model, ["Tom"], languages, beams)
        assert "<unk>" not in found
    assert int(model(torch.tensor([[2]]), torch.tensor([[1]]))[0].argmax()) == 0


def test_candidates_come_best_first(trained, languages):
    (found,) = translation.search(trained, ["I love Tom."], languages, beams=3)
    assert len(found) == 3
    scores = [candidate.score for candidate in found]
    assert scores == sorted(scores, reverse=True)
    (best,) = translation.translate(trained, ["I love Tom."], languages, beams=3)
    assert languages.write(found[0].tokens) == best


def test_a_bad_number_of_beams_is_refused(trained, languages):
    with pytest.raises(ValueError, match="beams is 0"):
        translation.translate(trained, ["Tom"], languages, beams=0)


def test_a_stored_model_comes_back(tmp_path, monkeypatch, trained, languages):
    places = (tmp_path / "x" / "weights.safetensors", tmp_path / "x" / "card.json")
    monkeypatch.setattr(translation, "_places", lambda: places)
    with pytest.raises(FileNotFoundError, match="make long NAME=translation"):
        translation.load(PAIRS)
    options = {"width": 32, "num_layers": 1, "dropout": 0.0}
    sizes = [len(languages.english), len(languages.chinese)]
    facts = {"model": options, "min_count": 1, "vocabularies": sizes, "known": "五"}
    translation.save(trained, facts)
    assert json.loads(places[1].read_text("utf-8")) == facts
    with pytest.raises(ValueError, match="give the whole training part"):
        translation.load(PAIRS[:3])
    model, theirs, card = translation.load(PAIRS)
    assert card == facts and not model.training
    assert theirs.chinese.tokens == languages.chinese.tokens
    for name, weight in trained.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight.half().float()), name


# ---------------------------------------------------------------- baselines


def test_copy_and_most_frequent():
    english = ["Tom sleeps.", "I love you."]
    assert translation.copy(english) == english
    again = [*PAIRS, Pair("I adore you.", "我爱你。")]
    assert translation.most_frequent(again, english) == ["我爱你。"] * 2


def test_dice_counts_pairs_of_sentences():
    dictionary = Dictionary(PAIRS, min_count=1)
    english = [set(words(pair.english)) for pair in PAIRS]
    chinese = [set(translation.pieces(pair.chinese)) for pair in PAIRS]
    for word in set().union(*english):
        for piece in set().union(*chinese):
            with_word = {i for i, side in enumerate(english) if word in side}
            with_piece = {i for i, side in enumerate(chinese) if piece in side}
            dice = 2 * len(with_word & with_piece) / (len(with_word) + len(with_piece))
            assert dictionary.dice(word, piece) == pytest.approx(dice)


def test_the_dictionary_translates_word_by_word():
    dictionary = Dictionary(PAIRS, min_count=2)
    assert dictionary.best["tom"] == "汤姆"  # 汤 occurs as often, and is shorter
    assert dictionary.best["love"] == "爱"
    assert dictionary.translate(["Tom loves love."]) == [
        "汤姆爱" + dictionary.best["."]
    ]
    assert dictionary.translate(["Unheard-of"]) == [""]


# ---------------------------------------------------------------- the corpus


def test_no_sentence_of_tatoeba_is_in_two_parts():
    """Walk from pair to pair through shared sentences, breadth first."""
    corpus = corpora.load("tatoeba")
    holders = defaultdict(list)
    for number, pair in enumerate(corpus):
        holders["en", pair.english].append(number)
        holders["zh", pair.chinese].append(number)
    seen: set[int] = set()
    sizes = Counter()
    for start in range(len(corpus)):
        if start in seen:
            continue
        seen.add(start)
        component = [start]
        for number in component:
            pair = corpus[number]
            for other in holders["en", pair.english] + holders["zh", pair.chinese]:
                if other not in seen:
                    seen.add(other)
                    component.append(other)
        assert len({corpus.parts[number] for number in component}) == 1
        sizes[len(component)] += 1
    assert max(sizes) > 10  # there is something to keep together
    assert sum(size * count for size, count in sizes.items()) == len(corpus)


def test_every_sentence_of_tatoeba_can_be_read():
    assert all(words(pair.english) for pair in corpora.load("tatoeba"))


def test_pieces_of_a_sentence():
    assert translation.pieces("我爱你") == [
        *"我爱你",
        *map("".join, pairwise("我爱你")),
    ]


def test_held_out_pairs_are_a_fixed_choice():
    corpus = corpora.load("tatoeba")
    chosen = translation.held_out(corpus.test, 1000)
    assert chosen == translation.held_out(corpus.test, 1000)
    assert len({pair.english for pair in chosen}) == 1000
    assert set(chosen) <= set(corpus.test)
    with pytest.raises(ValueError, match="there are 5 different"):
        translation.held_out([*PAIRS, *PAIRS], 6)


def test_the_stored_translator_fits_its_vocabularies():
    """With a vocabulary in another order its translations would be noise."""
    corpus = corpora.load("tatoeba")
    model, languages, card = translation.load(corpus.train)
    assert sum(weight.numel() for weight in model.parameters()) == card["parameters"]
    pairs = translation.held_out(corpus.test, 50)
    texts = translation.translate(model, [pair.english for pair in pairs], languages)
    assert evaluation.bleu(texts, [pair.chinese for pair in pairs], "zh").value > 25
