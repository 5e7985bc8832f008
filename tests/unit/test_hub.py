"""Models of the hub, from a hub of our own on this machine."""

import hashlib
import http.server
import re
import socket
import threading

import pytest

from lmcourse import fetching, hub
from lmcourse.fetching import File
from lmcourse.hub import HubUnreachable, Model

WEIGHTS = b"weights " * 300_000  # several pieces
CONTENT = {"config.json": b'{"model_type": "bert"}', "model.safetensors": WEIGHTS}
REVISION = "0123456789abcdef0123456789abcdef01234567"
DEMO = Model(
    name="demo",
    title="A demonstration",
    repository="somebody/demo",
    revision=REVISION,
    licence="none",
    citation="nobody",
    know="nothing",
    files=tuple(
        File(name, len(content), hashlib.sha256(content).hexdigest())
        for name, content in CONTENT.items()
    ),
)


class Hub(http.server.ThreadingHTTPServer):
    """A hub that serves `content` under one revision, well or badly."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.content = dict(CONTENT)
        self.hangs = False  # stop in the middle of the weights, and say nothing more
        self.closes = False  # stop there and hang up
        self.asked: list[str] = []
        self.end = threading.Event()


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        served = self.server
        served.asked.append(self.path)
        prefix = f"/somebody/demo/resolve/{REVISION}/"
        content = served.content.get(self.path.removeprefix(prefix))
        if content is None:
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        bad = content == WEIGHTS and (served.hangs or served.closes)
        self.wfile.write(content[: len(content) // 2] if bad else content)
        self.wfile.flush()
        if bad and served.hangs:
            served.end.wait(timeout=30)

    def log_message(self, *_):
        """Keep the test's output clean."""


@pytest.fixture
def served(monkeypatch):
    server = Hub()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield server
    server.end.set()
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    pytest.importorskip("huggingface_hub", reason="it is in the extra `bert`")
    monkeypatch.setattr(hub, "models", lambda: {"demo": DEMO})
    monkeypatch.setenv("LMCOURSE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def contents(folder):
    """Every file under a folder that is not a lock, with its bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }


GOOD = {f"demo-01234567/{name}": content for name, content in CONTENT.items()}
HALF = {name: GOOD[name] for name in ["demo-01234567/config.json"]}


def test_the_pinned_files_arrive_once(served, data):
    assert hub.fetch_model("demo") == data / "demo-01234567"
    assert contents(data) == GOOD
    hub.fetch_model("demo")
    assert len(served.asked) == 2


def test_a_damaged_file_alone_is_fetched_again(served, data):
    folder = hub.fetch_model("demo")
    (folder / "config.json").write_bytes(b"{}")
    hub.fetch_model("demo")
    assert contents(data) == GOOD
    assert [path.rpartition("/")[2] for path in served.asked][2:] == ["config.json"]


def test_other_weights_are_refused(served, data):
    served.content["model.safetensors"] = WEIGHTS[:-1] + b"!"
    with pytest.raises(fetching.BadArchive, match=r"demo: model\.safetensors has the"):
        hub.fetch_model("demo")
    assert contents(data) == HALF  # what was right is kept


def test_a_hub_that_falls_silent_is_given_up(served, data, monkeypatch):
    monkeypatch.setattr(fetching, "TIMEOUT", (1, 0.2))
    served.hangs = True
    with pytest.raises(HubUnreachable, match=r"model\.safetensors.*Next step"):
        hub.fetch_model("demo")
    assert contents(data) == HALF
    served.hangs = False
    served.end.set()
    hub.fetch_model("demo")
    assert contents(data) == GOOD
    assert sum("config.json" in path for path in served.asked) == 1


def test_a_hub_that_hangs_up_half_way_leaves_nothing_half(served, data):
    served.closes = True
    with pytest.raises(fetching.BadArchive, match=r"incomplete.*try again"):
        hub.fetch_model("demo")
    assert contents(data) == HALF


def test_a_hub_without_the_file_is_reported(served, data):
    del served.content["config.json"]
    with pytest.raises(HubUnreachable, match=r"config\.json \(HTTP 404\)"):
        hub.fetch_model("demo")
    assert contents(data) == {}


def test_no_network_is_reported(data, monkeypatch):
    with socket.socket() as closed:  # a port where nobody answers
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(HubUnreachable, match="connect to the network"):
            hub.fetch_model("demo")
    assert contents(data) == {}


def test_a_folder_that_cannot_be_written_is_reported(served, data):
    data.write_text("not a folder")
    with pytest.raises(fetching.CacheNotWritable, match="set LMCOURSE_DATA"):
        hub.fetch_model("demo")


def test_where_the_hub_fails_the_other_model_is_taken_with_one_line(
    served, data, tmp_path, capsys
):
    small = tmp_path / "minilm"
    assert hub.pretrained("demo", otherwise=small) == data / "demo-01234567"
    assert capsys.readouterr().out == ""
    (data / "demo-01234567" / "config.json").unlink()
    served.content.clear()
    assert hub.pretrained("demo", otherwise=small) == small
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("Without demo, going on with minilm: the hub does not give")


def test_a_model_of_another_name_is_an_error():
    with pytest.raises(ValueError, match="there are demo"):
        hub.pretrained("demi", otherwise=None)


def test_the_catalogue_pins_every_file(monkeypatch):
    monkeypatch.undo()
    assert set(hub.models()) == {"bert-base-cased", "bert-base-chinese"}
    for model in hub.models().values():
        assert re.fullmatch(r"[0-9a-f]{40}", model.revision)
        names = {file.name for file in model.files}
        assert {"config.json", "model.safetensors", "vocab.txt"} <= names
        assert not any(name.endswith((".bin", ".pt", ".pkl", ".py")) for name in names)
        for file in model.files:
            assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)


@pytest.mark.parametrize(
    ("name", "vocabulary"), [("bert-base-cased", 28_996), ("bert-base-chinese", 21_128)]
)
def test_the_pinned_weights_are_as_large_as_their_shapes(name, vocabulary, monkeypatch):
    """The size is that of a BERT-base with both heads, and of a small header."""
    bert = pytest.importorskip("lmcourse.bert")
    monkeypatch.undo()
    [size] = [f.size for f in hub.models()[name].files if f.name.endswith("tensors")]
    with bert.torch.device("meta"):
        model = bert.ForPretraining(bert.Config(vocabulary_size=vocabulary))
    count = sum(weight.numel() for weight in model.parameters())
    assert 0 < size - 4 * count < 30_000


def test_the_command_fetches_it_by_name(served, data, capsys):
    from lmcourse.cli import main

    assert main(["fetch", "demo"]) in (0, None)
    assert capsys.readouterr().out == f"demo: 2.4 MB in {data / 'demo-01234567'}\n"
