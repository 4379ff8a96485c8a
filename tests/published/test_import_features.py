"""Published features become feature files that the head learns from and scores."""

import os
import shutil

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from support.published_arrays import import_arrays, only_error, random_array, save_array
from vadpipe.cli.features import features as features_command
from vadpipe.curves.curve import snippets_to_frames
from vadpipe.errors import FeatureError, UsageError
from vadpipe.features.file import Features
from vadpipe.features.folder import FeatureFolder
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.head.settings import HeadSettings
from vadpipe.published.import_features import import_features
from vadpipe.published.settings import ImportSettings
from vadpipe.published.videos import Published
from vadpipe.training.fit import fit

QUICK = HeadSettings(hidden=8, cluster_dim=4, steps=20, batch_bags=4, checks=2, folds=2, learning_rate=1e-2)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def feats(tmp_path):
    return tmp_path / "feats"


def test_a_file_becomes_a_feature_file_that_tells_where_it_is_from(feats):
    values = random_array(crops=10)
    save_array(feats / "fight/a.mp4.npy", values)
    result = import_arrays(feats)
    assert [path.as_posix() for path in result.written] == ["features/feats/fight/a.mp4.safetensors"]
    loaded = Features.load(result.written[0])
    np.testing.assert_array_equal(loaded.values, values)
    assert loaded.source.video == "feats/fight/a.mp4"
    assert (loaded.n_frames, loaded.source.n_announced, loaded.source.partial) == (96, 96, None)
    assert loaded.end_s == pytest.approx(96 / 30)
    np.testing.assert_array_equal(loaded.spans[:2], [[0, 16], [16, 32]])
    recipe = loaded.recipe
    assert (recipe.backbone, recipe.crops, recipe.feature_dim) == ("imported:i3d_r50", 10, 8)
    assert recipe.imported
    assert (recipe.view, recipe.weights_sha256, recipe.decoder) == ("unknown", "unknown", "imported")


@pytest.mark.parametrize("n_frames", [81, 95, 96, 97, 111, 112])
def test_a_list_tells_how_many_frames_there_are(feats, tmp_path, n_frames):
    save_array(feats / "Abuse028_x264_i3d.npy", random_array(rows=6))
    (tmp_path / "counts.txt").write_text(f"Abuse028@{n_frames}\n")
    (path,) = import_arrays(feats, frame_counts=tmp_path / "counts.txt").written
    loaded = Features.load(path)
    assert loaded.n_frames == n_frames
    assert loaded.spans[-1].tolist() == [80, n_frames]


@pytest.mark.parametrize(("n_frames", "needed"), [(80, 5), (113, 8), (2000, 125)])
def test_rows_that_cannot_be_of_so_many_frames(feats, n_frames, needed):
    save_array(feats / "a.npy", random_array(rows=6))
    (feats / "counts.txt").write_text(f"a@{n_frames}\n")
    message = only_error(import_arrays(feats, frame_counts=feats / "counts.txt"))
    assert f"a.npy: has 6 rows, but its {n_frames} frames need {needed} at a stride of 16" in message
    assert "--rows even" in message
    (path,) = import_arrays(feats, frame_counts=feats / "counts.txt", rows="even").written
    assert Features.load(path).spans[-1, 1] == n_frames


def test_a_video_that_the_list_does_not_name(feats):
    save_array(feats / "a.npy", random_array())
    save_array(feats / "b.npy", random_array())
    (feats / "counts.txt").write_text("a@96\n")
    result = import_arrays(feats, frame_counts=feats / "counts.txt")
    assert len(result.written) == 1
    assert "feats/b: has no number of frames in" in only_error(result)


def test_even_rows_of_an_unknown_number_of_frames_are_told_of(feats, caplog):
    save_array(feats / "a.npy", random_array(rows=32))
    (path,) = import_arrays(feats, rows="even").written
    assert "assuming 16 frames per row for 1 videos" in caplog.text
    loaded = Features.load(path)
    assert (loaded.n_frames, loaded.recipe.even_rows) == (512, 32)


def test_rows_that_look_squeezed_are_told_of(feats, caplog):
    for index in range(3):
        save_array(feats / f"{index}.npy", random_array(rows=32))
    import_arrays(feats)
    assert (
        "each of 3 videos has 32 rows: if they were resampled to that number, pass --rows even" in caplog.text
    )
    caplog.clear()
    save_array(feats / "3.npy", random_array(rows=33))
    import_arrays(feats, fps=25.0)
    assert caplog.text == ""


