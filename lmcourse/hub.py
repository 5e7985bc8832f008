"""Models of the Hugging Face hub: at a pinned revision, verified byte for byte.

They are too large for a wheel, and the course does without them: MiniLM serves offline,
and these take its place in the profile `gpu` where the hub can be reached. Only the
files that the catalogue lists are fetched, and none of them can run code: weights are
safetensors, nothing is unpickled.
"""

import functools
import os
import tomllib
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path

from . import fetching
from .fetching import File


class HubUnreachable(fetching.FetchError):
    """No network, or the hub does not answer or lacks the file."""


@dataclass(frozen=True)
class Model:
    """What the catalogue says about a model of the hub."""

    name: str
    title: str
    repository: str
    revision: str  # a commit, so that the hub can never give something else
    licence: str
    citation: str
    know: str  # before using it
    files: tuple[File, ...]

    @property
    def folder(self) -> Path:
        """Where its files lie once they are fetched."""
        return fetching.data_folder() / f"{self.name}-{self.revision[:8]}"

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(file.size for file in self.files)

    def damaged(self) -> list[File]:
        """Return the files that are missing or not, byte for byte, as expected."""
        return [
            file
            for file in self.files
            if not fetching.same(self.folder / file.name, file)
        ]


@functools.cache
def models() -> dict[str, Model]:
    """Return the hub's models of the course by name."""
    text = package_files("lmcourse.data").joinpath("catalog.toml").read_text("utf-8")
    return {
        name: Model(
            name, files=tuple(File(**file) for file in table.pop("files")), **table
        )
        for name, table in tomllib.loads(text)["hub"].items()
    }


def fetch_model(name: str) -> Path:
    """Return the folder of a model of the hub, downloading what is missing.

    A file appears in the folder once it is complete and verified; an interrupted
    download begins with the file that it was at. The address of the hub, or of a
    mirror, comes from the environment variable HF_ENDPOINT.

    Raises:
        ValueError: no model has this name.
        HubUnreachable: no network, or the hub does not have the file.
        lmcourse.fetching.BadArchive: what arrived is cut short or has another digest.
        lmcourse.fetching.CacheNotWritable: the disk is full or cannot be written.
    """
    if name not in models():
        raise ValueError(
            f"no model of the hub is called {name!r}: there are {', '.join(models())}"
        )
    model = models()[name]
    if not model.damaged():
        return model.folder
    with (
        fetching.storage_errors(name, model.size),
        fetching.alone(model.folder) as workshop,
    ):
        # Another process may have fetched some while this one waited.
        for file in model.damaged():
            downloaded = workshop / file.name
            _download(model, file, downloaded)
            fetching.verify(downloaded, f"{name}: {file.name}", file.size, file.sha256)
            model.folder.mkdir(exist_ok=True)
            downloaded.replace(model.folder / file.name)
    return model.folder


def pretrained(name: str, otherwise: Path) -> Path:
    """Return the folder of a model, or another one where it cannot be fetched.

    Then one line says so, and why.

    Args:
        name: a model of the hub.
        otherwise: the folder that is taken instead.

    Raises:
        ValueError: no model of the hub has this name.
    """
    try:
        return fetch_model(name)
    except fetching.FetchError as error:
        print(f"Without {name}, going on with {otherwise.name}: {error}")
        return otherwise


def _download(model: Model, file: File, target: Path) -> None:
    """Write a file of the hub to `target`, in pieces."""
    import requests  # slow to import, and not needed once the model is here
    from huggingface_hub import hf_hub_url  # which knows the hub's address
    from tqdm.auto import tqdm

    address = hf_hub_url(
        model.repository,
        file.path,
        revision=model.revision,
        endpoint=os.environ.get("HF_ENDPOINT"),
    )
    what = f"{model.name}: {file.name}"
    try:
        with (
            requests.get(address, stream=True, timeout=fetching.TIMEOUT) as answer,
            target.open("wb") as copy,
            tqdm(
                total=file.size, desc=what, unit="B", unit_scale=True, leave=False
            ) as bar,
        ):
            answer.raise_for_status()
            for piece in answer.iter_content(fetching.CHUNK):
                copy.write(piece)
                bar.update(len(piece))
    except requests.exceptions.ChunkedEncodingError as error:
        raise fetching.BadArchive(fetching.cut_short(what, file.size)) from error
    except requests.RequestException as error:
        raise HubUnreachable(
            f"the hub does not give {what} ({fetching.cause(error)}). Next step: "
            "connect to the network and try again; once fetched, it needs no network."
        ) from error
