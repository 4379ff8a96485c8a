"""An ablation from feature files to its reports: paired, resumable, and not stopped by a run that fails."""

import csv
import json
import shutil

import numpy as np
import psutil
import pytest
import torch

import vadpipe
from support.commands import start
from support.labelled_features import QUICK, make_truth, write_labelled_features, write_video_features
from support.processes import has_ended
from support.waiting import wait_until
from vadpipe.ablation import worker, workers
from vadpipe.ablation.ablate import ablate
from vadpipe.ablation.data import load_data
from vadpipe.ablation.rows import parse_row
from vadpipe.ablation.runs import ATS, Run
from vadpipe.errors import OutputError, UsageError
from vadpipe.training.cross_validation import train_with_cross_validation

TWO = ["mil", "second head"]
IMPOSSIBLE = parse_row(f"impossible: hidden={10**15}")  # no machine has so much memory


def quick(folder, **options):
    """Run an ablation of two rows, two folds and a seed with one worker, or what else is asked for."""
    given = dict(truth=folder / "truth.csv", output=folder / "ablation", folds=2, seeds=1, rows=TWO)
    given |= dict(settings=QUICK, bootstrap=20, workers=1)
    return ablate(folder / "features", **(given | options))


def run_files(folder):
    return {
        path.relative_to(folder / "runs").as_posix(): path.read_bytes()
        for path in (folder / "runs").rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished ablation of three rows and two seeds by two workers, and its reports of progress."""
    folder = tmp_path_factory.mktemp("finished")
    write_labelled_features(folder)
    reports = []
    result = quick(folder, seeds=2, rows=[*TWO, "+ guided score"], workers=2, on_progress=reports.append)
    return folder, result, reports


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of the finished ablation, to be changed."""
    return shutil.copytree(finished[0], tmp_path / "copy")


@pytest.fixture
def folder(tmp_path):
    write_labelled_features(tmp_path)
    return tmp_path


@pytest.fixture
def in_this_process(monkeypatch):
    """Do runs here, as a process of their own does them, which takes seconds to start."""

    class Here:
        def __init__(self, task):
            self.task, self.bags = task, {}

        def do(self, job):
            return worker._do(job, self.task, self.bags)

        def end(self):
            return 0

    monkeypatch.setattr(workers, "Worker", Here)
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def test_every_row_fold_and_seed_leaves_a_file(finished):
    folder, result, reports = finished
    assert sorted(run_files(folder / "ablation")) == sorted(
        f"{row}/fold{fold}-seed{seed}.safetensors"
        for row in ("mil", "second-head", "guided-score")
        for fold in (0, 1)
        for seed in (0, 1)
    )
    assert [(report.n_done, report.n_jobs) for report in reports] == [(n, 12) for n in range(13)]
    assert reports[0].job is None
    assert all(0 <= report.auc <= 1 for report in reports[1:])
    assert (len(result.measured), result.n_kept, result.failed) == (12, 0, [])


def test_a_run_is_what_learning_on_the_other_folds_gives(finished):
    folder, result, _ = finished
    item = next(item for item in result.measured if (item.job.row, item.job.seed) == ("+ guided score", 1))
    data = load_data(folder / "features", folder / "truth.csv")
    bags, test = data.bags(), item.job.test
    rest = [bag for name, bag in bags.items() if name not in test]
    learned = train_with_cross_validation(rest, QUICK, seed=1)
    record = item.run.record
    assert record.steps["selected"] == learned.step
    assert record.steps["last"] == QUICK.steps
    assert record.threshold == pytest.approx(learned.threshold.threshold, abs=1e-6)
    for at, head in (("selected", learned.selected), ("last", learned.last)):
        for name, scores in zip(test, item.run.scores[at], strict=True):
            expected = head.score(torch.from_numpy(np.array(bags[name].values))[None])[0].numpy()
            np.testing.assert_allclose(scores, expected, atol=1e-6)
    best = max(record.test_auc.values())
    assert record.test_auc[record.steps["best-on-test"]] == best
    assert item.figures["best-on-test"]["auc"] == pytest.approx(best)
    assert list(record.test_auc) == [2, 4, 6]


def test_no_video_of_a_test_groups_is_learned_from(finished):
    _, result, _ = finished
    for seed in (0, 1):
        tested = [name for fold in result.plan.folds(seed) for name in fold]
        assert sorted(tested) == sorted(result.data.samples)
    assert len({item.job.test for item in result.measured}) == 2  # the same folds for all rows and seeds


def test_parallel_and_serial_runs_are_equal_bit_by_bit(finished):
    folder, _, _ = finished
    quick(folder, output=folder / "serial")
    serial, parallel = run_files(folder / "serial"), run_files(folder / "ablation")
    assert len(serial) == 4
    assert all(parallel[name] == content for name, content in serial.items())


def test_finished_runs_are_not_done_again(finished):
    folder, first, _ = finished
    before = {path: path.stat().st_mtime_ns for path in (folder / "ablation/runs").rglob("*.safetensors")}
    reports = []
    again = quick(folder, seeds=2, rows=[*TWO, "+ guided score"], on_progress=reports.append)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (again.n_kept, len(reports)) == (12, 1)
    assert again.summaries == first.summaries
    assert again.differences == first.differences


def test_the_table_has_every_row_its_seeds_and_how_to_read_it(finished):
    folder, result, _ = finished
    text = (folder / "ablation/ablation.md").read_text()
    assert "10 videos (4 normal, 6 abnormal, 4 of these with normal frames too) in 10 groups" in text
    for row in ("mil", "second head", r"\+ guided score".replace("\\", "")):
        assert f"| {row} | 2 |" in text
    for part in (
        "Above `mil`, run by run", "over scenes (10 groups)", "best-on-test (no result)", "How to read this",
        "drawn with replacement (20 times)", "again on the same folds",
    ):  # fmt: skip
        assert part in text
    summary = result.summary("mil")
    assert f"{summary.mean:.3f} ({summary.deviation:.3f})" in text
    found = result.difference("second head", "mil")
    assert f"{found.mean:+.3f}".replace("-", "−") in text


def test_the_csv_has_a_line_for_each_figure_of_each_run(finished):
    folder, result, _ = finished
    with (folder / "ablation/ablation.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 12 * len(ATS) * 6
    for row in TWO:
        for seed in ("0", "1"):
            values = [
                float(line["value"])
                for line in lines
                if (line["row"], line["seed"], line["at"], line["figure"]) == (row, seed, "selected", "auc")
            ]
            assert len(values) == 2
    means = [float(line["value"]) for line in lines if line["row"] == "mil" and line["at"] == "last"
             and line["figure"] == "auc"]  # fmt: skip
    assert result.summary("mil", at="last").mean == pytest.approx(np.mean(means), abs=1e-6)


def test_the_json_holds_everything(finished):
    folder, result, _ = finished
    record = json.loads((folder / "ablation/ablation.json").read_text())
    assert record["settings"]["seeds"] == 2
    assert record["settings"]["base"] == QUICK.model_dump(mode="json")
    assert [row["name"] for row in record["rows"]] == [*TWO, "+ guided score"]
    assert record["rows"][2]["changes"] == {}
    assert record["rows"][0]["changes"] == {"clustering": False, "guided": False}
    assert len(record["runs"]) == 12
    assert all((folder / "ablation" / run["file"]).is_file() for run in record["runs"])
    assert record["differences"][0]["n_groups"] == 10
    assert record["test_videos"] == result.plan.decks


def test_the_picture_is_one(finished):
    folder, result, _ = finished
    assert (folder / "ablation/ablation.png").read_bytes().startswith(b"\x89PNG")
    assert [file.name for file in result.files] == [
        "ablation.md", "ablation.csv", "ablation.json", "ablation.png",
    ]  # fmt: skip


def test_what_was_run_with_other_settings_features_or_truth_is_run_anew(copied, in_this_process):
    def n_kept(**changes):
        """Return how many of the two runs of ``mil`` and seed 0 are there already."""
        options = dict(rows=["mil"]) | changes
        return quick(copied, **options).n_kept

    assert n_kept(rows=["mil", "slow"], own_rows=[parse_row("slow: learning_rate=1e-4")]) == 2
    before = run_files(copied / "ablation")
    assert n_kept(settings=QUICK.model_copy(update={"sparsity": 0.0})) == 0
    changed = run_files(copied / "ablation")
    assert {name for name in before if before[name] != changed[name]} == {
        "mil/fold0-seed0.safetensors", "mil/fold1-seed0.safetensors",
    }  # fmt: skip
    assert n_kept() == 0  # the others have taken their files
    assert run_files(copied / "ablation") == before
    write_video_features(copied, make_truth("mixed", 0), seed=999)
    assert n_kept() == 0


def test_a_broken_run_file_is_made_again(copied, finished, in_this_process):
    item = finished[1].measured[0]
    path = copied / "ablation/runs/mil" / item.job.file.name
    content = path.read_bytes()
    path.write_bytes(content[:-4])
    assert Run.find(path, item.job.key) is None
    assert quick(copied, rows=["mil"]).n_kept == 1
    assert path.read_bytes() == content


def test_partitions_deal_anew_for_each_seed(folder, in_this_process):
    result = quick(folder, rows=["mil"], seeds=2, partitions=2)
    first, second = result.plan.folds(0), result.plan.folds(1)
    assert sorted(map(sorted, first)) != sorted(map(sorted, second))
    assert [item.job.test for item in result.measured] == [tuple(fold) for fold in [*first, *second]]
    text = (folder / "ablation/ablation.md").read_text()
    assert "dealt in 2 ways" in text
    assert not (folder / "ablation/ablation.png").exists()  # one row has nothing to be compared with
    assert "Above" not in text


def test_a_run_that_fails_is_told_and_the_rest_goes_on(folder, in_this_process):
    told = []
    result = quick(folder, rows=["impossible", *TWO], own_rows=[IMPOSSIBLE], on_failure=told.append)
    assert [str(failure.job) for failure in told] == [f"impossible, fold {fold}, seed 0" for fold in (0, 1)]
    assert "RuntimeError: " in told[0].error.reason
    assert told == result.failed
    assert len(result.measured) == 4
    text = (folder / "ablation/ablation.md").read_text()
    assert "**2 runs failed.**" in text
    assert "| impossible | - | - |" in text
    assert quick(folder, rows=["impossible"], own_rows=[IMPOSSIBLE], output=folder / "b").files == []


def test_a_process_that_dies_costs_its_run_alone(folder):
    def kill_once(report):
        if report.n_done == 1:
            [child] = psutil.Process().children()
            child.kill()

    result = quick(folder, seeds=2, on_progress=kill_once)
    [failure] = result.failed
    assert failure.error.reason == "its process was ended by SIGKILL"
    assert failure.error.next_step == "Where memory is short, use fewer --workers."
    assert len(result.measured) == 7
    assert psutil.Process().children() == []
    n_seeds = [result.summary(row).n_seeds for row in TWO]
    assert sorted(n_seeds) == [1, 2]


def test_an_output_that_cannot_be_written_ends_it(folder):
    (folder / "ablation").write_text("a file")
    with pytest.raises(OutputError, match="ablation: cannot be written"):
        quick(folder)
    (folder / "ablation").unlink()
    (folder / "ablation").mkdir()
    (folder / "ablation/runs").write_text("a file")
    with pytest.raises(OutputError, match="cannot be written"):
        quick(folder)
    assert psutil.Process().children() == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": 0}, "0 seeds are too few"),
        ({"workers": 0}, "0 workers are too few"),
        ({"partitions": 2}, "2 partitions need as many seeds, and there are 1"),
        ({"bootstrap": -1}, "bootstrap -1 is negative"),
        ({"lengths": "exact"}, "lengths are 'near' or 'any'"),
        ({"folds": 9}, "fold 2 of 9 would have no anomalous frames to test"),
        ({"rows": ["x"]}, "there is no row 'x'"),
    ],
)
def test_arguments_that_are_off_are_found_before_anything_is_written(finished, options, message):
    folder, _, _ = finished
    with pytest.raises(UsageError, match=message):
        quick(folder, output=folder / "none", **options)
    assert not (folder / "none").exists()


