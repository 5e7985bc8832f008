"""The command `lmcourse ngram`."""

import json
import math

import pytest

from lmcourse.cli import main
from lmcourse.ngrams import SMOOTHERS, ModifiedKneserNey, Text, read_arpa

pytestmark = pytest.mark.filterwarnings(
    "ignore::lmcourse.ngrams.smoothing.DiscountWarning"
)

TRAINING = ["the cat sat", "the dog sat", "a <unk> ran", "the cat ran", "a dog"] * 3
TRAINING += ["one cat", "a bird sat", "the bird"]
TEST = ["the cat ran", "a new dog sat", "<unk>"]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A working folder with training.txt and test.txt."""
    monkeypatch.chdir(tmp_path)
    for name, lines in (("training.txt", TRAINING), ("test.txt", TEST)):
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    return tmp_path


def perplexity(smoothing, *options, order=2):
    """The arguments of `lmcourse ngram perplexity`."""
    return [
        *("ngram", "perplexity", "--order", str(order), "--smoothing", smoothing),
        *("--train", "training.txt", "--test", "test.txt", "--json", *options),
    ]


def train(output, *options):
    return [
        *("ngram", "train", "--order", "3", "--smoothing", "witten-bell"),
        *("--train", "training.txt", "--output", output, *options),
    ]


@pytest.mark.parametrize("smoothing", SMOOTHERS)
def test_perplexity_prints_what_the_model_says(files, capsys, smoothing):
    assert main(perplexity(smoothing)) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["tokens"], printed["oov"]) == (11, 1)
    assert set(printed["seconds"]) == {"read", "train", "score"}
    if smoothing in ("mle", "stupid-backoff"):
        assert printed["perplexity"] is None
        assert printed["reason"]
        return
    training = Text.from_file("training.txt")
    model = SMOOTHERS[smoothing](2).fit(training)
    expected = model.perplexity(Text.from_file("test.txt", training.words))
    assert printed["perplexity"] == pytest.approx(expected)
    assert printed["discounts"] == model.discounts


@pytest.mark.parametrize(
    ("smoothing", "option", "value"),
    [
        ("add-k", "--k", "0.1"),
        ("kneser-ney", "--discount", "0.5"),
        ("absolute-discounting", "--discount", "0.3,0.6"),
        ("modified-kneser-ney", "--discount", "0.4,0.9,1.4"),
        ("jelinek-mercer", "--weights", "0.1,0.4,0.5"),
        ("jelinek-mercer", "--held-out", "test.txt"),
    ],
)
def test_options_reach_their_method(files, capsys, smoothing, option, value):
    assert main(perplexity(smoothing)) == 0
    without = json.loads(capsys.readouterr().out)
    assert main(perplexity(smoothing, option, value)) == 0
    with_it = json.loads(capsys.readouterr().out)
    assert with_it["perplexity"] != pytest.approx(without["perplexity"], rel=1e-3)


def test_warnings_take_one_line_on_stderr_and_none_on_stdout(files, capsys):
    assert main(perplexity("modified-kneser-ney")) == 0
    printed = capsys.readouterr()
    json.loads(printed.out)
    assert "lmcourse: warning: 2-grams" in printed.err


def test_without_json_the_result_is_a_table(files, capsys):
    arguments = perplexity("witten-bell")
    arguments.remove("--json")
    assert main(arguments) == 0
    assert "perplexity  " in capsys.readouterr().out


def test_a_trained_file_scores_and_generates(files, capsys):
    assert main(train("model.arpa")) == 0
    assert main(["ngram", "score", "model.arpa", "test.txt", "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    model = read_arpa("model.arpa")
    for line, sentence in zip(lines, TEST, strict=True):
        printed = json.loads(line)
        (expected,) = model.logprob([sentence.split()])
        assert printed["log10"] == pytest.approx(expected / math.log(10))
        assert [w["word"] for w in printed["words"]] == [*sentence.split(), "</s>"]
    second = json.loads(lines[1])["words"]
    assert [word["known"] for word in second] == [True, False, True, True, True]
    assert [word["order"] for word in second] == [2, 1, 1, 2, 3]

    assert main(["ngram", "score", "model.arpa", "test.txt"]) == 0
    assert "(unknown)" in capsys.readouterr().out
    generate = ["ngram", "generate", "model.arpa", "-n", "4", "--start", "the"]
    assert main([*generate, "--seed", "5", "--top-k", "3"]) == 0
    first = capsys.readouterr().out
    assert all(line.startswith("the") for line in first.splitlines())
    assert main([*generate, "--seed", "5", "--top-k", "3"]) == 0
    assert capsys.readouterr().out == first


def test_characters_are_read_without_spaces(files, capsys):
    (files / "training.txt").write_text("战争 与 和平\n和平 与 战争\n战士\n")
    assert main(train("zh.arpa", "--characters")) == 0
    assert {"战", "士"} <= set(read_arpa("zh.arpa").words)


def test_pruned_files_are_smaller(files, capsys):
    for output, options in (
        ("full.arpa", []),
        ("counts.arpa", ["--min-counts", "1,2,4"]),
        ("entropy.arpa", ["--entropy", "0.01"]),
    ):
        assert main(train(output, *options)) == 0
    sizes = [
        len((files / f"{x}.arpa").read_text()) for x in ("full", "counts", "entropy")
    ]
    assert sizes[1] < sizes[0] > sizes[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (perplexity("add-k", "--k", "-1"), "k is -1"),
        (perplexity("katz", "--k", "1"), "--k is for add-k"),
        (perplexity("mle", "--held-out", "test.txt"), "--held-out is for jelinek"),
        (perplexity("jelinek-mercer", "--weights", "0.5,0.1,0.1"), "sum 1"),
        (perplexity("kneser-ney", "--discount", "2"), "expected 0 to 1"),
        (perplexity("witten-bell", order=6), "longer than any sentence"),
        (perplexity("witten-bell", order=9), "from 1 to 7"),
        (perplexity("witten-bell", "--train", "none.txt"), "none.txt"),
        (perplexity("witten-bell", "--train", "empty.txt"), "empty.txt is empty"),
        (perplexity("witten-bell", "--train", "gap.txt"), "gap.txt, line 2"),
        (
            perplexity("witten-bell", "--train", "marks.txt"),
            "marks.txt, line 1 holds '<s>'",
        ),
        (perplexity("witten-bell", "--test", "bytes.txt"), "bytes.txt, line 1"),
        (perplexity("jelinek-mercer", "--train", "one.txt"), "one sentence"),
        (train("nowhere/model.arpa"), "no folder"),
        (train("model.arpa", "--min-counts", "1,2"), "expected 3 numbers"),
        (["ngram", "score", "training.txt", "test.txt"], "no ARPA file"),
        (["ngram", "score", "good.arpa", "marks.txt"], "marks.txt, line 1 holds '<s>'"),
        (["ngram", "score", "good.arpa", "empty.txt"], "empty.txt is empty"),
        (["ngram", "score", "good.arpa", "none.txt"], "no file none.txt: check its"),
        (["ngram", "score", "good.arpa", "."], ". is a folder"),
        (["ngram", "generate", "none.arpa"], "no file none.arpa: check its name"),
        (["ngram", "generate", "good.arpa", "--seed", "-1"], "seed is -1"),
        (["ngram", "generate", "good.arpa", "--start", "<s>"], "start is ['<s>']"),
        (train("."), ". is a folder"),
    ],
)
def test_errors_take_one_line_and_exit_code_two(files, capsys, arguments, message):
    (files / "empty.txt").touch()
    (files / "gap.txt").write_text("a b\n\nc\n")
    (files / "marks.txt").write_text("a <s> b\n")
    (files / "bytes.txt").write_bytes(b"\xff\xfe a\n")
    (files / "one.txt").write_text("a b c\n")
    assert main(train("good.arpa")) == 0
    capsys.readouterr()
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("lmcourse: ")
    assert printed.err.count("\n") == 1
    assert message in printed.err
    assert not (files / "model.arpa").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (perplexity("kneser-ney", "--discount", "a,b"), "'a,b': expected numbers"),
        (train("x.arpa", "--min-counts", "1,x"), "'1,x': expected whole numbers"),
    ],
)
def test_bad_lists_of_numbers_are_named(files, capsys, arguments, message):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_only_ascii_white_space_separates_words(files, capsys):
    """As in KenLM: these four are white space in Unicode."""
    words = ["与\u3000和", "a\u00a0b", "c\u0085d", "e\u2028f"]
    (files / "training.txt").write_bytes((" ".join(words) + "\n").encode())
    assert main(train("odd.arpa")) == 0
    capsys.readouterr()
    assert main(["ngram", "score", "odd.arpa", "training.txt", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [word["word"] for word in printed["words"]] == [*words, "</s>"]
    assert all(word["known"] for word in printed["words"])
    assert main(["ngram", "generate", "odd.arpa", "--start", words[0]]) == 0
    assert capsys.readouterr().out.rstrip("\n").split(" ")[0] == words[0]


def test_one_sentence_has_a_perplexity(files, capsys):
    (files / "training.txt").write_text("the cat sat\n")
    for smoothing in ("katz", "good-turing", "modified-kneser-ney", "witten-bell"):
        assert main(perplexity(smoothing)) == 0
        value = json.loads(capsys.readouterr().out)["perplexity"]
        assert value is not None
        assert value > 1


def test_help_names_every_smoother(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["ngram", "perplexity", "--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert all(smoothing in text for smoothing in SMOOTHERS)


def test_the_model_of_the_command_is_that_of_the_package(files):
    assert main(train("model.arpa")) == 0
    text = Text.from_file("training.txt")
    test = Text.from_file("test.txt", text.words)
    model = SMOOTHERS["witten-bell"](3).fit(text)
    assert read_arpa("model.arpa").score(test).perplexity == model.perplexity(test)
    assert ModifiedKneserNey(3).fit(text).perplexity(test) != model.perplexity(test)
