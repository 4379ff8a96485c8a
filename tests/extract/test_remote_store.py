"""Feature files in a remote folder: several machines, the index, and records of failures. No video is read."""

import gzip
import json

import pytest

from support.feature_files import make_features
from vadpipe.errors import DecodeError, OutputError
from vadpipe.extract.remote_store import RemoteFeatureStore, open_store
from vadpipe.extract.video import remote_folder
from vadpipe.extract.video.discovery import find_videos
from vadpipe.extract.video.video import RemoteVideo
from vadpipe.features.file import Features
from vadpipe.remote.address import Address
from vadpipe.remote.objects import State


@pytest.fixture
def opened(bucket):
    """Return what opens the store as another machine does."""
    stores = []

    def open_anew():
        stores.append(open_store(bucket.address("features")))
        assert isinstance(stores[-1], RemoteFeatureStore)
        return stores[-1]

    yield open_anew
    for store in stores:
        store.mirror.close()


def video_of(bucket, key, content=b"video"):
    bucket.put(key, content)
    return RemoteVideo.at(Address.parse(bucket.address(key)))


def features_of(video, **changes):
    features = make_features(video=video.name, **changes)
    n_bytes, modified_ns = video.state()
    state = {"place": video.place, "n_bytes": n_bytes, "modified_ns": modified_ns, "version": video.version}
    return Features(**{**vars(features), "source": features.source.model_copy(update=state)})


def listed_once_and_read_by_the_index(bucket):
    asked = bucket.requests("features")
    others = [line for line in asked if "list-type" not in line]
    return (
        len(asked) - len(others) == 1
        and all(".vadpipe-index/" in line for line in others)
        and len(others) <= 2
    )


def load(bucket, key, tmp_path):
    (tmp_path / "copy.safetensors").write_bytes(bucket.get(key))
    return Features.load(tmp_path / "copy.safetensors")


def test_what_one_machine_wrote_another_finds_by_the_index(bucket, opened):
    videos = [video_of(bucket, f"videos/{number}.mp4") for number in range(20)]
    first = opened()
    for video in videos:
        first.settle(first.write(features_of(video), video))
    first.close()
    bucket.requests()
    second = opened()
    assert [second.find(video).header.source.video for video in videos] == [video.name for video in videos]
    assert listed_once_and_read_by_the_index(bucket)


def test_an_entry_of_another_version_of_the_file_counts_for_nothing(bucket, opened, tmp_path):
    video = video_of(bucket, "videos/a.mp4")
    first = opened()
    target = first.write(features_of(video), video)
    stale = features_of(video, n_frames=80)
    stale.save(target)
    bucket.put("features/videos/a.mp4.safetensors", target)  # by something else than vadpipe, say
    first.close()
    assert opened().find(video).header.n_frames == 80


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"\x1f\x8b broken", None])
def test_a_broken_index_is_no_index(bucket, opened, content):
    video = video_of(bucket, "videos/a.mp4")
    first = opened()
    first.write(features_of(video), video)
    first.close()
    (key,) = [key for key in bucket.names(hidden=True) if ".vadpipe-index" in key]
    bucket.put(key, bucket.get(key)[:-20] if content is None else content)
    assert opened().find(video) is not None


@pytest.mark.parametrize("content", [b"", b"text", b"\xff" * 200, (2).to_bytes(8, "little") + b"{}"])
def test_a_broken_feature_file_is_replaced(bucket, opened, tmp_path, content):
    video = video_of(bucket, "videos/a.mp4")
    bucket.put("features/videos/a.mp4.safetensors", content)
    store = opened()
    assert store.find_anew(video) is None
    store.write(features_of(video), video)
    assert load(bucket, "features/videos/a.mp4.safetensors", tmp_path).source.place == video.place


def test_two_machines_on_the_same_video_leave_one_file(bucket, opened, tmp_path):
    video = video_of(bucket, "videos/a.mp4")
    one, other = opened(), opened()
    one.write(features_of(video), video)
    other.write(features_of(video), video)
    assert [key for key in bucket.names() if key.startswith("features/")] == [
        "features/videos/a.mp4.safetensors"
    ]
    assert load(bucket, "features/videos/a.mp4.safetensors", tmp_path).source.place == video.place


def test_two_machines_whose_videos_have_one_name_lose_neither(bucket, opened, tmp_path):
    mine, theirs = video_of(bucket, "x/videos/a.mp4"), video_of(bucket, "y/videos/a.mp4", b"other")
    assert mine.name == theirs.name
    one, other = opened(), opened()
    one.write(features_of(mine), mine)
    other.write(features_of(theirs), theirs)
    keys = [key for key in bucket.names() if key.startswith("features/")]
    assert keys == ["features/videos/a.mp4.safetensors", "features/y/videos/a.mp4.safetensors"]
    assert [load(bucket, key, tmp_path).source.place for key in keys] == [mine.place, theirs.place]
    third = opened()
    assert [third.find(video).header.source.place for video in (mine, theirs)] == [mine.place, theirs.place]


def test_a_newer_version_of_the_video_takes_the_place_of_an_older_one(bucket, opened, tmp_path):
    video = video_of(bucket, "videos/a.mp4")
    one, other = opened(), opened()
    one.write(features_of(video), video)
    newer = video_of(bucket, "videos/a.mp4", b"longer than before")
    other.write(features_of(newer, n_frames=80), newer)
    assert load(bucket, "features/videos/a.mp4.safetensors", tmp_path).source.version == newer.version


def test_what_another_machine_has_done_meanwhile_is_seen_before_the_work(bucket, opened):
    video = video_of(bucket, "videos/a.mp4")
    one, other = opened(), opened()
    assert other.find(video) is None
    one.write(features_of(video), video)
    assert other.find_anew(video) is not None


