"""Attention, against PyTorch's own and against what masks and rotations promise."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from lmcourse.attention import (
    MultiHeadAttention,
    attention,
    attention_weights,
    causal_mask,
    padding_mask,
    rotate,
)

BATCH, HEADS, TIME, SOURCE, SIZE = 2, 4, 5, 7, 6
WIDTH = HEADS * SIZE
TOKENS = torch.tensor([[3, 1, 4, 1, 5, 9, 2], [6, 5, 3, 0, 0, 0, 0]])
MASKS = {
    "none": None,
    "causal": causal_mask(TIME, past=SOURCE - TIME),
    "padding": padding_mask(TOKENS, 0),
    "both": causal_mask(TIME, past=SOURCE - TIME) & padding_mask(TOKENS, 0),
}


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(*shape, generator=generator, dtype=torch.float64)
    return drawn.requires_grad_()


def close(ours: torch.Tensor, other: torch.Tensor) -> None:
    assert ours.shape == other.shape
    assert (ours - other).abs().max().item() < 1e-6


def gradients(output: torch.Tensor, inputs) -> list[torch.Tensor]:
    """Gradients of a sum in which every output counts differently."""
    weighting = torch.arange(output.numel(), dtype=output.dtype).view_as(output).sin()
    return list(torch.autograd.grad((output * weighting).sum(), inputs))


def same_gradients(our_output, our_inputs, other_output, other_inputs) -> None:
    """Compare all gradients, laid end to end: PyTorch stacks three maps in one."""
    ours, other = (
        torch.cat([each.flatten() for each in gradients(output, inputs)])
        for output, inputs in ((our_output, our_inputs), (other_output, other_inputs))
    )
    close(ours, other)


# ---------------------------------------------------------------- one head


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_attention_and_its_gradients_are_those_of_pytorch(mask):
    inputs = (
        numbers(BATCH, HEADS, TIME, SIZE, seed=1),
        numbers(BATCH, HEADS, SOURCE, SIZE, seed=2),
        numbers(BATCH, HEADS, SOURCE, SIZE, seed=3),
    )
    ours = attention(*inputs, mask)
    other = functional.scaled_dot_product_attention(*inputs, attn_mask=mask)
    close(ours, other)
    same_gradients(ours, inputs, other, inputs)


def test_equal_keys_give_a_plain_average():
    value = numbers(SOURCE, SIZE)
    mixed = attention(numbers(TIME, SIZE), torch.ones(SOURCE, SIZE).double(), value)
    close(mixed, value.mean(0).expand(TIME, SIZE))


def test_a_query_that_may_look_nowhere_is_refused():
    mask = torch.tensor([[True, False], [False, False]])
    with pytest.raises(ValueError, match="some query no key"):
        attention(numbers(2, 3), numbers(2, 3), numbers(2, 3), mask)


@given(time=st.integers(1, 6), past=st.integers(0, 5), seed=st.integers(0, 1_000_000))
@settings(max_examples=30, deadline=None)
def test_weights_are_averages_of_what_is_allowed(time, past, seed):
    query, key = numbers(time, 4, seed=seed), numbers(past + time, 4, seed=seed + 1)
    mask = causal_mask(time, past)
    weights = attention_weights(query, key, mask)
    close(weights.sum(-1), torch.ones(time, dtype=torch.float64))
    assert torch.equal(weights > 0, mask)
    assert torch.equal(mask.sum(-1), past + 1 + torch.arange(time))


# ---------------------------------------------------------------- many heads


def beside_pytorch() -> tuple[MultiHeadAttention, nn.MultiheadAttention]:
    torch.manual_seed(0)
    other = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True, dtype=torch.float64)
    nn.init.normal_(other.in_proj_bias)
    nn.init.normal_(other.out_proj.bias)
    ours = MultiHeadAttention(WIDTH, HEADS).double()
    weights, biases = other.in_proj_weight.chunk(3), other.in_proj_bias.chunk(3)
    with torch.no_grad():
        for linear, weight, bias in zip(
            (ours.query, ours.key, ours.value, ours.output),
            (*weights, other.out_proj.weight),
            (*biases, other.out_proj.bias),
            strict=True,
        ):
            linear.weight.copy_(weight)
            linear.bias.copy_(bias)
    return ours, other


def test_a_sequence_that_looks_at_itself_equals_pytorch():
    ours, other = beside_pytorch()
    x, mask = numbers(BATCH, TIME, WIDTH), causal_mask(TIME)
    our_output, _ = ours(x, mask)
    # PyTorch's module alone says True where one may *not* look.
    other_output, other_weights = other(
        x, x, x, attn_mask=~mask, average_attn_weights=False
    )
    close(our_output, other_output)
    close(ours.weights(x, mask), other_weights)
    maps = (ours.query, ours.key, ours.value, ours.output)
    same_gradients(
        our_output,
        [x, *(m.weight for m in maps), *(m.bias for m in maps)],
        other_output,
        [
            x,
            other.in_proj_weight,
            other.out_proj.weight,
            other.in_proj_bias,
            other.out_proj.bias,
        ],
    )


def test_cross_attention_equals_pytorch():
    ours, other = beside_pytorch()
    x, source = numbers(BATCH, TIME, WIDTH), numbers(BATCH, SOURCE, WIDTH, seed=1)
    our_output, _ = ours(x, padding_mask(TOKENS, 0), source)
    other_output, other_weights = other(
        x, source, source, key_padding_mask=TOKENS == 0, average_attn_weights=False
    )
    close(our_output, other_output)
    close(ours.weights(x, padding_mask(TOKENS, 0), source), other_weights)
    same_gradients(our_output, [x, source], other_output, [x, source])


@pytest.mark.parametrize("rotary", [False, True])
def test_keys_and_values_kept_from_the_past_change_nothing(rotary):
    torch.manual_seed(0)
    model = MultiHeadAttention(WIDTH, HEADS, rotary).double()
    x = numbers(BATCH, TIME, WIDTH)
    at_once, _ = model(x, causal_mask(TIME))
    first, past = model(x[:, :2], causal_mask(2))
    second, past = model(x[:, 2:], causal_mask(TIME - 2, 2), past=past)
    close(torch.cat([first, second], 1), at_once)
    assert past[0].shape == (BATCH, HEADS, TIME, SIZE)


def test_keys_and_values_of_a_source_are_computed_once():
    torch.manual_seed(0)
    model = MultiHeadAttention(WIDTH, HEADS).double()
    x, source = numbers(BATCH, TIME, WIDTH), numbers(BATCH, SOURCE, WIDTH, seed=1)
    output, kept = model(x, source=source)
    again, _ = model(x, source=torch.full_like(source, math.nan), past=kept)
    close(again, output)


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="3 heads do not divide a width of 8"):
        MultiHeadAttention(8, 3)


# ---------------------------------------------------------------- rotary positions


def test_rotation_is_a_product_of_complex_numbers():
    x = numbers(TIME, SIZE)
    real, imaginary = x.chunk(2, -1)
    speed = 10_000 ** (-torch.arange(SIZE // 2, dtype=torch.float64) * 2 / SIZE)
    turn = torch.polar(
        torch.ones(1).double(), (torch.arange(TIME)[:, None] + 3) * speed
    )
    expected = torch.complex(real, imaginary) * turn
    close(rotate(x, 3), torch.cat([expected.real, expected.imag], -1))


@given(first=st.integers(0, 300), second=st.integers(0, 300), far=st.integers(0, 300))
@settings(max_examples=50, deadline=None)
def test_rotated_products_depend_on_distance_alone(first, second, far):
    query, key = numbers(1, SIZE), numbers(1, SIZE, seed=1)
    here = rotate(query, first) @ rotate(key, second).T
    there = rotate(query, first + far) @ rotate(key, second + far).T
    assert here.item() == pytest.approx(there.item(), abs=1e-9)


def test_rotation_keeps_lengths_and_needs_pairs():
    x = numbers(TIME, SIZE)
    close(rotate(x).norm(dim=-1), x.norm(dim=-1))
    with pytest.raises(ValueError, match="the size is 5: rotary"):
        rotate(numbers(TIME, 5))
