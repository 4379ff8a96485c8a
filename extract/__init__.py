"""From a video file to one feature vector a snippet.

Follow one video: :mod:`~vadpipe.extract.videos` finds it, :mod:`~vadpipe.extract.store` knows whether it is
done, :mod:`~vadpipe.extract.decode` gives its frames and their times, :mod:`~vadpipe.extract.clips` cuts them
into snippets, :mod:`~vadpipe.extract.views` into squares, :mod:`~vadpipe.extract.engines` run one of the
:mod:`~vadpipe.extract.backbones`, and :mod:`~vadpipe.extract.extractor` holds these together.
:mod:`~vadpipe.extract.extraction` does it for many videos.
"""
