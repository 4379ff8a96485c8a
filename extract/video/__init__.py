"""Video reading: from a video file to frames in presentation order, each with its time.

Nothing that parses a video runs in the calling process. Follow one file:
:mod:`~vadpipe.extract.video.container` looks at its first bytes, :mod:`~vadpipe.extract.video.process`
hands it to a child process, where :mod:`~vadpipe.extract.video.child` applies
:mod:`~vadpipe.extract.video.limits`, reads the :mod:`~vadpipe.extract.video.timeline` (through
:mod:`~vadpipe.extract.video.demuxing`) and decodes with one of the :mod:`~vadpipe.extract.video.decoders`;
:mod:`~vadpipe.extract.video.wire_format` is what travels between the two. A child that crashes or hangs costs
its file and nothing else.

This package imports neither torch, unless torchcodec decodes, nor pydantic: a child starts in a quarter of a
second.
"""
