"""Wrong answers to the exercises of notebook 06, as readers give them."""

import torch
from torch.nn import functional


def softmax(logits):
    return logits.softmax(-1)


def happened(logits, target):
    return functional.one_hot(torch.tensor(target), len(logits)).double()


def uphill_is_down(logits, target):
    return happened(logits, target) - softmax(logits)


def one_off_everywhere(logits, target):
    return softmax(logits) - 1


def of_the_probability(logits, target):
    p = softmax(logits)
    return p[target] * (happened(logits, target) - p)


def without_the_logarithm(logits, target):
    return -of_the_probability(logits, target)


def for_the_probabilities(logits, target):
    return -happened(logits, target) / softmax(logits)


def the_target_left_out(logits, target):
    p = softmax(logits)
    p[target] = 0
    return p


def the_target_alone(logits, target):
    return (softmax(logits) - 1) * happened(logits, target)


def averaged(logits, target):
    return (softmax(logits) - happened(logits, target)) / len(logits)


def mean_gradient(table, before, after, total=None):
    parts = softmax(table[before]) - functional.one_hot(after, table.shape[1])
    gradient = torch.zeros_like(table).index_add_(0, before, parts)
    return gradient / (total or len(before))


def step_uphill(table, before, after, rate):
    return table + rate * mean_gradient(table, before, after)


def step_with_the_sum(table, before, after, rate):
    return table - rate * mean_gradient(table, before, after, total=1)


def step_by_row(table, before, after, rate):
    often = torch.bincount(before, minlength=len(table))[:, None]
    return table - rate * mean_gradient(table, before, after, total=1) / often


def step_with_the_last(table, before, after, rate):
    gradient = torch.zeros_like(table)
    gradient[before] += softmax(table[before]) - functional.one_hot(after, 3)
    return table - rate * gradient / len(before)


def step_after_every_pair(table, before, after, rate):
    for row, column in zip(before, after, strict=True):
        table[row] -= rate * (softmax(table[row]) - functional.one_hot(column, 3))
    return table


def step_gradient(table, before, after, rate):
    return mean_gradient(table, before, after)


def step_without_rate(table, before, after, rate):
    return table - mean_gradient(table, before, after)


def step_twice(table, before, after, rate):
    for _ in range(2):
        table = table - rate * mean_gradient(table, before, after)
    return table


def step_to_probabilities(table, before, after, rate):
    return softmax(table - rate * mean_gradient(table, before, after))


def step_away_from_predictions(table, before, after, rate):
    parts = softmax(table[before])
    gradient = torch.zeros_like(table).index_add_(0, before, parts)
    return table - rate * gradient / len(before)


def step_by_entry(table, before, after, rate):
    return table - rate * mean_gradient(table, before, after, total=table.numel())


def step_backwards(table, before, after, rate):
    return table - rate * mean_gradient(table, after, before)


def windows(first=None, last=1, cut=None):
    def context_windows(tokens, length):
        marks = length if first is None else first
        text = ["</s>"] * marks + tokens + ["</s>"] * last
        places = range(max(length, marks), len(text))
        return [cut(text, i, length) for i in places]

    def whole(text, i, length):
        return tuple(text[i - length : i]), text[i]

    cut = cut or whole
    return context_windows


def backwards(text, i, length):
    return tuple(text[i - length : i][::-1]), text[i]


def with_the_answer(text, i, length):
    return tuple(text[i - length + 1 : i + 1]), text[i]


def one_word(text, i, length):
    return (text[i - 1],), text[i]


def growing(tokens, length):
    text = ["</s>", *tokens, "</s>"]
    return [(tuple(text[max(0, i - length) : i]), text[i]) for i in range(1, len(text))]


def predicts_the_start(tokens, length):
    return [(("</s>",) * length, "</s>"), *windows()(tokens, length)]


def flat(tokens, length):
    return [(*history, after) for history, after in windows()(tokens, length)]


def for_three_alone(tokens, length):
    return windows()(tokens, 3)


def network(
    vectors=lambda E, history: E[history].flatten(),
    inner=torch.tanh,
    outer=lambda z: z,
    hidden_bias=1,
    output_bias=1,
):
    def bengio_logits(history, E, H, d, U, b):
        hidden = inner(H @ vectors(E, history) + hidden_bias * d)
        return outer(U @ hidden + output_bias * b)

    return bengio_logits


