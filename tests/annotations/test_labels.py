"""Labels come from folders by a documented rule, or from a CSV; nothing is guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadpipe.annotations.labels import folder_labels, joined_groups, read_labels
from vadpipe.annotations.matching import match_videos, problems_of
from vadpipe.annotations.sheet import read_sheet
from vadpipe.errors import UsageError


@pytest.mark.parametrize(
    ("folder", "abnormal"),
    [
        ("normal", False),
        ("Normal_Videos_event", False),
        ("Training_Normal_Videos_Anomaly", False),  # UCF-Crime: the word normal decides
        ("noFight", False),
        ("no_fight", False),
        ("NonViolence", False),
        ("non-violence", False),
        ("negative", False),
        ("AbNormal", True),
        ("ab-normal", True),
        ("fight", True),
        ("Fighting", True),
        ("Violence", True),
        ("abnormal", True),
        ("RoadAccidents", True),
        ("Shoplifting", True),
        ("Anomaly-Videos-Part-1", True),
    ],
)
def test_known_folder_names(folder, abnormal):
    video = f"videos/{folder}/a.mp4"
    assert folder_labels([video])[video].abnormal is abnormal


@pytest.mark.parametrize(
    "folder",
    [
        *("road", "november", "nothing", "camera1", "north", "1", "notes"),
        *("isn-not-a-fight", "without_any_fight"),
        *("not_normal", "NonNormal", "normal_and_fight", "no_label_yet", "not_reviewed", "No5Camera"),
    ],
)
def test_folders_that_say_nothing_are_not_guessed(folder):
    with pytest.raises(UsageError, match=rf"videos/{folder} \(1\)"):
        folder_labels([f"videos/{folder}/a.mp4"])


def test_the_innermost_known_folder_decides():
    labels = folder_labels(["v/fight/normal/cam1/a.mp4", "v/normal/fight/b.mp4"])
    assert [label.abnormal for label in labels.values()] == [False, True]
    assert [label.reason for label in labels.values()] == ["folder normal", "folder fight"]


def test_the_name_of_the_whole_data_set_decides_nothing_for_its_folders():
    with pytest.raises(UsageError, match=r"UCF-Crime/misc \(1\)"):
        folder_labels(["UCF-Crime/misc/a.mp4", "UCF-Crime/Abuse/b.mp4"])
    assert folder_labels(["fight/a.mp4"])["fight/a.mp4"].abnormal  # a class folder given by itself


def test_unclear_folders_are_listed_with_the_way_out():
    with pytest.raises(UsageError) as caught:
        folder_labels(["v/street/a.mp4", "v/street/b.mp4", "v/robbery/c.mp4", "v/park/d.mp4"])
    assert "v/park (1), v/street (2)" in str(caught.value)
    assert "robbery" not in caught.value.reason
    assert "--normal" in caught.value.next_step
    assert "--labels" in caught.value.next_step


def test_naming_the_normal_folders_makes_the_unknown_rest_abnormal():
    labels = folder_labels(["v/street/a.mp4", "v/x/b.mp4", "v/noFight/c.mp4"], normal=["street"])
    assert [label.abnormal for label in labels.values()] == [False, True, False]


def test_a_misspelt_normal_folder_is_an_error():
    with pytest.raises(UsageError, match="no video is in a folder named strete"):
        folder_labels(["v/street/a.mp4"], normal=["strete"])


def labels_of(path, videos):
    return read_labels(path, {video: f"content of {video}" for video in videos})


def write_csv(tmp_path, text):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    return path


VIDEOS = ["videos/fight/a.mp4", "videos/calm/a.mp4", "videos/calm/b.mp4"]


def test_csv_matches_videos_from_the_end_of_their_path(tmp_path):
    path = write_csv(tmp_path, "video,label,group\nfight/a.mp4,1,s1\nb,normal,s2\n")
    labels = labels_of(path, VIDEOS)
    assert {video: (label.abnormal, label.group) for video, label in labels.items()} == {
        "videos/fight/a.mp4": (True, "s1"),
        "videos/calm/b.mp4": (False, "s2"),
    }


def test_csv_takes_absolute_paths_and_names_that_are_endings_of_others(tmp_path):
    videos = ["videos/a.mp4", "old/videos/a.mp4", "videos/b.mp4"]
    path = write_csv(tmp_path, "video,label\nvideos/a.mp4,1\nold/videos/a.mp4,0\n/home/me/videos/b.mp4,1\n")
    assert {video: label.abnormal for video, label in labels_of(path, videos).items()} == {
        "videos/a.mp4": True,
        "old/videos/a.mp4": False,
        "videos/b.mp4": True,
    }


@pytest.mark.parametrize(
    "name",
    [
        *("a.mp4", "a", "calm/a", "videos\\calm\\a.mp4", "C:\\data\\videos\\calm\\a.mp4", "./calm/a.mp4"),
        *(
            "../calm/a.mp4",
            "/mnt/videos/calm/a.avi",
            "data/videos/calm/a.mp4",
            "calm/A_x264.mp4".replace("A", "a"),
        ),
    ],
)
def test_names_of_every_kind_mean_their_video(tmp_path, name):
    labels = labels_of(
        write_csv(tmp_path, f"video,label\n{name},fight\n"), ["videos/calm/a.mp4", "videos/b.mp4"]
    )
    assert {video: label.abnormal for video, label in labels.items()} == {"videos/calm/a.mp4": True}


def test_a_video_in_another_folder_is_found_with_a_warning(tmp_path, caplog):
    labels = labels_of(write_csv(tmp_path, "video,label\n/data/normal/b.mp4,0\n"), VIDEOS)
    assert list(labels) == ["videos/calm/b.mp4"]
    assert (
        "found in another folder than the sheet says: 1 (/data/normal/b.mp4 -> videos/calm/b.mp4)"
        in caplog.text
    )


def test_of_copies_that_a_name_fits_the_first_is_labelled(tmp_path, caplog):
    path = write_csv(tmp_path, "video,label\na.mp4,1\n")
    labels = read_labels(path, {"videos/b/a.mp4": "same", "videos/a/a.mp4": "same", "videos/c.mp4": "other"})
    assert list(labels) == ["videos/a/a.mp4"]
    assert "of which the first is used: 1 (a.mp4: videos/a/a.mp4, videos/b/a.mp4)" in caplog.text


def test_times_are_labels_as_well(tmp_path):
    path = write_csv(tmp_path, "video,start_s,end_s,group\nb,3,5,g\nb,7,8,g\ncalm/a,,,\n")
    assert {video: (label.abnormal, label.group) for video, label in labels_of(path, VIDEOS).items()} == {
        "videos/calm/b.mp4": (True, "g"),
        "videos/calm/a.mp4": (False, "videos/calm/a.mp4"),
    }


def test_without_groups_each_video_is_one(tmp_path):
    labels = labels_of(write_csv(tmp_path, "video,label\nb.mp4,0\n"), VIDEOS)
    assert labels["videos/calm/b.mp4"].group == "videos/calm/b.mp4"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("video,label\na.mp4,1\n", "line 2: 'a.mp4' matches 2 feature files"),
        ("video,label\nc.mp4,1\n", "line 2: 'c.mp4' matches no feature file"),
        ("video,label\nb,1\nb.mp4,1\n", "line 2: 'b' and another line both mean videos/calm/b.mp4"),
        ("video,label\nb,1\nb,1\n", "line 3: 'b' occurs twice, first in line 2"),
        ("video,label\nb,maybe\n", "line 2: unknown label 'maybe'"),
        ("video,label\nb,\n", "line 2: 'b' has no label"),
        ("video,score\nb,1\n", "its first line has no column for a label (label): 'video', 'score'"),
        ("b.mp4,1\n", "its first line has no column for a video (video) and a label (label): 'b.mp4', '1'"),
        ("", "its first line has no column for a video (video) and a label (label): (empty)"),
        (
            "video,label,label\nb,1,0\n",
            "its first line has two columns named 'label': 'video', 'label', 'label'",
        ),
        ("video,label\n", "has no videos below its first line"),
        ("video,label\n\n\nc.mp4,1\n", "line 4: 'c.mp4' matches no feature file"),
        ("video,label\nb,maybe\na,perhaps\n", "line 2: unknown label 'maybe' (and 1 more problem)"),
    ],
)
def test_csv_mistakes_name_the_line(tmp_path, text, message):
    with pytest.raises(UsageError, match=r"labels\.csv: ") as caught:
        labels_of(write_csv(tmp_path, text), VIDEOS)
    assert message in str(caught.value)


def test_a_missing_csv_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"none\.csv: cannot be read: No such file"):
        labels_of(tmp_path / "none.csv", VIDEOS)


def test_groups_that_hold_copies_of_one_video_become_one():
    groups = {"a": "A", "b": "B", "c": "B", "d": "C", "e": "C"}
    contents = {"a": "1", "b": "2", "c": "1", "d": "3", "e": "3"}
    joined, copies = joined_groups(groups, contents)
    assert joined == {"a": "A", "b": "A", "c": "A", "d": "C", "e": "C"}  # b comes along with c
    assert copies == [("a", "c"), ("d", "e")]


def test_a_misspelt_name_gets_a_suggestion_unless_it_is_a_number(tmp_path):
    path = tmp_path / "labels.csv"
    there = {"v/entrance_1.mp4": "a", "v/023.mp4": "b"}
    path.write_text("video,label\nentrence_1,1\n")
    with pytest.raises(
        UsageError, match=r"line 2: .* matches no feature file\nDid you mean v/entrance_1\.mp4\? "
    ):
        read_labels(path, there)
    path.write_text("video,label\n024,1\n")
    with pytest.raises(UsageError, match=r"line 2: '024' matches no feature file\nCorrect the name"):
        read_labels(path, there)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 5)), max_size=9))
def test_groups_of_copies_are_those_of_a_loop_over_all(videos):
    groups = {str(place): group for place, (group, _) in enumerate(videos)}
    contents = {str(place): str(content) for place, (_, content) in enumerate(videos)}
    expected = dict(groups)
    for place, (_, content) in enumerate(videos):
        first = next(at for at, (_, other) in enumerate(videos) if other == content)
        old, new = expected[str(place)], expected[str(first)]
        expected = {name: new if group == old else group for name, group in expected.items()}
    assert joined_groups(groups, contents)[0] == expected


def test_of_many_names_that_match_nothing_some_get_a_suggestion(tmp_path):
    """Each is compared with every video that is left over; so the cost is bounded."""
    (tmp_path / "labels.csv").write_text("video,label\n" + "".join(f"cam{n}x.mp4,0\n" for n in range(300)))
    sheet = read_sheet(tmp_path / "labels.csv")
    names = {f"v/cam{n}y.mp4": str(n) for n in range(300)}
    found = match_videos((item.video for item in sheet.annotations), names)
    problems = problems_of(sheet.annotations, found)
    assert len(problems) == 300
    assert sum("Did you mean" in problem.next_step for problem in problems.values()) == 100
