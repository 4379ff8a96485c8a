"""Names of videos that break formats which do not escape them."""

NO_TEXT = "bytes that are no text"


HOSTILE = {
    "quotes, markup, a line break": "a\"b'<>&,;\nc.mp4",
    "cue syntax": "00:00:01.000 --> 00:00:02.000.mp4",
    "brackets and braces": "[ 1, 2 ] {}$%@#\\.mp4",
    "control characters": "a\x07\x1b\x7f\x85\u2028b\r.mp4",
    "accents and ideographs": "Café Größe 監視カメラ.mp4",
    "right to left": "מצלמה \u202eabc كاميرا.mp4",
    "beyond the basic plane": "😀🏴‍☠️.mp4",
    "as long as names get": "監" * 83 + "__.mp4",
    "a dash first": "-o --version.mp4",
    "a formula": "=SUM(A1:A9).mp4",
    "a character that no file's name has": "a\x00.mp4",
    NO_TEXT: "a\udcff\udc80.mp4",
    "no suffix": "clip",
    "a hidden file": ".clip",
    "dots": "cam.2026.11.24.mp4",
    "nothing but spaces": "   .mp4",
    "an edit list's own words": "* FROM CLIP NAME: x.mp4",
}


FILES = {kind: name for kind, name in HOSTILE.items() if "\x00" not in name}
