"""Fine-tuning against transformers, seqeval, scikit-learn and PyTorch."""

import json
import math
import random
import socket
import subprocess
import sys
from itertools import chain, pairwise, product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from lmcourse.batches import IGNORED
from lmcourse.bert import Config, ForClassification, ForTokens
from lmcourse.finetuning import (
    Example,
    adversarial,
    batch_of,
    batches,
    best_tags,
    bootstrap,
    class_weights,
    entity_counts,
    entity_kinds,
    entity_scores,
    follows,
    freeze,
    interval,
    label_loss,
    label_words,
    layer_of,
    layer_rates,
    predict,
    spans,
    tag_names,
    text_examples,
    word_examples,
)
from lmcourse.pretraining import (
    SPECIALS,
    character_vocabulary,
    read_tokenizer,
    write_tokenizer,
)
from lmcourse.training import Recipe, each_alone, train

SMALL = Config(40, 16, 2, 2, 32, 64, dropout=0.0, attention_dropout=0.0)
RANDOM = random.Random(1)
TOKENS = [[RANDOM.randrange(5, 40) for _ in range(n)] for n in range(1, 21)] * 2
EXAMPLES = [Example([2, *row, 3], int(row[0] < 20)) for row in TOKENS]
WORDS = ["un", "##believ", "##able", "film", "the", "s", "##een", ".", "good"]


def new_model(kind=ForClassification, **changes) -> nn.Module:
    torch.manual_seed(5)
    return kind(Config(**{**SMALL.__dict__, **changes}))


@pytest.fixture(scope="module")
def english(tmp_path_factory):
    folder = tmp_path_factory.mktemp("english")
    write_tokenizer([*SPECIALS, *WORDS], folder)
    return folder


