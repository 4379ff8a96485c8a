"""What a sheet means is said video by video, and what is wrong with it."""

import re

import numpy as np
import pytest

from support.feature_files import make_features
from support.videos import write_video
from vadpipe.annotations.check import check_sheet
from vadpipe.annotations.truth import Truth
from vadpipe.annotations.truth_sheet import read_truth
from vadpipe.errors import UsageError

NAMES = ("cam1/a", "cam1/b", "cam2/a", "cam2/c")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for number, name in enumerate(NAMES):
        make_features(100, f"videos/{name}.mp4", seed=number).save(
            tmp_path / "features" / f"{name}.mp4.safetensors"
        )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder, text):
    (folder / "sheet.csv").write_text(text)
    return folder / "sheet.csv"


def test_each_video_is_shown_as_it_is_understood(folder):
    path = write(
        folder,
        "Clip;Label;Events;Scene;Remark\ncam1\\a;fight;0:00.4-0:01.2 0:02-0:03,12;x;!\n"
        "cam1\\b.mp4;no;;x;\ncam2\\c;no;-1:-1;;\n",
    )
    result = check_sheet(path)
    assert result.exit_code == 0
    assert result.lines() == [
        f"{path}: UTF-8, separated by semicolons",
        "columns: video from 'Clip', label from 'Label', anomalies from 'Events', group from 'Scene'",
        "ignored columns: 'Remark'",
        "times are seconds, because some have a decimal point, a time code or an s",
        "1 of 3 rows have no group",
        "",
        r"cam1\a      abnormal  0.40-1.20 2.00-3.12 s  frames 10:30 50:78  group x  -> videos/cam1/a.mp4",
        r"cam1\b.mp4  normal                                               group x  -> videos/cam1/b.mp4",
        r"cam2\c      normal                                                        -> videos/cam2/c.mp4",
        "",
        "videos: 1 abnormal, 2 normal; 3 found; feature files that are not in the sheet: 1 (videos/cam2/a.mp4); "
        "problems: none",
    ]


def test_fixed_it_is_read_by_every_command_and_means_the_same(folder):
    path = write(folder, "Clip;Events;Scene\ncam1\\a;0:00.4-0:01.2 0:02-0:03,12;x\nb;;y\nlost;;\n")
    result = check_sheet(path, features="features")
    result.fix("fixed.csv")
    assert (folder / "fixed.csv").read_text() == (
        "video,label,frames,anomalies,group\n"
        "videos/cam1/a.mp4,abnormal,100,10:30 50:78,x\nvideos/cam1/b.mp4,normal,100,,y\n"
    )
    assert read_truth(folder / "fixed.csv") == [
        Truth("videos/cam1/a.mp4", 100, ((10, 30), (50, 78)), group="x"),
        Truth("videos/cam1/b.mp4", 100, (), group="y"),
    ]
    assert check_sheet("fixed.csv").exit_code == 0
    with pytest.raises(UsageError, match=r"sheet\.csv: is the sheet itself\nGive another name"):
        result.fix(folder / "features" / ".." / "sheet.csv")


def test_problems_are_listed_with_their_lines_and_the_rest_is_used(folder):
    path = write(
        folder,
        "video,label,anomalies\na,yes,1.0-2.0\ncam2/c,yes,1.0-9.0\nb,perhaps,\nc,no,1.0-2.0\nlost,no,\n"
        "cam1/b,no,\nvideos/cam1/b,no,\ncam2/a,yes,2-1\n",
    )
    result = check_sheet(path)
    shown = [str(problem).partition("\n")[0] for problem in result.problems]
    assert shown == [
        "line 4: unknown label 'perhaps'",
        "line 5: 'c' is labelled 'no', and has times of anomalies",
        "line 9: the range 2-1 is empty",
        "line 2: 'a' matches 2 feature files",
        "line 3: the range 1 s to 9 s of 'cam2/c' ends after its 4.00 s",
        "line 6: 'lost' matches no feature file",
        "line 7: 'cam1/b' and another line both mean videos/cam1/b.mp4",
        "line 8: 'videos/cam1/b' and another line both mean videos/cam1/b.mp4",
    ]
    assert all(problem.next_step for problem in result.problems)
    assert (result.exit_code, result.usable) == (4, [])
    with pytest.raises(UsageError, match="has no row that can be used"):
        result.fix("fixed.csv")


