"""Videos that show a curve: every frame with the curve under it, and a clip of every event.

A hostile video meets FFmpeg in a child process alone, as when it is decoded for features. Follow one call:
:mod:`~vadpipe.render.film.annotated` and :mod:`~vadpipe.render.film.clips` are what is called;
:mod:`~vadpipe.render.film.job` is what they ask for, :mod:`~vadpipe.render.film.process` starts and watches
the child, and :mod:`~vadpipe.render.film.child` does the job with :mod:`~vadpipe.render.film.annotating` or
:mod:`~vadpipe.render.film.cutting`. Those read with :mod:`~vadpipe.render.film.source`, turn frames upright
with :mod:`~vadpipe.render.film.picture`, draw with :mod:`~vadpipe.render.film.strip`, and write with
:mod:`~vadpipe.render.film.writing` and :mod:`~vadpipe.render.film.sound`.

What the child imports needs no matplotlib and no torch, so that it starts in a third of a second.
"""
