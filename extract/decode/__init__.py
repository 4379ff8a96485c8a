"""From a video file to frames in presentation order, each with its time.

Nothing that parses a video runs in the process that asked for it. Follow one file:
:mod:`~vadpipe.extract.decode.container` looks at its first bytes, :mod:`~vadpipe.extract.decode.process`
hands it to a child process, where :mod:`~vadpipe.extract.decode.child` applies
:mod:`~vadpipe.extract.decode.limits`, reads the :mod:`~vadpipe.extract.decode.timeline` (through
:mod:`~vadpipe.extract.decode.opening`) and decodes with one of the :mod:`~vadpipe.extract.decode.sources`;
:mod:`~vadpipe.extract.decode.wire` is what travels between the two. A child that crashes or hangs costs its
file and nothing else.

This package imports neither torch nor pydantic, so that a child starts in a quarter of a second.
"""
