"""What the store knows of a video: its features, their name, and why it failed before."""

import json
import os
from dataclasses import replace

import pytest

from support.feature_files import make_features
from vadpipe.errors import DecodeError, InputError, OutputError
from vadpipe.extract.failures import PastFailure
from vadpipe.extract.store import FAILED_SUFFIX, FeatureStore, content_digest
from vadpipe.extract.video.discovery import Video, named_video
from vadpipe.features.file import Features


def write(path, content):
    """Write what stands for a video; the store reads none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return named_video(path)


def features_of(video, seed=0):
    features = make_features(16, video.name, seed)
    n_bytes, modified_ns = video.state()
    found = {"n_bytes": n_bytes, "modified_ns": modified_ns, "sha256": content_digest(video.path)}
    return replace(features, source=features.source.model_copy(update={"place": video.place, **found}))


def names_in(folder):
    """Everything but locks."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and ".locks" not in str(path)
    )


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "features")


def test_written_features_are_found_by_this_store_and_by_the_next(store, tmp_path):
    video = write(tmp_path / "v/a.mp4", "a")
    assert store.find(video) is None
    assert store.find_anew(video) is None
    path = store.write(features_of(video), video)
    assert path == tmp_path / "features/v/a.mp4.safetensors"
    for found in (store, FeatureStore(tmp_path / "features")):
        assert found.find(video).path == path
        assert found.find_anew(video).path == path
        assert found.find(video).header.source == features_of(video).source
    assert names_in(tmp_path / "features") == ["v/a.mp4.safetensors"]


def test_features_are_those_of_the_file_as_it_is_now(store, tmp_path):
    video = write(tmp_path / "v/a.mp4", "a")
    store.write(features_of(video), video)
    os.utime(video.path, ns=(1, 1))  # another time, the same content
    assert store.find(video) is not None
    video.path.write_text("b")  # the same size
    assert store.find(video) is None
    video.path.write_text("longer")
    assert store.find(video) is None
    video.path.unlink()
    with pytest.raises(InputError, match=r"a\.mp4: cannot be read: No such file"):
        store.find(video)


def test_the_size_and_the_time_decide_together_without_reading_the_file(store, tmp_path, monkeypatch):
    video = write(tmp_path / "v/a.mp4", "a")
    store.write(features_of(video), video)
    read = []
    monkeypatch.setattr("vadpipe.extract.store.content_digest", lambda path: read.append(path) or "another")
    assert store.find(video) is not None
    video.path.write_text("longer")
    assert store.find(video) is None
    assert read == []
    video.path.write_text("b")
    assert store.find(video) is None
    assert read == [video.path]


def test_a_copy_takes_the_features_of_its_namesake_unless_that_is_asked_for_too(store, tmp_path):
    original = write(tmp_path / "one/v/a.mp4", "a")
    copy = write(tmp_path / "two/v/a.mp4", "a")
    other = write(tmp_path / "three/v/a.mp4", "b")
    store.write(features_of(original), original)
    assert store.find(copy).header.source.place == original.place
    assert store.find(other) is None
    both = FeatureStore(tmp_path / "features", places=[original.place, copy.place])
    assert both.find(copy) is None
    assert both.find(original) is not None


def test_what_another_process_has_written_or_removed_is_seen(store, tmp_path):
    video = write(tmp_path / "v/a.mp4", "a")
    other = FeatureStore(tmp_path / "features")
    path = other.write(features_of(video), video)
    assert store.find(video) is None
    assert store.find_anew(video).path == path
    path.unlink()
    assert other.find(video) is not None
    assert other.find_anew(video) is None
    assert other.find(video) is None


def test_features_of_a_changed_video_replace_the_old_ones(store, tmp_path):
    video = write(tmp_path / "v/a.mp4", "a")
    first = store.write(features_of(video), video)
    video.path.write_text("changed")
    assert store.write(features_of(video, seed=1), video) == first
    assert store.find(video) is not None
    assert names_in(tmp_path / "features") == ["v/a.mp4.safetensors"]


