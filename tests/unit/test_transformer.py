"""Transformers, against PyTorch's layers and against what cannot leak or matter."""

import math
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lmcourse.attention import causal_mask
from lmcourse.transformer import (
    Block,
    Embedding,
    EncoderDecoder,
    Positions,
    TransformerLM,
    sinusoidal,
)

VOCABULARY, WIDTH, HEADS, TIME = 11, 8, 2, 6
POSITIONS = get_args(Positions)
SOURCE = torch.tensor([[3, 1, 4, 1, 5], [2, 7, 0, 0, 0]])
TARGET = torch.tensor([[9, 2, 6, 5, 3], [5, 8, 9, 7, 9]])


def close(ours: torch.Tensor, other: torch.Tensor) -> None:
    assert ours.shape == other.shape
    assert (ours - other).abs().max().item() < 1e-6


def language_model(positions: Positions = "rotary", **options) -> TransformerLM:
    torch.manual_seed(0)
    small = {"width": WIDTH, "num_layers": 2, "num_heads": HEADS, **options}
    return TransformerLM(VOCABULARY, positions=positions, **small).double().eval()


def translator(positions: Positions = "rotary") -> EncoderDecoder:
    torch.manual_seed(0)
    model = EncoderDecoder(VOCABULARY, VOCABULARY, WIDTH, 2, HEADS, positions)
    return model.double().eval()


