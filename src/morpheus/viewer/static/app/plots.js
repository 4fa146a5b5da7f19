// Linked plots: a histogram, and sources as points; a brush on one is a range for all.

import { axisBottom, axisLeft, brush, brushX, scaleLinear, select } from "../vendor/vendor.js";
import { colorNumber, drawDot } from "./render.js";

const MARGIN = { top: 8, right: 10, bottom: 36, left: 48 };
const [FEWEST, MOST] = [12, 60]; // bins of a histogram
const HIDDEN = colorNumber("#808894", 120);

/** A frame with axes, a canvas for what is many, and a brush. */
class Plot {
  constructor(element, label) {
    this.element = element;
    this.canvas = element.appendChild(document.createElement("canvas"));
    this.svg = select(element)
      .append("svg")
      .attr("role", "img")
      .attr("aria-label", label);
    this.x = this.svg.append("g").attr("class", "axis");
    this.y = this.svg.append("g").attr("class", "axis");
    this.xTitle = this.svg.append("text").attr("class", "title").attr("text-anchor", "middle");
    this.yTitle = this.svg
      .append("text")
      .attr("class", "title")
      .attr("text-anchor", "middle")
      .attr("transform", "rotate(-90)");
    this.brushed = this.svg.append("g").attr("class", "brush");
  }

  /** Takes the size that there is; gives the inner one. */
  measure() {
    const { clientWidth: width, clientHeight: height } = this.element;
    this.size = [
      Math.max(width - MARGIN.left - MARGIN.right, 10),
      Math.max(height - MARGIN.top - MARGIN.bottom, 10),
    ];
    const ratio = window.devicePixelRatio || 1;
    this.ratio = ratio;
    const [w, h] = this.size.map((side) => Math.round(side * ratio));
    if (this.canvas.width !== w || this.canvas.height !== h) {
      Object.assign(this.canvas, { width: w, height: h });
    }
    Object.assign(this.canvas.style, {
      left: `${MARGIN.left}px`,
      top: `${MARGIN.top}px`,
      width: `${this.size[0]}px`,
      height: `${this.size[1]}px`,
    });
    this.svg.attr("width", width).attr("height", height);
    return this.size;
  }

  axes(xScale, yScale, xTitle, yTitle) {
    const [width, height] = this.size;
    const ticks = (n, room) => Math.max(2, Math.floor(n / room));
    this.x
      .attr("transform", `translate(${MARGIN.left},${MARGIN.top + height})`)
      .call(axisBottom(xScale).ticks(ticks(width, 60)).tickSizeOuter(0));
    this.y
      .attr("transform", `translate(${MARGIN.left},${MARGIN.top})`)
      .call(axisLeft(yScale).ticks(ticks(height, 40)).tickSizeOuter(0));
    this.xTitle.attr("x", MARGIN.left + width / 2).attr("y", MARGIN.top + height + 30).text(xTitle);
    this.yTitle.attr("x", -(MARGIN.top + height / 2)).attr("y", 12).text(yTitle);
    this.brushed.attr("transform", `translate(${MARGIN.left},${MARGIN.top})`);
  }

  /** Puts a brush there whose changes by the user are told. */
  brush(make, selection, told) {
    const [width, height] = this.size;
    const made = make()
      .extent([[0, 0], [width, height]])
      .on("brush end", (event) => {
        if (!event.sourceEvent) return; // moved by us
        told(event.selection);
      });
    this.brushed.call(made);
    this.brushed.call(made.move, selection);
  }
}

