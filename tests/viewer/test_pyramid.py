"""Tiles at all zooms against block means that are known; what is kept on disk is whole."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morpheus.errors import ImageError, ProductError
from morpheus.viewer import TILE, Pyramid, TileSet, label_set, share_sets
from morpheus.viewer.pyramid import level_shape, n_levels

SIDES = st.integers(1, 5000)


def reader(array):
    return lambda section: array[section]


def share_pyramid(folder, array, signature="s", **more):
    (one,) = share_sets({"disk": reader(array), **more}, "share")
    return Pyramid(folder, array.shape, [one], signature)


def ramp(shape):
    """A plane: the mean of any block is its value at the block's middle."""
    y, x = np.indices(shape)
    return (0.1 + 0.4 * y / shape[0] + 0.4 * x / shape[1]).astype(np.float32)


def mosaic(pyramid, decode, name, level):
    """All tiles of a level put together, with what lies beyond the field."""
    n_rows, n_columns = pyramid.n_tiles(level)
    apron = pyramid.sets[name].apron
    inner = slice(apron, apron + TILE)
    whole = np.zeros((n_rows * TILE, n_columns * TILE, 3), np.uint8)
    for row in range(n_rows):
        for column in range(n_columns):
            codes = decode(pyramid.tile(name, level, row, column))
            assert codes.shape == (TILE + 2 * apron, TILE + 2 * apron, 3)
            y, x = row * TILE, column * TILE
            whole[y : y + TILE, x : x + TILE] = codes[inner, inner]
    return whole


@given(SIDES, SIDES)
def test_levels(height, width):
    levels = n_levels((height, width))
    assert max(level_shape((height, width), levels)) <= TILE
    assert levels == 0 or max(level_shape((height, width), levels - 1)) > TILE


@given(SIDES, SIDES)
def test_addresses_cover_every_pixel_once(tmp_path_factory, height, width):
    (one,) = share_sets({"disk": None}, "share")
    pyramid = Pyramid(tmp_path_factory.getbasetemp(), (height, width), [one], "")
    addresses = list(pyramid.addresses(one.name))
    assert len(set(addresses)) == len(addresses)
    assert [level for level, _, _ in addresses] == sorted((a[0] for a in addresses), reverse=True)
    assert {level for level, _, _ in addresses} == set(range(pyramid.levels + 1))
    for level in range(pyramid.levels + 1):
        shape = level_shape((height, width), level)
        covered = 0
        for _, row, column in (a for a in addresses if a[0] == level):
            sides = [min(TILE, n - TILE * at) for n, at in zip(shape, (row, column), strict=True)]
            assert min(sides) > 0
            covered += sides[0] * sides[1]
        assert covered == shape[0] * shape[1]


@pytest.mark.parametrize("shape", [(700, 1100), (1, 600), (257, 1), (512, 256), (1026, 513)])
def test_means_of_blocks_at_all_levels(tmp_path, decode, shape):
    array = ramp(shape)
    pyramid = share_pyramid(tmp_path, array)
    for level in range(pyramid.levels + 1):
        size = 1 << level
        height, width = level_shape(shape, level)
        # Of whole blocks only: one that reaches over the edge has the mean of what there is,
        # halved again with the weight of a whole one.
        rows, columns = shape[0] // size, shape[1] // size
        found = mosaic(pyramid, decode, "share-0", level)
        blocks = array[: rows * size, : columns * size].astype(float)
        true = blocks.reshape(rows, size, columns, size).mean(axis=(1, 3))
        np.testing.assert_allclose((found[:rows, :columns, 0] - 1.0) / 254, true, atol=0.0021)
        assert (found[:height, :width, 0] > 0).all()
        assert (found[height:] == 0).all()
        assert (found[:, width:] == 0).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 1300), st.integers(1, 1300), st.integers(0, 2**31))
