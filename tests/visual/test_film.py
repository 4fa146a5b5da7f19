"""Films are read again, picture by picture."""

import sys

import av
import numpy as np
import pytest
from PIL import Image

from morpheus.errors import OptionError, ProductError
from morpheus.visual import (
    averaged_by,
    block_means,
    check_film_path,
    class_figure,
    rendered,
    sweep,
    write_film,
)


@pytest.fixture
def pictures():
    """Two pictures of 61 x 81 pixels that differ in a box, as in a frame with a legend."""
    before = np.full((61, 81, 3), 30, np.uint8)
    after = before.copy()
    before[10:40, 20:70] = (200, 40, 40)
    after[10:40, 20:70] = (40, 40, 200)
    return before, after


def test_the_second_takes_the_place_of_the_first(pictures):
    before, after = pictures
    frames = list(sweep(before, after, n_frames=20, n_still=3))
    assert len(frames) == 26
    for i in range(4):
        np.testing.assert_array_equal(frames[i], before)
        np.testing.assert_array_equal(frames[-1 - i], after)
    edges = []
    for frame in frames[4:-4]:
        is_after = (frame[10:40, 20:70] == after[10:40, 20:70]).all(axis=(0, 2))
        edge = int(np.argmin(is_after))
        if not edge:  # has not begun, or is at its end
            continue
        assert is_after[:edge].all()
        rest = frame[10:40, 20 + edge : 70]
        assert (rest[:, :3] == 255).all()
        np.testing.assert_array_equal(rest[:, 3:], before[10:40, 20 + edge + 3 : 70])
        np.testing.assert_array_equal(frame[40:], before[40:])  # the legend stands still
        edges.append(edge)
    assert edges == sorted(edges)
    assert len(set(edges)) > 12


def test_equal_pictures_stand_still(pictures):
    frames = list(sweep(pictures[0], pictures[0], n_frames=5, n_still=2))
    assert len(frames) == 4
    assert all((frame == pictures[0]).all() for frame in frames)


def test_an_mp4_plays(pictures, tmp_path):
    """The format of all players; odd sides are made even; colours within what H.264 loses."""
    path = write_film(tmp_path / "a.mp4", sweep(*pictures, n_frames=30, n_still=5), rate=20)
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert float(stream.average_rate) == 20
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
        assert film.metadata["comment"].startswith("morpheus ")
    assert len(frames) == 40
    assert frames[0].shape == (62, 82, 3)
    for frame, picture in ((frames[0], pictures[0]), (frames[-1], pictures[1])):
        centre = frame[20:30, 30:60].astype(int)
        assert np.abs(centre - picture[20:30, 30:60]).max() < 16
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_gif_plays(pictures, tmp_path):
    path = write_film(tmp_path / "a.gif", sweep(*pictures, n_frames=30, n_still=5), rate=30)
    with Image.open(path) as film:
        assert film.info["loop"] == 0
        # equal pictures in a row are one, shown for longer
        durations = []
        for i in range(film.n_frames):
            film.seek(i)
            durations.append(film.info["duration"])
        assert sum(durations) == pytest.approx(1333, abs=80)
        film.seek(0)
        first = np.asarray(film.convert("RGB"))
    np.testing.assert_allclose(first[20, 40], pictures[0][20, 40], atol=8)


def test_the_sky_beside_the_same_legend(classification):
    sky = np.random.default_rng(0).random((*classification.shape, 3)).astype(np.float32)
    classes = rendered(class_figure(classification))
    other = rendered(class_figure(classification, picture=sky))
    differs = (classes != other).any(axis=2)
    assert differs.any()
    rows = np.flatnonzero(differs.any(axis=1))
    assert rows[-1] < 0.8 * len(differs)  # nothing of the legend, which is below
    with pytest.raises(OptionError, match="the picture has the shape"):
        class_figure(classification, picture=sky[1:])


def test_a_large_sky_is_averaged(make_classification):
    p = np.full((5, 250, 200), 0.2, np.float32)
    sky = np.zeros((250, 200, 3), np.float32)
    sky[::2] = 1
    classification = make_classification(p)
    assert averaged_by(classification.shape, 125) == 2
    averaged = np.stack([block_means(channel, 2) for channel in np.moveaxis(sky, 2, 0)], 2)
    figure = class_figure(classification, max_pixels=125, picture=averaged)
    shown = figure.axes[0].images[0].get_array()
    assert shown.shape == (125, 100, 3)
    np.testing.assert_allclose(shown, 0.5)
    with pytest.raises(OptionError, match=r"must be \(125, 100, 3\)"):
        class_figure(classification, max_pixels=125, picture=sky)


def test_what_cannot_be_written(pictures, tmp_path, monkeypatch):
    with pytest.raises(OptionError, match=r"a film .* \.mp4, \.gif"):
        check_film_path(tmp_path / "a.avi")
    (tmp_path / "a.gif").touch()
    with pytest.raises(ProductError, match="would be overwritten"):
        write_film(tmp_path / "a.gif", [pictures[0]])
    write_film(tmp_path / "a.gif", [pictures[0]], overwrite=True)

    def fails():
        yield pictures[0]
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        write_film(tmp_path / "b.mp4", fails())
    assert [path.name for path in tmp_path.iterdir()] == ["a.gif"]
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(OptionError, match=r"not as \.gif.*av.*\[film\]"):
        check_film_path(tmp_path / "c.mp4")
