"""What reads each kind of file: the only module of the fuzzer that knows where vadpipe's readers are.

A reader takes the folder with the file, a folder for what it writes, and a generator for choices. It returns the errors
that it met beside what it could read; it raises where nothing could be read.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path
from random import Random

import numpy as np

from support.feature_files import make_features
from vadpipe.ablation.runs import Run
from vadpipe.annotations import labels
from vadpipe.annotations.truth import write_truth
from vadpipe.annotations.truth_sheet import read_truth
from vadpipe.cli.head_settings import head_settings
from vadpipe.cli.recorded_inputs import differences
from vadpipe.cli.recorded_reach import moved_options, reach
from vadpipe.curves.curve import Curve
from vadpipe.datasets import get, write_labels
from vadpipe.errors import FeatureError, InputError, VadpipeError
from vadpipe.extract.record import snippets_per_s
from vadpipe.extract.settings import ExtractSettings
from vadpipe.extract.stills import read_stills
from vadpipe.extract.store import FeatureStore
from vadpipe.extract.video.discovery import named_video
from vadpipe.extract.video.frame import Size
from vadpipe.extract.video.job import DecodeJob
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.process import Decoding
from vadpipe.features.file import Features
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.output.formats import write_formats
from vadpipe.output.json_document import read_document
from vadpipe.published.containers import Containers
from vadpipe.published.import_features import import_features
from vadpipe.published.settings import ImportSettings
from vadpipe.runs.record import read_record
from vadpipe.training.resume import Resume
from vadpipe.weights.convert import check_safetensors, to_safetensors

Errors = list[VadpipeError]

LIMITS = Limits(memory_bytes=2 * 2**30)
RESUME_KEY, RUN_KEY = "a training", "a run"
TEXT_FORMATS = ("csv", "json", "npy", "srt", "vtt", "edl", "fiftyone", "labelstudio")


def read_video(folder: Path, output: Path, rng: Random) -> Errors:
    """Decode the only entry of a folder, a file or an image sequence."""
    (path,) = folder.iterdir()
    decoder = rng.choice(["pyav", "pyav", "decord"])
    if rng.random() < 0.1:
        read_stills(path, [0.0, 0.5], 64)
        return []
    with Decoding(path, DecodeJob(Size(64, square=True), decoder=decoder, limits=LIMITS)) as decoding:
        numbers = [frame.number for frame in decoding.frames()]
        times_s = decoding.timeline.times_s
    assert (np.diff(numbers) > 0).all()
    assert (np.diff(times_s) >= 0).all()
    if not numbers:
        raise InputError("has no frame that can be decoded", file=path)
    lost = InputError("lost frames", file=path)
    return [lost] if len(numbers) < len(times_s) else []


def read_features(folder: Path, output: Path, rng: Random) -> Errors:
    """Load a feature file, and look at all that is derived from what it holds."""
    path = folder / "a.safetensors"
    features = Features.load(path, mapped=rng.random() < 0.5)
    assert len(features.spans) == len(features.lost) == len(features.values)
    assert features.snippet_times_s.shape == (len(features.values), 2)
    assert features.recipe.views
    assert repr(features)
    assert features.source.partial is None or features.source.lost_share <= 1
    features.save(output / path.name)
    return []


_containers = Containers()  # its process reads one file after another, as it does for a folder of them


def release() -> None:
    """End the process that readers share."""
    _containers.__exit__(None, None, None)


def read_container(folder: Path, output: Path, rng: Random) -> Errors:
    """List a file with many arrays, and read each of them."""
    (path,) = folder.iterdir()
    listing = _containers.listing(path)
    if listing is None:
        raise FeatureError("is not a container", file=path)
    errors: Errors = []
    for address in listing.arrays:
        try:
            assert _containers.read(path, address).dtype.kind in "fiu"
        except FeatureError as error:
            errors.append(error)
    return _all_or(errors, len(listing.arrays))


def import_published(folder: Path, output: Path, rng: Random) -> Errors:
    """Import a folder of published features; ``counts.txt`` in it is the list of frame counts."""
    counts = folder / "counts.txt"
    settings = ImportSettings("i3d_r50", rows=rng.choice(["stride", "even"]))
    done = import_features(
        [path for path in folder.iterdir() if path != counts],
        output,
        settings=settings,
        frame_counts=counts if counts.exists() else None,
    )
    for path in done.written:
        Features.load(path)
    return _all_or([failure.error for failure in done.failed], len(done.written) + len(done.failed))


def read_head(folder: Path, output: Path, rng: Random) -> Errors:
    """Load a head and score features with it."""
    head = TrainedHead.load(folder)
    scores = head.snippet_scores(make_features(n_frames=64))
    assert ((scores >= 0) & (scores <= 1)).all()
    assert head.record.threshold == head.record.threshold
    return []


def read_weights(folder: Path, output: Path, rng: Random) -> Errors:
    """Convert published weights."""
    path, converted = folder / "a.pyth", output / "a.safetensors"
    converted.write_bytes(to_safetensors(path.read_bytes(), origin=str(path)))
    check_safetensors(converted)
    return []


def read_training_state(folder: Path, output: Path, rng: Random) -> Errors:
    """Resume a training; one that cannot be resumed starts anew."""
    Resume(folder / "training.state", RESUME_KEY).get("part")
    return []


def read_ablation_run(folder: Path, output: Path, rng: Random) -> Errors:
    """Find the result of a training; one that cannot be read is trained again."""
    run = Run.find(folder / "a.safetensors", RUN_KEY)
    if run is not None:
        assert all(len(scores) == len(run.record.videos) for scores in run.scores.values())
    return []


def read_run_record(folder: Path, output: Path, rng: Random) -> Errors:
    """Read the speed of the last run, for the time that the next one takes, and the record, to run it again."""
    speed = snippets_per_s(folder, ExtractSettings())
    assert speed is None or speed > 0
    try:
        read_record(folder / "run.json")
    except VadpipeError as error:
        return [error]
    return []


def read_repeated_record(folder: Path, output: Path, rng: Random) -> Errors:
    """Read the record of a run, and find out what repeating it would reach, and what has changed since."""
    known = read_record(folder / "results/run.json")
    assert {*moved_options(known, output).values()} >= {output}
    with contextlib.chdir(folder):
        beyond = reach(known, folder / "results", moved=rng.random() < 0.5)
        if not beyond:
            assert all(isinstance(text, str) for text in differences(known))
    return []


def read_failures(folder: Path, output: Path, rng: Random) -> Errors:
    """Look up why a video failed before."""
    store = FeatureStore(folder / "features")
    again = store.past_failure(named_video(folder / "a.mp4"), "asked")
    return [] if again is None else [again]


def read_settings(folder: Path, output: Path, rng: Random) -> Errors:
    """Read settings of a training."""
    path = folder / "settings.json"
    settings = head_settings("default", path, None, ablating=rng.random() < 0.2)
    assert json.loads(settings.model_dump_json())
    return []


def read_scores(folder: Path, output: Path, rng: Random) -> Errors:
    """Read the scores of a video, and write them in the formats that need no video."""
    curve, _ = read_document(folder / "a.scores.json")
    assert isinstance(curve, Curve)
    formats = rng.sample(TEXT_FORMATS, 3)
    write_formats(curve, output / "a", formats, video=folder / "a.mp4", size_px=(64, 48))
    return []


def read_labels(folder: Path, output: Path, rng: Random) -> Errors:
    """Read labels of videos."""
    videos = [line for line in (folder / "videos").read_text().splitlines() if line]
    assert labels.read_labels(folder / "labels.csv", {video: video for video in videos}).keys() <= {*videos}
    return []


def read_excel_truths(folder: Path, output: Path, rng: Random) -> Errors:
    """Read the truth of an Excel file."""
    truths = read_truth(folder / "truth.xlsx")
    write_truth(output / "truth.csv", truths)
    assert read_truth(output / "truth.csv") == truths
    return []


def read_truths(folder: Path, output: Path, rng: Random) -> Errors:
    """Read the truth, write it and read it again."""
    truths = read_truth(folder / "truth.csv")
    write_truth(output / "truth.csv", truths)
    assert read_truth(output / "truth.csv") == truths
    return []


def read_annotations(folder: Path, output: Path, rng: Random) -> Errors:
    """Read the annotation files of a data set, and write labels and the truth."""
    dataset = get(folder.name.split()[0])
    cut = dataset.known_cut is not None and rng.random() < 0.3
    written = write_labels(dataset, folder, output, cut=cut)
    if written.truth is not None:
        read_truth(written.truth)
    if dataset.splitter is not None:
        dataset.splits(folder, seed=1)
    return []


def _all_or(errors: Iterable[VadpipeError], n_parts: int) -> Errors:
    """Return the errors of some parts; raise the first where no part could be read."""
    errors = list(errors)
    if errors and len(errors) >= n_parts:
        raise errors[0]
    return errors
