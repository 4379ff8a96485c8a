"""How many false alarms a head raises on ordinary footage.

    python benchmarks/false_alarms.py DATA WORK [--street VIDEO] [--head FILE] [--to FILE]

Nothing abnormal happens in this footage, so every event is a false alarm. It tells something of a head that
learned from none of it: the included one did not. The head scores with its own threshold and the default
rule of events. Time in alarm is that of the events. Rates have exact 95 % intervals (Garwood, Biometrika
1936), as if alarms came independently of each other; several in one recording often have one cause.

VioPeru's normal clips are joined by recording as ``footage.py`` joins them: untrimmed, as a user would meet
them, with a cut every five seconds; everything else is scored as it is.

DATA is the folder of the collections, and VIDEO the street of ``make demo`` (``demo/street.mp4``). Features
are kept below WORK, so that another head of the same recipe costs seconds.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from footage import SIZES, in_order, join, recordings
from scipy.stats import chi2
from settings_compared import Setting

from vadpipe.curves.curve import Curve
from vadpipe.scoring.scorer import Scorer

HEAD = ["footage", "videos", "minutes", "events", "an hour (95 %)", "time in alarm"]


@dataclass(frozen=True)
class Alarms:
    """What was raised on some footage.

    Attributes:
        n_videos, length_s: how much footage it is.
        n_events, raised_s: how many events there are, and how long they last.
    """

    n_videos: int
    length_s: float
    n_events: int
    raised_s: float

    @classmethod
    def of(cls, curves: Iterable[Curve]) -> Alarms:
        """Count what curves raise."""
        curves = list(curves)
        events = [event for curve in curves for event in curve.events]
        length_s = sum(curve.end_s for curve in curves)
        return cls(len(curves), length_s, len(events), sum(event.length_s for event in events))

    @property
    def cells(self) -> list[str]:
        """What a table says of it."""
        hours = self.length_s / 3600
        low, high = (count / hours for count in poisson_interval(self.n_events))
        return [
            str(self.n_videos),
            f"{self.length_s / 60:.1f}",
            str(self.n_events),
            f"{self.n_events / hours:.0f} ({low:.0f} to {high:.0f})",
            f"{self.raised_s / self.length_s:.1%}".replace("%", " %"),
        ]


def main() -> None:
    """Extract, score, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--street", type=Path, metavar="VIDEO", help="the demo's; left out by default")
    parser.add_argument("--head", type=Path, metavar="FILE", help="the included head by default")
    parser.add_argument("--to", type=Path, metavar="FILE", help="write the table here as well")
    options = parser.parse_args()

    settings = Scorer(options.head).settings
    scorer = Scorer(options.head, features=options.work / "features" / Setting("", settings).folder)
    curves = {}
    for footage, videos in ordinary_footage(options.data, options.work, options.street).items():
        curves[footage] = [scorer.score(video) for video in videos]
        print(f"{footage}: scored", flush=True)
    text = table(curves)
    print(f"\nthreshold {scorer.threshold:.3f}\n\n{text}", end="")
    if options.to is not None:
        options.to.write_text(text)


def ordinary_footage(data: Path, work: Path, street: Path | None) -> dict[str, list[Path]]:
    """Return the videos of each source in which nothing abnormal happens; VioPeru's are made once."""
    ped2, urfall = data / "ucsd_ped2", data / "urfall"
    footage = {
        "a street, of the demo": [] if street is None else [street],
        "Intel's sample videos": sorted((data / "intel_sample_videos").glob("*.mp4")),
        "UCSD Ped2, training": [ped2 / row["file"] for row in _rows(ped2 / "labels.csv", label="0")],
        "VioPeru, normal": _joined(data / "vioperu", work / "videos" / "vioperu, normal"),
        "UR Fall, daily life": [urfall / row["file"] for row in _rows(urfall / "clips.csv", label="normal")],
        "Kinetics clips": sorted((data / "kinetics_check_clips").glob("*.mp4")),
    }
    return {name: videos for name, videos in footage.items() if videos}


def _rows(path: Path, **wanted: str) -> list[dict[str, str]]:
    with path.open(newline="") as table:
        return [row for row in csv.DictReader(table) if wanted.items() <= row.items()]


def _joined(data: Path, target: Path) -> list[Path]:
    """Join the normal clips of each recording that has some; what is there is not made again."""
    videos = []
    for number, rows in recordings(data).items():
        normal = [row for row in in_order(rows) if row["label"] == "0"]
        video = target / f"{number:03d}.mp4"
        if normal and not video.exists():
            join(data, normal, video, SIZES[data.name])
        videos += [video] if normal else []
    return videos


def table(curves: Mapping[str, list[Curve]]) -> str:
    """Return what each kind of footage raised, and all of it, as a table in Markdown."""
    everything = [curve for some in curves.values() for curve in some]
    rows = [[footage, *Alarms.of(some).cells] for footage, some in curves.items()]
    rows.append([f"**{cell}**" for cell in ("all", *Alarms.of(everything).cells)])
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (HEAD, ["---"] * len(HEAD), *rows))


def poisson_interval(count: int) -> tuple[float, float]:
    """Return the exact 95 % interval of the mean of a Poisson variable that was seen to have a value."""
    low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    return float(low), float(chi2.ppf(0.975, 2 * count + 2) / 2)


if __name__ == "__main__":
    main()
