"""BERT: an encoder that reads a text in both directions (Devlin et al. 2019).

“BERT: Pre-training of deep bidirectional transformers for language understanding”. The
same `Bert` stands under every head, and each head says what is learned: words behind
a mask, whether a sentence follows, the class of a text, or a label for each token.

Every model reads the same three tensors, each (batch, time), in this order:

    tokens  numbers of the vocabulary, short rows filled up with `Config.pad`
    types   0 in the first text, 1 in the second; left out, all 0
    mask    bool, True for what is text and False for padding; left out, all True

so a batch for the training loop is ``(tokens, types, mask, labels)``; `inputs` makes
the first three. Types and mask have different kinds of numbers, so that they cannot be
mistaken for one another. Heads return logits and None, the state that an encoder does
not have, as `training.each_alone` expects.

Weights travel both ways between these modules and `transformers`, as safetensors.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional

from .attention import MultiHeadAttention
from .batches import padded
from .checkpoints import load_tensors

SPREAD = 0.02  # the standard deviation of the weights before training

# ------------------------------------------------------------ the shape of a model


def _as(name: str, default: Any) -> Any:
    """Return a field of `Config` with its name in `config.json`."""
    return field(default=default, metadata={"json": name})


@dataclass(frozen=True)
class Config:
    """The shape of a BERT; the defaults are BERT-base (Devlin et al. 2019, section 3).

    Attributes:
        vocabulary_size: how many tokens there are.
        width: the size of a token's vector.
        num_layers: how many layers the encoder has.
        num_heads: how many heads each attention has.
        inner: the width inside a layer's network.
        max_length: how many positions have a vector.
        num_types: how many texts an input may consist of.
        dropout: the share of entries that are set to 0 in training.
        attention_dropout: the share of looks that are dropped in training.
        eps: what layer norm adds to the variance.
        pad: the number of the token that fills up short rows.
        labels: the names of the classes of a classification or token head.

    Raises:
        ValueError: a number out of its range.
    """

    vocabulary_size: int = _as("vocab_size", 30_522)
    width: int = _as("hidden_size", 768)
    num_layers: int = _as("num_hidden_layers", 12)
    num_heads: int = _as("num_attention_heads", 12)
    inner: int = _as("intermediate_size", 3072)
    max_length: int = _as("max_position_embeddings", 512)
    num_types: int = _as("type_vocab_size", 2)
    dropout: float = _as("hidden_dropout_prob", 0.1)
    attention_dropout: float = _as("attention_probs_dropout_prob", 0.1)
    eps: float = _as("layer_norm_eps", 1e-12)
    pad: int = _as("pad_token_id", 0)
    labels: tuple[str, ...] = ("LABEL_0", "LABEL_1")

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(self.labels))
        sizes = "vocabulary_size", "width", "num_layers", "num_heads", "inner"
        for name in (*sizes, "max_length"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: expected 1 or more")
        for name in ("dropout", "attention_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(
                    f"{name} is {getattr(self, name)}: expected from 0 to below 1"
                )
        if len(set(self.labels)) < max(1, len(self.labels)):
            raise ValueError(
                f"labels are {self.labels}: expected one or more, distinct"
            )
        if not 0 <= self.pad < self.vocabulary_size:
            raise ValueError(
                f"pad is {self.pad}: expected a token number below "
                f"{self.vocabulary_size}"
            )

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Return the configuration in a folder's `config.json`.

        Raises:
            FileNotFoundError: the folder has no such file.
            ValueError: it describes something that these modules are not.
        """
        stored = json.loads(_existing(folder, "config.json").read_text("utf-8"))
        for name, expected in _FIXED.items():
            if stored.get(name, expected) != expected:
                raise ValueError(
                    f"{folder}: {name} is {stored[name]!r}, and these modules can only "
                    f"be {expected!r}: use transformers for this model"
                )
        known = {
            ours: stored[name]
            for ours, name in _json_names().items()
            if stored.get(name) is not None
        }
        if stored.get("id2label"):
            by_number = sorted(
                stored["id2label"].items(), key=lambda item: int(item[0])
            )
            known["labels"] = tuple(label for _, label in by_number)
        return cls(**known)

    def to_json(self, architecture: str) -> str:
        """Return the text of a `config.json` that `transformers` reads."""
        values = {name: getattr(self, ours) for ours, name in _json_names().items()}
        labels = {
            "id2label": {str(number): name for number, name in enumerate(self.labels)},
            "label2id": {name: number for number, name in enumerate(self.labels)},
        }
        first = {"architectures": [architecture], "initializer_range": SPREAD}
        everything = {**first, **_FIXED, **values, **labels}
        return json.dumps(everything, ensure_ascii=False, indent=2) + "\n"


