"""Feature files of random numbers, with recipes that the tests state in full."""

import hashlib

import numpy as np

from vadpipe.features.file import Features, Source
from vadpipe.features.recipe import Recipe


def make_recipe(**changes) -> Recipe:
    """Return a recipe of one whole view and eight numbers a snippet, with these fields changed."""
    fields = dict(
        backbone="i3d", weights_sha256="a" * 64, feature_dim=8, snippet_frames=16, stride_frames=16,
        view="whole", resize_px=224, input_px=224, crops=1, mean=(0.5,) * 3, std=(0.5,) * 3,
        decoder="decord2 3.4.0", engine="torch float32 on cpu",
    )  # fmt: skip
    return Recipe(**(fields | changes))


def make_features(
    n_frames: int = 40, video: str = "videos/fight/a.mp4", seed: int = 0, **changes
) -> Features:
    """Return noise for a video of 25 frames per second, a row for each 16 of them."""
    recipe = make_recipe(**changes)
    rng = np.random.default_rng(seed)
    return Features(
        values=rng.normal(size=(-(-n_frames // 16), recipe.crops, recipe.feature_dim)).astype(np.float32),
        frame_times_s=np.arange(n_frames) / 25,
        end_s=n_frames / 25,
        recipe=recipe,
        source=Source(
            video=video,
            place=video[-16:],
            sha256=hashlib.sha256(f"{video} {seed}".encode()).hexdigest(),
            n_bytes=1,
            modified_ns=2,
            n_announced=n_frames,
            n_decoded=n_frames,
        ),
    )


def write_features(folder, kind, count, **options):
    """Write files to ``folder/kind``; where the kind is a fight, the rows 2 and 3 hold an event."""
    for index in range(count):
        features = make_features(96, f"videos/{kind}/{index}.mp4", seed=index + 100 * len(kind), **options)
        if "fight" in kind:
            features.values[2:4, :, :3] += 4.0
        features.save(folder / kind / f"{index}.mp4.safetensors")
