"""Training: labelled features come in, a calibrated head goes out.

Labels, folds, the loop, the choice of a step, resuming, and the threshold. Imports `head`, `curves`,
`features`, `extract` for devices, and `files`.
"""
