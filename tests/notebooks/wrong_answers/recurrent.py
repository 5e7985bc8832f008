"""Wrong answers to the exercises of notebook 07, as readers give them."""

import math

import torch


def bptt(
    losses="all",
    carry="add",
    slope=True,
    back="u",
    read="before",
    give=lambda w, u: (w, u),
):
    """Back-propagation through time with one thing changed."""

    def scalar_bptt(w, u, x, y, h):
        shown = [h]
        for now in x:
            shown.append(math.tanh(w * now + u * shown[-1]))
        total = dw = du = 0.0
        for t in reversed(range(1, len(shown))):
            error = shown[t] - y[t - 1]
            if losses == "last" and t < len(x):
                error = 0.0
            total = error if carry == "none" else total + error
            inner = total * (1 - shown[t] ** 2) if slope else total
            dw += inner * x[t - 1]
            du += inner * shown[t - 1 if read == "before" else t]
            total = inner * {"u": u, "w": w, "1": 1.0}[back]
        return give(dw, du)

    return scalar_bptt


def mean_loss(w, u, x, y, h):
    dw, du = bptt()(w, u, x, y, h)
    return dw / len(x), du / len(x)


def first_step_left_out(w, u, x, y, h):
    dw, du = bptt()(w, u, x[1:], y[1:], math.tanh(w * x[0] + u * h))
    return dw, du


def nudged(step):
    """Not back-propagation: the loss a little above and below, by differences."""

    def loss(w, u, x, y, h):
        total = 0.0
        for now, target in zip(x, y, strict=True):
            h = math.tanh(w * now + u * h)
            total += (h - target) ** 2 / 2
        return total

    def scalar_bptt(w, u, *rest):
        dw = loss(w + step, u, *rest) - loss(w - step, u, *rest)
        du = loss(w, u + step, *rest) - loss(w, u - step, *rest)
        return dw / (2 * step), du / (2 * step)

    return scalar_bptt


def lstm(
    gate=torch.sigmoid,
    content=torch.tanh,
    memory=lambda write, keep, new, c: keep * c + write * new,
    shown=lambda show, c, old: show * torch.tanh(c),
    give=lambda h, c: (h, c),
):
    """An LSTM step with one thing changed."""

    def lstm_step(write, keep, new, show, c):
        after = memory(gate(write), gate(keep), content(new), c)
        return give(shown(gate(show), after, c), after)

    return lstm_step


def batch(shift=1, less=1, step=None, use_number=True, make=lambda part: part):
    """Rows of a text with one thing changed."""

    def text_batch(text, rows, time, number):
        length = (len(text) - less) // rows
        start = (number if use_number else 0) * (step or time)
        lines = range(0, rows * length, length)

        def cut(more):
            ends = [min(line + start + time, line + length) + more for line in lines]
            pairs = zip(lines, ends, strict=True)
            return make([text[a + start + more : b] for a, b in pairs])

        return stacked(cut(0)), stacked(cut(shift))

    return text_batch


def stacked(lines):
    return torch.stack([*lines]) if len({len(line) for line in lines}) == 1 else lines


def from_the_past(text, rows, time, number):
    length = (len(text) - 1) // rows
    places = torch.arange(rows)[:, None] * length + torch.arange(time) + number * time
    return text[places], text[(places - 1).clamp(min=0)]


def neighbouring_windows(text, rows, time, number):
    start = number * rows * time
    inputs = text[start : start + rows * time].view(rows, time)
    return inputs, inputs + 1


