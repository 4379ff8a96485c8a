"""Sheets of labels, of times and of events, whatever their columns are called."""

import pytest
from openpyxl import Workbook

from vadpipe.annotations.annotation import Annotation
from vadpipe.annotations.sheet import read_sheet
from vadpipe.errors import UsageError


def sheet_of(tmp_path, text, needs="labels"):
    (tmp_path / "sheet.csv").write_text(text)
    return read_sheet(tmp_path / "sheet.csv", needs)


@pytest.mark.parametrize(
    ("word", "abnormal"),
    [
        *((word, True) for word in ("1", "1.0", "yes", "Yes", "TRUE", "y", "abnormal", "Anomaly", "fight", "FIGHT")),
        *((word, True) for word in ("Shoplifting", "RoadAccidents", "violence", "riot", "positive", "x")),
        *((word, True) for word in ("alarm", "Incident", "event", "Auffällig", "Auffa\u0308llig", "Schlägerei")),
        *((word, False) for word in ("nothing", "None", "n/a", "na", "-", "OK", "okay", "clear", "no event")),
        *((word, False) for word in ("no incident", "nichts", "keine", "unauffällig", "kein Vorfall")),
        *((word, False) for word in ("0", "0.0", "no", "NO", "false", "n", "normal", "noFight", "non-violence")),
    ],
)  # fmt: skip
def test_words_of_labels(tmp_path, word, abnormal):
    sheet = sheet_of(tmp_path, f"video,label\na,{word}\n")
    assert sheet.annotations == [Annotation("a", abnormal, line=2)]


@pytest.mark.parametrize("word", ["2", "-1", "maybe", "10", "1.5", "not_normal", "street", "nicht normal"])
def test_words_that_say_nothing_are_not_guessed(tmp_path, word):
    sheet = sheet_of(tmp_path, f"video,label\na,{word}\n")
    assert sheet.annotations == []
    assert sheet.problems[0].reason == f"line 2: unknown label {word!r}"
    assert sheet.problems[0].next_step.startswith("Use 1, yes, true or abnormal, 0, no, false or normal")


def test_a_word_in_doubt_is_refused_as_unclear(tmp_path):
    sheet = sheet_of(tmp_path, "video,label\na,fight?\nb,normal?\n")
    reasons = ["line 2: unclear label 'fight?'", "line 3: unclear label 'normal?'"]
    assert [problem.reason for problem in sheet.problems] == reasons
    assert sheet.problems[0].next_step.startswith("Decide. Use 1,")


def test_further_words_for_normal_are_given(tmp_path):
    text = "video,label\na,Street Scene\nb,fight\nc,2.0\nd,road\n"
    (tmp_path / "sheet.csv").write_text(text)
    sheet = read_sheet(tmp_path / "sheet.csv", normal=["street scene", "2"])
    assert [item.abnormal for item in sheet.annotations] == [False, True, False]
    assert [problem.reason for problem in sheet.problems] == ["line 5: unknown label 'road'"]
    assert "--normal WORD" in sheet.problems[0].next_step


