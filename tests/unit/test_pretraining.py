"""Masks against the binomial law, pairs against the text, losses against PyTorch."""

import math
import random
from itertools import chain, islice

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from lmcourse import corpora
from lmcourse.batches import IGNORED
from lmcourse.bert import Config, ForMaskedLM, ForPretraining
from lmcourse.pretraining import (
    CLS,
    MASK,
    SEP,
    SPECIALS,
    Masking,
    character_vocabulary,
    fill,
    kind,
    loss_by_group,
    mean_loss,
    mlm_batches,
    mlm_loss,
    own_bert,
    pair_batches,
    pieces,
    pretraining_loss,
    read_tokenizer,
    sentence_pairs,
    write_tokenizer,
)
from lmcourse.subwords import Tokenizer
from lmcourse.training import Recipe, train

TOKENS = [*SPECIALS, *"abcdefghijklmnopqrstuvwxyz0123456789"]
MASKING = Masking.of(TOKENS)
NUMBERS = {token: number for number, token in enumerate(TOKENS)}
AROUND = NUMBERS[CLS], NUMBERS[SEP]
RANDOM = random.Random(1)
TEXTS = [
    [RANDOM.randrange(5, 41) for _ in range(RANDOM.randrange(1, 30))] for _ in range(50)
]
SMALL = Config(41, 16, 2, 2, 32, 64, dropout=0.1)


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def bounds(trials: int, probability: float, error: float = 1e-6) -> tuple[int, int]:
    """The interval that a binomial count leaves with this probability at most."""
    from scipy.stats import binom

    return binom.ppf(error / 2, trials, probability), binom.isf(
        error / 2, trials, probability
    )


# ---------------------------------------------------------------- masks


def test_shares_follow_the_binomial_law():
    tokens = torch.tensor(NUMBERS["a"]).repeat(1000, 200)
    read, targets = MASKING(tokens, generator())
    chosen = targets != IGNORED
    among = chosen.sum().item()
    low, high = bounds(tokens.numel(), 0.15)
    assert low <= among <= high
    # A random token is the same again in one case of all ordinary tokens.
    same = 0.1 + 0.1 / 36
    fates = {
        0.8: read == MASKING.mask,
        same: chosen & (read == tokens),
        0.2 - same: chosen & (read != tokens) & (read != MASKING.mask),
    }
    for probability, fate in fates.items():
        low, high = bounds(among, probability)
        assert low <= fate.sum().item() <= high
    assert torch.equal(read[~chosen], tokens[~chosen])
    assert torch.equal(targets[chosen], tokens[chosen])


def test_random_tokens_are_spread_evenly_over_all_ordinary_ones():
    masking = Masking.of(TOKENS, share=1.0, masked=0.0, random=1.0)
    read, _ = masking(torch.full((36_000,), 7), generator())
    counts = torch.bincount(read, minlength=len(TOKENS))
    low, high = bounds(36_000, 1 / 36)
    assert counts[:5].sum() == 0
    assert ((low <= counts[5:]) & (counts[5:] <= high)).all()


def test_choices_do_not_depend_on_the_place():
    tokens = torch.full((20_000, 6), 9)
    _, targets = MASKING(tokens, generator())
    low, high = bounds(20_000, 0.15)
    assert all(low <= n <= high for n in (targets != IGNORED).sum(0).tolist())


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=50),
    st.integers(0, 2**31),
    st.floats(0.01, 1),
)
@settings(max_examples=50, deadline=None)
def test_special_tokens_are_never_chosen_nor_drawn(numbers, seed, share):
    tokens = torch.tensor([numbers])
    read, targets = Masking.of(TOKENS, share=share)(tokens, generator(seed))
    special = tokens < 5
    assert torch.equal(read[special], tokens[special])
    assert (targets[special] == IGNORED).all()
    assert ((read >= 5) | (read == MASKING.mask) | special).all()
    assert read.shape == targets.shape == tokens.shape
    assert read.dtype == targets.dtype == torch.int64
    kept = targets == IGNORED
    assert torch.equal(read[kept], tokens[kept])
    assert torch.equal(targets[~kept], tokens[~kept])


