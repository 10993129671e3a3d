"""A picture of one's own and what decides in it, for chapter 9; see figures.py."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from lab.pages.figures import frameless


def deciding(axes: Sequence[Axes], photo: ArrayLike, pixels: ArrayLike, share: ArrayLike) -> None:
    """Three axes: a photograph (height, width, 3), what a network is given of it, and each pixel's share in its answer.

    `pixels` and `share` are (side, side). Red: ink here speaks for the answer; blue: against it. The picture's outline,
    where it has half its ink, is drawn on top.
    """
    pixels, share = np.asarray(pixels), np.asarray(share)
    high = np.abs(share).max() or 1.0
    axes[0].imshow(photo)
    axes[1].imshow(pixels, cmap="gray_r", vmin=0, vmax=255)
    axes[2].imshow(share, cmap="RdBu_r", vmin=-high, vmax=high)
    if pixels.any():
        around = np.arange(-1, len(pixels) + 1)  # with a margin of blank paper, so that outlines are closed
        axes[2].contour(around, around, np.pad(pixels, 1), [pixels.max() / 2], colors="0.2", linewidths=0.8)
    for ax, title in zip(axes, ("picture", "what it is given", "what speaks for it"), strict=True):
        frameless(ax).set(title=title, xticks=[], yticks=[], anchor="N")  # so that titles are level
