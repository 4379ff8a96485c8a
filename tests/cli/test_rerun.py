"""Each command records its run, and ``rerun`` gives the same bytes, or says why it cannot."""

import hashlib
import json
import os
import shutil
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import vadpipe
from support.commands import run
from support.head_settings import QUICK
from support.labelled_features import write_labelled_features
from support.videos import write_video
from vadpipe.cli import app
from vadpipe.runs.record import read_record

QUICK_HEAD = ["--set", "hidden=4", "--set", "cluster_dim=2", "--set", "steps=6", "--set", "checks=3"]
QUICK_HEAD += ["--set", "batch_bags=2", "--set", "folds=2"]


@pytest.fixture(scope="module")
def place(tmp_path_factory, x3d_head, x3d_weights):
    """A folder in which each command was run, and what each printed."""
    folder = tmp_path_factory.mktemp("runs")
    write_video(folder / "videos/a.mp4", 32)
    write_video(folder / "videos/b.mp4", 40)
    (folder / "videos/bad.mp4").write_text("text")
    write_labelled_features(folder)
    shutil.copytree(folder / "features", folder / "known")
    shutil.copy(x3d_head, folder / "x3d.safetensors")
    shutil.copy(x3d_weights, folder / "x3d.pyth")
    for name in ("a", "b"):
        (folder / "arrays").mkdir(exist_ok=True)
        np.save(
            folder / f"arrays/{name}.npy", np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
        )
    (folder / "x.yaml").write_text("extract: {stride: 16}\nscore: {format: 'csv,json', features: kept}\n")
    made = ["--config", "x.yaml", "--weights", "x3d.pyth"]
    commands = {
        "extract": ["extract", "videos", "-o", "made", "--backbone", "x3d_xs", *made],
        "fit": ["fit", "-o", "head", "--labels", "labels.csv", "--seed", "3", *QUICK_HEAD],
        "evaluate": ["evaluate", "--truth", "truth.csv", "--head", "head", "--bootstrap", "10",
                     "--include-training-videos"],
        "compare": ["compare", "head", "evaluation", "--truth", "truth.csv", "--bootstrap", "10",
                    "--include-training-videos"],
        "ablate": ["ablate", "--truth", "truth.csv", "--folds", "2", "--seeds", "1", "--rows", "mil", "--workers", "1",
                   "--bootstrap", "10", *QUICK_HEAD],
        "import": ["features", "import", "arrays", "--backbone", "i3d_r50", "-o", "imported"],
        "score": ["score", "videos", "-o", "scores", "--head", "x3d.safetensors", "--plot", *made],
    }  # fmt: skip
    labels = [
        f"{path.stem},{int('normal' not in path.stem)}" for path in (folder / "features").rglob("*.mp4.*")
    ]
    (folder / "labels.csv").write_text("\n".join(["video,label", *labels]) + "\n")
    done = {name: run(*arguments, cwd=folder) for name, arguments in commands.items()}
    return folder, done


RECORDS = {
    "extract": "made/run.json",
    "fit": "head/run.json",
    "evaluate": "evaluation/run.json",
    "compare": "comparison/run.json",
    "ablate": "ablation/run.json",
    "import": "imported/run.json",
    "score": "scores/run.json",
}