@pytest.fixture(scope="module")
def chinese(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chinese")
    texts = ["１９９８年，李鹏在ＢＢＣ说：好", "好说在年，李", "ＢＢＣ"]
    write_tokenizer(character_vocabulary(texts, 1), folder)
    return read_tokenizer(folder)


# ---------------------------------------------------------------- text


def test_texts_are_those_of_transformers(english):
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoTokenizer.from_pretrained(english)
    texts = ["The unbelievable film.", "Seen: the film", "x", ""]
    ours = text_examples(texts, [0, 1, 0, 1], read_tokenizer(english), longest=6)
    expected = theirs(texts, truncation=True, max_length=6)["input_ids"]
    assert [example.tokens for example in ours] == expected
    assert [example.label for example in ours] == [0, 1, 0, 1]
    with pytest.raises(ValueError, match="4 texts and 1 labels"):
        text_examples(texts, [0], read_tokenizer(english))


def test_labels_may_be_those_of_numpy_and_torch_but_must_be_numbers(english):
    tokenizer = read_tokenizer(english)
    for labels in (np.array([1, 0]), torch.tensor([1, 0]), [True, False]):
        target = batch_of(text_examples(["the", "film"], labels, tokenizer))[-1]
        assert target.dtype == torch.int64
        assert target.tolist() == [1, 0]
    with pytest.raises(ValueError, match="a label is 'good': give the number"):
        text_examples(["the"], ["good"], tokenizer)
    with pytest.raises(ValueError, match="text 1 is nan: give a string"):
        text_examples(["the", math.nan], [0, 1], tokenizer)
    with pytest.raises(ValueError, match="longest is 2: expected 3 or more"):
        text_examples(["the"], [0], tokenizer, longest=2)
    with pytest.raises(ValueError, match="longest is 2: expected 3 or more"):
        word_examples([["the"]], [[0]], tokenizer, longest=2)


def test_joined_words_that_share_a_token_are_read_alone(english):
    tokenizer = read_tokenizer(english)
    (example,) = word_examples(
        [["s", "een", "film"]], [[1, 2, 3]], tokenizer, joined=True
    )
    assert [tokenizer.id_to_token(n) for n in example.tokens[1:-1]] == ["[UNK]"] * 3
    write_tokenizer([*SPECIALS, "s", "e", "##e", "se", "##en", "n"], english / "parts")
    tokenizer = read_tokenizer(english / "parts")
    (example,) = word_examples([[*"seen"]], [[1, 2, 3, 4]], tokenizer, joined=True)
    assert [tokenizer.id_to_token(n) for n in example.tokens[1:-1]] == [*"seen"]
    assert example.label == [IGNORED, 1, 2, 3, 4, IGNORED]


def test_a_word_has_its_label_at_its_first_token(english):
    tokenizer = read_tokenizer(english)
    words = [["the", "unbelievable", "film", "."]]
    (example,) = word_examples(words, [[1, 2, 3, 4]], tokenizer)
    pieces = [tokenizer.id_to_token(n) for n in example.tokens]
    assert pieces == ["[CLS]", "the", "un", "##believ", "##able", "film", ".", "[SEP]"]
    assert example.label == [IGNORED, 1, 2, IGNORED, IGNORED, 3, 4, IGNORED]
    with pytest.raises(ValueError, match="4 words and 1 labels in 'the unb"):
        word_examples(words, [[1]], tokenizer)


@given(
    st.lists(
        st.lists(
            st.sampled_from(["the", "unbelievable", "\u200b", "ß", "."]), max_size=9
        ),
        max_size=4,
    ),
    st.integers(4, 12),
)
@settings(max_examples=40, deadline=None)
def test_cut_sentences_keep_every_label_once_and_in_order(english, words, longest):
    labels = [list(range(len(some))) for some in words]
    found = word_examples(words, labels, read_tokenizer(english), longest)
    marks = [mark for each in found for mark in each.label if mark != IGNORED]
    assert marks == [*chain(*labels)]
    assert all(len(each.tokens) == len(each.label) <= longest for each in found)


def test_characters_are_read_as_they_are_written(chinese):
    text = "１９９８年，李鹏在ＢＢＣ说"
    (example,) = word_examples([[*text]], [range(len(text))], chinese, joined=True)
    assert example.tokens == chinese.encode(text).ids
    assert example.label == [IGNORED, *range(len(text)), IGNORED]
    # An unknown run is one token to the tokenizer, and three characters to us.
    (example,) = word_examples([[*"在ＢＱＣ说"]], [range(5)], chinese, joined=True)
    pieces = [chinese.id_to_token(n) for n in example.tokens[1:-1]]
    assert pieces == ["在", "[UNK]", "[UNK]", "[UNK]", "说"]
    assert example.label == [IGNORED, *range(5), IGNORED]


def test_words_get_the_likeliest_label(chinese):
    sentences = [[*"李鹏在年"], [*"好说，" * 20], [*"年"]]
    model = new_model(ForTokens, labels=("O", "B", "I"))
    found = label_words(model, sentences, chinese, longest=20, joined=True)
    assert [*map(len, found)] == [4, 60, 1]
    tokens = torch.tensor([chinese.encode("李鹏在年").ids])
    expected = model(tokens)[0][0, 1:-1].argmax(-1)
    assert found[0] == [("O", "B", "I")[n] for n in expected]


# ---------------------------------------------------------------- batches


def test_the_best_tags_are_the_best_of_all_legal_ones():
    random = np.random.default_rng(1)
    names = tag_names(("PER", "LOC"))
    for words in (1, 2, 4):
        rows = [
            row
            for row in product(range(len(names)), repeat=words)
            if all(
                follows(names[a], names[b])
                for a, b in pairwise((names.index("O"), *row))
            )
        ]
        for _ in range(20):
            scores = random.normal(size=(words, len(names)))
            best = max(rows, key=lambda row: scores[range(words), row].sum())
            assert best_tags(scores, names) == [names[number] for number in best]
    assert best_tags(np.zeros((0, len(names))), names) == []
    assert best_tags(np.array([[0.0, 5.0]] * 2), ("no", "yes")) == ["yes", "yes"]


def test_legal_labels_differ_only_where_the_likeliest_are_not_possible(chinese):
    names = tag_names(("PER",))
    model = new_model(ForTokens, labels=names)
    sentences = [[*"我们学习语言模型"], [], [*"中国"] * 30]
    likeliest, legal = (
        label_words(model, sentences, chinese, longest=20, joined=True, legal=choice)
        for choice in (False, True)
    )
    for plain, mended in zip(likeliest, legal, strict=True):
        assert len(plain) == len(mended)
        possible = [follows(a, b) for a, b in pairwise(["O", *plain])]
        assert (plain == mended) == all(possible)
        assert all(follows(a, b) for a, b in pairwise(["O", *mended]))
    assert likeliest != legal  # or nothing was tried


def test_an_epoch_holds_every_example_once_and_padding_is_never_scored():
    labelled = [
        Example(e.tokens, [IGNORED, *e.tokens[1:-1], IGNORED]) for e in EXAMPLES
    ]
    for examples in (EXAMPLES, labelled):
        seen = []
        for tokens, types, mask, labels in batches(examples, 8)(3):
            assert tokens.shape == types.shape == mask.shape and len(tokens) == 8
            assert tokens.dtype == labels.dtype == torch.int64
            assert mask.dtype == torch.bool and torch.equal(mask, tokens != 0)
            if labels.ndim == 2:
                assert labels.shape == tokens.shape
                assert (labels[~mask] == IGNORED).all()
            seen += [
                tuple(row[keep].tolist())
                for row, keep in zip(tokens, mask, strict=True)
            ]
        assert sorted(seen) == sorted(tuple(e.tokens) for e in examples)
    first, second = (next(iter(batches(EXAMPLES, 8)(epoch)))[0] for epoch in (0, 1))
    assert first.shape != second.shape or not torch.equal(first, second)
    with pytest.raises(ValueError, match="no example to learn from"):
        batches([], 8)


def test_predictions_come_in_the_order_of_the_examples():
    model = new_model().train()
    found = predict(model, EXAMPLES, size=7)
    assert model.training
    model.eval()
    for example, logits in zip(EXAMPLES, found, strict=True):
        expected = model(torch.tensor([example.tokens]))[0][0]
        assert np.allclose(logits, expected.detach(), atol=1e-5)


# ---------------------------------------------------------------- losses


def test_the_loss_is_pytorchs_with_weights_and_smoothing():
    model, batch = new_model(labels=("a", "b", "c")), batch_of(EXAMPLES[:8])
    weights = torch.tensor([0.5, 1.5, 1.0])
    found, _ = label_loss(weights, smoothing=0.1)(model, batch, None)
    p = model(*batch[:-1])[0].log_softmax(-1)
    smooth = 0.9 * functional.one_hot(batch[-1], 3) + 0.1 / 3
    assert found.item() == pytest.approx(-(weights * smooth * p).sum().item(), rel=1e-5)
    plain, _ = label_loss()(model, batch, None)
    assert plain.item() == pytest.approx(each_alone(model, batch, None)[0].item())


def test_class_weights_are_those_of_scikit_learn():
    utils = pytest.importorskip("sklearn.utils.class_weight")
    labels = [0, 0, 0, 1, 2, 2]
    expected = utils.compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert np.allclose(class_weights(labels, 3), expected)
    assert np.mean(class_weights(labels, 3).numpy()[labels]) == pytest.approx(1)
    with pytest.raises(ValueError, match="class 3 has no example"):
        class_weights(labels, 4)
    with pytest.raises(ValueError, match="a label is 2, and 2 classes"):
        class_weights(labels, 2)


def test_fgm_moves_each_text_as_far_as_asked_and_uphill():
    model, batch = new_model(), batch_of(EXAMPLES[:6])
    table = model.bert.embeddings.tokens
    outputs = []
    with table.register_forward_hook(lambda *call: outputs.append(call[-1].detach())):
        loss = adversarial(each_alone, table, epsilon=0.3)
        both, _ = loss(model, batch, None)
    plain, _ = each_alone(model, batch, None)
    assert both > plain and not table._forward_hooks
    # By hand: the same gradient, through the table itself.
    vectors = outputs[0].clone().requires_grad_()
    with table.register_forward_hook(lambda *call: vectors):
        again, _ = each_alone(model, batch, None)
    again.backward()
    gradient = vectors.grad
    change = torch.stack([0.3 * row / row.norm() for row in gradient])
    with table.register_forward_hook(lambda *call: call[-1] + change):
        moved, _ = each_alone(model, batch, None)
    assert both.item() == pytest.approx((plain + moved).item() / 2, rel=1e-5)


def test_a_model_learns_with_fgm_and_weights():
    labels = [e.label for e in EXAMPLES]
    model = new_model()
    loss = adversarial(
        label_loss(class_weights(labels, 2)), model.bert.embeddings.tokens, 0.01
    )
    recipe = Recipe(steps=100, learning_rate=0.01, every=100)
    train(model, batches(EXAMPLES, 20), recipe, loss=loss)
    found = [int(logits.argmax()) for logits in predict(model, EXAMPLES)]
    assert np.mean(np.array(found) == labels) > 0.9


def test_fgm_moves_the_vectors_of_a_frozen_table_as_well():
    model, frozen = new_model(), new_model()
    freeze(frozen, 1)
    batch = batch_of(EXAMPLES[:8])
    losses = [
        adversarial(label_loss(), each.bert.embeddings.tokens)(each, batch, None)[0]
        for each in (model, frozen)
    ]
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-6)
    losses[1].backward()
    assert frozen.bert.embeddings.tokens.weight.grad is None


