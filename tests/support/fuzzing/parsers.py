"""Parsers of our own, for a fuzzer that calls them in its own process; each takes the path of a file to read."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

# All readers that are fed, so that one that moves is changed here alone.
from support.fuzzing.targets import TARGETS, write_whole
from vadpipe.annotations.labels import folder_labels, read_labels
from vadpipe.annotations.truth import write_truth
from vadpipe.annotations.truth_sheet import read_truth
from vadpipe.cli.head_settings import head_settings
from vadpipe.cli.recorded_inputs import differences
from vadpipe.cli.recorded_reach import reach
from vadpipe.errors import VadpipeError
from vadpipe.extract.video.names import bare, match
from vadpipe.files.atomic import MAX_NAME_BYTES, fitting_name
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.head.record import record_text
from vadpipe.output.json_document import read_document
from vadpipe.runs.record import read_record

_VIDEOS = ("videos/fight/a.mp4", "videos/normal/b.mp4", "videos/normal/c.mp4")


def labels(path: Path) -> None:
    """Read labels of three videos."""
    assert read_labels(path, {video: video for video in _VIDEOS}).keys() <= {*_VIDEOS}


def truth(path: Path) -> None:
    """Read the truth, which stays the same where it is written and read again."""
    truths = read_truth(path)
    again = path.with_suffix(".again")
    write_truth(again, truths)
    assert read_truth(again) == truths


def settings(path: Path) -> None:
    """Read settings of a training, which stay the same where they are written and read again."""
    read = head_settings("default", path, None)
    path.write_text(read.model_dump_json())
    assert head_settings("default", path, None) == read


def scores(path: Path) -> None:
    """Read the scores of a video."""
    curve, document = read_document(path)
    assert len(curve) == len(document.curve.scores)


def names(path: Path) -> None:
    """Match names, label videos by their folders, and make names of files from them."""
    lines = path.read_bytes().decode(errors="replace").split("\n")
    assert all(bare(bare(line)) == bare(line) for line in lines)
    half = len(lines) // 2
    found = match(lines[:half], lines[half:])
    assert {*found.found} | {*found.missing} | {*found.ambiguous} == {*lines[:half]}
    for line in lines:
        assert len(fitting_name(line, ".safetensors").encode()) <= MAX_NAME_BYTES
    folder_labels(lines)


def heads(path: Path) -> None:
    """Read a head whose record is the text of the file; what is read can be written and read again."""
    text = path.read_bytes().decode(errors="replace")
    head = path.with_suffix(".safetensors")
    whole = path.parent / "whole head"
    if not whole.exists():
        write_whole(TARGETS[_HEAD], whole)
    save_file(load_file(whole / TARGETS[_HEAD].files[0]), head, metadata={"vadpipe.head": text})
    read = TrainedHead.load(head)
    read.save(head)
    assert TrainedHead.load(head).record == read.record
    assert all(torch.isfinite(tensor).all() for tensor in read.network.state_dict().values())


def runs(path: Path) -> None:
    """Read the record of a run, and find out what repeating it would reach and what has changed since."""
    record = read_record(path)
    with contextlib.chdir(path.parent):
        assert {*reach(record, path.parent, moved=True)} <= {*reach(record, path.parent, moved=False)}
        if not reach(record, path.parent, moved=False):
            assert all(isinstance(text, str) for text in differences(record))


_HEAD = "cbcg head"
_TARGETS = {"heads": _HEAD, "runs": "repeated record"}
"""Targets whose name is not the parser's."""

PARSERS: dict[str, Callable[[Path], None]] = {
    parser.__name__: parser for parser in (labels, truth, settings, scores, names, heads, runs)
}


def seed(name: str, folder: Path) -> bytes:
    """Return what a parser reads whole; it is written into a folder that does not exist yet."""
    if name == "names":
        return "\n".join(
            (*_VIDEOS, "fight/a_x264.mp4", "normal/Normal_Videos_003", "v/nofight/c__1.mp4")
        ).encode()
    target = TARGETS[_TARGETS.get(name, name)]
    write_whole(target, folder)
    file = folder / target.files[0]
    return record_text(file).encode() if name == "heads" else file.read_bytes()


def feed(parser: Callable[[Path], None], path: Path, content: bytes) -> None:
    """Let a parser read a file with this content; an error of ours is an answer as well."""
    path.write_bytes(content)
    told = ""
    try:
        parser(path)
    except VadpipeError as error:
        told = str(error)
    assert told.count("\n") <= 2
    assert told.replace("\n", "").isprintable()
