"""From a video and a head to a curve, the reasons for it, and the files that are wanted of it."""
