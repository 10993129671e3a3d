"""Pictures of one's own: what becomes of them, what is refused, and which pixels decide, by finite differences."""

import io
import runpy

import numpy as np
import pytest
from PIL import Image

from lab.evaluation import seeing
from nn_core import NeuralNetwork
from tree import ROOT, files

BOX = (30, 20, 70, 40)  # left, top, right, bottom: 40 x 20 pixels


def drawn(ground, box, mode="RGB", size=(100, 60)):
    """A box on a ground."""
    picture = Image.new(mode, size, ground)
    picture.paste(box, BOX)
    return picture


def kept(folder, picture, kind="PNG", **options):
    """Such a picture's file."""
    path = folder / f"picture.{kind.lower()}"
    picture.save(path, kind, **options)
    return path


def test_what_can_be_shown_to_a_network_is_not_refused_and_the_rest_in_a_sentence(tmp_path):
    assert seeing.refusal(kept(tmp_path, drawn("white", "black"))) is None
    blank = kept(tmp_path, Image.new("L", (60, 60), "white"))
    assert seeing.refusal(blank).startswith("the picture shows nothing that stands out")
    assert seeing.refusal(tmp_path / "no.png") == f"{tmp_path / 'no.png'} does not exist: give the path of a picture."


# ---- what a network is given


@pytest.mark.parametrize(("ground", "box", "inverted"), [("black", "white", False), ("white", "black", True)])
def test_what_stands_out_is_trimmed_made_28_pixels_long_centred_and_light_on_black(ground, box, inverted):
    given = seeing.given(drawn(ground, box))
    expected = np.zeros((28, 28))
    expected[7:21] = 255  # 40 x 20 become 28 x 14, with seven blank lines on either side
    assert given.pixels.dtype == np.uint8
    np.testing.assert_array_equal(given.pixels, expected)
    assert given.inverted is inverted


@pytest.mark.parametrize(("ground", "box"), [((100,) * 3, (220,) * 3), ((155,) * 3, (35,) * 3)])
def test_a_grey_ground_is_no_ink(ground, box):
    pixels = seeing.given(drawn(ground, box)).pixels
    assert np.unique(pixels).tolist() == [0, round(255 * 120 / 155)]  # full ink would be as far as white, or black, is


def test_a_photograph_lying_on_its_side_is_put_upright(tmp_path):
    picture = Image.new("RGB", (60, 100), "white")
    picture.paste("black", (0, 0, 60, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera's top is to the right
    path = kept(tmp_path, picture, "JPEG", exif=exif, quality=100)
    upright = np.asarray(seeing.read(path).convert("L"), dtype=int)
    assert upright.shape == (60, 100)
    assert upright[:, 85:].max() < 20
    assert upright[:, :75].min() > 235


@pytest.mark.parametrize("thing", ["black", "white"])
def test_what_is_transparent_is_ground_whatever_the_thing(thing, tmp_path):
    picture = Image.new("RGBA", (100, 60), (255, 255, 255, 0))
    picture.paste(thing, BOX)
    given = seeing.given(seeing.read(kept(tmp_path, picture)))
    assert given.pixels[7:21].min() == 255
    assert given.pixels.sum() == 255 * 14 * 28


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("1", "PNG"), ("L", "PNG"), ("P", "GIF"), ("I;16", "PNG"), ("CMYK", "JPEG"), ("F", "TIFF"), ("RGB", "WEBP")],
)
def test_every_kind_of_pixel_is_read(mode, kind, tmp_path):
    values = np.asarray(drawn(0, 255, "L"))
    if mode == "I;16":
        picture = Image.fromarray(values.astype(np.uint16) * 257)
    elif mode == "F":
        picture = Image.fromarray(np.float32(values) / 255)
    else:
        picture = Image.fromarray(values).convert(mode)
    given = seeing.given(seeing.read(kept(tmp_path, picture, kind, lossless=True, quality=100)))
    assert np.abs(given.pixels[8:20].astype(int) - 255).max() <= 5
    assert given.pixels[:6].max() <= 5


def test_a_large_photograph_is_kept_small(tmp_path):
    path = kept(tmp_path, drawn("white", "black", size=(4000, 3000)), "JPEG")
    assert seeing.read(path).size == (512, 384)


# ---- what is refused


def refused(path):
    """The sentence."""
    with pytest.raises(seeing.PictureError) as caught:
        seeing.given(seeing.read(path))
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith(".")
    return text


def test_a_picture_of_20_000_pixels_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    path = kept(tmp_path, Image.new("1", (20_000, 40)))
    monkeypatch.setattr(Image.Image, "convert", None)
    assert "20,000 x 40 pixels: make it at most 10,000 wide and high" in refused(path)


def test_a_decompression_bomb_is_refused(tmp_path):
    path = kept(tmp_path, Image.new("1", (9_999, 9_999)))
    assert path.stat().st_size < 100_000
    assert "too many pixels" in refused(path)
    Image.new("1", (30_000, 9_000)).save(path)  # which Pillow refuses itself
    assert "too many pixels" in refused(path)


