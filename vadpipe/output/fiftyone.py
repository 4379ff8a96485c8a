"""Events as labels of a FiftyOneTemporalDetectionDataset.

``fiftyone`` reads it with ``labels_path=`` and the folder of the videos as ``data_path=``, and finds the
video by the name of its file without the suffix. Frames count from 1 and ``support`` includes both ends; it
is written rather than ``timestamps``, which the importer would turn into frames by a formula of its own.

Source: FiftyOne's user guide, "Importing datasets: FiftyOneTemporalDetectionDataset", and its importer in
``fiftyone/utils/data/importers.py`` (1.22).
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from vadpipe.curves.curve import Curve
from vadpipe.files.atomic import write_text
from vadpipe.output.event_text import LABEL, file_name, place_text
from vadpipe.output.number_text import microseconds, short_score


def write_fiftyone(curve: Curve, path: Path) -> None:
    """Write the events as temporal detections, their peaks as confidence, atomically.

    The attribute ``place`` says in words where an event is, if the head can tell.

    Raises:
        OutputError: if it cannot be written.
    """
    detections = [
        {
            "label": 0,  # of "classes"
            "support": [event.start + 1, event.stop],
            "confidence": short_score(event.peak),
            "attributes": {
                "number": number,
                "start_s": microseconds(event.start_s),
                "end_s": microseconds(event.end_s),
                "peak_s": microseconds(event.peak_s),
                "mean": round(event.mean, 6),
                **({"place": place} if (place := place_text(curve, event)) else {}),
            },
        }
        for number, event in enumerate(curve.events, 1)
    ]
    stem, _ = os.path.splitext(file_name(curve.video))  # noqa: PTH122  as FiftyOne takes it
    content = {"classes": [LABEL], "labels": {stem: detections}}
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
