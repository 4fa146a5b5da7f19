"""Scores by hand."""

import math

import pytest
import torch

from morpheus.classes import BACKGROUND
from morpheus.train.metrics import Scores
from morpheus.train.prepared import Prepared


def batch_of(classes, owner):
    n, _, height, width = classes.shape
    images = torch.zeros(n, 1, height, width)
    level = torch.ones(n, 1)
    return Prepared(
        images, images == 0, level, level, classes, owner, images[:, 0], owner > 0, images
    )


def flat(rows):
    """Planes (1, 5, 4, 8) of which each half, left and right, has one vector."""
    left, right = (torch.tensor(row)[:, None, None].expand(5, 4, 4) for row in rows)
    return torch.cat([left, right], 2)[None].float()


def test_by_hand():
    owner = torch.zeros(1, 4, 8, dtype=torch.int32)
    owner[..., :4], owner[..., 4:] = 1, 2
    classes = flat([(0.5, 0.3, 0.2, 0, 0), (0, 1, 0, 0, 0)])
    classes[:, :, 3, 4:] = 0  # 4 pixels are unknown: the second source has the least of 12 pixels
    probabilities = flat([(0.1, 0.5, 0.1, 0.1, 0.2), (0.05, 0.1, 0.05, 0, 0.8)])
    scores = Scores()
    scores.add(probabilities, batch_of(classes, owner))
    found = scores.result()
    # 28 known pixels are source; the 16 on the left are found.
    assert found["iou"] == pytest.approx(16 / 28)
    # The left one is a spheroid by the votes, the network says disk; the right one is right.
    assert found["top1"] == pytest.approx(0.5)
    left = -(0.5 * math.log(0.125) + 0.3 * math.log(0.625) + 0.2 * math.log(0.125))
    assert found["entropy"] == pytest.approx((left - math.log(0.5)) / 2, rel=1e-5)


def test_batches_add_up():
    owner = torch.ones(1, 4, 8, dtype=torch.int32)
    disk, said = flat([(0, 1, 0, 0, 0)] * 2), flat([(0, 0.9, 0, 0, 0.1)] * 2)
    sky, spheroid = flat([(0, 0, 0, 0, 1)] * 2), flat([(0.9, 0, 0, 0, 0.1)] * 2)
    scores = Scores()
    scores.add(said, batch_of(disk, owner))
    scores.add(spheroid, batch_of(disk, owner))
    scores.add(said, batch_of(sky, 0 * owner))
    assert scores.result()["iou"] == pytest.approx(2 / 3)  # the third is found where nothing is
    assert scores.result()["top1"] == pytest.approx(0.5)


def test_small_sources_have_no_class_and_unknown_pixels_no_part():
    owner = torch.zeros(1, 4, 8, dtype=torch.int32)
    owner[0, 0, :8], owner[0, 1, :3] = 1, 1  # 11 pixels
    classes = torch.zeros(1, 5, 4, 8)
    classes[:, BACKGROUND] = 1
    classes[:, :, owner[0] > 0] = torch.tensor([0, 1.0, 0, 0, 0])[:, None]
    scores = Scores()
    scores.add(classes, batch_of(classes, owner))
    assert scores.result() == {"iou": 1.0}
    scores.add(flat([(1, 0, 0, 0, 0)] * 2), batch_of(0 * classes, owner))
    assert scores.result() == {"iou": 1.0}
