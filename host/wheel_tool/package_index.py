"""Finds the source distribution of a package in pip's index, and unpacks it.

`pip download` is not used: it runs the package's build code to read its metadata, before anything
is set up for the sandbox's platform.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import ssl
import sys
import tarfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wheel_tool.console import Failure, output_of
from wheel_tool.private_env import INDEX_ADVICE

# The simple repository API in its JSON form.
JSON_FORM = "application/vnd.pypi.simple.v1+json"
TIMEOUT = 60
TARGET_PYTHON = "3.14"


@dataclass(frozen=True)
class Source:
    """A package's source in a folder that the build may write to."""

    name: str
    version: str
    folder: Path
    # Seconds since 1970 of the newest file: the date of what is built from it.
    date: int

    @property
    def label(self) -> str:
        return f"{self.name} {self.version}".strip()


def fetch(spec: str, build: Path) -> Source:
    """The source of `spec`: a requirement, or the path of an archive or a folder."""
    path = Path(spec)
    is_path = os.sep in spec or spec.endswith((".tar.gz", ".zip"))
    if is_path and path.is_dir():
        return from_folder(path, build)
    if is_path:
        if not path.is_file():
            raise Failure(f"{spec} is not there")
        return from_archive(path, build)
    return from_archive(download(spec, build), build)


def from_folder(path: Path, build: Path) -> Source:
    name = path.resolve().name
    folder = empty(build / name)
    shutil.copytree(
        path, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".git", "target")
    )
    return Source(name, "", folder, newest(folder))


def from_archive(archive: Path, build: Path) -> Source:
    from packaging.utils import InvalidSdistFilename, parse_sdist_filename

    try:
        name, version = parse_sdist_filename(archive.name)
    except InvalidSdistFilename:
        raise Failure(
            f"{archive.name} is not a source distribution", "It ends with .tar.gz or .zip."
        ) from None
    folder = empty(build / f"{name}-{version}")
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as zipped:
            zipped.extractall(folder)
    else:
        with tarfile.open(archive) as packed:
            # Python before 3.12 warns without a filter; the oldest patch releases know none.
            if hasattr(tarfile, "data_filter"):
                packed.extractall(folder, filter="data")
            else:
                packed.extractall(folder)
    inner = [entry for entry in folder.iterdir() if entry.is_dir()]
    if len(inner) != 1:
        raise Failure(f"{archive.name} has more than one folder in it")
    return Source(name, str(version), inner[0], newest(inner[0]))


def empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def newest(folder: Path) -> int:
    return max(
        (int(file.stat().st_mtime) for file in folder.rglob("*") if file.is_file()), default=0
    )


def download(spec: str, build: Path) -> Path:
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename

    try:
        wanted = Requirement(spec)
    except InvalidRequirement:
        raise Failure(
            f"{spec!r} names no package", "A package is given as NAME, NAME==VERSION, or a path."
        ) from None
    name = canonicalize_name(wanted.name)
    page_url = f"{index_url().rstrip('/')}/{name}/"
    candidates = []
    for entry in index_page(page_url, name)["files"]:
        try:
            version = parse_sdist_filename(entry["filename"])[1]
        except InvalidSdistFilename:
            continue
        is_named = any(s.operator in ("==", "===") for s in wanted.specifier)
        if entry.get("yanked") and not is_named:
            continue
        if wanted.specifier.contains(version) and fits_python(entry.get("requires-python")):
            candidates.append((version, entry))
    if not candidates:
        raise Failure(
            f"the index has no source distribution of {spec} for Python {TARGET_PYTHON}",
            "Name another version, or the path of a source folder.",
        )
    entry = max(candidates, key=lambda candidate: candidate[0])[1]
    archive = build / str(entry["filename"])
    data = get(urllib.parse.urljoin(page_url, entry["url"]), "*/*")
    digest = entry.get("hashes", {}).get("sha256")
    if digest and hashlib.sha256(data).hexdigest() != digest:
        raise Failure(f"{archive.name} is not what the index says it is", "Try again.")
    archive.write_bytes(data)
    return archive


def fits_python(requires: str | None) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return not requires or SpecifierSet(requires).contains(f"{TARGET_PYTHON}.0")
    except InvalidSpecifier:
        return True


def index_url() -> str:
    """pip's index: from its variables and files, or else its default."""
    if named := os.environ.get("PIP_INDEX_URL"):
        return named
    if named := output_of([sys.executable, "-m", "pip", "config", "get", "global.index-url"]):
        return named
    ask = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    if default := output_of([sys.executable, "-c", ask]):
        return default
    raise Failure("pip does not say which index it uses", "Set PIP_INDEX_URL.")


def index_page(url: str, name: str) -> dict[str, Any]:
    try:
        page: dict[str, Any] = json.loads(get(url, JSON_FORM))
    except ValueError:
        raise Failure(
            f"the index answers without JSON for {name}",
            "Download the source distribution and name its path.",
        ) from None
    return page


def get(url: str, accept: str) -> bytes:
    name = Path(urllib.parse.urlsplit(url).path).name
    request = urllib.request.Request(url, headers={"Accept": accept, "User-Agent": "bolt-host"})
    certificates = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
    context = ssl.create_default_context(cafile=certificates)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT, context=context) as answer:
            data: bytes = answer.read()
    except urllib.error.HTTPError as error:
        what = "has no such package" if error.code == 404 else f"answers {error.code}"
        raise Failure(f"the index {what}: {name or url}", INDEX_ADVICE) from error
    except OSError as error:
        raise Failure(f"{name or 'the index'} cannot be fetched: {error}", INDEX_ADVICE) from error
    return data