def test_any_shape(tmp_path_factory, height, width, seed):
    """Halved maps are those of halving the whole at once, whatever strips they are read in."""
    from morpheus.visual.blocks import block_means

    rng = np.random.default_rng(seed)
    array = rng.uniform(0, 1, (height, width)).astype(np.float32)
    array[rng.uniform(size=array.shape) < 0.2] = np.nan
    pyramid = share_pyramid(tmp_path_factory.mktemp("tiles"), array)
    level, values = 0, array
    while level < pyramid.levels:
        level, values = level + 1, block_means(values, 2)
    pyramid.prepare("share-0")
    codes = pyramid._codes(
        pyramid.sets["share-0"], level, tuple(slice(0, side) for side in values.shape)
    )[..., 0]
    np.testing.assert_array_equal(codes > 0, np.isfinite(values))
    np.testing.assert_allclose(
        (codes[codes > 0] - 1.0) / 254, values[np.isfinite(values)], atol=0.0021
    )


def test_nan_is_left_out_of_means(tmp_path, decode):
    array = np.full((300, 300), 0.5, np.float32)
    array[0, 0] = array[10:12, 10:12] = np.nan
    array[1, 1] = 0.8
    codes = mosaic(share_pyramid(tmp_path, array), decode, "share-0", 1)
    assert (codes[0, 0, 0] - 1) / 254 == pytest.approx(0.6, abs=0.002)
    assert codes[5, 5, 0] == 0
    assert codes[0, 0, 1] == 0  # no class there


def test_labels_have_an_apron_and_are_not_averaged(tmp_path, decode):
    labels = np.arange(520 * 300).reshape(520, 300)
    pyramid = Pyramid(tmp_path, labels.shape, [label_set(reader(labels))], "s")

    def number(codes):
        return codes.astype(int) @ [1 << 16, 1 << 8, 1]

    for level in range(pyramid.levels + 1):
        expected = labels
        for _ in range(level):
            expected = expected[::2, ::2]
        expected = np.pad(expected, ((1, 1000), (1, 1000)))
        for _, row, column in (a for a in pyramid.addresses("labels") if a[0] == level):
            found = number(decode(pyramid.tile("labels", level, row, column)))
            y, x = row * TILE, column * TILE
            np.testing.assert_array_equal(found, expected[y : y + TILE + 2, x : x + TILE + 2])


@pytest.mark.parametrize(
    "place", [(-1, 0, 0), (4, 0, 0), (0, 3, 0), (0, 0, 5), (0, -1, 0), (0, 0, -1), (99, 0, 0)]
)
def test_no_such_tile(tmp_path, place):
    pyramid = share_pyramid(tmp_path, ramp((700, 1100)))
    with pytest.raises(KeyError):
        pyramid.tile("share-0", *place)
    with pytest.raises(KeyError):
        pyramid.tile("share-1", 0, 0, 0)


def counted(array):
    calls = []

    def read(section):
        calls.append(section)
        return array[section]

    return read, calls


def test_maps_are_made_once_for_a_signature(tmp_path, decode):
    read, calls = counted(ramp((600, 600)))

    def coarsest(signature):
        (one,) = share_sets({"disk": read}, "share")
        return decode(Pyramid(tmp_path, (600, 600), [one], signature).tile("share-0", 2, 0, 0))

    first = coarsest("a")
    n = len(calls)
    assert n > 0
    np.testing.assert_array_equal(coarsest("a"), first)
    assert len(calls) == n
    read, calls = counted(1 - ramp((600, 600)))
    assert (coarsest("b") != first).any()
    assert len(calls) == n
    read, calls = counted(ramp((600, 600)))
    np.testing.assert_array_equal(coarsest("a"), first)


@pytest.mark.parametrize("damage", ["missing", "not JSON", '["signature"]', '{"signature": 1}'])
def test_a_record_that_is_no_record(tmp_path, damage):
    array = ramp((600, 600))
    share_pyramid(tmp_path, array).prepare("share-0")
    record = tmp_path / "share-0/made-from.json"
    assert json.loads(record.read_text()) == {"signature": "s"}
    if damage == "missing":
        record.unlink()
    else:
        record.write_text(damage)
    share_pyramid(tmp_path, array).prepare("share-0")
    assert json.loads(record.read_text()) == {"signature": "s"}