# ---------------------------------------------------------------- freezing and rates


@pytest.mark.parametrize("depth", range(4))
def test_frozen_weights_stay_and_the_others_learn(depth):
    model, before = new_model(), new_model()
    learning = freeze(model, depth)
    train(model, batches(EXAMPLES, 20), Recipe(steps=3, weight_decay=0.1))
    moved = 0
    pairs = zip(model.named_parameters(), before.parameters(), strict=True)
    for (name, weight), old in pairs:
        frozen = layer_of(name, 2) < depth
        assert torch.equal(weight, old) == frozen or "types" in name
        moved += 0 if frozen else weight.numel()
    assert moved == learning
    expected = {
        0: "bert.embeddings.tokens.weight",
        1: "bert.encoder.layers.0.inner.bias",
    }
    assert all(layer_of(name, 2) == n for n, name in expected.items())
    with pytest.raises(ValueError, match=r"layers\.2\..* lies beyond 2 layers"):
        layer_of("bert.encoder.layers.2.inner.bias", 2)
    with pytest.raises(ValueError, match="depth is 4: expected 0 to 3"):
        freeze(model, 4)


def test_rates_fall_from_the_head_to_the_embeddings():
    scale = layer_rates(2, 0.5)
    names = [
        "classifier.weight",
        "bert.pooler.dense.bias",
        "bert.encoder.layers.1.outer.weight",
        "bert.encoder.layers.0.attention.query.linear.bias",
        "bert.embeddings.norm.weight",
    ]
    assert [*map(scale, names)] == [1, 1, 0.5, 0.25, 0.125]
    assert set(map(layer_rates(2, 1.0), names)) == {1}
    with pytest.raises(ValueError, match="decay is 0"):
        layer_rates(2, 0)