def _json_names() -> dict[str, str]:
    """Return the names of the attributes that have one in `config.json`."""
    named = [each for each in fields(Config) if "json" in each.metadata]
    return {each.name: each.metadata["json"] for each in named}


_FIXED = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "position_embedding_type": "absolute",
    "tie_word_embeddings": True,
    "is_decoder": False,
}


# ------------------------------------------------------------ the encoder


class Embeddings(nn.Module):
    """What a token is, where it stands and which text it belongs to, added up."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.width
        self.tokens = nn.Embedding(config.vocabulary_size, width, config.pad)
        self.positions = nn.Embedding(config.max_length, width)
        self.types = nn.Embedding(config.num_types, width)
        self.norm = nn.LayerNorm(width, config.eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, tokens: Tensor, types: Tensor | None = None) -> Tensor:
        """Return (batch, time, width) for tokens and types (batch, time).

        Raises:
            ValueError: there are more tokens than positions, or a token has a number
                beyond the vocabulary.
        """
        time, most = tokens.shape[1], self.positions.num_embeddings
        if time > most:
            raise ValueError(
                f"{time} tokens are more than the {most} positions of this model: cut "
                "the text"
            )
        try:
            what = self.tokens(tokens)  # (batch, time, width)
        except IndexError as error:
            raise ValueError(
                f"a token's number is not below {self.tokens.num_embeddings}, the "
                "vocabulary of this model: use the tokenizer from the same folder"
            ) from error
        where = self.positions.weight[:time]  # (time, width)
        which = self.types.weight[0]  # (width,)
        if types is not None:
            which = self.types(types)  # (batch, time, width)
        return self.dropout(self.norm(what + where + which))  # (batch, time, width)


class Layer(nn.Module):
    """Attention and a small network, each added to its input and then normalised.

    This is the order of Vaswani et al. (2017): post-norm. `lmcourse.transformer.Block`
    normalises first.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        width, inner, eps = config.width, config.inner, config.eps
        self.attention = MultiHeadAttention(
            width, config.num_heads, dropout=config.attention_dropout
        )
        self.attention_norm = nn.LayerNorm(width, eps)
        self.inner = nn.Linear(width, inner)
        self.outer = nn.Linear(inner, width)
        self.network_norm = nn.LayerNorm(width, eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return new vectors, (batch, time, width).

        Args:
            x: (batch, time, width).
            mask: who may look at whom, broadcast to (batch, heads, time, time).
        """
        change, _ = self.attention(x, mask)  # (batch, time, width)
        x = self.attention_norm(x + self.dropout(change))  # (batch, time, width)
        thought = functional.gelu(self.inner(x))  # (batch, time, inner)
        change = self.outer(thought)  # (batch, time, width)
        return self.network_norm(x + self.dropout(change))  # (batch, time, width)


class Encoder(nn.Module):
    """Layers, one after another."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_layers))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return (batch, time, width) for (batch, time, width), see `Layer`."""
        for layer in self.layers:
            x = layer(x, mask)  # (batch, time, width)
        return x  # (batch, time, width)


class Pooler(nn.Module):
    """A vector for the whole input: that of its first token, ``[CLS]``, mapped."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dense = nn.Linear(config.width, config.width)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return (batch, width) for hidden states (batch, time, width)."""
        return self.dense(hidden[:, 0]).tanh()  # (batch, width)


def _drawn(part: nn.Module) -> nn.Module:
    """Return a part with all weights drawn as BERT does: biases 0, norms 1."""
    for module in part.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=SPREAD)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            nn.init.zeros_(module.weight[module.padding_idx].detach())
    return part


