"""Neural n-gram models: they see what a counted n-gram sees, and learn what it counts.

The bigram as a table of logits, the same table as a product of two thin ones, and the
first neural language model that was worth its training, with several words of history.
"""

import torch
from torch import Tensor, nn

State = tuple[Tensor, ...] | None


class NeuralBigram(nn.Module):
    """A bigram model: one row of logits for each history.

    At its best on the training text it is the counted bigram (maximum likelihood).

    Args:
        vocabulary_size: how many tokens there are.
        rank: None for the full table, which begins with zeros: every token is equally
            likely. A number for the product of two thin tables, (vocabulary, rank)
            times (rank, vocabulary), and a bias for each next token.
        dropout: the share of a row's entries that are set to 0 in training.
    """

    def __init__(
        self, vocabulary_size: int, rank: int | None = None, dropout: float = 0.0
    ) -> None:
        super().__init__()
        size = vocabulary_size if rank is None else rank
        self.rows = nn.Embedding(vocabulary_size, size)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Identity()
        if rank is None:
            nn.init.zeros_(self.rows.weight)
        else:
            self.output = nn.Linear(rank, vocabulary_size)
            nn.init.normal_(self.rows.weight, std=0.1)
            nn.init.normal_(self.output.weight, std=0.1)

    def forward(self, tokens: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Return the logits of each next token, and no state: one token is enough.

        Args:
            tokens: (batch, time), or any other shape.
            state: not used.

        Returns:
            Logits (batch, time, vocabulary), and None.
        """
        x = self.dropout(self.rows(tokens))  # (batch, time, rank)
        return self.output(x), None  # (batch, time, vocabulary)


class NeuralNgram(nn.Module):
    """A neural n-gram model: the vectors of n - 1 words, one hidden layer, a softmax.

    Bengio, Ducharme, Vincent and Jauvin 2003, “A neural probabilistic language model”:
    logits = b + W x + U tanh(d + H x), where x holds the vectors of the last n - 1
    tokens. Here W and U are thin: both end in the same (width, vocabulary) table, and
    W reads the last token's vector alone. So without its hidden layer the model is a
    `NeuralBigram`, and the softmax, which takes most of the time, costs no more.

    Args:
        vocabulary_size: how many tokens there are.
        order: n; the model sees n - 1 tokens.
        width: the size of token vectors.
        hidden: the size of the hidden layer.
        dropout: the share of the vectors' entries, and of the hidden layer's, that are
            set to 0 in training.

    Raises:
        ValueError: an order below 2.
    """

    def __init__(
        self,
        vocabulary_size: int,
        order: int = 5,
        width: int = 64,
        hidden: int = 128,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if order < 2:
            raise ValueError(f"order is {order}: expected 2 or more")
        self.length = order - 1
        # One more row stands for what comes before the first token.
        self.embedding = nn.Embedding(vocabulary_size + 1, width)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.hidden = nn.Linear(self.length * width, hidden)
        self.dropout = nn.Dropout(dropout)
        self.back = nn.Linear(hidden, width)
        nn.init.zeros_(self.back.weight)  # so that training starts from the bigram
        nn.init.zeros_(self.back.bias)
        self.output = nn.Linear(width, vocabulary_size)

    def forward(self, tokens: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Return the logits of each next token, and the tokens that come before more.

        Args:
            tokens: (batch, time).
            state: what the call with the tokens before these returned.

        Returns:
            Logits (batch, time, vocabulary), and the last n - 2 tokens, (batch, n - 2).
        """
        before = state[0] if state else self._nothing(tokens)  # (batch, n - 2)
        read = torch.cat([before, tokens], 1)  # (batch, n - 2 + time)
        vectors = self.dropout(self.embedding(read))  # (batch, n - 2 + time, width)
        windows = vectors.unfold(1, self.length, 1)  # (batch, time, width, n - 1)
        x = windows.transpose(2, 3).flatten(2)  # (batch, time, (n - 1) * width)
        x = self.dropout(torch.tanh(self.hidden(x)))  # (batch, time, hidden)
        x = vectors[:, self.length - 1 :] + self.back(x)  # (batch, time, width)
        return self.output(x), (read[:, tokens.shape[1] :],)

    def _nothing(self, tokens: Tensor) -> Tensor:
        """Return what stands before the first tokens: (batch, n - 2)."""
        nothing = self.embedding.num_embeddings - 1
        return tokens.new_full((len(tokens), self.length - 1), nothing)
