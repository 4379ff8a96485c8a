// What is drawn on the canvases; knows nothing of pointers, players or zoom.
"use strict";

vadpipe.drawing = (() => {
  // Colours come from the style sheet, so that dark mode and print have their own.
  function palette() {
    const style = getComputedStyle(document.documentElement);
    const names = ["curve", "alarm", "truth", "grid", "muted", "ink", "paper"];
    return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }

  /**
   * The first, lowest, highest and last score within every pixel column: what a line through all frames
   * would colour, so that not even a peak of one frame in hours is lost.
   */
  function columnsOf(frames, fromS, toS, width) {
    const columns = { first: [], low: [], high: [], last: [] };
    let frame = frames.at(fromS);
    for (let column = 0; column < width; column++) {
      const stopS = fromS + ((toS - fromS) * (column + 1)) / width;
      let [first, low, high] = [NaN, Infinity, -Infinity];
      let last;
      for (; ; frame++) {
        const score = frames.scores[frame];
        if (!Number.isNaN(score)) {
          if (Number.isNaN(first)) first = score;
          if (score < low) low = score;
          if (score > high) high = score;
        }
        last = score;
        if (frame + 1 >= frames.count || frames.edges[frame + 1] >= stopS) break;
      }
      columns.first.push(first);
      columns.low.push(low);
      columns.high.push(high);
      columns.last.push(last);
    }
    return columns;
  }

  function curveLine(context, columns, left, y) {
    context.beginPath();
    let down = false;
    columns.first.forEach((first, column) => {
      if (Number.isNaN(first)) {
        down = false;
        return;
      }
      const x = left + column + 0.5;
      if (down) context.lineTo(x, y(first));
      else context.moveTo(x - 0.5, y(first));
      context.lineTo(x, y(columns.low[column]));
      context.lineTo(x, y(columns.high[column]));
      if (!Number.isNaN(columns.last[column])) context.lineTo(x, y(columns.last[column]));
      down = !Number.isNaN(columns.last[column]);
    });
    context.stroke();
  }

  // Columns from a base line up to the highest score, where that lies above it.
  function fillAbove(context, columns, left, y, base) {
    const bottom = y(base);
    columns.high.forEach((high, column) => {
      if (high > base) context.fillRect(left + column, y(high), 1, bottom - y(high));
    });
  }

  function hatching(context, colour, pixelRatio) {
    const size = Math.round(7 * pixelRatio);
    const tile = new OffscreenCanvas(size, size);
    const pen = tile.getContext("2d");
    pen.strokeStyle = colour;
    pen.lineWidth = pixelRatio;
    for (const offset of [-size, 0, size]) {
      pen.moveTo(offset, size);
      pen.lineTo(offset + size, 0);
    }
    pen.stroke();
    return context.createPattern(tile, "repeat");
  }

  // One band [startS, endS) over the height of the plot, with its name where there is room.
  function band(context, box, x, [startS, endS], { fill, alpha, name, ink, size }) {
    const left = Math.max(x(startS), box.left);
    const right = Math.min(Math.max(x(endS), left + 1), box.right);
    if (right <= box.left || left >= box.right) return;
    context.globalAlpha = alpha;
    context.fillStyle = fill;
    context.fillRect(left, box.top, right - left, box.bottom - box.top);
    context.globalAlpha = 1;
    context.font = `600 ${size}px system-ui, sans-serif`;
    if (!name || context.measureText(name).width + size > right - left) return;
    context.fillStyle = ink;
    context.textAlign = "left";
    context.textBaseline = "top";
    context.fillText(name, left + size / 2, box.top + size / 3);
  }

  const STEPS_S = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];

  // Times for the axis: round ones, as many as fit.
  function ticksOf(fromS, toS, atMost) {
    let stepS = STEPS_S.find((step) => (toS - fromS) / step <= atMost) ?? 7200;
    while ((toS - fromS) / stepS > atMost) stepS *= 2;
    const ticks = [];
    for (let tick = Math.ceil(fromS / stepS - 1e-9); tick * stepS <= toS + 1e-9; tick++) {
      ticks.push(tick * stepS);
    }
    return { ticks, digits: stepS >= 1 ? 0 : stepS >= 0.1 ? 1 : 2 };
  }

  return { palette, columnsOf, curveLine, fillAbove, hatching, band, ticksOf };
})();
