"""Counting on a Dask cluster, against counting here."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from distributed import Client, LocalCluster

from lmcourse.ngrams import Counts, Text
from lmcourse.ngrams.distributed import blocks, count

RNG = np.random.default_rng(0)
SHORT, LONG = 0.05, 30  # one sentence in twenty is longer than a small block


@pytest.fixture(scope="module")
def client():
    """A client of two workers, each a process of one thread."""
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def text_file(tmp_path_factory):
    """Sentences of very different lengths, some of them of one word."""
    lines = []
    for _ in range(3000):
        length = LONG if RNG.random() < SHORT else RNG.integers(1, 8)
        words = RNG.zipf(1.3, size=length) % 500
        lines.append(" ".join(f"字{word}" if word % 7 else "<unk>" for word in words))
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("\n".join(lines))  # the last line has no line end
    return path


def assert_identical(ours, theirs):
    assert ours.words == theirs.words
    assert ours.order == theirs.order
    for a, b in zip(ours.levels, theirs.levels, strict=True):
        for name in ("keys", "count", "suffix"):
            x, y = getattr(a, name), getattr(b, name)
            assert x.dtype == y.dtype
            assert np.array_equal(x, y)
        assert (a.begins, a.histories) == (b.begins, b.histories)


@pytest.mark.parametrize("size", [37, 5_000, 10**9])
@pytest.mark.parametrize("order", [1, 4])
def test_two_workers_count_what_one_machine_counts(client, text_file, size, order):
    path = text_file
    if size < 100:  # blocks within which no line begins
        path = text_file.with_name("start.txt")
        path.write_bytes(b"\n".join(text_file.read_bytes().split(b"\n")[:60]))
    here = Counts.of(Text.from_file(path), order)
    assert_identical(count(blocks(path, size), order, client), here)


def test_several_files_are_one_text(client, text_file, tmp_path):
    lines = text_file.read_text().splitlines(keepends=True)
    for number, part in enumerate((lines[:1000], lines[1000:1001], lines[1001:])):
        (tmp_path / f"{number}.txt").write_text("".join(part))
    there = count(blocks(sorted(tmp_path.iterdir()), 8_000), 3, client)
    assert_identical(there, Counts.of(Text.from_file(text_file), 3))


def finished(group):
    """How many tasks of a group have a result, or had one that was used up."""
    return group.states["memory"] + group.states["released"]


def test_nothing_is_lost_when_a_worker_is_killed_half_way(client, text_file):
    parts = blocks(text_file, 400)
    found = []
    thread = threading.Thread(target=lambda: found.append(count(parts, 3, client)))
    victims = client.run(os.getpid)
    thread.start()
    groups = client.cluster.scheduler.task_groups  # the test's own process holds it
    deadline = time.monotonic() + 60
    while "merge" not in groups or finished(groups["merge"]) < 10:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    os.kill(next(iter(victims.values())), signal.SIGKILL)
    assert not found  # the work was under way
    thread.join(timeout=120)
    assert_identical(found[0], Counts.of(Text.from_file(text_file), 3))
    client.wait_for_workers(2, timeout=60)
    assert set(client.run(os.getpid).values()) != set(victims.values())


def test_bad_text_is_named_with_its_place(client, tmp_path):
    path = tmp_path / "bad.txt"
    path.write_bytes(b"a b\n" * 50 + b"a \xff\n" + b"a b\n" * 50)
    with pytest.raises(
        ValueError, match=r"bad\.txt, the line at byte 200 holds byte 0xff"
    ):
        count(blocks(path, 64), 2, client)
    path.write_bytes(b"a b\n\na b\n")
    with pytest.raises(ValueError, match=r"bad\.txt, the line at byte 4 is empty"):
        count(blocks(path), 2, client)
    path.write_bytes(b"a b\na b\n")
    with pytest.raises(ValueError, match="longer than any sentence"):
        count(blocks(path), 5, client)


def test_bad_requests_are_named(tmp_path):
    (tmp_path / "empty.txt").touch()
    with pytest.raises(ValueError, match="there is no text"):
        blocks(tmp_path / "empty.txt")
    with pytest.raises(ValueError, match="1 byte or more"):
        blocks(tmp_path / "empty.txt", 0)
    with pytest.raises(FileNotFoundError):
        blocks(tmp_path / "none.txt")
    with pytest.raises(ValueError, match="from 1 to 7"):
        count([], 8, client=None)
