"""Wrong answers to the exercises of notebook 16."""

import numpy as np
from torch.nn import functional

from lmcourse.finetuning import bootstrap


def interval(new, old, z=1.96, unit=100, sign=1, spread=None):
    difference = sign * (np.array(new) - np.array(old))
    gain, half = difference.mean(), difference.std() / np.sqrt(len(difference))
    half = z * (spread(new, old) if spread else half)
    return unit * gain, unit * (gain - half), unit * (gain + half)


def apart(new, old):
    """Different texts for the two models."""
    return np.sqrt((np.var(new) + np.var(old)) / len(new))


def of_texts(new, old):
    return np.std(np.array(new) - np.array(old))


def shuffled(new, old):
    difference = np.array(new) - np.array(old)
    draws = [np.random.default_rng(i).permutation(difference) for i in range(200)]
    gain = 100 * difference.mean()
    return gain, *(100 * np.percentile([d.mean() for d in draws], [2.5, 97.5]))


def accuracy(new, old):
    _, low, high = interval(new, old)
    return 100 * np.mean(new), low, high


def high_first(new, old):
    gain, low, high = interval(new, old)
    return gain, high, low


def half_widths(new, old):
    gain, low, _ = interval(new, old)
    return gain, gain - low, gain - low


def plan(texts, per_device, devices, accumulate):
    batch = per_device * devices * accumulate
    return batch, -(-texts // batch)


def no_accumulation(texts, per_device, devices, accumulate):
    return plan(texts, per_device, devices, 1)


def one_device(texts, per_device, devices, accumulate):
    return plan(texts, per_device, 1, accumulate)


def added(texts, per_device, devices, accumulate):
    batch = per_device + devices + accumulate
    return batch, -(-texts // batch)


def rounded_down(texts, per_device, devices, accumulate):
    batch, _ = plan(texts, per_device, devices, accumulate)
    return batch, texts // batch


def one_more(texts, per_device, devices, accumulate):
    batch, _ = plan(texts, per_device, devices, accumulate)
    return batch, texts // batch + 1


def nearest(texts, per_device, devices, accumulate):
    batch, _ = plan(texts, per_device, devices, accumulate)
    return batch, round(texts / batch)


def full_batches_only(texts, per_device, devices, accumulate):
    batch, _ = plan(texts, per_device, devices, accumulate)
    return batch, -(-texts // (per_device * devices)) // accumulate


def batches_for_steps(texts, per_device, devices, accumulate):
    batch, _ = plan(texts, per_device, devices, accumulate)
    return batch, -(-texts // (per_device * devices))


def broken_steps(texts, per_device, devices, accumulate):
    batch, _ = plan(texts, per_device, devices, accumulate)
    return batch, texts / batch


def lora(scale, keep=True, all_of_it=False):
    def forward(x, weight, down, up, alpha):
        plain, change = x @ weight.T * keep, x @ down.T @ up.T
        if all_of_it:
            return scale(alpha, down, up) * (plain + change)
        return plain + scale(alpha, down, up) * change

    return forward


def by_rank(alpha, down, up):
    return alpha / len(down)


def bent(x, weight, down, up, alpha):
    return x @ weight.T + alpha / len(down) * ((x @ down.T).relu() @ up.T)


def columns(x, weight, down, up, alpha):
    return lora(by_rank)(x, weight, down, up, alpha).T


def smoothed(own=lambda e: 1 - e, rest=lambda e, k: e / k, gather="mean"):
    def loss(logits, labels, epsilon):
        log_p = logits.log_softmax(-1)
        label = log_p.gather(1, labels[:, None])[:, 0]
        each = own(epsilon) * label + rest(epsilon, log_p.shape[1]) * log_p.sum(-1)
        return -each if gather is None else -getattr(each, gather)()

    return loss


def over_the_others(logits, labels, epsilon):
    log_p = logits.log_softmax(-1)
    label = log_p.gather(1, labels[:, None])[:, 0]
    others = (log_p.sum(-1) - label) / (log_p.shape[1] - 1)
    return -((1 - epsilon) * label + epsilon * others).mean()


def by_texts(logits, labels, epsilon):
    return smoothed(rest=lambda e, k: e / len(logits))(logits, labels, epsilon)


def of_the_answer(logits, labels, epsilon):
    p = (1 - epsilon) * logits.softmax(-1) + epsilon / logits.shape[1]
    return functional.nll_loss(p.log(), labels)


def guarded(length):
    return length.clamp(min=1e-12)


def of_the_text(gradient):
    return guarded(gradient.flatten(1).norm(dim=1))[:, None, None]


def step(direction):
    return lambda gradient, epsilon: epsilon * direction(gradient)


def flags(new, old):
    return np.mean(new, axis=0) - np.mean(old, axis=0)


def says(low, high):
    return "better" if low > 0 else "worse" if high < 0 else "cannot tell"


def statement(level=lambda tried: 1 - 0.05 / tried, unit=100, sign=1, of=flags):
    def written(new, old, tried):
        difference = sign * of(new, old)
        low, high = bootstrap(difference, level=level(tried))
        return unit * difference.mean(), unit * low, unit * high, says(low, high)

    return written


def best_seeds(new, old):
    return new[new.mean(1).argmax()] - old[old.mean(1).argmax()]


def first_seeds(new, old):
    return new[0] - old[0]


def zipped(new, old):
    return np.mean([a - b for a, b in zip(new, old, strict=False)], axis=0)


def every_pair(new, old):
    return (new[:, None] - old[None]).ravel()


def unpaired(new, old, tried):
    gain = flags(new, old).mean()
    half = 2.81 * apart(new.mean(0), old.mean(0))
    return 100 * gain, 100 * (gain - half), 100 * (gain + half), "cannot tell"


def by_the_sign(new, old, tried):
    gain, low, high, _ = statement()(new, old, tried)
    return gain, low, high, "better" if gain > 0 else "worse"


def other_words(new, old, tried):
    *numbers, _ = statement()(new, old, tried)
    return *numbers, "not significant"


def never_sure(new, old, tried):
    *numbers, _ = statement()(new, old, tried)
    return *numbers, "cannot tell"


def never_worse(new, old, tried):
    *numbers, word = statement()(new, old, tried)
    return *numbers, "cannot tell" if word == "worse" else word


WRONG = {
    "paired-gain": [
        ("shares", lambda a, b: interval(a, b, unit=1), "are shares"),
        ("old minus new", lambda a, b: interval(a, b, sign=-1), "wrong way round"),
        ("accuracy", accuracy, "the accuracy of"),
        ("different texts", lambda a, b: interval(a, b, spread=apart), "*different*"),
        ("single texts", lambda a, b: interval(a, b, spread=of_texts), "√n"),
        ("standard error", lambda a, b: interval(a, b, z=1), "one standard error"),
        ("90 %", lambda a, b: interval(a, b, z=1.645), "*each* end"),
        ("without replacement", shuffled, "no width"),
        ("half widths", half_widths, "the two *ends*"),
        ("high first", high_first, "swapped"),
        ("no gain", lambda a, b: interval(a, b)[1:], "these are 2"),
    ],
    "global-batch": [
        ("no accumulation", no_accumulation, "accumulated count"),
        ("one device", one_device, "Each of the devices"),
        ("per device", lambda t, p, d, a: (p, -(-t // p)), "*one* device"),
        ("added", added, "multiply: each"),
        ("rounded down", rounded_down, "never read"),
        ("one more", one_more, "nothing is left over"),
        ("nearest", nearest, "round *up*"),
        ("full batches only", full_batches_only, "a step all the same"),
        ("batches", batches_for_steps, "counts batches"),
        ("broken", broken_steps, "cannot be taken"),
        ("swapped", lambda *given: plan(*given)[::-1], "swapped"),
        ("batch alone", lambda *given: plan(*given)[0], "this is an int"),
    ],
    "lora-forward": [
        ("frozen alone", lora(lambda *_: 0), "change is missing"),
        ("change alone", lora(by_rank, keep=False), "change alone"),
        ("not by the rank", lora(lambda alpha, *_: alpha), "divided by the rank"),
        ("no factor", lora(lambda *_: 1), "is missing"),
        ("rank 2 for ever", lora(lambda alpha, *_: alpha / 2), "not for rank 1"),
        ("long side", lora(lambda alpha, down, up: alpha / len(up)), "*short* side"),
        ("factor on all", lora(by_rank, all_of_it=True), "change alone, and"),
        ("rank by alpha", lora(lambda a, down, up: len(down) / a), "yours is 0.333"),
        ("root of the rank", lora(lambda a, down, up: a / len(down) ** 0.5), "is 4.24"),
        ("without alpha", lora(lambda a, down, up: 1 / len(down)), "is 0.5"),
        ("bent", bent, "not W x +"),
        ("columns", columns, "right way up"),
        ("not transposed", lambda x, w, down, up, alpha: x @ w, "stops with"),
    ],
    "smoothed-loss": [
        ("plain", smoothed(lambda e: 1, lambda e, k: 0), "without smoothing"),
        ("share lost", smoothed(rest=lambda e, k: 0), "went nowhere"),
        ("sum", smoothed(gather="sum"), "That is the sum"),
        ("each text", smoothed(gather=None), "losses of the texts"),
        ("whole share", smoothed(rest=lambda e, k: e), "add up to 1"),
        ("by the texts", by_texts, "number of *classes*"),
        ("others only", over_the_others, "*other* classes"),
        ("swapped", smoothed(lambda e: e, lambda e, k: (1 - e) / k), "swapped"),
        ("of the answer", of_the_answer, "*target*"),
        ("sign", smoothed(lambda e: e - 1, lambda e, k: -e / k), "minus sign"),
    ],
    "fgm-step": [
        ("downhill", step(lambda g: -g / of_the_text(g)), "*down*"),
        ("whole batch", step(lambda g: g / g.norm()), "whole batch"),
        ("each word", step(lambda g: g / guarded(g.norm(dim=2, keepdim=True))), "word"),
        ("sign", step(lambda g: g.sign()), "the sign of"),
        ("gradient", step(lambda g: g), "not divided"),
        ("length one", lambda g, epsilon: g / of_the_text(g), "is missing"),
        ("squared", step(lambda g: g / of_the_text(g) ** 2), "root is missing"),
        (
            "divides by zero",
            step(lambda g: g / g.norm(dim=(1, 2))[:, None, None]),
            "0 / 0",
        ),
        ("length only", lambda g, epsilon: g.flatten(1).norm(dim=1), "shape should"),
    ],
    "defended-statement": [
        ("shares", statement(unit=1), "are shares"),
        ("old minus new", statement(sign=-1), "wrong way round"),
        ("one comparison", statement(lambda tried: 0.95), "single comparison"),
        ("best seeds", statement(of=best_seeds), "best seed"),
        ("zipped", statement(of=zipped), "no pairs"),
        ("one-sided", statement(lambda tried: 1 - 0.1 / tried), "*each* end"),
        ("ten for ever", statement(lambda tried: 1 - 0.05 / 10), "is `tried` used"),
        ("first seeds", statement(of=first_seeds), "first seed"),
        ("every pair", statement(of=every_pair), "too narrow"),
        ("unpaired", unpaired, "too wide"),
        ("by the sign", by_the_sign, "honest verdict"),
        ("other words", other_words, "none of"),
        ("never sure", never_sure, "wholly above"),
        ("never worse", never_worse, "wholly below"),
        ("no verdict", lambda *given: statement()(*given)[:3], "is a word"),
    ],
}
