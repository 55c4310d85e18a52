"""`ModuleSlice`: the part of a test module that the sandbox needs, as a module of its own.

A test module imports pytest and the test client, which the sandbox does not have. An override that
is defined in it needs neither. So the slice has the statements that bind the names which the
override uses, the statements that change those, and so on, in their order.
"""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterator
from types import CodeType, ModuleType
from typing import Any

from .errors import ServerError
from .modules import absolute, bound_names, source_of

__all__ = ["ModuleSlice"]

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_BUILTINS = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__"}


class ModuleSlice:
    """The slice of a module.

    name: the name of the slice as a module.
    """

    def __init__(self, module: ModuleType, name: str) -> None:
        self.module = module
        self.name = name
        self._tree = source_of(module)
        self._own = bound_names(self._tree.body, imports=False)
        self._needed: set[str] = set()
        self._imports: set[str] = set()
        self._made: list[str] = []

    def need(self, names: set[str]) -> None:
        """Add the statements that these global names need."""
        self._needed |= names

    def import_module(self, name: str) -> None:
        """Add an import for the functions of `add_function`."""
        self._imports.add(name)

    def add_function(self, function: Any, values: dict[str, str]) -> str:
        """Add a nested function or a lambda. Returns its name in the slice.

        values: expressions for the names of the enclosing functions that it uses.
        """
        node = self.node_of(function.__code__)
        made = f"override_{len(self._made)}"
        maker = ast.parse(f"def make_{made}(): pass").body[0]
        assert isinstance(maker, ast.FunctionDef)
        maker.body = [ast.parse(f"{name} = {value}").body[0] for name, value in values.items()]
        if isinstance(node, ast.Lambda):
            maker.body.append(ast.Return(node))
        else:
            maker.body += [node, ast.Return(ast.Name(node.name, ast.Load()))]
        self._made.append(f"{ast.unparse(maker)}\n\n{made} = make_{made}()")
        self.need(_names_used(_statement(node)) - set(function.__code__.co_freevars))
        return made

    def node_of(self, code: CodeType) -> _Function | ast.Lambda:
        """The definition of a function. Raises ServerError."""
        for node in ast.walk(self._tree):
            if isinstance(node, _Function) and node.name == code.co_name:
                first = node.decorator_list[0] if node.decorator_list else node
                if first.lineno == code.co_firstlineno:
                    return node
            elif isinstance(node, ast.Lambda) and code.co_name == "<lambda>" and _has(node, code):
                return node
        raise ServerError(f"the source of {code.co_qualname} is not in {self.module.__name__}")

    def modules(self) -> list[str]:
        """The modules that the slice needs."""
        found = set(self._imports)
        for statement in self._statements():
            # Within another statement, such as `try`, an import may fail.
            if isinstance(statement, ast.Import):
                found.update(alias.name for alias in statement.names)
            elif isinstance(statement, ast.ImportFrom) and statement.module != "__future__":
                found.add(statement.module or "")
        return sorted(found)

    def source(self) -> str:
        """The source of the slice."""
        lines = [f"import {name}" for name in sorted(self._imports)]
        statements = [ast.unparse(statement) for statement in self._statements()]
        future = [text for text in statements if text.startswith("from __future__ ")]
        others = [text for text in statements if not text.startswith("from __future__ ")]
        return "\n".join([*future, *lines, *others, *self._made]) + "\n"

    def _statements(self) -> Iterator[ast.stmt]:
        """The statements that the names need, in their order."""
        body = self._tree.body
        needed, chosen = set(self._needed), set[int]()
        unbound = set[str]()
        while True:
            before = len(chosen), len(needed)
            for at, statement in enumerate(body):
                if at not in chosen and self._concerns(statement, needed):
                    chosen.add(at)
                    needed |= _names_used(statement)
            if (len(chosen), len(needed)) == before:
                break
        unbound = needed - bound_names(body) - _BUILTINS
        for at, statement in enumerate(body):
            if isinstance(statement, ast.ImportFrom):
                if statement.module == "__future__":
                    yield statement
                elif at in chosen or (unbound and statement.names[0].name == "*"):
                    yield self._import_of(statement, needed)
            elif at in chosen:
                if isinstance(statement, ast.Import):
                    names = [one for one in statement.names if _bound_by(one) in needed]
                    statement = ast.Import(names)
                yield statement

    def _concerns(self, statement: ast.stmt, needed: set[str]) -> bool:
        """Whether a statement binds one of these names, or changes what it stands for."""
        if bound_names([statement]) & needed:
            return True
        changed: list[ast.expr] = []
        if isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
            changed = statement.decorator_list
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            changed = [statement.value.func]
        elif isinstance(statement, (ast.Assign, ast.Delete)):
            changed = statement.targets
        elif isinstance(statement, ast.AugAssign):
            changed = [statement.target]
        # What is imported changes in its own module: a fixture changes nothing in pytest.
        return any(_root(node) in needed & self._own for node in changed)

    def _import_of(self, statement: ast.ImportFrom, needed: set[str]) -> ast.ImportFrom:
        """An import of what is needed, by the absolute name of its module."""
        names = [one for one in statement.names if one.name == "*" or _bound_by(one) in needed]
        return ast.ImportFrom(absolute(statement, self.module.__package__), names, 0)


def _bound_by(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _root(node: ast.expr) -> str:
    """The name that an expression such as `name.attribute[0](...)` begins with, or ""."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _statement(node: _Function | ast.Lambda) -> ast.stmt:
    return ast.Expr(node) if isinstance(node, ast.Lambda) else node


def _names_used(statement: ast.stmt) -> set[str]:
    """The global names that a statement uses, also inside of its functions and annotations."""
    table = symtable.symtable(ast.unparse(statement), "<slice>", "exec")
    found = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
    todo = list(table.get_children())
    while todo:
        inner = todo.pop()
        todo.extend(inner.get_children())
        found.update(
            symbol.get_name()
            for symbol in inner.get_symbols()
            if symbol.is_global() or symbol.is_declared_global()
        )
    for node in ast.walk(statement):
        for annotation in _annotations(node):
            found |= _names_in_annotation(annotation)
    return found


def _annotations(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, _FUNCTIONS):
        return [] if node.returns is None else [node.returns]
    if isinstance(node, (ast.arg, ast.AnnAssign)):
        return [] if node.annotation is None else [node.annotation]
    return []


def _names_in_annotation(annotation: ast.expr) -> set[str]:
    """Also those inside of strings: a forward reference."""
    found: set[str] = set()
    for node in ast.walk(annotation):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                inner = ast.parse(node.value, mode="eval").body
            except SyntaxError:
                continue
            if inner is not node and not isinstance(inner, ast.Constant):
                found |= _names_in_annotation(inner)
    return found


def _has(node: ast.Lambda, code: CodeType) -> bool:
    """Whether a lambda has this code."""
    body = node.body
    start = body.lineno, body.col_offset
    end = body.end_lineno or 0, body.end_col_offset or 0
    return node.lineno == code.co_firstlineno and all(
        start <= (line, column) and (end_line, end_column) <= end
        for line, end_line, column, end_column in code.co_positions()
        # Instructions of no place in the source have none, or an empty one.
        if line and end_line and column is not None and end_column
    )