class Inside(NamedTuple):
    """What a `Bert` computes on its way, for a look at it."""

    hidden: Tensor  # (layers + 1, batch, time, width); the first are the embeddings
    attention: Tensor  # (layers, batch, heads, time, time), each row summing to 1


class Loaded(NamedTuple):
    """What loading weights left over, in the names of `transformers`."""

    missing: tuple[str, ...]  # not in the file: these weights are still random
    unexpected: tuple[str, ...]  # in the file, and not in this model


class _Model(nn.Module):
    """What the encoder and all heads share: weights that come and go.

    Attributes:
        config: the model's shape.
        loaded: what `from_pretrained` left over; None for a model of its own.
    """

    architecture: ClassVar[str]  # the name of the same model in `transformers`

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.loaded: Loaded | None = None

    @classmethod
    def from_pretrained(cls, folder: str | Path, **changes: Any) -> Self:
        """Return a model with the weights in a folder, in evaluation mode.

        The folder is laid out as `transformers` does it: `config.json` and
        `model.safetensors`. A head that is not in it starts from random weights;
        `loaded.missing` names them.

        Args:
            folder: from `corpora.load("minilm")` or `save_pretrained`, for example.
            changes: fields of `Config` that are to differ, such as `labels`.

        Raises:
            FileNotFoundError: a file is missing.
            ValueError: weights of the encoder are missing, or have other shapes.
        """
        model = cls(replace(Config.read(folder), **changes))
        model.loaded = _load(model, _existing(folder, "model.safetensors"))
        return model.eval()

    def save_pretrained(self, folder: str | Path) -> None:
        """Write `config.json` and `model.safetensors`, for `transformers` as well."""
        weights = {
            _in_transformers(name): weight.detach().cpu().contiguous()
            for name, weight in self.state_dict().items()
        }
        content = safetensors.torch.save(weights, metadata={"format": "pt"})
        config = self.config.to_json(self.architecture).encode()
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, written in (("model.safetensors", content), ("config.json", config)):
            part = Path(folder) / f"{name}.part"
            part.write_bytes(written)
            part.replace(Path(folder) / name)


