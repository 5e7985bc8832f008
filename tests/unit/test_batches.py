"""Batches: nothing read twice, nothing left out, and targets one token ahead."""

import pytest
import torch

from lmcourse.batches import (
    by_length,
    padded,
    pair_batch,
    rows,
    running_text,
    sentence_batch,
    windows,
)


def test_a_text_and_a_batch_of_sentences_predict_the_same():
    sentences = [[5, 6], [], [7]]
    text = running_text(sentences, 1)
    assert text.tolist() == [1, 5, 6, 1, 1, 7, 1]
    inputs, targets = sentence_batch(sentences, 1)
    predicted = targets != -100
    assert inputs[predicted].tolist() == text[:-1].tolist()
    assert targets[predicted].tolist() == text[1:].tolist()


def test_rows_go_on_where_they_stopped_and_read_everything_once():
    text = torch.arange(30)
    batches = list(rows(text, 4, 3))
    inputs, targets = (torch.cat(parts, 1) for parts in zip(*batches, strict=True))
    assert inputs.flatten().tolist() == list(range(28))
    assert torch.equal(targets, inputs + 1)
    assert [len(part[0]) for part, _ in batches] == [3, 3, 1]


def test_windows_are_cut_anew_for_every_seed_and_read_nothing_twice():
    text = torch.arange(100)
    cuts = [list(windows(text, 4, 7, seed)) for seed in (1, 1, 2)]
    first, again, other = (torch.cat([i for i, _ in each]) for each in cuts)
    assert torch.equal(first, again)
    assert sorted(first.flatten().tolist()) != sorted(other.flatten().tolist())
    assert len(set(first.flatten().tolist())) == first.numel() >= 100 - 2 * 7
    assert all(torch.equal(targets, inputs + 1) for inputs, targets in cuts[0])


def test_pairs_are_read_shifted_and_filled_up():
    source, target, predicted = pair_batch([([5, 6], [7, 8, 9]), ([4], [3])], 1, 0)
    assert source.tolist() == [[5, 6], [4, 0]]
    assert target.tolist() == [[1, 7, 8, 9], [1, 3, 1, 1]]
    assert predicted.tolist() == [[7, 8, 9, 1], [3, 1, -100, -100]]


def test_items_of_a_length_are_batched_together():
    lengths = [3, 9, 1, 4, 8, 2, 7, 5, 6]
    batches = list(by_length(lengths, 3, seed=1))
    assert sorted(i for batch in batches for i in batch) == list(range(9))
    found = sorted(sorted(lengths[i] for i in batch) for batch in batches)
    assert found == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert list(by_length([1] * 9, 3, 1)) != list(by_length([1] * 9, 3, 2))


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="there is no sentence"):
        running_text([], 1)
    with pytest.raises(ValueError, match="there is no sequence"):
        padded([], 0)
    with pytest.raises(ValueError, match="3 tokens do not fill 4 rows"):
        list(rows(torch.arange(4), 4, 5))
    with pytest.raises(ValueError, match="3 tokens are less than two windows of 2"):
        list(windows(torch.arange(4), 1, 2, 0))