def test_videos_of_one_name_take_more_of_their_paths(store, tmp_path):
    videos = [write(tmp_path / f"{name}/v/a.mp4", name) for name in ("x", "y", "deep/y")]
    paths = [store.write(features_of(video), video) for video in videos]
    assert names_in(tmp_path / "features") == [
        "deep/y/v/a.mp4.safetensors",
        "v/a.mp4.safetensors",
        "y/v/a.mp4.safetensors",
    ]
    for video, path in zip(videos, paths, strict=True):
        assert FeatureStore(tmp_path / "features").find(video).path == path
        named = Features.load(path).source.video
        assert (tmp_path / "features" / f"{named}.safetensors") == path


def test_where_all_of_its_path_is_taken_a_video_is_named_by_its_place(store, tmp_path):
    video = write(tmp_path / "v/a.mp4", "a")
    other = write(tmp_path / "elsewhere.mp4", "b")
    parts = video.path.parts[1:]
    for depth in range(2, len(parts) + 1):
        taken = "/".join(parts[-depth:])
        features_of(Video(other.path, taken)).save(store.path_for(taken))
    path = FeatureStore(tmp_path / "features").write(features_of(video), video)
    assert path == store.path_for(f"v/a.mp4~{video.place}")


def test_where_that_is_taken_too_it_is_said(store, tmp_path):
    video, other = (write(tmp_path / f"{name}/a.mp4", name) for name in "vw")
    parts = video.path.parts[1:]
    names = ["/".join(parts[-depth:]) for depth in range(2, len(parts) + 1)]
    for name in [*names, f"v/a.mp4~{video.place}"]:
        features_of(Video(other.path, name)).save(store.path_for(name))
    with pytest.raises(OutputError, match="features: has no free name in the output folder"):
        store.write(features_of(video), video)


def test_a_folder_or_a_file_in_the_way_is_gone_round(store, tmp_path):
    video = write(tmp_path / "v/a.mp4", "a")
    (tmp_path / "features/v/a.mp4.safetensors").mkdir(parents=True)
    assert store.write(features_of(video), video).is_file()
    below = write(tmp_path / "w/b.mp4", "b")
    (tmp_path / "features/w").touch()
    assert store.write(features_of(below), below).is_file()


def test_a_broken_file_is_no_features_and_is_replaced(store, tmp_path):
    video = write(tmp_path / "v/a.mp4", "a")
    path = store.path_for("v/a.mp4")
    path.parent.mkdir(parents=True)
    path.write_text("broken")
    assert store.find_anew(video) is None
    assert store.write(features_of(video), video) == path
    assert FeatureStore(tmp_path / "features").find(video).path == path


def test_a_video_found_from_further_up_takes_its_longer_name(store, tmp_path):
    path = tmp_path / "v/cam/a.mp4"
    alone = write(path, "a")
    store.write(features_of(alone), alone)
    longer = Video(path, "v/cam/a.mp4")
    stored = store.refresh(store.find(longer), longer)
    assert stored.path == tmp_path / "features/v/cam/a.mp4.safetensors"
    assert stored.header.source.video == "v/cam/a.mp4"
    assert names_in(tmp_path / "features") == ["v/cam/a.mp4.safetensors"]
    for found in (store, FeatureStore(tmp_path / "features")):
        assert found.find(longer).path == stored.path
    # The other way round it keeps its name, which labels may have been read from.
    assert store.refresh(stored, alone) is stored


def test_a_longer_name_that_is_another_video_s_is_not_taken(store, tmp_path):
    alone = write(tmp_path / "v/cam/a.mp4", "a")
    longer = Video(alone.path, "v/cam/a.mp4")
    store.write(features_of(alone), alone)
    other = Video(write(tmp_path / "elsewhere/v/cam/a.mp4", "b").path, "v/cam/a.mp4")
    store.write(features_of(other), other)
    assert store.refresh(store.find(longer), longer).header.source.video == "cam/a.mp4"
    assert store.find(other).header.source.video == "v/cam/a.mp4"


def test_where_a_folder_has_the_longer_name_the_short_one_stays(store, tmp_path):
    alone = write(tmp_path / "v/cam/a.mp4", "a")
    longer = Video(alone.path, "v/cam/a.mp4")
    path = store.write(features_of(alone), alone)
    store.path_for(longer.name).mkdir(parents=True)
    assert store.refresh(store.find(longer), longer).path == path


