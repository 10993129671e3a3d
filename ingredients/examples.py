"""What happens to examples before a network trains on them: to images, then to their pixels and labels as numbers."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy import ndarray

from common.names import choose
from ingredients import dropout
from ingredients.augmentation import AUGMENTATIONS, side


class Examples:
    """Augmentation, then mixup, then dropout of inputs; each draws from a stream of its own, batch by batch."""

    def __init__(
        self,
        augmentation: str | list[str],
        mixup: float,
        rate: float,
        inputs: int,
        streams: Sequence[np.random.Generator],
    ):
        names = augmentation if isinstance(augmentation, list) else [augmentation]
        chosen = [choose("augmentation", name, AUGMENTATIONS) for name in names]
        self.augmentations = [function for function in chosen if function]
        self.mixup, self.rate = mixup, rate
        self._side = side(inputs, f"augmentation={augmentation!r}") if self.augmentations else 0
        self._masks, self._mixing, self._augmenting = streams

    def augment(self, images: ndarray, rows: ndarray, size: int) -> tuple[ndarray, ndarray]:
        """Images and rows (m,) of them, where these rows of the given images are changed, in batches of `size`."""
        if not self.augmentations:
            return images, rows
        images = images[rows]
        squares = images.reshape(-1, self._side, self._side)
        for batch in _batches(len(rows), size):
            for augment in self.augmentations:
                augment(squares[batch], self._augmenting)
        return images, np.arange(len(rows))

    def blur(self, x: ndarray, y: ndarray, size: int) -> None:
        """Mix and drop out, in place: inputs x (m, n_0), labels y (m, n_L), in batches of `size`."""
        for batch in _batches(len(x), size):
            if self.mixup:
                mix(x[batch], y[batch], self.mixup, self._mixing)
            if self.rate:
                x[batch] *= dropout.mask(self._masks, x[batch].shape, self.rate, x.dtype)


def mix(x: ndarray, y: ndarray, alpha: float, rng: np.random.Generator) -> None:
    """mixup (Zhang et al., 2018, eq. 1): λ of each example and 1 - λ of another, λ ~ Beta(α, α), one for a batch."""
    share, partners = rng.beta(alpha, alpha), rng.permutation(len(x))
    for values in (x, y):
        others = values[partners]
        others -= values
        others *= 1 - share
        values += others


def smooth(y: ndarray, share: float) -> ndarray:
    """Label smoothing (Szegedy et al., 2016, section 7): (1 - ε) y + ε / K for one-hot labels y of K classes."""
    return (1 - share) * y + share / y.shape[-1]


def _batches(n: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, n, size))
