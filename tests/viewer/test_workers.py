"""Threads of the server: nobody waits for maps that others ask for, and the end leaves nothing."""

import asyncio
import threading
from dataclasses import replace

import numpy as np
import pytest

from morpheus.errors import ImageError
from morpheus.viewer import Pyramid, ViewedRun, Workers, share_sets

SHAPE = 3000, 300


def make_run(folder, **readers):
    """A run of one tile set for each reader."""
    sets = [
        replace(share_sets({name: read}, "share")[0], name=f"share-{number}")
        for number, (name, read) in enumerate(readers.items())
    ]
    pyramid = Pyramid(folder, SHAPE, sets, "s")
    return ViewedRun("run", pyramid, (), (), None, None, None)


def flat(section):
    rows, columns = section
    return np.full((rows.stop - rows.start, columns.stop - columns.start), 0.5, np.float32)


class Slow:
    """Reads when it may."""

    def __init__(self):
        self.asked, self.may = threading.Event(), threading.Event()

    def __call__(self, section):
        self.asked.set()
        assert self.may.wait(60)
        return flat(section)


def test_halving_holds_up_no_other_tiles(tmp_path):
    """As many ask for a set that is being halved as there are threads, and more."""
    slow = Slow()
    run = make_run(tmp_path, slow=slow, quick=flat)
    run.pyramid.prepare("share-1")

    async def ask(workers):
        waiting = [
            asyncio.ensure_future(workers.give(run, "tiles/share-0/1/0_0.png")) for _ in range(9)
        ]
        await asyncio.sleep(0)
        for path in ("tiles/share-1/1/0_0.png", "tiles/share-1/0/0_0.png", "manifest.json"):
            await asyncio.wait_for(workers.give(run, path), 60)
        assert not any(one.done() for one in waiting)
        slow.may.set()
        return await asyncio.gather(*waiting)

    with Workers() as workers:
        contents = asyncio.run(ask(workers))
    assert len(set(contents)) == 1


def test_what_is_asked_for_does_not_wait_for_what_is_made_ahead(tmp_path):
    slow = Slow()
    run = make_run(tmp_path, slow=slow, quick=flat)
    with Workers() as workers:
        ahead = workers.halve([run])
        assert slow.asked.wait(60)
        asyncio.run(workers.give(run, "tiles/share-1/1/0_0.png"))
        assert not any(one.done() for one in ahead)
        slow.may.set()
        for one in ahead:
            one.result(60)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["share-0", "share-1"]


def test_the_end_leaves_nothing_incomplete(tmp_path):
    slow = Slow()
    run = make_run(tmp_path, slow=slow, quick=flat)
    with Workers() as workers:
        ahead = workers.halve([run])
        assert slow.asked.wait(60)
        assert [path.name[:9] for path in tmp_path.iterdir()] == [".share-0-"]
        workers._end.set()
        slow.may.set()
    assert all(one.done() for one in ahead)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_given(tmp_path):
    def broken(_):
        raise ImageError("no such pixels")

    run = make_run(tmp_path, broken=broken)
    with Workers() as workers:
        (ahead,) = workers.halve([run])
        for path, error in (("tiles/share-0/1/0_0.png", ImageError), ("nothing", KeyError)):
            with pytest.raises(error):
                asyncio.run(workers.give(run, path))
    assert isinstance(ahead.exception(60), ImageError)
