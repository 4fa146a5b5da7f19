"""The sources of real HST frames, found with the published network.

References: positions of the labelled galaxies (Kartaltepe et al. 2015), and SExtractor's
segmentation of the CANDELS frames; see the frames' README.
"""

import csv

import numpy as np
import pytest
from astropy.io import fits

from morpheus.segmentation import SegmentationOptions, segment

EDGE = 8


@pytest.fixture(scope="module")
def frames(shared, classified):
    """Of each frame with labelled sources: the segmentation, the H image and their pixels."""
    found = {}
    with (shared / "real/labels.csv").open() as file:
        for source in csv.DictReader(file):
            name = source["frame"]
            if float(source["edge_px"]) < EDGE:
                continue
            if name not in found:
                flux = fits.getdata(shared / f"real/{name}/f160w_sci.fits")
                found[name] = segment(classified(name), flux), flux, {}
            pixel = round(float(source["y"])), round(float(source["x"]))
            found[name][2][source["id"]] = pixel
    return found


@pytest.fixture(scope="module")
def segments(shared, frames):
    """SExtractor's segmentation of those frames that have one."""
    paths = {name: shared / f"real/{name}/segmap.fits" for name in frames}
    return {name: fits.getdata(path) for name, path in paths.items() if path.exists()}


def test_every_labelled_source_is_found_and_has_its_own_label(frames):
    n = 0
    for name, (found, _, places) in frames.items():
        labels = [int(found.labels[place]) for place in places.values()]
        assert 0 not in labels, name
        assert len(set(labels)) == len(labels), name
        n += len(labels)
    assert n == 27


def test_central_sources_overlap_with_sextractor_s(frames, segments, record_property):
    overlap = {}
    for name, segmap in segments.items():
        labels = frames[name][0].labels
        centre = labels.shape[0] // 2, labels.shape[1] // 2
        ours, theirs = labels == labels[centre], segmap == segmap[centre]
        assert labels[centre]
        assert segmap[centre]
        overlap[name] = float((ours & theirs).sum() / (ours | theirs).sum())
        record_property(name, round(overlap[name], 3))
    assert len(overlap) == 8
    assert min(overlap.values()) > 0.5, overlap
    assert np.mean(list(overlap.values())) > 0.75, overlap


def test_no_galaxy_is_split(frames, segments):
    """Of the light that SExtractor gives to a source, and that we detect, one label has most."""
    shares = {}
    for name, segmap in segments.items():
        found, flux, places = frames[name]
        for source, place in places.items():
            own = (segmap == segmap[place]) & (found.labels > 0)
            mine = own & (found.labels == found.labels[place])
            shares[source] = float(flux[mine].sum() / flux[own].sum())
    assert len(shares) == 14
    assert min(shares.values()) > 0.95, shares


def test_published_method_without_means(frames, classified, shared):
    """The votes of the published network have pixels that are background for certain."""
    name = "candels_GDS_ers2_14546"
    flux = fits.getdata(shared / f"real/{name}/f160w_sci.fits")
    found = segment(classified(name), flux, options=SegmentationOptions(method="published"))
    assert found.provenance["statistic"] == "votes"
    assert 0.02 < (found.labels > 0).mean() < 0.6
    for place in frames[name][2].values():
        assert found.labels[place] > 0
