"""The squares of a clip that the backbone sees, in the order of the field's feature files.

Five crops are top left, top right, centre, bottom left and bottom right; ten are the same five, then the
five of the mirrored clip. It is the order of the widely used I3D_Feature_Extraction_resnet (its function
``oversample_data``); torchvision's TenCrop has the centre last of each five.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

CROPS = (1, 5, 10)


def squares(clip: NDArray[np.uint8], side_px: int, crops: int) -> Iterator[NDArray[np.uint8]]:
    """Yield views (T, side, side, 3) of a clip (T, H, W, 3) with H, W >= side.

    Args:
        clip: decoded frames.
        side_px: of each square.
        crops: 1 (the centre), 5 or 10.
    """
    bottom, right = clip.shape[1] - side_px, clip.shape[2] - side_px
    centre = (bottom // 2, right // 2)
    corners = [centre] if crops == 1 else [(0, 0), (0, right), centre, (bottom, 0), (bottom, right)]
    for source in (clip, clip[:, :, ::-1])[: 2 if crops == 10 else 1]:
        for top, left in corners:
            yield source[:, top : top + side_px, left : left + side_px]
