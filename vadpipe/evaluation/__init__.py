"""Evaluation of curves against frame-level ground truth.

In: a head, a folder of feature files and the truth. Out: figures with intervals, tables and plots. May
import: ``annotations``, ``head``, ``curves``, ``output``, ``extract``, ``features``, ``weights``, ``files``.
"""
