"""ARPA files and pruning, against KenLM and against definitions."""

import numpy as np
import pytest

from lmcourse.ngrams import (
    SMOOTHERS,
    Counts,
    JelinekMercer,
    Katz,
    MaximumLikelihood,
    ModifiedKneserNey,
    StupidBackoff,
    WittenBell,
    prune_counts,
    prune_entropy,
    read_arpa,
    write_arpa,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore::lmcourse.ngrams.smoothing.DiscountWarning"
)

WORDS = ["the", "<unk>", "战争", "与\u3000和平", "naïve", "'tis", ",", "."]
WORDS += [f"w{i}" for i in range(30)]
WRITABLE = [
    SMOOTHERS[name] for name in SMOOTHERS if name not in ("mle", "stupid-backoff")
]


def zipf_text(sentences, seed):
    """Sentences with frequent and rare words, and some habits."""
    rng = np.random.default_rng(seed)
    p = 1 / np.arange(1, len(WORDS) + 1)
    text = []
    for _ in range(sentences):
        words = rng.choice(len(WORDS), size=rng.integers(1, 12), p=p / p.sum())
        words[1::3] = (words[: len(words[1::3])] + 1) % len(WORDS)  # worth learning
        text.append([WORDS[word] for word in words])
    return text


TRAINING = zipf_text(150, seed=1)
TEST = [*zipf_text(30, seed=2), ["new", "the", "<unk>", "new", "new"]]


def fitted(smoother, order):
    counts = Counts.of(TRAINING, order)
    if smoother is JelinekMercer:
        return smoother(order).fit(counts, held_out=TEST)
    return smoother(order).fit(counts)


def kenlm_scores(path, sentences):
    """ln p and matched length of every token, as KenLM sees them."""
    kenlm = pytest.importorskip("kenlm")
    model = kenlm.Model(str(path))
    renamed = (" ".join("<rare>" if w == "<unk>" else w for w in s) for s in sentences)
    rows = [row for line in renamed for row in model.full_scores(line)]
    return np.array([row[0] for row in rows]) * np.log(10), [row[1] for row in rows]


def assert_same_tables(ours, theirs):
    assert ours.words == theirs.words
    for a, b in zip(ours.levels, theirs.levels, strict=True):
        assert np.array_equal(a.keys, b.keys)
    for name in ("log_prob", "log_backoff"):
        for a, b in zip(getattr(ours, name), getattr(theirs, name), strict=True):
            assert np.array_equal(a, b)


