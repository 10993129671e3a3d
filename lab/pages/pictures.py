"""Pictures as data: addresses: opened, made smaller without a loss, and refused where they are none."""

import base64
import binascii
import warnings
from io import BytesIO
from typing import Any

from PIL import Image, UnidentifiedImageError

from lab.pages.refusals import ReportError

SVG = "image/svg+xml"


def address(form: str, data: str) -> str:
    """The data: address of a picture as a notebook holds it: SVG as text, others in base64."""
    encoded = base64.b64encode(data.encode()).decode() if form == SVG else "".join(data.split())
    return f"data:{form};base64,{encoded}"


def picture(image: str) -> Image.Image:
    """The picture behind a data: address; ReportError where it cannot be read, or has too many pixels to be shown."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            opened = Image.open(BytesIO(base64.b64decode(image.partition(",")[2], validate=True)))
            opened.load()
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ReportError("a picture has more pixels than a page can show: draw it smaller") from error
    except (binascii.Error, UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise ReportError(f"a picture is damaged ({type(error).__name__}): execute the notebook again") from error
    return opened


def check(image: str) -> None:
    """Raise ReportError for a data: address that holds no picture that can be read."""
    if not image.startswith(f"data:{SVG}"):
        picture(image)


def smaller(image: str) -> str:
    """A PNG's data: address as WebP's, which has the same pixels in less than half the bytes."""
    return _webp(picture(image), lossless=True)


def lightest(image: str) -> str:
    """The same, but pixels may differ where that makes it smaller, as in photographs."""
    shown = picture(image)
    return min(_webp(shown, lossless=True), _webp(shown.convert("RGB"), quality=80), key=len)


def thumbnail(image: str) -> str:
    """A small copy of an image; both are data: addresses."""
    if image.startswith(f"data:{SVG}"):
        return image
    small = picture(image)
    small.thumbnail((480, 360))
    return _webp(small, quality=90)


def encoded(shown: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    shown.save(buffer, kind, **options)
    return buffer.getvalue()


def _webp(shown: Image.Image, **options: Any) -> str:
    return address("image/webp", base64.b64encode(encoded(shown, "WEBP", **options)).decode())
