"""Files of a form as file objects."""

import asyncio
import csv
import io
import shutil
from collections.abc import Iterator

import pytest

from bolt import UploadFile
from bolt._datastructures import uploads

TEXT = b"one\ntwo,2\n" + b"x" * (uploads.PART + 5) + b"\n\nlast"


@pytest.fixture
def upload(monkeypatch) -> Iterator[UploadFile]:
    monkeypatch.setattr(
        uploads, "_read", lambda request, file, offset, size: TEXT[offset : offset + size]
    )
    return UploadFile((1, 2, "a.csv", "text/csv", len(TEXT), [("X-Some", "a"), ("x-some", "b")]))


def test_headers_are_found_in_any_case(upload):
    assert upload.headers["x-SOME"] == "a" and upload.headers.getlist("X-some") == ["a", "b"]
    assert upload.headers.get("content-type") is None


def test_lines(upload):
    lines = TEXT.splitlines(keepends=True)
    assert upload.file.readline() == lines[0]
    assert upload.file.tell() == 4 and upload.file.readline(2) == b"tw"
    # All file objects of an upload share its position.
    assert asyncio.run(upload.read(1)) == b"o"
    assert upload.file.readline() == b",2\n"
    assert upload.file.readlines() == lines[2:]
    assert upload.file.readline() == b"" and upload.file.readlines() == []
    upload.file.seek(0)
    assert list(upload.file) == lines
    upload.file.seek(0)
    assert next(upload.file) == lines[0]
    for line in upload.file:
        assert line == lines[1]
        break
    assert upload.file.read() == b"".join(lines[2:])


def test_what_libraries_do_with_files(upload):
    with io.TextIOWrapper(upload.file, encoding="utf-8") as text:
        assert [len(row) for row in csv.reader(text)] == [1, 2, 1, 0, 1]
    upload.file.seek(0)
    target = io.BytesIO()
    shutil.copyfileobj(upload.file, target)
    assert target.getvalue() == TEXT
    assert upload.file.seek(-4, io.SEEK_END) == len(TEXT) - 4
    assert upload.file.seekable() and upload.file.read() == b"last"
