"""Temporary files without a folder for them are in memory, and others are as CPython has them."""

import io
import tempfile
from pathlib import Path
from typing import Any

import pytest
from doorfake import own_module

from bolt._absent.temporary_files import open_door


@pytest.fixture
def changed() -> Any:
    """A `tempfile` with an open door."""
    module = own_module(tempfile)
    open_door(module)
    return module


@pytest.fixture
def without(changed: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """With no folder that can be written to."""
    monkeypatch.setattr(changed, "_candidate_tempdir_list", list)
    return changed


def test_large_files_stay_in_memory(without: Any) -> None:
    with without.SpooledTemporaryFile(max_size=10) as file:
        for _ in range(3):
            file.write(b"0123456789")
        file.seek(5)
        assert file.read(10) == b"5678901234"
        assert not file._rolled
        with pytest.raises(io.UnsupportedOperation):
            file.fileno()


def test_nameless_files_are_in_memory(without: Any) -> None:
    with without.TemporaryFile() as file:
        file.write(b"ab")
        file.seek(0)
        assert file.read() == b"ab"
    with without.TemporaryFile("w+", encoding="utf-8", newline="") as text:
        text.write("ä\r\n")
        text.seek(0)
        assert text.read() == "ä\r\n"


def test_named_files_are_refused(without: Any) -> None:
    with pytest.raises(FileNotFoundError, match="No usable temporary directory"):
        without.NamedTemporaryFile()


def test_a_folder_is_used_where_there_is_one(changed: Any, without: Any, tmp_path: Path) -> None:
    with without.SpooledTemporaryFile(max_size=1, dir=tmp_path) as file:
        file.write(b"ab")
        assert file._rolled
        assert file.fileno() > 0
    with pytest.raises(FileNotFoundError):
        without.TemporaryFile(dir=tmp_path / "nowhere")


def test_with_a_folder_nothing_changes(changed: Any) -> None:
    with changed.SpooledTemporaryFile(max_size=1) as file:
        file.write(b"ab")
        assert file._rolled
        file.seek(0)
        assert file.read() == b"ab"
    with changed.TemporaryFile() as file:
        assert file.fileno() > 0