def test_interrupted_halving_leaves_nothing(tmp_path, decode):
    array = ramp((1500, 300))
    calls = []

    def read(section):
        calls.append(section)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return array[section]

    (one,) = share_sets({"disk": read}, "share")
    with pytest.raises(KeyboardInterrupt):
        Pyramid(tmp_path, array.shape, [one], "s").prepare("share-0")
    assert list(tmp_path.iterdir()) == []
    pyramid = share_pyramid(tmp_path, array)
    found = decode(pyramid.tile("share-0", pyramid.levels, 0, 0))
    assert (found[..., 0] > 0).sum() == np.prod(level_shape(array.shape, pyramid.levels))


def test_an_error_leaves_the_old_maps(tmp_path):
    array = ramp((600, 600))
    share_pyramid(tmp_path, array).prepare("share-0")

    def broken(section):
        raise ImageError("no such pixels")

    (one,) = share_sets({"disk": broken}, "share")
    with pytest.raises(ImageError, match="no such pixels"):
        Pyramid(tmp_path, array.shape, [one], "other").prepare("share-0")
    assert [path.name for path in tmp_path.iterdir()] == ["share-0"]
    assert json.loads((tmp_path / "share-0/made-from.json").read_text()) == {"signature": "s"}


def test_threads_share_the_work(tmp_path, decode):
    read, calls = counted(ramp((2000, 600)))
    (one,) = share_sets({"disk": read}, "share")
    pyramid = Pyramid(tmp_path, (2000, 600), [one], "s")
    barrier = threading.Barrier(4)

    def tile(_):
        barrier.wait()
        return pyramid.tile("share-0", pyramid.levels, 0, 0)

    with ThreadPoolExecutor(4) as pool:
        contents = set(pool.map(tile, range(4)))
    assert len(contents) == 1
    assert sum(rows.stop - rows.start for rows, _ in calls) == 2000


def test_progress(tmp_path):
    told = []
    share_pyramid(tmp_path, ramp((1300, 300))).prepare("share-0", told.append)
    assert sum(told) == 1300 * 300
    told.clear()
    share_pyramid(tmp_path, ramp((1300, 300))).prepare("share-0", told.append)
    assert told == []


def test_nowhere_to_write(tmp_path):
    (tmp_path / "file").write_text("")
    pyramid = share_pyramid(tmp_path / "file/tiles", ramp((300, 300)))
    with pytest.raises(ProductError, match="give another folder with --tiles FOLDER"):
        pyramid.prepare("share-0")
    assert pyramid.tile("share-0", 0, 0, 0)  # the full size needs no maps


def test_a_small_field_keeps_nothing(tmp_path):
    pyramid = share_pyramid(tmp_path / "tiles", ramp((256, 100)))
    pyramid.prepare("share-0")
    assert pyramid.levels == 0
    assert not (tmp_path / "tiles").exists()


def test_suffixes():
    for kind in ("band", "share", "scatter", "label"):
        assert TileSet("a", kind, (), (), None).suffix == "png"
    assert TileSet("a", "picture", (), (), None).suffix == "jpg"


@pytest.mark.parametrize("damage", ["cut", "gone", "other"])
def test_damaged_maps_are_made_anew(tmp_path, decode, damage):
    array = ramp((600, 300))
    whole = mosaic(share_pyramid(tmp_path, array), decode, "share-0", 1)
    path = tmp_path / "share-0/level-1.npy"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:500])
    elif damage == "gone":
        path.unlink()
    else:
        np.save(path, np.zeros((3, 3)))
    assert np.array_equal(mosaic(share_pyramid(tmp_path, array), decode, "share-0", 1), whole)
