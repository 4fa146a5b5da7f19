"""The map: moved, zoomed, layers as they should be, positions as the WCS has them."""

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from morpheus.classes import CLASS_NAMES, CLASSES
from morpheus.visual import class_colors

FIELD = Path(__file__).parents[2] / "demo/field"
SKY = (11, 13, 16)  # of a map without layers


@pytest.fixture
def wcs(run_folder):
    return WCS(fits.getheader(run_folder / "n.fits"))


@pytest.fixture
def pixels():
    """Some pixels that nothing of the page's frame lies on, when the middle is at 1/4."""
    rng = np.random.default_rng(1)
    return rng.integers(40, 240, 400), rng.integers(70, 220, 400)


def test_it_opens(drive, address):
    view = drive(address)
    assert view.page.title() == "demo \N{EN DASH} Morpheus"
    assert view.page.locator("h1").inner_text().strip() == "demo"
    assert [layer["id"] for layer in view.state("layers")] == ["rgb"]
    assert view.page.locator(".map canvas").count() > 0
    view.still()
    assert view.page.evaluate("() => window.morpheus.view.getCenter()") == pytest.approx(
        [144.5, 144.5], abs=1
    )


def test_it_is_dragged(drive, address):
    view = drive(address)
    view.look(144, 144, 0.5)
    x, y = view.place(144, 144)
    view.page.mouse.move(x, y)
    view.page.mouse.down()
    view.page.mouse.move(x + 2, y + 1)  # from here on it is a drag
    view.page.mouse.move(x + 60, y + 30, steps=5)
    view.page.wait_for_timeout(150)  # a pause before the hand lifts: the map does not run on
    view.page.mouse.up()
    view.still()
    at = view.page.evaluate("() => window.morpheus.view.getCenter()")
    assert at == pytest.approx([115, 158.5], abs=1)
    assert view.address("at=").startswith("at=")


def test_it_is_moved_and_zoomed_by_keys(drive, address):
    view = drive(address)
    view.look(144, 144, 0.5)
    view.page.focus(".map")
    view.page.keyboard.press("ArrowRight")
    view.until("!app.view.getAnimating() && app.view.getCenter()[0] > 144")
    view.page.keyboard.press("ArrowUp")
    view.until("!app.view.getAnimating() && app.view.getCenter()[1] > 144")
    assert view.page.evaluate("() => window.morpheus.view.getCenter()") == [208, 208]
    view.page.keyboard.press("+")
    view.until("app.view.getResolution() === 0.25")
    view.page.keyboard.press("-")
    view.until("app.view.getResolution() === 0.5")
    view.page.keyboard.press("f")
    view.until("app.view.getResolution() === 0.5 || app.view.getResolution() === 1")
    view.until("Math.abs(app.view.getCenter()[0] - 144.5) < 1")


def test_it_is_zoomed(drive, address):
    view = drive(address)
    view.look(144, 144, 1)
    view.page.mouse.move(*view.place(100, 120))
    view.page.mouse.wheel(0, -300)
    view.until("app.view.getResolution() < 1 && !app.view.getAnimating()")
    # What is under the pointer stays there.
    assert view.page.evaluate("() => window.morpheus.view.getCenter()[0]") < 144
    view.look(144, 144, 1)
    view.page.get_by_role("button", name="Zoom in").click()
    view.until("app.view.getResolution() === 0.5")
    view.still()
    view.page.get_by_role("button", name="Zoom out").click()
    view.until("app.view.getResolution() === 1")
    view.page.get_by_role("button", name="The whole field").click()
    view.still()
    x, y = view.place(289, 289)
    assert 290 < x < 1440
    assert 0 < y < 900


def test_layers_and_their_opacity(drive, address):
    view = drive(address)
    page = view.page
    view.look(144, 144, 0.25, marks=False, layers=[])
    at = [126], [150]
    assert view.colors(*at)[0].tolist() == list(SKY)
    row = page.locator(".layer", has_text="Background").first
    row.get_by_role("checkbox").first.check()
    view.until("app.store.state.layers.length === 1")
    view.still()
    full = view.colors(*at)[0]
    assert full.sum() > 100
    slider = row.get_by_role("slider")
    slider.fill("0.5")
    view.until("app.store.state.layers[0].opacity === 0.5")
    view.still()
    np.testing.assert_allclose(view.colors(*at)[0], (full + SKY) / 2, atol=2)
    row.get_by_role("checkbox").first.uncheck()
    view.until("app.store.state.layers.length === 0")
    view.still()
    assert view.colors(*at)[0].tolist() == list(SKY)
    # By key, and over another one.
    page.focus(".map")
    page.keyboard.press("c")
    page.keyboard.press("o")
    view.until("app.store.state.layers.map((l) => l.id).join() === 'classes,outlines'")
    row.get_by_role("checkbox").first.check()
    view.until(
        "app.store.state.layers.map((l) => l.id).join() === 'classes,share:background,outlines'"
    )