def contents(folder):
    """Return the digest of every result in a folder; the time and the name of an earlier record are left out."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "run.json" and not path.name.endswith(".failed.json")
    }


@pytest.mark.parametrize("command", RECORDS)
def test_a_rerun_gives_the_same_bytes(place, tmp_path, command):
    folder, done = place
    bad = command in ("extract", "score")
    assert done[command].returncode == (3 if bad else 0), done[command].stderr
    record = read_record(folder / RECORDS[command])
    assert record.outcome == "finished"
    results = contents((folder / RECORDS[command]).parent)
    assert {item.file: item.sha256 for item in record.outputs}.items() <= results.items()
    again = run("rerun", RECORDS[command], "-o", tmp_path / "again", cwd=folder)
    assert again.returncode == (3 if bad else 0), again.stderr
    n = len(record.outputs)
    assert n > 0
    assert f"{n} of {n} results are the same bytes" in again.stderr
    assert {
        name: digest for name, digest in contents(tmp_path / "again").items() if "kept/" not in name
    } == results
    second = read_record(tmp_path / "again/run.json")
    assert second.rerun.of == hashlib.sha256((folder / RECORDS[command]).read_bytes()).hexdigest()
    assert second.rerun.forced == ()
    for name in ("command", "versions", "recipe", "seed", "counts", "outputs", "warnings", "inputs"):
        assert getattr(second, name) == getattr(record, name), name


def test_records_say_what_became_of_each_video(place):
    folder, _ = place
    record = read_record(folder / "made/run.json")
    assert [(video.file, video.status) for video in record.videos] == [
        ("videos/a.mp4", "done"), ("videos/b.mp4", "done"), ("videos/bad.mp4", "failed"),
    ]  # fmt: skip
    assert record.videos[0].sha256 == hashlib.sha256((folder / "videos/a.mp4").read_bytes()).hexdigest()
    assert record.videos[2].reason.startswith("is not a video")
    assert vars(record.counts) == {"done": 2, "failed": 1, "skipped": 0}
    assert record.arguments["stride"] == 16  # of the file
    assert (record.recipe.backbone, record.recipe.stride_frames) == ("x3d_xs", 16)


def test_inputs_have_digests(place):
    folder, _ = place

    def inputs(name):
        return {(item.role, item.file, item.n_files) for item in read_record(folder / RECORDS[name]).inputs}

    assert inputs("fit") == {("features", "features", 10), ("labels", "labels.csv", None)}
    assert inputs("evaluate") == {
        ("head", "head/head.safetensors", None), ("truth", "truth.csv", None), ("features", "features", 10),
    }  # fmt: skip
    assert inputs("score") == {("head", "x3d.safetensors", None)}
    compared = {("candidates", "head/head.safetensors", None), ("candidates", "evaluation", 2)}
    assert inputs("compare") >= compared


@pytest.fixture
def copied(place, tmp_path):
    shutil.copytree(place[0], tmp_path / "copy")
    return tmp_path / "copy"


def refused(folder, record, *options):
    done = run("rerun", record, "-o", "again", *options, cwd=folder)
    assert done.returncode == 2
    assert not (folder / "again").exists()
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert lines[1] == "Restore them, or pass --force; the new record will say what differed."
    return lines[0].removeprefix(f"error: {record}: cannot be repeated, because ")


def test_a_folder_may_be_copied_with_its_records(copied):
    done = run("rerun", copied / "made/run.json", "-o", copied / "again", "-q", cwd="/")
    assert done.returncode == 3  # of the bad video
    assert contents(copied / "again").keys() == contents(copied / "made").keys()


def test_what_has_changed_is_refused_by_name_and_forced_on_request(copied):
    (copied / "truth.csv").write_text((copied / "truth.csv").read_text() + "\n")
    said = refused(copied, "evaluation/run.json")
    assert said == "truth truth.csv has different content"
    done = run("rerun", "evaluation/run.json", "-o", "forced", "--force", cwd=copied)
    assert (done.returncode, "note: truth truth.csv has different content" in done.stderr) == (3, True)
    assert "4 of 5 results are the same bytes\nnot the same: metrics.json" in done.stderr  # names the digest
    assert read_record(copied / "forced/run.json").rerun.forced == ("truth truth.csv has different content",)


def test_features_heads_and_videos_that_changed_are_named(copied):
    one = sorted((copied / "features").rglob("*.safetensors"))[0]
    one.rename(one.with_name("other.mp4.safetensors"))
    assert refused(copied, "head/run.json") == "features features has a file with different content"
    one.with_name("other.mp4.safetensors").unlink()
    assert refused(copied, "head/run.json") == "features features has 9 files, had 10"
    write_video(copied / "videos/a.mp4", 33)
    write_video(copied / "videos/new.mp4", 33)
    (copied / "videos/b.mp4").unlink()
    said = refused(copied, "made/run.json")
    assert "video videos/a.mp4 has " in said
    assert "video videos/b.mp4 is missing; video videos/new.mp4 is new" in said


def test_a_video_of_another_time_is_read_and_one_of_another_content_refused(copied):
    path = copied / "videos/a.mp4"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(path, ns=(1, 1))
    assert refused(copied, "scores/run.json") == "video videos/a.mp4 has different content"


def test_versions_that_changed_are_named(copied):
    path = copied / "head/run.json"
    known = json.loads(path.read_text())
    known["versions"] |= {"torch": "1.0", "gone": "2"}
    path.write_text(json.dumps(known))
    assert (
        refused(copied, "head/run.json")
        == f"gone is not installed, was 2; torch is {metadata.version('torch')}, was 1.0"
    )


def test_results_that_differ_end_with_3(copied):
    path = copied / "head/run.json"
    known = json.loads(path.read_text())
    known["outputs"][0]["sha256"] = "0" * 64
    path.write_text(json.dumps(known))
    done = run("rerun", "head/run.json", "-o", "again", "-q", cwd=copied)
    assert done.returncode == 3
    assert f"not the same: {known['outputs'][0]['file']}" in done.stderr


def test_without_another_folder_finished_work_is_compared(copied):
    done = run("rerun", "head/run.json", cwd=copied)
    assert done.returncode == 0
    assert "not run again" in done.stderr
    assert "6 of 6 results are the same bytes" in done.stderr


def test_calls_from_python_are_recorded_but_not_repeated(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_labelled_features(tmp_path)
    labels = {path.name.removesuffix(".safetensors"): int("normal" not in path.name)
              for path in (tmp_path / "features").rglob("*.mp4.safetensors")}  # fmt: skip
    vadpipe.fit("features", labels=labels, output="head", settings=QUICK)
    assert read_record(Path("head/run.json")).arguments is None
    done = CliRunner().invoke(app, ["rerun", "head/run.json"])
    assert str(done.exception).startswith(
        "head/run.json: is of a call from Python, which no command line repeats"
    )


def test_one_video_has_a_record_of_its_own_name(place):
    folder, _ = place
    options = ["--head", "x3d.safetensors", "--weights", "x3d.pyth", "-q", "-o", "single"]
    for name in ("a", "b"):
        assert run("score", f"videos/{name}.mp4", *options, cwd=folder).returncode == 0
    assert {path.name for path in (folder / "single").glob("*.json")} == {"a.run.json", "b.run.json"}


@pytest.mark.parametrize(
    "part", [["score", "--shard", "2/2"], ["extract", "--shard", "2/2", "--durations", "d.csv"]]
)
def test_a_shard_of_a_list_on_standard_input_is_not_repeated(place, tmp_path, part):
    """Which files a balanced shard takes, and what scores are called, depends on the videos of the other."""
    folder, _ = place
    (tmp_path / "d.csv").write_text("video,duration_s\nvideos/a.mp4,2\nvideos/b.mp4,3\n")
    made = ["--config", folder / "x.yaml", "--weights", folder / "x3d.pyth", "-o", "out"]
    made += ["--head", folder / "x3d.safetensors"] if part[0] == "score" else ["--backbone", "x3d_xs"]
    names = f"{folder}/videos/a.mp4\n{folder}/videos/b.mp4\n"
    done = run(*part, *made, "--", "-", cwd=tmp_path, stdin=names)
    assert done.returncode == 0, done.stderr
    (record,) = (tmp_path / "out").glob("run-2-of-2.json")
    again = run("rerun", record, "-o", tmp_path / "again", cwd=tmp_path)
    assert again.returncode == 2
    assert "is of one shard of a list on standard input" in again.stderr
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("command", ["extract", "score"])
def test_a_shard_is_repeated(place, tmp_path, command):
    folder, _ = place
    shutil.copytree(folder / "videos", tmp_path / "videos")
    made = ["--config", folder / "x.yaml", "--weights", folder / "x3d.pyth", "-o", "out", "--shard", "2/2"]
    made += ["--head", folder / "x3d.safetensors"] if command == "score" else ["--backbone", "x3d_xs"]
    run(command, "videos", *made, cwd=tmp_path)
    record = read_record(tmp_path / "out/run-2-of-2.json")
    again = run("rerun", "out/run-2-of-2.json", "-o", "again", cwd=tmp_path)
    n = len(record.outputs)
    assert n
    assert f"{n} of {n} results are the same bytes" in again.stderr
    assert read_record(tmp_path / "again/run-2-of-2.json").outputs == record.outputs


def test_two_commands_into_one_folder_keep_both_records(place, tmp_path):
    folder, _ = place
    for threshold in ("0.4", "0.5"):
        options = ["--truth", "truth.csv", "--bootstrap", "0", "--head", "head", "-o", tmp_path / "e", "-q"]
        options.append("--include-training-videos")
        assert run("evaluate", *options, "--threshold", threshold, cwd=folder).returncode == 0
    records = [read_record(tmp_path / "e" / name) for name in ("run-1.json", "run.json")]
    assert [record.resolved["threshold"] for record in records] == [0.4, 0.5]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"command": "../../evil"}, "is of a command that leaves no records: ../../evil"),
        ({"command": "weights"}, "is of a command that leaves no records: weights"),
        ({"started_in": "\0"}, "was started in a folder that cannot be entered"),
        ({"arguments": {"videos": 3}}, "the record of 'score' names no list of files"),
        ({"arguments": {"videos": [3]}}, "the record of 'score' names no list of files"),
        ({"command": "features import", "resolved": {}}, "has no settings of an import"),
        (
            {"inputs": [{"role": "labels", "file": "/dev/zero", "sha256": "0"}]},
            "labels /dev/zero cannot be read: Not a regular file",
        ),
        (
            {"inputs": [{"role": "labels", "file": "a\0", "sha256": "0"}]},
            "cannot be read: embedded null byte",
        ),
    ],
)
def test_a_record_that_no_run_wrote(copied, changes, message):
    record = copied / "scores/run.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | changes))
    done = run("rerun", record, "-o", "again", cwd=copied)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) <= 2


@pytest.mark.parametrize(
    ("of", "arguments", "message"),
    [
        ("head", {"output": "../elsewhere"}, "writes to {folder}/elsewhere"),
        ("scores", {"clips": "clips"}, "writes to {folder}/copy/clips"),
    ],
)
def test_a_record_writes_outside_its_folder_only_if_it_is_trusted(copied, of, arguments, message):
    record = copied / of / "run.json"
    known = json.loads(record.read_text())
    known["arguments"] |= arguments
    record.write_text(json.dumps(known))
    before = contents(copied.parent)
    done = run("rerun", record, cwd=copied)
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert message.format(folder=copied.parent.resolve()) in lines[0]
    assert lines[1:] == [
        "Pass --trust if you know where the record comes from; or -o OUTPUT, which is all that it may write to then."
    ]
    assert contents(copied.parent) == before


def test_a_record_that_is_trusted_writes_where_it_says(copied):
    known = json.loads((copied / "evaluation/run.json").read_text())
    (copied / "kept").mkdir(exist_ok=True)
    (copied / "kept/run.json").write_text(json.dumps(known))
    shutil.rmtree(copied / "evaluation")
    assert run("rerun", "kept/run.json", cwd=copied).returncode == 2
    assert not (copied / "evaluation").exists()
    done = run("rerun", "kept/run.json", "--trust", cwd=copied)
    assert (done.returncode, "5 of 5 results are the same bytes" in done.stderr) == (0, True)
    assert read_record(copied / "evaluation/run.json").outcome == "finished"


def test_a_record_connects_to_nothing_unless_it_is_trusted(copied):
    record = copied / "made/run.json"
    known = json.loads(record.read_text())
    known["arguments"] |= {"ray": "example.invalid:1"}
    record.write_text(json.dumps(known))
    done = run("rerun", record, "-o", "again", cwd=copied)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"error: {record}: connects to the Ray cluster example.invalid:1",
        "Pass --trust if you know where the record comes from.",
    ]
