"""The head that scores: that of a head file, or of an exported model; the latter loads no torch."""

from __future__ import annotations

from pathlib import Path

from vadpipe.errors import UsageError
from vadpipe.exported.card import CARD, is_exported
from vadpipe.exported.model import ExportedModel
from vadpipe.features.folder import HEAD_NAMES
from vadpipe.files.arguments import TEXT, check_arguments
from vadpipe.head.scoring_head import ScoringHead


def file_of(head: Path) -> Path:
    """Return the file by whose digest a head is known: its own, or the card of an exported model."""
    if not head.is_dir():
        return head
    return head / (CARD if is_exported(head) else HEAD_NAMES[0])


def trained_head(path: Path, device: str) -> ScoringHead:
    """Return the head of a file, on a device."""
    from vadpipe.extract.engines.device import choose_device
    from vadpipe.head.checkpoint import TrainedHead

    return TrainedHead.load(path, choose_device(device))


def adapted_head(head: ScoringHead, folder: Path, file: Path) -> ScoringHead:
    """Return a head adapted to features of a folder."""
    from vadpipe.head.adaptation import adapted
    from vadpipe.head.checkpoint import TrainedHead

    assert isinstance(head, TrainedHead)  # of an exported one it was refused before
    return adapted(head, folder, file)


def exported_model(folder: Path, device: str, adapt_to: object, options: dict[str, object]) -> ExportedModel:
    """Return an exported model, and take the options out that it answers itself.

    Raises:
        UsageError: if something is asked of it that it cannot do.
    """
    for name, asked in (("adapt_to", adapt_to), ("weights", options.pop("weights", None))):
        if asked is not None:
            what = "cannot be adapted to footage" if name == "adapt_to" else "brings its own backbone"
            raise UsageError(
                f"is an exported model, which {what}",
                file=folder,
                next_step=f"Omit --{name.replace('_', '-')}, or pass the head that it was exported from.",
            )
    if device not in ("auto", "cpu"):
        raise UsageError(
            f"is an exported model, which runs on the CPU, not on {device!r}",
            file=folder,
            next_step="Omit --device, or pass the head that it was exported from.",
        )
    engine, precision = (options.pop(name, "auto") for name in ("engine", "precision"))
    check_arguments(engine=(engine, TEXT), precision=(precision, TEXT))
    return ExportedModel.load(folder, engine=str(engine), precision=str(precision))
