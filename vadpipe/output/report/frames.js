// The curve's own numbers: one score and one time a frame, bit for bit as they were computed.
"use strict";

window.vadpipe = {}; // all that the page is made of, a part a file

vadpipe.frames = (() => {
  // The arrays are little-endian, as is every machine that runs a browser.
  function bytesOf(base64) {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
    const text = atob(base64);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return bytes;
  }

  // The last of numbers in order that is not above a value; the first where all are.
  function lastUpTo(numbers, value, last = numbers.length - 1) {
    let low = 0;
    let high = last;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (numbers[middle] <= value) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  class Frames {
    constructor({ scores, times, end_s: endS, places }) {
      this.scores = new Float32Array(bytesOf(scores).buffer); // NaN where a frame has none
      this.count = this.scores.length;
      this.endS = endS;
      this.edges = new Float64Array(this.count + 1); // frame i is shown from edges[i] to edges[i + 1]
      this.edges.set(new Float64Array(bytesOf(times).buffer));
      this.edges[this.count] = endS;
      if (!places) return; // the head does not tell them
      this.places = places.all; // {name, box}; box is null where the picture's size is not known
      this.runs = new Uint32Array(bytesOf(places.starts).buffer); // from frame runs[i] on, leading[i] leads
      this.leading = bytesOf(places.leading);
    }

    // Where in the picture a frame has its highest score, or null.
    placeAt(frame) {
      return this.places ? this.places[this.leading[lastUpTo(this.runs, frame)]] : null;
    }

    // The frame that is shown at a time: the last one that has begun.
    at(timeS) {
      return lastUpTo(this.edges, timeS, this.count - 1);
    }

    // The frame that begins closest to a time; players round the times that they report.
    nearest(timeS) {
      const frame = this.at(timeS);
      const next = Math.min(frame + 1, this.count - 1);
      return this.edges[next] - timeS < timeS - this.edges[frame] ? next : frame;
    }

    // The safest time to ask a player for this very frame.
    middle(frame) {
      return (this.edges[frame] + this.edges[frame + 1]) / 2;
    }

    // The next frame in a direction that is shown for any time at all, whatever the frame rate does.
    neighbour(frame, direction) {
      let other = frame + direction;
      while (this.edges[other] === this.edges[other + 1]) other += direction;
      return other >= 0 && other < this.count ? other : frame;
    }

    // The stretches [startS, endS) of frames without a score.
    unscored() {
      const stretches = [];
      for (let i = 0; i < this.count; i++) {
        if (!Number.isNaN(this.scores[i])) continue;
        const start = i;
        while (i + 1 < this.count && Number.isNaN(this.scores[i + 1])) i++;
        stretches.push([this.edges[start], this.edges[i + 1]]);
      }
      return stretches;
    }
  }

  return { Frames };
})();
