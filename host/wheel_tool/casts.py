"""Mends functions of C sources that Python calls with more arguments than they take.

C code has such functions behind casts: `{"copy", (PyCFunction)copy, METH_NOARGS}` where `copy`
takes `self` alone. Other machines do not mind the argument too many; wasm ends the program when a
function is called by another type than its own. The compiler warns of each cast: where it can be
read, the cast gets a function of the right type that calls the one in the source.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FLAGS = ["-Wcast-function-type-mismatch", "-fno-color-diagnostics"]
WARNING = re.compile(
    r"^(?P<file>[^\n:]+):(?P<line>\d+):(?P<column>\d+): warning: cast from "
    r"'(?P<from>[^']*)'(?: \(aka '(?P<from_aka>[^']*)'\))? to "
    r"'(?P<to>[^']*)'(?: \(aka '(?P<to_aka>[^']*)'\))? converts to incompatible",
    re.MULTILINE,
)
FUNCTION = re.compile(r"(?P<result>.*?)\s*\(\*\)\((?P<parameters>.*)\)$")
CAST = re.compile(r"\(\s*(?P<type>\w+)\s*\)\s*&?\s*(?P<name>\w+)")
# A cast of a method that the compiler says nothing of, for there is another one within it.
HIDDEN = re.compile(r"\(\s*PyCFunction\s*\)\s*\(\s*void\s*\(\s*\*\s*\)\s*\(\s*void\s*\)\s*\)")
SOURCES = (".c", ".h", ".cc", ".cpp", ".cxx", ".hpp")
# How a method is called depends on its flags: with three and four arguments there are such.
METHOD = "PyCFunction"
# Types that can be said before any header is read.
PLAIN = {"void", "int", "long", "unsigned int", "unsigned long", "char *", "const char *"}
# Begins a line of the log for each cast that is left as it was.
LEFT = "bolt-host: called by another type:"
PREFIX = "bolt_called_as_"


@dataclass(frozen=True)
class Cast:
    file: Path
    line: int
    column: int
    # The type's name in the source, what it stands for, and the type of the function.
    type: str
    wanted: tuple[str, list[str]]
    given: tuple[str, list[str]]

    @property
    def is_called_so(self) -> bool:
        """Whether Python may well call the function by its own type, after all."""
        return self.type == METHOD and len(self.given[1]) > len(self.wanted[1])


def uncover(folder: Path) -> None:
    """Take the inner of two casts away in a package's sources, so that the compiler warns."""
    for file in folder.rglob("*"):
        if file.suffix not in SOURCES or not file.is_file() or file.is_symlink():
            continue
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
        if HIDDEN.search(text):
            shown = HIDDEN.sub("(PyCFunction)", text)
            file.write_text(shown, encoding="utf-8", errors="surrogateescape")


def wrong_casts(output: str, folder: Path) -> list[Cast]:
    """The casts of which the compiler warned, without those of methods with flags."""
    found = {}
    for match in WARNING.finditer(output):
        wanted = signature(match["to_aka"] or match["to"])
        given = signature(match["from_aka"] or match["from"])
        if wanted is None or given is None:
            continue
        place = (folder / match["file"], int(match["line"]), int(match["column"]))
        cast = Cast(*place, match["to"], wanted, given)
        if not cast.is_called_so:
            found[place] = cast
    return list(found.values())


def signature(text: str) -> tuple[str, list[str]] | None:
    match = FUNCTION.match(text)
    if match is None or "(" in match["parameters"]:
        return None
    parameters = [part.strip() for part in match["parameters"].split(",") if part.strip()]
    return match["result"], [] if parameters == ["void"] else parameters


def mend(casts: list[Cast], work: Path) -> list[Cast]:
    """Change the sources, which are a copy; returns the casts that are left as they were."""
    left = []
    files: dict[Path, list[Cast]] = {}
    for cast in casts:
        files.setdefault(cast.file, []).append(cast)
    for file, of_file in files.items():
        if not file.resolve().is_relative_to(work) or file.suffix not in (".c", ".h"):
            left += of_file
            continue
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
        lines = text.splitlines(keepends=True)
        added: dict[str, str] = {}
        # From the end, so that the columns of those before on the same line hold.
        for cast in sorted(of_file, key=lambda c: (c.line, c.column), reverse=True):
            function = mend_one(cast, lines)
            if function is None:
                left.append(cast)
            else:
                added[function[0]] = function[1]
        if added:
            file.write_text(whole(lines, added), encoding="utf-8", errors="surrogateescape")
    return left


def mend_one(cast: Cast, lines: list[str]) -> tuple[str, str] | None:
    """Change the cast's line; returns the head and the body of the function that it needs."""
    result, parameters = cast.wanted
    count = len(cast.given[1])
    is_plain = all(t in PLAIN or t in ("struct _object *", "void *") for t in [result, *parameters])
    if count >= len(parameters) or not is_plain or cast.given[0] != result:
        return None
    line = lines[cast.line - 1]
    match = CAST.match(line, cast.column - 1)
    if match is None or match["type"] != cast.type:
        return None
    name = f"{PREFIX}{cast.type}_{match['name']}"
    lines[cast.line - 1] = f"{line[: match.start('name')]}{name}{line[match.end('name') :]}"
    declared = ", ".join(f"{kind} a{n}" for n, kind in enumerate(parameters))
    passed = ", ".join(
        f"(void *)a{n}" if parameters[n].endswith("*") else f"a{n}" for n in range(count)
    )
    back = "" if result == "void" else "return "
    head = f"static {result} {name}({declared})"
    return head, f"{{ {back}{match['name']}({passed}); }}"


def whole(lines: list[str], added: dict[str, str]) -> str:
    """The file with the functions: declared first, defined last, where all that they call is."""
    heads = "".join(f"{head};\n" for head in added)
    bodies = ""
    for head, body in added.items():
        # A header may be read twice.
        guard = re.sub(r"\W", "_", head).upper()
        bodies += f"#ifndef {guard}\n#define {guard}\n{head} {body}\n#endif\n"
    return f"struct _object;\n{heads}#line 1\n{''.join(lines)}\n{bodies}"
