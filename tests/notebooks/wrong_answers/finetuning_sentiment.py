"""Wrong answers to the exercises of notebook 14."""

import random

from torch.nn import functional


def scores(table):
    (_, false), (missed, true) = table
    found, there = true + false, true + missed
    if not true:
        return 0.0, 0.0, 0.0
    p, r = true / found, true / there
    return p, r, 2 * p * r / (p + r)


def swapped(table):
    p, r, f = scores(table)
    return r, p, f


def other_class(table):
    return scores(table[::-1, ::-1])


def mean_for_f1(table):
    p, r, _ = scores(table)
    return p, r, (p + r) / 2


def half_f1(table):
    p, r, f = scores(table)
    return p, r, f / 2


def accuracy(table):
    return (table[0][0] + table[1][1]) / table.sum(), *scores(table)[1:]


def not_defined(table):
    true, found, there = (
        int(n) for n in (table[1][1], table[:, 1].sum(), table[1].sum())
    )
    p, r = true / found, true / there
    return p, r, 2 * p * r / (p + r)


def ones(table):
    return (*scores(table)[:2], 1.0) if table[0][1] == 0 else scores(table)


def stop(better=lambda error, best: error < best, reset=True, extra=0, first=0):
    def rule(errors, patience):
        best, waited, last = 0, 0, 0
        for last in range(1, len(errors)):
            if better(errors[last], errors[best]):
                best, waited = last, 0 if reset else waited
            else:
                waited += 1
            if waited >= patience + extra:
                break
        return best + first, last + first

    return rule


def against_the_one_before(errors, patience):
    best, waited, last = 0, 0, 0
    for last in range(1, len(errors)):
        waited = 0 if errors[last] < errors[last - 1] else waited + 1
        best = last if errors[last] < errors[best] else best
        if waited >= patience:
            break
    return best, last


def best_of_all(errors, patience):
    best = errors.index(min(errors))
    return best, len(errors) - 1


def errors_themselves(errors, patience):
    best, last = stop()(errors, patience)
    return errors[best], errors[last]


def last_weights(errors, patience):
    _, last = stop()(errors, patience)
    return last, last


def last_first(errors, patience):
    return stop()(errors, patience)[::-1]


def highest(errors, patience):
    return stop(lambda error, best: error > best)(errors, patience)


def never_stops(errors, patience):
    best, _ = stop()(errors, patience)
    return best, len(errors) - 1


def equal_is_better(errors, patience):
    return stop(lambda error, best: error <= best)(errors, patience)


def one_number(errors, patience):
    return stop()(errors, patience)[0]


def of_each(labels, size, count):
    classes = sorted(set(labels))
    places = {c: [i for i, label in enumerate(labels) if label == c] for c in classes}
    return [i for c in classes for i in places[c][: count(len(places[c]))]]


def in_proportion(labels, size):
    return of_each(labels, size, lambda n: round(size * n / len(labels)))


def two_classes(labels, size):
    share = sum(label == 1 for label in labels) / len(labels)
    ones = [i for i, label in enumerate(labels) if label == 1][: round(size * share)]
    rest = [i for i, label in enumerate(labels) if label == 0]
    return ones + rest[: size - len(ones)]


def mask(labels, size):
    chosen = set(in_proportion(labels, size))
    return [i in chosen for i in range(len(labels))]


def training_part(labels, size):
    chosen = set(in_proportion(labels, size))
    return [i for i in range(len(labels)) if i not in chosen]


def by_chance(labels, size):
    return random.Random(3).sample(range(len(labels)), size)


def with_replacement(labels, size):
    return in_proportion(labels, size)[:-1] + in_proportion(labels, size)[:1]


def fit(
    train=True, clear=True, back=True, step=True, late=False, sign=1, keep=list, times=1
):
    def loop(model, batches, optimizer):
        if train:
            model.train()
        losses = []
        for tokens, labels in batches * times:
            loss = sign * functional.cross_entropy(model(tokens), labels)
            if clear and not late:
                optimizer.zero_grad()
            if back:
                loss.backward()
            if late:
                optimizer.zero_grad()
            if step:
                optimizer.step()
            losses.append(loss.item())
        return keep(losses)

    return loop


def first_batch(model, batches, optimizer):
    return fit()(model, batches[:1], optimizer)


def reads_nothing(model, batches, optimizer):
    return [0.7, 0.6, 0.5]


WRONG = {
    "confusion-scores": [
        ("swapped", swapped, "are swapped"),
        ("class 0", other_class, "class 0"),
        ("accuracy", accuracy, "the accuracy"),
        ("percentages", lambda t: [100 * x for x in scores(t)], "percentages"),
        ("mean for F1", mean_for_f1, "harmonic"),
        ("half of F1", half_f1, "factor of 2"),
        ("rounded", lambda t: [round(float(x), 3) for x in scores(t)], "are rounded"),
        ("divides by zero", not_defined, "nothing to divide by"),
        ("one by convention", ones, "all three are 0"),
        ("F1 alone", lambda t: scores(t)[2], "this is a"),
        ("two of three", lambda t: scores(t)[:2], "these are 2"),
    ],
    "early-stopping": [
        ("best of all", best_of_all, "cannot know"),
        ("one too late", stop(extra=1), "one evaluation too late"),
        ("patience of 2", lambda errors, _: stop()(errors, 2), "is `patience` used"),
        ("from 1", stop(first=1), "start at 0"),
        ("errors", errors_themselves, "*positions*"),
        ("not in a row", stop(reset=False), "not in a row"),
        ("too early", stop(extra=-1), "too early"),
        ("never", never_stops, "too late"),
        ("last weights", last_weights, "not the last"),
        ("swapped", last_first, "swapped"),
        ("highest", highest, "*lowest*"),
        ("against the one before", against_the_one_before, "best so far"),
        ("equal is better", equal_is_better, "not a better one"),
        ("one number", one_number, "this is an int"),
    ],
    "stratified-split": [
        ("the first", lambda labels, size: list(range(size)), "one end"),
        ("half and half", lambda la, s: of_each(la, s, lambda n: s // 2), "fifth"),
        ("by chance", by_chance, "2 should be"),
        ("two classes only", two_classes, "three classes"),
        ("mask", mask, "a mask"),
        ("training part", training_part, "stay for training"),
        ("twice", with_replacement, "*without*"),
        ("labels", lambda la, s: [la[i] for i in in_proportion(la, s)], "are labels"),
        ("too few", lambda la, s: in_proportion(la, s)[1:], "these are 9"),
    ],
    "finetuning-loop": [
        ("no step", fit(step=False), "has to use them"),
        ("zeroed too late", fit(late=True), "nothing to work with"),
        ("gradients piled up", fit(clear=False), "added up"),
        ("evaluation mode", fit(train=False), "evaluation mode"),
        ("one batch", first_batch, "called 1 times"),
        ("two rounds", fit(times=2), "called 6 times"),
        ("up the hill", fit(sign=-1), "come out differently"),
        ("the sum", fit(keep=sum), "these are 1"),
        ("reads nothing", reads_nothing, "read nothing"),
    ],
}
