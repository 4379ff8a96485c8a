"""evaluate takes from memory what it reads from files; results become data frames and HTML."""

import base64
import io
import re

import matplotlib.image
import numpy as np
import pandas
import pytest

import vadpipe
from support.labelled_features import QUICK, write_labelled_features
from vadpipe.annotations.truth_sheet import read_truth
from vadpipe.errors import FeatureError, UsageError
from vadpipe.features.folder import FeatureFolder


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """The folder of features, the truth, the features in memory, and a head fitted on arrays of them."""
    folder = tmp_path_factory.mktemp("labelled")
    truth = write_labelled_features(folder)
    features = {item.source.video: item for item in FeatureFolder(folder / "features").load()}
    labels = {name: "normal" not in name for name in features}
    arrays = {name: item.values[:, 0] for name, item in features.items()}
    head = vadpipe.fit(features, labels=labels, output=folder / "head", settings=QUICK).head
    array_head = vadpipe.fit(arrays, labels=labels, output=folder / "array-head", settings=QUICK).head
    return folder / "features", truth, features, arrays, head, array_head


@pytest.fixture(scope="module")
def evaluation(labelled):
    folder, truth, *_, head, _ = labelled
    return vadpipe.evaluate(
        folder, truth=truth, head=head, output=None, bootstrap=20, include_training_videos=True
    )


def test_features_and_a_data_frame_give_the_same_figures(labelled, evaluation, tmp_path):
    _, truth, features, _, head, _ = labelled
    passed = vadpipe.evaluate(
        features,
        truth=pandas.read_csv(truth),
        head=head,
        output=tmp_path,
        bootstrap=20,
        include_training_videos=True,
    )
    assert passed.figures == evaluation.figures
    assert passed.videos == evaluation.videos
    written = (tmp_path / "metrics.json").read_text()
    assert '"features": "given features"' in written
    assert re.search(r'"file": "truth \(data frame\)",\n    "sha256": "[0-9a-f]{64}"', written)


def test_arrays_give_the_same_figures(labelled, evaluation):
    """At 25 and at 30 frames per second the same frames have the same scores."""
    _, truth, _, arrays, _, head = labelled
    passed = vadpipe.evaluate(
        arrays, truth=truth, head=head, output=None, bootstrap=0, include_training_videos=True
    )
    for name in ("auc", "ap", "recall"):
        assert passed.figures[name].value == pytest.approx(evaluation.figures[name].value, abs=1e-6)


def test_what_does_not_fit_says_what_would(labelled):
    folder, truth, _, arrays, head, array_head = labelled
    with pytest.raises(FeatureError) as caught:
        vadpipe.evaluate(arrays, truth=truth, head=head, output=None)
    assert (
        "given features: contains no feature file that fits the head (backbone: i3d / imported:arrays"
        in str(caught.value)
    )
    assert "An array does not say how it was made: pass feature files, which 'vadpipe extract VIDEOS" in str(
        caught.value
    )
    with pytest.raises(FeatureError) as caught:
        vadpipe.evaluate(folder, truth=truth, output=None)
    assert "Make them with: vadpipe extract VIDEOS --backbone i3d --view left,right --stride 8" in str(
        caught.value
    )
    with pytest.raises(FeatureError, match="Pass arrays as those that it was trained on"):
        vadpipe.evaluate(folder, truth=truth, head=array_head, output=None)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"truth": 3}, "truth is 3\nPass a path or a data frame of pandas as truth"),
        ({"truth": {"a": 1}}, "truth is of type dict\n"),
        ({"head": 5}, "head is 5\nPass a path, or None as head"),
        ({"threshold": "x"}, "threshold is 'x'\nPass a number, or None as threshold"),
        ({"bootstrap": 1.5}, "bootstrap is 1.5\nPass a whole number as bootstrap"),
        ({"view": 5}, "view is 5\nPass a text or several as view"),
        ({"features": None}, "features is None\nPass a folder of feature files, or a dictionary"),
    ],
    ids=str,
)
def test_wrong_ones_are_refused_by_name(labelled, wrong, message):
    folder, truth, *_, head, _ = labelled
    with pytest.raises(UsageError) as caught:
        vadpipe.evaluate(**{"features": folder, "truth": truth, "head": head, "output": None, **wrong})
    assert message in str(caught.value)


def test_data_frames_have_every_figure_and_video(labelled, evaluation):
    figures = evaluation.to_dataframe().set_index("figure")
    assert list(figures.index) == list(evaluation.figures)
    for name, figure in evaluation.figures.items():
        row = figures.loc[name]
        assert row["value"] == figure.value or (figure.value is None and np.isnan(row["value"]))
        assert row["low"] == figure.interval.low or (figure.interval.low is None and np.isnan(row["low"]))
    videos = evaluation.to_dataframe("videos")
    assert videos["video"].tolist() == [truth.video for truth in read_truth(labelled[1])]
    assert videos["n_frames"].tolist() == [80] * 10
    assert videos["n_anomalous"].tolist() == [0] * 4 + [32] * 4 + [80] * 2
    assert videos["n_events"].tolist() == [len(video.events) for video in evaluation.videos]
    assert evaluation.to_dataframe("classes").empty
    with pytest.raises(UsageError, match="rows is 'frames'\nChoose figures, videos or classes"):
        evaluation.to_dataframe("frames")


def test_a_notebook_shows_a_plot_and_the_figures(evaluation):
    html = evaluation._repr_html_()
    (picture,) = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    pixels = matplotlib.image.imread(io.BytesIO(base64.b64decode(picture)))
    assert pixels.shape[1] == 540
    assert pixels.std() > 0.05
    assert f"<td>auc</td><td>{evaluation.figures['auc'].value:.3f}</td>" in html
    assert "10 videos, 6 abnormal" in html
    assert "<script" not in html


def test_its_text_has_the_counts(evaluation):
    assert repr(evaluation) == (
        f"Evaluation(videos=10, frames=800, auc={evaluation.figures['auc'].value:.3f}, "
        f"threshold={evaluation.threshold:.3f}, figures={len(evaluation.figures)}, classes=0)"
    )
