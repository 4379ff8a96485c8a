"""Scoring: from videos and a head to curves, explanations and output files.

In: videos. Out: curves, and the files that :mod:`~vadpipe.scoring.outputs` names. May import: ``evaluation``
    (for
the truth), ``output``, ``curves``, ``head``, ``extract``, ``features``, ``weights``, ``files``.

:mod:`~vadpipe.scoring.scorer` scores one video, :mod:`~vadpipe.scoring.run` many;
:mod:`~vadpipe.scoring.explain` explains events, :mod:`~vadpipe.scoring.view_places` localises them.
"""
