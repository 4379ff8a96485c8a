"""Every promise of the documentation has a figure, and tests that exist, run, and lie in the lane it names."""

import ast
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from support.environment import ROOT

SKIPS = {"skip", "skipif", "xfail", "importorskip"}


class Promise(NamedTuple):
    number: str
    text: str
    figure: str
    tests: list[tuple[str, str, bool]]  # file, name, whether it is said to be slow


def promises_of(page: str) -> list[Promise]:
    """Return the rows of the table of promises."""
    rows = [line.strip("|").split(" | ") for line in page.splitlines() if re.match(r"\| \d+ ", line)]
    return [
        Promise(number.strip(), text, figure.strip(), named_tests(held))
        for number, text, figure, held in rows
    ]


def named_tests(held: str) -> list[tuple[str, str, bool]]:
    named = [re.fullmatch(r"\s*`([\w/]+\.py)::(\w+)`( \(slow\))?\s*", one) for one in held.split("<br>")]
    assert all(named), held
    return [(match[1], match[2], match[3] is not None) for match in named]


def marks(node: ast.AST) -> set[str]:
    """Return the attributes that a decorator, a mark or a body names."""
    return {inner.attr for inner in ast.walk(node) if isinstance(inner, ast.Attribute)}


class Found(NamedTuple):
    slow: bool
    skips: set[str]


def found_in(source: str) -> dict[str, Found]:
    """Return the tests of a file, those of its classes included."""
    tree = ast.parse(source)
    of_file = [
        node.value for node in tree.body if isinstance(node, ast.Assign) and "pytestmark" in ast.dump(node)
    ]
    common = set().union(*map(marks, of_file))
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            # A parameter that is marked leaves the others.
            decorators = [each for each in node.decorator_list if "parametrize" not in marks(each)]
            own = common.union(*map(marks, decorators))
            body = set().union(*map(marks, node.body))
            found[node.name] = Found("slow" in own, (own | body) & SKIPS)
    return found


PROMISES = promises_of((ROOT / "docs/promises.md").read_text())


def test_the_table_is_read_as_a_whole():
    assert [promise.number for promise in PROMISES] == [str(n + 1) for n in range(len(PROMISES))]
    assert len(PROMISES) > 30


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.number)
def test_a_promise_has_a_figure_and_tests_that_run(promise):
    assert re.search(r"\d|neither|all|both", promise.figure), promise.figure
    assert promise.tests
    for file, name, slow in promise.tests:
        found = found_in((ROOT / file).read_text()).get(name)
        assert found is not None, f"{file} has no {name}"
        assert found.skips == set(), f"{name} may be skipped: {found.skips}"
        assert found.slow is slow, f"{name} is {'not ' if slow else ''}marked slow"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def test_a(): pass", Found(False, set())),
        ("@pytest.mark.slow\ndef test_a(): pass", Found(True, set())),
        ("@pytest.mark.skip\ndef test_a(): pass", Found(False, {"skip"})),
        ("@pytest.mark.skipif(True, reason='')\ndef test_a(): pass", Found(False, {"skipif"})),
        ("pytestmark = [pytest.mark.slow, pytest.mark.skip]\ndef test_a(): pass", Found(True, {"skip"})),
        ("def test_a():\n    if not here: pytest.skip('')", Found(False, {"skip"})),
        ("@pytest.mark.parametrize('n', [pytest.param(1, marks=pytest.mark.slow)])\ndef test_a(n): pass", Found(False, set())),
        ("class TestIt:\n    def test_a(self): pass", Found(False, set())),
    ],
)  # fmt: skip
def test_what_is_marked_is_seen(source, expected):
    assert found_in(source) == {"test_a": expected}


def test_a_table_that_names_no_test_is_refused():
    with pytest.raises(AssertionError):
        promises_of("| 1 | a | b | by hand |")


def test_the_site_and_the_readme_lead_there():
    assert "promises.md" in (ROOT / "mkdocs.yml").read_text()
    for page in ("README.md", "CONTRIBUTING.md"):
        assert "SECURITY.md" in Path(ROOT / page).read_text()