def every_third(text, rows, time, number):
    table = text[: len(text) // rows * rows].view(-1, rows).T
    inputs = table[:, number * time : (number + 1) * time]
    return inputs, inputs + 1


def targets_from_the_next_column(text, rows, time, number):
    inputs, _ = batch()(text, rows, time, number)
    return inputs, inputs.roll(-1, 1)


def runs_over(text, rows, time, number):
    length = (len(text) - 1) // rows
    places = torch.arange(rows)[:, None] * length + torch.arange(time) + number * time
    return text[places], text[places + 1]


def last_targets_repeated(text, rows, time, number):
    inputs, targets = batch()(text, rows, time, number)
    return inputs, targets if targets.shape[1] == time else inputs


def last_target_missing(text, rows, time, number):
    inputs, _ = batch()(text, rows, time, number)
    length = (len(text) - 1) // rows
    start = number * time + 1
    return inputs, text[: rows * length].view(rows, length)[:, start : start + time]


def turned(text, rows, time, number):
    inputs, targets = batch()(text, rows, time, number)
    return inputs.T, targets.T


def whole_windows(text, rows, time, number):
    length = (len(text) - 1) // rows
    places = torch.arange(rows)[:, None] * length + torch.arange(time + 1)
    return text[places + number * time], text[places + number * time + 1]


def one_line(text, rows, time, number):
    part = text[number * time : (number + 1) * time + 1]
    return part[:-1], part[1:]


def sizes_exchanged(text, rows, time, number):
    return batch()(text, time, rows, number)


def columns_by_rows(text, rows, time, number):
    length = (len(text) - 1) // rows
    columns = slice(number * rows, (number + 1) * rows)
    return [
        text[start : rows * length + start].view(rows, length)[:, columns]
        for start in (0, 1)
    ]


def tanh_of(inside):
    return lambda x, h, W, U, b: torch.tanh(inside(x, h, W, U, b))


WRONG = {
    "rnn-step": [
        ("no tanh", lambda x, h, W, U, b: W @ x + U @ h + b, "squeeze it"),
        ("no bias", tanh_of(lambda x, h, W, U, b: W @ x + U @ h), "`b` is missing"),
        ("no memory", tanh_of(lambda x, h, W, U, b: W @ x + b), "no part in yours"),
        ("no input", tanh_of(lambda x, h, W, U, b: U @ h + b), "does not read `x`"),
        ("swapped", tanh_of(lambda x, h, W, U, b: U @ x + W @ h + b), "are swapped"),
        ("turned", tanh_of(lambda x, h, W, U, b: x @ W + h @ U + b), "matrix first"),
        (
            "sigmoid",
            lambda x, h, W, U, b: torch.sigmoid(W @ x + U @ h + b),
            "with a sigmoid",
        ),
        ("added", lambda x, h, W, U, b: h + torch.tanh(W @ x + b), "without end"),
        (
            "bias outside",
            lambda x, h, W, U, b: torch.tanh(W @ x + U @ h) + b,
            "bias goes inside",
        ),
        (
            "two tanh",
            lambda x, h, W, U, b: torch.tanh(W @ x) + torch.tanh(U @ h + b),
            "one by one",
        ),
        ("elementwise", tanh_of(lambda x, h, W, U, b: W * x + U * h + b), "the shape"),
        ("half", lambda x, h, W, U, b: torch.tanh(W @ x + U @ h + b) / 2, "should be"),
        (
            "square only",
            tanh_of(lambda x, h, W, U, b: W[:, :3] @ x[:3] + U @ h + b),
            "x has 5 entries",
        ),
        ("text", lambda *_: "h", "this is a str"),
    ],
    "scalar-bptt": [
        ("swapped", bptt(give=lambda w, u: (u, w)), "They are swapped"),
        ("signs", bptt(give=lambda w, u: (-w, -u)), "signs are turned"),
        ("no half", bptt(give=lambda w, u: (2 * w, 2 * u)), "Twice too large"),
        ("mean", mean_loss, "not a mean"),
        ("last loss", bptt(losses="last"), "Only the last step"),
        ("nothing passed on", bptt(carry="none"), "stays in its own step"),
        ("no slope", bptt(slope=False), "slope of tanh"),
        ("no u", bptt(back="1"), "forget the factor `u`"),
        ("w for u", bptt(back="w"), "multiply by `w`"),
        ("h after the step", bptt(read="after"), "*before* the step"),
        ("a step too few", first_step_left_out, "it should be"),
        ("too large a nudge", nudged(0.1), "it should be"),
        ("du alone", bptt(give=lambda w, u: u), "this is a float"),
        ("three", bptt(give=lambda w, u: (w, u, 0.0)), "3 parts"),
        ("lists", bptt(give=lambda w, u: ([w, w], [u, u])), "one number"),
    ],
    "lstm-step": [
        ("swapped", lstm(give=lambda h, c: (c, h)), "They are swapped"),
        ("gates swapped", lstm(memory=lambda w, k, n, c: w * c + k * n), "`keep` and"),
        ("new through sigmoid", lstm(content=torch.sigmoid), "not a gate"),
        ("new raw", lstm(content=lambda x: x), "before it is written"),
        ("gates raw", lstm(gate=lambda x: x), "sigmoid first"),
        ("gates through tanh", lstm(gate=torch.tanh), "tanh reaches"),
        ("c shown raw", lstm(shown=lambda s, c, old: s * c), "goes through tanh"),
        (
            "old c shown",
            lstm(shown=lambda s, c, old: s * torch.tanh(old)),
            "the *old* one",
        ),
        ("all shown", lstm(shown=lambda s, c, old: torch.tanh(c)), "all of it"),
        ("overwritten", lstm(memory=lambda w, k, n, c: w * n), "is overwritten"),
        ("as a GRU", lstm(memory=lambda w, k, n, c: k * c + (1 - k) * n), "as a GRU"),
        ("never forgets", lstm(memory=lambda w, k, n, c: c + w * n), "kept whole"),
        ("twice", lstm(memory=lambda w, k, n, c: 2 * (k * c + w * n)), "`h["),
        ("c squeezed, too", lstm(give=lambda h, c: (h, torch.tanh(c))), "`c["),
        ("h alone", lstm(give=lambda h, c: h), "A pair, (h, c)"),
        ("sums", lstm(give=lambda h, c: (h.sum(), c.sum())), "the shape"),
    ],
    "text-batch": [
        ("unshifted", batch(shift=0), "targets are the inputs"),
        ("the past", from_the_past, "*before* the inputs"),
        ("windows", neighbouring_windows, "neighbours within one batch"),
        ("same batch", batch(use_number=False), "are the same"),
        ("step of one", batch(step=1), "one token after"),
        ("step of time + 1", batch(step=5), "batch 1 begins with"),
        ("rows and time exchanged", sizes_exchanged, "yours have (4, 3)"),
        ("columns by rows", columns_by_rows, "yours have (3, 3)"),
        ("columns", every_third, "3 apart"),
        ("no token left", batch(less=0), "has no target"),
        ("cyclic", targets_from_the_next_column, "end of a line"),
        ("into the next row", runs_over, "except at the end"),
        ("last targets", last_targets_repeated, "targets of the last batch"),
        ("last target missing", last_target_missing, "has no target: take"),
        ("turned", turned, "stand as columns"),
        ("one too many", whole_windows, "one token too many"),
        ("one line", one_line, "a line for each"),
        ("inputs alone", lambda text, rows, time, number: text, "A pair"),
    ],
}
