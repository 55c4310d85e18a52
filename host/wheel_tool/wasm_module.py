"""Reads what a wasm dynamic library exports, imports and asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

MAGIC = b"\0asm\x01\0\0\0"
SECTION_CUSTOM, SECTION_IMPORT, SECTION_EXPORT = 0, 2, 7
# Subsections of the custom section "dylink.0" (the tool conventions for dynamic linking).
DYLINK_NEEDED, DYLINK_IMPORT_INFO = 2, 4
FLAG_BINDING_WEAK = 1


class NotWasm(Exception):
    """The bytes are no core module."""


@dataclass
class Module:
    is_dynamic: bool = False
    exports: set[str] = field(default_factory=set)
    # Pairs of module and name: functions come from "env", addresses from "GOT.mem" and "GOT.func".
    imports: set[tuple[str, str]] = field(default_factory=set)
    weak_imports: set[tuple[str, str]] = field(default_factory=set)
    needed: list[str] = field(default_factory=list)


class Reader:
    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self.data = data
        self.at = at
        self.end = len(data) if end is None else end

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def number(self) -> int:
        """An unsigned LEB128 number."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def text(self) -> str:
        size = self.number()
        self.at += size
        return self.data[self.at - size : self.at].decode("utf-8")

    def parts(self) -> Iterator[tuple[int, Reader]]:
        """Sections, or subsections: an id, a size, the content."""
        while self.at < self.end:
            kind = self.byte()
            size = self.number()
            start, self.at = self.at, self.at + size
            yield kind, Reader(self.data, start, start + size)


def read_module(data: bytes) -> Module:
    if not data.startswith(MAGIC):
        raise NotWasm
    module = Module()
    for kind, section in Reader(data, len(MAGIC)).parts():
        if kind == SECTION_CUSTOM:
            if section.text() == "dylink.0":
                module.is_dynamic = True
                read_dylink(section, module)
        elif kind == SECTION_EXPORT:
            for _ in range(section.number()):
                module.exports.add(section.text())
                section.byte()
                section.number()
        elif kind == SECTION_IMPORT:
            for _ in range(section.number()):
                module.imports.add((section.text(), section.text()))
                skip_import_type(section)
    return module


def skip_import_type(section: Reader) -> None:
    kind = section.byte()
    if kind == 0:  # function: its type
        section.number()
    elif kind == 1:  # table: element type, limits
        section.byte()
        skip_limits(section)
    elif kind == 2:  # memory
        skip_limits(section)
    elif kind == 3:  # global: value type, mutability
        section.byte()
        section.byte()
    elif kind == 4:  # tag: attribute, type
        section.byte()
        section.number()
    else:
        raise NotWasm


def skip_limits(section: Reader) -> None:
    has_maximum = section.byte() & 1
    section.number()
    if has_maximum:
        section.number()


def read_dylink(section: Reader, module: Module) -> None:
    for kind, part in section.parts():
        if kind == DYLINK_NEEDED:
            module.needed += [part.text() for _ in range(part.number())]
        elif kind == DYLINK_IMPORT_INFO:
            for _ in range(part.number()):
                name = (part.text(), part.text())
                if part.number() & FLAG_BINDING_WEAK:
                    module.weak_imports.add(name)