def test_frames_that_are_rather_seconds_are_a_problem(folder):
    result = check_sheet(write(folder, "video,start,end\ncam1/a,1,2\nlost,2,3\n"))
    assert [str(problem) for problem in result.problems] == [
        "line 2: 1 to 2 may be seconds, or frames, which last 0.08 s; no event of the sheet would last 1 s\n"
        "Name the columns start_s and end_s if they are seconds, start_frame and end_frame if they are frames.",
        "line 3: 'lost' matches no feature file\nCorrect the name, extract that video, or leave out its line, as "
        "'vadpipe labels check SHEET --fix FILE' does.",
    ]
    assert result.exit_code == 3
    assert result.videos[0].truth == Truth("cam1/a", 100, ((1, 3),))
    step = "Name the columns anomalies_s if they are seconds, anomalies_frames if they are frames."
    assert check_sheet(write(folder, "video,anomalies\ncam1/a,1-2\n")).problems[0].next_step == step
    for text in (
        "start,end\ncam1/a,1,20\n",
        "start_frame,end_frame\ncam1/a,1,2\n",
        "start_s,end_s\ncam1/a,1,2\n",
    ):
        assert check_sheet(write(folder, f"video,{text}")).exit_code == 0


def test_times_of_day_are_named_as_such(folder):
    result = check_sheet(write(folder, "video,start,end\ncam1/a,14:35:02,14:35:04\ncam1/b,,\n"))
    assert [problem.reason for problem in result.problems] == [
        "line 2: the range 14:35:02 to 14:35:04 of 'cam1/a' begins after its 4.00 s: "
        "these look like times of day; times count from the start of the video"
    ]


def test_a_sheet_of_a_header_alone_is_a_problem(folder):
    result = check_sheet(write(folder, "video,label\n"))
    assert [problem.reason for problem in result.problems] == ["the sheet has no videos below its header"]
    assert (result.exit_code, result.lines()[-1][-11:]) == (4, "problems: 1")


def test_lines_that_contradict_each_other_are_both_named(folder):
    result = check_sheet(write(folder, "video,label\ncam1/a.mp4,yes\ncam1/a.MP4,no\ncam1/b,no\n"))
    text = "the labels of 'cam1/a.MP4' contradict: line 2 abnormal, line 3 normal"
    assert [problem.reason for problem in result.problems] == [f"line 2: {text}", f"line 3: {text}"]


def test_frames_after_the_end_are_a_problem(folder):
    result = check_sheet(write(folder, "video,anomalies\ncam1/a,90:101\ncam1/b,\n"))
    assert [problem.reason for problem in result.problems] == [
        "line 2: 'cam1/a' has 100 frames, and a range ends at 101"
    ]
    assert result.exit_code == 3


def test_rows_without_a_group_are_counted(folder):
    path = write(folder, "video,label,group\ncam1/a,fight,1\ncam1/b,normal,\n")
    assert "1 of 2 rows have no group" in check_sheet(path).lines()


def test_problems_of_one_word_are_told_once(folder):
    rows = "".join(f"v{number},street\n" for number in range(5))
    result = check_sheet(write(folder, f"video,label\n{rows}cam1/a,road\ncam1/b,no\n"))
    told = [line.partition(". ")[0] for line in result.lines() if "unknown label" in line]
    assert told == [
        "lines 2, 3, 4 and 2 more (5 rows): unknown label 'street'",
        "line 7: unknown label 'road'",
    ]
    assert len(result.problems) == 6


def test_the_commands_take_further_words_for_normal(tmp_path, command_line):
    path = write(tmp_path, "video,label\na,street\nb,Street\nc,fight\nd,fight\n")
    assert command_line("labels", "check", path).exit_code == 3
    assert command_line("labels", "check", path, "--normal", "road", "--normal", "street").exit_code == 0
    assert command_line("split", path, "--test", "0.5", "--normal", "street").exit_code == 0


def test_labels_alone_have_no_frames(folder):
    result = check_sheet(write(folder, "video,class\ncam1/a,fight\nb,normal\n"))
    assert not any("times" in line for line in result.lines())
    result.fix("fixed.csv")
    assert (folder / "fixed.csv").read_text() == (
        "video,label,class\nvideos/cam1/a.mp4,abnormal,fight\nvideos/cam1/b.mp4,normal,normal\n"
    )


def test_abnormal_videos_without_a_time_are_noted_and_kept(folder):
    result = check_sheet(write(folder, "video,label,anomalies\ncam1/a,1,\nb,1,1.0-2.0\n"))
    assert "abnormal videos without a time, which evaluate leaves out: 1 (cam1/a)" in result.lines()
    assert (len(result.usable), result.exit_code) == (2, 0)


def test_videos_themselves_tell_their_times(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "videos/cam1/a.mp4", 50)
    write_video(tmp_path / "videos/cam1/b.mp4", 32)
    path = write(tmp_path, "video,start_s,end_s\na,0.4,1.2\nb,,\nc,,\n")
    result = check_sheet(path, videos="videos")
    found = result.videos[0]
    (start_s, end_s), (start, stop) = found.ranges_s[0], found.truth.anomalies[0]
    assert (start_s, end_s) == (pytest.approx(0.4, abs=0.02), pytest.approx(1.2, abs=0.02))
    assert found.truth.n_frames == 50
    assert stop - start == pytest.approx(0.8 * 50 / found.length_s, abs=0.01)
    assert [problem.reason for problem in result.problems] == ["line 4: 'c' matches no video"]


