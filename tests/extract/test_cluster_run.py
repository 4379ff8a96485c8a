"""What is left to do of a run on a cluster, without a cluster."""

from pathlib import Path

import pytest

from vadpipe.errors import OutputError
from vadpipe.extract.cluster_run import N_LOST_NODES, Assignment, ClusterRun
from vadpipe.extract.cluster_worker import Broken, Ended
from vadpipe.extract.run import RunProgress
from vadpipe.extract.video.discovery import Video
from vadpipe.runs.journal import Journal


class Heard:
    """A run over so many videos, and what it says."""

    def __init__(self, n_videos, folder=Path("v"), **options):
        self.videos = [Video(folder / f"{number}.mp4", f"v/{number}.mp4") for number in range(n_videos)]
        self.failed, self.quarantined, self.taken, self.reports = [], [], [], []
        self.run = ClusterRun(
            self.videos,
            lambda videos: lambda shared: (videos, shared),
            lambda video, result: self.taken.append((video.path.stem, result)),
            on_failure=lambda failure: self.failed.append((failure.path.stem, failure.error.reason)),
            on_quarantine=lambda video, error: self.quarantined.append(video.path.stem),
            **options,
        )

    def batches(self, n_workers):
        while self.run.pending:
            yield self.run.next_batch(n_workers).batch

    def end(self, given, place):
        self.run.hear(Ended(place, Journal("part").take_part(), f"result {place}", ()), given)


def test_batches_cover_all_videos_in_order_and_get_smaller():
    batches = [*Heard(100).batches(2)]
    assert [number for batch in batches for number in batch] == [*range(100)]
    sizes = [*map(len, batches)]
    assert sizes[:2] == [16, 14]  # 100 / (3 * 2) = 16.7, 84 / 6
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 1
    assert max(map(len, Heard(10_000).batches(2))) == 16


def test_a_worker_is_sent_the_videos_of_its_batch():
    heard = Heard(4)
    batch = heard.run.batch_of(Assignment([1, 3]))
    assert [video.name for video in batch.videos] == ["v/1.mp4", "v/3.mp4"]
    assert batch.part("shared") == (batch.videos, "shared")


@pytest.mark.parametrize(("look_ahead", "at_work"), [(True, [1, 2]), (False, [1])])
def test_what_a_lost_worker_was_at_is_tried_alone_and_the_rest_as_before(look_ahead, at_work):
    heard = Heard(5, look_ahead=look_ahead)
    given = heard.run.next_batch(1)
    assert given.batch == [0, 1]
    given = Assignment([0, 1, 2, 3])
    heard.run._others.clear()
    heard.run._others.append(4)
    heard.end(given, 0)
    heard.run.lose(given, by_itself=True)
    batches = [*heard.batches(1)]
    assert batches[: len(at_work)] == [[number] for number in at_work]
    assert [number for batch in batches[len(at_work) :] for number in batch] == [
        n for n in (2, 3, 4) if n not in at_work
    ]
    assert heard.taken == [("0", "result 0")]
    assert heard.run.n_left == 4


def lose(heard, number, times, *, by_itself):
    for _ in range(times):
        given = heard.run.next_batch(1)
        assert given.batch == [number]
        heard.run.lose(given, by_itself=by_itself)


def test_a_video_that_ends_three_workers_is_set_aside():
    heard = Heard(1)
    lose(heard, 0, 3, by_itself=True)
    assert heard.failed == [("0", "ended the process that worked on it, 3 times")]
    assert heard.quarantined == ["0"]
    assert (heard.run.n_left, heard.run.pending) == (0, False)


def test_lost_nodes_count_only_where_there_are_many():
    heard = Heard(1)
    lose(heard, 0, 2, by_itself=True)
    lose(heard, 0, N_LOST_NODES - 1, by_itself=False)
    assert heard.failed == []
    lose(heard, 0, 1, by_itself=False)
    assert heard.failed == [("0", "ended the node that worked on it, 10 times")]


def test_what_ends_a_run_is_raised():
    with pytest.raises(OutputError, match="no space"):
        Heard(1).run.hear(Broken(OutputError("no space")), Assignment([0]))


def test_reports_of_several_videos_at_once_are_of_the_whole_run(tmp_path):
    reports = []
    heard = Heard(4, tmp_path, on_progress=reports.append)
    for number, video in enumerate(heard.videos):
        video.path.write_bytes(bytes(100 * (number + 1)))  # 1,000 bytes in all
    heard = Heard(4, tmp_path, on_progress=reports.append)
    one, other = Assignment([0, 1]), Assignment([2, 3])

    def at(given, place, share):
        video = heard.videos[given.batch[place]]
        heard.run.hear(RunProgress(video, place, 2, share, 1.0), given)
        return round(reports[-1].share_of_all, 3), reports[-1].index, reports[-1].n_videos

    assert at(one, 0, 0.5) == (0.05, 0, 4)
    assert at(other, 0, 0.5) == (0.2, 0, 4)  # and 150 of the third's 300 bytes
    heard.end(one, 0)
    assert at(other, 0, 1.0) == (0.4, 1, 4)
    assert at(one, 1, 0.5) == (0.5, 1, 4)
