"""Nothing is done twice: what is done anew is what has changed, and a failure is remembered."""

import json
import shutil

import pytest
import torch
from safetensors.numpy import load_file

from support.videos import write_video
from vadpipe.errors import DecodeError, InputError
from vadpipe.extract.extraction import extract_features
from vadpipe.extract.video.limits import Limits
from vadpipe.extract.video.process import Decoding
from vadpipe.features.file import Features
from vadpipe.features.folder import FeatureFolder


@pytest.fixture
def decoded(monkeypatch):
    """The names of the videos that were decoded, as it goes on."""
    begun = []

    class Watched(Decoding):
        def __init__(self, path, job):
            begun.append(path.name)
            super().__init__(path, job)

    monkeypatch.setattr("vadpipe.extract.extractor.Decoding", Watched)
    return begun


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return tmp_path_factory.mktemp("shared")


@pytest.fixture
def place(shared, monkeypatch):
    """An empty folder, the same for each test, so that features which are copied into it know their videos."""
    shutil.rmtree(shared / "place", ignore_errors=True)
    (shared / "place").mkdir()
    monkeypatch.chdir(shared / "place")
    return shared / "place"


@pytest.fixture
def extract(tiny, place):
    def run(*inputs, retry=False, **options):
        return extract_features(inputs, "features", settings=tiny(**options), retry=retry)

    return run


@pytest.fixture
def two_videos(extract, decoded, shared, place):
    """A folder of two videos whose features are there."""
    kept = shared / "kept"
    if not kept.exists():
        write_video(place / "v/a.mp4", 16)
        write_video(place / "v/b.mp4", 33)
        assert len(extract("v").written) == 2
        assert decoded == ["a.mp4", "b.mp4"]
        decoded.clear()
        shutil.copytree(place, kept)
    shutil.copytree(kept, place, dirs_exist_ok=True)
    return place / "v"


def test_a_second_run_decodes_nothing(extract, two_videos, decoded, place):
    before = {path: path.read_bytes() for path in place.rglob("*.safetensors")}
    again = extract("v")
    assert (again.written, decoded) == ([], [])
    assert [path.name for path in again.skipped] == ["a.mp4.safetensors", "b.mp4.safetensors"]
    assert {path: path.read_bytes() for path in place.rglob("*.safetensors")} == before


def test_a_changed_video_alone_is_done_again(extract, two_videos, decoded):
    write_video(two_videos / "b.mp4", 17)
    result = extract("v")
    assert decoded == ["b.mp4"]
    assert [Features.load(path).n_frames for path in result.written] == [17]


def test_a_changed_video_of_the_same_size_is_done_again(extract, two_videos, decoded):
    content = bytearray((two_videos / "a.mp4").read_bytes())
    at = content.index(b"VideoHandler")  # the name of the track
    content[at : at + 5] = b"vIDEO"
    (two_videos / "a.mp4").write_bytes(content)
    extract("v")
    assert decoded == ["a.mp4"]


def test_another_time_alone_is_no_change(extract, two_videos, decoded, monkeypatch):
    (two_videos / "a.mp4").touch()
    assert len(extract("v").skipped) == 2
    assert decoded == []
    # The new time is noted, so that the content is not read again each time.
    monkeypatch.setattr("vadpipe.extract.store.content_digest", lambda path: pytest.fail("read again"))
    assert len(extract("v").skipped) == 2


CHANGES = {
    "view": ({"view": "centre"}, "view: centre / whole"),
    "crops": ({"crops": 5}, "view: crops / whole"),
    "stride": ({"stride": 16}, "stride_frames: 16 / 8"),
    "fps": ({"fps": 10.0}, "fps: 10.0 / None"),
    "backbone": ({"backbone": "x3d_s", "engine": "torch"}, "backbone: x3d_s / x3d_xs"),
    "decoder": ({"decoder": "pyav"}, "decoder: pyav / decord2"),
    "engine": ({"engine": "torch"}, "engine: torch / openvino"),
}


@pytest.mark.parametrize(("changed", "said"), CHANGES.values(), ids=CHANGES)
def test_features_of_another_recipe_are_replaced_and_it_is_said(
    extract, two_videos, decoded, caplog, changed, said
):
    assert len(extract("v", **changed).written) == 2
    assert decoded == ["a.mp4", "b.mp4"]
    assert caplog.text.count("a.mp4: replacing features of another recipe") == 1
    assert f"replacing features of another recipe ({said}" in caplog.text
    assert len(extract("v", **changed).skipped) == 2
    assert decoded == ["a.mp4", "b.mp4"]


def test_features_of_other_weights_are_replaced(extract, two_videos, decoded, x3d_weights, place, caplog):
    state = torch.load(x3d_weights, weights_only=True)
    next(iter(state["model_state"].values())).add_(1)
    torch.save(state, place / "other.pyth")
    before = load_file("features/v/a.mp4.safetensors")["features"]
    assert len(extract("v", weights=place / "other.pyth", engine="torch").written) == 2
    assert "replacing features of another recipe (weights_sha256: " in caplog.text
    assert (load_file("features/v/a.mp4.safetensors")["features"] != before).any()


