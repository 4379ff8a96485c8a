"""Events as a pre-annotated task of Label Studio, on the timeline of its video.

Make a project with :data:`LABELING_CONFIG` as its labeling interface (Settings, Labeling Interface, Code) and
import the file. The task names the video as Label Studio's local storage serves it from the folder that
LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT names; where your videos are elsewhere, change ``data.video``.

Frames count from 1 and a range includes both ends. Label Studio itself counts frames by time, so it shows
a video with a variable frame rate at other frames; its documentation says to convert such a video first.

Sources: Label Studio's documentation of TimelineLabels, of the Video tag and of importing pre-annotations;
the first frame is 1 in ``yolo/utils/converter.py`` of HumanSignal/label-studio-ml-backend.
"""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

from vadpipe._version import __version__
from vadpipe.curves.curve import Curve
from vadpipe.files.atomic import write_text
from vadpipe.output.event_text import LABEL, file_name
from vadpipe.output.number_text import short_score

LABELING_CONFIG = f"""\
<View>
  <TimelineLabels name="events" toName="video">
    <Label value="{LABEL}" background="#D55E00"/>
  </TimelineLabels>
  <Video name="video" value="$video" frameRate="$fps" timelineHeight="120"/>
</View>
"""


def write_label_studio(curve: Curve, path: Path) -> None:
    """Write a list of one task with the events as its prediction, their peaks as scores, atomically.

    Raises:
        OutputError: if it cannot be written.
    """
    regions = [
        {
            "id": f"event-{number}",
            "from_name": "events",
            "to_name": "video",
            "type": "timelinelabels",
            "score": short_score(event.peak),
            "value": {
                "ranges": [{"start": event.start + 1, "end": event.stop}],
                "timelinelabels": [LABEL],
            },
        }
        for number, event in enumerate(curve.events, 1)
    ]
    task = {
        "data": {
            "video": f"/data/local-files/?d={quote(file_name(curve.video))}",
            "fps": round(curve.frame_rate, 6),
        },
        "predictions": [
            {
                "model_version": f"vadpipe {__version__}",
                "score": max((short_score(event.peak) for event in curve.events), default=0.0),
                "result": regions,
            }
        ],
    }
    write_text(path, json.dumps([task], indent=2, ensure_ascii=False, allow_nan=False) + "\n")
