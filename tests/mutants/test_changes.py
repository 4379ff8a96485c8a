"""Which changes of a module there are, and which there are not."""

import ast
from pathlib import Path

import pytest

import support.mutants.changes
from support.mutants.changes import changes


def told(source):
    return [str(change) for change in changes(source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a < b", ["a < b  ->  (a <= b)", "a < b  ->  (a >= b)"]),
        ("a == b", ["a == b  ->  (a != b)"]),
        ("a is not None", ["a is not None  ->  (a is None)"]),
        ("a not in b", ["a not in b  ->  (a in b)"]),
        ("a and b or c", ["a and b  ->  (a or b)", "a and b or c  ->  ((a and b) and c)"]),
        ("not a", ["not a  ->  (a)"]),
        ("-a", ["-a  ->  (a)"]),
        ("a + b", ["a + b  ->  (a - b)"]),
        ("a // b", ["a // b  ->  (a * b)"]),
        ("a & b", ["a & b  ->  (a | b)"]),
        ("a + 'text'", []),
        ("a = 7", ["7  ->  8"]),
        ("a = 0.5", ["0.5  ->  2.0"]),
        ("a = True", ["True  ->  False"]),
        ("a = 'text'", []),
        ("a if b else c", ["b  ->  (not b)"]),
        ("if a:\n    b", ["a  ->  (not a)"]),
        ("def f():\n    return a", ["return a  ->  return None"]),
        ("def f():\n    return None", []),
        ("for a in b:\n    continue", ["continue  ->  break"]),
        ("f()", ["f()  ->  pass"]),
        ("a.b = c", ["a.b = c  ->  pass"]),
        ("a = c", []),
        ("a += c", ["a += c  ->  pass"]),
        ("raise E(a + 1) from b", ["raise E(a + 1) from b  ->  pass"]),
    ],
)
def test_what_is_changed(source, expected):
    assert sorted(told(source)) == sorted(expected)


@pytest.mark.parametrize(
    "source",
    [
        '"""A text."""',
        "log.info('%d', 1)",
        "a: int | None",
        "def f(a: dict[int, Literal[1]]) -> X | None: ...",
        "@decorated(frozen=True)\nclass A: ...",
        "assert a == 1",
        "x = f'{a + 1}'",
        "if TYPE_CHECKING:\n    a = 1",
        "x = zip(a, b, strict=True)",
        "x = isinstance(a, b | c)",
        "import a",
    ],
)
def test_what_nothing_can_or_need_notice_is_left(source):
    assert told(source) == []


def test_a_change_stands_in_its_place_whatever_lies_before_it():
    source = "größe = '😀'  # ä\nif größe and (\n    a <\n    b\n): pass\n"
    found = {change.of(source) for change in changes(source)}
    assert found == {
        source.replace("größe and (\n    a <\n    b\n)", "(größe or a < b)"),
        source.replace("a <\n    b", "(a <= b)"),
        source.replace("a <\n    b", "(a >= b)"),
    }
    assert {change.line for change in changes(source)} == {2, 3}


def test_every_change_can_be_parsed_and_differs():
    source = Path(support.mutants.changes.__file__).read_text()
    found = changes(source)
    assert len(found) > 10
    for change in found:
        assert ast.dump(ast.parse(change.of(source))) != ast.dump(ast.parse(source))