def test_what_was_not_asked_for_by_name_is_no_difference(extract, two_videos, decoded):
    assert len(extract("v", decoder="decord", engine="openvino").skipped) == 2
    assert len(extract("v/a.mp4", decoder="pyav").written) == 1
    decoded.clear()
    assert len(extract("v").skipped) == 2
    assert decoded == []


def test_a_moved_folder_is_not_done_again(extract, two_videos, decoded):
    shutil.move("v", "w")
    shutil.move("w", "else/v")
    assert len(extract("else/v").skipped) == 2
    assert decoded == []


def test_a_copied_project_is_not_done_again(extract, two_videos, decoded, place):
    shutil.copytree("v", "copy/v")
    (place / "copy/v/a.mp4").touch()  # another place, another time, the same content
    assert len(extract("copy/v").skipped) == 2
    assert decoded == []


def test_copies_asked_for_together_are_two_videos_in_whatever_order(extract, two_videos, decoded, place):
    shutil.copytree("v", "copy/v")
    first = extract("copy/v", "v")
    assert (len(first.written), len(first.skipped)) == (2, 2)
    assert len(FeatureFolder(place / "features").load()) == 4
    decoded.clear()
    assert len(extract("v", "copy/v").skipped) == 4
    assert decoded == []


def test_a_copy_that_took_over_features_does_not_stop_the_original(extract, two_videos, decoded, place):
    shutil.copytree("v", "copy/v")
    extract("copy/v")  # the features are the copy's now
    write_video(place / "v/a.mp4", 20)
    result = extract("v/a.mp4")
    assert [Features.load(path).source.video for path in result.written] == ["place/v/a.mp4"]
    assert len(FeatureFolder(place / "features").load()) == 3


def test_a_moved_video_that_changes_later_replaces_its_features(extract, two_videos, place):
    shutil.move("v", "new/v")
    extract("new/v")
    write_video(place / "new/v/a.mp4", 20)
    extract("new/v")
    assert sorted(item.n_frames for item in FeatureFolder(place / "features").load()) == [20, 33]


def test_a_broken_feature_file_is_made_anew(extract, two_videos, decoded, place):
    path = place / "features/v/a.mp4.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert extract("v").written == [path.relative_to(place)]
    assert (decoded, path.read_bytes()) == (["a.mp4"], whole)


@pytest.fixture
def bad(place):
    """A video that cannot be decoded: its index is missing."""
    path = write_video(place / "v/bad.mp4", 60)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    return path


def test_a_failure_is_remembered_until_it_is_to_be_tried_again(extract, bad, decoded):
    (first,) = extract("v").failed
    assert isinstance(first.error, DecodeError)
    n_tries = len(decoded)
    assert n_tries == 2  # by each decoder
    for _ in range(2):
        (again,) = extract("v").failed
        assert type(again.error) is DecodeError
        assert (
            again.error.reason == f"{first.error.reason} (failed in an earlier run; use --retry to try again)"
        )
        assert again.error.next_step == first.error.next_step
    assert len(decoded) == n_tries
    (retried,) = extract("v", retry=True).failed
    assert (retried.error.reason, len(decoded)) == (first.error.reason, 2 * n_tries)


@pytest.mark.parametrize(
    "options",
    [{"limits": Limits(stall_s=20)}, {"decoder": "pyav"}, {"stride": 16}],
    ids=["limits", "decoder", "stride"],
)
def test_a_failure_holds_only_for_what_was_asked(extract, bad, decoded, options):
    extract("v")
    decoded.clear()
    assert "failed in an earlier run" not in extract("v", **options).failed[0].error.reason
    assert decoded


def test_a_failed_video_that_was_repaired_is_used_and_its_failure_forgotten(extract, bad, place):
    extract("v")
    assert [path.parent.name for path in place.rglob("*.failed.json")] == ["v"]
    write_video(bad, 16)
    assert len(extract("v").written) == 1
    assert [*place.rglob("*.failed.json")] == []


def test_a_video_beyond_the_limits_is_taken_when_they_are_raised(extract, place, decoded):
    write_video(place / "v/a.mp4", 30)
    small = Limits(duration_s=1.0)
    for hint in ("", " (failed in an earlier run; use --retry to try again)"):
        (failure,) = extract("v", limits=small).failed
        assert type(failure.error) is InputError
        assert failure.error.reason == f"has a length of 1 s, above the limit of 1{hint}"
        assert "--limit duration_s=NUMBER" in failure.error.next_step
    assert len(extract("v").written) == 1


def test_the_record_says_what_became_of_each_video(extract, two_videos, bad, place):
    (place / "v/text.mp4").write_text("text")
    extract("v", "gone.mp4")
    record = json.loads((place / "features/run.json").read_text())
    assert [(video["video"], video["status"]) for video in record["videos"]] == [
        ("v/a.mp4", "skipped"),
        ("v/b.mp4", "skipped"),
        ("place/gone.mp4", "failed"),
        ("v/bad.mp4", "failed"),
        ("v/text.mp4", "failed"),
    ]
    assert [video.get("n_decoded") for video in record["videos"]] == [16, 33, None, None, None]
    assert record["videos"][2]["reason"] == "no such file"
    assert record["resolved"]["settings"]["backbone"] == "x3d_xs"
    assert record["recipe"]["view"] == "whole"
    assert str(place) not in json.dumps(record)
