"""What a scorer computes on the way from a video to a curve."""

from vadpipe.extract.video.discovery import named_video


def features_of(scorer, video):
    """Return the features that a scorer extracts of a video."""
    begun = scorer.begin(named_video(video))
    try:
        return scorer.features(begun)
    finally:
        begun.close()
