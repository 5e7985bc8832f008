"""Attention: each position takes a weighted average of what other positions offer.

    attention(Q, K, V) = softmax(Q Kᵀ / √d) V

(Vaswani et al. 2017, “Attention is all you need”; over the source of a translation
first in Bahdanau, Cho and Bengio 2015). Masks are boolean and say who may look: True
at (i, j) lets position i look at position j, the convention of PyTorch's
`scaled_dot_product_attention`. Two masks are joined by ``&``.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

KeysValues = tuple[Tensor, Tensor]  # each (batch, heads, time, head_size)


def attention_weights(query: Tensor, key: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return who looks where: softmax(Q Kᵀ / √d), each row summing to 1.

    Each entry of Q Kᵀ is a sum of d products: if these have variance 1, the sum has
    variance d, and dividing by √d brings it back to 1, whatever the size of a head.

    Args:
        query: what each position looks for, (…, time, head_size).
        key: what each position is found by, (…, source, head_size).
        mask: True where a query may look, broadcast to (…, time, source).

    Raises:
        ValueError: some query may look nowhere, so that no average exists.
    """
    scores = query @ key.mT / math.sqrt(query.shape[-1])  # (…, time, source)
    if mask is not None:
        if not mask.any(-1).all():
            raise ValueError(
                "the mask leaves some query no key to look at: let each see at least "
                "one, and drop sequences that hold nothing but padding"
            )
        scores = scores.masked_fill(~mask, -math.inf)  # (…, time, source)
    return scores.softmax(-1)  # (…, time, source)


def attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
) -> Tensor:
    """Return softmax(Q Kᵀ / √d) V, written out; the modules use PyTorch's fast one.

    Args:
        query: (…, time, head_size).
        key: (…, source, head_size).
        value: what each position hands over, (…, source, value_size).
        mask: True where a query may look, broadcast to (…, time, source).

    Returns:
        (…, time, value_size).

    Raises:
        ValueError: some query may look nowhere.
    """
    return attention_weights(query, key, mask) @ value  # (…, time, value_size)


def causal_mask(time: int, past: int = 0, device: torch.device | None = None) -> Tensor:
    """Return a mask that hides the future, bool (time, past + time).

    With `past` tokens already read, row i belongs to position past + i.

    >>> causal_mask(3).int()
    tensor([[1, 0, 0],
            [1, 1, 0],
            [1, 1, 1]], dtype=torch.int32)
    """
    everywhere = torch.ones(time, past + time, dtype=torch.bool, device=device)
    return everywhere.tril(past)  # (time, past + time)


def padding_mask(tokens: Tensor, pad: int) -> Tensor:
    """Return a mask that hides padding from all queries, bool (batch, 1, 1, time).

    The two middle axes stand for all heads and all queries.
    """
    return (tokens != pad)[:, None, None, :]  # (batch, 1, 1, time)


def rotate(x: Tensor, start: int = 0) -> Tensor:
    """Turn each vector by angles that grow with its position: rotary positions.

    Entries i and i + size/2 form a point in the plane; at position p it turns by
    p / 10000^(2i/size). The scalar product of a query and a key turned so depends on
    how far apart they are, and not on where they are (Su et al. 2021, “RoFormer”).

    Args:
        x: queries or keys, (…, time, size); the size is even.
        start: the position of the first.

    Raises:
        ValueError: the size is odd.
    """
    *_, time, size = x.shape
    if size % 2:
        raise ValueError(f"the size is {size}: rotary positions need an even one")
    kind = {"dtype": torch.promote_types(x.dtype, torch.float32), "device": x.device}
    speed = 10_000.0 ** -(torch.arange(0, size, 2, **kind) / size)  # (size/2,)
    position = torch.arange(start, start + time, **kind)  # (time,)
    angle = position[:, None] * speed  # (time, size/2)
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)  # (time, size/2)
    first, second = x.chunk(2, -1)  # (…, time, size/2)
    turned = (first * cos - second * sin, first * sin + second * cos)
    return torch.cat(turned, -1)  # (…, time, size)


class MultiHeadAttention(nn.Module):
    """Several small attentions side by side (Vaswani et al. 2017, section 3.2.2).

    Each head has queries, keys and values of its own, `width / num_heads` numbers
    long; their answers are joined and mixed by one more linear map. A sequence looks
    at itself, or at `source`, another one: cross-attention.

    Args:
        width: the size of the vectors that come in and go out.
        num_heads: how many heads share it.
        rotary: turn queries and keys by their position (see `rotate`).
        dropout: the share of all looks that are dropped in training.

    Raises:
        ValueError: the heads do not divide the width.
    """

    def __init__(
        self, width: int, num_heads: int, rotary: bool = False, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if num_heads < 1 or width % num_heads:
            raise ValueError(
                f"{num_heads} heads do not divide a width of {width}: choose a width "
                "that is a multiple of the number of heads"
            )
        self.num_heads = num_heads
        self.rotary = rotary
        self.dropout = dropout
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        source: Tensor | None = None,
        past: KeysValues | None = None,
    ) -> tuple[Tensor, KeysValues]:
        """Return a new vector for each of `x`, and the keys and values looked at.

        Args:
            x: the positions that look, (batch, time, width).
            mask: True where they may look, broadcast to (batch, heads, time, source).
            source: where they look, (batch, source, width); None: at `x` itself.
            past: keys and values of earlier calls. Those of `x` are added to them
                (the KV cache); those of a source are used as they are.
        """
        query, (key, value) = self.project(x, source, past)
        dropped = self.dropout if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, dropout_p=dropped
        )  # (batch, heads, time, head_size)
        joined = mixed.transpose(1, 2).flatten(2)  # (batch, time, width)
        return self.output(joined), (key, value)  # (batch, time, width)

    def weights(
        self, x: Tensor, mask: Tensor | None = None, source: Tensor | None = None
    ) -> Tensor:
        """Return who looks where, for a heat map: (batch, heads, time, source)."""
        query, (key, _) = self.project(x, source)
        return attention_weights(query, key, mask)  # (batch, heads, time, source)

    def project(
        self, x: Tensor, source: Tensor | None = None, past: KeysValues | None = None
    ) -> tuple[Tensor, KeysValues]:
        """Return the queries of `x`, and keys and values of all that it looks at."""
        query = self._split(self.query(x))  # (batch, heads, time, head_size)
        if source is not None and past is not None:
            return query, past
        looked_at = x if source is None else source  # (batch, source, width)
        key = self._split(self.key(looked_at))  # (batch, heads, source, head_size)
        value = self._split(self.value(looked_at))  # (batch, heads, source, head_size)
        if self.rotary:
            start = 0 if past is None else past[0].shape[2]
            query, key = rotate(query, start), rotate(key, start)  # shapes unchanged
        if past is not None:
            key = torch.cat([past[0], key], 2)  # (batch, heads, past + time, head_size)
            value = torch.cat([past[1], value], 2)  # the same
        return query, (key, value)

    def _split(self, x: Tensor) -> Tensor:
        """Cut (batch, time, width) into (batch, heads, time, head_size)."""
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