def test_the_record_follows_a_video_that_was_moved_or_touched(store, tmp_path):
    video = write(tmp_path / "one/v/a.mp4", "a")
    path = store.write(features_of(video), video)
    before = path.read_bytes()
    assert store.refresh(store.find(video), video).path == path
    assert path.read_bytes() == before  # nothing is written where nothing has changed
    os.utime(video.path, ns=(5, 5))
    assert store.refresh(store.find(video), video).header.source.modified_ns == 5
    moved = tmp_path / "two/v/a.mp4"
    moved.parent.mkdir(parents=True)
    video.path.rename(moved)
    stored = store.refresh(store.find(named_video(moved)), named_video(moved))
    assert stored.header.source.place == named_video(moved).place
    assert FeatureStore(tmp_path / "features").find(named_video(moved)).path == path
    assert Features.load(path).values.shape == features_of(named_video(moved)).values.shape


def test_features_that_another_process_has_moved_meanwhile_are_none(store, tmp_path):
    alone = write(tmp_path / "v/cam/a.mp4", "a")
    store.write(features_of(alone), alone)
    stored, longer = store.find(alone), Video(alone.path, "v/cam/a.mp4")
    FeatureStore(tmp_path / "features").refresh(stored, longer)
    assert store.refresh(stored, longer) is None
    assert store.find(longer) is None
    assert store.find_anew(longer).header.source.video == "v/cam/a.mp4"


def test_a_move_that_was_ended_between_its_steps_is_finished(store, tmp_path):
    alone = write(tmp_path / "v/cam/a.mp4", "a")
    old = store.write(features_of(alone), alone)
    longer = Video(alone.path, "v/cam/a.mp4")
    new = store.path_for(longer.name)
    new.parent.mkdir(parents=True)
    new.hardlink_to(old)
    again = FeatureStore(tmp_path / "features")
    assert again.refresh(again.find(longer), longer).path == new
    assert names_in(tmp_path / "features") == ["v/cam/a.mp4.safetensors"]
    assert Features.load(new).source.video == "v/cam/a.mp4"


def test_a_failure_is_remembered_for_what_was_asked_of_the_file_as_it_is(store, tmp_path):
    video = write(tmp_path / "v/a.mp4", "a")
    assert store.past_failure(video, "options") is None
    assert store.last_failure(video) is None
    store.remember_failure(video, "options", DecodeError("is broken", next_step="Repair it."))
    path = tmp_path / f"features/v/a.mp4~{video.place}{FAILED_SUFFIX}"
    assert names_in(tmp_path / "features") == [str(path.relative_to(tmp_path / "features"))]
    assert path.read_text().endswith("}\n")
    assert json.loads(path.read_text())["place"] == video.place
    for found in (store, FeatureStore(tmp_path / "features")):
        error = found.past_failure(video, "options")
        assert type(error) is DecodeError
        assert error.reason == "is broken (failed in an earlier run; use --retry to try again)"
        assert error.next_step == "Repair it."
        assert str(error).startswith(f"{video.path}: ")
        assert found.past_failure(video, "others") is None
        assert found.last_failure(video) == "is broken"
    video.path.write_text("repaired")
    assert store.past_failure(video, "options") is None
    assert store.last_failure(video) is None


def test_an_input_error_stays_one(store, tmp_path):
    video = write(tmp_path / "v/a.mp4", "a")
    store.remember_failure(video, "options", InputError("is no video"))
    assert type(store.past_failure(video, "options")) is InputError


def test_a_failure_that_another_process_recorded_is_seen(store, tmp_path):
    video = write(tmp_path / "v/a.mp4", "a")
    FeatureStore(tmp_path / "features").remember_failure(video, "options", InputError("is no video"))
    assert store.past_failure(video, "options") is None
    store.find_anew(video)
    assert store.past_failure(video, "options") is not None


