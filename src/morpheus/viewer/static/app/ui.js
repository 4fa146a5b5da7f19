// What all panels are made with. Text in templates is always text: nothing in it becomes markup.

import { h, htm, useEffect, useRef } from "../vendor/vendor.js";

export const html = htm.bind(h);

/** A number for people; a dash where there is none. */
export function format(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(digits - 2);
  return String(Number(value.toPrecision(digits)));
}

/** Offers a text as a file. */
export function download(name, text, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/**
 * Asks for something each time that inputs change. An answer, or a failure, that comes after they
 * have changed again is dropped.
 *
 * @param ask gives a promise
 * @param take gets what it promised
 * @param fail gets the error
 */
export function useLatest(ask, take, fail, inputs) {
  useEffect(() => {
    let current = true;
    const run = async () => {
      try {
        const answer = await ask();
        if (current) take(answer);
      } catch (error) {
        if (current) fail(error);
      }
    };
    run();
    return () => {
      current = false;
    };
  }, inputs);
}

/** A canvas with the picture that `make` promises for the inputs. */
export function Drawing({ make, inputs, fail, label, ...attributes }) {
  const canvas = useRef(null);
  const show = (picture) => {
    Object.assign(canvas.current, { width: picture.width, height: picture.height });
    canvas.current.getContext("2d").drawImage(picture, 0, 0);
  };
  useLatest(make, show, fail, inputs);
  return html`<canvas ref=${canvas} role="img" aria-label=${label} ...${attributes}></canvas>`;
}

/** Where messages appear: it is always there, so that a screen reader tells what comes into it. */
export function Messages({ text, role = "status", className = "" }) {
  return html`<div class="messages" role=${role}>
    ${text && html`<p class="message ${className}">${text}</p>`}
  </div>`;
}
