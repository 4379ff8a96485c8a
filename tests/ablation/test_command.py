"""``vadpipe ablate`` prints the table and the files, and its exit code says what failed."""

from support.ablations import TWO_ROWS, command_arguments


def test_the_command_prints_the_table_and_the_files(finished, command_line, monkeypatch):
    folder, result, _ = finished
    monkeypatch.chdir(folder)
    rows = [f"--rows={row}" for row in [*TWO_ROWS, "+ guided score"]]
    done = command_line(*command_arguments("--seeds=2", *rows))
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-4:] == [
        f"ablation/ablation.{end}" for end in ("md", "csv", "json", "png")
    ]
    assert "0 runs completed, 12 already done, 0 failed" in done.stderr
    assert f"second head     {result.summary('second head').mean:.3f} (" in done.stdout
    assert "above mil, frame ROC-AUC" in done.stdout


def test_the_command_ends_with_3_where_runs_failed_and_with_4_where_all_did(
    copied, command_line, monkeypatch, in_this_process
):
    monkeypatch.chdir(copied)

    def end(*rows):
        given = command_arguments("--seeds=1", "--row", "diverging: learning_rate=1e38 clip_norm=0", *rows)
        done = command_line(*given)
        lines = done.stderr.splitlines()
        assert lines[0].startswith("error: diverging, fold 0, seed 0: the training diverged")
        return done.exit_code, lines[-1]

    assert end("--rows=diverging", "--rows=mil") == (3, "0 runs completed, 2 already done, 2 failed")
    assert end("--rows=diverging") == (4, "0 runs completed, 0 already done, 2 failed")


def test_the_command_ends_with_3_where_a_video_is_missing(copied, command_line, monkeypatch):
    monkeypatch.chdir(copied)
    truth = copied / "truth.csv"
    columns = truth.read_text().splitlines()[0].count(",")
    truth.write_text(truth.read_text() + "gone.mp4,48" + "," * (columns - 1) + "\n")
    done = command_line(*command_arguments("--seeds=1", "--rows=mil"))
    assert done.exit_code == 3
    assert done.stderr.splitlines()[-1].endswith(" 0 failed")
