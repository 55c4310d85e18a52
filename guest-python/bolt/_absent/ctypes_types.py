"""`ctypes` without libraries of C: the simple types with their sizes, and nothing to call.

The sizes are those of the sandbox, which is a machine of 32 bits.
"""

from __future__ import annotations

from typing import Any, ClassVar

from .refusing import refuse, refusing

_SENTENCE = (
    "the sandbox has no ctypes: libraries of compiled code do not load there; use a pure Python "
    "package"
)


class _Simple:
    """A simple type of C. An object has a value, which is not checked."""

    _size: ClassVar[int]
    _default: ClassVar[Any] = 0

    def __init__(self, value: Any = None) -> None:
        self.value = self._default if value is None else value

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value!r})"


class ArgumentError(Exception):
    """An argument that cannot be converted."""


def sizeof(thing: Any) -> int:
    """The bytes of a simple type or of its object."""
    kind = thing if isinstance(thing, type) else type(thing)
    if not issubclass(kind, _Simple):
        refuse(_SENTENCE)
    return kind._size


def _function(name: str) -> Any:
    def function(*args: object, **named: object) -> Any:
        refuse(_SENTENCE)

    function.__name__ = function.__qualname__ = name
    function.__module__ = "ctypes"
    return function


class _Libraries:
    """`cdll` and `pythonapi`: whatever is looked up there is not there."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        refuse(_SENTENCE)


_SIZES: dict[int, str] = {
    1: "c_bool c_char c_byte c_ubyte c_int8 c_uint8",
    2: "c_short c_ushort c_int16 c_uint16",
    4: "c_int c_uint c_long c_ulong c_int32 c_uint32 c_size_t c_ssize_t c_float c_wchar c_void_p "
    "c_char_p c_wchar_p py_object",
    8: "c_longlong c_ulonglong c_int64 c_uint64 c_double c_time_t",
    16: "c_longdouble",
}
_DEFAULTS: dict[str, Any] = {
    "c_bool": False,
    "c_char": b"\0",
    "c_wchar": "\0",
    "c_float": 0.0,
    "c_double": 0.0,
    "c_longdouble": 0.0,
    "c_void_p": None,
    "c_char_p": None,
    "c_wchar_p": None,
    "py_object": None,
}
_CLASSES = (
    "Structure Union BigEndianStructure LittleEndianStructure BigEndianUnion LittleEndianUnion "
    "Array CDLL PyDLL LibraryLoader"
)
_FUNCTIONS = (
    "POINTER pointer byref cast addressof alignment resize CFUNCTYPE PYFUNCTYPE string_at "
    "wstring_at memmove memset create_string_buffer create_unicode_buffer get_errno set_errno"
)
_made: dict[str, Any] = {
    **{
        name: type(
            name,
            (_Simple,),
            {"__module__": "ctypes", "_size": size, "_default": _DEFAULTS.get(name, 0)},
        )
        for size, names in _SIZES.items()
        for name in names.split()
    },
    **{name: refusing(name, "ctypes", _SENTENCE) for name in _CLASSES.split()},
    **{name: _function(name) for name in _FUNCTIONS.split()},
    "cdll": _Libraries(),
    "pydll": _Libraries(),
    "pythonapi": _Libraries(),
    "RTLD_GLOBAL": 0,
    "RTLD_LOCAL": 0,
    "DEFAULT_MODE": 0,
}
globals().update(_made)

__all__ = ["ArgumentError", "sizeof"]
__all__ += list(_made)
