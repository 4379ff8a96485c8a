"""The command line as its users meet it: what it writes, what it says, and how it ends."""

import json
import os
import platform
import re
import subprocess
import sys
from importlib import metadata

import pytest

from support.commands import COMMAND_LINE, assert_clean_error, run, run_anew, start
from support.feature_files import write_features
from support.videos import write_video
from vadpipe.cli.head_settings import head_settings
from vadpipe.diagnostics import environment
from vadpipe.errors import OutputError
from vadpipe.head.checkpoint import TrainedHead
from vadpipe.head.methods import find_method
from vadpipe.head.presets import find_preset
from vadpipe.head.settings import HeadSettings

FEW = ["--set", "steps=4", "--set", "learning_rate=0.01", "--set", "batch_bags=2"]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory, x3d_weights):
    """A folder in which the three commands were run, with x3d_xs and few steps for speed; one of them as users do."""
    folder = tmp_path_factory.mktemp("workplace")
    for kind, size in (("fight", (120, 160)), ("normal", (160, 120))):
        for index in range(2):
            write_video(folder / "videos" / kind / f"{index}.mp4", 30 + index, size=size)
    write_video(folder / "clip.mp4", 37)
    options = ["--backbone", "x3d_xs", "--weights", x3d_weights]
    runs = {
        "extract": run("extract", "videos/", *options, cwd=folder),
        "fit": run_anew("fit", *FEW, cwd=folder),
        "score": run("score", "clip.mp4", "--plot", "--head", "head", "--weights", x3d_weights, cwd=folder),
    }
    return folder, runs


def test_extract_writes_features(workplace):
    folder, runs = workplace
    assert runs["extract"].returncode == 0
    note, summary = runs["extract"].stderr.splitlines()
    assert note.startswith("note: the included head takes no features of --backbone x3d_xs")
    assert summary == "4 extracted, 0 already done, 0 failed: features"
    assert runs["extract"].stdout == ""
    assert len(list((folder / "features/videos").rglob("*.safetensors"))) == 4


def test_fit_reads_features_writes_head_and_says_how_to_score(workplace):
    folder, runs = workplace
    assert runs["fit"].returncode == 0, runs["fit"].stderr
    assert sorted(path.name for path in (folder / "head").iterdir()) == [
        "head.safetensors",
        "history.csv",
        "last.safetensors",
        "metrics.json",
        "run.json",
        "settings.json",
        "training.png",
    ]
    for line in ("folder fight", "2 videos, abnormal", "folder normal", "step 4 of 4", "threshold"):
        assert line in runs["fit"].stdout
    # With torch 2.15 on Python 3.12, triton lists what it leaks when the process ends.
    said = runs["fit"].stderr.partition("nanobind: leaked")[0]
    assert said.rstrip().endswith("vadpipe score VIDEO --head head --plot")


def test_score_writes_a_row_a_frame_and_a_picture_beside_the_clip(workplace):
    folder, runs = workplace
    assert runs["score"].returncode == 0, runs["score"].stderr
    assert runs["score"].stdout == "clip.scores.csv\nclip.events.csv\nclip.png\n"
    assert len((folder / "clip.scores.csv").read_text().splitlines()) == 38
    assert (folder / "clip.png").read_bytes().startswith(b"\x89PNG")
    assert "clip.mp4: 37 frames, highest score " in runs["score"].stderr


def test_settings_of_a_fit_can_be_used_again(workplace):
    folder, _ = workplace
    done = run("fit", "--settings", "head/settings.json", "-o", "again", "-q", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "again/head.safetensors").read_bytes() == (folder / "head/head.safetensors").read_bytes()


def test_a_missing_file(tmp_path):
    assert_clean_error(run("score", "gone.mp4", cwd=tmp_path), 4, "error: gone.mp4: no such file")
    assert_clean_error(run("extract", "gone.mp4", "-q", cwd=tmp_path), 4, "error: gone.mp4: no such file")
    assert list(tmp_path.iterdir()) == []


