"""The pictures that come with chapter 9, drawn: `python notebooks/pictures/draw.py` writes them anew, beside itself."""

from pathlib import Path

from PIL import Image, ImageDraw

FINE = 4  # drawn so many times as large, then made smaller, so that edges are smooth


def t_shirt() -> Image.Image:
    """A red T-shirt with a pocket, on white."""
    picture, draw = _sheet((480, 480), "white")
    outline = [(165, 60), (60, 115), (20, 235), (95, 265), (120, 205), (120, 430), (360, 430)]
    outline += [(360, 205), (385, 265), (460, 235), (420, 115), (315, 60)]
    draw.polygon(_fine(outline), fill="#b5342c")
    draw.ellipse(_fine([(178, 20), (302, 100)]), fill="white")  # the neck
    draw.rectangle(_fine([(265, 185), (325, 255)]), fill="#d8786f")
    draw.line(_fine([(120, 205), (128, 150)]), fill="#8a211b", width=3 * FINE)
    draw.line(_fine([(360, 205), (352, 150)]), fill="#8a211b", width=3 * FINE)
    return _smooth(picture)


def ankle_boot() -> Image.Image:
    """A tan boot with laces and a dark sole, on dark blue."""
    picture, draw = _sheet((520, 460), "#131c33")
    outline = [(250, 60), (420, 60), (432, 200), (450, 330), (450, 372), (62, 372), (58, 325), (95, 285), (180, 258)]
    outline += [(240, 215), (258, 140)]
    draw.polygon(_fine(outline), fill="#c99a5b")
    draw.polygon(_fine([(55, 372), (455, 372), (458, 408), (350, 408), (340, 394), (60, 394)]), fill="#6f5230")
    draw.rectangle(_fine([(250, 60), (420, 84)]), fill="#e6c596")
    for y in range(110, 250, 28):
        draw.line(_fine([(252 - (y - 110) / 9, y), (318, y + 14)]), fill="#f2e4cc", width=5 * FINE)
    return _smooth(picture)


def cat() -> Image.Image:
    """The face of a cat, on yellow: nothing that one wears."""
    picture, draw = _sheet((460, 440), "#f4d35e")
    draw.polygon(_fine([(70, 40), (70, 230), (200, 110)]), fill="#4a4a4a")
    draw.polygon(_fine([(390, 40), (390, 230), (260, 110)]), fill="#4a4a4a")
    draw.ellipse(_fine([(60, 95), (400, 400)]), fill="#4a4a4a")
    for x in (155, 305):
        draw.ellipse(_fine([(x - 33, 190), (x + 33, 250)]), fill="#d9f0a3")
        draw.ellipse(_fine([(x - 9, 192), (x + 9, 248)]), fill="black")
    draw.polygon(_fine([(210, 285), (250, 285), (230, 310)]), fill="#f0a0a8")
    for y in (-25, 0, 25):
        draw.line(_fine([(200, 318), (60, 310 + y)]), fill="white", width=3 * FINE)
        draw.line(_fine([(260, 318), (400, 310 + y)]), fill="white", width=3 * FINE)
    return _smooth(picture)


def _sheet(size: tuple[int, int], ground: str) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    picture = Image.new("RGB", (size[0] * FINE, size[1] * FINE), ground)
    return picture, ImageDraw.Draw(picture)


def _fine(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(x * FINE, y * FINE) for x, y in points]


def _smooth(picture: Image.Image) -> Image.Image:
    return picture.resize((picture.width // FINE, picture.height // FINE), Image.Resampling.BOX)


PICTURES = {"t-shirt": t_shirt, "ankle_boot": ankle_boot, "cat": cat}  # name: what draws it


if __name__ == "__main__":
    for name, draw in PICTURES.items():
        draw().save(Path(__file__).with_name(f"{name}.png"), optimize=True)
