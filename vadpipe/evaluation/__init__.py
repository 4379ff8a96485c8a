"""Evaluation: curves compared with the truth about each frame."""
