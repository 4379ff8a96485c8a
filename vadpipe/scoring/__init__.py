"""Scoring: from videos and a head to curves, explanations and output files.

In: videos. Out: curves, and the files that :mod:`~vadpipe.scoring.outputs` names. May import: ``evaluation``
(for the truth), ``output``, ``curves``, ``head``, ``extract``, ``features``, ``weights``, ``files``.

:mod:`~vadpipe.scoring.scorer` scores one video, :mod:`~vadpipe.scoring.run` many;
:mod:`~vadpipe.scoring.explain` finds what drove an event, :mod:`~vadpipe.scoring.view_places` where it is.
A scored video is opened twice more at most: :mod:`~vadpipe.scoring.second_pass` reads all stills and
    explains,
and :mod:`~vadpipe.scoring.outputs` has one process make all that are videos.
"""
