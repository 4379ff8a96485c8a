"""Recipes for the public benchmarks of weakly supervised video anomaly detection.

In: official annotation files, and a folder of videos or features. Out: the CSVs of labels and truth. May
import: ``published``, ``evaluation`` (for the truth), ``extract``, ``features``, ``files``.

>>> from vadpipe import datasets
>>> ucf_crime = datasets.get("ucf-crime")
>>> contents = ucf_crime.read("annotations/")  # doctest: +SKIP
>>> datasets.write_labels(ucf_crime, "annotations/", ".", features="features")  # doctest: +SKIP

:mod:`~vadpipe.datasets.dataset` defines a recipe; there is one file for each. They read the annotation files
as published, and :mod:`~vadpipe.datasets.parsing` holds what they share.
:mod:`~vadpipe.datasets.annotation_check` compares them with a folder, :mod:`~vadpipe.datasets.csv_export`
makes the CSVs that ``fit`` and ``evaluate`` read. No annotation and no video is part of vadpipe.
"""

from __future__ import annotations

from vadpipe.datasets.annotation_check import AnnotationCheck, check
from vadpipe.datasets.csv_export import Written, write_labels
from vadpipe.datasets.dataset import Contents, Dataset, Totals, TrainingVideo
from vadpipe.datasets.ped2 import PED2
from vadpipe.datasets.shanghaitech import SHANGHAITECH
from vadpipe.datasets.ucf_crime import UCF_CRIME
from vadpipe.datasets.xd_violence import XD_VIOLENCE
from vadpipe.errors import UsageError

__all__ = [
    "DATASETS",
    "AnnotationCheck",
    "Contents",
    "Dataset",
    "Totals",
    "TrainingVideo",
    "Written",
    "check",
    "get",
    "write_labels",
]

DATASETS = {dataset.name: dataset for dataset in (UCF_CRIME, XD_VIOLENCE, SHANGHAITECH, PED2)}


def get(name: str) -> Dataset:
    """Return the recipe of that name, however it is spelled: ``ucf-crime`` is ``UCF_Crime``.

    Raises:
        UsageError: if it is unknown.
    """
    dataset = DATASETS.get(name.lower().replace("_", "-"))
    if dataset is None:
        raise UsageError(f"unknown recipe {name!r}", next_step=f"Choose one of: {', '.join(DATASETS)}.")
    return dataset