def test_a_seed_gives_exact_masks():
    """The rule again, one token at a time, from the same random numbers."""
    tokens = torch.tensor([[2, 7, 8, 1, 9, 3, 0], [2, 30, 31, 32, 33, 34, 3]])
    masking = Masking.of(TOKENS, share=0.5)
    read, targets = masking(tokens, generator(4))
    draws = generator(4)
    choice, fate = (torch.rand(2, 7, generator=draws) for _ in range(2))
    other = torch.randint(36, (2, 7), generator=draws)
    for row in range(2):
        for place in range(7):
            token = tokens[row, place].item()
            expected = (token, IGNORED)
            if token >= 5 and choice[row, place] < 0.5:
                now = 5 + other[row, place].item() if fate[row, place] < 0.9 else token
                now = MASKING.mask if fate[row, place] < 0.8 else now
                expected = (now, token)
            assert (read[row, place], targets[row, place]) == expected
    assert (targets != IGNORED).sum() not in (0, 9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"share": 0.0}, "share is 0.0"),
        ({"share": 1.5}, "share is 1.5"),
        ({"masked": 0.8, "random": 0.3}, "together at most 1"),
        ({"random": -0.1}, "random -0.1"),
    ],
)
def test_bad_shares_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Masking.of(TOKENS, **changes)
    with pytest.raises(ValueError, match="only special tokens"):
        Masking.of(SPECIALS)
    with pytest.raises(ValueError, match=r"lacks \[PAD\], "):
        Masking.of(["[MASK]", "a", "b"])


# ---------------------------------------------------------------- batches


def test_masks_are_redrawn_in_every_epoch_and_each_epoch_can_be_repeated():
    batches = mlm_batches(TEXTS, MASKING, AROUND, 8)

    def targets(epoch):
        found = {}
        for read, _, _, target in batches(epoch):
            for row, wanted in zip(read, target, strict=True):
                original = torch.where(wanted == IGNORED, row, wanted)
                found[tuple(original[original != 0].tolist())] = tuple(wanted.tolist())
        return found

    first, again, second = targets(0), targets(0), targets(1)
    assert first == again
    assert first.keys() == second.keys() == {(2, *text, 3) for text in TEXTS}
    assert sum(first[text] != second[text] for text in first) > 40
    other = mlm_batches(TEXTS, MASKING, AROUND, 8, seed=2)
    assert not torch.equal(next(other(0))[0], next(batches(0))[0])


@pytest.mark.parametrize("make", ["mlm", "pairs"])
def test_batches_keep_shape_and_kind(make):
    batches = {
        "mlm": lambda: mlm_batches(TEXTS, MASKING, AROUND, 8),
        "pairs": lambda: pair_batches(TEXTS, MASKING, AROUND, 8, 32),
    }[make]()
    rows = 0
    for read, types, mask, *labels, targets in batches(0):
        rows += len(read)
        assert read.shape == types.shape == mask.shape == targets.shape
        assert read.shape[1] <= 32
        assert read.dtype == types.dtype == targets.dtype == torch.int64
        assert mask.dtype == torch.bool and torch.equal(mask, read != 0)
        assert (targets[~mask] == IGNORED).all() and (types[~mask] == 0).all()
        assert (read[:, 0] == NUMBERS[CLS]).all()
        ends = (read == NUMBERS[SEP]).sum(1)
        assert (ends == (2 if labels else 1)).all()
        assert all(each.shape == (len(read),) for each in labels)
    assert rows == (49 if make == "pairs" else 50)


def test_pieces_are_equal_and_lose_nothing():
    cut = pieces(TEXTS, 7)
    assert [*chain(*cut)] == [*chain(*TEXTS)]
    assert max(map(len, cut)) <= 7
    assert len(cut) == sum(math.ceil(len(text) / 7) for text in TEXTS)
    for text in TEXTS:
        lengths = [len(piece) for piece in pieces([text], 7)]
        assert max(lengths) - min(lengths) <= 1
    assert pieces([[]], 5) == []
    with pytest.raises(ValueError, match="longest is 0"):
        pieces(TEXTS, 0)


# ---------------------------------------------------------------- pairs


