"""What `bz2` has below it: the sandbox has no bzip2, and does have zlib."""

from __future__ import annotations

from .refusing import refusing

__all__ = ["BZ2Compressor", "BZ2Decompressor"]

_SENTENCE = "the sandbox has no bzip2: compress with zlib or gzip, which it has"

BZ2Compressor = refusing("BZ2Compressor", "_bz2", _SENTENCE)
BZ2Decompressor = refusing("BZ2Decompressor", "_bz2", _SENTENCE)