def tokens(seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(VOCABULARY, (2, TIME), generator=generator)


# ---------------------------------------------------------------- positions


def test_sinusoidal_positions_follow_the_formula():
    table = sinusoidal(4, 7, start=100)
    for row, position in zip(table, range(100, 104), strict=True):
        for entry, value in enumerate(row.tolist()):
            angle = position / 10_000 ** (entry // 2 * 2 / 7)
            expected = math.cos(angle) if entry % 2 else math.sin(angle)
            assert value == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_added_positions_continue_after_a_start(positions):
    torch.manual_seed(0)
    embedding = Embedding(VOCABULARY, WIDTH, positions).eval()
    close(embedding(tokens()[:, 2:], start=2), embedding(tokens())[:, 2:])


def test_learned_positions_end():
    model = language_model("learned", max_length=TIME)
    _, state = model(tokens())
    with pytest.raises(ValueError, match=r"7 tokens are more than the 6 learned"):
        model(tokens()[:, :1], state)


def test_other_positions_are_refused():
    with pytest.raises(ValueError, match="choose none, sinusoidal, learned, rotary"):
        Embedding(VOCABULARY, WIDTH, "relative")


@given(order=st.permutations(range(TIME)))
@settings(max_examples=20, deadline=None)
def test_without_positions_and_mask_shuffled_input_gives_shuffled_output(order):
    torch.manual_seed(0)
    block = Block(WIDTH, HEADS).double().eval()
    x = torch.randn(2, TIME, WIDTH, dtype=torch.float64)
    close(block(x[:, order])[0], block(x)[0][:, order])


@pytest.mark.parametrize("positions", POSITIONS)
def test_only_positions_tell_an_order_from_another(positions):
    """The last token sees the same two tokens in front, in two orders."""
    model = language_model(positions, num_layers=1)
    first, second = torch.tensor([[1, 2, 3]]), torch.tensor([[2, 1, 3]])
    same = torch.allclose(model(first)[0][:, -1], model(second)[0][:, -1])
    assert same == (positions == "none")


# ---------------------------------------------------------------- against PyTorch


def copy_attention(ours, other) -> None:
    maps = (ours.query, ours.key, ours.value)
    for linear, weight, bias in zip(
        maps, other.in_proj_weight.chunk(3), other.in_proj_bias.chunk(3), strict=True
    ):
        linear.load_state_dict({"weight": weight, "bias": bias})
    ours.output.load_state_dict(other.out_proj.state_dict())


def copy_block(ours: Block, other: nn.Module) -> None:
    copy_attention(ours.attention, other.self_attn)
    norms = [ours.attention_norm, ours.network_norm]
    if isinstance(other, nn.TransformerDecoderLayer):
        copy_attention(ours.cross_attention, other.multihead_attn)
        norms.insert(1, ours.cross_norm)
    for number, norm in enumerate(norms, 1):
        norm.load_state_dict(getattr(other, f"norm{number}").state_dict())
    ours.network[0].load_state_dict(other.linear1.state_dict())
    ours.network[2].load_state_dict(other.linear2.state_dict())


def randomise(module: nn.Module) -> None:
    """Norms and biases that do nothing at the start could hide a mistake."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)


OPTIONS = {
    "d_model": WIDTH,
    "nhead": HEADS,
    "dim_feedforward": 4 * WIDTH,
    "activation": "gelu",
    "batch_first": True,
    "norm_first": True,
    "dtype": torch.float64,
}


def test_a_block_and_its_gradients_are_those_of_pytorch():
    other = nn.TransformerEncoderLayer(**OPTIONS, dropout=0)
    randomise(other)
    ours = Block(WIDTH, HEADS, dropout=0).double()
    copy_block(ours, other)
    x = torch.randn(2, TIME, WIDTH, dtype=torch.float64, requires_grad=True)
    mask = causal_mask(TIME)
    our_output, other_output = ours(x, mask)[0], other(x, src_mask=~mask)
    close(our_output, other_output)
    (our_gradient,) = torch.autograd.grad(our_output.sin().sum(), x)
    (other_gradient,) = torch.autograd.grad(other_output.sin().sum(), x)
    close(our_gradient, other_gradient)


def test_a_decoders_block_equals_pytorchs():
    other = nn.TransformerDecoderLayer(**OPTIONS, dropout=0)
    randomise(other)
    ours = Block(WIDTH, HEADS, dropout=0, cross=True).double()
    copy_block(ours, other)
    x, memory = torch.randn(2, 2, len(SOURCE[0]), WIDTH, dtype=torch.float64)
    mask, hidden = causal_mask(x.shape[1]), SOURCE == 0
    output, _ = ours(x, mask, memory, ~hidden[:, None, None])
    expected = other(
        x, memory, tgt_mask=~mask, memory_key_padding_mask=hidden, tgt_is_causal=True
    )
    close(output, expected)


# ---------------------------------------------------------------- language model


@pytest.mark.parametrize("positions", POSITIONS)
def test_the_future_changes_nothing_and_the_past_everything(positions):
    model = language_model(positions)
    for place in range(TIME):
        changed = tokens()
        changed[:, place] = (changed[:, place] + 1) % VOCABULARY
        difference = (model(changed)[0] - model(tokens())[0]).abs().amax(-1)
        assert (difference[:, :place] == 0).all()
        assert (difference[:, place:] > 1e-9).all()


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("cut", [1, 4])
def test_text_read_in_pieces_gives_the_same_logits(positions, cut):
    model = language_model(positions)
    first, state = model(tokens()[:, :cut])
    rest = []
    for place in range(cut, TIME):
        logits, state = model(tokens()[:, place : place + 1], state)
        rest.append(logits)
    close(torch.cat([first, *rest], 1), model(tokens())[0])


def test_one_table_reads_and_predicts():
    model = TransformerLM(1000, width=WIDTH, num_layers=0, num_heads=1)
    assert sum(p.numel() for p in model.parameters()) == 1000 * WIDTH + 2 * WIDTH


def test_dropout_acts_in_training_only():
    model = language_model(dropout=0.5)
    assert torch.equal(model(tokens())[0], model(tokens())[0])
    model.train()
    assert not torch.equal(model(tokens())[0], model(tokens())[0])


# ---------------------------------------------------------------- translation


@pytest.mark.parametrize("positions", POSITIONS)
def test_padding_of_the_source_changes_nothing(positions):
    model = translator(positions)
    logits, _ = model(SOURCE, TARGET)
    alone, _ = model(SOURCE[1:, :2], TARGET[1:])
    close(logits[1:], alone)
    with torch.no_grad():
        model.source.tokens.weight[0] = 100  # the vector of padding
    close(model(SOURCE, TARGET)[0], logits)


def test_a_translation_sees_its_whole_source_and_no_future():
    model = translator()
    logits, _ = model(SOURCE, TARGET)
    source, target = SOURCE.clone(), TARGET.clone()
    source[0, -1] = 6
    target[:, 3] = 1
    difference = (model(source, TARGET)[0] - logits).abs().amax(-1)
    assert (difference[0] > 1e-9).all()
    assert (difference[1] == 0).all()
    difference = (model(SOURCE, target)[0] - logits).abs().amax(-1)
    assert (difference[:, :3] == 0).all()
    assert (difference[:, 3:] > 1e-9).all()


@pytest.mark.parametrize("positions", POSITIONS)
def test_a_target_read_in_pieces_gives_the_same_logits(positions):
    model = translator(positions)
    first, state = model(SOURCE, TARGET[:, :2])
    # With a state the source is not read again.
    second, _ = model(torch.zeros_like(SOURCE), TARGET[:, 2:], state)
    close(torch.cat([first, second], 1), model(SOURCE, TARGET)[0])


def test_an_empty_source_is_refused():
    with pytest.raises(ValueError, match="nothing but padding"):
        translator()(SOURCE * torch.tensor([[1], [0]]), TARGET)
