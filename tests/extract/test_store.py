"""The folder of features: what is written, moved and claimed in it."""

import pytest

from support.forked_writers import run_forked_writers
from vadpipe.errors import OutputError
from vadpipe.files.atomic import move
from vadpipe.files.locks import VideoLock

READING = """
import vadpipe.extract.store as module
folder, read_header, seen = Path(sys.argv[1]), module.read_header, []
module.read_header = lambda path: (path.is_file() and seen.append(path), read_header(path))[1]
counts = []
for n_videos in (20, 40):
    videos = find_videos([folder / "v"])[0][:n_videos]
    for _ in range(2):
        work(folder / f"{n_videos}", videos)
        counts.append(len(seen))
        seen.clear()
json.dump(counts, sys.stdout)
"""


def test_how_many_files_are_read_grows_with_the_videos_and_not_with_their_square(tmp_path):
    (tmp_path / "v").mkdir()
    for number in range(40):
        (tmp_path / f"v/{number}.mp4").write_text(f"{number}")
    first, again, first_of_twice, again_of_twice = run_forked_writers(READING, tmp_path)
    assert first_of_twice == 2 * first
    assert again_of_twice == 2 * again
    assert again <= 3 * 20


FULL = """
import resource
from vadpipe.errors import VadpipeError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
folder = Path(sys.argv[1])
try:
    work(folder / "features", find_videos([folder / "v"])[0])
except VadpipeError as error:
    json.dump([error.exit_code, str(error), [*content(folder / "features")]], sys.stdout)
"""


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path):
    (tmp_path / "v").mkdir()
    (tmp_path / "v/a.mp4").touch()
    code, said, left = run_forked_writers(FULL, tmp_path)
    assert (code, left) == (6, [])
    assert "a.mp4.safetensors: cannot be written: " in said
    assert "File too large" in said
    assert not [
        path for path in (tmp_path / "features").rglob("*") if path.name.startswith((".part", ".tmp"))
    ]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_takes_a_name_only_where_it_is_free(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr("pathlib.Path.hardlink_to", refuse)
    for number in range(3):
        (tmp_path / f"{number}").write_text(f"{number}")
    target = tmp_path / "deep/er/name"
    assert move(tmp_path / "0", target, replacing=False)
    assert not move(tmp_path / "1", target, replacing=False)
    assert (target.read_text(), (tmp_path / "1").read_text()) == ("0", "1")
    assert move(tmp_path / "2", target, replacing=True)
    assert target.read_text() == "2"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "deep"]
    with pytest.raises(OutputError, match="1/name: cannot be written"):
        move(target, tmp_path / "1/name", replacing=False)


def refuse(*arguments):
    raise PermissionError(1, "no links here")


def test_a_claim_is_one_process_s_and_leaves_no_file(tmp_path):
    mine, theirs = (VideoLock(tmp_path / "locks/a.lock") for _ in range(2))
    assert mine.take(wait=False)
    assert not theirs.take(wait=False)
    mine.close()
    mine.close()  # which may happen, and takes nothing from
    assert theirs.take(wait=True)
    theirs.close()
    assert [*(tmp_path / "locks").iterdir()] == []
