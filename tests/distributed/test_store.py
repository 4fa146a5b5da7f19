"""What is stored is what is read, or it is known that it is not."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morpheus.distributed.chunks import ChunkGrid
from morpheus.distributed.store import FieldStore
from morpheus.errors import ProductError

MAPS = {
    "mean": ("float32", 3, -1.0),
    "n": ("uint32", 1, 2**32 - 1),
    "mask": ("uint8", 1, 255),
    "sources": ("int64", 1, -1),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("store") / "store"


def made_up(shape, rng):
    return {
        "mean": np.where(rng.random((3, *shape)) < 0.1, np.nan, rng.random((3, *shape))).astype(
            np.float32
        ),
        "n": rng.integers(0, 2**32, shape).astype(np.uint32),
        "mask": rng.random(shape) < 0.5,
        "sources": rng.integers(-(2**60), 2**60, shape),
    }


def filled(folder, grid, seed=0):
    """A store with every chunk written, and a record for each."""
    store = FieldStore.create(folder, grid, MAPS)
    maps = made_up(grid.shape, np.random.default_rng(seed))
    for chunk in grid:
        digests = {
            f"sha256_{name}": np.array(store.write(name, chunk, whole[..., *chunk.section]))
            for name, whole in maps.items()
        }
        store.save_record("work", chunk.key, {**digests, "n": np.arange(3)})
    return store, maps


@st.composite
def grids(draw):
    shape = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    size = draw(st.integers(2, 12)), draw(st.integers(2, 12))
    offset = draw(st.integers(0, size[0] - 1)), draw(st.integers(0, size[1] - 1))
    return ChunkGrid(shape, size, offset)


@settings(deadline=None, max_examples=8)
@given(grids(), st.integers(0, 2**32 - 1), st.data())
def test_what_is_written_is_read(folder, grid, seed, data):
    _, maps = filled(folder, grid, seed)
    store = FieldStore(folder, grid)  # as another process opens it
    section = []
    for n in grid.shape:
        start = data.draw(st.integers(0, n - 1))
        section.append(slice(start, data.draw(st.integers(start + 1, n))))
    section = tuple(section)
    assert np.array_equal(store.read("mean", section), maps["mean"][:, *section], equal_nan=True)
    assert np.array_equal(store.read("mean", section, 2), maps["mean"][2, *section], equal_nan=True)
    for name in ("n", "mask", "sources"):
        assert np.array_equal(store.read(name, section, 0), maps[name][section])
    for chunk in grid:
        record = store.record("work", chunk.key)
        assert store.is_intact(chunk, record)
        part = np.ascontiguousarray(maps["n"][chunk.section])
        assert str(record["sha256_n"]) == hashlib.sha256(part.data).hexdigest()


GRID = ChunkGrid((10, 13), (4, 5), (1, 2))


def test_what_was_not_written_is_missed(folder):
    store = FieldStore.create(folder, GRID, MAPS)
    with pytest.raises(ProductError, match=r"chunk 0000-0000 .* of mean is missing"):
        store.read("mean", (slice(0, 1), slice(0, 1)))
    with pytest.raises(ProductError, match="is missing"):
        store.read("n", (slice(0, 1), slice(0, 1)), 0)


def test_a_digest_tells_what_a_chunk_holds(folder):
    store, maps = filled(folder, GRID)
    chunk = GRID.chunk(1, 1)
    record = store.record("work", chunk.key)
    maps["n"][chunk.section][1, 1] += 1
    store.write("n", chunk, maps["n"][chunk.section])
    assert not store.is_intact(chunk, record)


def chunk_files(store, name):
    """By plane, row and column."""
    root = store.root / "maps.zarr" / name / "c"
    return {
        tuple(map(int, path.relative_to(root).parts)): path
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("name", ["mean", "mask", "sources"])
@pytest.mark.parametrize("where", [0, 0.5, -1])
def test_a_flipped_byte_is_found(folder, name, where):
    store, _ = filled(folder, GRID)
    path = chunk_files(store, name)[0, 1, 1]
    content = bytearray(path.read_bytes())
    content[int(where * len(content)) if where >= 0 else -1] ^= 0x10
    path.write_bytes(content)
    store = FieldStore(folder, GRID)
    for chunk in GRID:
        intact = store.is_intact(chunk, store.record("work", chunk.key))
        assert intact == ((chunk.row, chunk.column) != (1, 1))
    with pytest.raises(ProductError, match=f"a chunk of {name} is damaged .*--resume") as caught:
        store.read(name, (slice(0, 10), slice(0, 13)))
    assert "\n" not in str(caught.value)
    assert store.read(name, GRID.chunk(0, 0).section).size  # the others can be read


@pytest.mark.parametrize("length", [3, 20])
def test_a_truncated_chunk_is_found(folder, length):
    store, _ = filled(folder, GRID)
    path = chunk_files(store, "mean")[2, 0, 1]
    path.write_bytes(path.read_bytes()[:length])
    chunk = GRID.chunk(0, 1)
    assert not store.is_intact(chunk, store.record("work", chunk.key))
    with pytest.raises(ProductError, match="a chunk of mean is damaged"):
        store.read("mean", chunk.section)
    assert store.read("mean", chunk.section, 1).size  # another plane


@pytest.mark.parametrize(
    "lose", [lambda path: path.unlink(), lambda path: path.write_bytes(b"")], ids=["gone", "empty"]
)
def test_a_lost_chunk_is_found(folder, lose):
    """It reads as if it had never been written: digests tell."""
    store, _ = filled(folder, GRID)
    lose(chunk_files(store, "n")[0, 2, 0])
    chunk = GRID.chunk(2, 0)
    assert not store.is_intact(chunk, store.record("work", chunk.key))


@pytest.mark.parametrize("damage", [b"", b"\0" * 300, None])
def test_what_is_damaged_can_be_written_again(folder, damage):
    store, maps = filled(folder, GRID)
    path = chunk_files(store, "n")[0, 1, 1]
    path.write_bytes(path.read_bytes()[:-4] if damage is None else damage)
    chunk = GRID.chunk(1, 1)
    store.write("n", chunk, maps["n"][chunk.section])
    assert store.is_intact(chunk, store.record("work", chunk.key))


@pytest.mark.parametrize("damage", ["truncated", "empty", "flipped", "text"])
def test_a_damaged_record_is_none(folder, damage):
    store, _ = filled(folder, GRID)
    key = GRID.chunk(1, 0).key
    path = folder / f"records/work-{key}.npz"
    content = bytearray(path.read_bytes())
    middle = content.index(b"sha256_mean.npy") + 180  # among the values
    content[middle] ^= 1
    path.write_bytes(
        {
            "truncated": path.read_bytes()[:-30],
            "empty": b"",
            "flipped": bytes(content),
            "text": b"no archive",
        }[damage]
    )
    assert store.record("work", key) is None
    assert store.record("work", GRID.chunk(0, 0).key) is not None


def test_a_record_keeps_its_types(folder):
    store = FieldStore.create(folder, GRID, {})
    record = {
        "a": np.arange(4, dtype=np.int16),
        "name": np.array(["é", "b"]),
        "one": np.array(1.5),
        "none": np.zeros((0, 4), np.int64),
    }
    store.save_record("stage of two words", "0000-0001", record)
    found = store.record("stage of two words", "0000-0001")
    assert list(found) == list(record)
    for name, values in record.items():
        assert found[name].dtype == values.dtype
        assert np.array_equal(found[name], values)
    assert [path.name for path in (folder / "records").iterdir()] == [
        "stage of two words-0000-0001.npz"
    ]


def test_nothing_but_numbers_and_text_is_a_record(folder):
    store = FieldStore.create(folder, GRID, {})
    with pytest.raises(ValueError, match="allow_pickle"):
        store.save_record("work", "0000-0000", {"a": np.array([{}])})
    assert store.record("work", "0000-0000") is None


def test_a_missing_table_is_said(folder):
    store = FieldStore.create(folder, GRID, {})
    store.save_table("names", {"x": np.arange(3)})
    assert store.table("names")["x"].tolist() == [0, 1, 2]
    (folder / "tables/names.npz").write_bytes(b"PK")
    for name in ("names", "others"):
        with pytest.raises(ProductError, match=f"the table {name} is missing or damaged"):
            store.table(name)


def test_a_store_without_a_manifest_is_none(folder):
    store = FieldStore.create(folder, GRID, MAPS)
    assert FieldStore.manifest(folder) is None
    store.write_manifest({"format": 1, "shape": (3, 4)})
    assert FieldStore.manifest(folder) == {"format": 1, "shape": [3, 4]}
    assert FieldStore.create(folder, GRID, MAPS).manifest(folder) is None  # made anew
    for content, message in (("[1]", "is no manifest"), ("{", "cannot read")):
        (folder / "manifest.json").write_text(content)
        with pytest.raises(ProductError, match=f"{message}.*; remove .*store and start anew"):
            FieldStore.manifest(folder)
    store.remove()
    assert not folder.exists()
    store.remove()


def test_a_store_where_none_can_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ProductError, match=r"cannot write .*file/store"):
        FieldStore.create(tmp_path / "file/store", GRID, MAPS)
