"""Recurrent networks, against PyTorch's."""

import pytest
import torch
from torch import nn

from lmcourse.recurrent import GRUCell, LSTMCell, RecurrentLM, RNNCell

BATCH, TIME, INPUT, HIDDEN, VOCABULARY = 3, 5, 4, 6, 13
CELLS = {
    "rnn": (RNNCell, nn.RNN),
    "lstm": (LSTMCell, nn.LSTM),
    "gru": (GRUCell, nn.GRU),
}
TOKENS = torch.arange(BATCH * TIME).reshape(BATCH, TIME) * 7 % VOCABULARY


def close(ours: torch.Tensor, other: torch.Tensor) -> None:
    assert ours.shape == other.shape
    assert (ours - other).abs().max().item() < 1e-6


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_step_by_step_equals_pytorchs_layer_with_its_gradients(name):
    torch.manual_seed(0)
    kind, layer = CELLS[name]
    other = layer(INPUT, HIDDEN, batch_first=True, dtype=torch.float64)
    ours = kind.of(other)
    x = torch.randn(BATCH, TIME, INPUT, dtype=torch.float64, requires_grad=True)
    state = torch.randn(1 + (name == "lstm"), BATCH, HIDDEN, dtype=torch.float64)

    h, *c = state
    steps = []
    for x_now in x.unbind(1):
        result = ours(x_now, h, *c)
        h, *c = result if name == "lstm" else (result,)
        steps.append(h)
    output = torch.stack(steps, 1)

    # PyTorch wants one axis for layers; only an LSTM has a pair of states.
    start = tuple(part[None] for part in state)
    expected, _ = other(x, start if name == "lstm" else start[0])
    close(output, expected)
    for our_gradient, other_gradient in zip(
        torch.autograd.grad(output.sin().sum(), [x, *ours.parameters()]),
        torch.autograd.grad(expected.sin().sum(), [x, *_in_our_order(other)]),
        strict=True,
    ):
        close(our_gradient, other_gradient)


def test_a_cell_takes_no_weights_of_another_kind():
    with pytest.raises(ValueError, match=r"LSTMCell cannot .* of GRU: give nn\.LSTM"):
        LSTMCell.of(nn.GRU(INPUT, HIDDEN))


def test_a_cell_changes_nothing_in_the_layer_that_it_is_made_of():
    layer = nn.GRU(INPUT, HIDDEN)
    before = layer.weight_hh_l0.detach().clone()
    cell = GRUCell.of(layer)
    with torch.no_grad():
        cell.hidden.weight.zero_()
    assert torch.equal(layer.weight_hh_l0, before)


def _in_our_order(layer: nn.RNNBase) -> list[nn.Parameter]:
    names = ("weight_ih_l0", "bias_ih_l0", "weight_hh_l0", "bias_hh_l0")
    return [getattr(layer, name) for name in names]


def model(cell: str, **options) -> RecurrentLM:
    torch.manual_seed(0)
    return RecurrentLM(VOCABULARY, 8, 2, cell, **options).double().eval()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("cut", [1, 3])
def test_text_read_in_pieces_gives_the_same_logits_and_state(cell, cut):
    at_once, last = model(cell)(TOKENS)
    first, state = model(cell)(TOKENS[:, :cut])
    second, state = model(cell)(TOKENS[:, cut:], state)
    close(torch.cat([first, second], 1), at_once)
    for ours, expected in zip(state, last, strict=True):
        assert ours.shape == (BATCH, 2, 8)
        close(ours, expected)


@pytest.mark.parametrize("cell", CELLS)
def test_the_future_changes_nothing_and_the_past_everything(cell):
    for place in range(TIME):
        changed = TOKENS.clone()
        changed[:, place] = (changed[:, place] + 1) % VOCABULARY
        difference = model(cell)(changed)[0] - model(cell)(TOKENS)[0]
        assert (difference[:, :place] == 0).all()
        assert (difference[:, place:].abs().amax(-1) > 1e-9).all()


@pytest.mark.parametrize("cell", CELLS)
def test_the_last_logits_are_those_of_reading_everything(cell):
    close(model(cell).last_logits(TOKENS), model(cell)(TOKENS)[0][:, -1])


def test_one_table_reads_and_predicts():
    narrow, wide = (
        sum(p.numel() for p in RecurrentLM(size, 8).parameters()) for size in (10, 110)
    )
    assert wide - narrow == 100 * 8


def test_dropout_acts_in_training_only():
    network = model("gru", dropout=0.5)
    assert torch.equal(network(TOKENS)[0], network(TOKENS)[0])
    network.train()
    assert not torch.equal(network(TOKENS)[0], network(TOKENS)[0])


def test_other_cells_are_refused():
    with pytest.raises(ValueError, match="'LSTM': choose rnn, lstm, gru"):
        RecurrentLM(10, cell="LSTM")
