"""``vadpipe labels`` and ``vadpipe split``: sheets of labels and times."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vadpipe.cli import options
from vadpipe.cli.command import command

labels = typer.Typer(
    name="labels",
    help="Sheets of labels and times: say what they mean, and write them in vadpipe's form.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Sheet = Annotated[
    Path, typer.Argument(metavar="SHEET", help="CSV or .xlsx with one row per video or per event, or gt.npy.")
]
Features = Annotated[
    Path | None,
    typer.Option(
        "--features",
        metavar="DIR",
        help="Folder of feature files of these videos (default: features, if it exists).",
    ),
]

Normal = Annotated[
    list[str] | None,
    typer.Option("--normal", metavar="WORD", help="Further label that means normal; repeatable."),
]


@labels.callback()
def _group() -> None:
    """Sheets of labels and times: say what they mean, and write them in vadpipe's form."""


@labels.command()
@command
def check(
    sheet: Sheet,
    features: Features = None,
    videos: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the videos themselves, instead of features.")
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="List of the videos of gt.npy (default: gt.txt or gt.list beside it)."
        ),
    ] = None,
    fix: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write what can be used to this CSV, in vadpipe's form."),
    ] = None,
    normal: Normal = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite FILE if its content differs.")] = False,
    verbose: options.Verbose = 0,
) -> None:
    """Say what a sheet of labels or times means, video by video; nothing is computed.

    Exit code 0 if everything is clear, 3 if rows cannot be used, 4 if none can.
    """
    options.set_up(verbose, quiet=False)
    from vadpipe.annotations.check import check_sheet

    result = check_sheet(sheet, features=features, videos=videos, names=names, normal=normal or ())
    typer.echo("\n".join(result.lines()).encode("utf-8", "backslashreplace"))
    if fix is not None:
        result.fix(fix, force=force)
        n_left_out = len(result.videos) - len(result.usable)
        options.say(f"written: {len(result.usable)}; left out: {n_left_out}")
        options.say_path(fix)
    if result.exit_code:
        raise typer.Exit(result.exit_code)


def split(
    sheet: Sheet,
    test: Annotated[float, typer.Option(help="Share of the videos for the test set, such as 0.3.")],
    features: Features = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for the two sheets (default: beside SHEET).")
    ] = None,
    seed: options.Seed = 0,
    normal: Normal = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite sheets with different content.")] = False,
    verbose: options.Verbose = 0,
    quiet: options.Quiet = False,
) -> None:
    """Split the videos of a sheet into a training and a test set; print the paths of both sheets.

    Scene groups and copies of one video stay together. The number of normal and abnormal videos and their
    durations are balanced.
    """
    options.set_up(verbose, quiet)
    from vadpipe.annotations.split import split_sheet

    result = split_sheet(
        sheet,
        test=test,
        seed=seed,
        features=features,
        output=output,
        normal=normal or (),
        force=force,
    )
    for name, part in (("training", result.train_videos), ("test", result.test_videos)):
        n_abnormal = sum(bool(item.abnormal) for item in part)
        options.say(f"{name}: {len(part) - n_abnormal} normal and {n_abnormal} abnormal videos", quiet)
    if result.lengths:
        shares = [f"{result.share(abnormal=kind, of_duration=True):.0%}" for kind in (False, True)]
        options.say(f"share of the duration in the test set: {shares[0]} normal, {shares[1]} abnormal", quiet)
    if result.n_left_out:
        options.say(f"left out: {result.n_left_out}", quiet)
    if not result.grouped:
        options.say(
            "the sheet has no column group: clips of one recording may be in both sets, an easy test",
            quiet,
        )
    for path in (result.train, result.test):
        options.say_path(path)
