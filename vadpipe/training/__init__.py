"""Training: from labelled features to a calibrated head.

In: a folder of feature files and labels of whole videos. Out: a head file and what the training measured. May
import: ``annotations``, ``head``, ``curves``, ``extract``, ``features``, ``weights``, ``files``.

:mod:`~vadpipe.training.fit` is called; :mod:`~vadpipe.annotations.labels` says which video is abnormal, and a
:mod:`~vadpipe.training.job` trains a head for each seed, which an :mod:`~vadpipe.training.ensembling` may
average. :mod:`~vadpipe.training.cross_validation` goes through the two :mod:`~vadpipe.training.stages`: on
:mod:`~vadpipe.training.folds`, by the :mod:`~vadpipe.training.loop`, it picks a step
(:mod:`~vadpipe.training.step_selection`), scale and threshold (:mod:`~vadpipe.training.judging`,
:mod:`~vadpipe.training.calibration`), and then learns from all videos; it may begin with another head
(:mod:`~vadpipe.training.fine_tuning`). :mod:`~vadpipe.training.report` says in words what that is worth,
:mod:`~vadpipe.training.fit_folder` writes the results, and :mod:`~vadpipe.training.resume` keeps what an
interruption leaves.
"""
