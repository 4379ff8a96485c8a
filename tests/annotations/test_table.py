"""Tables are read whatever program wrote them."""

import csv
import io
import sys
from datetime import date, datetime, time, timedelta
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from vadpipe.annotations.sheet import read_sheet
from vadpipe.annotations.table import read_tables
from vadpipe.errors import UsageError

ROWS = [["Video", "Label", "Note, or not"], ["a.mp4", "1", "größer"], ["b c.mp4", "0", 'he said "no"; twice']]


def written(separator, encoding, before=""):
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows(ROWS)
    return (before + text.getvalue()).encode(encoding)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("cp1252", "Windows-1252"),
    ],
)
def test_every_separator_in_every_encoding(tmp_path, separator, encoding, shown):
    path = tmp_path / "sheet.csv"
    path.write_bytes(written(separator, encoding))
    (table,) = read_tables(path)
    assert table.header == tuple(ROWS[0])
    assert [fields for _, fields in table.rows] == [tuple(row) for row in ROWS[1:]]
    assert [line for line, _ in table.rows] == [2, 3]
    assert table.form.startswith(f"{shown}, separated by ")


def test_a_mark_of_utf_16_big_endian_is_known(tmp_path):
    (tmp_path / "sheet.csv").write_bytes(b"\xfe\xff" + written(";", "utf-16-be"))
    assert read_tables(tmp_path / "sheet.csv")[0].header == tuple(ROWS[0])


def test_excels_hint_names_the_separator_and_counts_as_a_line(tmp_path):
    (tmp_path / "sheet.csv").write_bytes(written(";", "utf-8", before="sep=;\r\n"))
    (table,) = read_tables(tmp_path / "sheet.csv")
    assert table.header == tuple(ROWS[0])
    assert [line for line, _ in table.rows] == [3, 4]


def test_blank_rows_and_empty_columns_at_the_end_do_not_matter(tmp_path):
    (tmp_path / "sheet.csv").write_text("\n;;\nvideo;label;;\n;;;\na;1;;\nb\n")
    (table,) = read_tables(tmp_path / "sheet.csv")
    assert table.header == ("video", "label")
    assert table.rows == [(5, ("a", "1")), (6, ("b", ""))]


@given(
    st.lists(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1),
            min_size=2,
            max_size=2,
        ),
        min_size=2,
        max_size=4,
    )
)
def test_what_a_writer_quotes_is_read_again(tmp_path_factory, rows):
    rows[0] = ["video", "label"]
    path = tmp_path_factory.getbasetemp() / "quoted.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows)
    assert [list(fields) for _, fields in read_tables(path)[0].rows] == rows[1:]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xd0\xcf\x11\xe0old", "is an Excel file of before 2007, not a CSV file\nSave it as CSV (UTF-8) or as .xlsx."),
        (b"PK\x03\x04zip", "is a compressed file, such as .ods, not a CSV file"),
        (b"%PDF-1.7", "is a PDF, not a CSV file"),
        (b"video,label\n\x81,1\n", "is not a CSV file in UTF-8, UTF-16 or Windows-1252"),
        (b"video,label\n\0\0\0,1\n", "is not a CSV file in UTF-8, UTF-16 or Windows-1252"),
        (b'video,label\n"a,1\n', "is not a CSV file: unexpected end of data"),
        (b"video,label\na,1,surplus\n", "line 2: has 3 fields, more than the 2 of the first line (video, label)"),
    ],
)  # fmt: skip
def test_what_is_no_table_says_what_it_is(tmp_path, content, message):
    (tmp_path / "sheet.csv").write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_tables(tmp_path / "sheet.csv")
    assert f"sheet.csv: {message}" in str(caught.value)


def workbook(path, rows, title="Sheet", formats=()):
    book = Workbook()
    book.active.append(["nothing of interest"])
    sheet = book.create_sheet(title)
    for row in rows:
        sheet.append(row)
    for cell, form in formats:
        sheet[cell].number_format = form
    book.create_sheet("empty")
    book.save(path)
    return path