def test_a_band_s_stretch_and_colour(drive, address, pixels):
    view = drive(address)
    page = view.page
    view.look(144, 144, 0.25, marks=False, layers=[])
    row = page.locator(".layer", has_text="F125W").last
    row.get_by_role("checkbox").first.check()
    row.get_by_label("Stretch").select_option("linear")
    row.get_by_label("From").fill("-5")
    row.get_by_label("to (").fill("15")
    row.get_by_label("Colour").fill("#80ff40")
    view.until(
        "JSON.stringify(app.store.state.stretch.F125W) ==="
        ' \'{"kind":"linear","low":-5,"high":15,"color":"#80ff40"}\''
    )
    view.still()
    x, y = pixels
    image = fits.getdata(FIELD / "f125w_sci.fits.fz", "SCI")
    band = page.evaluate(
        "() => window.morpheus.run.manifest.bands.find((band) => band.name === 'F125W')"
    )
    signal = (image[y, x] - band["level"]) / band["noise"]
    light = np.clip((signal + 5) / 20, 0, 1)[:, None] * [128, 255, 64]
    np.testing.assert_allclose(view.colors(x, y), light, atol=4)


@pytest.mark.parametrize(("field", "text"), [("From", "70"), ("to (", "-2"), ("to (", "")])
def test_a_stretch_that_goes_nowhere_is_refused(drive, address, field, text):
    view = drive(address)
    row = view.page.locator(".layer", has_text="F125W").last
    row.get_by_role("checkbox").first.check()
    limit = row.get_by_label(field)
    before = limit.input_value()
    limit.fill(text)
    limit.blur()
    view.message("must be a number below")
    assert limit.input_value() == before
    row.get_by_label("Brightest").fill("0")
    assert view.state("stretch")["F125W"]["high"] == 1
    row.get_by_label("to (").fill("60")
    row.get_by_label("From").fill("30")
    slider = row.get_by_label("Brightest")
    before = slider.input_value()
    slider.fill("0")  # less than 30
    assert slider.input_value() == before
    low_and_high = view.state("stretch")["F125W"]
    assert (low_and_high["low"], low_and_high["high"]) == (30, 60)


def test_classes_are_drawn_as_in_python(drive, address, run_folder, pixels):
    view = drive(address)
    view.page.get_by_label("Colours").select_option("paper")
    layers = [{"id": "classes", "opacity": 1, "add": False}]
    view.look(144, 144, 0.25, marks=False, layers=layers)
    x, y = pixels
    maps = {name: fits.getdata(run_folder / f"{name}_mean.fits") for name in CLASS_NAMES}
    expected = 255 * class_colors(maps)
    known = np.all([np.isfinite(plane[y, x]) for plane in maps.values()], axis=0)
    assert known.sum() > 300
    found = view.colors(x, y)
    np.testing.assert_allclose(found[known], expected[y, x][known], atol=4)


