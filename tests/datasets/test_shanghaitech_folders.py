"""Features of ShanghaiTech's official folders have the true number of frames, the published truth has more."""

import logging

import numpy as np
import pytest

import vadpipe
from support.annotation_sets import write_extracted_features, write_shanghaitech
from vadpipe.annotations.truth import Truth
from vadpipe.annotations.truth_sheet import read_truth
from vadpipe.datasets import check, write_labels
from vadpipe.datasets.shanghaitech import SHANGHAITECH
from vadpipe.extract.video.discovery import find_videos
from vadpipe.head.settings import HeadSettings

QUICK = HeadSettings(hidden=8, cluster_dim=4, steps=4, batch_bags=2, checks=2, folds=2)
MASK = [0] * 10 + [1] * 10

# As ``vadpipe extract testing/frames training/videos`` calls them; the JSON says 32, 32 and 16 frames.
TRAINING = {"frames/01_0014": 40, "videos/01_002.avi": 40}
TEST = {"videos/01_001.avi": 23, "frames/02_0015": 20, "videos/03_004.avi": 16}


def test_names_are_those_of_extracted_folders(tmp_path):
    """Abnormal clips are folders of pictures, normal ones videos, whichever split they are in."""
    root, annotations = tmp_path / "shanghaitech", write_shanghaitech(tmp_path / "lists")
    for name in TRAINING | TEST:
        path = root / ("testing" if name.startswith("frames") else "training") / name
        for file in [path] if path.suffix else [path / "000.jpg", path / "001.jpg"]:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    videos, failures = find_videos([root / "testing" / "frames", root / "training" / "videos"])
    assert ({video.name for video in videos}, failures) == ({*TRAINING, *TEST}, [])
    for below in (root, root / "testing"):
        result = check(SHANGHAITECH, annotations, videos=below)
        assert result.superfluous == []
        assert result.n_found == ({"train": 2, "test": 3} if below == root else {"train": 1, "test": 1})


def test_the_truth_ends_with_the_features(tmp_path):
    annotations, there = (
        write_shanghaitech(tmp_path / "lists"),
        write_extracted_features(tmp_path / "features", TRAINING | TEST),
    )
    result = write_labels(SHANGHAITECH, annotations, tmp_path, features=there)
    assert [video.video for video in result.contents.training] == [*TRAINING]
    assert read_truth(result.truth) == [
        Truth("videos/01_001.avi", 23, (), group="01"),
        Truth("frames/02_0015", 20, ((10, 20),), group="02"),
        Truth("videos/03_004.avi", 16, (), group="03"),
    ]
    assert result.ended == ["01_001", "02_0015"]
    published = write_labels(SHANGHAITECH, annotations, tmp_path / "published")
    assert [truth.n_frames for truth in read_truth(published.truth)] == [32, 32, 16]
    assert published.ended == []
    assert published.totals_off == result.totals_off  # which are about the published files


@pytest.mark.parametrize("lengths", ["near", "any"])
def test_figures_are_the_same_with_the_published_truth(tmp_path, caplog, lengths):
    annotations, there = (
        write_shanghaitech(tmp_path / "lists"),
        write_extracted_features(tmp_path / "features", TRAINING | TEST),
    )
    ended = write_labels(SHANGHAITECH, annotations, tmp_path / "ended", features=there)
    published = write_labels(SHANGHAITECH, annotations, tmp_path / "published")
    head = vadpipe.fit(there, labels=published.train, output=tmp_path / "head", settings=QUICK).head

    def evaluated(written):
        return vadpipe.evaluate(there, truth=written.truth, head=head, output=None, lengths=lengths)

    with caplog.at_level(logging.WARNING):
        found = evaluated(ended)
    assert found.mismatches == []
    assert "another length" not in caplog.text
    other = evaluated(published)
    assert [(item.n_truth, item.n_shown) for item in other.mismatches] == [(32, 23), (32, 20)]
    assert found.figures == other.figures
    assert sum(len(video.scores) for video in found.judged) == 23 + 20 + 16


def test_check_does_not_call_them_off(tmp_path):
    annotations, there = (
        write_shanghaitech(tmp_path / "lists"),
        write_extracted_features(tmp_path / "features", TRAINING | TEST),
    )
    result = check(SHANGHAITECH, annotations, features=there)
    assert result.n_found == {"train": 2, "test": 3}
    assert (result.lengths, result.filled, result.superfluous) == ([], ["01_001", "02_0015"], [])
    assert result.lines()[-1] == (
        "end before the ground truth, which only repeats its last value from there on: 2: 01_001, 02_0015"
    )