def test_a_failure_is_recorded_once_however_its_video_is_named(store, tmp_path):
    video = write(tmp_path / "v/cam/a.mp4", "a")
    store.remember_failure(video, "options", InputError("is no video"))
    longer = Video(video.path, "v/cam/a.mp4")
    store.remember_failure(longer, "others", InputError("is still none"))
    assert len(names_in(tmp_path / "features")) == 1
    assert store.last_failure(video) == "is still none"


def test_success_forgets_the_failure(store, tmp_path):
    video = write(tmp_path / "v/a.mp4", "a")
    store.remember_failure(video, "options", InputError("is no video"))
    store.write(features_of(video), video)
    assert store.past_failure(video, "options") is None
    assert names_in(tmp_path / "features") == ["v/a.mp4.safetensors"]


def test_a_video_that_is_gone_has_no_failure(store, tmp_path):
    video = write(tmp_path / "v/a.mp4", "a")
    video.path.unlink()
    store.remember_failure(video, "options", InputError("is no video"))
    assert names_in(tmp_path / "features") == []


@pytest.mark.parametrize("content", ["", "{}", "not json", "[1]"])
def test_a_record_of_a_failure_that_cannot_be_read_is_none(store, tmp_path, content):
    video = write(tmp_path / "v/a.mp4", "a")
    path = tmp_path / f"features/v/a.mp4~{video.place}{FAILED_SUFFIX}"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    assert PastFailure.read(path) is None
    assert FeatureStore(tmp_path / "features").last_failure(video) is None


def test_a_claim_is_exclusive_until_it_is_closed(store, tmp_path):
    video = write(tmp_path / "v/a.mp4", "a")
    mine, theirs = store.claim(video), FeatureStore(tmp_path / "features").claim(video)
    assert mine.take(wait=False)
    assert not theirs.take(wait=False)
    other = store.claim(write(tmp_path / "v/b.mp4", "b"))
    assert other.take(wait=False)
    mine.close()
    assert theirs.take(wait=False)
    theirs.close()
    other.close()
    assert [*(tmp_path / "features/.locks").iterdir()] == []


@pytest.mark.parametrize("what", ["claim", "write", "failure"])
def test_no_link_leads_out_of_the_folder(store, tmp_path, what):
    video = write(tmp_path / "v/a.mp4", "a")
    (tmp_path / "outside").mkdir()
    (tmp_path / "features").mkdir()
    (tmp_path / "features/v").symlink_to(tmp_path / "outside")
    with pytest.raises(OutputError, match="would be written outside of .*features, through a link") as caught:
        if what == "claim":
            store.claim(video)
        elif what == "write":
            store.write(features_of(video), video)
        else:
            store.remember_failure(video, "options", InputError("is no video"))
    assert caught.value.next_step == "Remove the link, or choose another folder with -o."
    assert [*(tmp_path / "outside").iterdir()] == []


def test_a_link_in_circles_is_refused(store, tmp_path):
    video = write(tmp_path / "v/a.mp4", "a")
    (tmp_path / "features").mkdir()
    (tmp_path / "features/v").symlink_to("v")
    with pytest.raises(OutputError, match="would be written outside of"):
        store.claim(video)


def test_a_folder_that_is_not_there_and_other_files_in_it_are_fine(tmp_path):
    assert FeatureStore(tmp_path / "none").find(write(tmp_path / "v/a.mp4", "a")) is None
    (tmp_path / "features").mkdir()
    (tmp_path / "features/notes.txt").touch()
    (tmp_path / f"features/x{FAILED_SUFFIX}").write_text("no record")
    assert FeatureStore(tmp_path / "features").find(write(tmp_path / "v/a.mp4", "a")) is None


def test_the_digest_is_that_of_the_bytes_or_of_the_pictures(tmp_path):
    video = write(tmp_path / "v/a.mp4", "a")
    assert content_digest(video.path) == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    for name in ("s/1.png", "s/2.png", "t/1.png", "t/2.png"):
        write(tmp_path / name, name)
    one, two = (content_digest(tmp_path / name) for name in "st")
    assert one != two
    assert len(one) == 64
    with pytest.raises(InputError, match=r"gone\.mp4: cannot be read: No such file"):
        content_digest(tmp_path / "gone.mp4")