def test_features_of_even_rows_go_together_whatever_their_number_but_not_with_others(feats):
    for rows in (6, 7):
        save_array(feats / f"{rows}.npy", random_array(rows=rows))
    import_arrays(feats, rows="even")
    assert len(FeatureFolder(feats.parent / "features").load()) == 2
    save_array(feats / "other/8.npy", random_array(rows=8))
    import_arrays(feats / "other")
    with pytest.raises(FeatureError, match="several recipes: .*even_rows="):
        FeatureFolder(feats.parent / "features").load()


def test_what_is_there_already_is_not_made_again(feats):
    save_array(feats / "a.npy", random_array())
    for crop in range(5):
        save_array(feats / f"b__{crop}.npy", random_array(seed=crop))
    written = import_arrays(feats).written
    before = [path.stat().st_mtime_ns for path in written]
    again = import_arrays("feats", feats / "a.npy")
    assert (again.written, sorted(again.skipped)) == ([], sorted(written))
    assert [path.stat().st_mtime_ns for path in written] == before


@pytest.mark.parametrize("change_s", [10, -10])
def test_a_crop_that_changed_is_read_again(feats, change_s):
    for crop in range(5):
        save_array(feats / f"b__{crop}.npy", random_array(seed=crop))
    import_arrays(feats)
    times = (feats / "b__0.npy").stat().st_mtime + change_s
    os.utime(save_array(feats / "b__3.npy", random_array(seed=99)), (times, times))
    (path,) = import_arrays(feats).written
    np.testing.assert_array_equal(Features.load(path).values[:, 3], random_array(seed=99))
    assert import_arrays(feats).written == []


def test_a_file_that_grows_while_it_is_read_is_refused(feats, monkeypatch):
    path = save_array(feats / "a.npy", random_array())
    digest = Published.digest

    def digest_while_it_grows(video):
        path.write_bytes(path.read_bytes() + b"more")
        return digest(video)

    monkeypatch.setattr(Published, "digest", digest_while_it_grows)
    assert "a.npy: changed while it was read" in only_error(import_arrays(feats))


@pytest.mark.parametrize(
    "change",
    [
        {"rows": "even"},
        {"stride": 8},
        {"fps": 25.0},
        {"backbone": "i3d"},
        {"layout": "td"},
        {"feature_dim": 6},
    ],
)
def test_other_settings_make_it_anew_in_the_same_place(feats, change):
    save_array(feats / "a.npy", random_array(rows=6, width=8))
    first = import_arrays(feats).written
    assert import_arrays(feats, **change).written == first
    assert import_arrays(feats, **change).skipped == first
    assert len(list(feats.parent.glob("features/**/*.safetensors"))) == 1


def test_a_moved_folder_is_known_and_a_better_name_is_taken(feats, tmp_path):
    save_array(feats / "normal/cam1/a.npy", random_array())
    (alone,) = import_arrays(feats / "normal/cam1/a.npy").written
    assert Features.load(alone).source.video == "cam1/a"
    (whole,) = import_arrays(feats).skipped
    assert Features.load(whole).source.video == "feats/normal/cam1/a"
    assert not alone.exists()
    (tmp_path / "elsewhere").mkdir()
    shutil.move(feats, tmp_path / "elsewhere/feats")
    assert import_arrays("elsewhere/feats").skipped == [whole]
    (again,) = import_arrays("elsewhere/feats", rows="even").written
    assert again == whole


def test_features_of_the_same_name_from_elsewhere_take_a_longer_one(tmp_path):
    for index, folder in enumerate(("a", "b")):
        save_array(tmp_path / folder / "feats/x.npy", random_array(seed=index))
    import_arrays("a/feats")
    (path,) = import_arrays("b/feats").written
    assert Features.load(path).source.video == "b/feats/x"


def test_a_bad_file_costs_only_itself(feats):
    save_array(feats / "a.npy", random_array())
    (feats / "b.npy").write_bytes(b"\x80\x04.")
    save_array(feats / "c.npy", np.array([[np.nan]]))
    save_array(feats / "d.npy", random_array(width=9))
    seen = []
    settings = ImportSettings("x")
    result = import_features([feats, "gone.npy", "no/*"], settings=settings, on_failure=seen.append)
    assert [path.stem for path in result.written] == ["a"]
    assert seen == result.failed
    text = "\n".join(str(failure.error) for failure in seen)
    for part in (
        "no/*: matches no file",
        "b.npy: contains pickled objects",
        "c.npy: contains values that are not finite",
        f"d.npy: has 9 dimensions, but {feats / 'a.npy'} has 8",
        "gone.npy: cannot be read: No such file",
    ):
        assert part in text