def test_a_text_file_named_mp4(tmp_path):
    (tmp_path / "clip.mp4").write_text("#EXTM3U\n")
    done = run("score", "clip.mp4", "--plot", cwd=tmp_path)
    assert_clean_error(done, 4, "error: clip.mp4: is not a video: it begins with text", "ffmpeg")
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_an_empty_folder(tmp_path):
    (tmp_path / "videos").mkdir()
    done = run("extract", "videos/", cwd=tmp_path)
    assert_clean_error(
        done, 4, "error: videos: contains no video", "Looked for folders of numbered pictures and files"
    )
    assert not (tmp_path / "features").exists()
    assert_clean_error(run("fit", cwd=tmp_path), 2, "error: features: contains no feature file")


def test_features_of_another_backbone(tmp_path, workplace):
    folder, _ = workplace
    done = run("score", folder / "clip.mp4", "--backbone", "x3d_xs", cwd=tmp_path)
    assert_clean_error(done, 2, "the head was trained on features of i3d, not of x3d_xs")
    write_features(tmp_path / "features", "normal", 1)
    write_features(tmp_path / "features", "fight", 1, backbone="x3d_xs")
    assert_clean_error(
        run("fit", cwd=tmp_path), 2, "contains features of several recipes", "backbone=x3d_xs", "backbone=i3d"
    )
    assert not (tmp_path / "head").exists()


def test_an_output_that_cannot_be_written(tmp_path, workplace, x3d_weights):
    folder, _ = workplace
    (tmp_path / "taken").write_text("a file")
    code = OutputError.exit_code
    options = ["--backbone", "x3d_xs", "--weights", x3d_weights]
    done = run("extract", folder / "clip.mp4", "-o", "taken", *options, cwd=tmp_path)
    assert_clean_error(done, code, "error: taken: cannot be written")
    done = run("fit", "--features", folder / "features", "-o", "taken", cwd=tmp_path)
    assert_clean_error(done, code, "error: taken: cannot be written")
    done = run("score", folder / "clip.mp4", "-o", "taken", "--head", folder / "head", *options, cwd=tmp_path)
    assert_clean_error(done, code, "taken", "cannot be written")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_some_bad_among_good(workplace, x3d_weights, tmp_path):
    folder, _ = workplace
    (tmp_path / "bad.mp4").write_text("text")
    options = ["--backbone", "x3d_xs", "--weights", x3d_weights, "-o", tmp_path / "f"]
    done = run("extract", "bad.mp4", folder / "clip.mp4", *options, cwd=tmp_path)
    assert_clean_error(done, 3, "error: bad.mp4: is not a video", "1 extracted, 0 already done, 1 failed")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "lambda=1"], "error: unknown setting 'lambda'"),
        (["--set", "temperature=0"], "error: temperature: Input should be greater than 0"),
        (["--set", "learning_rate=inf"], "error: learning_rate: Input should be a finite number"),
        (["--set", "steps"], "error: --set must be NAME=VALUE, not 'steps'\nFor example --set steps=400."),
        (
            ["--preset", "fast"],
            "error: unknown preset 'fast'\nChoose one of: default, baseline, literal, ",
        ),
        (
            ["--settings", "none.json"],
            "error: none.json: no such file\nPass a file of settings, JSON, YAML or TOML, as ",
        ),
        (
            ["--settings", "none.yaml"],
            "error: none.yaml: no such file\nPass a file of settings, JSON, YAML or TOML, as ",
        ),
        (["--labels", "none.csv"], "error: none.csv: cannot be read"),
        (["--normal", "street"], "error: no video is in a folder named street"),
    ],
)
def test_mistakes_in_options(workplace, arguments, message):
    folder, _ = workplace
    assert_clean_error(run("fit", "-o", "never", *arguments, cwd=folder), 2, message)
    assert not (folder / "never").exists()


