"""Sources that a table names."""

import json
import warnings

import numpy as np
import pytest
from astropy.table import Table

from morpheus.errors import OptionError
from morpheus.labelling import listed_sources
from morpheus.mosaic import MosaicWarning
from morpheus.pipeline.voting import open_votes

from .test_server import ask


@pytest.fixture
def listed(out, tmp_path):
    """Chooses the sources of a table, and says what it warned of."""
    opened = open_votes(out)

    def choose(**columns):
        path = tmp_path / "listed.ecsv"
        Table(columns).write(path, overwrite=True)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = listed_sources(path, opened.catalog, opened.segmentation)
        assert all(issubclass(one.category, MosaicWarning) for one in caught)
        return list(found["id"]), [str(one.message) for one in caught]

    return opened, choose


def test_by_number(listed):
    _, choose = listed
    assert choose(id=[7, 3, 3]) == ([3, 7], [])
    ids, (text,) = choose(id=[5, 10_000])
    assert ids == [5]
    assert text.startswith("1 of the 2 rows of")


def test_by_position(listed):
    opened, choose = listed
    y, x = np.nonzero(opened.segmentation.labels == 4)
    ends = [0, -1]  # two pixels of the same source
    assert choose(x=x[ends], y=y[ends]) == ([4], [])
    sky = opened.segmentation.wcs.pixel_to_world(x[ends], y[ends])
    other = 0.1 * np.ones(2)  # numbers of another catalogue do not matter
    assert choose(id=[8, 9], ra=sky.ra.deg, dec=sky.dec.deg, mag=other) == ([4], [])
    ids, (text,) = choose(x=[x[0], -50.0], y=[y[0], 10.0])
    assert ids == [4]
    assert "1 of the 2 rows" in text


def test_what_names_no_source(listed):
    _, choose = listed
    for columns, text in (
        ({"id": [10_000]}, "none of the 1 rows of"),
        ({"id": ["a"]}, "holds no numbers of sources"),
        ({"mag": [21.0]}, "needed are ra and dec, x and y, or id"),
        ({"x": [-40.0], "y": [3.0]}, "none of the 1 rows of"),
    ):
        with pytest.raises(OptionError, match=text):
            choose(**columns)


def test_they_are_what_is_asked(out, serve, tmp_path):
    path = tmp_path / "few.csv"
    path.write_text("id\n3\n6\n9\n")
    port = serve(out, "--panel", "Ann", "--sources", str(path), "--order", "random").port
    session = json.loads(ask(port, "GET", "/api/session")[1])
    assert (session["n_sources"], session["order"]) == (3, "random")
    assert json.loads(ask(port, "GET", "/api/next?voter=Ann")[1])["source"]["id"] in {3, 6, 9}