def test_half_of_the_pairs_go_on_and_half_do_not():
    lines = [[number] for number in range(20_001)]
    pairs = list(sentence_pairs(lines, 10, generator()))
    assert [first[0] for first, _, _ in pairs] == list(range(20_000))
    low, high = bounds(20_000, 0.5)
    assert low <= sum(label for _, _, label in pairs) <= high
    for first, second, label in pairs:
        assert (second[0] == first[0] + 1) == (label == 0)
        assert first != second
    others = torch.tensor([b[0] for _, b, label in pairs if label])
    assert torch.histc(others.float(), 10).min() > 800  # of about 1,000


def test_a_wrong_pair_is_drawn_from_all_other_lines():
    lines = [[number] for number in range(4)]
    seen = set()
    for seed in range(200):
        for first, second, label in sentence_pairs(lines, 2, generator(seed)):
            seen.add((first[0], second[0], label))
    every = {(a, b, int(b != a + 1)) for a in range(3) for b in range(4) if a != b}
    assert seen == every


@given(
    st.lists(st.integers(1, 40), min_size=3, max_size=8),
    st.integers(2, 30),
    st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_long_lines_are_cut_where_they_do_not_touch(lengths, longest, seed):
    lines = [[100 * i + j for j in range(n)] for i, n in enumerate(lengths)]
    for place, (first, second, _) in enumerate(
        sentence_pairs(lines, longest, generator(seed))
    ):
        assert 2 <= len(first) + len(second) <= longest
        assert first == lines[place][-len(first) :]
        other = lines[second[0] // 100]
        assert second == other[: len(second)]
        if len(lines[place]) + len(other) >= longest:
            assert len(first) + len(second) == longest


def test_too_few_lines_are_refused():
    with pytest.raises(ValueError, match="2 lines and at most 9 tokens"):
        list(sentence_pairs([[1], [2]], 9, generator()))


# ---------------------------------------------------------------- losses


def test_the_mlm_loss_is_the_one_over_all_logits():
    torch.manual_seed(3)
    model = ForMaskedLM(SMALL).eval()
    for batch in islice(mlm_batches(TEXTS, MASKING, AROUND, 8)(0), 3):
        *inputs, targets = batch
        logits, _ = model(*inputs)
        expected = functional.cross_entropy(logits.mT, targets, reduction="sum")
        assert mlm_loss(model, batch, None)[0].item() == pytest.approx(expected.item())


def test_the_loss_of_both_tasks_is_that_of_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(3)
    ours = ForPretraining(SMALL).eval()
    ours.save_pretrained(tmp_path)
    theirs = transformers.BertForPreTraining.from_pretrained(tmp_path).eval()
    batch = next(pair_batches(TEXTS, MASKING, AROUND, 8, 32)(0))
    tokens, types, mask, labels, targets = batch
    expected = theirs(
        input_ids=tokens,
        token_type_ids=types,
        attention_mask=mask.long(),
        labels=targets,
        next_sentence_label=labels,
    ).loss
    mean = pretraining_loss(ours, batch, None)[0] / (targets != IGNORED).sum()
    assert mean.item() == pytest.approx(expected.item(), rel=1e-5)


def test_losses_by_group_add_up_to_the_mean():
    torch.manual_seed(3)
    model = ForMaskedLM(SMALL)
    batches = list(mlm_batches(TEXTS, MASKING, AROUND, 8)(0))
    groups = [kind(token) for token in TOKENS]
    found = loss_by_group(model, batches, groups)
    assert set(found) == {"Latin", "digit"} and model.training
    count = sum(n for n, _ in found.values())
    assert count == sum((batch[-1] != IGNORED).sum().item() for batch in batches)
    total = sum(n * mean for n, mean in found.values())
    mean = mean_loss(model, batches, mlm_loss)
    assert total / count == pytest.approx(mean, rel=1e-6)
    assert mean == pytest.approx(math.log(41), rel=0.1)  # it knows nothing yet
    with pytest.raises(ValueError, match="a generator is used up"):
        mean_loss(model, iter([]), mlm_loss)


def test_a_folder_says_whether_accents_are_kept(tmp_path):
    tokens = [*SPECIALS, "caf", "##é", "##e"]
    Tokenizer(tokens, lowercase=True, strip_accents=False).save_pretrained(tmp_path)
    read = read_tokenizer(tmp_path).encode("Café")
    assert read.tokens == ["[CLS]", "caf", "##é", "[SEP]"]


def test_a_text_is_learnt_and_filled_in(tmp_path):
    write_tokenizer([*SPECIALS, *"的一是不了"], tmp_path)
    tokenizer = read_tokenizer(tmp_path)
    text = tokenizer.encode("的一是不了的是", add_special_tokens=False).ids
    masking = Masking.of([*SPECIALS, *"的一是不了"])
    torch.manual_seed(1)
    model = ForMaskedLM(Config(10, 16, 1, 2, 32, 32, dropout=0.0))
    batches = mlm_batches([text] * 16, masking, (2, 3), 16)
    recipe = Recipe(steps=80, learning_rate=0.02, every=80)
    train(model, batches, recipe, loss=mlm_loss)
    first, second = fill(model, tokenizer, f"的{MASK}是不{MASK}的是", top=2)
    assert (first[0][0], second[0][0]) == ("一", "了")
    assert first[0][1] > 0.9 and len(first) == 2
    with pytest.raises(ValueError, match=r"has no \[MASK\]"):
        fill(model, tokenizer, "的一")


# ---------------------------------------------------------------- characters


def test_every_character_is_a_token_and_transformers_agrees(tmp_path):
    transformers = pytest.importorskip("transformers")
    texts = [
        "１９９８年，Windows 98 好！",
        "1998年 98 windows",
        "好，年",
        "１９９８ win",
    ]
    tokens = character_vocabulary(texts, min_count=1)
    assert tuple(tokens[:5]) == SPECIALS and len(tokens) == len(set(tokens))
    write_tokenizer(tokens, tmp_path)
    ours = read_tokenizer(tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for text in (*texts, "8年好好", "年Q好", "windows1"):
        found = ours.encode(text)
        assert found.ids == theirs(text)["input_ids"]
        if "[UNK]" not in found.tokens:
            joined = "".join(token.removeprefix("##") for token in found.tokens[1:-1])
            assert joined == "".join(text.lower().split())
    assert "[UNK]" in ours.encode("年Q好").tokens
    assert theirs.mask_token_id == tokens.index(MASK)


def test_tokens_are_ordered_by_count():
    assert character_vocabulary(["年年年月月日日日", "日"], 3)[5:] == ["日", "年"]
    with pytest.raises(ValueError, match="there is no text"):
        character_vocabulary([])
    with pytest.raises(FileNotFoundError, match=r"vocab\.txt does not exist"):
        read_tokenizer("nowhere")


def test_few_characters_of_unseen_chinese_are_unknown():
    if not corpora.catalogue()["chinese_reviews"].is_here:
        pytest.skip("lmcourse fetch chinese_reviews")
    reviews = corpora.load("chinese_reviews")
    texts = [review.text for review in reviews.train[:4000]]
    tokens = character_vocabulary(texts)
    assert sum(kind(token) == "Chinese" for token in tokens) > 2000
    assert {"的", "1", "##0", "，", "a"} <= set(tokens)


def test_the_courses_own_bert_knows_some_chinese_and_transformers_agrees():
    transformers = pytest.importorskip("transformers")
    folder = own_bert()
    if not folder.exists():
        pytest.skip("it is not trained yet: make long NAME=pretraining")
    assert sum(file.stat().st_size for file in folder.iterdir()) < 20e6
    ours, tokenizer = ForMaskedLM.from_pretrained(folder), read_tokenizer(folder)
    assert not ours.loaded.missing and not ours.loaded.unexpected
    theirs = transformers.AutoModelForMaskedLM.from_pretrained(folder).eval()
    tokens = torch.tensor([tokenizer.encode(f"中华人民{MASK}和国成立了。").ids])
    logits = theirs(tokens).logits
    assert logits.dtype == torch.float32
    assert torch.allclose(ours(tokens)[0], logits, atol=1e-4)
    for text, token in ((f"经济发{MASK}", "展"), (f"房间很干{MASK}。", "净")):
        assert fill(ours, tokenizer, text)[0][0][0] == token