@pytest.mark.parametrize(
    ("header", "line", "expected"),
    [
        ("FileName;Abnormal;Camera", "a;yes;1", Annotation("a", True, group="1", line=2)),
        ("label,path,scene_group", "0,a,g", Annotation("a", False, group="g", line=2)),
        ("path,file,label", "x/a,a,0", Annotation("x/a", False, line=2)),  # the clearer name wins
        ("video,file,label", "a,b,0", Annotation("a", False, line=2)),
        ("clip,class", "a,fight", Annotation("a", True, category="fight", line=2)),
        ("video,label,class", "a,1,Abuse", Annotation("a", True, category="Abuse", line=2)),
        ("video,anomalous_frames_half_open", "a,60:61", Annotation("a", True, ranges=((60, 61),), line=2)),
        ("video,Events (s)", "a,3-5", Annotation("a", True, None, ((3, 5),), "seconds", line=2)),
        ("video,times", "a,3-5", Annotation("a", True, None, ((3, 5),), "seconds", line=2)),
        ("video,n_frames,anomalies", "a,300.0,", Annotation("a", False, 300, line=2)),
        ("clip,start_s,end_s", "a,3,5", Annotation("a", True, None, ((3, 5),), "seconds", line=2)),
        ("clip,StartTime,EndTime", "a,0:03,5", Annotation("a", True, None, ((3, 5),), "seconds", line=2)),
        ("clip,start,end", "a,3.0,5", Annotation("a", True, None, ((3, 5),), "seconds", line=2)),
        ("clip,start,end", "a,3,5", Annotation("a", True, ranges=((3, 6),), line=2)),
        ("clip,start_frame,end_frame", "a,3.0,5.0", Annotation("a", True, ranges=((3, 6),), line=2)),
        ("clip,first_frame,last_frame", "a,3,5", Annotation("a", True, ranges=((3, 6),), line=2)),
        ("clip,start_frame,stop_frame", "a,3,5", Annotation("a", True, ranges=((3, 5),), line=2)),
        # As vadpipe writes events itself: frames, which are exact, before seconds.
        (
            "video,event,start_s,end_s,start_frame,stop_frame",
            "a,1,0.12,0.2,3,5",
            Annotation("a", True, ranges=((3, 5),), line=2),
        ),
        ("Dateiname;Kamera;Befund", "a;3;auffällig", Annotation("a", True, group="3", line=2)),
        ("Datei;Gruppe;Bewertung", "a;3;nichts", Annotation("a", False, group="3", line=2)),
        ("Datei;Beginn (s);Ende (s)", "a;3;5", Annotation("a", True, None, ((3, 5),), "seconds", line=2)),
        ("Datei;Anfang (Sek);Ende [Sek]", "a;3;5", Annotation("a", True, None, ((3, 5),), "seconds", line=2)),
        (
            "Datei;Start;Ende;Ereignis",
            "a;3;5;Sturz",
            Annotation("a", True, None, ((3, 6),), "frames", "Sturz", line=2),
        ),
        ("clip,begin,end,frames", "a,-1,-1,9", Annotation("a", False, 9, line=2)),
    ],
)
def test_names_of_columns(tmp_path, header, line, expected):
    sheet = sheet_of(tmp_path, f"{header}\n{line}\n")
    assert (sheet.annotations, sheet.problems) == ([expected], [])


def test_events_of_a_video_are_sorted_and_overlaps_joined(tmp_path):
    text = "video,start_s,end_s,class,group\na,7,9,fall,1\nb,,,,2\na,3,5,fight,\na,4,6,fight,1\n"
    sheet = sheet_of(tmp_path, text, "truth")
    assert sheet.annotations == [
        Annotation("a", True, None, ((3, 6), (7, 9)), "seconds", "fall+fight", "1", line=2),
        Annotation("b", False, None, (), "seconds", None, "2", line=3),
    ]


def test_an_event_that_is_labelled_normal_is_none(tmp_path):
    text = "file,first_frame,last_frame,state,truth\na,0,81,lying,0\na,82,111,falling,1\n"
    sheet = sheet_of(tmp_path, text, "truth")
    assert sheet.annotations == [Annotation("a", True, ranges=((82, 112),), line=2)]


def test_a_column_has_one_unit(tmp_path):
    sheet = sheet_of(tmp_path, "video,anomalies\na,0-2\nb,3.5-4\n")
    assert [item.ranges for item in sheet.annotations] == [((0, 2),), ((3.5, 4),)]
    assert "times are seconds, because some have a decimal point" in sheet.notes()[-1]
    sheet = sheet_of(tmp_path, "video,anomalies\na,0-2\nb,3-4\n")
    assert [item.ranges for item in sheet.annotations] == [((0, 3),), ((3, 5),)]
    assert "times are frames counted from 0, because all are whole numbers" in sheet.notes()[-1]


def test_what_was_understood_and_what_was_ignored_is_noted(tmp_path):
    sheet = sheet_of(tmp_path, "Clip;Label;grup;Remark;First frame;Stop frame\na;1;g;r;3;5\n")
    assert sheet.notes() == [
        "UTF-8, separated by semicolons",
        "columns: video from 'Clip', label from 'Label', start from 'First frame', end from 'Stop frame'",
        "ignored columns: 'grup' (meant as group?), 'Remark'",
        "times are frames counted from 0, by the name of the column; the frame in 'Stop frame' is not included",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("video,start_s,end_s\na,3,\n", "line 2: 'a' has an event without end"),
        ("video,start_s,end_s\na,,3\n", "line 2: 'a' has an event without start"),
        (
            "video,start_s,end_s\na,-1,3\n",
            "line 2: 'a' has an event without start, since -1 means that there is none",
        ),
        ("video,label\na,1\na,0\n", "line 3: the labels of 'a' contradict: line 2 abnormal, line 3 normal"),
        ("video,label\na,1\na,1\n", "line 3: 'a' occurs twice, first in line 2"),
        (
            "video,label,start_s,end_s\na,no,,\na,yes,,\n",
            "line 3: the labels of 'a' contradict: line 2 normal, line 3 abnormal",
        ),
        ("video,start_s,end_s\na,5,3\n", "line 2: the range 5-3 is empty"),
        ("video,start_s,end_s\na,soon,3\n", "line 2: 'soon' is neither a time nor a frame number"),
        ("video,start,end,group\na,1,2,x\na,3,4,y\n", "line 3: 'a' has several groups: x, y"),
        ("video,start,end,frames\na,1,2,9\na,3,4,8\n", "line 3: 'a' has several numbers of frames: 8, 9"),
        ("video,label,anomalies\na,no,1:2\n", "line 2: 'a' is labelled 'no', and has times of anomalies"),
    ],
)
def test_problems_of_rows(tmp_path, text, message):
    sheet = sheet_of(tmp_path, text)
    assert [problem.reason for problem in sheet.problems] == [message]
    with pytest.raises(UsageError, match=r"sheet\.csv: line"):
        sheet.check()


