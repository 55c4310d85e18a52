"""What single packages need beside the default way, and why.

A package that is not here is built from its source as it is. Keep an entry to what was seen to be
needed; where an entry has only a note, the default way works and the note is for the user.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Recipe:
    # Variables of the build, over those that are set for every package.
    env: dict[str, str] = field(default_factory=dict)
    # Files of the source that are removed before the build.
    remove: tuple[str, ...] = ()
    # Texts that are replaced in a file of the source: (file, before, after).
    replace: tuple[tuple[str, str, str], ...] = ()
    # More arguments for `maturin build`.
    maturin: tuple[str, ...] = ()
    # Said to the user after the build.
    note: str = ""
    # Why the package cannot be built at all, said in place of a try.
    refusal: str = ""


RECIPES: dict[str, Recipe] = {
    # Its HTTP parser takes any wasm for a web page, and calls functions of JavaScript there.
    "aiohttp": Recipe(
        replace=(("vendor/llhttp/src/native/api.c", "#if defined(__wasm__)", "#if 0"),),
        note="aiohttp's server and sockets need an event loop that the sandbox does not have; its "
        "types and parsers load.",
    ),
    "cffi": Recipe(refusal="It needs libffi, which makes machine code while it runs."),
    "greenlet": Recipe(
        refusal="It copies and switches the machine's stack, and in wasm no program can reach its "
        "stack. SQLAlchemy works without greenlet, but for its asyncio part."
    ),
    # Nothing is needed; the entries say that these were seen to work.
    "markupsafe": Recipe(),
    "msgspec": Recipe(),
    "multidict": Recipe(),
    "orjson": Recipe(),
    "pydantic-core": Recipe(
        # pydantic takes exactly one version of pydantic-core.
        note="pydantic asks for one exact version of pydantic-core: see `Requires-Dist` of the "
        "pydantic that the app uses.",
    ),
    # Its build asks for the C library libyaml, which is not in its source; without it, the package
    # is pure Python and works the same, slower.
    "pyyaml": Recipe(
        env={"PYYAML_FORCE_LIBYAML": "0", "PYYAML_FORCE_CYTHON": "0"},
        note="PyYAML is built without libyaml: yaml.CSafeLoader is not there, yaml.SafeLoader is.",
    ),
    "regex": Recipe(),
    # Without this word its build goes on as pure Python when the extension fails.
    "wrapt": Recipe(env={"WRAPT_INSTALL_EXTENSIONS": "true"}),
}


def recipe_of(name: str) -> Recipe:
    return RECIPES.get(name, Recipe())
