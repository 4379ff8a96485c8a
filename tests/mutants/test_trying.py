"""A small project of its own: what its tests notice and what not; the project stays as it is."""

import pytest

from support.mutants.__main__ import sample
from support.mutants.changes import changes
from support.mutants.mapping import TESTS
from support.mutants.trying import ROOT, Copy, Limits

MODULE = """
def double(a):
    while a < 0:
        a = a + 1
    return 2 * a
"""
TEST = """
from one import double

def test_double():
    assert double(3) == 6

def test_below():
    assert double(-3) == 0
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    (root / "one.py").write_text(MODULE)
    (root / "tests").mkdir()
    (root / "tests/test_one.py").write_text(TEST)
    return root


def test_what_is_noticed_and_what_is_not(project, tmp_path):
    tests = ["tests/test_one.py"]
    with Copy(tmp_path / "copy", project, imported=()) as copy:
        assert copy.run(tests, Limits()).outcome == "survived"
        verdicts = {
            str(change): copy.try_change("one.py", change, tests, Limits(cpu_s=3))
            for change in changes(MODULE)
        }
        assert copy.run(tests, Limits()).outcome == "survived"  # nothing is left of them
        assert copy.run(["tests/none.py"], Limits()).outcome == "killed"
    assert {change: verdict.outcome for change, verdict in verdicts.items()} == {
        "a < 0  ->  (a <= 0)": "killed",  # 0 becomes 1
        "a < 0  ->  (a >= 0)": "timed out",
        "0  ->  1": "killed",
        "a + 1  ->  (a - 1)": "timed out",
        "1  ->  2": "killed",
        "2 * a  ->  (2 / a)": "killed",
        "2  ->  3": "killed",
        "return 2 * a  ->  return None": "killed",
    }
    assert "assert" in verdicts["2  ->  3"].said
    assert (project / "one.py").read_text() == MODULE


def test_a_test_that_says_too_little_lets_a_change_survive(project, tmp_path):
    tests = ["tests/test_one.py::test_double"]
    (change,) = [change for change in changes(MODULE) if change.new == "(a <= 0)"]
    with Copy(tmp_path / "copy", project, imported=()) as copy:
        assert copy.try_change("one.py", change, tests, Limits()).outcome == "survived"


def test_the_sample_is_the_same_each_time_and_of_all_modules():
    drawn = sample(TESTS, 300, seed=0)
    assert len({*drawn}) == 300
    assert drawn == sample(TESTS, 300, seed=0)
    assert drawn != sample(TESTS, 300, seed=1)
    assert len({mutant.module for mutant in drawn}) > len(TESTS) // 2
    one = "extract/store.py"
    assert sample([one], 300, seed=0) == [mutant for mutant in drawn if mutant.module == one]
    assert {*sample(TESTS, 100, seed=0)} < {*drawn}


def test_modules_and_tests_are_there():
    for module, tests in TESTS.items():
        assert (ROOT / module).is_file()
        assert len(changes((ROOT / module).read_text())) > 0
        for test in tests:
            path, _, name = test.partition("::")
            assert f"def {name}" in (ROOT / path).read_text()