def test_failures_are_remembered_for_other_machines_until_there_are_features(bucket, opened):
    video = video_of(bucket, "videos/a.mp4")
    one = opened()
    one.remember_failure(video, "asked", DecodeError("is broken", file=video.path))
    one.close()
    (key,) = [key for key in bucket.names() if key.startswith("features/")]
    assert json.loads(bucket.get(key))["reason"] == "is broken"
    two = opened()
    two.find(video)
    assert "is broken" in two.past_failure(video, "asked").reason
    assert two.past_failure(video, "otherwise") is None
    two.write(features_of(video), video)
    assert key not in bucket.names()


def test_many_small_indexes_become_one(bucket, opened, monkeypatch):
    from vadpipe.extract import feature_index

    monkeypatch.setattr(feature_index, "_TOO_MANY", 3)
    videos = [video_of(bucket, f"videos/{number}.mp4") for number in range(5)]
    for video in videos:
        store = opened()
        store.write(features_of(video), video)
        store.close()
    indexes = [key for key in bucket.names(hidden=True) if ".vadpipe-index" in key]
    assert len(indexes) == 1
    bucket.requests()
    last = opened()
    assert all(last.find(video) for video in videos)
    assert listed_once_and_read_by_the_index(bucket)


def index_keys(bucket):
    return [key for key in bucket.names(hidden=True) if ".vadpipe-index" in key]


def with_indexes(bucket, opened, monkeypatch, n):
    """Return videos whose features are there, each in an index of its own."""
    from vadpipe.extract import feature_index

    monkeypatch.setattr(feature_index, "_TOO_MANY", n)
    videos = [video_of(bucket, f"videos/{number}.mp4") for number in range(n)]
    for video in videos:
        store = opened()
        store.write(features_of(video), video)
        store.close()
    assert len(index_keys(bucket)) == n
    monkeypatch.setattr(feature_index, "_TOO_MANY", n - 1)
    return videos


def test_of_several_machines_one_merges_the_indexes(bucket, opened, monkeypatch):
    """Else each would take the entries of all, and the next run would read them as often as there are machines."""
    videos = with_indexes(bucket, opened, monkeypatch, 4)
    machines = [opened() for _ in range(3)]
    new = [video_of(bucket, f"videos/new-{number}.mp4") for number in range(3)]
    for store, video in zip(machines, new, strict=True):
        store.write(features_of(video), video)
    for store in machines:
        store.close()
    sizes = [len(json.loads(gzip.decompress(bucket.get(key)))) for key in index_keys(bucket)]
    assert sorted(sizes) == [1, 1, 5]
    bucket.requests()
    last = opened()
    assert all(last.find(video) for video in videos + new)
    assert not bucket.requests("GET", ".safetensors")


def test_an_index_that_its_run_goes_on_to_write_is_left_to_it(bucket, opened, monkeypatch):
    from vadpipe.extract import feature_index

    monkeypatch.setattr(feature_index, "_WRITE_EVERY", 1)
    videos = [video_of(bucket, f"videos/{number}.mp4") for number in range(3)]
    slow = opened()
    slow.write(features_of(videos[0]), videos[0])
    monkeypatch.setattr(feature_index, "_TOO_MANY", 0)
    other = opened()
    slow.write(features_of(videos[1]), videos[1])
    other.write(features_of(videos[2]), videos[2])
    other.close()
    slow.close()
    bucket.requests()
    last = opened()
    assert all(last.find(video) for video in videos)
    assert not bucket.requests("GET", ".safetensors")


def test_an_index_that_is_merged_while_another_run_begins_costs_nothing_but_requests(
    bucket, opened, monkeypatch
):
    videos = with_indexes(bucket, opened, monkeypatch, 2)
    (key, _) = index_keys(bucket)
    bucket.store.once(f"GET /{bucket.name}/{key}", lambda: bucket.remove(key))
    store = opened()
    assert key not in bucket.names(hidden=True)
    assert all(store.find(video) for video in videos)


def test_what_another_machine_removes_meanwhile_is_not_there(bucket, opened):
    video = video_of(bucket, "videos/a.mp4")
    one = opened()
    one.remember_failure(
        video, "asked", DecodeError("is broken", file=video.path)
    )  # in no index: it was killed
    two = opened()
    (key,) = [key for key in bucket.names() if key.endswith(".failed.json")]
    bucket.remove(key)
    assert two.find(video) is None
    assert two.past_failure(video, "asked") is None


def test_names_of_objects_lead_nowhere_else(bucket, opened, monkeypatch):
    names = [
        "../../../etc/x.mp4",
        "./x.mp4",
        "a//x.mp4",
        "a\nb.mp4",
        "x" * 300 + ".mp4",
        "-i.mp4",
        "ü/\\..\\x.mp4",
    ]
    states = {name: State(7, str(number)) for number, name in enumerate(names)}
    monkeypatch.setattr(remote_folder, "listed", lambda _: states)  # moto does not take all of these
    videos, _ = find_videos(bucket.address("videos"))
    assert len(videos) == len(names)
    store = opened()
    for video in videos:
        path = store.write(features_of(video), video)
        assert path.resolve().is_relative_to(store.folder.resolve())
    keys = [key for key in bucket.names() if key.startswith("features/")]
    assert len(keys) == len(names)
    assert not any(".." in key.split("/") for key in keys)
    found = opened()
    assert {found.find(video).header.source.place for video in videos} == {video.place for video in videos}


def test_a_folder_that_cannot_be_written_is_told_before_the_work(bucket, opened):
    store = opened()
    bucket.store.faults.append(lambda line: "403" if line.startswith("PUT") else None)
    with pytest.raises(OutputError, match="cannot be written: access is denied\nSet AWS_ACCESS_KEY_ID"):
        store.check_writable()
