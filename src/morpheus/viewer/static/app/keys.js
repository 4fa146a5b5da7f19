// The keyboard: single keys do what buttons do, wherever nothing is typed.

/** The keys and what they do, for people. */
export const KEYS = [
  ["Arrows, + and −", "move and zoom, on the map"],
  ["f", "the whole field"],
  ["g", "go to a position or a source"],
  ["n, p", "next and previous shown source"],
  ["Enter", "centre on the source"],
  ["b", "blink: show the layers in turn"],
  ["c", "classes on or off"],
  ["o", "outlines on or off"],
  ["m", "catalogue on or off"],
  ["t", "dark or light"],
  ["?", "this list"],
  ["Esc", "close"],
];

const TYPED = "input:not([type=checkbox]), select, textarea";
const PRESSED = "button, summary"; // they have their own use for Enter

const ACTIONS = {
  f: (app) => app.fit(),
  g: () => document.querySelector("#find").focus(),
  n: (app) => app.step(1),
  p: (app) => app.step(-1),
  b: (app) => app.toggleBlink(),
  c: (app) => app.toggleLayer("classes"),
  o: (app) => app.toggleLayer("outlines"),
  m: (app) => app.toggleMarks(),
  t: (app) => app.toggleTheme(),
  "?": (app) => app.store.set(({ help }) => ({ help: !help })),
  Escape: (app) => app.select(null),
};

/** Does what a key of the page asks for. */
export function press(app, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches(TYPED)) {
    if (event.key === "Escape") event.target.blur();
  } else if (app.store.state.help && event.key !== "?") {
    // The dialog has the keyboard.
  } else if (event.key === "Enter") {
    if (!event.target.matches(PRESSED)) app.centre();
  } else if (Object.hasOwn(ACTIONS, event.key)) {
    event.preventDefault();
    ACTIONS[event.key](app);
  }
}