export class Histogram extends Plot {
  draw(catalog, name, { ranges, colors, onRange }) {
    const [width, height] = this.measure();
    const values = catalog.column(name);
    const domain = catalog.core(name);
    const x = scaleLinear(domain, [0, width]).nice();
    const [low, high] = x.domain();
    const bins = Math.min(Math.max(Math.ceil(2 * Math.cbrt(values.length)), FEWEST), MOST); // Rice's rule
    const total = new Float64Array(bins);
    const byClass = colors.map(() => new Float64Array(bins));
    for (let row = 0; row < values.length; row++) {
      const place = Math.floor(((values[row] - low) / (high - low)) * bins);
      if (!(place >= 0 && place < bins)) continue;
      total[place]++;
      const counts = byClass[catalog.classOf[row]];
      if (counts && catalog.shown[row]) counts[place]++;
    }
    const y = scaleLinear([0, Math.max(1, ...total) * 1.05], [height, 0]);
    const context = this.canvas.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const wide = width / bins;
    for (let place = 0; place < bins; place++) {
      context.fillStyle = "rgba(128, 136, 148, 0.35)";
      context.fillRect(place * wide, y(total[place]), wide - 1, height - y(total[place]));
      let base = 0;
      byClass.forEach((counts, c) => {
        const n = counts[place];
        if (!n) return;
        context.fillStyle = colors[c];
        context.fillRect(place * wide, y(base + n), wide - 1, y(base) - y(base + n));
        base += n;
      });
    }
    this.axes(x, y, catalog.title(name), "sources");
    const range = ranges[name];
    this.brush(brushX, range && clamp(range.map(x), width), (selection) =>
      onRange({ [name]: selection && selection.map(x.invert) }),
    );
  }
}

export class Scatter extends Plot {
  draw(catalog, xName, yName, { ranges, colors, onRange, flipY, selectedRow }) {
    const [width, height] = this.measure();
    const [xs, ys] = [catalog.column(xName), catalog.column(yName)];
    const x = scaleLinear(catalog.core(xName), [0, width]).nice();
    const y = scaleLinear(catalog.core(yName), flipY ? [0, height] : [height, 0]).nice();
    const { width: w, height: h } = this.canvas;
    const context = this.canvas.getContext("2d");
    const image = context.createImageData(w, h);
    const pixels = new Uint32Array(image.data.buffer);
    const numbers = colors.map((color) => colorNumber(color));
    const half = catalog.n > 5000 ? 0 : 1;
    const at = (scale, values) => {
      const [[d0, d1], [r0, r1]] = [scale.domain(), scale.range()];
      const slope = ((r1 - r0) / (d1 - d0)) * this.ratio;
      return (row) => Math.round(r0 * this.ratio + (values[row] - d0) * slope);
    };
    const [px, py] = [at(x, xs), at(y, ys)];
    for (const pass of [0, 1]) {
      for (let row = 0; row < catalog.n; row++) {
        if (catalog.shown[row] !== pass) continue;
        const [i0, j0] = [px(row), py(row)];
        if (!(i0 >= 0 && i0 < w && j0 >= 0 && j0 < h)) continue;
        const color = pass ? numbers[catalog.classOf[row]] ?? 0xffffffff : HIDDEN;
        drawDot(pixels, w, h, i0, j0, half, color);
      }
    }
    context.putImageData(image, 0, 0);
    if (selectedRow !== null) {
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.strokeStyle = getComputedStyle(this.element).color;
      context.lineWidth = 2 * this.ratio;
      context.beginPath();
      context.arc(px(selectedRow), py(selectedRow), 6 * this.ratio, 0, 2 * Math.PI);
      context.stroke();
    }
    this.axes(x, y, catalog.title(xName), catalog.title(yName));
    const [xRange, yRange] = [ranges[xName], ranges[yName]];
    let selection = null;
    if (xRange && yRange) {
      const [x0, x1] = clamp(xRange.map(x), width);
      const [y0, y1] = clamp(yRange.map(y), height);
      selection = [[x0, y0], [x1, y1]];
    }
    this.brush(brush, selection, (box) => {
      const range = (scale, a, b) => [a, b].map(scale.invert).sort((p, q) => p - q);
      onRange({
        [xName]: box && range(x, box[0][0], box[1][0]),
        [yName]: box && range(y, box[0][1], box[1][1]),
      });
    });
  }
}

function clamp(places, size) {
  return places.map((place) => Math.min(Math.max(place, 0), size)).sort((a, b) => a - b);
}