# ---------------------------------------------------------------- scores

TAGS = st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])


@given(st.lists(st.lists(st.tuples(TAGS, TAGS), min_size=1, max_size=8), min_size=1))
@settings(max_examples=100, deadline=None)
def test_entity_scores_are_those_of_seqeval(sentences):
    seqeval = pytest.importorskip("seqeval.metrics")
    scheme = pytest.importorskip("seqeval.scheme").IOB2
    true, predicted = ([[p[i] for p in row] for row in sentences] for i in (0, 1))
    ours = entity_scores(entity_counts(true, predicted))
    options = {"mode": "strict", "scheme": scheme, "zero_division": 0}
    expected = [
        getattr(seqeval, f"{name}_score")(true, predicted, **options)
        for name in ("precision", "recall", "f1")
    ]
    assert ours == pytest.approx(expected)


def test_tags_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="differ in length"):
        entity_counts([["O"]], [["O", "O"]])
    with pytest.raises(ValueError, match="a list of tags for each sentence"):
        entity_counts(["B-PER", "O"], ["B-PER", "O"])


def test_names_of_tags():
    rows = [["B-PER", "I-PER", "O"], ["B-LOC", "B-PER"]]
    assert entity_kinds(rows) == ("PER", "LOC")
    assert tag_names(("PER", "LOC")) == ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
    assert {span.kind for row in rows for span in spans(row)} == {"PER", "LOC"}


