"""The kinds of files that are changed: a whole one of each, how it is changed, and what reads it."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from zipfile import ZipFile, ZipInfo

import h5py
import numpy as np
import openpyxl
import torch

from support.annotation_sets import (
    UCF_CRIME,
    XD_VIOLENCE,
    write_lists,
    write_ped2_folders,
    write_ped2_table,
    write_shanghaitech,
)
from support.calibrations import make_calibration
from support.curves import PLACES, event_curve, with_places
from support.feature_files import make_features, make_recipe
from support.fuzzing import readers
from support.fuzzing.mutations import (
    Mutation,
    mutated_bytes,
    mutated_safetensors,
    mutated_signed,
    mutated_text,
    mutated_zip,
)
from support.recordings import dhav, encode, pictures, raw_packets
from support.videos import write_video
from support.weights_files import published_file
from vadpipe.ablation.runs import ATS, Run, TrainingRecord
from vadpipe.annotations.truth import Truth, write_truth
from vadpipe.features.folder import HEAD_NAMES
from vadpipe.head.building import build_head
from vadpipe.head.checkpoint import HeadRecord, TrainedHead
from vadpipe.head.methods import find_method
from vadpipe.head.settings import HeadSettings
from vadpipe.runs import record as runs
from vadpipe.runs.digests import files_digest
from vadpipe.runs.versions import versions
from vadpipe.training.resume import Resume

CANARY = "canary"
"""A file beside the folder of a target, to which some files refer and which nothing may open."""

VIDEO_FRAMES = 24
_SIZE = (80, 60)

_WRITTEN = {
    "mp4": {"options": {"g": "8"}},
    "mkv": {"options": {"g": "8"}},
    "ts": {"options": {"g": "8"}},
    "avi": {"codec": "mpeg4", "options": {"g": "8"}},
    "webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}},
}
_ENCODED = {
    "mpg": dict(codec="mpeg2video", muxer="mpeg", bf="2", g="8", sound="mp2"),
    "flv": dict(codec="flv", muxer="flv", g="8"),
    "wmv": dict(codec="wmv2", muxer="asf", g="8"),
    "ogv": dict(codec="libvpx", muxer="ogg", deadline="realtime", g="8"),
    "mxf": dict(codec="mpeg2video", muxer="mxf", g="8"),
    "dv": dict(codec="dvvideo", muxer="dv", size=(720, 576), n_frames=3),
    "gif": dict(codec="gif", muxer="gif", pixel_format="rgb8"),
    "y4m": dict(codec="wrapped_avframe", muxer="yuv4mpegpipe"),
    "h264": dict(codec="libx264", muxer="h264", g="8"),
    "hevc": {"codec": "libx265", "muxer": "hevc", "x265-params": "log-level=none:keyint=8"},
    "mjpeg": dict(codec="mjpeg", muxer="mjpeg", pixel_format="yuvj420p"),
}
_PICTURES = ("png", "jpg", "bmp", "tif")
_CHANGED_PICTURE = 2


@dataclass(frozen=True)
class Target:
    """One kind of file.

    Attributes:
        name: of the target, and of the folder that the files lie in.
        write: writes whole files into a folder.
        read: what reads them, see :mod:`support.fuzzing.readers`.
        files: names of those that are changed, one at a time.
        mutate: changes the content of one.
        is_slow: whether each file takes a process of its own, which costs a second.
    """

    name: str
    write: Callable[[Path], object]
    read: Callable[[Path, Path, Random], readers.Errors]
    files: tuple[str, ...]
    mutate: Mutation
    is_slow: bool = False


def _video(name: str, write: Callable[[Path], object], suffix: str | None = None) -> Target:
    file = f"a.{suffix or name}"
    return Target(
        name, lambda folder: write(folder / file), readers.read_video, (file,), mutated_bytes, is_slow=True
    )


def _write_encoded(path: Path, options: dict[str, object]) -> None:
    encode(path, **({"size": _SIZE, "n_frames": VIDEO_FRAMES} | options))


def _write_dav(path: Path) -> None:
    stream = path.with_suffix(".h264")
    _write_encoded(stream, _ENCODED["h264"])
    path.write_bytes(dhav(raw_packets(stream), codec=2))
    stream.unlink()


def _write_joined(path: Path) -> None:
    write_video(path, VIDEO_FRAMES, size=_SIZE, **_WRITTEN["ts"])
    path.write_bytes(path.read_bytes() * 3)


def _write_playlist(path: Path) -> None:
    canary = path.parents[1] / CANARY
    path.write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{canary}\nfile://{canary}\n#EXT-X-ENDLIST\n"
    )


def _sequence(suffix: str) -> Target:
    file = f"sequence/{_CHANGED_PICTURE:03}.{suffix}"
    return Target(
        suffix,
        lambda folder: pictures(folder / "sequence", 4, suffix=f".{suffix}", size=_SIZE),
        readers.read_video,
        (file,),
        mutated_bytes,
        is_slow=True,
    )


VIDEOS = (
    *(_video(name, partial(write_video, n_frames=VIDEO_FRAMES, size=_SIZE, **options)) for name, options in _WRITTEN.items()),
    _video(
        "fragments",
        partial(
            write_video,
            n_frames=VIDEO_FRAMES,
            size=_SIZE,
            container_options={"movflags": "frag_keyframe+empty_moov"},
        ),
        "mp4",
    ),
    *(_video(name, partial(_write_encoded, options=options)) for name, options in _ENCODED.items()),
    _video("dav", _write_dav),
    _video("joined", _write_joined, "ts"),
    *map(_sequence, _PICTURES),
)  # fmt: skip

_ARRAY = np.arange(60, dtype=np.float32).reshape(6, 10)


def _write_hdf5(folder: Path, libver: str) -> None:
    with h5py.File(folder / "a.h5", "w", libver=libver) as file:
        group = file.create_group("Abuse/Abuse001")
        group.create_dataset("features", data=_ARRAY, chunks=(4, 10), compression="gzip", shuffle=True)
        file.create_dataset("lzf", data=_ARRAY, chunks=(3, 5), compression="lzf", fletcher32=True)
        file.create_dataset("growing", data=_ARRAY, chunks=(3, 5), maxshape=(None, None))
        file["plain"] = _ARRAY.astype(np.float16)
        file["away"] = h5py.ExternalLink(str(folder.parent / CANARY), "/a")


def _write_torch(folder: Path, zipped: bool) -> None:
    tensor = torch.from_numpy(_ARRAY)
    content = {"a": tensor, "b": tensor.bfloat16(), "c": {"features": tensor.half()}}
    torch.save(content, folder / "a.pt", _use_new_zipfile_serialization=zipped)


def _write_array(folder: Path, suffix: str) -> None:
    if suffix == "npy":
        np.save(folder / "a.npy", _ARRAY)
    elif suffix == "npz":
        np.savez_compressed(folder / "a.npz", features=_ARRAY)
    else:
        np.savetxt(folder / "a.txt", _ARRAY, fmt="%.3f")


def _write_counted(folder: Path) -> None:
    np.save(folder / "a_x264.npy", _ARRAY)
    np.save(folder / "b.npy", _ARRAY)
    (folder / "counts.txt").write_text("a@90\nb@96\n")


def _write_features(folder: Path) -> None:
    make_features(n_frames=40).save(folder / "a.safetensors")


def _write_sampled_features(folder: Path) -> None:
    plain = make_features(n_frames=40)
    recipe = make_recipe(fps=12.5, view="whole,left", crops=2, resize_px=256, stride_frames=8)
    values = np.ones((recipe.sampling.n_snippets(plain.frame_times_s, plain.end_s), 2, 8), np.float32)
    source = plain.source.model_copy(
        update={"n_decoded": 35, "gaps": ((3, 8),), "width_px": 64, "height_px": 48}
    )
    replace(plain, values=values, recipe=recipe, source=source).save(folder / "a.safetensors")


def _write_head(folder: Path, settings: HeadSettings) -> None:
    torch.manual_seed(0)
    network = build_head(torch.zeros(8), torch.ones(8), settings).eval()
    record = HeadRecord(
        settings=settings, recipe=make_recipe(), calibration=make_calibration(0.5), seed=3, step=7
    )
    TrainedHead(network, record).save(folder / HEAD_NAMES[0])


def _write_state(folder: Path) -> None:
    part = {"tensor": torch.arange(30.0), "list": [1, (2, None, "text")], "number": 0.1}
    Resume(folder / "training.state", readers.RESUME_KEY).put("part", part, now=True)


def _write_run(folder: Path) -> None:
    record = TrainingRecord(
        key=readers.RUN_KEY, settings=HeadSettings(hidden=4, cluster_dim=2), fold=0, seed=0, videos=("a", "b"),
        n_snippets=(3, 4), threshold=0.5, steps=dict.fromkeys(ATS, 3), test_auc={3: 0.75}, history=[{"step": 3}],
    )  # fmt: skip
    scores = [np.linspace(0, 1, count, dtype=np.float32) for count in record.n_snippets]
    Run(record, dict.fromkeys(ATS, scores)).save(folder / "a.safetensors")


def _write_run_record(folder: Path) -> None:
    settings = dict(
        backbone="i3d", view="left,right", crops=1, stride=8, window=16, target_fps=12.5, fps=None, decoder="auto",
        device="auto", engine="auto", precision="auto",
    )  # fmt: skip
    record = runs.RunRecord(
        command="extract", arguments={"stride": 8}, started_in="..", resolved={"settings": settings}, versions={"av": "18"},
        recipe=None, seed=None, outcome="finished", error=None, counts=runs.Counts(done=1), inputs=(), outputs=(),
        videos=(runs.VideoRecord(video="a.mp4", file="v/a.mp4", status="done", sha256="0" * 64),), warnings=("slow",), rerun=None,
        times=runs.Times(began="2026-01-01T00:00:00Z", took_s=1.0, snippets_per_s=12.5),
    )  # fmt: skip
    runs.write_record(record, folder / "run.json")


def _write_repeated_record(folder: Path) -> None:
    (folder / "videos").mkdir()
    (folder / "videos/a.mp4").write_bytes(b"no video")
    (folder / "features").mkdir()
    make_features(n_frames=16).save(folder / "features/a.mp4.safetensors")
    n_features, features = files_digest([folder / "features/a.mp4.safetensors"], folder / "features")
    video = runs.VideoRecord(
        video="a.mp4", file="videos/a.mp4", status="done", n_bytes=8, modified_ns=0,
        sha256=hashlib.sha256(b"no video").hexdigest(),
    )  # fmt: skip
    inputs = (
        runs.InputRecord(role="features", file="features", n_files=n_features, sha256=features),
        runs.InputRecord(role="labels", file="videos/a.mp4", sha256=str(video.sha256)),
    )
    record = runs.RunRecord(
        command="score", arguments={"videos": ["videos"], "clips": "results/clips", "output": "results", "plot": True},
        started_in="..", resolved={}, versions=versions(), recipe=None, seed=None, outcome="finished", error=None,
        counts=runs.Counts(done=1), inputs=inputs, outputs=(), videos=(video,), warnings=(), rerun=None,
        times=runs.Times(began="2026-01-01T00:00:00Z", took_s=1.0, snippets_per_s=12.5),
    )  # fmt: skip
    (folder / "results").mkdir()
    runs.write_record(record, folder / "results/run.json")


def _write_failure(folder: Path) -> None:
    (folder / "a.mp4").write_bytes(b"no video")
    video = readers.named_video(folder / "a.mp4")
    store = readers.FeatureStore(folder / "features")
    store.remember_failure(video, "asked", readers.InputError("is not a video", file=video.path))


def _write_settings(folder: Path) -> None:
    (folder / "settings.json").write_text(HeadSettings().model_dump_json(indent=2))


def _write_scores(folder: Path) -> None:
    with_places(event_curve(n_frames=120), PLACES).to_json(folder / "a.scores.json")


def _write_labels(folder: Path) -> None:
    (folder / "videos").write_text("videos/fight/a.mp4\nvideos/normal/b.mp4\nvideos/normal/c.mp4\n")
    (folder / "labels.csv").write_text(
        "video,label,group,class\nfight/a.mp4,abnormal,g1,Fight\nb.mp4,0,g2,\n/data/videos/normal/c,normal,,\n"
    )


def _write_truth(folder: Path) -> None:
    truths = [Truth("a.mp4", 240, ((60, 180), (200, 240)), "Abuse", "g1"), Truth('b, "c".mp4', 80, ())]
    write_truth(folder / "truth.csv", truths)


def _write_excel_truth(folder: Path) -> None:
    book = openpyxl.Workbook()
    for row in (
        ("video", "frames", "anomalies", "class"),
        ("a.mp4", 240, "60:180 200:240", "Abuse"),
        ("b.mp4", 80, None, "normal"),
        ("c.mp4", 90.0, "0:30", "Abuse"),
    ):
        book.active.append(row)
    book.active.merge_cells("D4:D5")
    book.save(folder / "made.xlsx")
    # The same bytes each time.
    with ZipFile(folder / "made.xlsx") as made, ZipFile(folder / "truth.xlsx", "w") as archive:
        for name in made.namelist():
            text = re.sub(rb"\d{4}-\d\d-\d\dT[\d:]+Z", b"2026-01-01T00:00:00Z", made.read(name))
            archive.writestr(ZipInfo(name), text)
    (folder / "made.xlsx").unlink()


def _write_shanghaitech(folder: Path) -> None:
    write_shanghaitech(folder, {"01_001": [0] * 30, "02_0015": [0] * 10 + [1] * 22})


def _write_ped2_folders(folder: Path) -> None:
    clips = {f"Train/Train{number:03}": (3, None) for number in range(1, 6)}
    clips |= {f"Test/Test{number:03}": (5, "1:2, 4:5") for number in range(1, 8)}
    write_ped2_folders(folder, clips)


def _annotations(name: str, write: Callable[[Path], object], *files: str) -> Target:
    return Target(name, write, readers.read_annotations, files, mutated_text)


_NETWORKS = {"cbcg": HeadSettings(hidden=4, cluster_dim=3, queue_batches=2)} | {
    name: HeadSettings.model_validate({**find_method(name).changes, "hidden": 8}) for name in ("rtfm", "mgfn")
}


def _array(suffix: str) -> Target:
    mutate = mutated_text if suffix == "txt" else mutated_bytes
    write = partial(_write_array, suffix=suffix)
    return Target(suffix, write, readers.import_published, (f"a.{suffix}",), mutate)


FILES = (
    Target("playlist", lambda folder: _write_playlist(folder / "a.m3u8"), readers.read_video, ("a.m3u8",), mutated_text),
    Target("features", _write_features, readers.read_features, ("a.safetensors",), mutated_safetensors),
    Target("sampled features", _write_sampled_features, readers.read_features, ("a.safetensors",), mutated_safetensors),
    *(
        Target(f"{age} h5", partial(_write_hdf5, libver=libver), readers.read_container, ("a.h5",), mutated_bytes)
        for age, libver in (("old", "earliest"), ("new", "latest"))
    ),
    Target("imported h5", partial(_write_hdf5, libver="latest"), readers.import_published, ("a.h5",), mutated_bytes, is_slow=True),
    *(
        Target(f"{age} pt", partial(_write_torch, zipped=zipped), readers.read_container, ("a.pt",), mutated_bytes)
        for age, zipped in (("old", False), ("new", True))
    ),
    Target("imported pt", partial(_write_torch, zipped=True), readers.import_published, ("a.pt",), mutated_bytes),
    *map(_array, ("npy", "npz", "txt")),
    Target("frame counts", _write_counted, readers.import_published, ("counts.txt",), mutated_text),
    *(
        Target(f"{name} head", partial(_write_head, settings=settings), readers.read_head, (HEAD_NAMES[0],), mutated_safetensors)
        for name, settings in _NETWORKS.items()
    ),
    Target("weights", lambda folder: (folder / "a.pyth").write_bytes(published_file()), readers.read_weights, ("a.pyth",), mutated_bytes),
    Target("training state", _write_state, readers.read_training_state, ("training.state",), mutated_signed),
    Target("ablation run", _write_run, readers.read_ablation_run, ("a.safetensors",), mutated_safetensors),
    Target("run record", _write_run_record, readers.read_run_record, ("run.json",), mutated_text),
    Target("repeated record", _write_repeated_record, readers.read_repeated_record, ("results/run.json",), mutated_text),
    Target("failure", _write_failure, readers.read_failures, ("features/**/*.json",), mutated_text),
    Target("settings", _write_settings, readers.read_settings, ("settings.json",), mutated_text),
    Target("scores", _write_scores, readers.read_scores, ("a.scores.json",), mutated_text),
    Target("labels", _write_labels, readers.read_labels, ("labels.csv",), mutated_text),
    Target("truth", _write_truth, readers.read_truths, ("truth.csv",), mutated_text),
    Target("excel", _write_excel_truth, readers.read_excel_truths, ("truth.xlsx",), mutated_zip),
    _annotations("ucf-crime", lambda folder: write_lists(folder, UCF_CRIME), *UCF_CRIME),
    _annotations("xd-violence", lambda folder: write_lists(folder, XD_VIOLENCE), *XD_VIOLENCE),
    _annotations(
        "shanghaitech", _write_shanghaitech, "SH_Train.txt", "SH_Test.txt", "shanghaitech_ground_truth.testing.json",
        "test_frame_mask/*.npy",
    ),
    _annotations("ped2", write_ped2_table, "labels.csv"),
    _annotations("ped2 folders", _write_ped2_folders, "Test/UCSDped2.m"),
)  # fmt: skip

TARGETS = {target.name: target for target in (*VIDEOS, *FILES)}


def write_whole(target: Target, folder: Path) -> None:
    """Write the whole files of a target into a folder that does not exist yet."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    target.write(folder)
