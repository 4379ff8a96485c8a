"""Seeded mutations of every kind of file that vadpipe reads, and what must hold whatever they are.

``mutations`` changes bytes and text, ``targets`` names the kinds of files and what reads them, ``watching`` sees what a
reader does besides, ``running`` puts them together, and ``python -m support.fuzzing`` is what ``make fuzz`` runs.
"""
