"""The command line, as a process of its own where that is what counts."""

import subprocess
import sys

import pytest

from lmcourse import cli, corpora

COMMAND = [
    *(sys.executable, "-c"),
    "import sys; from lmcourse.cli import main; sys.exit(main())",
]


def run(*arguments):
    """Run `lmcourse` as a shell does: exit code, output, errors."""
    command = [*COMMAND, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """An empty data folder, and an index that nobody answers for."""
    monkeypatch.setenv("LMCOURSE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    return tmp_path / "data"


def expect_one_line(errors):
    assert errors.startswith("lmcourse: ")
    assert errors.count("\n") == 1
    return errors


def test_fetching_an_unknown_name_suggests_the_nearest(empty):
    code, output, errors = run("fetch", "nmaes")
    assert (code, output) == (2, "")
    assert "did you mean 'names'" in expect_one_line(errors)


def test_nothing_is_fetched_when_one_of_the_names_is_unknown(empty, capsys):
    assert cli.main(["fetch", "names", "nmaes"]) == 2
    assert not empty.exists()


def test_fetching_nothing_lists_what_there_is(empty, capsys):
    assert cli.main(["fetch"]) == 2
    assert "--all" in expect_one_line(capsys.readouterr().err)


def test_fetching_without_an_index_names_the_next_step(empty):
    code, output, errors = run("fetch", "names")
    assert (code, output) == (2, "")
    assert "connect to the network" in expect_one_line(errors)


def test_an_unknown_notebook_is_an_error_too(empty, capsys):
    assert cli.main(["fetch", "--for", "02_ngram"]) == 2
    assert "02_ngrams" in expect_one_line(capsys.readouterr().err)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["names", "names"], ["names"]),
        (["--for", "02_ngrams"], ["war_and_peace", "peoples_daily"]),
        (["--all"], list(corpora.catalogue())),
    ],
)
def test_what_is_asked_for_is_fetched_once(monkeypatch, capsys, arguments, expected):
    fetched = []
    monkeypatch.setattr(corpora, "paths", fetched.append)
    assert cli.main(["fetch", *arguments]) == 0
    assert fetched == expected
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == expected


def test_a_notebook_without_data_needs_nothing(empty, capsys):
    assert cli.main(["fetch", "--for", "00_start_here"]) == 0
    assert not empty.exists()


def test_help_and_bad_usage_are_argparses(capsys):
    for arguments, code in ((["--help"], 0), ([], 2), (["cook"], 2)):
        with pytest.raises(SystemExit) as stopped:
            cli.main(arguments)
        assert stopped.value.code == code
    assert "ngram" in capsys.readouterr().out


def test_the_doctor_finds_nothing_broken_in_an_empty_folder(empty):
    code, output, errors = run("doctor")
    assert (code, errors) == (0, "")
    for part in ("Machine", "memory", "numpy", str(empty), "lmcourse fetch names"):
        assert part in output
    assert "Nothing is broken." in output
    assert not empty.exists()  # looking changes nothing


def test_the_doctor_sees_damaged_data(empty):
    source = corpora.catalogue()["names"]
    folder = empty / f"{source.archive.project}-{source.archive.version}"
    folder.mkdir(parents=True)
    for file in source.files:  # the right size, the wrong bytes
        (folder / file.name).write_bytes(b"x" * file.size)
    code, output, _ = run("doctor")
    assert code == 1
    (line,) = [line for line in output.splitlines() if "MB  damaged" in line]
    assert line.startswith("! names ")
    assert line.endswith("lmcourse fetch names")


def test_the_doctor_sees_a_missing_package(empty, monkeypatch, capsys):
    missing = {"tqdm", "torch"}

    def version(name):
        if name in missing:
            raise cli.PackageNotFoundError(name)
        return "99"

    monkeypatch.setattr(cli, "version", version)
    assert cli.main(["doctor"]) == 1
    rows = capsys.readouterr().out.splitlines()
    (tqdm,) = [row for row in rows if row[2:].startswith("tqdm ")]
    (torch,) = [row for row in rows if row[2:].startswith("torch ")]
    assert tqdm.startswith("!")
    assert not torch.startswith("!")
    assert "lmcourse[neural]" in torch


def test_the_doctor_sees_a_package_that_is_too_old(empty, monkeypatch, capsys):
    monkeypatch.setattr(cli, "version", lambda name: "0.1")
    assert cli.main(["doctor"]) == 1
    assert "! numpy" in capsys.readouterr().out


def test_the_doctor_needs_no_torch():
    script = (
        "import sys; sys.modules['torch'] = None; from lmcourse.cli import main; "
        "code = main(['doctor']); sys.exit(code or 'lmcourse.ngrams' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "torch" in done.stdout  # its version is known all the same


def test_a_closed_pipe_is_no_error():
    process = subprocess.Popen(
        [*COMMAND, "doctor"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()  # as `head` does when it has seen enough
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 0