def test_without_features_or_videos_only_the_sheet_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = check_sheet(write(tmp_path, "video,anomalies\nx\\a,3.5-4\nb,\n"))
    assert "names were not looked up: give --features DIR or --videos DIR" in result.lines()
    assert "3.50-4.00 s" in "\n".join(result.lines())
    result.fix("fixed.csv")
    assert (tmp_path / "fixed.csv").read_text() == "video,label,anomalies\nx/a,abnormal,3.5s:4s\nb,normal,\n"
    with pytest.raises(UsageError, match="gone: is not a folder"):
        check_sheet("sheet.csv", features="gone")
    with pytest.raises(UsageError, match="features and videos are both given"):
        check_sheet("sheet.csv", features="gone", videos="gone")


def test_a_joined_array_is_checked_and_fixed_like_a_sheet(folder):
    np.save("gt.npy", np.repeat([0, 1, 0], [110, 40, 50]))
    (folder / "list.txt").write_text("cam1/a\nb\n")
    result = check_sheet("gt.npy", names="list.txt")
    assert result.lines()[0] == "gt.npy: joined array of 200 frames"
    result.fix("fixed.csv")
    assert (folder / "fixed.csv").read_text() == (
        "video,label,frames,anomalies\nvideos/cam1/a.mp4,normal,100,\nvideos/cam1/b.mp4,abnormal,100,10:50\n"
    )


def test_the_command_prints_it_and_ends_with_its_exit_code(folder, command_line):
    path = write(folder, "video,label\ncam1/a,fight\nlost,no\n")
    run = command_line("labels", "check", path, "--fix", folder / "fixed.csv")
    assert run.exit_code == 3
    assert re.search(r"cam1/a +abnormal +-> videos/cam1/a\.mp4", run.stdout)
    assert run.stdout.splitlines()[-1] == str(folder / "fixed.csv")
    assert run.stderr.splitlines()[-1] == "written: 1; left out: 1"
    assert "line 3: 'lost' matches no feature file. Correct the name" in run.stdout
    write(folder, "Name;Datum\na;1\n")
    result = command_line("labels", "check", path)
    assert "its first line has no column for a label" in str(result.exception)


def test_the_command_split_counts_what_it_leaves_out(folder, command_line):
    path = write(folder, "video,label\ncam1/a,1\ncam1/b,0\ncam2/a,1\ncam2/c,0\nlost,0\n")
    run = command_line("split", path, "--test", "0.5")
    assert run.exit_code == 0
    assert "left out: 1" in run.stderr.splitlines()


def test_the_command_split_prints_both_sheets(tmp_path, command_line):
    path = tmp_path / "all.csv"
    path.write_text("file,label,frames\n" + "".join(f"v{number},{number % 2},9\n" for number in range(20)))
    run = command_line("split", path, "--test", "0.3", "-o", tmp_path / "out")
    assert run.exit_code == 0
    assert run.stdout.splitlines() == [f"{tmp_path}/out/all.train.csv", f"{tmp_path}/out/all.test.csv"]
    assert run.stderr.splitlines() == [
        "training: 7 normal and 7 abnormal videos",
        "test: 3 normal and 3 abnormal videos",
        "share of the duration in the test set: 30% normal, 30% abnormal",
        "the sheet has no column group: clips of one recording may be in both sets, an easy test",
    ]


@pytest.mark.parametrize("name", ["path", "features", "videos", "names"])
def test_what_is_no_path_is_refused_by_name(folder, name):
    given = {"path": write(folder, "video,label\ncam1/a,1\n")} | {name: 3}
    with pytest.raises(UsageError, match=f"{name} is 3\nPass a path"):
        check_sheet(**given)


def test_a_file_of_another_content_is_kept_unless_forced(folder, command_line):
    path = write(folder, "video,label\ncam1/a,1\n")
    (folder / "fixed.csv").write_text("mine\n")
    result = command_line("labels", "check", path, "--fix", "fixed.csv")
    assert str(result.exception) == (
        "fixed.csv: already exists, with different content\n"
        "Choose another place, or overwrite it with --force."
    )
    assert (folder / "fixed.csv").read_text() == "mine\n"
    for options in (["--force"], []):  # the second time it is the same
        assert command_line("labels", "check", path, "--fix", "fixed.csv", *options).exit_code == 0
    assert (folder / "fixed.csv").read_text() == "video,label\nvideos/cam1/a.mp4,abnormal\n"
