"""Shards: each video in exactly one, wherever it is asked; balanced where lengths are known."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadpipe.errors import UsageError
from vadpipe.extract.video.discovery import Video
from vadpipe.extract.video.shards import Shard, read_durations


def videos_named(names):
    return [Video(Path("/footage") / name, name) for name in names]


names = st.lists(st.text("abcdé/", min_size=1, max_size=8), unique=True, max_size=40)


@given(names, st.integers(1, 9), st.booleans())
def test_each_video_is_in_exactly_one_shard_and_their_order_stays(names, of, timed):
    durations_s = {name: len(name) * 1.5 for name in names[::2]} if timed else None
    videos = videos_named(names)
    parts = [Shard(number, of, durations_s).of_videos(videos) for number in range(1, of + 1)]
    assert sorted(video.name for part in parts for video in part) == sorted(names)
    for part in parts:
        assert part == [video for video in videos if video in part]


@given(names, st.integers(1, 9), st.data())
def test_without_lengths_a_video_stays_where_it_is_when_others_come_and_go(names, of, data):
    some = data.draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    for number in range(1, of + 1):
        among_all = {video.name for video in Shard(number, of).of_videos(videos_named(names))}
        among_some = {video.name for video in Shard(number, of).of_videos(videos_named(some))}
        assert among_some == among_all & {*some}


def test_shards_of_many_videos_are_of_about_one_size():
    videos = videos_named([f"cam{index}/clip.mp4" for index in range(4000)])
    sizes = [len(Shard(number, 8).of_videos(videos)) for number in range(1, 9)]
    assert min(sizes) > 430  # of 500; five standard deviations are 105
    assert max(sizes) < 570


def test_with_lengths_no_shard_has_more_than_the_longest_video_above_another():
    durations_s = {f"{index}.mp4": 1.0 + (index * 7919) % 600 for index in range(100)}
    videos = videos_named(durations_s)
    totals_s = [
        sum(durations_s[video.name] for video in Shard(number, 7, durations_s).of_videos(videos))
        for number in range(1, 8)
    ]
    assert max(totals_s) - min(totals_s) <= max(durations_s.values())
    assert max(totals_s) < 1.02 * sum(totals_s) / 7  # what assigning the longest first is known for


def test_a_video_without_a_length_counts_as_the_mean():
    durations_s = {"a": 10.0, "b": 30.0}
    parts = [Shard(number, 2, durations_s).of_videos(videos_named("abc")) for number in (1, 2)]
    assert [[video.name for video in part] for part in parts] == [["b"], ["a", "c"]]


@pytest.mark.parametrize("text", ["", "1", "0/4", "5/4", "1/0", "-1/4", "a/b", "1/4/2", "1.0/4", "1/9999999"])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(UsageError, match="is not a shard") as caught:
        Shard.parse(text)
    assert "1/8 for the first of eight" in caught.value.next_step


def test_durations_are_read(tmp_path):
    path = tmp_path / "durations.csv"
    path.write_text("camera,video,duration_s\n1,a.mp4,2.5\n1, b.mp4 ,1e3\n")
    assert read_durations(path) == {"a.mp4": 2.5, "b.mp4": 1000.0}
    assert Shard.parse("2/3", path) == Shard(2, 3, {"a.mp4": 2.5, "b.mp4": 1000.0})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("video,length\na,1\n", "needs a first line video,duration_s, not video,length"),
        ("video,duration_s\na,0\n", "line 2: '0' is not a number of seconds"),
        ("video,duration_s\na,nan\n", "line 2: 'nan' is not a number of seconds"),
        ("video,duration_s\na,1\nb,1:30\n", "line 3: '1:30' is not a number of seconds"),
    ],
)
def test_durations_that_cannot_be_used(tmp_path, text, message):
    path = tmp_path / "durations.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_durations(path)
