"""How long a second run takes, in which nothing is to be done.

    python benchmarks/store.py [--files 1000]

Makes copies of one small video, writes their features once without decoding (the features of the first,
under each name), and times ``vadpipe extract`` on all of them: start, search, look-up, end. Snippets follow
each other without overlap (a stride of 16 frames).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from made import encode_minute, random_weights

from vadpipe.extract.extractor import Extractor
from vadpipe.extract.settings import ExtractSettings
from vadpipe.extract.store import FeatureStore
from vadpipe.extract.video.discovery import find_videos, named_video
from vadpipe.features.sampling import SNIPPET_FRAMES


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = random_weights("x3d_xs", folder)
        first = encode_minute(folder / "one.mp4", 1, 64, 48)
        settings = ExtractSettings(backbone="x3d_xs", stride=SNIPPET_FRAMES, weights=weights)
        extractor = Extractor(settings)
        with extractor.open(named_video(first)) as opened:
            features = extractor.features(opened)
        for number in range(options.files):
            target = folder / "videos" / f"{number % 20}" / f"{number}.mp4"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(first, target)
        store = FeatureStore(folder / "features")
        for video in find_videos([folder / "videos"])[0]:
            stat = video.path.stat()
            place = {"place": video.place, "modified_ns": stat.st_mtime_ns}
            store.write(replace(features, source=features.source.model_copy(update=place)), video)
        command = [sys.executable, "-m", "vadpipe", "extract", str(folder / "videos"), "--backbone", "x3d_xs"]
        command += ["--stride", str(SNIPPET_FRAMES), "-o", str(folder / "features")]
        command += ["--weights", str(weights)] if weights else []
        for _ in range(3):
            start_s = time.perf_counter()
            subprocess.run(command, check=True, stderr=subprocess.PIPE)
            print(f"{options.files} files, nothing to do: {time.perf_counter() - start_s:.2f} s")


if __name__ == "__main__":
    main()
