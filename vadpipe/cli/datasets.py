"""``vadpipe datasets``: recipes for public benchmarks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vadpipe.cli import options
from vadpipe.cli.command import command

if TYPE_CHECKING:
    from vadpipe.datasets import Dataset

datasets = typer.Typer(
    name="datasets",
    help="Public benchmarks: check local files, and convert annotation files to labels and truth.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the benchmark, as shown by list.")]
Annotations = Annotated[
    Path, typer.Option("--annotations", metavar="DIR", help="Folder with the annotation files, as published.")
]
Cut = Annotated[
    bool, typer.Option("--cut", help="Cut the ground truth where the published features end, as papers do.")
]


@datasets.command("list")
@command
def list_(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Show the details of one benchmark.")
    ] = None,
) -> None:
    """List the benchmarks: training and test videos, what papers measure, and the paper to cite.

    With a name, also its source, licence, and the files that the recipe reads.
    """
    from vadpipe.datasets import DATASETS, get

    if name is not None:
        typer.echo("\n".join(_details(get(name))))
        return
    rows = [("NAME", "TRAIN", "TEST", "MEASURED", "PAPER"), *map(_row, DATASETS.values())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@datasets.command()
@command
def check(
    name: Name,
    annotations: Annotations,
    videos: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Compare with a folder of videos.")
    ] = None,
    features: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Compare with a folder of feature files.")
    ] = None,
    cut: Cut = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the full report as JSON.")] = False,
    verbose: options.Verbose = 0,
) -> None:
    """Check annotation files against the published totals and the contents of a folder.

    Exit code 0 if everything is present, 3 if something is missing or differs, 4 if nothing matches.
    """
    options.set_up(verbose, quiet=False)
    from vadpipe.datasets import check as check_dataset
    from vadpipe.datasets import get

    result = check_dataset(get(name), annotations, videos=videos, features=features, cut=cut)
    text = json.dumps(result.as_json(), indent=2) if as_json else "\n".join(result.lines())
    typer.echo(text.encode("utf-8", "backslashreplace"))
    if result.exit_code:
        raise typer.Exit(result.exit_code)


@datasets.command()
@command
def labels(
    name: Name,
    annotations: Annotations,
    output: Annotated[Path, typer.Option("-o", "--output", help="Output folder for the CSV files.")] = Path(),
    features: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Use the names of these feature files; omit videos without features."
        ),
    ] = None,
    cut: Cut = False,
    split: Annotated[
        int | None, typer.Option(metavar="N", help="For benchmarks with random splits (ped2): 0 to 9.")
    ] = None,
    seed: options.Seed = 0,
    verbose: options.Verbose = 0,
    quiet: options.Quiet = False,
) -> None:
    """Write NAME.train.csv for fit --labels and NAME.truth.csv for evaluate --truth; print their paths."""
    options.set_up(verbose, quiet)
    from vadpipe.datasets import get, write_labels
    from vadpipe.datasets.dataset import shortlist

    dataset = get(name)
    result = write_labels(dataset, annotations, output, features=features, cut=cut, split=split, seed=seed)
    for off in result.totals_off:
        options.say(f"differs from the published totals: {off}")
    for part, names in result.left_out.items():
        if names:
            text = f"{part}: {len(names):,} videos have no features of their own; omitted: {shortlist(names)}"
            options.say(text, quiet)
    if result.ended:
        options.say(
            f"test: {len(result.ended):,} videos end before the published ground truth, which only repeats "
            f"its last value from there on; the written truth ends with the video: {shortlist(result.ended)}",
            quiet,
        )
    totals = result.contents.totals
    options.say(
        f"training: {totals.train_normal:,} normal and {totals.train_abnormal:,} abnormal videos; "
        f"test: {totals.test_normal:,} and {totals.test_abnormal:,}, {totals.frames:,} frames, "
        f"{totals.anomalous_frames:,} anomalous",
        quiet,
    )
    for path in (result.train, result.truth):
        if path is not None:
            options.say_path(path)


def _row(dataset: Dataset) -> tuple[str, ...]:
    totals = dataset.known
    return (
        dataset.name,
        f"{totals.train_normal + totals.train_abnormal}",
        f"{totals.test_normal + totals.test_abnormal}",
        f"frame {dataset.metric}",
        dataset.paper.partition(";")[0],
    )


def _details(dataset: Dataset) -> list[str]:
    totals = dataset.known
    lines = [
        dataset.title,
        f"paper     {dataset.paper}",
        f"from      {dataset.url}",
        f"licence   {dataset.licence}",
        f"measured  {dataset.metric} over the frames of all test videos",
        f"training  {totals.train_normal:,} normal and {totals.train_abnormal:,} abnormal videos",
        f"test      {totals.test_normal:,} normal and {totals.test_abnormal:,} abnormal videos, "
        f"{totals.frames:,} frames, {totals.anomalous_frames:,} anomalous",
    ]
    if dataset.known_cut is not None:
        cut = dataset.known_cut
        lines.append(f"--cut     {cut.frames:,} frames, {cut.anomalous_frames:,} anomalous")
    if dataset.splitter is not None:
        lines.append(
            "--split   weakly supervised splits, drawn by --seed; the numbers are of the official one"
        )
    for file in dataset.files:
        optional = "" if file.needed else " (optional)"
        lines.append(f"file      {' or '.join(file.names)}: {file.holds}{optional}")
    return lines
