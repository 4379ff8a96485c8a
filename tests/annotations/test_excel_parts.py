"""Excel files of a few kilobytes that would take gigabytes are refused, whatever part of them does it."""

import struct
import zipfile
import zlib
from xml.etree import ElementTree

import openpyxl
import pytest

from support.refusals import refusals
from vadpipe.annotations import excel_parts
from vadpipe.annotations.table import read_tables
from vadpipe.errors import UsageError

SHEET = "xl/worksheets/sheet1.xml"
LIMIT_MB = 100
"""Beyond what reading a good sheet takes."""


def book(path, change=lambda xml: xml, compression=zipfile.ZIP_DEFLATED):
    """Write a workbook whose worksheet is changed as XML."""
    made = openpyxl.Workbook()
    for row in (("video", "label"), ("a", "normal")):
        made.active.append(row)
    made.save(path.with_suffix(".made"))
    with zipfile.ZipFile(path.with_suffix(".made")) as old, zipfile.ZipFile(path, "w", compression) as new:
        for name in old.namelist():
            new.writestr(name, change(old.read(name)) if name == SHEET else old.read(name))
    return path


def plus(text):
    """Return what adds rows."""
    return lambda xml: xml.replace(b"</sheetData>", text + b"</sheetData>")


def after(text):
    """Return what adds something after the rows."""
    return lambda xml: xml.replace(b"</sheetData>", b"</sheetData>" + text)


def of_16_bits(xml):
    return (b'<?xml version="1.0" encoding="UTF-16"?>' + xml.rpartition(b"?>")[2]).decode().encode("utf-16")


EVERYWHERE = b"'A1:XFD1048576'"
MERGED = after(b"<mergeCells count='1'><mergeCell ref=" + EVERYWHERE + b"/></mergeCells>")
LINKED = after(b"<hyperlinks><hyperlink ref=" + EVERYWHERE + b" location='x'/></hyperlinks>")
ENTITIES = b'<!DOCTYPE x [<!ENTITY a "%s"><!ENTITY b "%s">]>' % (b"a" * 1000, b"&a;" * 1000)
COVERED = "17179869184 cells are merged, or have one link or comment in common"

HOSTILE = {
    "spaces": (plus(b" " * 150_000_000), "it unpacks to 150 MB, above the limit of 134"),
    "cells": (plus(b"<row>" + b"<c/>" * 300_000 + b"</row>"), "it has more than 262144 cells or other"),
    "a cell far off": (
        plus(b"<row r='1048576'><c r='XFD1048576'><v>1</v></c></row>"),
        "its tables have 17179869184 cells, of which at most 4194304 are read",
    ),
    "a row beyond the last": (plus(b"<row><c r='A99999999999'><v>1</v></c></row>"), "its tables have 199999"),
    "merged": (MERGED, COVERED),
    "merged in 16 bits": (lambda xml: of_16_bits(MERGED(xml)), COVERED),
    "linked": (LINKED, COVERED),
    "columns linked": (lambda xml: LINKED(xml).replace(EVERYWHERE, b"'A:XFD'"), COVERED),
    "attributes": (plus(b"<row " + b" ".join(b"a%d=''" % n for n in range(400_000)) + b"/>"), "longer than any"),
    "nested": (plus(b"<a>" * 1_000_000), "it is nested too deeply"),
    "entities": (lambda xml: ENTITIES + plus(b"<row><c><v>&b;</v></c></row>")(xml), "a document type"),
}  # fmt: skip


def understated(path):
    """Write a workbook whose archive says that a part of 200 MB has a kilobyte, and its checksum."""
    book(path, plus(b" " * 200_000_000))
    with zipfile.ZipFile(path) as archive:
        true, start = archive.getinfo(SHEET), archive.open(SHEET).read(1000)
    content = path.read_bytes()
    for number, said in ((true.file_size, 1000), (true.CRC, zlib.crc32(start))):
        content = content.replace(struct.pack("<I", number), struct.pack("<I", said))
    path.write_bytes(content)
    return path