def test_what_is_no_picture_is_refused(tmp_path):
    assert "does not exist" in refused(tmp_path / "none.png")
    assert "cannot be read" in refused(tmp_path)
    for content in (b"", b"a text", b"\x89PNG\r\n\x1a\n"):
        (tmp_path / "file.png").write_bytes(content)
        assert "no picture that can be read" in refused(tmp_path / "file.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP"])
def test_a_damaged_picture_is_refused_or_read_as_far_as_it_goes(kind, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, kind)
    whole, path = buffer.getvalue(), tmp_path / "damaged"
    said = []
    for end in range(0, len(whole), 97):
        path.write_bytes(whole[:end])
        try:
            seeing.read(path)
        except seeing.PictureError as error:
            said.append(str(error))
    assert said
    assert all(text.startswith(str(path)) for text in said)


def test_a_picture_of_nothing_is_refused(tmp_path):
    assert "nothing that stands out" in refused(kept(tmp_path, Image.new("RGB", (50, 50), "red")))


# ---- what decided


@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
@pytest.mark.parametrize("activation", ["tanh", "gelu"])
@pytest.mark.parametrize("layers", [0, 1, 3])
def test_the_pixels_share_is_that_of_differences(layers, activation, loss):
    settings = dict(layers=layers, num_hidden_neurons=7, activation=activation, loss=loss, weight_decay=0.1, seed=3)
    net = NeuralNetwork(**settings, initializer="he")
    exact = NeuralNetwork(**settings, dtype="float64", backend="numpy")
    for b in net.biases.values():
        b[...] = np.random.default_rng(1).normal(0, 0.1, b.shape)
    exact.theta[...] = net.theta
    pixels = np.random.default_rng(2).integers(0, 256, (28, 28), dtype=np.uint8)
    decided = seeing.decided(net, pixels, 4)
    assert decided.shape == (28, 28)
    x, step = pixels.reshape(1, -1) / 255, 1e-4
    for k in (0, 5, 333, 400, 783):
        up, down = x.copy(), x.copy()
        up[0, k] += step
        down[0, k] -= step
        higher, lower = (exact.evaluate(point, np.array([4]))["loss"] for point in (up, down))
        assert decided.flat[k] == pytest.approx(-(higher - lower) / (2 * step), rel=1e-5, abs=1e-9)


def test_a_network_that_is_all_but_certain_still_has_its_reasons():
    """In float32 its confidence is 1, and 1 - ŷ would be 0 or a rounding error."""
    net = NeuralNetwork(layers=0, weight_decay=0, seed=1)
    net.biases[1][3] = 25
    pixels = np.full((28, 28), 255, np.uint8)
    decided = seeing.decided(net, pixels, 3)
    p = np.exp(np.float64(net.weights[1]).sum(axis=1) + net.biases[1])
    others = p[np.arange(10) != 3] / p.sum()
    apart = net.weights[1][3].astype(float) - np.delete(net.weights[1], 3, axis=0)  # of d log ŷ_3: Σ ŷ_j (W_3 - W_j)
    np.testing.assert_allclose(decided.ravel(), others @ apart, rtol=1e-5, atol=1e-16)


def test_blanking_takes_the_strongest_pixels_of_those_with_ink():
    """A linear network with one pixel that speaks for its label, and one without ink that would, too."""
    net = NeuralNetwork(layers=0, seed=0)
    net.weights[1][...] = 0
    net.weights[1][2, 10], net.weights[1][2, 20] = 3, 9
    pixels = np.zeros((28, 28), np.uint8)
    pixels.flat[[10, 11, 12, 13]] = 255
    share = seeing.decided(net, pixels, 2)
    left, by_chance = seeing.without(net, pixels, share, 2, count=1, draws=4000)
    assert left == pytest.approx(0.1)  # nothing is left to speak for any label
    assert by_chance == pytest.approx(0.1 / 4 + 3 / 4 * np.e**3 / (np.e**3 + 9), abs=0.02)  # one of four is that pixel


def test_the_nearest_image_is_that_of_the_least_angle_whatever_its_brightness():
    images = np.array([[3, 0], [1, 1]], np.uint8)
    others = np.array([[0, 200], [100, 100], [1, 0]], np.uint8)
    angles, which = seeing.nearest(images, others)
    np.testing.assert_allclose(angles, [0, 0], atol=0.05)
    assert which.tolist() == [2, 1]
    np.testing.assert_allclose(seeing.nearest(images[:1], others[:2])[0], [45], atol=1e-4)


# ---- what comes along


def test_the_pictures_are_those_that_their_script_draws():
    """Up to what another version of Pillow may round differently."""
    drawn = runpy.run_path(str(ROOT / "notebooks" / "pictures" / "draw.py"))["PICTURES"]
    pictures = files("notebooks/pictures/*.png")
    assert {path.stem for path in pictures} == drawn.keys()
    for path in pictures:
        assert path.stat().st_size < 20_000
        expected = np.asarray(drawn[path.stem](), dtype=int)
        assert np.abs(np.asarray(seeing.read(path).resize(expected.shape[1::-1]), dtype=int) - expected).mean() < 2
