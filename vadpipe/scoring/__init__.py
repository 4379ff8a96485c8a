"""From videos and a head to curves, explanations and the files that are wanted of them.

In: videos. Out: curves, and the files that :mod:`~vadpipe.scoring.outputs` names. May import: ``evaluation``
    (for
the truth), ``output``, ``curves``, ``head``, ``extract``, ``features``, ``weights``, ``files``.

:mod:`~vadpipe.scoring.scorer` scores one video, :mod:`~vadpipe.scoring.run` many;
:mod:`~vadpipe.scoring.explain` finds what drove an event, :mod:`~vadpipe.scoring.view_places` where it is.
"""
