"""Augmentation: what becomes of images made by hand, and predictions of an image and its mirror image."""

import itertools
from collections import Counter

import numpy as np
import pytest
from scipy import stats

import nn_core
from ingredients import augmentation
from ingredients_kit import each_backend, examples, network, observe, one_sentence

each_augmentation = pytest.mark.parametrize("name", augmentation.AUGMENTATIONS)


def seen(name, images, epochs=20, batch_size=16):
    """Square images (n, side, side) as they reach the network in each of many epochs, (epochs · n, side, side), and the
    numbers of the images that they were."""
    side = images.shape[-1]
    steps = observe(
        dict(inputs=side * side, num_hidden_neurons=[], batch_size=batch_size, max_epochs=epochs, augmentation=name),
        images,
    )
    x = np.concatenate([step.x for step in steps]).reshape(-1, side, side)
    return x, np.concatenate([step.y.argmax(axis=1) for step in steps])


def pictures(n=24, side=8, seed=3):
    """Images without a zero, no two pixels of a row or column alike, so that each change shows."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(np.arange(1, side * side + 1)).reshape(side, side) for _ in range(n)]).astype(
        np.uint8
    )


def test_mirrored_images_are_the_images_or_their_mirror_images():
    images = pictures()
    x, rows = seen("mirror", images)
    turned = []
    for now, image in zip(x, images[rows] / 255, strict=True):
        turned.append(not np.allclose(now, image))
        np.testing.assert_allclose(now, image[:, ::-1] if turned[-1] else image, rtol=1e-12)
    assert 0.4 < np.mean(turned) < 0.6  # 480 of them: four standard errors are 0.09


def moved(image, down, right):
    """The image where it is after a shift, with zeros where it was."""
    around = np.pad(image, 2)
    rows, columns = image.shape
    return around[2 - down : 2 - down + rows, 2 - right : 2 - right + columns]


def test_shifted_images_move_by_a_pixel_at_most_and_zeros_move_in():
    images = pictures()
    x, rows = seen("shift", images)
    shifts = Counter()
    for now, image in zip(x, images[rows] / 255, strict=True):
        steps = [s for s in itertools.product((-1, 0, 1), repeat=2) if np.allclose(now, moved(image, *s), rtol=1e-12)]
        assert len(steps) == 1
        shifts.update(steps)
    assert len(shifts) == 9
    assert stats.chisquare(list(shifts.values())).pvalue > 1e-4  # each as likely


def test_what_is_erased_is_a_rectangle():
    """Of the sizes that the module gives, but for rounding, in half of the images, and anywhere."""
    side = 28
    x, _ = seen("erase", np.full((60, side, side), 255, np.uint8))
    (least, most), (flattest, steepest) = augmentation.AREA, augmentation.RATIO
    blank = x == 0
    assert set(np.unique(x)) == {0, 1}
    assert 0.45 < blank.any(axis=(1, 2)).mean() < 0.55  # 1,200 of them: three standard errors are 0.043
    sizes = []
    for one in blank[blank.any(axis=(1, 2))]:
        rows, columns = one.any(axis=1), one.any(axis=0)
        assert np.array_equal(one, np.outer(rows, columns))
        for line in (rows, columns):  # in one piece
            assert np.abs(np.diff(np.pad(line.astype(int), 1))).sum() == 2
        height, width = rows.sum(), columns.sum()
        sizes.append(height * width / side**2)
        assert (height - 0.5) * (width - 0.5) <= most * side**2
        assert (height + 0.5) * (width + 0.5) >= least * side**2 or side in (height, width)
        assert (height + 0.5) / (width - 0.5) >= flattest
        assert (height - 0.5) / (width + 0.5) <= steepest
    assert min(sizes) < least + 0.03
    assert max(sizes) > most - 0.03
    assert blank.any(axis=0).all()


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@each_augmentation
def test_any_kind_of_image_is_changed_alike_and_the_caller_s_stay_as_they_are(name, dtype):
    images = pictures()
    given = images if dtype == "uint8" else (images / 255).astype(dtype)
    before = given.copy()
    given.flags.writeable = False
    x, _ = seen(name, given)
    np.testing.assert_allclose(x, seen(name, images)[0], rtol=1e-6)
    assert np.array_equal(given, before)
    assert given.dtype == dtype


@each_backend
@pytest.mark.parametrize("name", [*augmentation.AUGMENTATIONS, ["mirror", "shift", "erase"]], ids=str)
def test_draws_do_not_depend_on_how_many_images_are_gathered_at_a_time(name, backend, monkeypatch):
    nets = []
    for rows in (1024, 8, 17):
        monkeypatch.setattr(nn_core, "CHUNK", rows)
        net = network(augmentation=name, mixup=0.3, input_dropout=0.2, dropout=0.2, backend=backend)
        list(net.train(examples()))
        nets.append(net)
    assert all(net.theta.tobytes() == nets[0].theta.tobytes() for net in nets)


def test_several_are_done_one_after_another():
    images = np.full((40, 8, 8), 255, np.uint8)
    images[:, :, 0] = 51
    x, _ = seen(["mirror", "shift", "erase"], images)
    blank = (x == 0).mean(axis=(1, 2))
    assert len(np.unique(blank.round(6))) > 5
    assert {0, 51, 255} == set(np.unique((x * 255).round().astype(int)))


def test_images_that_are_not_square_are_refused():
    for inputs in (6, 784 * 2):
        with pytest.raises(ValueError, match="augmentation='mirror'") as error:
            network(inputs=inputs, augmentation="mirror")
        assert str(inputs) in one_sentence(error)
        assert "square" in one_sentence(error)


def test_images_of_another_shape_with_as_many_pixels_are_refused_or_seen_as_square():
    """(n, 2, 32) has the 64 inputs of 8 x 8: whichever it is, no crash."""
    images = pictures().reshape(-1, 2, 32)
    net = network(inputs=64, augmentation="shift")
    list(net.train((images, np.zeros(len(images), int))))


# ---- mirrored predictions


@each_backend
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("averaging", ["none", "exponential"])
def test_a_mirrored_prediction_is_the_mean_over_both(averaging, dtype, backend):
    images, labels = examples(1500, dtype)  # more than a chunk
    net = network(averaging=averaging, normalization="batch", backend=backend, max_epochs=1)
    list(net.train((images, labels)))
    turned = images.reshape(-1, 4, 4)[:, :, ::-1]
    mean = (net.predict_proba(images) + net.predict_proba(turned)) / 2
    before = images.copy()
    for form in (images, images.reshape(-1, 4, 4)):
        mirrored = net.predict_proba(form, mirrored=True)
        np.testing.assert_allclose(mirrored, mean, rtol=1e-5)
        assert np.array_equal(net.predict(form, mirrored=True), mirrored.argmax(axis=1))
    assert np.array_equal(images, before)
    assert not np.allclose(mean, net.predict_proba(images))


def test_the_mirrored_prediction_may_be_another_class_than_either():
    """The mean is of probabilities, so that one that is sure outvotes one that is not."""
    net = network(layers=0, inputs=4, classes=3, dtype="float64")
    net.weights[1][...] = [[6, 0, 0, 0], [0, 6, 0, 0], [5.5, 5.5, 0, 0]]
    image = np.array([[1.0, 0, 0, 0]])
    assert net.predict(image) == [0]
    assert net.predict(image[:, [1, 0, 3, 2]]) == [1]
    assert net.predict(image, mirrored=True) == [2]


def test_no_mirror_image_of_what_is_not_square():
    net = network(inputs=6)
    for predict in (net.predict, net.predict_proba):
        with pytest.raises(ValueError, match="mirrored=True") as error:
            predict(np.zeros((2, 6)), mirrored=True)
        assert "square" in one_sentence(error)