def test_the_python_name_is_the_function():
    assert vadpipe.ablate is ablate


def command(*arguments, **settings):
    sets = [f"--set={name}={value}" for name, value in (QUICK.model_dump() | settings).items()]
    return [
        "ablate", "--truth=truth.csv", "--folds=2", "--workers=1",
        "--bootstrap=20", *sets, *arguments,
    ]  # fmt: skip


def test_the_command_prints_the_table_and_the_files(finished, command_line, monkeypatch):
    folder, result, _ = finished
    monkeypatch.chdir(folder)
    rows = [f"--rows={row}" for row in [*TWO, "+ guided score"]]
    done = command_line(*command("--seeds=2", *rows))
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-4:] == [
        f"ablation/ablation.{end}" for end in ("md", "csv", "json", "png")
    ]
    assert "0 runs done, 12 there already, 0 failed" in done.stderr
    assert f"second head     {result.summary('second head').mean:.3f} (" in done.stdout
    assert "above mil, frame ROC-AUC" in done.stdout


def test_the_command_ends_with_3_where_runs_failed_and_with_4_where_all_did(
    copied, command_line, monkeypatch, in_this_process
):
    monkeypatch.chdir(copied)

    def end(*rows):
        arguments = command("--seeds=1", "--row", f"impossible: hidden={10**15}", *rows)
        done = command_line(*arguments)
        lines = done.stderr.splitlines()
        assert lines[0].startswith("error: impossible, fold 0, seed 0: RuntimeError: ")
        return done.exit_code, lines[-1]

    assert end("--rows=impossible", "--rows=mil") == (3, "0 runs done, 2 there already, 2 failed")
    assert end("--rows=impossible") == (4, "0 runs done, 0 there already, 2 failed")