def test_intervals_hold_as_often_as_they_say():
    random = np.random.default_rng(1)
    samples = random.normal(3.0, 2.0, size=(400, 5))
    hits = sum(low < 3 < high for low, high in map(interval, samples))
    assert 0.95 * 400 - 25 < hits < 0.95 * 400 + 18
    with pytest.raises(ValueError, match="1 value"):
        interval([0.5])
    with pytest.raises(ValueError, match="level is 95"):
        interval([0.5, 0.6], level=95)
    right = random.random(500) < 0.8
    low, high = bootstrap(right)
    half = 1.96 * math.sqrt(0.8 * 0.2 / 500)
    assert (high - low) / 2 == pytest.approx(half, rel=0.15)
    counts = np.array([[1, 2, 3], [2, 2, 2], [0, 1, 1]] * 50)
    low, high = bootstrap(counts, lambda rows: entity_scores(rows).f1)
    assert low < entity_scores(counts).f1 < high
    with pytest.raises(ValueError, match="nothing to resample"):
        bootstrap([])


# ---------------------------------------------------------------- several processes

LAUNCHED = """
import json, sys, torch
from lmcourse import finetuning
from lmcourse.training import Recipe, train
from tests.unit.test_finetuning import EXAMPLES, new_model
torch.set_num_threads(1)
model = new_model().double()
recipe = Recipe(steps=6, learning_rate=0.01, every=2)
dev = lambda model: float(finetuning.predict(model, EXAMPLES[:1])[0][0])
history = train(model, finetuning.batches(EXAMPLES, 8), recipe, dev=dev,
                loss=finetuning.label_loss(), scale=finetuning.layer_rates(2, 0.5))
import accelerate
if accelerate.PartialState().is_main_process:
    found = {"processes": accelerate.PartialState().num_processes,
             "curve": [(row.step, row.loss, row.dev) for row in history]}
    open(sys.argv[1], "w").write(json.dumps(found))
"""


def test_accelerate_launch_on_two_processes_learns_what_one_learns(
    tmp_path, monkeypatch
):
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", str(root))
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    (tmp_path / "script.py").write_text(LAUNCHED)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # On CPUs accelerate's own `--cpu` starts several processes through MPI alone.
    monkeypatch.setenv("ACCELERATE_USE_CPU", "yes")
    options = f"--mixed_precision no --dynamo_backend no --main_process_port {port}"
    found = []
    for processes, way in ((1, ""), (2, " --multi_gpu --num_machines 1")):
        result = tmp_path / f"{processes}.json"
        launch = f"-m accelerate.commands.launch {options}{way} --num_processes"
        command = [*launch.split(), str(processes), "script.py", str(result)]
        subprocess.run([sys.executable, *command], cwd=tmp_path, check=True)
        found.append(json.loads(result.read_text()))
    one, two = found
    assert (one["processes"], two["processes"]) == (1, 2)
    assert np.allclose(one["curve"], two["curve"], rtol=0, atol=1e-6)
    assert one["curve"][-1][1] < one["curve"][0][1]
