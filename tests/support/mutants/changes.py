"""All small changes of a module that a test could notice.

What a test cannot or need not notice is left out: docstrings and other texts, annotations, decorators, log lines,
assertions (they tell the type checker what holds) and the code that only a type checker reads.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

_COMPARED = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
"""Of an order both its boundary and its opposite."""

_CALCULATED = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}

_UNREAD_KEYWORDS = {"strict", "slots", "frozen", "repr"}
_LOGGING = {"log", "logger", "logging", "warnings"}


@dataclass(frozen=True)
class Change:
    """Another text in the place of a part of a module.

    Attributes:
        start, end: the part, in bytes of the module.
        line: where it begins, from 1.
        old, new: what stood there, and what is put there.
    """

    start: int
    end: int
    line: int
    old: str
    new: str

    def of(self, source: str) -> str:
        """Return the changed module."""
        content = source.encode()
        return (content[: self.start] + self.new.encode() + content[self.end :]).decode()

    def __str__(self) -> str:
        old, new = (" ".join(text.split()) for text in (self.old, self.new))
        return f"{old}  ->  {new}"


def changes(source: str) -> list[Change]:
    """Return all changes of a module, in its order; each of them can be parsed."""
    starts = [0]
    for line in source.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for node, new in _changed(ast.parse(source)):
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        old = source.encode()[start:end].decode()
        found.append(Change(start, end, node.lineno, old, new))
    return sorted(found, key=lambda change: (change.start, change.end, change.new))


def _changed(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Yield each part that can be changed, and its new text."""
    for node in _walk(tree):
        if isinstance(node, ast.If | ast.IfExp) and _is_plain(node.test):
            yield node.test, _text(ast.UnaryOp(ast.Not(), node.test))
        for new in _of_statement(node) if isinstance(node, ast.stmt) else _of_expression(node):
            yield node, new


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the parts that are executed, and that more than a message depends on."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "type_params"} or _is_unread(node, name):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_silent(child):
                yield from _walk(child)


def _is_unread(node: ast.AST, field: str) -> bool:
    if isinstance(node, ast.keyword):
        return node.arg in _UNREAD_KEYWORDS
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return field == "args" and node.func.id in {"cast", "TypeVar", "isinstance"}
    return isinstance(node, ast.Raise)


def _is_silent(node: ast.AST) -> bool:
    """Tell whether nothing but a reader, a log or a type checker depends on a part."""
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) or _logs(node.value)
    return isinstance(node, ast.Assert | ast.JoinedStr | ast.Import | ast.ImportFrom)


def _logs(value: ast.expr) -> bool:
    if not (isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute)):
        return False
    return isinstance(value.func.value, ast.Name) and value.func.value.id in _LOGGING


def _of_statement(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.Return):
        if not (node.value is None or isinstance(node.value, ast.Constant)):
            yield "return None"
    elif isinstance(node, ast.Continue):
        yield "break"
    elif isinstance(node, ast.Break):
        yield "continue"
    elif _does_something(node):
        yield "pass"


def _does_something(node: ast.stmt) -> bool:
    """Tell whether others see what a statement does; a name that is missing afterwards proves nothing."""
    if isinstance(node, ast.Assign):
        return not isinstance(node.targets[0], ast.Name | ast.Tuple)
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call)
    return isinstance(node, ast.Raise | ast.Delete | ast.AugAssign)


def _of_expression(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            for other in _COMPARED[type(operator)]:
                changed = copy.deepcopy(node)
                changed.ops[place] = other()
                yield _text(changed)
    elif isinstance(node, ast.BoolOp):
        yield _text(ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values))
    elif isinstance(node, ast.BinOp):
        if type(node.op) in _CALCULATED and not (_is_text(node.left) or _is_text(node.right)):
            yield _text(ast.BinOp(node.left, _CALCULATED[type(node.op)](), node.right))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield _text(node.operand)
    elif isinstance(node, ast.Constant):
        yield from _of_constant(node.value)


def _of_constant(value: object) -> Iterator[str]:
    if isinstance(value, bool):
        yield str(not value)
    elif isinstance(value, int):
        yield str(value + 1)
    elif isinstance(value, float):
        yield str(value * 2 + 1)


def _text(node: ast.expr) -> str:
    return f"({ast.unparse(node)})"


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is_plain(test: ast.expr) -> bool:
    """Tell whether nothing else changes a condition already."""
    return not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp)
