"""What a process does once, at its first clips, it can do from several threads."""

import subprocess
import sys

import pytest

from support.waiting import LONG_S

# The first arrays come from four threads at once, which Python changes as often as it can.
CALLING = """
import sys, threading
from pathlib import Path
import numpy as np
from vadpipe.extract.extractor import Extractor
from vadpipe.extract.settings import ExtractSettings

settings = ExtractSettings(backbone="x3d_xs", weights=Path(sys.argv[1]), engine="openvino")
engine = Extractor(settings).engine
sys.setswitchinterval(1e-6)
barrier = threading.Barrier(4)

def call():
    barrier.wait()
    engine(np.zeros((1, 4, 182, 182, 3), dtype=np.uint8))

threads = [threading.Thread(target=call) for _ in range(4)]
for thread in threads:
    thread.start()
"""


@pytest.mark.slow
def test_the_first_calls_of_an_engine_do_not_wait_for_each_other_for_ever(tiny, x3d_weights):
    for _ in range(12):  # one in four hung before there was a remedy
        subprocess.run([sys.executable, "-c", CALLING, x3d_weights], timeout=LONG_S, check=True)
