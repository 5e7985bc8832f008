"""Transformers: blocks of attention, a language model, and an encoder-decoder.

A block lets positions exchange what they know (attention) and then think about it one
by one (a small network), and adds both to what was there before (Vaswani et al. 2017,
“Attention is all you need”). All blocks here normalise first, which trains stably
without a long warm-up (Xiong et al. 2020, “On layer normalization in the Transformer
architecture”).

Every model returns logits and a state: what it has to remember of the tokens read so
far. Given back with the next tokens, the state saves reading the old ones again.
"""

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from .attention import KeysValues, MultiHeadAttention, causal_mask, padding_mask

Positions = Literal["none", "sinusoidal", "learned", "rotary"]
Kept = tuple[KeysValues, ...]  # of one block: of itself and, in a decoder, of a source


def sinusoidal(
    time: int, width: int, start: int = 0, device: torch.device | None = None
) -> Tensor:
    """Return a wave for each entry: the positions of Vaswani et al. (2017, 3.5).

    At position p, entry 2i is sin(p / 10000^(2i/width)), and entry 2i + 1 the cosine.

    Returns:
        (time, width), from position `start` on.
    """
    position = torch.arange(start, start + time, device=device)  # (time,)
    even = torch.arange(0, width, 2, device=device)  # (width/2,), rounded up
    angle = position[:, None] * 10_000.0 ** -(even / width)  # (time, width/2)
    waves = torch.stack([angle.sin(), angle.cos()], -1)  # (time, width/2, 2)
    return waves.flatten(1)[:, :width]  # (time, width)


