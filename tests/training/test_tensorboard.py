"""Event files hold the checks of a training as scalars, as TensorBoard's own reader sees them."""

import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from support.feature_files import write_features
from support.head_settings import SMALL
from vadpipe.errors import OutputError, UsageError
from vadpipe.training.fit import fit

QUICK = SMALL.model_copy(update={"steps": 6, "checks": 3, "folds": 2, "hidden": 8, "cluster_dim": 4})


@pytest.fixture
def features(tmp_path):
    write_features(tmp_path / "features", "normal", 8)
    write_features(tmp_path / "features", "fight", 8)
    return tmp_path / "features"


def scalars_of(folder):
    events = EventAccumulator(str(folder)).Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]
    }


def expected(history):
    def column(name):
        return [(check.step, pytest.approx(getattr(check, name), rel=1e-6)) for check in history]

    return {
        "loss/labels": column("mil"),
        "loss/clusters": column("cluster"),
        "held-out/auc": column("auc"),
        "clusters/cosine": column("cosine"),
        "clusters/spread": column("spread"),
    }


def test_every_check_is_a_scalar(features, tmp_path):
    result = fit(features, output=tmp_path / "head", settings=QUICK, tensorboard=tmp_path / "log")
    assert scalars_of(tmp_path / "log") == expected(result.history)
    assert all(check.auc is not None for check in result.history)


def test_several_seeds_have_a_folder_each(features, tmp_path):
    result = fit(features, output=tmp_path / "head", settings=QUICK, seeds=2, tensorboard=tmp_path / "log")
    for run in result.runs:
        assert scalars_of(tmp_path / "log" / f"seed-{run.seed}") == expected(run.history)


def test_what_is_written_again_is_there_once(features, tmp_path):
    """Of a fit that was finished before, which only writes its checks, and that of an overwritten one."""
    fit(features, output=tmp_path / "head", settings=QUICK, seed=1, tensorboard=tmp_path / "log")
    for _ in range(2):
        result = fit(
            features, output=tmp_path / "head", settings=QUICK, force=True, tensorboard=tmp_path / "log"
        )
    assert not result.trained
    assert scalars_of(tmp_path / "log") == expected(result.history)


def test_without_tensorboard_the_extra_is_named(features, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UsageError) as caught:
        fit(features, output=tmp_path / "head", settings=QUICK, tensorboard=tmp_path / "log")
    assert str(caught.value) == (
        "--tensorboard needs TensorBoard, which is not installed\npip install 'vadpipe[tensorboard]'"
    )
    assert not (tmp_path / "head").exists()


def test_a_folder_that_cannot_be_written_is_found_before_training(features, tmp_path):
    (tmp_path / "log").write_text("a file")
    with pytest.raises(OutputError, match="log: cannot be written: File exists"):
        fit(
            features,
            output=tmp_path / "head",
            settings=QUICK,
            tensorboard=tmp_path / "log",
            on_check=lambda check: pytest.fail("trained"),
        )