@pytest.mark.parametrize("order", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("smoother", WRITABLE)
def test_kenlm_scores_every_token_alike_and_reading_back_loses_nothing(
    tmp_path, smoother, order
):
    model = fitted(smoother, order)
    thresholds = (1, 1, 2, 2, 2, 2)[:order]
    for made in (model, prune_counts(model, thresholds), prune_entropy(model, 1e-4)):
        path = tmp_path / "model.arpa"
        write_arpa(made, path)
        scores = made.score(TEST)
        logprob, matched = kenlm_scores(path, TEST)
        assert scores.logprob == pytest.approx(logprob, abs=1e-5)
        assert scores.order.tolist() == matched
        assert_same_tables(read_arpa(path), made)


def test_files_of_characters_load_in_kenlm(tmp_path):
    lines = ["战争与和平", "和平与战争", "战士与和", "平和"] * 3
    model = ModifiedKneserNey(3).fit([list(line) for line in lines])
    write_arpa(model, tmp_path / "zh.arpa")
    logprob, _ = kenlm_scores(tmp_path / "zh.arpa", [list("和平人")])
    assert model.score([list("和平人")]).logprob == pytest.approx(logprob, abs=1e-5)


def test_files_of_other_tools_are_read(tmp_path):
    path = tmp_path / "srilm.arpa"
    path.write_text(
        "\n\\data\\\nngram 1=4\nngram 2=2\nngram 3=1\n\n\\1-grams:\n-99 <s> -0.5\n"
        "-0.3 </s>\n-0.6 b\t-0.1\n-0.7 a\n\n\\2-grams:\n-0.2 <s> a -0.4\n-0.25 a b\n\n"
        "\\3-grams:\n-0.125 <s> a b\n\n\\end\\\n"
    )
    model = read_arpa(path)
    log10 = model.score([["a", "b"], ["a", "a"], ["new"]]).logprob / np.log(10)
    by_hand = [-0.2, -0.125, -0.1 - 0.3, -0.2, -0.4 - 0.7, -0.3]
    assert log10[:6] == pytest.approx(by_hand)
    assert log10[6] == -np.inf  # the file has no <unk>


def test_a_trained_unknown_word_is_renamed_and_comes_back(tmp_path):
    path = tmp_path / "model.arpa"
    for word, name in (("the", "<rare>"), ("<rare>", "<rare>_")):
        model = WittenBell(2).fit([["a", word, "<unk>"], ["<unk>", word]])
        write_arpa(model, path)
        lines = path.read_text().splitlines()
        assert lines[0].startswith(f"# The trained word <unk> is written {name};")
        assert f"{word} {name}" in path.read_text()
        assert_same_tables(read_arpa(path), model)
    write_arpa(WittenBell(2).fit([["a", "b"]]), path)
    assert path.read_text().startswith("\\data\\")


def test_kenlm_scores_a_trained_capital_unknown_word_as_we_do(tmp_path):
    model = WittenBell(2).fit([["a", "<UNK>", "<unk>"], ["<UNK>", "a", "<UNK>"]])
    write_arpa(model, tmp_path / "model.arpa")
    assert_same_tables(read_arpa(tmp_path / "model.arpa"), model)
    test = ["new", "<UNK>", "a", "<UNK>"]
    written = [word.replace("<UNK>", "<rare>_") for word in test]  # <rare> is <unk>
    logprob, _ = kenlm_scores(tmp_path / "model.arpa", [written])
    assert model.score([test]).logprob == pytest.approx(logprob, abs=1e-5)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (MaximumLikelihood(2).fit(TRAINING), "weight 0"),
        (StupidBackoff(2).fit(TRAINING), "weight 0.4"),
        (WittenBell(2).fit([["a b", "c"]]), "'a b' is or contains white space"),
        (WittenBell(2).fit([["", "c"]]), "'' is or contains white space"),
        (WittenBell(2).fit([["a\0", "c"]]), "is or contains white space"),
        (WittenBell(2), "call fit"),
    ],
)
def test_what_arpa_cannot_hold_is_refused_and_no_file_is_left(tmp_path, model, message):
    with pytest.raises(ValueError, match=message):
        write_arpa(model, tmp_path / "model.arpa")
    assert list(tmp_path.iterdir()) == []


ARPA = (
    "\\data\\\nngram 1=4\nngram 2=1\n\n"
    "\\1-grams:\n-1 <unk>\n-1 <s>\t-1\n-1 </s>\n-1 a\n"
    "\n\\2-grams:\n-1 <s> a\n\n\\end\\\n"
)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\\data\\", "", "no ARPA file"),
        ("ngram 1=4\n", "", "no ARPA file"),
        ("ngram 2=1\n", "ngram 3=1\n", r"expected \\end\\"),
        ("-1 a\n", "", "line 4 of .1-grams: is missing"),
        ("-1 a\n", "-1 a\n-1 b\n", r"expected \\2-grams:, found"),
        ("-1 a\n", "-1 a b c\n", "line 4 of .1-grams: is missing"),
        ("-1 a\n", "nine a\n", "could not convert"),
        ("-1 a\n", "nan a\n", "no number"),
        ("-1 a\n", "0.5 a\n", "probability above 1"),
        ("-1 <s> a", "-1 <s> b", "'b' in a 2-gram is no unigram"),
        ("ngram 2=1\n", "ngram 2=2\n", "line 2 of .2-grams: is missing"),
        ("\n\\end\\\n", "", "found b'the end of the file'"),
        (
            "ngram 2=1",
            "ngram 2=1\n" + "\n".join(f"ngram {k}=1" for k in range(3, 9)),
            "order is 8",
        ),
    ],
)
def test_damaged_files_are_refused_with_the_place(tmp_path, old, new, message):
    path = tmp_path / "damaged.arpa"
    path.write_text(ARPA)
    read_arpa(path)
    assert ARPA.count(old) == 1
    path.write_text(ARPA.replace(old, new))
    with pytest.raises(ValueError, match=rf"damaged\.arpa: .*{message}"):
        read_arpa(path)


