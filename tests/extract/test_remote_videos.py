"""Videos and features on object storage: read once, written whole, found again."""

import json

import pytest

from support.object_store import local_copies
from support.videos import write_video
from vadpipe.extract.extraction import extract_features
from vadpipe.features.file import Features, read_header
from vadpipe.weights import layout


@pytest.fixture
def videos(bucket, tmp_path):
    """Two videos in the bucket, and where they lie on disk."""
    for name in ("fight/a.mp4", "normal/b.mp4"):
        write_video(tmp_path / "videos" / name, 32 if "a.mp4" in name else 40)
        bucket.put(f"videos/{name}", tmp_path / "videos" / name)
    return tmp_path / "videos"


def nothing_is_left():
    return not local_copies()


def test_features_are_those_of_local_files(bucket, videos, tmp_path, tiny):
    local = extract_features([videos], tmp_path / "local", settings=tiny())
    result = extract_features([bucket.address("videos")], bucket.address("features"), settings=tiny())
    assert [str(path) for path in result.written] == [
        bucket.address("features/videos/fight/a.mp4.safetensors"),
        bucket.address("features/videos/normal/b.mp4.safetensors"),
    ]
    for path, address in zip(local.written, result.written, strict=True):
        copy = tmp_path / "copy.safetensors"
        copy.write_bytes(bucket.get(str(address).removeprefix(f"s3://{bucket.name}/")))
        mine, theirs = Features.load(path), Features.load(copy)
        assert (mine.values == theirs.values).all()
        assert mine.source.video == theirs.source.video
        assert mine.source.sha256 == theirs.source.sha256
        assert theirs.source.version == bucket.etag(theirs.source.video)
    assert nothing_is_left()


@pytest.fixture
def extract(bucket, tiny):
    """Return what extracts all of the bucket's videos to its features."""
    return lambda *inputs, **options: extract_features(
        inputs or [bucket.address("videos")], bucket.address("features"), settings=tiny(), **options
    )


def test_a_second_run_asks_for_the_two_lists_and_decodes_nothing(bucket, videos, extract):
    extract()
    bucket.requests()
    again = extract()
    assert (len(again.written), len(again.skipped)) == (0, 2)
    asked = bucket.requests()
    assert len([line for line in asked if "list-type" in line]) == 2
    assert all("list-type" in line or "/features/.vadpipe-index/" in line for line in asked)


def test_without_its_index_each_record_is_read_and_nothing_decoded(bucket, videos, extract):
    extract()
    for key in bucket.names(hidden=True):
        if ".vadpipe-index" in key:
            bucket.remove(key)
    bucket.requests()
    assert len(extract().skipped) == 2
    assert not bucket.requests("videos/fight/a.mp4 ")
    assert len(bucket.requests("GET", ".safetensors")) == 2


def test_what_changed_alone_is_fetched_again(bucket, videos, extract):
    extract()
    before = bucket.get("features/videos/normal/b.mp4.safetensors")
    write_video(videos / "fight/a.mp4", 48)
    bucket.put("videos/fight/a.mp4", videos / "fight/a.mp4")
    bucket.requests()
    result = extract()
    assert [path.name for path in result.written] == ["a.mp4.safetensors"]
    assert len(bucket.requests("GET", f"{bucket.name}/videos/fight/a.mp4")) == 1
    assert not bucket.requests(f"{bucket.name}/videos/normal/b.mp4")
    assert bucket.get("features/videos/normal/b.mp4.safetensors") == before


def test_the_record_of_the_run_names_addresses_and_versions(bucket, videos, extract):
    extract()
    (key,) = [key for key in bucket.names() if key.startswith("features/run-")]
    record = json.loads(bucket.get(key))
    assert record["resolved"]["output"] == bucket.address("features")
    assert {video["file"]: video["version"] for video in record["videos"]} == {
        bucket.address(f"videos/{name}"): bucket.etag(f"videos/{name}")
        for name in ("fight/a.mp4", "normal/b.mp4")
    }
    assert [output["file"] for output in record["outputs"]] == [
        "videos/fight/a.mp4.safetensors",
        "videos/normal/b.mp4.safetensors",
    ]
    assert str(layout.folder()) not in json.dumps(record)