@pytest.mark.parametrize(
    ("n_frames", "mask", "is_filled"),
    [
        (17, None, True),  # the shortest that is filled up to 32
        (16, None, False),
        (32, None, False),  # the JSON itself
        (33, None, False),
        (20, MASK, True),
        (21, MASK, False),
        (20, [0] * 9 + [1] * 11, False),  # the JSON holds another
    ],
)
def test_what_the_json_may_have_filled_up(tmp_path, n_frames, mask, is_filled):
    annotations = write_shanghaitech(tmp_path / "lists", masks={} if mask is None else {"02_0015": mask})
    there = write_extracted_features(tmp_path / "features", {"frames/02_0015": n_frames})
    result = check(SHANGHAITECH, annotations, features=there)
    assert result.filled == ["02_0015"] * is_filled
    assert [length.n_there for length in result.lengths] == [n_frames] * (not is_filled and n_frames != 32)
    (truth,) = write_labels(SHANGHAITECH, annotations, tmp_path, features=there).contents.test
    assert truth.n_frames == (n_frames if is_filled else 32)


def test_a_change_of_the_labels_is_never_cut_off(tmp_path):
    annotations = write_shanghaitech(tmp_path / "lists", **{"02_0015": [1] * 20 + [0] * 5 + [1] * 7})
    for n_frames, kept in ((25, 32), (26, 26)):
        there = write_extracted_features(tmp_path / str(n_frames), {"frames/02_0015": n_frames})
        (truth,) = write_labels(SHANGHAITECH, annotations, tmp_path, features=there).contents.test
        assert truth.n_frames == kept


def test_a_json_that_is_not_filled_up_stays_as_it_is(tmp_path):
    annotations = write_shanghaitech(tmp_path / "lists", **{"02_0015": [1] * 30})
    there = write_extracted_features(tmp_path / "features", {"frames/02_0015": 29})
    assert check(SHANGHAITECH, annotations, features=there).filled == []


def test_the_command_tells_of_it(command_line, tmp_path):
    annotations, there = (
        write_shanghaitech(tmp_path / "lists"),
        write_extracted_features(tmp_path / "features", TRAINING | TEST),
    )
    run = command_line(
        "datasets",
        "labels",
        "shanghaitech",
        "--annotations",
        annotations,
        "--features",
        there,
        "-o",
        tmp_path,
    )
    assert run.exit_code == 0
    assert run.stderr.splitlines()[-2:] == [
        "test: 2 videos end before the published ground truth, which only repeats its last value from "
        "there on; the written truth ends with the video: 01_001, 02_0015",
        "training: 1 normal and 1 abnormal videos; test: 2 and 1, 59 frames, 10 anomalous",
    ]


def test_the_real_truth_becomes_the_official_masks(data, tmp_path):
    annotations = data / "annotations" / "shanghaitech"
    if not annotations.is_dir():
        pytest.skip(f"no annotations at {annotations}")
    contents = SHANGHAITECH.read(annotations)
    masks = {
        truth.video: np.load(annotations / "test_frame_mask" / f"{truth.video}.npy") != 0
        for truth in contents.test
        if truth.abnormal
    }
    assert len(masks) == 44
    names = {f"testing/frames/{video}": len(mask) for video, mask in masks.items()}
    names |= {f"training/videos/{t.video}.avi": t.n_frames - 15 for t in contents.test if not t.abnormal}
    names |= {
        f"testing/frames/{v.video}" if v.abnormal else f"training/videos/{v.video}.avi": 16
        for v in contents.training
    }
    there = write_extracted_features(tmp_path / "features", names)
    result = check(SHANGHAITECH, annotations, features=there)
    assert (result.exit_code, result.lengths, len(result.filled)) == (0, [], 199)
    written = write_labels(SHANGHAITECH, annotations, tmp_path, features=there)
    assert written.totals_off == []
    for truth in written.contents.test:
        if truth.abnormal:
            np.testing.assert_array_equal(truth.frames(), masks[truth.video.rpartition("/")[2]])
    assert (
        written.contents.totals.anomalous_frames == sum(int(mask.sum()) for mask in masks.values()) == 7_962
    )
