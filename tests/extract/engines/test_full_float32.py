"""TF32 is off while any thread is inside, and afterwards as it was."""

import threading

import pytest
import torch

from support.waiting import LONG_S
from vadpipe.extract.engines.full_float32 import full_float32

convolution = torch.backends.cudnn.conv


@pytest.fixture(params=["tf32", "ieee"], autouse=True)
def before(request):
    kept, convolution.fp32_precision = convolution.fp32_precision, request.param
    yield request.param
    convolution.fp32_precision = kept


def test_it_is_off_inside_and_set_back(before):
    with full_float32():
        assert convolution.fp32_precision == "ieee"
    assert convolution.fp32_precision == before


def test_an_error_sets_it_back(before):
    with pytest.raises(ValueError, match="inside"), full_float32():
        raise ValueError("inside")
    assert convolution.fp32_precision == before


def test_the_first_thread_out_leaves_it_off_for_the_other(before):
    second_is_in, first_is_out, seen = threading.Event(), threading.Event(), []

    def second():
        with full_float32():
            second_is_in.set()
            assert first_is_out.wait(LONG_S)
            seen.append(convolution.fp32_precision)

    thread = threading.Thread(target=second)
    with full_float32():
        thread.start()
        assert second_is_in.wait(LONG_S)
    first_is_out.set()
    thread.join(LONG_S)
    assert seen == ["ieee"]
    assert convolution.fp32_precision == before
