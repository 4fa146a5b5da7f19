// The sources on the map: marks where there are many, ellipses where there is room.

import { Layer } from "../vendor/vendor.js";
import { colorOf } from "./layers.js";
import { colorNumber, drawDot } from "./render.js";

const ELLIPSES = 4000; // at most so many are drawn; more are marks
const NUMBERS = 250;
const ALIVE = 8000; // so many are drawn anew at every frame; more are moved until the map rests

export class Overlay {
  /** @param getSelected gives the number of the selected source in this catalogue, or null */
  constructor(catalog, sky, getState, getSelected) {
    Object.assign(this, { catalog, sky, getState, getSelected });
    this.canvas = document.createElement("canvas");
    Object.assign(this.canvas.style, { position: "absolute", inset: 0, transformOrigin: "0 0" });
    this.canvas.className = "sources";
    this.drawn = null;
    this.dirty = true;
    this.layer = new Layer({ render: (frame) => this.frame(frame) });
  }

  /** To be called when other sources are shown, or others colours. */
  changed() {
    this.dirty = true;
    this.layer.changed();
  }

  frame({ size, viewState, viewHints, pixelRatio }) {
    const view = {
      size,
      pixelRatio,
      resolution: viewState.resolution,
      left: viewState.center[0] - (size[0] / 2) * viewState.resolution,
      top: viewState.center[1] + (size[1] / 2) * viewState.resolution,
    };
    const moving = viewHints[0] > 0 || viewHints[1] > 0;
    const { drawn } = this;
    if (drawn && !this.dirty && moving && this.nDrawn > ALIVE) {
      const scale = drawn.resolution / view.resolution;
      const dx = (drawn.left - view.left) / view.resolution;
      const dy = (view.top - drawn.top) / view.resolution;
      this.canvas.style.transform = `translate(${dx}px, ${dy}px) scale(${scale})`;
    } else if (this.dirty || !drawn || !same(drawn, view)) {
      this.draw(view);
    }
    return this.canvas;
  }

  draw(view) {
    const { canvas, catalog } = this;
    const [width, height] = view.size.map((side) => Math.round(side * view.pixelRatio));
    if (canvas.width !== width || canvas.height !== height) {
      Object.assign(canvas, { width, height });
      Object.assign(canvas.style, { width: `${view.size[0]}px`, height: `${view.size[1]}px` });
    }
    canvas.style.transform = "none";
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    const state = this.getState();
    const margin = 60 * view.resolution;
    const right = view.left + view.size[0] * view.resolution;
    const bottom = view.top - view.size[1] * view.resolution;
    const rows = [];
    if (state.marks) {
      for (const row of catalog.inBox(view.left - margin, bottom - margin, right + margin, view.top + margin)) {
        if (catalog.shown[row]) rows.push(row);
      }
    }
    this.nDrawn = rows.length;
    this.colors = catalog.classes.map((c) => colorOf(c, state.palette));
    const roomy = view.resolution <= 2 && rows.length <= ELLIPSES;
    if (roomy) this.ellipses(context, rows, view);
    else this.marks(context, rows, view);
    const selected = catalog.rowOf.get(this.getSelected());
    if (selected !== undefined) this.target(context, selected, view);
    [this.drawn, this.dirty] = [view, false];
  }

  screen(row, view) {
    return [
      ((this.catalog.column("x")[row] - view.left) / view.resolution) * view.pixelRatio,
      ((view.top - this.catalog.column("y")[row]) / view.resolution) * view.pixelRatio,
    ];
  }

  /** Small squares, written into the picture: a hundred thousand take milliseconds. */
  marks(context, rows, view) {
    const { width, height } = context.canvas;
    const image = context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const colors = this.colors.map((color) => colorNumber(color));
    const half = rows.length > 20000 ? 0 : 1;
    const [xs, ys] = [this.catalog.column("x"), this.catalog.column("y")];
    const scale = view.pixelRatio / view.resolution;
    for (const row of rows) {
      const x = Math.round((xs[row] - view.left) * scale);
      const y = Math.round((view.top - ys[row]) * scale);
      const color = colors[this.catalog.classOf[row]] ?? 0xffffffff;
      drawDot(pixels, width, height, x, y, half, color);
    }
    context.putImageData(image, 0, 0);
  }

  /** The path of a source's aperture; gives where a number stands: on it, to the upper right. */
  ellipse(context, row, view, grow = 0) {
    const [x, y] = this.screen(row, view);
    const scale = view.pixelRatio / view.resolution;
    const { major, ratio, angle: fromNorth } = this.catalog.ellipse(row);
    const [a, b] = [major, major * ratio].map((side) => Math.max(side * scale || 0, 3) + grow);
    const angle = this.angle(row, fromNorth);
    context.beginPath();
    context.ellipse(x, y, a, b, -angle, 0, 2 * Math.PI);
    const radius = (a * b) / Math.hypot(b * Math.cos(Math.PI / 4 - angle), a * Math.sin(Math.PI / 4 - angle));
    return [x + radius * Math.SQRT1_2, y - radius * Math.SQRT1_2];
  }

  /** Angle of the major axis from x towards y, in radians, of a position angle in degrees. */
  angle(row, fromNorth) {
    const angle = (fromNorth * Math.PI) / 180;
    if (!this.sky.known) return angle + Math.PI / 2;
    const [north, east] = this.sky.compass(this.catalog.column("x")[row], this.catalog.column("y")[row]);
    return Math.atan2(
      Math.cos(angle) * north[1] + Math.sin(angle) * east[1],
      Math.cos(angle) * north[0] + Math.sin(angle) * east[0],
    );
  }

  ellipses(context, rows, view) {
    const ids = this.catalog.column("id");
    const named = rows.length <= NUMBERS && view.resolution <= 0.5;
    context.lineWidth = 1.25 * view.pixelRatio;
    context.font = `${11 * view.pixelRatio}px system-ui, sans-serif`;
    for (const row of rows) {
      context.strokeStyle = this.colors[this.catalog.classOf[row]] ?? "#ffffff";
      const [x, y] = this.ellipse(context, row, view);
      context.stroke();
      if (named) {
        context.fillStyle = context.strokeStyle;
        context.fillText(ids[row], x + 2, y - 2);
      }
    }
  }

  target(context, row, view) {
    for (const [color, width] of [["#000000", 5], ["#ffffff", 2]]) {
      context.strokeStyle = color;
      context.lineWidth = width * view.pixelRatio;
      this.ellipse(context, row, view, 4 * view.pixelRatio);
      context.stroke();
    }
  }
}

function same(a, b) {
  return (
    a.left === b.left &&
    a.top === b.top &&
    a.resolution === b.resolution &&
    a.size[0] === b.size[0] &&
    a.size[1] === b.size[1] &&
    a.pixelRatio === b.pixelRatio
  );
}