def test_a_stamp_is_drawn_as_in_python(drive, address, run_folder, table):
    source = table[np.argmax(table["area"])]
    view = drive(f"{address}#palette=paper&source={source['id']}")
    canvas = "aside.source canvas[aria-label='All classes']"
    view.page.wait_for_function(
        "(canvas) => document.querySelector(canvas)?.width !== 300", arg=canvas
    )
    view.page.wait_for_load_state("networkidle")
    side, data = view.page.evaluate(
        """(name) => {
          const from = document.querySelector(name);
          const to = new OffscreenCanvas(from.width, from.width);
          const context = to.getContext("2d", { willReadFrequently: true });
          context.drawImage(from, 0, 0);
          return [from.width, [...context.getImageData(0, 0, from.width, from.width).data]];
        }""",
        canvas,
    )
    shown = np.reshape(data, (side, side, 4))[::-1]
    left, bottom = (round(float(source[k])) - side // 2 for k in ("x", "y"))
    maps = {name: fits.getdata(run_folder / f"{name}_mean.fits") for name in CLASS_NAMES}
    expected = 255 * class_colors(maps)
    rows, columns = (slice(max(0, s), min(290, s + side)) for s in (bottom, left))
    shown = shown[rows.start - bottom :, columns.start - left :]
    shown = shown[: rows.stop - rows.start, : columns.stop - columns.start]
    known = shown[..., 3] == 255
    assert known.mean() > 0.5
    np.testing.assert_allclose(shown[known][:, :3], expected[rows, columns][known], atol=4)


def test_outlines(drive, address, run_folder, table):
    view = drive(address)
    layers = [{"id": "outlines", "opacity": 1, "add": False}]
    view.look(144, 144, 0.25, marks=False, layers=layers)
    labels = fits.getdata(run_folder / "segmap.fits", "SEGMAP")
    inside = labels[1:-1, 1:-1]
    neighbours = (labels[:-2, 1:-1], labels[2:, 1:-1], labels[1:-1, :-2], labels[1:-1, 2:])
    edge = np.zeros(labels.shape, bool)
    edge[1:-1, 1:-1] = (inside > 0) & np.any([n != inside for n in neighbours], axis=0)
    y, x = np.mgrid[70:220, 40:240]
    y, x = y.ravel(), x.ravel()
    colors = {c.name: tuple(bytes.fromhex(c.safe_color[1:])) for c in CLASSES}
    class_of = dict(zip(table["id"], table["class"], strict=True))
    expected = np.array(
        [colors[class_of[labels[p]]] if edge[p] else SKY for p in zip(y, x, strict=True)]
    )
    np.testing.assert_array_equal(view.colors(x, y), expected)


@pytest.mark.parametrize("form", ["degrees", "sexagesimal", "letters", "pixels"])
def test_go_to_a_position(drive, address, wcs, form):
    view = drive(address)
    sky = wcs.pixel_to_world(200, 60).icrs
    texts = {
        "degrees": sky.to_string("decimal", precision=7),
        "sexagesimal": sky.to_string("hmsdms", sep=":", precision=4),
        "letters": sky.to_string("hmsdms", precision=4),
        "pixels": "200, 60 px",
    }
    view.find(texts[form])
    view.until("Math.hypot(app.view.getCenter()[0] - 200, app.view.getCenter()[1] - 60) < 0.05")
    view.until("app.view.getResolution() === 0.25")


def test_go_to_a_source(drive, address, table):
    view = drive(address)
    source = table[10]
    view.find(f" #{source['id']}")
    view.until("app.store.state.selected === argument", int(source["id"]))
    view.until(
        "Math.hypot(app.view.getCenter()[0] - argument[0], app.view.getCenter()[1] - argument[1])"
        " < 0.01",
        [float(source["x"]), float(source["y"])],
    )
    assert view.page.locator("aside.source h2").inner_text() == f"Source {source['id']}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("99999", "There is no source 99999."),
        ("M 31", "Give a source's number"),
        ("10 95", "Give a source's number"),
        ("10.5 20.5", "That position is not in the field."),
        ("<b>1</b>", "Give a source's number"),
    ],
)
def test_what_cannot_be_gone_to(drive, address, text, message):
    view = drive(address)
    before = view.state("view")
    view.find(text)
    said = view.page.get_by_role("status").inner_text()
    assert said.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").startswith(message)
    assert view.state("view") == before
    assert view.state("selected") is None


@pytest.mark.parametrize("sexagesimal", [False, True])
@pytest.mark.parametrize("place", [(12.3, 201.7), (250.4, 33.3)])
def test_coordinates_under_the_pointer(drive, address, wcs, place, sexagesimal):
    view = drive(address)
    view.look(144, 144, 0.5, sexagesimal=sexagesimal)
    left, top = (round(value) for value in view.place(*place))
    view.page.mouse.move(left, top)
    view.page.wait_for_selector(".status span:not(:empty)")
    at = view.page.evaluate(
        """([clientX, clientY]) => {
          const { map } = window.morpheus.maps[0];
          return map.getCoordinateFromPixel(map.getEventPixel({ clientX, clientY }));
        }""",
        [left, top],
    )
    assert at == pytest.approx(place, abs=0.6)
    words = view.page.locator(".status span").inner_text().replace(",", "").split()
    assert [float(words[i]) for i in (3, 5)] == pytest.approx(at, abs=0.051)
    true = wcs.pixel_to_world(*at).icrs
    shown = SkyCoord(*words[:2], unit=(u.hourangle if sexagesimal else u.deg, u.deg))
    # Half of the last digit, and 0.02 pixel of 0.06 arcsec.
    digits = (0.015, 0.01) if sexagesimal else (0.0036, 0.0036)
    error = (shown.ra - true.ra).to_value("arcsec"), (shown.dec - true.dec).to_value("arcsec")
    assert abs(error[0]) < digits[0] / 2 + 0.0013
    assert abs(error[1]) < digits[1] / 2 + 0.0013


def test_the_format_is_changed_by_a_click(drive, address):
    view = drive(address)
    view.page.mouse.move(*view.place(140, 140))
    view.page.wait_for_selector(".status span:not(:empty)")
    view.page.evaluate("() => document.querySelector('.status').click()")
    view.until("app.store.state.sexagesimal")


def test_values_under_the_pointer(drive, address, run_folder):
    view = drive(address)
    view.look(144, 144, 0.25)
    maps = {name: fits.getdata(run_folder / f"{name}_mean.fits") for name in CLASS_NAMES}
    view.page.mouse.move(*view.place(140, 150))
    view.page.wait_for_function(
        "() => document.querySelector('.status span').textContent.includes('Background')"
    )
    text = view.page.locator(".status span").inner_text()
    words = text[text.index("Spheroid") :].split()
    shown = {words[i].lower(): words[i + 1] for i in (0, 2, 4)}
    for name in ("spheroid", "disk", "irregular"):
        assert float(shown[name]) == pytest.approx(maps[name][150, 140], abs=0.006)