def test_a_missing_file_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_arpa(tmp_path / "none.arpa")


def all_histories(model):
    yield from ([], ["<s>"], ["new"], ["new", "the"], ["w29", "w28"])
    for sentence in TRAINING[:20]:
        for i in range(len(sentence)):
            yield ["<s>", *sentence[:i]]


@pytest.mark.parametrize("smoother", [WittenBell, Katz, ModifiedKneserNey])
def test_pruned_models_keep_probabilities_and_sum_to_one(smoother):
    model = fitted(smoother, 3)
    by_count, by_entropy = prune_counts(model, (1, 2, 3)), prune_entropy(model, 1e-3)
    for pruned in (by_count, by_entropy):
        sizes = [len(level) for level in pruned.levels]
        assert sizes[0] == len(model.words)
        assert all(s < len(x) for s, x in zip(sizes[1:], model.levels[1:], strict=True))
        for history in all_histories(model):
            assert pruned.distribution(history).sum() == pytest.approx(1, abs=1e-9)
    kept = by_count.score(TRAINING)
    before = model.score(TRAINING)
    same = kept.order == before.order
    assert same.sum() > 100
    assert kept.logprob[same & (kept.order == 3)] == pytest.approx(
        before.logprob[same & (kept.order == 3)]
    )


def test_pruning_by_count_keeps_what_was_seen_often_and_what_it_needs():
    counts = Counts.of(TRAINING, 3)
    pruned = prune_counts(WittenBell(3).fit(counts), (1, 1, 3))
    assert len(pruned.levels[1]) == len(counts.levels[1])
    assert len(pruned.levels[2]) == np.count_nonzero(counts.levels[2].count >= 3)


def test_pruning_by_entropy_drops_what_moves_the_distribution_least():
    """Stolcke's criterion, computed from whole distributions of a bigram model."""
    model = fitted(WittenBell, 2)
    level = model.levels[1]
    unigram = model.distribution([])
    rises = []
    for history, word in zip(level.history, level.word, strict=True):
        p = model.distribution([model.words[history]])
        seen = level.word[level.history == history]
        seen = seen[seen != word]
        q = unigram * (1 - p[seen].sum()) / (1 - unigram[seen].sum())
        q[seen] = p[seen]
        weight = 1 if history == 0 else unigram[history]
        positive = p > 0
        entropy = np.sum(p[positive] * np.log(p[positive] / q[positive]))
        rises.append(np.expm1(weight * entropy))
    rises = np.array(rises)
    threshold = float(np.median(rises))
    pruned = prune_entropy(model, threshold)
    assert np.array_equal(pruned.levels[1].keys, level.keys[rises >= threshold])


def test_pruning_everything_leaves_a_unigram_model():
    pruned = prune_entropy(fitted(WittenBell, 3), 1e9)
    assert pruned.order == 1
    assert pruned.perplexity(TEST) > 0


@pytest.mark.parametrize(
    ("prune", "message"),
    [
        (lambda m: prune_entropy(m, -1), "expected 0 or more"),
        (lambda m: prune_entropy(m, float("nan")), "expected 0 or more"),
        (lambda m: prune_counts(m, (1, 2)), "expected 3 numbers"),
        (lambda m: prune_counts(m, (2, 2, 2)), "the first 1"),
        (lambda m: prune_counts(m, (1, 0, 2)), "1 or more"),
        (lambda m: prune_counts(prune_entropy(m, 0), (1, 1, 2)), "has no counts"),
        (lambda m: prune_entropy(StupidBackoff(2).fit(TRAINING), 1), "no back-off"),
        (lambda m: prune_entropy(WittenBell(2), 1), "call fit"),
    ],
)
def test_bad_pruning_is_refused(prune, message):
    with pytest.raises(ValueError, match=message):
        prune(fitted(WittenBell, 3))
