"""BERT, against `transformers`: the same numbers, gradients and files."""

import itertools
import json
from importlib.resources import files

import pytest
import safetensors.torch
import torch

from lmcourse import corpora
from lmcourse.batches import IGNORED
from lmcourse.bert import (
    Bert,
    Config,
    ForClassification,
    ForMaskedLM,
    ForNextSentence,
    ForPretraining,
    ForTokens,
    inputs,
    mean_pool,
)
from lmcourse.training import Recipe, each_alone, train

transformers = pytest.importorskip("transformers")

SMALL = Config(
    vocabulary_size=40,
    width=12,
    num_layers=3,
    num_heads=2,
    inner=20,
    max_length=16,
    labels=("B", "I", "O"),
)
HEADS = [
    (ForMaskedLM, "AutoModelForMaskedLM"),
    (ForNextSentence, "AutoModelForNextSentencePrediction"),
    (ForPretraining, "AutoModelForPreTraining"),
    (ForClassification, "AutoModelForSequenceClassification"),
    (ForTokens, "AutoModelForTokenClassification"),
]


def small_batch(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Three pairs of texts of unequal length."""
    generator = torch.Generator().manual_seed(seed)
    rows = [
        torch.randint(1, 40, (n,), generator=generator).tolist() for n in (16, 9, 4)
    ]
    return inputs(rows, [[0] * 3 + [1] * (len(row) - 3) for row in rows])


def randomise(model: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Draw every weight, so that no norm or bias hides behind its first value."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.2 * torch.randn(weight.shape, generator=generator)
    return model.eval()


def theirs(kind: str, folder, **options) -> torch.nn.Module:
    """The model as `transformers` loads it; nothing may be missing or left over."""
    model, report = getattr(transformers, kind).from_pretrained(
        folder, output_loading_info=True, **options
    )
    assert not any(report.values()), report
    return model


def close(ours: torch.Tensor, other: torch.Tensor, within: float = 1e-5) -> None:
    assert ours.shape == other.shape
    assert (ours - other).abs().max().item() < within


# ---------------------------------------------------------------- MiniLM


@pytest.fixture(scope="module")
def minilm():
    if not corpora.find("minilm").is_here:
        pytest.skip("the model is not on this machine: lmcourse fetch minilm")
    return corpora.load("minilm")


@pytest.fixture(scope="module")
def real(minilm):
    """A hundred real sentences in three kinds, padded in batches of ten."""
    wanted = {"film_reviews": 40, "tweets": 30, "chinese_reviews": 30}
    if not all(corpora.find(name).is_here for name in wanted):
        pytest.skip("the texts are not on this machine: lmcourse fetch all")
    texts = [
        item.text
        for name, count in wanted.items()
        for item in itertools.islice(corpora.load(name).dev, count)
    ]
    assert len(texts) == 100
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm)
    mixed = [texts[i::10] for i in range(10)]
    return [
        tokenizer(
            ten, padding=True, truncation=True, max_length=96, return_tensors="pt"
        )
        for ten in mixed
    ]


def same_text(ours: torch.Tensor, other: torch.Tensor, mask: torch.Tensor) -> None:
    """Compare the hidden states of text in every layer to 1e-5, relative above 1.

    Single precision has 7 digits, and some states are larger than 10. At padding, which
    nobody reads, the two attentions of `transformers` are 3e-5 apart themselves.
    """
    ours, other = ours[:, mask], other[:, mask]  # (layers + 1, tokens, width)
    assert ((ours - other).abs() / other.abs().clamp(min=1)).max().item() < 1e-5


def test_minilm_is_that_of_transformers_in_every_layer_and_every_look(minilm, real):
    ours = Bert.from_pretrained(minilm)
    other = theirs("BertModel", minilm, attn_implementation="eager").eval()
    assert ours.loaded == ((), ())
    for batch in real:
        mask = batch["attention_mask"].bool()
        assert not mask.all()
        with torch.no_grad():
            expected = other(**batch, output_hidden_states=True, output_attentions=True)
            found = ours.inside(batch["input_ids"], batch["token_type_ids"], mask)
        same_text(found.hidden, torch.stack(expected.hidden_states), mask)
        close(found.attention, torch.stack(expected.attentions))


def test_in_double_precision_padding_is_the_same_as_well(minilm, real):
    ours = Bert.from_pretrained(minilm).double()
    other = theirs("BertModel", minilm, attn_implementation="eager").eval().double()
    with torch.no_grad():
        for batch in real[:3]:
            mask = batch["attention_mask"].bool()
            expected = other(**batch, output_hidden_states=True, output_attentions=True)
            found = ours.inside(batch["input_ids"], batch["token_type_ids"], mask)
            close(found.hidden, torch.stack(expected.hidden_states), 1e-12)
            close(found.attention, torch.stack(expected.attentions), 1e-12)
            last = ours(batch["input_ids"], mask=mask)  # all of type 0
            close(last, expected.last_hidden_state, 1e-12)
            close(ours.pooler(last), expected.pooler_output, 1e-12)


def test_minilm_has_the_gradients_of_transformers(minilm, real):
    batch = real[0]
    ours, other = Bert.from_pretrained(minilm), theirs("BertModel", minilm)
    mask = batch["attention_mask"].bool()
    last = ours(batch["input_ids"], batch["token_type_ids"], mask)
    expected = other(**batch).last_hidden_state
    weighting = torch.arange(last.numel()).view_as(last).sin()
    for hidden in (last, expected):
        (hidden * weighting).mean().backward()
    gradients = {name: weight.grad for name, weight in other.named_parameters()}
    pooler = {name for name in gradients if name.startswith("pooler.")}
    for name, weight in ours.named_parameters():
        expected = gradients[to_transformers(name)]
        if to_transformers(name) in pooler:
            assert weight.grad is None and expected is None
        else:
            close(weight.grad, expected, 1e-6)
    assert len(gradients) == len(list(ours.parameters()))


def to_transformers(name: str) -> str:
    from lmcourse.bert import _in_transformers

    return _in_transformers(name)


def test_minilm_saved_again_is_the_same_weights(minilm, tmp_path):
    Bert.from_pretrained(minilm).save_pretrained(tmp_path)
    before = safetensors.torch.load_file(minilm / "model.safetensors")
    after = safetensors.torch.load_file(tmp_path / "model.safetensors")
    assert before.keys() - after.keys() == {"embeddings.position_ids"}
    assert all(torch.equal(before[name], weight) for name, weight in after.items())


# ---------------------------------------------------------------- files, both ways


@pytest.mark.parametrize(("head", "kind"), [(Bert, "AutoModel"), *HEADS])
def test_weights_travel_both_ways(head, kind, tmp_path):
    ours = randomise(head(SMALL))
    ours.save_pretrained(tmp_path / "ours")
    other = theirs(kind, tmp_path / "ours")
    other.save_pretrained(tmp_path / "theirs")
    back = head.from_pretrained(tmp_path / "theirs")
    assert back.loaded == ((), ())
    assert not back.training
    assert back.config == SMALL
    for name, weight in ours.state_dict().items():
        assert torch.equal(weight, back.state_dict()[name]), name


@pytest.mark.parametrize(("head", "kind"), HEADS)
def test_heads_are_those_of_transformers(head, kind, tmp_path):
    ours = randomise(head(SMALL))
    ours.save_pretrained(tmp_path)
    tokens, types, mask = small_batch()
    named = {
        "input_ids": tokens,
        "token_type_ids": types,
        "attention_mask": mask.long(),
    }
    with torch.no_grad():
        logits, state = ours(tokens, types, mask)
        expected = theirs(kind, tmp_path)(**named)
    assert state is None
    if head is ForPretraining:
        close(logits[0], expected.prediction_logits)
        close(logits[1], expected.seq_relationship_logits)
    else:
        close(logits, expected.logits)


def test_names_of_labels_travel(tmp_path):
    ForTokens(SMALL).save_pretrained(tmp_path)
    assert theirs("AutoModelForTokenClassification", tmp_path).config.id2label == {
        0: "B",
        1: "I",
        2: "O",
    }


def test_a_head_starts_on_the_encoder_of_another_and_says_what_is_new(tmp_path):
    pretrained = randomise(ForPretraining(SMALL))
    pretrained.save_pretrained(tmp_path)
    model = ForClassification.from_pretrained(tmp_path, labels=("no", "yes"))
    assert model.loaded.missing == ("classifier.bias", "classifier.weight")
    assert "cls.predictions.bias" in model.loaded.unexpected
    assert model.config.labels == ("no", "yes")
    for name, weight in pretrained.bert.state_dict().items():
        assert torch.equal(weight, model.bert.state_dict()[name])
    assert not Bert.from_pretrained(tmp_path).loaded.missing


def test_a_bare_encoder_serves_a_head(tmp_path):
    bare = randomise(Bert(SMALL))
    bare.save_pretrained(tmp_path)
    model = ForTokens.from_pretrained(tmp_path)
    assert model.loaded.unexpected == ("pooler.dense.bias", "pooler.dense.weight")
    tokens, types, mask = small_batch()
    assert torch.equal(model.bert(tokens, types, mask), bare(tokens, types, mask))


def test_files_of_2018_call_norms_by_other_names(tmp_path):
    ours = randomise(ForMaskedLM(SMALL))
    ours.save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    old = {
        name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): w
        for name, w in safetensors.torch.load_file(file).items()
    }
    table = old["bert.embeddings.word_embeddings.weight"].clone()
    old["cls.predictions.decoder.weight"] = table
    safetensors.torch.save_file(old, file)
    back = ForMaskedLM.from_pretrained(tmp_path)
    assert back.loaded == ((), ())
    assert torch.equal(back.words.norm.weight, ours.words.norm.weight)


def test_half_precision_is_read_into_single(tmp_path):
    model = randomise(Bert(SMALL))
    model.half().save_pretrained(tmp_path)
    back = Bert.from_pretrained(tmp_path)
    assert {weight.dtype for weight in back.parameters()} == {torch.float32}
    close(back.pooler.dense.weight, model.float().pooler.dense.weight, 1e-9)


def test_missing_weights_of_the_encoder_are_an_error(tmp_path):
    Bert(SMALL).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"lacks .*layer\.3\..* 13 more"):
        Bert.from_pretrained(tmp_path, num_layers=4)
    assert Bert.from_pretrained(tmp_path, num_layers=1).loaded.unexpected


def test_other_shapes_are_an_error(tmp_path):
    ForClassification(SMALL).save_pretrained(tmp_path)
    with pytest.raises(
        ValueError, match=r"classifier\.weight \(3, 12\), not \(2, 12\)"
    ):
        ForClassification.from_pretrained(tmp_path, labels=("no", "yes"))


def test_pickled_weights_are_not_read(tmp_path):
    model = Bert(SMALL)
    model.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors does not exist"):
        Bert.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_act", "relu"),
        ("position_embedding_type", "relative_key"),
        ("model_type", "roberta"),
        ("tie_word_embeddings", False),
    ],
)
def test_a_model_of_another_kind_is_refused(name, value, tmp_path):
    Bert(SMALL).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
    with pytest.raises(ValueError, match=name):
        Bert.from_pretrained(tmp_path)


# ---------------------------------------------------------------- what it promises


def test_padding_changes_nothing():
    model = randomise(Bert(SMALL))
    tokens, types, mask = small_batch()
    together = model(tokens, types, mask)
    for row, length in enumerate(mask.sum(1).tolist()):
        alone = model(tokens[row : row + 1, :length], types[row : row + 1, :length])
        close(together[row : row + 1, :length], alone, 1e-6)


def test_it_reads_in_both_directions():
    model = randomise(Bert(SMALL))
    tokens, types, mask = small_batch()
    changed = tokens.clone()
    changed[0, -1] = 3 if tokens[0, -1] != 3 else 4
    moved = (model(tokens, types, mask) - model(changed, types, mask)).abs().amax(-1)
    assert (moved[0] > 1e-4).all()
    assert (moved[1:] == 0).all()


def test_types_and_mask_cannot_be_swapped():
    model = Bert(SMALL)
    tokens, types, mask = small_batch()
    with pytest.raises(ValueError, match="was this the mask"):
        model(tokens, mask)
    with pytest.raises(ValueError, match="were these the types"):
        model(tokens, mask=types)
    with pytest.raises(ValueError, match="same shape"):
        model(tokens, types, mask[:, :3])


def test_too_long_a_text_is_an_error():
    with pytest.raises(ValueError, match="17 tokens are more than the 16"):
        Bert(SMALL)(torch.ones(1, 17, dtype=torch.long))


def test_tokens_that_are_no_batch_or_of_another_vocabulary_are_errors():
    with pytest.raises(ValueError, match=r"tokens are \(3,\): give \(batch, time\)"):
        Bert(SMALL)(torch.tensor([2, 7, 3]))
    with pytest.raises(ValueError, match="not below 40, the vocabulary"):
        Bert(SMALL)(torch.tensor([[2, 40, 3]]))


def test_a_damaged_file_is_named(tmp_path):
    Bert(SMALL).save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(ValueError, match=r"model\.safetensors is damaged"):
        Bert.from_pretrained(tmp_path)


def test_only_the_wanted_places_are_predicted():
    model = randomise(ForPretraining(SMALL))
    tokens, types, mask = small_batch()
    places = mask & (tokens % 3 == 0)
    (every, follows), _ = model(tokens, types, mask)
    (wanted, same), _ = model(tokens, types, mask, places)
    close(wanted, every[places], 1e-6)
    assert torch.equal(follows, same)


def test_it_starts_as_the_paper_says():
    torch.manual_seed(0)
    model = ForPretraining(Config(vocabulary_size=1000, width=96, num_layers=2))
    for name, weight in model.named_parameters():
        if "norm" in name or name.endswith("bias"):
            assert (weight == float(name.endswith("norm.weight"))).all(), name
        else:
            rows = weight[1:] if name.endswith("embeddings.tokens.weight") else weight
            assert rows.std().item() == pytest.approx(0.02, rel=0.12), name
    assert (model.bert.embeddings.tokens.weight[0] == 0).all()


def test_dropout_reaches_attention_in_training_only():
    config = Config(**{**vars(SMALL), "dropout": 0.0, "attention_dropout": 0.5})
    model = randomise(Bert(config))
    batch = small_batch()
    assert torch.equal(model(*batch), model(*batch))
    model.train()
    assert not torch.equal(model(*batch), model(*batch))


def test_mean_pool_is_the_mean_of_the_text():
    hidden = torch.randn(3, 16, 5)
    _, _, mask = small_batch()
    for row, mean in enumerate(mean_pool(hidden, mask)):
        close(mean, hidden[row][mask[row]].mean(0), 1e-6)


def test_inputs_fill_up_short_rows():
    tokens, types, mask = inputs([[5, 6, 7], [8]], pad=9)
    assert tokens.tolist() == [[5, 6, 7], [8, 9, 9]]
    assert types.tolist() == [[0, 0, 0], [0, 0, 0]]
    assert mask.tolist() == [[True] * 3, [True, False, False]]
    with pytest.raises(ValueError, match="as long as"):
        inputs([[5, 6]], [[0]])


@pytest.mark.parametrize(
    "wrong",
    [
        {"dropout": 1.0},
        {"width": 0},
        {"num_layers": -1},
        {"pad": 40},
        {"num_heads": 5},
        {"labels": ("yes", "yes")},
    ],
)
def test_impossible_shapes_are_refused(wrong):
    with pytest.raises(ValueError, match=r"expected|do not divide"):
        Bert(Config(**{**vars(SMALL), **wrong}))


# ---------------------------------------------------------------- training


@pytest.mark.parametrize("head", [ForClassification, ForTokens])
def test_a_head_learns_with_the_course_s_loop(head):
    torch.manual_seed(0)
    tokens, types, mask = small_batch()
    if head is ForClassification:
        labels = torch.tensor([2, 0, 1])
    else:
        labels = torch.where(mask, tokens % 3, IGNORED)
    model = head(SMALL)
    batch = (tokens, types, mask, labels)
    count = (labels != IGNORED).sum().item()
    before = each_alone(model.eval(), batch, None)[0].item() / count
    recipe = Recipe(steps=60, learning_rate=1e-2, every=60)
    train(model, lambda epoch: [batch], recipe)
    after = each_alone(model, batch, None)[0].item() / count
    assert before > 0.9
    assert after < 0.1


# ---------------------------------------------------------------- the sense test


def test_the_sentences_of_the_sense_test_begin_alike(minilm):
    """Nothing but what follows may tell the sense: `The word …`, one token each."""
    text = (files("lmcourse.data") / "word_senses.json").read_text("utf-8")
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm)
    sentences = []
    for word, senses in json.loads(text).items():
        assert [len(each) for each in senses.values()] == [4, 4]
        for sentence in itertools.chain(*senses.values()):
            assert tokenizer.tokenize(sentence)[:2] == ["the", word]
            sentences.append(sentence)
    assert len(set(sentences)) == 80
