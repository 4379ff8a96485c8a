"""Events as annotations of a CVAT task, "CVAT for video 1.1".

Upload it to a task of the same video that has a label ``abnormal`` with a text attribute ``peak``. CVAT has
no stretches of time, so an event is a track whose box is the event's place, or the whole frame where the head
tells none: it begins at the event's first frame and is outside from the frame after its last. Frames count
from 0.

Source: CVAT's documentation, "XML annotation format", version 1.1, interpolation mode.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from vadpipe.curves.curve import Curve
from vadpipe.curves.events import Event
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.job import DecodeJob
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.process import Decoding
from vadpipe.features.views import WHOLE
from vadpipe.files.atomic import atomic_path
from vadpipe.output.event_text import LABEL, file_name, one_line
from vadpipe.output.number_text import score_text


def write_cvat(curve: Curve, path: Path, video: Path, limits: Limits | None = None) -> None:
    """Write the events as tracks, atomically.

    Args:
        curve: what to write.
        path: where to.
        video: the file that the curve belongs to; the size of its picture is read from it.
        limits: what it may ask for.

    Raises:
        InputError: if the video cannot be read.
        OutputError: if the file cannot be written.
    """
    write_tracks(curve, path, picture_size(video, limits or Limits()))


def write_tracks(curve: Curve, path: Path, size_px: tuple[int, int]) -> None:
    """Write the events as tracks in a picture of that width and height, as shown, atomically.

    Raises:
        OutputError: where the file cannot be written.
    """
    width_px, height_px = size_px
    root = Element("annotations")
    _add(root, "version", "1.1")
    _add_task(root, curve, width_px, height_px)
    for number, event in enumerate(curve.events):
        track = SubElement(root, "track", id=str(number), label=LABEL, source="auto")
        place = curve.place(event)
        left, top, right, bottom = WHOLE if place is None or place.box is None else place.box
        box_px = (left * width_px, top * height_px, right * width_px, bottom * height_px)
        _add_box(track, event, event.start, box_px, outside=False)
        if event.stop < len(curve):  # a track that nothing ends lasts to the end of the task
            _add_box(track, event, event.stop, box_px, outside=True)
    indent(root)
    with atomic_path(path) as temporary:
        ElementTree(root).write(temporary, encoding="utf-8", xml_declaration=True)


def picture_size(video: Path, limits: Limits) -> tuple[int, int]:
    """Return width and height in pixels of the picture as shown; nothing is decoded for it."""
    with Decoding(video, DecodeJob(Size(16, square=True), limits=limits)) as decoding:
        return decoding.timeline.width_px, decoding.timeline.height_px


def _add_task(root: Element, curve: Curve, width_px: int, height_px: int) -> None:
    name = one_line(file_name(curve.video))
    task = SubElement(SubElement(root, "meta"), "task")
    _add(task, "name", name)
    _add(task, "size", len(curve))
    _add(task, "mode", "interpolation")
    _add(task, "overlap", 0)
    _add(task, "start_frame", 0)
    _add(task, "stop_frame", len(curve) - 1)
    label = SubElement(SubElement(task, "labels"), "label")
    _add(label, "name", LABEL)
    attribute = SubElement(SubElement(label, "attributes"), "attribute")
    # Text and not a number, since CVAT's numbers have a step, and every digit is wanted.
    for tag, text in (("name", "peak"), ("mutable", "False"), ("input_type", "text")):
        _add(attribute, tag, text)
    _add(attribute, "default_value", "")
    _add(attribute, "values", "")
    size = SubElement(task, "original_size")
    _add(size, "width", width_px)
    _add(size, "height", height_px)
    _add(task, "source", name)


def _add_box(track: Element, event: Event, frame: int, box_px: tuple[float, ...], outside: bool) -> None:
    left, top, right, bottom = (f"{side:.2f}" for side in box_px)
    box = SubElement(
        track, "box", frame=str(frame), keyframe="1", outside=str(int(outside)), occluded="0",
        xtl=left, ytl=top, xbr=right, ybr=bottom, z_order="0",
    )  # fmt: skip
    SubElement(box, "attribute", name="peak").text = score_text(event.peak)


def _add(parent: Element, tag: str, text: str | int) -> None:
    SubElement(parent, tag).text = str(text)