@pytest.mark.parametrize(
    ("text", "needs", "message"),
    [
        (
            "Name;Datum\na;1\n",
            "labels",
            "its first line has no column for a label (label): 'Name', 'Datum'\n"
            "A label's column may be named label, labels, abnormal, anomalous, anomaly, isabnormal, isanomalous, "
            "isanomaly, truth, groundtruth, target, bewertung, befund; start and end do in its place. "
            "A first line that is right: video,label,group and below it, for example: cam1/a.mp4,abnormal,1",
        ),
        (
            "video,label\na,1\n",
            "truth",
            "its first line has no column for when something happens (anomalies, or start_s and end_s): 'video', "
            "'label'\nA column of times may be named anomalies, ranges, intervals, segments, events, range, interval, "
            "segment, times. A first line that is right: video,anomalies and below it, for example: "
            "cam1/a.mp4,0:03.4-0:05.9",
        ),
        (
            "video,start_s\na,1\n",
            "truth",
            "its first line has no column for when something happens (anomalies, or start_s and end_s)",
        ),
        ("Label,label\n1,1\n", "labels", "its first line has two columns named 'label': 'Label', 'label'"),
    ],
)
def test_a_header_that_does_not_do_is_shown_beside_one_that_does(tmp_path, text, needs, message):
    with pytest.raises(UsageError) as caught:
        sheet_of(tmp_path, text, needs)
    assert f"sheet.csv: {message}" in str(caught.value)


def test_rows_above_the_header_are_skipped_with_a_note(tmp_path):
    text = "Review, November, site North, K. M.\n\nNo.;Clip;Label\n1;a;yes\n"
    sheet = sheet_of(tmp_path, text)
    assert sheet.annotations == [Annotation("a", True, line=4)]
    assert sheet.notes()[:2] == [
        "UTF-8, separated by semicolons",
        "line 1 above the header is skipped: 'Review, November, site North, K. M.'",
    ]


def test_the_most_likely_header_is_shown_with_its_worksheet_and_line(tmp_path):
    book = Workbook()
    book.active.append(["Read me"])
    clips = book.create_sheet("Clips")
    for row in (["Review"], [], ["No.", "Clip", "Datum"], [1, "a", "x", "beside the header"]):
        clips.append(row)
    book.save(tmp_path / "sheet.xlsx")
    with pytest.raises(UsageError) as caught:
        read_sheet(tmp_path / "sheet.xlsx")
    assert "sheet.xlsx: worksheet 'Clips', line 3 has no column for a label (label): 'No.'" in str(
        caught.value
    )
    assert "Quote" not in str(caught.value)
    clips["C3"] = "Label"
    book.save(tmp_path / "sheet.xlsx")
    assert read_sheet(tmp_path / "sheet.xlsx").annotations == [Annotation("a", True, line=4)]


@pytest.mark.parametrize("name", ["What happened", "class"])
def test_cells_show_which_column_is_the_label(tmp_path, name):
    sheet = sheet_of(
        tmp_path, f"video,{name},start,end,seen\na,Fight,4.5,9.5,yes\nb,Fight,,,no\nc,nothing,,,yes\n"
    )
    assert [item.abnormal for item in sheet.annotations] == [True, True, False]
    assert f"no column is named as the label; the cells of {name!r} are words of labels" in sheet.notes()
    assert "ignored columns: 'seen'" in sheet.notes()
    sheet = sheet_of(
        tmp_path, f"video,{name}\na,Fight\nb,riot\nc,nothing\nd,street\n".replace("class", "seen")
    )
    assert [problem.reason for problem in sheet.problems] == ["line 5: unknown label 'street'"]


def test_without_a_label_rows_without_times_are_normal_with_a_note(tmp_path):
    note = "no column is a label: rows without times are taken as normal"
    assert note in sheet_of(tmp_path, "video,remark,start_s,end_s\na,crowd,1,2\nb,nothing,,\n").notes()
    assert note not in sheet_of(tmp_path, "video,start_s,end_s\na,1,2\n").notes()
