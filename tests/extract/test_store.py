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


PARTS = """
import pickle
from dataclasses import replace
from vadpipe.errors import InputError
from vadpipe.extract.store import content_digest
folder = Path(sys.argv[1])
videos, _ = find_videos([folder / "one/v", folder / "two/v"])
store = FeatureStore(folder / "f", places=[video.place for video in videos])
by_path = {video.path.relative_to(folder).as_posix(): video for video in videos}
for name in ("one/v/a.mp4", "one/v/b.mp4"):
    made = features_of(by_path[name])
    sha256 = content_digest(by_path[name].path)
    store.write(replace(made, source=made.source.model_copy(update={"sha256": sha256})), by_path[name])
store.remember_failure(by_path["one/v/failed.mp4"], "asked", InputError("is broken"))

def known(store, video):
    found = store.find(video)
    return [None if found is None else str(found.path), str(store.past_failure(video, "asked"))]

def of_part(video, places):
    return FeatureStore.of_part(pickle.loads(pickle.dumps(store.part_of([video]))), places)

whole = {name: known(store, video) for name, video in by_path.items()}
parts = {name: known(of_part(video, store.places), video) for name, video in by_path.items()}
alone = known(of_part(by_path["two/v/a.mp4"], frozenset()), by_path["two/v/a.mp4"])
json.dump([whole, parts, alone], sys.stdout)
"""


def test_a_part_of_a_store_knows_of_its_videos_what_the_whole_does(tmp_path):
    for name in ("one/v/a", "two/v/a", "one/v/b", "one/v/failed", "one/v/new"):
        (tmp_path / f"{name}.mp4").parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.mp4").write_text("a copy" if name.endswith("a") else name)
    whole, parts, alone = run_forked_writers(PARTS, tmp_path)
    assert parts == whole
    features = f"{tmp_path}/f/v/a.mp4.safetensors"
    assert whole["one/v/a.mp4"] == [features, "None"]
    assert whole["two/v/a.mp4"] == [None, "None"]  # those of another requested video are never taken
    assert alone == [features, "None"]  # as they would be without knowing of the others
    assert "is broken (failed in an earlier run" in whole["one/v/failed.mp4"][1]
