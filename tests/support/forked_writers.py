"""Programs that fork processes which write features; torch, whose threads do not survive a fork, stays out."""

import json
import os
import subprocess
import sys

from support.waiting import LONG_S

WRITERS = '''
import json, os, random, shutil, signal, sys, time, traceback
from pathlib import Path
import numpy as np
from vadpipe.extract.store import FeatureStore
from vadpipe.extract.video.discovery import find_videos
from vadpipe.features.file import Features, Source
from vadpipe.features.recipe import Recipe

os.fsync = lambda descriptor: None  # what it is for is no part of this, and it takes most of the time

def features_of(video, stride=16):
    n_bytes, modified_ns = video.state()
    recipe = Recipe(
        backbone="x3d_xs", weights_sha256="0" * 64, feature_dim=2048, snippet_frames=16, stride_frames=stride,
        view="whole", resize_px=182, input_px=182, crops=1, mean=(0, 0, 0), std=(1, 1, 1), decoder="", engine="",
    )
    times_s = np.arange(160) / 25
    n_rows = recipe.sampling.n_snippets(times_s, 6.4)
    values = np.random.default_rng(list(video.name.encode())).random((n_rows, 1, 2048), dtype=np.float32)
    source = Source(
        video=video.name, place=video.place, sha256="0" * 64, n_bytes=n_bytes, modified_ns=modified_ns,
        n_announced=160, n_decoded=160,
    )
    return Features(values, times_s, 6.4, recipe, source)

def work(output, videos, stride=16, tell=lambda: None):
    store = FeatureStore(output, places=[video.place for video in videos])
    for video in videos:
        claim = store.claim(video)
        claim.take(wait=True)
        stored = store.find_anew(video)
        if stored is None or stored.header.recipe.stride_frames != stride:
            store.write(features_of(video, stride), video)
        claim.close()
        tell()

def forked(function, *arguments):
    pid = os.fork()
    if pid:
        return pid
    try:
        function(*arguments)
        os._exit(0)
    finally:
        traceback.print_exc()
        os._exit(1)

def content(folder):
    """Everything but unfinished files and locks, which a killed process may leave."""
    files = [path for path in folder.rglob("*") if path.is_file() and "/." not in str(path)]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
'''


def run_forked_writers(program, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", WRITERS + program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=LONG_S,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
