"""Decode and backbone: from a video file to one feature vector a snippet.

Follow one video through the files: :mod:`~vadpipe.extract.videos` finds it,
:mod:`~vadpipe.extract.container` looks at its first bytes, :mod:`~vadpipe.extract.timeline` reads
its times, :mod:`~vadpipe.extract.frames` decodes it, :mod:`~vadpipe.extract.snippets` groups the
frames, :mod:`~vadpipe.extract.network` runs the backbone that :mod:`~vadpipe.extract.backbone`
describes, :mod:`~vadpipe.extract.store` keeps the features, and :mod:`~vadpipe.extract.extraction` puts
these together. :mod:`~vadpipe.extract.run` does it for many.
"""
