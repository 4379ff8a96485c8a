"""Sheets that people write about videos: labels of whole videos, and the times of what happens in them.

In: a CSV, an Excel sheet or a joined array. Out: labels, the truth about frames, and sheets in our own form.
May import: ``extract``, ``features``, ``files``.

:mod:`~vadpipe.annotations.sheet` reads a file by its :mod:`~vadpipe.annotations.table`,
:mod:`~vadpipe.annotations.columns` and :mod:`~vadpipe.annotations.time_ranges` into one
:mod:`~vadpipe.annotations.annotation` per video. :mod:`~vadpipe.annotations.labels` and
:mod:`~vadpipe.annotations.truth` are made of these, :mod:`~vadpipe.annotations.matching` finds their videos,
:mod:`~vadpipe.annotations.check` says what was understood, and :mod:`~vadpipe.annotations.split` deals them
to training and test.
"""
