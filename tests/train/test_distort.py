"""Sources out of shape: the light stays, the class is the teacher's to say."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from morpheus.classes import BACKGROUND
from morpheus.errors import OptionError
from morpheus.train.distort import distorted
from morpheus.train.examples import Draws
from morpheus.train.options import TeacherOptions

from .test_compose import DISK, piece
from .test_examples import arrays, options_of


def disk(side=96, scale=5.0):
    """A round exponential disk, and the pixels that belong to it."""
    y, x = np.indices((side, side)) - side / 2
    light = 1000 * np.exp(-np.hypot(x, y) / scale)
    return piece(light, light > 10, {DISK: 1.0}, bands=3)


def test_the_light_of_every_band_stays():
    for seed in range(20):
        source = disk()
        found = distorted(source, np.random.default_rng(seed))
        assert_allclose(found.images.sum((1, 2)), source.images.sum((1, 2)), rtol=1e-4)
        assert found.images.dtype == np.float32


def test_the_truth_goes_with_it():
    """Where it was a source it is one: the first moments of light and of its pixels move along."""
    moved, misses = [], []
    for seed in range(20):
        found = distorted(disk(), np.random.default_rng(seed))
        own = found.owner > 0
        assert_array_equal(found.classes[DISK] == 1, own)
        assert_array_equal(found.classes[BACKGROUND] == 1, ~own)
        assert_array_equal(found.asked, own)
        assert not found.voted.any()
        # Nearly all of the light, as before: 1 - (1 + 4.6) exp(-4.6) of it within 10.
        assert found.images[0][own].sum() / found.images[0].sum() > 0.85
        before = disk().owner > 0
        moved.append((own != before).mean() / before.mean())
        misses.append(abs(own.sum() / before.sum() - 1))
    assert np.mean(moved) > 0.05  # they are out of shape ...
    assert np.mean(misses) < 0.2  # ... and about as large


def test_bands_differ_and_numbers_repeat():
    one, again = (distorted(disk(), np.random.default_rng(3)) for _ in range(2))
    assert_array_equal(one.images, again.images)
    own = one.owner > 0
    assert np.ptp(one.images[1][own] / one.images[0][own]) > 0.1  # 2 everywhere before


def test_a_source_without_light_is_left_without():
    dark = piece(np.zeros((32, 32)), np.zeros((32, 32)), {})
    assert not distorted(dark, np.random.default_rng(0)).images.any()


def drawn(alone, **options):
    teacher = TeacherOptions("hausen2020", distort=0.5)
    chosen = dataclasses.replace(options_of(), teacher=teacher)
    draws = Draws([arrays(size=40), alone], chosen, 0, 60, 40, **options)
    return [draws[i] for i in range(60)]


def test_draws_distort_what_the_teacher_is_asked_about():
    alone = arrays(first=0, added=2.0)
    found = drawn(alone)
    assert 10 < sum(not bool(one.voted.all()) for one in found) < 60
    assert all(bool((one.voted | one.asked).all()) for one in found)
    assert all(bool(one.voted.all()) for one in drawn(alone, validation=True))
    faint = dataclasses.replace(alone, magnitudes=np.full((8, 3), 25.0, np.float32))
    assert all(bool(one.voted.all()) for one in drawn(faint))


def test_without_a_teacher_nobody_knows():
    with pytest.raises(OptionError, match="need a teacher"):
        TeacherOptions(distort=0.5)
    with pytest.raises(OptionError, match="distort"):
        TeacherOptions("hausen2020", distort=1.5)