def test_more_frames_than_any_video_has(feats):
    save_array(feats / "a.npy", random_array(rows=1000, width=1))
    assert "a.npy: needs 100000000 frames, above the limit" in only_error(
        import_arrays(feats, stride=100_000)
    )


def test_fit_learns_from_imported_features_and_scores_them(feats):
    for kind in ("fight", "normal"):
        for index in range(3):
            values = random_array(rows=8, crops=5, seed=index + 10 * len(kind))
            values[3:5, :, :3] += 4.0 * (kind == "fight")
            save_array(feats / kind / f"{index}.npy", values)
    (feats / "counts.csv").write_text(
        "video,frames\n" + "".join(f"{k}/{i},{126 + i}\n" for k in ("fight", "normal") for i in range(3))
    )
    result = import_arrays(feats, frame_counts=feats / "counts.csv")
    assert len(result.written) == 6
    head = TrainedHead.load(fit("features", settings=QUICK).head)
    assert head.record.recipe.backbone == "imported:i3d_r50"
    for path in result.written:
        loaded = Features.load(path)
        curve = snippets_to_frames(head.snippet_scores(loaded), loaded.spans, loaded.n_frames)
        assert len(curve) == 126 + int(path.stem)
        assert np.isfinite(curve).all()


def test_real_c3d_features_of_32_segments(data):
    folder, lists = data / "ucf_c3d_sample_features", data / "annotations/ucf_crime/ucf_tframes.txt"
    if not folder.is_dir() or not lists.is_file():
        pytest.skip(f"no published features at {folder}")
    result = import_arrays(folder, backbone="c3d_fc6", rows="even", frame_counts=lists)
    assert (len(result.written), result.failed) == (10, [])
    by_name = {path.stem: Features.load(path) for path in result.written}
    n_frames = {name: features.n_frames for name, features in by_name.items()}
    assert n_frames["Explosion008_x264"] == 1748
    assert n_frames["Normal_Videos_006_x264"] == 450
    for features in by_name.values():
        assert features.values.shape == (32, 1, 4096)
        np.testing.assert_allclose(np.linalg.norm(features.values, axis=2), 1, atol=1e-3)
        assert (
            len(snippets_to_frames(np.ones(32, np.float32), features.spans, features.n_frames))
            == features.n_frames
        )
    assert len(FeatureFolder(result.written[0].parent).load()) == 10


@pytest.fixture
def command():
    app = typer.Typer()
    app.add_typer(features_command)
    return lambda *arguments: CliRunner().invoke(app, ["features", "import", *map(str, arguments)])


def test_the_command_reports_and_ends_with_the_right_code(feats, command):
    save_array(feats / "a.npy", random_array())
    done = command(
        feats, "--backbone", "i3d_r50", "-o", "out", "--fps", "25", "--crops", "1", "--stride", "8"
    )
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "1 imported, 0 already imported, 0 failed: out\n"
    assert Features.load(feats.parent / "out/feats/a.safetensors").end_s == pytest.approx(48 / 25)
    (feats / "b.npy").write_bytes(b"no array")
    done = command(feats, "--backbone", "i3d_r50", "-q", "-o", "out")
    assert done.exit_code == 3
    assert done.stderr.startswith(f"error: {feats / 'b.npy'}: is not an array file")
    assert command(feats / "b.npy", "--backbone", "i3d_r50").exit_code == 4


def test_the_command_refuses_what_makes_no_sense(feats, command):
    save_array(feats / "a.npy", random_array())
    assert command(feats).exit_code == 2  # no backbone
    for arguments in (["--crops", "many"], ["--layout", "x"], ["--frame-counts", "gone.txt"]):
        error = command(feats, "--backbone", "x", *arguments).exception
        assert isinstance(error, UsageError)
    assert not (feats.parent / "features").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"settings": {"backbone": "c3d"}},
            "settings is of type dict\nPass vadpipe.ImportSettings as settings",
        ),
        ({"output": 3}, "output is 3\nPass a path as output"),
        ({"frame_counts": 3}, "frame_counts is 3\nPass a path, or None as frame_counts"),
    ],
)
def test_an_argument_of_another_type_is_named_before_anything_is_written(tmp_path, options, message):
    given = {"output": tmp_path / "features", "settings": ImportSettings("c3d")}
    with pytest.raises(UsageError, match=message):
        import_features([tmp_path], **given | options)
    assert not [*tmp_path.iterdir()]
