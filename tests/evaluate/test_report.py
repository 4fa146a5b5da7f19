"""The report: its files, its page, and what is left out where nothing is known."""

import json
import math
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from astropy.table import Table
from astropy.wcs import WCS

from morpheus.errors import OptionError, ProductError
from morpheus.evaluate import (
    Detections,
    Evaluation,
    Example,
    KnownImage,
    Result,
    Truth,
    compare,
    score,
)
from morpheus.evaluate.fractions import fraction, rate
from morpheus.evaluate.report import report_files, write_report
from morpheus.evaluate.report.numbers import asymmetric, count, percent, plus_minus, time
from morpheus.evaluate.report.summary_text import Measure, best_of

SIDE, CELL = 96, 12
VOID = {"meta", "link", "img", "br"}  # elements that are not closed
EVIL = "<script>alert('x')</script> $\\frac{1}$"


def sky(*, magnitudes=True, maps=True, complete=True, votes=True, seed=1):
    """A grid of square sources of all classes: an image and its truth."""
    rng = np.random.default_rng(seed)
    centers = np.arange(CELL // 2, SIDE, CELL)
    y, x = (one.ravel() for one in np.meshgrid(centers, centers, indexing="ij"))
    n = len(x)
    mag = rng.uniform(22, 27.5, n)
    shares = rng.dirichlet((0.6, 0.6, 0.4, 0.3), n)
    owner = np.zeros((SIDE, SIDE), np.int32)
    classes = np.zeros((5, SIDE, SIDE), np.float32)
    classes[4] = 1
    image = rng.normal(0, 0.1, (SIDE, SIDE)).astype(np.float32)
    for row in range(n):
        part = slice(y[row] - 2, y[row] + 3), slice(x[row] - 2, x[row] + 3)
        owner[part] = row + 1
        classes[:4, *part] = shares[row][:, None, None]
        classes[4][part] = 0
        image[part] += 10 ** (0.4 * (27 - mag[row]))
    unknown = np.full(n, np.nan)
    sources = Table(
        {
            "id": np.arange(1, n + 1),
            "x": x.astype(float),
            "y": y.astype(float),
            "mag": mag if magnitudes else unknown,
            "r_e": rng.uniform(0.07, 1.5, n) if magnitudes else unknown,
            "surface_brightness": mag - 2 if magnitudes else unknown,
            "votes": shares if votes else np.full((n, 4), np.nan),
        }
    )
    truth = Truth(sources, owner, classes, complete) if maps else Truth(sources, complete=complete)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.cdelt = ["RA---TAN", "DEC--TAN"], [-0.06 / 3600, 0.06 / 3600]
    bands = {"F160W": image, "F125W": 0.8 * image, "F606W": 0.5 * image}
    return KnownImage("a field", bands, truth, wcs=wcs, zero_point=27.0)


def detector(image, *, classes=True, seed=2, misses=0.2):
    """A detector that misses some sources, finds one that is none, and guesses classes."""
    rng = np.random.default_rng(seed)
    truth = sky().truth
    kept = np.flatnonzero(rng.uniform(size=len(truth)) > misses)
    labels = np.zeros((SIDE, SIDE), np.int32)
    for label, row in enumerate(kept, 1):
        labels[truth.owner == row + 1] = label
    labels[SIDE - 3 :, SIDE - 12 : SIDE - 9] = len(kept) + 1
    n = len(kept) + 1
    table = truth.sources[kept]
    guess = np.array(table["votes"]) + rng.dirichlet((1, 1, 1, 1), len(kept))
    guess = np.vstack([guess / 2, [[0.25] * 4]])
    pixels = np.zeros((5, SIDE, SIDE), np.float32)
    pixels[:4] = np.moveaxis(np.vstack([np.zeros(4), guess])[labels], 2, 0)
    pixels[4] = 1 - pixels.sum(axis=0)
    known = image.zero_point is not None
    return Detections(
        labels,
        np.zeros(labels.shape, bool),
        np.append(table["x"], SIDE - 11.0),
        np.append(table["y"], SIDE - 2.0),
        np.append(table["mag"] + 0.1, 27.0) if known else np.full(n, np.nan),
        np.bincount(labels.ravel())[1:],
        guess if classes else None,
        pixels if classes else None,
    )


def evaluation(image, detectors, *, faintest=26.0, tests=None, **setup):
    results = {}
    for name, one in detectors.items():
        sample = compare(image.truth, one, radius=3.0, pixel_scale=image.pixel_scale)
        text = f"what {name} is"
        scores = score(sample, faintest=faintest)
        results[name] = Result(text, sample, scores, 12.3, tests or {})
    setup = {
        "kind": "simulated",
        **setup,
        "images": [image.name],
        "reference_band": "F160W",
        "match_radius": 3.0,
        "faintest": faintest,
    }
    return Evaluation(setup, results, (Example(image, detectors),) if detectors else ())


def paper_tests(*, classes):
    probabilities = [0.2, 0.6, 0.1, 0.1] if classes else None
    name = "disk" if classes else None
    cells = [
        {
            "sersic_index": n,
            "signal_to_noise": s,
            "detected": fraction(k, 3),
            "probabilities": probabilities if k else None,
            "class": name if k else None,
        }
        for n in (1.0, 4.0)
        for s, k in ((3.0, 0), (20.0, 3))
    ]
    rows = [
        {
            "profile": profile,
            "r_e": r_e,
            "detected": fraction(5, 5),
            "probabilities": probabilities,
            "class": name,
        }
        for profile in ("exponential", "de_vaucouleurs")
        for r_e in (3.0, 6.0, 9.0)
    ]
    kind = {
        "kind": "noise correlated as the survey's",
        "area_arcmin2": 0.49,
        "spurious": rate(2, 0.49),
        "source_pixels": 1e-4,
    }
    return {
        "sersic_grid": {
            "sersic_index": [1.0, 4.0],
            "signal_to_noise": [3.0, 20.0],
            "r_e": 5.0,
            "cells": cells,
        },
        "profiles": {"r_e": [3.0, 6.0, 9.0], "signal_to_noise": 100.0, "rows": rows},
        "large": {
            "r_e": [40.0],
            "signal_to_noise": 100.0,
            "rows": [
                {
                    "r_e": 40.0,
                    "signal_to_noise": 100.0,
                    "detected": fraction(2, 2),
                    "probabilities": probabilities,
                    "class": name,
                    "pieces": 2.5,
                }
            ],
        },
        "noise": {"kinds": [kind]},
    }


class Page(HTMLParser):
    """Collects what a page holds, and checks that its elements are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.links, self.figures = [], [], [], []
        self.ids, self.headings, self.text = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.links += [attrs[key] for key in ("src", "href", "srcset", "action") if key in attrs]
        if "data-name" in attrs:
            self.figures.append(attrs["data-name"])
            assert attrs["alt"]
        if "id" in attrs:
            self.ids.append(attrs["id"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)
            if self.open and self.open[-1] == "h2":
                self.headings.append(data)

    @property
    def words(self):
        return re.sub(r"\s+", " ", "".join(self.text)).replace("\N{NO-BREAK SPACE}", " ")


def read(folder):
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def without_nan(value):
    if isinstance(value, dict):
        return {key: without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """Two classifiers, one with a hostile name, and a detector without classes; all tests."""
    image = sky()
    given = evaluation(
        image,
        {
            "a network": detector(image),
            EVIL: detector(image, seed=5, misses=0.4),
            "_plain": detector(image, classes=False, seed=3, misses=0.0),
        },
        survey=EVIL,
        seeds=[3],
        size=96,
    )
    results = {
        name: replace(one, tests=paper_tests(classes=one.scores["classes"] is not None))
        for name, one in given.results.items()
    }
    given = replace(given, results=results)
    folder = tmp_path_factory.mktemp("report") / "new"
    return given, folder, write_report(given, folder)


def test_all_files_are_written(full):
    _, folder, paths = full
    assert sorted(paths) == sorted(one for one in folder.rglob("*") if one.is_file())
    assert {"report.html", "evaluation.json"} <= {one.name for one in paths}
    assert len([one for one in paths if one.suffix == ".ecsv"]) == 3
    assert all(one.stat().st_size > 0 for one in paths)


def test_the_record_is_the_evaluations(full):
    given, folder, paths = full
    text = (folder / "evaluation.json").read_text(encoding="utf-8")
    assert "NaN" not in text
    assert "Infinity" not in text
    record = json.loads(text)
    names = record.pop("files")
    assert sorted(names) == sorted(one.relative_to(folder).as_posix() for one in paths)
    assert record.pop("created").startswith("20")
    assert record.pop("software")["morpheus"]
    assert record == without_nan(given.record())


def test_tables_of_sources_can_be_read_back(full):
    given, folder, _ = full
    table = Table.read(folder / "sources_a_network.ecsv")
    sources = given.results["a network"].sample.sources
    assert list(table["outcome"]) == list(sources["outcome"])
    np.testing.assert_allclose(table["votes"], sources["votes"])


def test_the_page_is_one_file_that_loads_nothing(full):
    _, folder, _ = full
    page = read(folder)
    outside = [link for link in page.links if not link.startswith(("data:", "#"))]
    assert outside == []
    assert "script" not in page.tags
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "@import" not in text
    assert not re.search(r"url\(", text)
    targets = [link[1:] for link in page.links if link.startswith("#")]
    assert set(targets) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_every_figure_is_a_file(full):
    _, folder, _ = full
    figures = read(folder).figures
    assert set(figures) == {
        "completeness_purity",
        "completeness_size_brightness",
        "blended_by_separation",  # the grid's sources are closer than 50 pixels
        "confusion",
        "accuracy",
        "reliability",
        "reliability_by_class",
        "sersic_grid",
        "profiles",
        "example_1",
        "misclassified_1_1",
        "misclassified_1_2",
    }
    for name in figures:
        assert (folder / f"figures/{name}.png").read_bytes().startswith(b"\x89PNG")
        pdf = (folder / f"figures/{name}.pdf").read_bytes()
        assert pdf.startswith(b"%PDF")
        assert b"/Type3" not in pdf


def test_names_are_escaped(full):
    _, folder, _ = full
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert EVIL in read(folder).words
    # The name of its table is one that every file system takes.
    assert (folder / "sources_script_alert_x_script_frac_1.ecsv").exists()


def test_numbers_in_sentences_are_the_records(full):
    given, folder, _ = full
    words = read(folder).words
    scores = given.results["a network"].scores
    total = scores["detection"]["completeness"]["total"]
    assert f"a network detects {total['k']} of {total['n']} sources with F160W < 26" in words
    every = scores["classes"]["all"]
    right, n = every["accuracy"]["k"], every["n"]
    assert f"a network gives {right} of the {n} detected sources that have votes" in words
    assert f"expected calibration error {scores['classes']['calibration']['ece']:.3f}" in words
    assert f"its panoptic quality is {scores['segmentation']['panoptic_quality']:.2f}" in words
    assert "_plain gives no classes that could be compared" in words


def test_all_sections_are_there(full):
    _, folder, _ = full
    assert read(folder).headings == [
        "Setup",
        "Summary",
        "Detection",
        "Segmentation",
        "Classification",
        "Calibration",
        "Tests of the paper",
        "Examples",
        "Method",
        "How to repeat",
    ]


def test_without_classes_and_pixels_sections_vanish(tmp_path):
    image = sky(maps=False, complete=False, votes=False)
    write_report(evaluation(image, {"one": detector(image, classes=False)}), tmp_path)
    page = read(tmp_path)
    assert "Classification" not in page.headings
    assert "Calibration" not in page.headings
    assert "Tests of the paper" not in page.headings
    assert "Purity is not known" in page.words
    assert "Overlaps are not known" in page.words
    assert set(page.figures) >= {"completeness", "example_1"}
    assert "nan" not in page.words.lower().split()
    assert "None" not in page.words


def test_without_magnitudes(tmp_path):
    image = replace(sky(magnitudes=False, maps=False, complete=False), zero_point=None, wcs=None)
    given = evaluation(image, {"one": detector(image)}, faintest=math.inf, kind="labelled")
    write_report(given, tmp_path)
    page = read(tmp_path)
    assert "there are no magnitudes" in page.words
    assert "Completeness, all sources" in page.words
    assert "Accuracy, all sources" in page.words
    assert "completeness" not in page.figures
    assert {"confusion", "accuracy", "reliability"} <= set(page.figures)
    assert json.loads((tmp_path / "evaluation.json").read_text())["setup"]["faintest"] is None


@pytest.mark.parametrize("nothing", ["detectors", "sources", "detections"])
def test_nothing_is_no_error(nothing, tmp_path):
    image = sky()
    if nothing == "sources":
        truth = image.truth
        owner, classes = np.zeros_like(truth.owner), np.zeros_like(truth.classes)
        classes[4] = 1
        image = replace(image, truth=Truth(truth.sources[:0], owner, classes, complete=True))
    found = {"one": detector(image)}
    if nothing == "detections":
        empty, none = np.zeros(0), np.zeros((SIDE, SIDE), np.int32)
        mask = np.zeros(none.shape, bool)
        found = {"one": Detections(none, mask, empty, empty, empty, empty.astype(int))}
    if nothing == "detectors":
        found = {}
    write_report(evaluation(image, found), tmp_path)
    page = read(tmp_path)
    assert page.headings[0] == "Setup"
    assert page.headings[-1] == "How to repeat"
    assert "nan" not in page.words.lower().split()


def test_nothing_is_overwritten_unasked(tmp_path):
    given = Evaluation({"kind": "simulated"}, {}, ())
    write_report(given, tmp_path)
    before = (tmp_path / "report.html").read_bytes()
    with pytest.raises(ProductError, match="would be overwritten"):
        write_report(given, tmp_path)
    assert (tmp_path / "report.html").read_bytes() == before


def test_overwriting_removes_what_the_earlier_report_had_more(tmp_path):
    image = sky()
    write_report(evaluation(image, {"one": detector(image, classes=False)}), tmp_path)
    mine = tmp_path / "figures" / "mine.png"
    mine.write_bytes(b"not of the report")
    assert (tmp_path / "sources_one.ecsv").exists()
    paths = write_report(Evaluation({}, {}, ()), tmp_path, overwrite=True)
    left = {one for one in tmp_path.rglob("*") if one.is_file()}
    assert left == {*paths, mine}


def test_a_record_cannot_name_other_peoples_files(tmp_path):
    outside = tmp_path / "mine.txt"
    outside.write_text("mine")
    folder = tmp_path / "report"
    folder.mkdir()
    names = {"files": ["../mine.txt", "figures/../../mine.txt", str(outside)]}
    (folder / "evaluation.json").write_text(json.dumps(names))
    write_report(Evaluation({}, {}, ()), folder, overwrite=True)
    assert outside.exists()


def test_tables_of_like_names_are_different_files(tmp_path):
    names = [one.name for one in report_files(tmp_path, ["a b", "a/b", "A_B", "///"])]
    assert len({name.lower() for name in names}) == 6
    assert all(re.fullmatch(r"[\w.-]+", name) for name in names)


def test_without_jinja2_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(OptionError, match=r"needs jinja2: pip install 'morpheus-sky\[evaluate\]'"):
        report_files(tmp_path, [])
    with pytest.raises(OptionError, match="jinja2"):
        write_report(Evaluation({}, {}, ()), tmp_path)


def chromium():
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)


@pytest.mark.skipif(chromium() is None, reason="no chromium")
def test_a_browser_shows_it_without_complaints(full, tmp_path):
    _, folder, _ = full
    page = (folder / "report.html").as_uri()
    done = subprocess.run(
        [
            chromium(),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path}",
            "--enable-logging=stderr",
            "--virtual-time-budget=2000",
            "--dump-dom",
            page,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "CONSOLE" not in done.stderr
    assert len(Page(done.stdout).figures) == len(read(folder).figures)


def test_intervals_keep_the_digits_that_mean_something():
    def plain(markup):
        return re.sub("<.*?>", " ", str(markup)).split()

    assert plain(asymmetric(96.3, 94.0, 97.7)) == ["96.3", "+1.4", "\N{MINUS SIGN}2.3"]
    assert plain(asymmetric(50.0, 30.0, 70.0)) == ["50", "+20", "\N{MINUS SIGN}20"]
    assert plain(asymmetric(1.234, 1.2, 1.26)) == ["1.23", "+0.03", "\N{MINUS SIGN}0.03"]
    assert plain(percent(fraction(0, 0))) == ["\N{EN DASH}"]
    assert str(percent(fraction(104, 108))).endswith("%")
    assert "1.282 ± 0.038" in plus_minus(1.2817, 0.0379)
    assert plus_minus(1.2817, None) == "1.282"
    assert [time(one) for one in (0.676, 19.9, 96, 700, 5000)] == [
        "0.68 s",
        "20 s",
        "96 s",
        "12 min",
        "1 h 23 min",
    ]
    assert count(1234567) == "1\u202f234\u202f567"
    assert count(9999) == "9999"


def test_the_best_is_named_only_beyond_the_intervals():
    def measure(value, error):
        return Measure(str(value), "", value, value - error, value + error)

    assert best_of([measure(0.9, 0.01), measure(0.8, 0.01)], highest=True) == 0
    assert best_of([measure(0.9, 0.01), measure(0.8, 0.01)], highest=False) == 1
    assert best_of([measure(0.9, 0.06), measure(0.8, 0.06)], highest=True) is None
    assert best_of([measure(0.9, 0.01), None], highest=True) is None
    assert best_of([measure(0.9, 0.01), Measure("1", value=1.0)], highest=True) is None


def test_reports_do_not_change_the_users_matplotlib(tmp_path):
    import matplotlib as mpl

    with mpl.rc_context({"font.size": 31.0, "svg.fonttype": "none"}):
        write_report(Evaluation({}, {}, ()), tmp_path)
        assert mpl.rcParams["font.size"] == 31.0
