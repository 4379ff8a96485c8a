"""A dry run says what a run would do, and does none of it."""

import json
import os

import pytest

from support.videos import write_video
from vadpipe.extract.extraction import extract_features
from vadpipe.extract.plan import plan_extraction
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.process import Decoding
from vadpipe.features.file import Features


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Videos of every sort: good ones, a text, one whose index is missing."""
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "v/a.mp4", 40)
    write_video(tmp_path / "v/b.mkv", 33, rate=10)
    (tmp_path / "v/text.mp4").write_text("text")
    broken = write_video(tmp_path / "v/x.mp4", 60)
    os.truncate(broken, broken.stat().st_size // 2)
    return tmp_path


def everything_below(folder):
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_each_video_is_told_with_its_size_and_nothing_is_written(folder, tiny, monkeypatch):
    settings = tiny(crops=5)
    before = everything_below(folder)
    monkeypatch.setattr(Decoding, "frames", lambda self: pytest.fail("decoded"))
    plan = [*plan_extraction(["v", "gone.mp4", "none/*.mp4"], "features", settings=settings)]
    assert [(item.path.as_posix(), item.state) for item in plan] == [
        ("none/*.mp4", "unusable"),
        ("v/a.mp4", "extract"),
        ("v/b.mkv", "extract"),
        ("v/text.mp4", "unusable"),
        ("v/x.mp4", "unusable"),
        ("gone.mp4", "unusable"),
    ]
    a, b = plan[1:3]
    assert (a.n_frames, a.n_snippets, a.why, a.takes_s) == (40, 4, "no features yet", None)
    assert (a.duration_s, b.duration_s) == (pytest.approx(1.6), pytest.approx(3.3))
    assert a.n_bytes == 4 * 5 * 2048 * 4
    assert [item.why for item in plan[3:]] == [
        "is not a video: it begins with text",
        "cannot be opened: Invalid data found when processing input",
        "no such file",
    ]
    assert everything_below(folder) == before


def test_what_it_announces_is_what_a_run_then_does(folder, tiny):
    for settings in (tiny(), tiny(stride=16), tiny(fps=5.0)):
        plan = {
            item.path.name: item
            for item in plan_extraction(["v"], "features", settings=settings)
            if item.state == "extract"
        }
        result = extract_features(["v"], "features", settings=settings)
        assert {path.stem: Features.load(path).values.shape[0] for path in result.written} == {
            name: item.n_snippets for name, item in plan.items()
        }


def test_what_is_there_what_has_another_recipe_and_what_failed_before(folder, tiny):
    extract_features(["v"], "features", settings=tiny())
    states = {item.path.name: item for item in plan_extraction(["v"], "features", settings=tiny())}
    assert (states["a.mp4"].state, states["a.mp4"].why) == ("there", "features/v/a.mp4.safetensors")
    assert states["x.mp4"].why.endswith(" (failed in an earlier run; use --retry to try again)")
    again = {item.path.name: item for item in plan_extraction(["v"], "features", settings=tiny(), retry=True)}
    assert "failed in an earlier run" not in again["x.mp4"].why
    other = {item.path.name: item for item in plan_extraction(["v"], "features", settings=tiny(stride=16))}
    assert other["a.mp4"].why == "features of another recipe (stride_frames: 16 / 8)"
    assert (other["a.mp4"].state, other["a.mp4"].n_snippets) == ("extract", 3)


def test_how_long_it_takes_is_told_by_the_last_run_of_that_kind(folder, tiny):
    extract_features(["v/a.mp4"], "features", settings=tiny())
    speed = json.loads((folder / "features/run.json").read_text())["times"]["snippets_per_s"]
    (_, b, *_) = plan_extraction(["v"], "features", settings=tiny())
    assert b.takes_s == pytest.approx(4 / speed)
    (_, b, *_) = plan_extraction(["v"], "features", settings=tiny(view="centre"))
    assert b.takes_s is None


def test_each_view_counts_in_what_features_take(folder, tiny):
    sizes = {}
    for view in ("whole", "whole,left,right", None):
        settings = tiny(view=view, crops=5 if view is None else 1)
        sizes[view] = [item.n_bytes for item in plan_extraction(["v"], "features", settings=settings)][:2]
    assert sizes["whole"] == [4 * 2048 * 4] * 2
    assert sizes["whole,left,right"] == [3 * n_bytes for n_bytes in sizes["whole"]]
    assert sizes[None] == [5 * n_bytes for n_bytes in sizes["whole"]]


def test_weights_that_were_never_fetched_are_not_fetched(folder, tiny, monkeypatch, no_network):
    extract_features(["v/a.mp4"], "features", settings=tiny())
    monkeypatch.setenv("VADPIPE_CACHE", str(folder / "empty cache"))
    (a, *_) = plan_extraction(["v"], "features", settings=tiny(weights=None))
    assert a.state == "extract"
    assert a.why.startswith("features of another recipe (weights_sha256: never fetched / ")
    assert not (folder / "empty cache").exists()


def test_weights_are_read_once_for_all_videos(folder, tiny, monkeypatch):
    from vadpipe.weights import cache

    read, known = [], cache.known_digest
    monkeypatch.setattr(
        cache, "known_digest", lambda *args, **options: read.append(1) or known(*args, **options)
    )
    extract_features(["v"], "features", settings=tiny())
    read.clear()
    assert len([*plan_extraction(["v"], "features", settings=tiny())]) == 4
    assert len(read) == 1


def test_the_command_line_tells_a_line_a_video_and_the_sums(folder, tiny, command_line):
    options = ["--backbone", "x3d_xs", "--weights", tiny().weights, "--dry-run"]
    done = command_line("extract", "v", *options)
    assert done.exit_code == 3
    assert done.stdout.splitlines() == [
        "extract\tv/a.mp4\t40 frames, 1.6 s, 4 snippets, no features yet",
        "extract\tv/b.mkv\t33 frames, 3.3 s, 4 snippets, no features yet",
        "unusable\tv/text.mp4\tis not a video: it begins with text",
        "unusable\tv/x.mp4\tcannot be opened: Invalid data found when processing input",
    ]
    sums = "2 to extract (5 s of video, 0.1 MB of features), 0 already done, 2 unusable"
    assert done.stderr.splitlines()[1:] == [sums]  # after the note on the included head
    assert not (folder / "features").exists()


def test_limits_hold_in_a_dry_run(folder, tiny):
    (a, b, *_) = plan_extraction(["v"], "features", settings=tiny(limits=Limits(duration_s=2)))
    assert (a.state, b.state, b.why) == ("extract", "unusable", "has a length of 3 s, above the limit of 2")
