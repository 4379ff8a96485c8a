"""Raw videos in, per-frame anomaly curves out."""
