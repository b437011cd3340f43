"""Constraints: comparisons of dimensions, written as text and evaluated without `eval`.

Allowed are names of dimensions, numbers, + - * / // min max, comparisons, and, or, not.
"""

import ast
from collections.abc import Callable
from typing import Any

from wiring_search.search_spaces.dimensions import Point


def check_constraint(text: str, names: dict[str, Any]) -> None:
    """Check the text of a constraint.

    Args:
        text: The constraint.
        names: The dimensions that it may name, as keys.

    Raises:
        ValueError: It is not a comparison, or uses other names than these.
    """
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as cause:
        raise ValueError(f'constraint "{text}" cannot be read: {cause.msg}') from cause
    if not isinstance(tree, ast.Compare | ast.BoolOp) and not (
        isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not)
    ):
        raise ValueError(
            f'constraint "{text}" is not a comparison; write one such as "inter_fanout <= command"'
        )
    for name in names_in(text):
        if name not in names:
            raise ValueError(
                f'constraint "{text}" names {name!r}, which is not a number here; '
                f"numbers are {', '.join(names)}"
            )
    try:
        _value(tree, dict.fromkeys(names, 1))
    except ZeroDivisionError:
        return


def evaluate(text: str, point: Point) -> bool:
    """Return whether a constraint holds at a point.

    It holds if one of its dimensions does not exist.

    Args:
        text: A constraint that `check_constraint` allows.
        point: Values by dimension.
    """
    return any(name not in point for name in names_in(text)) or bool(
        _value(ast.parse(text, mode="eval").body, point)
    )


_OPERATIONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
}
_FUNCTIONS = {"min": min, "max": max}


def _value(node: ast.expr, point: Point) -> Any:
    match node:
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.Name(id=name) if name in point:
            return point[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
            return _OPERATIONS[type(op)](_value(left, point), _value(right, point))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, point)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _value(operand, point)
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_value(value, point) for value in values)
        case ast.BoolOp(values=values):
            return any(_value(value, point) for value in values)
        case ast.Compare(left=left, ops=ops, comparators=comparators) if all(
            type(op) in _OPERATIONS for op in ops
        ):
            ends = [_value(end, point) for end in (left, *comparators)]
            return all(
                _OPERATIONS[type(op)](a, b) for op, a, b in zip(ops, ends, ends[1:], strict=False)
            )
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_value(arg, point) for arg in args))
    raise ValueError(
        f'"{ast.unparse(node)}" is not allowed in a constraint; '
        "use names, numbers, + - * / // min max and comparisons"
    )


def names_in(text: str) -> list[str]:
    """Return the dimensions that a constraint names, each once."""
    found = (
        node.id for node in ast.walk(ast.parse(text, mode="eval")) if isinstance(node, ast.Name)
    )
    return [name for name in dict.fromkeys(found) if name not in _FUNCTIONS]
