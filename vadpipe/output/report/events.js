// Events: the same rule as vadpipe.curves.events.find_events, to the last bit, so that the page never says
// anything that the tables do not.
"use strict";

vadpipe.events = (() => {
  const ROUNDING_S = 2e-6; // a second made of 24 frames may be a little less than one

  // Stretches [start, stop) of frames at or above `low` that reach `high`. NaN is below both.
  function* runsOf(scores, low, high) {
    for (let i = 0; i < scores.length; i++) {
      if (!(scores[i] >= low)) continue;
      const start = i;
      let reached = false;
      for (; i < scores.length && scores[i] >= low; i++) reached ||= scores[i] >= high;
      if (reached) yield { start, stop: i };
    }
  }

  // The peak is shown by the middle of the first run of frames that share it.
  function described(scores, edges, { start, stop }) {
    let peak = -Infinity;
    let sum = 0;
    let counted = 0;
    for (let i = start; i < stop; i++) {
      if (Number.isNaN(scores[i])) continue;
      if (scores[i] > peak) peak = scores[i];
      sum += scores[i];
      counted++;
    }
    let first = start;
    while (scores[first] !== peak) first++;
    let last = first;
    while (last < stop && scores[last] === peak) last++;
    const peakFrame = first + ((last - first - 1) >> 1);
    return {
      start,
      stop,
      startS: edges[start],
      endS: edges[stop],
      peak,
      peakFrame,
      peakS: edges[peakFrame],
      mean: sum / counted,
    };
  }

  /**
   * @param scores Float32Array, one a frame; NaN where it has none.
   * @param edges Float64Array, when each frame begins, in seconds, and when the last one ends.
   * @param threshold what a frame must reach; null finds none.
   * @param rule {hysteresis, merge_gap_s, min_length_s}
   */
  function findEvents(scores, edges, threshold, rule) {
    if (threshold === null) return [];
    // Rounded as the scores are, so that a score reaches itself.
    const high = Math.fround(threshold);
    const low = Math.fround(threshold - rule.hysteresis * Math.abs(threshold));
    const spans = [];
    for (const run of runsOf(scores, low, high)) {
      const before = spans.at(-1);
      if (before && edges[run.start] - edges[before.stop] < rule.merge_gap_s - ROUNDING_S) before.stop = run.stop;
      else spans.push(run);
    }
    return spans
      .filter(({ start, stop }) => edges[stop] - edges[start] >= rule.min_length_s - ROUNDING_S)
      .map((span) => described(scores, edges, span));
  }

  // Which event holds a time, or -1.
  function eventAt(events, timeS) {
    const index = lastBegun(events, timeS);
    return index >= 0 && timeS < events[index].endS ? index : -1;
  }

  // The last event that has begun at a time, or -1.
  function lastBegun(events, timeS) {
    let low = 0;
    let high = events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (events[middle].startS <= timeS) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  return { findEvents, eventAt, lastBegun };
})();
