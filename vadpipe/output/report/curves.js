// The curves of one video, one over the other, as SVG; they are steps: a score holds until the next one.
"use strict";

window.vadpipe = {};

vadpipe.curves = (() => {
  const [WIDTH, HEIGHT] = [1000, 100]; // of the view box

  function shape(name, attributes, parent) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    parent.append(element);
    return element;
  }

  const yOf = (score) => HEIGHT * (1 - score);

  function path([times, scores], endS) {
    const xOf = (timeS) => ((WIDTH * timeS) / endS).toFixed(1);
    let text = "";
    let drawing = false;
    scores.forEach((score, step) => {
      const ends = xOf(step + 1 < times.length ? times[step + 1] : endS);
      if (score !== null) {
        const y = yOf(score).toFixed(1);
        text += drawing ? `V${y}H${ends}` : `M${xOf(times[step])} ${y}H${ends}`;
      }
      drawing = score !== null;
    });
    return text;
  }

  // The score of a curve at a time; null where it has none.
  function at([times, scores], timeS) {
    let [low, high] = [0, times.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (times[middle] <= timeS) low = middle;
      else high = middle;
    }
    return scores[low];
  }

  function draw(svg, video, candidates) {
    const endS = video.end_s || 1;
    for (const [startS, stopS] of video.truth) {
      const x = (WIDTH * startS) / endS;
      shape("rect", { class: "truth", x, y: 0, width: (WIDTH * (stopS - startS)) / endS, height: HEIGHT }, svg);
    }
    const across = { x1: 0, x2: WIDTH };
    shape("line", { class: "half", ...across, y1: HEIGHT / 2, y2: HEIGHT / 2 }, svg);
    candidates.forEach(({ colour, threshold }, index) => {
      const y = yOf(threshold);
      if (threshold !== null) shape("line", { class: `threshold ${colour}`, ...across, y1: y, y2: y }, svg);
      shape("path", { class: colour, d: path(video.curves[index], endS) }, svg);
    });
    return shape("line", { class: "now", x1: -9, x2: -9, y1: 0, y2: HEIGHT }, svg);
  }

  return { at, draw, WIDTH };
})();
