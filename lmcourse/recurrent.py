"""Recurrent networks: read one token at a time and keep a summary of all before.

Three cells, written out as their papers' equations, and a language model over the same
cells as PyTorch computes them. The cells order their gates and call their weights so
that those of `torch.nn.RNN`, `LSTM` and `GRU` fit in.
"""

import math
from typing import Literal, Self, get_args

import torch
from torch import Tensor, nn

Cell = Literal["rnn", "lstm", "gru"]
_LAYERS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class _Cell(nn.Module):
    """What the three cells share: one table for x and one for h, side by side.

    Args:
        input_size: the size of x.
        hidden_size: the size of h.
    """

    parts: int  # how many vectors of hidden_size each table returns

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input = nn.Linear(input_size, self.parts * hidden_size)
        self.hidden = nn.Linear(hidden_size, self.parts * hidden_size)

    @classmethod
    def of(cls, layer: nn.RNNBase) -> Self:
        """Return a cell with a copy of the weights of PyTorch's layer of its kind.

        Args:
            layer: `torch.nn.RNN`, `LSTM` or `GRU`; of several layers the first counts.

        Raises:
            ValueError: the layer is of another kind.
        """
        size = layer.hidden_size
        if len(layer.weight_hh_l0) != cls.parts * size:
            raise ValueError(
                f"{cls.__name__} cannot take the weights of {type(layer).__name__}: "
                f"give nn.{cls.__name__.removesuffix('Cell')}"
            )
        cell = cls(layer.input_size, size).to(layer.weight_ih_l0)
        with torch.no_grad():
            cell.input.weight.copy_(layer.weight_ih_l0)
            cell.input.bias.copy_(layer.bias_ih_l0)
            cell.hidden.weight.copy_(layer.weight_hh_l0)
            cell.hidden.bias.copy_(layer.bias_hh_l0)
        return cell


class RNNCell(_Cell):
    """h′ = tanh(W x + U h + b): one step of a simple network (Elman 1990).

    Args:
        input_size: the size of x.
        hidden_size: the size of h.
    """

    parts = 1

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """Return the next summary (batch, hidden_size) after x (batch, input_size)."""
        return torch.tanh(self.input(x) + self.hidden(h))  # (batch, hidden_size)


class LSTMCell(_Cell):
    """A memory c with gates, added to rather than overwritten.

    Hochreiter and Schmidhuber 1997, “Long short-term memory”, with the forget gate of
    Gers, Schmidhuber and Cummins 2000.

    Args:
        input_size: the size of x.
        hidden_size: the size of h and c.
    """

    parts = 4

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next (h, c), each (batch, hidden_size).

        Args:
            x: what is read, (batch, input_size).
            h: what the cell showed last, (batch, hidden_size).
            c: what it remembers, (batch, hidden_size).
        """
        gates = self.input(x) + self.hidden(h)  # (batch, 4 * hidden_size)
        write, keep, new, show = gates.chunk(4, -1)  # each (batch, hidden_size)
        c = keep.sigmoid() * c + write.sigmoid() * new.tanh()  # (batch, hidden_size)
        return show.sigmoid() * c.tanh(), c  # each (batch, hidden_size)


class GRUCell(_Cell):
    """Two gates and no second memory: old and new summary are mixed.

    Cho et al. 2014, “Learning phrase representations using RNN encoder-decoder”; the
    reset gate acts after the product with U, as PyTorch and cuDNN have it.

    Args:
        input_size: the size of x.
        hidden_size: the size of h.
    """

    parts = 3

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """Return the next summary (batch, hidden_size) after x (batch, input_size)."""
        x_reset, x_keep, x_new = self.input(x).chunk(3, -1)  # (batch, hidden_size)
        h_reset, h_keep, h_new = self.hidden(h).chunk(3, -1)  # (batch, hidden_size)
        reset = (x_reset + h_reset).sigmoid()  # (batch, hidden_size)
        keep = (x_keep + h_keep).sigmoid()  # (batch, hidden_size)
        new = torch.tanh(x_new + reset * h_new)  # (batch, hidden_size)
        return keep * h + (1 - keep) * new  # (batch, hidden_size)


class RecurrentLM(nn.Module):
    """A recurrent language model: all of the past in one vector a layer.

    Mikolov et al. 2010, “Recurrent neural network based language model”; dropout only
    between layers, not along time (Zaremba et al. 2014); one table reads and predicts
    (Press and Wolf 2017).

    Args:
        vocabulary_size: how many tokens there are.
        width: the size of token vectors and of each layer.
        num_layers: how many layers.
        cell: "rnn", "lstm" or "gru".
        dropout: the share of entries set to 0 in training, before, between and after
            the layers.

    Raises:
        ValueError: a cell of another name.
    """

    def __init__(
        self,
        vocabulary_size: int,
        width: int = 256,
        num_layers: int = 1,
        cell: Cell = "lstm",
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if cell not in _LAYERS:
            raise ValueError(f"cell is {cell!r}: choose {', '.join(get_args(Cell))}")
        self.embedding = nn.Embedding(vocabulary_size, width)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.layers = _LAYERS[cell](
            width,
            width,
            num_layers,
            batch_first=True,
            dropout=dropout if num_layers > 1 else 0,
        )
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, tokens: Tensor, state: tuple[Tensor, ...] | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the logits of each next token, and the state.

        Args:
            tokens: (batch, time).
            state: what the call with the tokens before these returned.

        Returns:
            Logits (batch, time, vocabulary), and the state: h, for an LSTM h and c,
            each (batch, layers, width).
        """
        x, state = self._read(tokens, state)  # (batch, time, width)
        return x @ self.embedding.weight.T, state  # (batch, time, vocabulary)

    def last_logits(self, tokens: Tensor) -> Tensor:
        """Return the logits of the token after the last: (batch, vocabulary).

        All tokens are read, and none but the next is predicted: most of the time goes
        into predictions.

        Args:
            tokens: (batch, time).
        """
        x, _ = self._read(tokens, None)  # (batch, time, width)
        return x[:, -1] @ self.embedding.weight.T  # (batch, vocabulary)

    def _read(
        self, tokens: Tensor, state: tuple[Tensor, ...] | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return what the layers make of each token, and the state."""
        x = self.embedding(tokens)  # (batch, time, width)
        x = x * math.sqrt(x.shape[-1])  # the table is scaled for the way out
        x, last = self.layers(self.dropout(x), self._layers_first(state))  # the same
        last = last if isinstance(last, tuple) else (last,)
        return self.dropout(x), tuple(part.transpose(0, 1) for part in last)

    def _layers_first(self, state: tuple[Tensor, ...] | None):
        """Return a state as PyTorch wants it: (layers, batch, width), one or a pair."""
        if state is None:
            return None
        parts = tuple(part.transpose(0, 1).contiguous() for part in state)
        return parts if isinstance(self.layers, nn.LSTM) else parts[0]
