"""LoRA against peft, and against itself once merged."""

import pytest
import torch

from lmcourse.bert import Config, ForClassification
from lmcourse.finetuning import Example, batch_of, batches, label_loss
from lmcourse.lora import LoRALinear, add_lora, merge_lora
from lmcourse.training import Recipe, train

SMALL = Config(40, 16, 2, 2, 32, 64)
EXAMPLES = [Example([2, *range(5, 6 + n), 3], n % 2) for n in range(12)]
BATCH = batch_of(EXAMPLES)


def new_model() -> ForClassification:
    torch.manual_seed(5)
    return ForClassification(SMALL).eval()


def trained() -> ForClassification:
    model = new_model()
    add_lora(model, rank=4, dropout=0.1)
    train(model, batches(EXAMPLES, 6), Recipe(steps=10, learning_rate=0.05))
    return model


def test_it_starts_from_the_model_as_it_was_and_moves_little():
    model, before = new_model(), new_model()
    learning = add_lora(model, rank=3)
    head = 2 * 16 + 2
    assert learning == 2 * 2 * 3 * (16 + 16) + head
    assert torch.equal(model(*BATCH[:-1])[0], before(*BATCH[:-1])[0])
    model = trained()
    assert not torch.allclose(model(*BATCH[:-1])[0], before(*BATCH[:-1])[0], atol=1e-3)
    weights = dict(before.named_parameters())
    for name, weight in model.named_parameters():
        old = name.replace(".linear.", ".")
        if old in weights and "classifier" not in name:
            assert torch.equal(weight, weights[old])


def test_merged_it_is_a_plain_model_that_says_the_same(tmp_path):
    model = trained()
    expected = model(*BATCH[:-1])[0]
    merge_lora(model)
    assert not any(isinstance(module, LoRALinear) for module in model.modules())
    assert all(weight.requires_grad for weight in model.parameters())
    assert torch.allclose(model(*BATCH[:-1])[0], expected, atol=1e-6)
    model.save_pretrained(tmp_path)
    loaded = ForClassification.from_pretrained(tmp_path)
    assert torch.allclose(loaded(*BATCH[:-1])[0], expected, atol=1e-6)


def test_outputs_and_gradients_are_those_of_peft(tmp_path):
    peft = pytest.importorskip("peft")
    transformers = pytest.importorskip("transformers")
    new_model().save_pretrained(tmp_path)
    plain = transformers.BertForSequenceClassification.from_pretrained(tmp_path)
    options = {"r": 4, "lora_alpha": 8, "target_modules": ["query", "value"]}
    theirs = peft.get_peft_model(
        plain, peft.LoraConfig(**options, modules_to_save=["classifier"])
    ).eval()
    ours = ForClassification.from_pretrained(tmp_path)
    learning = add_lora(ours, rank=4, alpha=8)
    assert learning == sum(p.numel() for p in theirs.parameters() if p.requires_grad)

    def pairs():
        found = dict(theirs.named_modules())
        for name, module in ours.named_modules():
            if isinstance(module, LoRALinear):
                path = name.replace("layers", "layer").replace(
                    "attention.", "attention.self."
                )
                other = found[f"base_model.model.{path}"]
                yield module.down, other.lora_A["default"].weight
                yield module.up, other.lora_B["default"].weight

    torch.manual_seed(2)
    with torch.no_grad():
        for own, other in pairs():
            own.copy_(0.1 * torch.randn(own.shape))
            other.copy_(own)
    tokens, types, mask, labels = BATCH
    loss, _ = label_loss()(ours, BATCH, None)
    (loss / len(labels)).backward()
    answer = theirs(
        input_ids=tokens,
        token_type_ids=types,
        attention_mask=mask.long(),
        labels=labels,
    )
    answer.loss.backward()
    assert torch.allclose(ours(*BATCH[:-1])[0], answer.logits, atol=1e-6)
    assert len(list(pairs())) == 8
    for own, other in pairs():
        assert own.grad.abs().max() > 0
        assert torch.allclose(own.grad, other.grad, atol=1e-6)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="rank is 0"):
        add_lora(new_model(), rank=0)
    with pytest.raises(ValueError, match="is called q_proj or v_proj"):
        add_lora(new_model(), targets=("q_proj", "v_proj"))
    with pytest.raises(ValueError, match="begins with 'clasifier'"):
        add_lora(new_model(), learn=("clasifier",))
    with pytest.raises(ValueError, match=r"learn is 'bert': give .* \['bert'\]"):
        add_lora(new_model(), learn="bert")


def test_before_it_is_merged_it_cannot_be_saved_as_a_plain_model(tmp_path):
    with pytest.raises(ValueError, match="call merge_lora first"):
        trained().save_pretrained(tmp_path)
