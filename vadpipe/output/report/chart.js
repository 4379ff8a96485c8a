// The large curve: draws it, and turns pointers into times and zoom.
"use strict";

vadpipe.chart = (() => {
  const { palette, columnsOf, curveLine, fillAbove, hatching, band, ticksOf } = vadpipe.drawing;
  const { clock } = vadpipe.clock;
  const MARGIN = { left: 38, right: 12, top: 10, bottom: 40 }; // CSS pixels around the plot
  const LANE = { offset: 5, height: 10 }; // of the events, below the plot

  // Give a canvas one pixel of its own for each of the screen's; return it and their ratio.
  function fitted(canvas) {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.round(side * ratio));
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    return ratio;
  }

  class Chart {
    /**
     * @param state what the page shows: {timeS, threshold, events, current}
     * @param view which part of the video
     */
    constructor({ canvas, frames, truth, state, view }) {
      Object.assign(this, { canvas, frames, truth, state, view });
      this.unscored = frames.unscored();
      this.still = document.createElement("canvas"); // all but the cursor, kept from one move of it to the next
      this.stale = true;
    }

    timeAt(clientX) {
      const { left, width } = this.canvas.getBoundingClientRect();
      const share = (clientX - left - MARGIN.left) / (width - MARGIN.left - MARGIN.right);
      return this.view.fromS + Math.min(Math.max(share, 0), 1) * this.view.lengthS;
    }

    xOf(timeS) {
      const width = this.box.right - this.box.left;
      return this.box.left + ((timeS - this.view.fromS) / this.view.lengthS) * width;
    }

    yOf(score) {
      return this.box.bottom - Math.min(score, 1.02) * (this.box.bottom - this.box.top) * 0.97;
    }

    draw() {
      this.ratio = fitted(this.canvas);
      const { width, height } = this.canvas;
      if (!width) return;
      const sides = Object.entries(MARGIN).map(([side, margin]) => [side, Math.round(margin * this.ratio)]);
      const margin = Object.fromEntries(sides);
      this.box = { left: margin.left, right: width - margin.right, top: margin.top, bottom: height - margin.bottom };
      if (this.stale || this.still.width !== width || this.still.height !== height) {
        Object.assign(this.still, { width, height });
        this.drawStill(this.still.getContext("2d"));
        this.stale = false;
      }
      const context = this.canvas.getContext("2d");
      context.clearRect(0, 0, width, height);
      context.drawImage(this.still, 0, 0);
      this.drawCursor(context);
    }

    drawStill(context) {
      const { box, ratio, view } = this;
      this.colours = palette();
      const { colours } = this;
      const size = Math.round(11 * ratio);
      const x = (timeS) => this.xOf(timeS);
      const y = (score) => this.yOf(score);
      const truth = { fill: colours.truth, alpha: 0.22, name: "ground truth", ink: colours.truth, size };
      for (const stretch of this.truth) band(context, box, x, stretch, truth);
      const fill = hatching(context, colours.muted, ratio);
      const unscored = { fill, alpha: 0.4, name: "no score", ink: colours.ink, size };
      for (const stretch of this.unscored) band(context, box, x, stretch, unscored);
      this.drawAxes(context, size);
      const columns = columnsOf(this.frames, view.fromS, view.toS, box.right - box.left);
      context.globalAlpha = 0.1;
      context.fillStyle = colours.curve;
      fillAbove(context, columns, box.left, y, 0);
      if (this.state.threshold !== null) this.drawThreshold(context, columns);
      context.globalAlpha = 1;
      context.strokeStyle = colours.curve;
      context.lineWidth = 1.6 * ratio;
      context.lineJoin = "round";
      curveLine(context, columns, box.left, y);
      this.drawEvents(context);
    }

    drawThreshold(context, columns) {
      const { box, colours, ratio, state } = this;
      context.globalAlpha = 0.4;
      context.fillStyle = colours.alarm;
      fillAbove(context, columns, box.left, (score) => this.yOf(score), state.threshold);
      context.globalAlpha = 1;
      context.strokeStyle = colours.alarm;
      context.lineWidth = 1.4 * ratio;
      context.setLineDash([6 * ratio, 4 * ratio]);
      context.beginPath();
      context.moveTo(box.left, this.yOf(state.threshold));
      context.lineTo(box.right, this.yOf(state.threshold));
      context.stroke();
      context.setLineDash([]);
    }

    drawAxes(context, size) {
      const { box, colours, ratio, view } = this;
      context.font = `${size}px system-ui, sans-serif`;
      context.fillStyle = colours.muted;
      context.strokeStyle = colours.grid;
      context.lineWidth = ratio;
      context.beginPath();
      context.textAlign = "right";
      context.textBaseline = "middle";
      for (const score of [0, 0.25, 0.5, 0.75, 1]) {
        const y = Math.round(this.yOf(score)) + 0.5;
        context.moveTo(box.left, y);
        context.lineTo(box.right, y);
        if (score % 0.5 === 0) context.fillText(score.toFixed(1), box.left - 6 * ratio, y);
      }
      context.textAlign = "center";
      context.textBaseline = "top";
      const top = box.bottom + (LANE.offset + LANE.height + 6) * ratio;
      const { ticks, digits } = ticksOf(view.fromS, view.toS, (box.right - box.left) / (78 * ratio));
      for (const timeS of ticks) {
        const x = Math.round(this.xOf(timeS)) + 0.5;
        context.moveTo(x, box.top);
        context.lineTo(x, box.bottom);
        const text = clock(timeS, view.endS, digits);
        const half = context.measureText(text).width / 2; // the last one must not leave the canvas
        context.fillText(text, Math.min(x, this.canvas.width - half - ratio), top);
      }
      context.stroke();
    }

    // A lane of bars below the plot; the current one is outlined as well.
    drawEvents(context) {
      const { box, colours, ratio, view, state } = this;
      const top = box.bottom + LANE.offset * ratio;
      const height = LANE.height * ratio;
      context.fillStyle = colours.grid;
      context.fillRect(box.left, top + height / 2 - ratio / 2, box.right - box.left, ratio);
      const first = Math.max(vadpipe.events.lastBegun(state.events, view.fromS), 0);
      for (let i = first; i < state.events.length && state.events[i].startS <= view.toS; i++) {
        const left = Math.max(this.xOf(state.events[i].startS), box.left);
        const right = Math.min(Math.max(this.xOf(state.events[i].endS), left + 2 * ratio), box.right);
        if (right <= left) continue;
        context.fillStyle = colours.alarm;
        context.fillRect(left, top, right - left, height);
        if (i !== state.current) continue;
        context.strokeStyle = colours.ink;
        context.lineWidth = 2 * ratio;
        context.strokeRect(left - ratio, top - ratio, right - left + 2 * ratio, height + 2 * ratio);
      }
    }

    drawCursor(context) {
      const { box, colours, ratio, state, view } = this;
      if (state.timeS < view.fromS || state.timeS > view.toS) return;
      const x = this.xOf(state.timeS);
      context.fillStyle = colours.ink;
      context.fillRect(x - 0.75 * ratio, box.top - 4 * ratio, 1.5 * ratio, box.bottom - box.top + 4 * ratio);
      const score = this.frames.scores[this.frames.at(state.timeS)];
      if (Number.isNaN(score)) return;
      context.beginPath();
      context.arc(x, this.yOf(score), 4.5 * ratio, 0, 2 * Math.PI);
      context.fill();
      context.strokeStyle = colours.paper;
      context.lineWidth = 1.5 * ratio;
      context.stroke();
    }
  }

  return { Chart, fitted };
})();