def test_cells_of_excel_are_what_excel_shows(tmp_path):
    rows = [
        ["video", "label", "times"],
        ["a", True, time(1, 30)],
        ["b", 1, time(0, 1, 30, 500_000)],
        [None, None, None],
        ["c", 0.1 + 0.2, timedelta(hours=26, seconds=5)],
        ["d", 1.0, "0:03.4-0:05.9"],
    ]
    path = workbook(
        tmp_path / "book.xlsx", rows, "Labels", [("C2", "h:mm"), ("C3", "mm:ss.0"), ("C5", "[h]:mm:ss")]
    )
    first, second = read_tables(path)
    assert first.header == ("nothing of interest",)
    assert second.form == "Excel, worksheet 'Labels' of 2"
    assert second.rows == [
        (2, ("a", "true", "1:30")),
        (3, ("b", "1", "0:01:30.5")),
        (5, ("c", "0.3", "26:00:05")),
        (6, ("d", "1", "0:03.4-0:05.9")),
    ]


def test_merged_cells_hold_what_they_show(tmp_path):
    book = Workbook()
    for row in (["camera", "video", "label"], ["c1", "a", 1], [None, "b", 0], [None] * 3, [None, "d", 0]):
        book.active.append(row)
    book.active.merge_cells("A2:A4")
    book.save(tmp_path / "book.xlsx")
    assert read_tables(tmp_path / "book.xlsx")[0].rows == [
        (2, ("c1", "a", "1")),
        (3, ("c1", "b", "0")),
        (5, ("", "d", "0")),
    ]


def test_a_merge_of_a_whole_worksheet_is_refused_before_it_is_made(tmp_path):
    path = workbook(tmp_path / "book.xlsx", [["video", "label"], ["a", 1]])
    with ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    with ZipFile(path, "w") as book:
        for name, part in parts.items():
            merged = b'</sheetData><mergeCells count="1"><mergeCell ref="A1:XFD1048576"/></mergeCells>'
            book.writestr(
                name, part.replace(b"</sheetData>", merged) if name.endswith("sheet2.xml") else part
            )
    with pytest.raises(UsageError, match=r"is not a readable Excel file: 17179869184 cells are merged"):
        read_tables(path)


def test_a_date_is_refused_only_where_a_time_is_wanted(tmp_path):
    rows = [["video", "anomalies", "day"], ["a", date(2024, 5, 3), date(2024, 5, 1)]]
    rows += [["b", datetime(2024, 5, 3, 14, 35, 2), None], ["c", "1.5-2", date(2024, 5, 1)]]
    sheet = read_sheet(workbook(tmp_path / "book.xlsx", rows))
    assert [item.video for item in sheet.annotations] == ["c"]
    assert [str(problem) for problem in sheet.problems] == [
        "line 2: '2024-05-03' is a date; Excel makes dates of ranges such as 3-5\n"
        "Format the column as text, and type the cell again.",
        "line 3: '2024-05-03 14:35:02': these look like times of day; times count from the start of the video\n"
        "Write for example 0:03.4-0:05.9 or 3.4s:5.9s for seconds, 60:180 for frames 60 to 179.",
    ]


def test_what_is_no_excel_file_is_refused(tmp_path):
    (tmp_path / "book.xlsx").write_bytes(b"video,label\n")
    with pytest.raises(UsageError, match=r"book\.xlsx: is not a readable Excel file: .*\nSave it again"):
        read_tables(tmp_path / "book.xlsx")
    with pytest.raises(UsageError, match=r"gone\.xlsx: cannot be read: No such file"):
        read_tables(tmp_path / "gone.xlsx")


def test_without_openpyxl_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(
        UsageError, match=r"book\.xlsx: Excel files need openpyxl.*\npip install 'vadpipe\[excel\]'"
    ):
        read_tables(tmp_path / "book.xlsx")
