"""A real JupyterLab on a copy of the notebooks, and a real browser in front of it."""

import json
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass

import pytest

from lmcourse.execution import NOTEBOOKS, run_environment

START_LIMIT = 60  # seconds


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab."""

    address: str
    token: str

    def url(self, path):
        return f"{self.address}/lab/tree/{path}?token={self.token}&reset"


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """JupyterLab on a copy of the notebooks, with settings and progress of its own."""
    folder = tmp_path_factory.mktemp("lab")
    work = folder / "work"
    shutil.copytree(NOTEBOOKS, work / "notebooks")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = Lab(f"http://127.0.0.1:{port}", secrets.token_hex(16))
    log = folder / "log.txt"
    with log.open("w") as output:
        server = subprocess.Popen(
            command(running, port, work),
            env=environment(folder),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_up(running, server, log)
        yield running
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def command(running, port, work):
    return [
        *(sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"),
        "--ip=127.0.0.1",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={running.token}",
        f"--ServerApp.root_dir={work}",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]


def environment(folder):
    """Settings, workspaces and progress of this run alone.

    Cells off screen stay in the page, so that a test can find them.
    """
    settings = folder / "settings"
    tracker = settings / "@jupyterlab" / "notebook-extension"
    tracker.mkdir(parents=True)
    choice = json.dumps({"windowingMode": "none"})
    (tracker / "tracker.jupyterlab-settings").write_text(choice)
    return run_environment("smoke", folder) | {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
    }


def wait_until_up(running, server, log):
    status = f"{running.address}/api/status?token={running.token}"
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(status, timeout=1):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


@pytest.fixture
def page(chromium):
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()
