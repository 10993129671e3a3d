"""A picture of one's own: read from a file, made into what the data set would hold of it, and asked what decided.

The makers of Fashion-MNIST trimmed photographs of clothing to what stands out from the ground, made the longer edge
28 pixels, centred the rest and inverted it, so that ink is light on black (Xiao, Rasul and Vollgraf, 2017, section 2).
`given` does the same, with two deviations: a picture is made smaller by averaging (Lanczos) where they took single
pixels and sharpened, and a ground that is not white counts as no ink.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy import ndarray
from PIL import Image, ImageOps, UnidentifiedImageError

from nn_core import NeuralNetwork

SIDE = 28
WIDEST = 10_000  # pixels; more than any camera's
SHOWN = 512  # pixels of the longer edge of what is kept
LEAST = 0.05  # the share of full ink from which a pixel stands out from its ground, as in the paper


class PictureError(ValueError):
    """A file of which no network can be given a picture; the text is one sentence."""


class Given(NamedTuple):
    """What a network is given of a picture."""

    pixels: ndarray  # (28, 28), uint8, from no ink to full ink
    inverted: bool  # whether most of what stands out was darker than its ground


def read(path: str | os.PathLike) -> Image.Image:
    """The picture in a file, upright, in RGB, the longer edge at most 512 pixels; of an animation, the first.

    Raises PictureError, in a sentence, for whatever cannot be read or has too many pixels.
    """
    path = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is amiss with a file is said here, or does not matter
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as opened:
                _check_size(path, opened)
                return _plain(opened)
    except PictureError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise PictureError(f"{path} has too many pixels for a picture: make it smaller.") from error
    except FileNotFoundError as error:
        raise PictureError(f"{path} does not exist: give the path of a picture.") from error
    except UnidentifiedImageError as error:
        raise PictureError(f"{path} is no picture that can be read: save it as PNG or JPEG.") from error
    except Exception as error:  # what a damaged file raises has no common base
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise PictureError(f"{path} cannot be read ({reason}): save it anew, as PNG or JPEG.") from error


def _check_size(path: Path, opened: Image.Image) -> None:
    if max(opened.size) > WIDEST:
        width, height = opened.size
        raise PictureError(f"{path} has {width:,} x {height:,} pixels: make it at most {WIDEST:,} wide and high.")


def _plain(opened: Image.Image) -> Image.Image:
    """Upright, small, and in RGB; what is transparent is the ground, white below dark things and black below light."""
    opened.draft("RGB", (SHOWN, SHOWN))  # which spares a JPEG most of its pixels
    upright = ImageOps.exif_transpose(opened)
    if upright.mode[0] in "IF":  # sixteen bits or more: converted, they would all be white
        values = np.nan_to_num(np.asarray(upright, dtype=float)).clip(0)
        upright = Image.fromarray(np.uint8(255 * values / max(values.max(), 1)))
    picture = upright.convert("RGBA")
    picture.thumbnail((SHOWN, SHOWN), Image.Resampling.LANCZOS)
    grey, alpha = (np.asarray(band, dtype=float) for band in (picture.convert("L"), picture.getchannel("A")))
    light = (grey * alpha).sum() > 127.5 * alpha.sum()
    ground = Image.new("RGBA", picture.size, "black" if light else "white")
    return Image.alpha_composite(ground, picture).convert("RGB")


def refusal(path: str | os.PathLike) -> str | None:
    """The sentence with which a file is refused, or None where a network can be given its picture."""
    try:
        given(read(path))
    except PictureError as error:
        return str(error)
    return None


def given(picture: Image.Image) -> Given:
    """What a network is given of a picture; PictureError if nothing stands out from the ground, the border's median."""
    grey = np.asarray(picture.convert("L"), dtype=float) / 255
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    above = grey - np.median(border)
    inverted = bool(above.sum() < 0)
    ink = np.clip(-above if inverted else above, 0, None)
    ink /= max(np.median(border), 1 - np.median(border))  # black on white is full ink, and so is white on black
    rows, columns = (np.flatnonzero(ink.max(axis=axis) > LEAST) for axis in (1, 0))
    if not len(rows):
        raise PictureError("the picture shows nothing that stands out from its ground: take one of a thing on its own.")
    return Given(_centred(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]), inverted)


def _centred(ink: ndarray) -> ndarray:
    """The picture (h, w), from 0 to 1, with its longer edge made SIDE, in the middle of (SIDE, SIDE) pixels."""
    height, width = (max(round(SIDE * edge / max(ink.shape)), 1) for edge in ink.shape)
    small = Image.fromarray(np.float32(ink)).resize((width, height), Image.Resampling.LANCZOS)
    pixels = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    pixels[top : top + height, left : left + width] = np.rint(255 * np.clip(small, 0, 1))
    return pixels


def decided(net: NeuralNetwork, pixels: ndarray, label: int) -> ndarray:
    """How the logarithm of a label's probability changes with each pixel, per full ink: shaped like `pixels`.

    The network's own backward pass ends in δ_1, the blame of the first layer's pre-activations: of a single image, it
    is the gradient of b_1. One product further is the pixels' share, W_1ᵀ δ_1. Of a network whose loss is not the
    cross-entropy, which is minus that logarithm, it is minus the gradient of its own loss.
    """
    exact = NeuralNetwork(**net.config | {"dtype": "float64", "backend": "numpy"})  # 1 - ŷ may be too small for float32
    exact.theta[...] = net.theta
    exact.backpropagate(pixels.reshape(1, -1), np.array([label]))
    start = sum(W.size for W in exact.weights.values())  # in the gradient, biases follow the weights
    delta = exact.gradient[start : start + len(exact.biases[1])]
    return (-exact.weights[1].T @ delta).reshape(pixels.shape)


def without(
    net: NeuralNetwork, pixels: ndarray, share: ndarray, label: int, count: int = 50, draws: int = 100, seed: int = 0
) -> tuple[float, float]:
    """The probability that is left for a label once `count` of the pixels that have ink are blank.

    First of those for which ink times `share`, what the answer owes to them to the first order, is highest; then in the
    mean over `draws` choices by chance.
    """
    inked, rng = np.flatnonzero(pixels), np.random.default_rng(seed)
    count = min(count, len(inked))
    chosen = [(share * pixels).ravel().argsort()[::-1][:count]]
    chosen += [rng.choice(inked, count, replace=False) for _ in range(draws)]
    blank = np.repeat(pixels.reshape(1, -1), len(chosen), axis=0)
    for image, some in zip(blank, chosen, strict=True):
        image[some] = 0
    left = net.predict_proba(blank)[:, label]
    return float(left[0]), float(left[1:].mean())


def nearest(images: ndarray, others: ndarray) -> tuple[ndarray, ndarray]:
    """The degrees between each of the images (n, ...) and the nearest of the others (m, ...), and which that is."""
    unit = [some.reshape(len(some), -1).astype(np.float32) for some in (images, others)]
    unit = [some / np.linalg.norm(some, axis=1, keepdims=True) for some in unit]
    cosines = unit[0] @ unit[1].T
    return np.degrees(np.arccos(cosines.max(axis=1).clip(-1, 1))), cosines.argmax(axis=1)