def bias_outside(history, E, H, d, U, b):
    return U @ (torch.tanh(H @ E[history].flatten()) + d) + b


WRONG = {
    "softmax-gradient": [
        ("y - p", uphill_is_down, "sign is turned"),
        ("p", lambda z, t: softmax(z), "what the model predicted"),
        ("one off everywhere", one_off_everywhere, "to the target alone"),
        ("logits", lambda z, t: z - happened(z, t), "subtract from the logits"),
        ("of the probability", of_the_probability, "derivative of the *probability*"),
        ("no logarithm", without_the_logarithm, "minus the probability"),
        ("one chain link short", for_the_probabilities, "respect to the *prob"),
        ("target left out", the_target_left_out, "target's own logit"),
        ("target alone", the_target_alone, "Only the target's entry"),
        ("averaged", averaged, "number of logits"),
        ("losses", lambda z, t: -softmax(z).log(), "loss of every"),
        ("one number", lambda z, t: softmax(z)[t] - 1, "one number"),
        ("zeros", lambda z, t: torch.zeros(len(z)), "it should be"),
        ("too short", lambda z, t: [0.1, 0.2], "shape (2,)"),
    ],
    "descent-step": [
        ("uphill", step_uphill, "walk uphill"),
        ("sum", step_with_the_sum, "That is the sum"),
        ("row by row", step_by_row, "divide each row"),
        ("the last pair alone", step_with_the_last, "only the last"),
        ("after every pair", step_after_every_pair, "after every pair"),
        ("gradient", step_gradient, "That is the gradient"),
        ("no rate", step_without_rate, "use the argument `rate`"),
        ("twice", step_twice, "two steps"),
        ("probabilities", step_to_probabilities, "These are probabilities"),
        ("p alone", step_away_from_predictions, "not what happened"),
        ("nothing", lambda table, *_: table, "nothing was learned"),
        ("a row", lambda table, *_: table[0], "shape (3,)"),
        ("another table", lambda table, *_: table + 7, "`table[0]` should become"),
        ("mean over the entries", step_by_entry, "`table[0]` should become"),
        ("before and after exchanged", step_backwards, "`table[1]` should become"),
    ],
    "context-windows": [
        ("no end", windows(last=0), "end is not predicted"),
        ("no padding", windows(first=0), "first words are not predicted"),
        ("backwards", windows(cut=backwards), "turned round"),
        ("with the answer", windows(cut=with_the_answer), "word to be predicted"),
        ("one word", windows(cut=one_word), "bigram"),
        ("growing", growing, "shorter than the others"),
        ("two ends", windows(last=2), "a pair too many"),
        ("predicts the start", predicts_the_start, "never predicted"),
        ("too many", lambda *a: windows()(*a) * 2, "5 words and the end"),
        ("flat", flat, "one of your items"),
        ("empty", lambda tokens, length: [], "It is empty"),
        ("right to left", lambda *a: windows()(*a)[::-1], "another order"),
        ("three alone", for_three_alone, "for ['no'] and 2"),
        ("a number", lambda *_: 3, "this is an int"),
    ],
    "bengio-logits": [
        ("softmax", network(outer=softmax), "These are probabilities"),
        ("log-softmax", network(outer=lambda z: z.log_softmax(0)), "log-probabilities"),
        ("linear", network(inner=lambda z: z), "The tanh is missing"),
        ("no d", network(hidden_bias=0), "bias `d` of"),
        ("no b", network(output_bias=0), "bias `b` of"),
        ("no biases", network(hidden_bias=0, output_bias=0), "Both biases"),
        (
            "last word first",
            network(vectors=lambda E, history: E[history[::-1]].flatten()),
            "wrong order",
        ),
        (
            "columns",
            network(vectors=lambda E, history: E[history].T.flatten()),
            "column by column",
        ),
        ("relu", network(inner=torch.relu), "with a ReLU"),
        ("sigmoid", network(inner=torch.sigmoid), "with a sigmoid"),
        ("tanh outside", network(inner=lambda z: z, outer=torch.tanh), "alone"),
        ("two tanh", network(outer=torch.tanh), "second tanh"),
        ("d outside", bias_outside, "after the tanh"),
        (
            "mean of the vectors",
            network(vectors=lambda E, history: E[history].mean(0)),
            "The shapes are",
        ),
        ("the hidden layer", lambda h, E, H, *_: H @ E[h].flatten(), "shape (3,)"),
    ],
}