@pytest.mark.parametrize("fault", ["503", "cut", "short"])
def test_faults_that_pass_are_tried_again(bucket, videos, extract, fault):
    bucket.store.once(f"GET /{bucket.name}/videos/fight/a.mp4", fault)
    bucket.store.once(f"PUT /{bucket.name}/features/videos/fight", fault)
    bucket.store.once(f"GET /{bucket.name}?list-type", fault)
    result = extract()
    assert len(result.written) == 2
    assert [failure.error for failure in result.failed] == []
    assert len(bucket.requests("GET", f"{bucket.name}/videos/fight/a.mp4")) == 2


def test_a_fault_that_stays_costs_its_video_and_is_not_remembered(bucket, videos, extract):
    bucket.store.faults.append(
        lambda line: "503" if f"GET /{bucket.name}/videos/fight/a.mp4" in line else None
    )
    result = extract()
    (failure,) = result.failed
    assert str(failure.path) == bucket.address("videos/fight/a.mp4")
    assert str(failure.error) == (
        f"{bucket.address('videos/fight/a.mp4')}: cannot be read: the server is too busy\n"
        "Try again later; what was finished is kept."
    )
    assert [path.name for path in result.written] == ["b.mp4.safetensors"]
    bucket.store.faults.clear()
    assert [path.name for path in extract().written] == ["a.mp4.safetensors"]
    assert nothing_is_left()


def test_a_video_that_changes_while_it_is_read_is_read_again(bucket, videos, extract):
    other = write_video(videos.parent / "other.mp4", 48)
    bucket.store.once(
        f"GET /{bucket.name}/videos/fight/a.mp4", lambda: bucket.put("videos/fight/a.mp4", other)
    )
    result = extract()
    key = str(result.written[0]).removeprefix(f"s3://{bucket.name}/")
    copy = videos.parent / "copy.safetensors"
    copy.write_bytes(bucket.get(key))
    header = read_header(copy)
    assert header.n_frames == 48
    assert header.source.version == bucket.etag("videos/fight/a.mp4")
    assert extract().skipped == result.written


def test_what_is_no_video_is_told_by_its_address_and_remembered(bucket, videos, extract):
    bucket.put("videos/fight/a.mp4", b"#EXTM3U\nhttp://169.254.169.254/\n" * 20)
    for attempt in ("is not a video: it begins with text", "failed in an earlier run"):
        bucket.requests()
        (failure,) = extract().failed
        assert failure.error.file == bucket.address("videos/fight/a.mp4")
        assert attempt in failure.error.reason
    assert not bucket.requests(f"{bucket.name}/videos/fight/a.mp4")


def test_a_limit_is_checked_before_a_byte_is_fetched(bucket, videos, tiny):
    from vadpipe.extract.video.limits import Limits

    settings = tiny(limits=Limits(file_bytes=100))
    result = extract_features([bucket.address("videos")], bucket.address("features"), settings=settings)
    assert len(result.failed) == 2
    assert "has a size of" in result.failed[0].error.reason
    assert result.failed[0].error.file == bucket.address("videos/fight/a.mp4")
    assert not bucket.requests("GET", f"{bucket.name}/videos/fight/a.mp4")


def test_what_is_not_there_is_told(bucket, extract):
    result = extract(bucket.address("none"), bucket.address("gone/clip.mp4"), "s3://no-such-bucket-here/x")
    assert [str(failure.error).partition("\n")[0] for failure in result.failed] == [
        f"{bucket.address('none')}: contains no video",
        "s3://no-such-bucket-here/x: no such file or folder",
        f"{bucket.address('gone/clip.mp4')}: no such file",
    ]
