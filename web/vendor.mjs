// What the pages use of each library; build.mjs makes one file of it.
export { default as Map } from "ol/Map.js";
export { default as View } from "ol/View.js";
export { default as TileLayer } from "ol/layer/Tile.js";
export { default as Layer } from "ol/layer/Layer.js";
export { default as ImageTile } from "ol/source/ImageTile.js";
export { default as TileGrid } from "ol/tilegrid/TileGrid.js";
export { default as Projection } from "ol/proj/Projection.js";
export { default as KeyboardPan } from "ol/interaction/KeyboardPan.js";
export { default as KeyboardZoom } from "ol/interaction/KeyboardZoom.js";
export { defaults as defaultInteractions } from "ol/interaction/defaults.js";
export { h, render, Fragment } from "preact";
export { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
export { default as htm } from "htm";
export { axisBottom, axisLeft } from "d3-axis";
export { brush, brushX } from "d3-brush";
export { scaleLinear } from "d3-scale";
export { select } from "d3-selection";