def test_the_command_ends_with_3_where_a_video_is_missing(copied, command_line, monkeypatch):
    monkeypatch.chdir(copied)
    truth = copied / "truth.csv"
    columns = truth.read_text().splitlines()[0].count(",")
    truth.write_text(truth.read_text() + "gone.mp4,48" + "," * (columns - 1) + "\n")
    done = command_line(*command("--seeds=1", "--rows=mil"))
    assert done.exit_code == 3
    assert done.stderr.splitlines()[-1].endswith(" 0 failed")


# The command line in a process that gets Ctrl-C when the second run is done and a further one is in work.
INTERRUPTED = """
import itertools, os, signal, threading
import psutil
from vadpipe.cli import terminal
from vadpipe.ablation import workers
from vadpipe.cli import main

do, tell, runs = workers.Worker.do, terminal.RunProgress.__call__, itertools.count(1)
third_began, interrupted = threading.Event(), threading.Event()

def do_and_note(self, job):
    number = next(runs)
    if number == 3:
        third_began.set()
    elif number > 3:
        interrupted.wait()
    return do(self, job)

def tell_and_interrupt(self, progress):
    tell(self, progress)
    if progress.n_done == 2:
        third_began.wait()
        print(*[child.pid for child in psutil.Process().children()], flush=True)
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            interrupted.set()

workers.Worker.do, terminal.RunProgress.__call__ = do_and_note, tell_and_interrupt
main()
"""


def test_an_interrupt_loses_only_what_was_in_work(folder):
    arguments = command("--rows=mil", "--seeds=3")
    done = start(INTERRUPTED, *arguments, cwd=folder).wait()
    assert done.returncode == 130, done.stderr
    assert done.stderr.splitlines()[-1] == "interrupted; what was finished is kept"
    (child,) = map(int, done.stdout.split())
    wait_until(lambda: has_ended(child), "the process that did the runs has ended")
    kept = run_files(folder / "ablation")
    assert 2 <= len(kept) < 6
    assert all(name.startswith("mil/fold") for name in kept)  # and nothing unfinished

    result = quick(folder, rows=["mil"], seeds=3)
    assert (result.n_kept, len(result.measured)) == (len(kept), 6)
    after = run_files(folder / "ablation")
    assert all(after[name] == content for name, content in kept.items())
