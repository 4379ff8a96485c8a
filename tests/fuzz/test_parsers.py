"""What a fuzzer calls in its own process: each parser reads its whole seed, and refuses changed ones with our errors."""

from random import Random

import pytest

from support.fuzzing.mutations import mutated_text
from support.fuzzing.parsers import PARSERS, feed, seed


@pytest.mark.parametrize("name", PARSERS)
def test_a_whole_file_is_parsed(tmp_path, name):
    (tmp_path / "input").write_bytes(seed(name, tmp_path / "whole"))
    PARSERS[name](tmp_path / "input")


@pytest.mark.parametrize("name", PARSERS)
def test_changed_files_are_parsed_or_refused(tmp_path, name):
    content = seed(name, tmp_path / "whole")
    for number in range(60):
        feed(PARSERS[name], tmp_path / "input", mutated_text(content, Random(f"{name} {number}")))


def test_what_is_not_an_error_of_ours_ends_it(tmp_path):
    with pytest.raises(UnicodeDecodeError):
        feed(lambda path: path.read_text("utf-8"), tmp_path / "input", b"\xff")
