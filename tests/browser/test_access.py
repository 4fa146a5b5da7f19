"""For everybody: contrast, keyboard, focus, and what a screen reader is told."""

import pytest

CONTRASTS = """() => {
  const parse = (color) => {
    const [r, g, b, a = 1] = color.match(/[\\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const over = (top, below) => top.slice(0, 3).map((c, i) => top[3] * c + (1 - top[3]) * below[i]);
  const light = (rgb) => {
    const [r, g, b] = rgb.map((c) => {
      const v = c / 255;
      return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      layers.push(parse(getComputedStyle(e).backgroundColor));
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const found = [];
  for (const element of document.querySelectorAll(".page *")) {
    const text = [...element.childNodes].filter((n) => n.nodeType === 3 && n.data.trim());
    const input = element.matches("input:not([type=checkbox]):not([type=range]), select");
    if ((!text.length && !input) || !element.getClientRects().length) continue;
    if (element.closest(".hidden, :disabled, option, .frame")) continue;
    const style = getComputedStyle(element);
    const color = element.namespaceURI.endsWith("svg") ? style.fill : style.color;
    const below = ground(element);
    const [a, b] = [light(over(parse(color), below)), light(below)].sort((p, q) => q - p);
    const what = `${element.tagName} ${element.className} ${element.textContent}`;
    found.push([(a + 0.05) / (b + 0.05), what]);
  }
  return found;
}"""


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_contrast(drive, address, table, theme):
    view = drive(
        f"{address}#source={table['id'][3]}&layers=rgb~1~0|band:F160W~1~0", color_scheme=theme
    )
    assert view.page.evaluate("() => document.documentElement.dataset.theme") == theme
    view.page.get_by_text("All measurements").click()
    view.page.mouse.move(*view.place(140, 140))
    view.page.wait_for_selector(".status span:not(:empty)")
    n = 0
    for name in ("Layers", "Sources", "Plots"):
        view.tab(name)
        if name == "Plots":
            view.page.wait_for_selector(".plot.size .axis text")
        for contrast, what in view.page.evaluate(CONTRASTS):
            assert contrast >= 4.5, what
            n += 1
    assert n > 300


def test_by_keyboard_alone(drive, address):
    view = drive(address)
    page = view.page

    def onward(until):
        """Press Tab until an element has the focus."""
        for _ in range(60):
            if page.evaluate("(s) => document.activeElement.matches(s)", until):
                # It shows that it has it.
                style = "() => getComputedStyle(document.activeElement).outlineStyle"
                assert page.evaluate(style) != "none"
                return
            page.keyboard.press("Tab")
        pytest.fail(f"{until} is not reached")

    onward("#find")
    onward("[role=tab]")
    onward(".layer input[type=checkbox]")
    page.keyboard.press("Space")
    view.until("app.store.state.layers.length === 0")
    onward(".map")
    page.keyboard.press("ArrowLeft")
    view.until("app.view.getCenter()[0] < 144")
    page.evaluate("() => document.querySelector('#find').focus()")
    onward("[role=tab]")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#n-shown")
    onward(".panel input[type=checkbox]")
    page.keyboard.press("Space")
    view.until("app.run.catalog.nShown < app.run.catalog.n")
    page.keyboard.press("n")
    view.until("app.store.state.selected !== null")
    onward("aside.source button")
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="hidden")
    page.keyboard.press("t")
    page.wait_for_selector("html[data-theme=light]")


def focus(page):
    """What has the focus, in words."""
    return page.evaluate(
        """() => {
          const { activeElement: one } = document;
          return one.getAttribute("aria-label") ?? one.id;
        }"""
    )


def test_tabs(drive, address):
    """One of them is reached by Tab, the others by arrows, which move the map only on the map."""
    view = drive(address)
    page = view.page
    before = page.evaluate("() => window.morpheus.view.getCenter()")
    page.focus("#tab-layers")
    for key, name in [
        ("ArrowRight", "sources"),
        ("ArrowRight", "plots"),
        ("ArrowRight", "layers"),
        ("ArrowLeft", "plots"),
        ("Home", "layers"),
        ("End", "plots"),
    ]:
        page.keyboard.press(key)
        view.until("app.store.state.tab === argument", name)
        page.wait_for_selector(f"#tab-{name}[tabindex='0'][aria-selected=true]")
        assert focus(page) == f"tab-{name}"
        assert page.locator("[role=tab][tabindex='-1']").count() == 2
        panel = page.get_by_role("tabpanel", name=name)
        assert panel.get_attribute("id") == page.get_by_role("tab").first.get_attribute(
            "aria-controls"
        )
    page.keyboard.press("ArrowUp")
    view.still()
    assert page.evaluate("() => window.morpheus.view.getCenter()") == before


def test_the_dialog_takes_the_focus_and_gives_it_back(drive, address):
    view = drive(address)
    page = view.page
    button = page.get_by_role("button", name="Keys")
    inside = "() => document.activeElement.closest('dialog') !== null"
    for close in ("Escape", "?", "Enter"):
        button.focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("dialog[open]")
        page.wait_for_function(inside)
        page.keyboard.press("n")  # for the map, which is not at hand
        page.keyboard.press(close)
        page.wait_for_selector("dialog", state="hidden")
        assert focus(page) == "Keys"
        assert view.state("selected") is None
        view.until("!app.store.state.help")


def test_a_dialog_that_is_opened_again_at_once_stays_open(drive, address):
    view = drive(address)
    view.page.keyboard.press("?")
    view.page.wait_for_selector("dialog[open]")
    shown = view.page.evaluate("""() => new Promise((done) => {
      const { store } = window.morpheus;
      const dialog = document.querySelector("dialog");
      dialog.addEventListener("close", () => setTimeout(() => done(dialog.open), 100));
      // An observer is told before the browser sends its event.
      const observer = new MutationObserver(() => {
        observer.disconnect();
        store.set({ help: true });
      });
      observer.observe(dialog, { attributeFilter: ["open"] });
      store.set({ help: false });
    })""")
    assert shown
    assert view.page.evaluate("() => document.activeElement.closest('dialog') !== null")


def test_the_panel_of_a_source_gives_the_focus_to_the_map(drive, address, table):
    view = drive(f"{address}#source={table['id'][3]}")
    view.page.locator("aside.source").get_by_role("button", name="Close").press("Enter")
    view.until("app.store.state.selected === null")
    assert focus(view.page) == "Map of demo"


def test_messages_have_one_place(drive, address):
    view = drive(address)
    place = view.page.get_by_role("status")
    assert place.count() == 1
    assert place.inner_text() == ""
    view.find("99999")
    view.message("There is no source 99999.")
    assert place.count() == 1