class Embedding(nn.Module):
    """Vectors of tokens and, where they are added, of positions; logits on the way out.

    The same table reads tokens and predicts them (Press and Wolf 2017, “Using the
    output embedding to improve language models”); vectors are scaled by √width on the
    way in (Vaswani et al. 2017, 3.4). Learned positions: Gehring et al. 2017,
    “Convolutional sequence to sequence learning”.

    Args:
        vocabulary_size: how many tokens there are.
        width: the size of a vector.
        positions: "sinusoidal" and "learned" are added here, "rotary" turns queries
            and keys in the blocks, and "none" leaves tokens without a place.
        max_length: how many positions "learned" has; the others have no end.
        dropout: the share of entries that are set to 0 in training.

    Raises:
        ValueError: positions of another name.
    """

    def __init__(
        self,
        vocabulary_size: int,
        width: int,
        positions: Positions = "rotary",
        max_length: int = 512,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if positions not in get_args(Positions):
            raise ValueError(
                f"positions are {positions!r}: choose {', '.join(get_args(Positions))}"
            )
        self.positions = positions
        self.tokens = nn.Embedding(vocabulary_size, width)
        nn.init.normal_(self.tokens.weight, std=width**-0.5)
        if positions == "learned":
            self.places = nn.Embedding(max_length, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, start: int = 0) -> Tensor:
        """Return (batch, time, width) for tokens (batch, time) from position `start`.

        Raises:
            ValueError: the tokens reach beyond the last learned position.
        """
        width = self.tokens.embedding_dim
        x = self.tokens(tokens) * math.sqrt(width)  # (batch, time, width)
        if self.positions in ("sinusoidal", "learned"):
            x = x + self._places(tokens.shape[1], start)  # (batch, time, width)
        return self.dropout(x)  # (batch, time, width)

    def logits(self, x: Tensor) -> Tensor:
        """Return (batch, time, vocabulary) for vectors (batch, time, width)."""
        return x @ self.tokens.weight.T  # (batch, time, vocabulary)

    def _places(self, time: int, start: int) -> Tensor:
        """Return the vectors of positions, (time, width)."""
        weight = self.tokens.weight
        if self.positions == "sinusoidal":
            waves = sinusoidal(time, weight.shape[1], start, weight.device)
            return waves.to(weight.dtype)  # (time, width)
        if start + time > self.places.num_embeddings:
            raise ValueError(
                f"{start + time} tokens are more than the {self.places.num_embeddings} "
                "learned positions: cut the text, or build the model with a larger "
                "max_length"
            )
        return self.places.weight[start : start + time]  # (time, width)


class Block(nn.Module):
    """Attention and a small network, each normalised first and added to its input.

    Pre-norm as in Xiong et al. (2020) and GPT-2 (Radford et al. 2019); residual paths
    come from He et al. (2016), layer norm from Ba et al. (2016), GELU from Hendrycks
    and Gimpel (2016). A decoder's block looks at a source in between.

    Args:
        width: the size of the vectors that come in and go out.
        num_heads: how many heads each attention has.
        dropout: the share of each change that is set to 0 in training.
        rotary: turn queries and keys by their position.
        cross: look at a source as well.
    """

    def __init__(
        self,
        width: int,
        num_heads: int,
        dropout: float = 0.1,
        rotary: bool = False,
        cross: bool = False,
    ) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = MultiHeadAttention(width, num_heads, rotary)
        if cross:
            self.cross_norm = nn.LayerNorm(width)
            self.cross_attention = MultiHeadAttention(width, num_heads)
        self.network_norm = nn.LayerNorm(width)
        self.network = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        source: Tensor | None = None,
        source_mask: Tensor | None = None,
        past: Kept | None = None,
    ) -> tuple[Tensor, Kept]:
        """Return new vectors (batch, time, width), and what to pass on as `past`.

        Args:
            x: (batch, time, width).
            mask: who may look at whom in `x` and its past, see `lmcourse.attention`.
            source: what a decoder's block looks at, (batch, source, width).
            source_mask: who may look at what of it.
            past: keys and values of the tokens before `x`, from an earlier call.
        """
        own, *others = past or (None, None)
        change, own = self.attention(self.attention_norm(x), mask, past=own)
        x = self.add(x, change)  # (batch, time, width)
        kept = (own,)
        if source is not None:
            change, other = self.cross_attention(
                self.cross_norm(x), source_mask, source, past=others[0]
            )
            x = self.add(x, change)  # (batch, time, width)
            kept = (own, other)
        x = self.add(x, self.network(self.network_norm(x)))  # (batch, time, width)
        return x, kept

    def add(self, x: Tensor, change: Tensor) -> Tensor:
        """Return what is passed on: the residual connection, (batch, time, width)."""
        return x + self.dropout(change)


