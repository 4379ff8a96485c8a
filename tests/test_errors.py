"""Errors name the file, the reason and the next step, in a fixed form."""

import pickle

import pytest

import vadpipe
from vadpipe import errors


def test_message_is_file_reason_and_next_step():
    error = errors.InputError("is empty", file="clips/a.mp4", next_step="Copy it again.")
    assert str(error) == "clips/a.mp4: is empty\nCopy it again."


def test_message_stays_two_lines_whatever_goes_in():
    error = errors.InputError("first\nsecond\n\nthird", file="a\nb.mp4", next_step="do\nthis")
    assert str(error) == "a\\nb.mp4: first second third\ndo this"


def test_names_in_other_scripts_are_shown_as_they_are():
    assert str(errors.InputError("is empty", file="видео.mp4")) == "видео.mp4: is empty"


def test_errors_come_back_from_another_process_unchanged():
    error = errors.WeightsError("is damaged", file="w.ckpt", next_step="Download it again.")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.exit_code) == (type(error), str(error), 5)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.UsageError, 2),
        (errors.FeatureError, 2),
        (errors.InputError, 4),
        (errors.DecodeError, 4),
        (errors.WeightsError, 5),
        (errors.OutputError, 6),
    ],
)
def test_exit_codes_are_fixed(kind, code):
    assert issubclass(kind, errors.VadpipeError)
    assert kind.exit_code == code


def test_what_an_error_quotes_is_printable_and_of_bounded_length():
    error = errors.InputError("named 'a\x1b[2Jü\udcff'", next_step="Omit \x7f.")
    assert str(error) == "named 'a\\x1b[2Jü\\udcff'\nOmit \\x7f."
    long = errors.InputError("it " + "x" * 5000 + " ends")
    assert len(long.reason) < 1000
    assert long.reason.startswith("it xxx")
    assert long.reason.endswith("xxx ends")


def test_the_package_lists_nothing_but_its_own():
    assert {*vadpipe.__all__} <= {*dir(vadpipe)}
    assert {"TYPE_CHECKING", "annotations", "import_module"}.isdisjoint(dir(vadpipe))