class Bert(_Model):
    """Embeddings and encoder, with the pooler that some heads need.

    Args:
        config: the model's shape.
        pooler: False leaves the pooler out, for heads that do not use it.
    """

    architecture = "BertModel"

    def __init__(self, config: Config, pooler: bool = True) -> None:
        super().__init__(config)
        self.embeddings = _drawn(Embeddings(config))
        self.encoder = _drawn(Encoder(config))
        self.pooler = _drawn(Pooler(config)) if pooler else None

    def forward(
        self, tokens: Tensor, types: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """Return the hidden states of the last layer, (batch, time, width).

        Args:
            tokens: (batch, time).
            types: (batch, time), whole numbers.
            mask: (batch, time), bool.

        Raises:
            ValueError: types or mask are of the wrong shape or kind, or there are more
                tokens than positions.
        """
        looks = _looks(tokens, types, mask)  # (batch, 1, 1, time)
        x = self.embeddings(tokens, types)  # (batch, time, width)
        return self.encoder(x, looks)  # (batch, time, width)

    def inside(
        self, tokens: Tensor, types: Tensor | None = None, mask: Tensor | None = None
    ) -> Inside:
        """Return the hidden states and attention maps of all layers.

        Args and errors: as for a call.
        """
        looks = _looks(tokens, types, mask)  # (batch, 1, 1, time)
        hidden = [self.embeddings(tokens, types)]  # (batch, time, width)
        attention = []
        for layer in self.encoder.layers:
            attention.append(layer.attention.weights(hidden[-1], looks))
            hidden.append(layer(hidden[-1], looks))  # (batch, time, width)
        return Inside(torch.stack(hidden), torch.stack(attention))


# ------------------------------------------------------------ heads


class WordHead(nn.Module):
    """Hidden states → logits over the vocabulary, with the table that reads tokens."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dense = nn.Linear(config.width, config.width)
        self.norm = nn.LayerNorm(config.width, config.eps)
        self.bias = nn.Parameter(torch.zeros(config.vocabulary_size))

    def forward(self, hidden: Tensor, table: Tensor) -> Tensor:
        """Return (…, vocabulary) for (…, width) and the table (vocabulary, width)."""
        x = self.norm(functional.gelu(self.dense(hidden)))  # (…, width)
        return functional.linear(x, table, self.bias)  # (…, vocabulary)


class ForMaskedLM(_Model):
    """Which word stands here? (Devlin et al. 2019, task 1; the table is tied.)"""

    architecture = "BertForMaskedLM"

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.bert = Bert(config, pooler=False)
        self.words = _drawn(WordHead(config))

    def forward(
        self,
        tokens: Tensor,
        types: Tensor | None = None,
        mask: Tensor | None = None,
        places: Tensor | None = None,
    ) -> tuple[Tensor, None]:
        """Return logits (batch, time, vocabulary), and None.

        Args:
            tokens: (batch, time).
            types: (batch, time), whole numbers.
            mask: (batch, time), bool.
            places: (batch, time), bool: where logits are wanted. They are then
                (places, vocabulary), row by row, which saves most of the work.
        """
        hidden = self.bert(tokens, types, mask)  # (batch, time, width)
        return self.words(_at(hidden, places), self.bert.embeddings.tokens.weight), None


class ForNextSentence(_Model):
    """Does the second text follow the first? 0 for yes, 1 for no (task 2)."""

    architecture = "BertForNextSentencePrediction"

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.bert = Bert(config)
        self.follows = _drawn(nn.Linear(config.width, 2))

    def forward(
        self, tokens: Tensor, types: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, None]:
        """Return logits (batch, 2), and None; arguments as for `Bert`."""
        pooled = self.bert.pooler(self.bert(tokens, types, mask))  # (batch, width)
        return self.follows(pooled), None  # (batch, 2)


class ForPretraining(_Model):
    """Both tasks at once, on one encoder."""

    architecture = "BertForPreTraining"

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.bert = Bert(config)
        self.words = _drawn(WordHead(config))
        self.follows = _drawn(nn.Linear(config.width, 2))

    def forward(
        self,
        tokens: Tensor,
        types: Tensor | None = None,
        mask: Tensor | None = None,
        places: Tensor | None = None,
    ) -> tuple[tuple[Tensor, Tensor], None]:
        """Return the logits of words and of what follows, and None.

        Arguments and the shape of the first are as in `ForMaskedLM`; the second are
        (batch, 2).
        """
        hidden = self.bert(tokens, types, mask)  # (batch, time, width)
        table = self.bert.embeddings.tokens.weight  # (vocabulary, width)
        words = self.words(_at(hidden, places), table)  # (…, vocabulary)
        follows = self.follows(self.bert.pooler(hidden))  # (batch, 2)
        return (words, follows), None


class ForClassification(_Model):
    """One class for the whole input, from the pooled vector of ``[CLS]``.

    There are as many classes as `config.labels`. Class weights belong to the loss.
    """

    architecture = "BertForSequenceClassification"

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.bert = Bert(config)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = _drawn(nn.Linear(config.width, len(config.labels)))

    def forward(
        self, tokens: Tensor, types: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, None]:
        """Return logits (batch, labels), and None; arguments as for `Bert`."""
        pooled = self.bert.pooler(self.bert(tokens, types, mask))  # (batch, width)
        return self.classifier(self.dropout(pooled)), None  # (batch, labels)


class ForTokens(_Model):
    """A label for each token, such as the entity that it belongs to."""

    architecture = "BertForTokenClassification"

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.bert = Bert(config, pooler=False)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = _drawn(nn.Linear(config.width, len(config.labels)))

    def forward(
        self, tokens: Tensor, types: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, None]:
        """Return logits (batch, time, labels), and None; arguments as for `Bert`."""
        hidden = self.bert(tokens, types, mask)  # (batch, time, width)
        return self.classifier(self.dropout(hidden)), None  # (batch, time, labels)


# ------------------------------------------------------------ inputs


def inputs(
    sequences: Sequence[Sequence[int]],
    types: Sequence[Sequence[int]] | None = None,
    pad: int = 0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return tokens, types and mask of sequences of unequal length.

    Args:
        sequences: token numbers, ``[CLS]`` and ``[SEP]`` included.
        types: 0 or 1 for each token; None for one text each, all 0.
        pad: the number of ``[PAD]``.

    Returns:
        Three tensors (batch, longest), as every model here reads them.

    Raises:
        ValueError: there is no sequence, or types of another length.
    """
    ones = [[1] * len(sequence) for sequence in sequences]
    which = [[0] * len(sequence) for sequence in sequences] if types is None else types
    if list(map(len, which)) != list(map(len, sequences)):
        raise ValueError("types must be as long as their sequences: give one a token")
    return padded(sequences, pad), padded(which, 0), padded(ones, 0).bool()


def mean_pool(hidden: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of the vectors that are not padding, (batch, width).

    Sentence encoders such as MiniLM are used so (Reimers and Gurevych 2019).

    Args:
        hidden: (batch, time, width).
        mask: (batch, time), bool.
    """
    chosen = mask[..., None].to(hidden.dtype)  # (batch, time, 1)
    return (hidden * chosen).sum(1) / chosen.sum(1)  # (batch, width)


def _looks(tokens: Tensor, types: Tensor | None, mask: Tensor | None) -> Tensor | None:
    """Return the mask as attention wants it, (batch, 1, 1, time), after a check."""
    if tokens.ndim != 2:
        raise ValueError(
            f"tokens are {tuple(tokens.shape)}: give (batch, time), also for one text, "
            "see `inputs`"
        )
    for name, given in (("types", types), ("mask", mask)):
        if given is not None and given.shape != tokens.shape:
            raise ValueError(
                f"{name} are {tuple(given.shape)} and tokens {tuple(tokens.shape)}: "
                "give both the same shape, (batch, time)"
            )
    if types is not None and types.dtype == torch.bool:
        raise ValueError(
            "types are bool: give 0 or 1 for each token; was this the mask? The order "
            "is tokens, types, mask"
        )
    if mask is None:
        return None
    if mask.dtype != torch.bool:
        raise ValueError(
            f"the mask is {mask.dtype}: give a bool, True where there is text; were "
            "these the types? The order is tokens, types, mask"
        )
    return mask[:, None, None, :]  # (batch, 1, 1, time)


def _at(hidden: Tensor, places: Tensor | None) -> Tensor:
    """Return hidden states, or those at some places: (places, width)."""
    return hidden if places is None else hidden[places]


# ------------------------------------------------------------ weights that travel

# A part of a model here → its name in `transformers`, # for the number of a layer.
NAMES = {
    "embeddings.tokens": "embeddings.word_embeddings",
    "embeddings.positions": "embeddings.position_embeddings",
    "embeddings.types": "embeddings.token_type_embeddings",
    "embeddings.norm": "embeddings.LayerNorm",
    "encoder.layers.#.attention.query": "encoder.layer.#.attention.self.query",
    "encoder.layers.#.attention.key": "encoder.layer.#.attention.self.key",
    "encoder.layers.#.attention.value": "encoder.layer.#.attention.self.value",
    "encoder.layers.#.attention.output": "encoder.layer.#.attention.output.dense",
    "encoder.layers.#.attention_norm": "encoder.layer.#.attention.output.LayerNorm",
    "encoder.layers.#.inner": "encoder.layer.#.intermediate.dense",
    "encoder.layers.#.outer": "encoder.layer.#.output.dense",
    "encoder.layers.#.network_norm": "encoder.layer.#.output.LayerNorm",
    "pooler.dense": "pooler.dense",
    "words.dense": "cls.predictions.transform.dense",
    "words.norm": "cls.predictions.transform.LayerNorm",
    "words": "cls.predictions",  # its bias
    "follows": "cls.seq_relationship",
    "classifier": "classifier",
}

# In some files, and not weights of their own: the tied table and bias, and 0, 1, 2, …
_COPIES = {
    "embeddings.position_ids",
    "cls.predictions.decoder.weight",
    "cls.predictions.decoder.bias",
}


def _in_transformers(name: str) -> str:
    """Return what `transformers` calls a weight; raise `ValueError` if it has none.

    >>> _in_transformers("bert.encoder.layers.3.attention_norm.weight")
    'bert.encoder.layer.3.attention.output.LayerNorm.weight'
    """
    prefix = "bert." * name.startswith("bert.")
    part, _, kind = name.removeprefix("bert.").rpartition(".")
    theirs = NAMES.get(re.sub(r"\d+", "#", part))
    if theirs is None:
        raise ValueError(
            f"{name} is no weight of a plain BERT, so `transformers` has no name for "
            "it: after LoRA, call merge_lora first"
        )
    for number in re.findall(r"\d+", part):
        theirs = theirs.replace("#", number)
    return f"{prefix}{theirs}.{kind}"


def _bare(name: str) -> str:
    """Return a name of `transformers` as the bare, current model has it.

    Models with a head put ``bert.`` before the encoder's names, and files of 2018 call
    the two weights of a norm gamma and beta.
    """
    name = name.removeprefix("bert.")
    name = name.replace("LayerNorm.gamma", "LayerNorm.weight")
    return name.replace("LayerNorm.beta", "LayerNorm.bias")


def _load(model: _Model, file: Path) -> Loaded:
    """Load weights from a file into a model, in place; return what was left over."""
    stored = {_bare(n): w for n, w in load_tensors(file).items()}
    own = model.state_dict()
    wanted = {_bare(_in_transformers(name)): name for name in own}
    missing = sorted(wanted.keys() - stored.keys())
    unexpected = sorted(stored.keys() - wanted.keys() - _COPIES)
    _refuse(
        file,
        [name for name in missing if name.startswith(("embeddings.", "encoder."))],
        "lacks weights of the encoder",
        f" It holds {', '.join(unexpected[:3]) or 'nothing else'}.",
    )
    both = wanted.keys() & stored.keys()
    shapes = {name: (stored[name].shape, own[wanted[name]].shape) for name in both}
    _refuse(
        file,
        [
            f"{name} {tuple(there)}, not {tuple(here)}"
            for name, (there, here) in sorted(shapes.items())
            if there != here
        ],
        "holds other shapes than the model",
        " Build the model with the configuration that it was saved with.",
    )
    model.load_state_dict({wanted[name]: stored[name] for name in both}, strict=False)
    return Loaded(tuple(missing), tuple(unexpected))


def _refuse(file: Path, wrong: list[str], problem: str, advice: str) -> None:
    """Raise `ValueError` if there is something wrong."""
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise ValueError(f"{file} {problem}: {', '.join(wrong[:3])}{more}.{advice}")


def _existing(folder: str | Path, name: str) -> Path:
    """Return the path of a file in a folder, which must be there."""
    path = Path(folder) / name
    if not path.exists():
        raise FileNotFoundError(
            f"{path} does not exist: give a folder with config.json and "
            "model.safetensors, such as corpora.load('minilm'); weights in other "
            "formats are not read, because loading them could run code"
        )
    return path
