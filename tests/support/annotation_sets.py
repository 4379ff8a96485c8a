"""Small folders of annotations in the published forms, and features that fit them."""

import numpy as np

from support.feature_files import make_features
from vadpipe.published.import_features import import_features
from vadpipe.published.settings import ImportSettings

UCF_CRIME = {
    "Anomaly_Train.txt": (
        "Abuse/Abuse001_x264.mp4\n"
        "RoadAccidents/RoadAccidents002_x264.mp4\n"
        "Training_Normal_Videos_Anomaly/Normal_Videos001_x264.mp4\n"
        "Training_Normal_Videos_Anomaly/Normal_Videos308_3_x264.mp4\n"
    ),
    "Anomaly_Test.txt": (
        "Abuse/Abuse028_x264.mp4\n"
        "Arson/Arson011_x264.mp4\n"
        "Testing_Normal_Videos_Anomaly/Normal_Videos_003_x264.mp4\n"
    ),
    "Temporal_Anomaly_Annotation_for_Testing_Videos.txt": (
        "Abuse028_x264.mp4  Abuse  16  24  -1  -1  \n"
        "Arson011_x264.mp4  Arson  10  20  30  67  \n"
        "Normal_Videos_003_x264.mp4  Normal  -1  -1  -1  -1  \n"
    ),
    "ucf_tframes.txt": "Abuse028@48\nArson011@66\nNormal003@80\n",
}

FILM, CLIP = "A.Film.2001__#00-01-45_00-02-50", "v=a_b__#1"
XD_VIOLENCE = {
    "xdv_flist_train.txt": f"{FILM}_label_A\nA.Film.2001__#01-00-00_01-01-00_label_G-B2-0\nv=c__#1_label_B1\n",
    "annotations.txt": f"{CLIP}_label_B6-0-0.mp4 0 10 20 48\nB.Film__#2_label_B2-B1-0 5 17\n",
    "xdv_tframes.txt": f"{CLIP}_label_B6-0-0@48\nB.Film__#2_label_B2-B1-0@18\nB.Film__#3_label_A@40\n",
}


def write_lists(folder, files, **changes):
    """Write lists; a change replaces the text of the file that begins so, or leaves it out with None."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {name: next((start for start in changes if name.startswith(start)), None) for name in files}
    for name, text in files.items():
        text = text if names[name] is None else changes[names[name]]
        if isinstance(text, bytes):
            (folder / name).write_bytes(text)
        elif text is not None:
            (folder / name).write_text(text)
    return folder


def write_shanghaitech(folder, masks=(), **changes):
    """Write the lists of two training and three test clips, the JSON, and masks."""
    import json

    clips = {"01_001": [0] * 32, "02_0015": [0] * 10 + [1] * 22, "03_004": [0] * 16}
    clips |= {name: labels for name, labels in changes.items() if labels is not None}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "SH_Train.txt").write_text("01_0014\n01_002\n")
    (folder / "SH_Test.txt").write_text("01_001\n02_0015\n03_004")
    record = {name: {"num_frames": len(labels), "labels": labels} for name, labels in clips.items()}
    (folder / "shanghaitech_ground_truth.testing.json").write_text(json.dumps(record))
    for name, mask in dict(masks).items():
        (folder / "test_frame_mask").mkdir(exist_ok=True)
        np.save(folder / "test_frame_mask" / f"{name}.npy", np.array(mask, np.uint8))
    return folder


def write_ped2_table(folder, rows=None):
    """Write a table of 16 normal and 12 abnormal clips that has the totals of the real one."""
    folder.mkdir(parents=True, exist_ok=True)
    if rows is None:
        rows = [f"train/train{number:02}.mp4,0,150," for number in range(1, 17)]
        rows += [f"test/test{number:02}.mp4,1,167,30:167" for number in range(1, 12)]
        rows += ["test/test12.mp4,1,173,0:100 120:161"]
    (folder / "labels.csv").write_text(
        "\n".join(["file,label,frames,anomalous_frames_half_open", *rows]) + "\n"
    )
    return folder


def write_ped2_folders(folder, clips, ranges=None):
    """Write the published folders: so many empty pictures a clip, and an ``.m`` file, of which a text may be given.

    The clips are ``{"Test/Test001": (180, "61:180")}``; those of ``Train`` have no ranges.
    """
    for name, (n_frames, _) in clips.items():
        (folder / name).mkdir(parents=True)
        for number in range(1, n_frames + 1):
            (folder / name / f"{number:03}.tif").touch()
    if ranges is None:
        lines = [
            f"TestVideoFile{{end+1}}.gt_frame = [{frames}];"
            for _, frames in clips.values()
            if frames is not None
        ]
        ranges = "\r\n".join(["TestVideoFile = {};", *lines, ""])
    (folder / "Test").mkdir(exist_ok=True)
    (folder / "Test" / "UCSDped2.m").write_text(ranges)
    return folder


def write_extracted_features(folder, n_frames):
    """Write features of videos with these names and numbers of frames, and return their folder."""
    for seed, (name, frames) in enumerate(n_frames.items()):
        path = folder / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        make_features(frames, name, seed).save(path)
    return folder


def import_random_features(folder, n_rows, source="feats"):
    """Import features of four numbers under these names, 16 frames a row, and return the folder."""
    for index, (name, rows) in enumerate(n_rows.items()):
        path = folder.parent / source / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.random.default_rng(index).normal(size=(rows, 4)).astype(np.float32))
    done = import_features([folder.parent / source], folder, settings=ImportSettings("c3d"))
    assert not done.failed
    return folder