class TransformerLM(nn.Module):
    """A decoder-only language model: each token is predicted from those before it.

    Radford et al. 2018, “Improving language understanding by generative pre-training”
    (GPT), with blocks as in GPT-2 (2019).

    Args:
        vocabulary_size: how many tokens there are.
        width: the size of every vector.
        num_layers: how many blocks.
        num_heads: how many heads a block has.
        positions: "rotary", "sinusoidal", "learned" or "none" (see `Embedding`).
        max_length: how many positions "learned" has.
        dropout: as in `Embedding` and `Block`.

    Raises:
        ValueError: the heads do not divide the width, or positions are unknown.
    """

    def __init__(
        self,
        vocabulary_size: int,
        width: int = 256,
        num_layers: int = 4,
        num_heads: int = 4,
        positions: Positions = "rotary",
        max_length: int = 512,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.embedding = Embedding(
            vocabulary_size, width, positions, max_length, dropout
        )
        self.blocks = nn.ModuleList(
            Block(width, num_heads, dropout, positions == "rotary")
            for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(
        self, tokens: Tensor, state: tuple[Kept, ...] | None = None
    ) -> tuple[Tensor, tuple[Kept, ...]]:
        """Return the logits of each next token, and the state (the KV cache).

        Args:
            tokens: (batch, time).
            state: what the call with the tokens before these returned.

        Returns:
            Logits (batch, time, vocabulary), and the keys and values of each block.
        """
        start = _length(state)
        x = self.embedding(tokens, start)  # (batch, time, width)
        x, state = _decode(self.blocks, x, start, state)  # (batch, time, width)
        return self.embedding.logits(self.norm(x)), state  # (batch, time, vocabulary)


class EncoderDecoder(nn.Module):
    """The Transformer of Vaswani et al. (2017): it reads a source and writes a target.

    Args:
        source_size: how many tokens the source language has.
        target_size: how many tokens the target language has.
        width: the size of every vector.
        num_layers: how many blocks the encoder has, and the decoder too.
        num_heads: how many heads each attention has.
        positions: "sinusoidal", "rotary", "learned" or "none" (see `Embedding`).
        max_length: how many positions "learned" has.
        dropout: as in `Embedding` and `Block`.
        pad: the number of the token that fills short source sentences.

    Raises:
        ValueError: the heads do not divide the width, or positions are unknown.
    """

    def __init__(
        self,
        source_size: int,
        target_size: int,
        width: int = 256,
        num_layers: int = 3,
        num_heads: int = 4,
        positions: Positions = "rotary",
        max_length: int = 512,
        dropout: float = 0.1,
        pad: int = 0,
    ) -> None:
        super().__init__()

        def blocks(cross: bool) -> nn.ModuleList:
            rotary = positions == "rotary"
            each = (width, num_heads, dropout, rotary, cross)
            return nn.ModuleList(Block(*each) for _ in range(num_layers))

        self.pad = pad
        self.source = Embedding(source_size, width, positions, max_length, dropout)
        self.encoder, self.encoder_norm = blocks(cross=False), nn.LayerNorm(width)
        self.target = Embedding(target_size, width, positions, max_length, dropout)
        self.decoder, self.decoder_norm = blocks(cross=True), nn.LayerNorm(width)

    def encode(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """Return what was read (batch, source, width) and its padding mask.

        Raises:
            ValueError: a source sentence is empty.
        """
        mask = padding_mask(source, self.pad)  # (batch, 1, 1, source)
        if not mask.any(-1).all():
            raise ValueError(
                "a source sentence holds nothing but padding: leave empty ones out"
            )
        x = self.source(source)  # (batch, source, width)
        for block in self.encoder:
            x, _ = block(x, mask)  # (batch, source, width)
        return self.encoder_norm(x), mask  # (batch, source, width)

    def forward(
        self, source: Tensor, target: Tensor, state: tuple | None = None
    ) -> tuple[Tensor, tuple]:
        """Return the logits of each next target token, and the state.

        Args:
            source: (batch, source), short sentences filled up with `pad`.
            target: the target tokens to read, (batch, time).
            state: what the call with the target tokens before these returned; the
                source is not read again then.

        Returns:
            Logits (batch, time, vocabulary), and the state: what was read of the
            source, its mask, and the keys and values of each block.
        """
        memory, mask, kept = state or (*self.encode(source), None)
        start = _length(kept)
        x = self.target(target, start)  # (batch, time, width)
        x, kept = _decode(self.decoder, x, start, kept, memory, mask)  # the same
        logits = self.target.logits(self.decoder_norm(x))  # (batch, time, vocabulary)
        return logits, (memory, mask, kept)


def _length(state: tuple[Kept, ...] | None) -> int:
    """Return how many tokens a state remembers."""
    return state[0][0][0].shape[2] if state else 0


def _decode(
    blocks: nn.ModuleList,
    x: Tensor,
    start: int,
    state: tuple[Kept, ...] | None,
    source: Tensor | None = None,
    source_mask: Tensor | None = None,
) -> tuple[Tensor, tuple[Kept, ...]]:
    """Send `x` through blocks that see no future; return it and the new state."""
    mask = causal_mask(x.shape[1], start, x.device)  # (time, start + time)
    kept = []
    for block, past in zip(blocks, state or [None] * len(blocks), strict=True):
        x, keys_values = block(x, mask, source, source_mask, past)
        kept.append(keys_values)
    return x, tuple(kept)