def test_what_would_take_gigabytes_is_refused_in_little_memory(tmp_path):
    files = {
        what: book(tmp_path / f"{n}.xlsx", change) for n, (what, (change, _)) in enumerate(HOSTILE.items())
    }
    files["another compression"] = book(tmp_path / "lzma.xlsx", compression=zipfile.ZIP_LZMA)
    files["understated"] = understated(tmp_path / "understated.xlsx")
    reasons = [reason for _, reason in HOSTILE.values()]
    reasons += ["the compression of ", "no element found"]
    (said, usual_mb), *told = refusals(
        "from pathlib import Path; from vadpipe.annotations.table import read_tables; import openpyxl\n"
        "from vadpipe.annotations import excel_parts; excel_parts.MOST_ELEMENTS = 2**18  # sooner",
        "read_tables(Path(path))",
        [book(tmp_path / "good.xlsx"), *files.values()],
    )
    assert said is None
    for what, reason, (said, mb) in zip(files, reasons, told, strict=True):
        assert said is not None, what
        assert said.startswith(f"{files[what]}: is not a readable Excel file: "), what
        assert reason in said, what
        assert mb < usual_mb + LIMIT_MB, what


def test_a_link_and_merged_cells_of_usual_size_are_read(tmp_path):
    made = openpyxl.Workbook()
    for row in (("video", "label"), ("a", "normal"), (None, "abnormal")):
        made.active.append(row)
    made.active.merge_cells("A2:A3")
    made.active["B2"].hyperlink = "https://example.org"
    made.save(tmp_path / "book.xlsx")
    assert [fields for _, fields in read_tables(tmp_path / "book.xlsx")[0].rows] == [
        ("a", "normal"),
        ("a", "abnormal"),
    ]


def test_a_picture_is_left_out(tmp_path):
    path = book(tmp_path / "book.xlsx")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/media/image1.png", b"\x89PNG" + bytes(1000))
    with zipfile.ZipFile(excel_parts.checked_parts(path)) as parts, zipfile.ZipFile(path) as archive:
        sizes = {part.filename: part.file_size for part in parts.infolist()}
        assert sizes.pop("xl/media/image1.png") == 0
        assert all(parts.read(name) == archive.read(name) for name in sizes)
    assert len(read_tables(path)[0].rows) == 1


def test_many_parts(tmp_path):
    with zipfile.ZipFile(tmp_path / "book.xlsx", "w") as archive:
        for number in range(20_000):
            archive.writestr(f"{number}", b"")
    with pytest.raises(UsageError, match=r"book\.xlsx: is not a readable Excel file: it has 20000 parts"):
        read_tables(tmp_path / "book.xlsx")


def test_as_many_cells_as_allowed_may_be_covered(tmp_path, monkeypatch):
    path = book(tmp_path / "book.xlsx", after(b"<mergeCells><mergeCell ref='D1:F4'/></mergeCells>"))
    monkeypatch.setattr(excel_parts, "MOST_COVERED", 12)
    assert len(read_tables(path)[0].rows) == 1
    monkeypatch.setattr(excel_parts, "MOST_COVERED", 11)
    with pytest.raises(UsageError, match="12 cells are merged"):
        read_tables(path)


def n_counted(path):
    """Count every element one, and one more for each eight attributes."""
    with zipfile.ZipFile(path) as archive:
        elements = [
            element
            for name in archive.namelist()
            for element in ElementTree.fromstring(archive.read(name)).iter()
        ]
    return sum(1 + len(element.attrib) // 8 for element in elements)


@pytest.mark.parametrize("n_attributes", [0, 7, 8, 80])
def test_eight_attributes_count_as_an_element(tmp_path, monkeypatch, n_attributes):
    row = b"<row " + b" ".join(b"a%d=''" % number for number in range(n_attributes)) + b"/>"
    path = book(tmp_path / "book.xlsx", plus(row))
    monkeypatch.setattr(excel_parts, "MOST_ELEMENTS", n_counted(path))
    assert len(read_tables(path)[0].rows) == 1
    monkeypatch.setattr(excel_parts, "MOST_ELEMENTS", n_counted(path) - 1)
    with pytest.raises(UsageError, match="it has more than .* cells or other elements"):
        read_tables(path)