def test_a_preset_is_changed_by_a_file_and_the_file_by_set(workplace, tmp_path):
    folder, _ = workplace
    file = {"steps": 4, "learning_rate": 0.005, "hidden": 8, "whole_bag_weight": 0.5}
    (tmp_path / "some.json").write_text(json.dumps(file))
    done = run(
        "fit", "--features", folder / "features", "--set", "steps=3", "--set", "optimiser=sgd", "--settings",
        "some.json", "--preset", "literal", "-q", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    literal = dict(find_preset("literal").changes)
    assert literal.items() >= {"optimiser": "adam", "learning_rate": 1e-3, "top_k_at_least": 3}.items()
    expected = HeadSettings.model_validate({**literal, **file, "steps": 3, "optimiser": "sgd"})
    written = HeadSettings.model_validate_json((tmp_path / "head/settings.json").read_text())
    assert written == expected
    assert TrainedHead.load(tmp_path / "head").record.settings == expected


def test_a_method_is_changed_by_a_file_and_the_file_by_set(workplace, tmp_path):
    folder, _ = workplace
    (tmp_path / "some.json").write_text(json.dumps({"steps": 4, "hidden": 8, "batch_bags": 3}))
    done = run(
        "fit", "--features", folder / "features", "--method", "ur-dmu", "--settings", "some.json", "--set",
        "steps=3", "-q", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    changed = {**find_method("ur-dmu").changes, "steps": 3, "hidden": 8, "batch_bags": 3}
    expected = HeadSettings.model_validate(changed)
    assert TrainedHead.load(tmp_path / "head").record.settings == expected
    written = tmp_path / "head/settings.json"
    assert head_settings("default", written, None) == expected  # a file knows its method
    assert head_settings("default", written, ["steps=9"], method="ur-dmu").steps == 9


def test_without_a_preset_it_is_the_default_one(workplace):
    folder, _ = workplace
    written = json.loads((folder / "head/settings.json").read_text())
    chosen = HeadSettings(steps=4, learning_rate=0.01, batch_bags=2, context="none")  # by the few videos
    assert HeadSettings(**written) == chosen


def test_quiet_says_nothing_and_verbose_shows_where(tmp_path, workplace, x3d_weights):
    folder, _ = workplace
    for kind in ("normal", "fight"):  # of which nothing is to be warned: the two differ
        write_features(tmp_path / "features", kind, 2)
    few = [
        f"--set={text}" for text in ("steps=40", "learning_rate=0.02", "hidden=16", "batch_bags=2", "folds=2")
    ]
    done = run("fit", "-o", tmp_path / "head", "-q", "--preset", "baseline", *few, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "Traceback" in run("score", "x.mp4", "--head", "none", "-vv", cwd=tmp_path).stderr
    assert "Traceback" in run("score", "x.mp4", "-vv", cwd=tmp_path).stderr
    done = run("extract", folder / "videos", "--features", folder / "features", "-v", "--backbone", "x3d_xs",
               "--weights", x3d_weights, cwd=tmp_path)  # fmt: skip
    assert "0.mp4: already done, see" in done.stderr


# The command line in a process that gets a signal in the middle of its second video.
INTERRUPTED = """
import os
from vadpipe.cli import main
from vadpipe.extract import clips

real, n_videos = clips.Clips.__iter__, 0

def interrupted(self):
    global n_videos
    n_videos += 1
    for number, clip in enumerate(real(self)):
        if (n_videos, number) == (2, 5):
            os.kill(os.getpid(), SIGNAL)
        yield clip

clips.Clips.__iter__ = interrupted
main()
"""


@pytest.mark.parametrize(("number", "word", "code"), [(2, "interrupted", 130), (15, "terminated", 143)])
def test_a_signal_keeps_what_was_finished_and_leaves_nothing_half_done(
    tmp_path, x3d_weights, number, word, code
):
    write_video(tmp_path / "videos/a.mp4", 16)
    write_video(tmp_path / "videos/b.mp4", 96)
    first = tmp_path / "features/videos/a.mp4.safetensors"
    options = ["extract", "videos", "--backbone", "x3d_xs"]
    program = INTERRUPTED.replace("SIGNAL", str(number))
    done = start(program, *options, "--weights", x3d_weights, cwd=tmp_path).wait()
    assert done.returncode == code
    assert done.stderr.splitlines()[1:] == [f"{word}; finished results are kept"]  # after the note
    left = {path for path in (tmp_path / "features").rglob("*") if path.is_file()}
    assert left == {first, tmp_path / "features/run.json"}


def run_into_a_closed_pipe(*arguments, cwd):
    """Run ``vadpipe`` where the program that reads its output has ended, as in ``vadpipe ... | true``."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "vadpipe", *map(str, arguments)]
    try:
        return subprocess.run(command, cwd=cwd, stdout=writing, stderr=subprocess.PIPE, text=True)
    finally:
        os.close(writing)


@pytest.mark.parametrize("arguments", [["weights", "list"], ["--help"], ["--version"]])
def test_a_reader_that_ends_first_ends_the_command_without_a_word(tmp_path, arguments):
    done = run_into_a_closed_pipe(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_reader_that_ends_first_costs_nothing_that_was_finished(tmp_path, x3d_head, x3d_weights):
    videos = [write_video(tmp_path / f"{name}.mp4", 16) for name in ("a", "b")]
    options = ["--head", x3d_head, "--weights", x3d_weights, "-o", tmp_path / "out", "-q"]
    done = run_into_a_closed_pipe("score", *videos, *options, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (141, "")
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {
        "a.scores.csv",
        "a.events.csv",
        "run.json",
    }
    assert not [*tmp_path.glob("out/.*")]


def test_a_full_disk(workplace, tmp_path):
    folder, _ = workplace
    program = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n" + COMMAND_LINE
    )
    options = ["--features", folder / "features", "-o", "head", "-q", *FEW]
    done = start(program, "fit", *options, cwd=tmp_path).wait()
    # whichever is written first: the head, or on a slow machine what an interruption would leave
    assert_clean_error(done, 6, "cannot be written: File too large")
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} <= {"training.state", "run.json"}


@pytest.mark.parametrize(
    ("text", "next_step"),
    [("0,5", "Use a point: 0.5"), ("half", "For example 0.5."), ("0,5,1", "For example 0.5.")],
)
@pytest.mark.parametrize("command", [["score", "a.mp4"], ["evaluate", "--truth", "truth.csv"]])
def test_a_threshold_that_is_no_number(command_line, command, text, next_step):
    result = command_line(*command, "--threshold", text)
    assert str(result.exception) == f"--threshold must be a number, not {text!r}\n{next_step}"


def test_two_names_for_one_output(tmp_path):
    done = run("extract", "x.mp4", "-o", "a", "--features", "b", cwd=tmp_path)
    assert_clean_error(done, 2, "--output and --features name different folders")


@pytest.mark.parametrize("content", ["[1]", "null", "{"])
def test_settings_that_are_no_settings(tmp_path, content):
    (tmp_path / "s.json").write_text(content)
    assert_clean_error(
        run("fit", "--settings", "s.json", cwd=tmp_path), 2, "s.json: is not a JSON file of settings"
    )


def test_an_unknown_option_is_a_usage_error(tmp_path):
    assert run("score", "clip.mp4", "--plto", cwd=tmp_path).returncode == 2


def test_help_loads_no_torch(tmp_path):
    code = (
        "import sys; sys.argv = ['vadpipe', '--help']\n"
        "from vadpipe.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'av', 'decord', 'matplotlib', 'sklearn', 'pydantic'} & "
        "sys.modules.keys()\nassert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for command in ("extract", "fit", "score"):
        assert f"  {command} " in done.stdout


def test_python_ends_without_a_search_for_garbage(tmp_path):
    code = (
        "import atexit, gc, sys; sys.argv = ['vadpipe', '--version']\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 0))\n"
        "from vadpipe.cli import main\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "True", done.stderr


def test_version_is_that_of_the_metadata(tmp_path):
    assert run("--version", cwd=tmp_path).stdout.strip() == metadata.version("vadpipe")


def test_a_report_of_a_fault_has_all_versions_and_the_processor(tmp_path):
    done = run("--version", "-v", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    facts = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert facts["vadpipe"] == run("--version", cwd=tmp_path).stdout.strip()
    assert facts["python"].endswith(platform.python_version())
    for package in ("torch", "av", "numpy", "pydantic"):
        assert facts[package] == metadata.version(package)
    assert re.fullmatch(r"\d+ cores, [\w ]+", facts["processor"])
    assert {"libavcodec", "openvino", "gpu", "system"} <= facts.keys()


def test_versions_of_packages_that_are_not_installed(monkeypatch):
    monkeypatch.setattr(environment, "PACKAGES", ("numpy", "no-such-package"))
    assert [line.split() for line in environment.environment_lines() if "package" in line] == [
        ["no-such-package", "-"]
    ]


def test_verbose_before_the_command(tmp_path):
    assert_clean_error(run("-v", "score", "clip.mp4", cwd=tmp_path), 2, "-v comes after the command")
