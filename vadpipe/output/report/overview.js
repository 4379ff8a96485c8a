// The strip below the curve: the whole video, and which part of it the curve shows.
"use strict";

vadpipe.overview = (() => {
  const { palette, columnsOf, fillAbove, hatching } = vadpipe.drawing;

  class Overview {
    constructor({ canvas, frames, truth, state, view }) {
      Object.assign(this, { canvas, frames, truth, state, view });
      this.unscored = frames.unscored();
      this.still = document.createElement("canvas");
      this.stale = true;
      this.listen();
    }

    draw() {
      const ratio = vadpipe.chart.fitted(this.canvas);
      const { width, height } = this.canvas;
      if (!width) return;
      if (this.stale || this.still.width !== width || this.still.height !== height) {
        Object.assign(this.still, { width, height });
        this.drawStill(this.still.getContext("2d"), width, height);
        this.stale = false;
      }
      const context = this.canvas.getContext("2d");
      context.clearRect(0, 0, width, height);
      context.drawImage(this.still, 0, 0);
      const x = (timeS) => (timeS / this.frames.endS) * width;
      const [left, right] = [x(this.view.fromS), Math.max(x(this.view.toS), x(this.view.fromS) + 3 * ratio)];
      if (!this.view.isWhole) {
        context.globalAlpha = 0.65;
        context.fillStyle = this.colours.paper;
        context.fillRect(0, 0, left, height);
        context.fillRect(right, 0, width - right, height);
        context.globalAlpha = 1;
        context.strokeStyle = this.colours.ink;
        context.lineWidth = 1.5 * ratio;
        context.strokeRect(left + ratio, ratio, right - left - 2 * ratio, height - 2 * ratio);
      }
      context.fillStyle = this.colours.ink;
      context.fillRect(x(this.state.timeS) - 0.75 * ratio, 0, 1.5 * ratio, height);
    }

    drawStill(context, width, height) {
      this.colours = palette();
      const columns = columnsOf(this.frames, 0, this.frames.endS, width);
      const y = (score) => height - Math.min(score, 1) * (height - 2);
      const x = (timeS) => (timeS / this.frames.endS) * width;
      context.fillStyle = this.colours.truth;
      context.globalAlpha = 0.25;
      for (const [startS, endS] of this.truth) {
        context.fillRect(x(startS), 0, Math.max(x(endS) - x(startS), 1), height);
      }
      context.globalAlpha = 0.4;
      context.fillStyle = hatching(context, this.colours.muted, width / this.canvas.clientWidth);
      for (const [startS, endS] of this.unscored) {
        context.fillRect(x(startS), 0, Math.max(x(endS) - x(startS), 1), height);
      }
      context.globalAlpha = 0.55;
      context.fillStyle = this.colours.curve;
      fillAbove(context, columns, 0, y, 0);
      context.globalAlpha = 1;
      context.fillStyle = this.colours.alarm;
      if (this.state.threshold !== null) fillAbove(context, columns, 0, y, this.state.threshold);
    }

    // Drag the window to move it; press beside it to have it there.
    listen() {
      let grip = null; // from the window's beginning to the pointer
      const timeAt = (event) => {
        const { left, width } = this.canvas.getBoundingClientRect();
        return ((event.clientX - left) / width) * this.frames.endS;
      };
      this.canvas.addEventListener("pointerdown", (event) => {
        const timeS = timeAt(event);
        const { fromS, toS, lengthS } = this.view;
        this.canvas.setPointerCapture(event.pointerId);
        grip = fromS <= timeS && timeS <= toS ? timeS - fromS : lengthS / 2;
        this.view.show(timeS - grip, lengthS);
      });
      this.canvas.addEventListener("pointermove", (event) => {
        if (grip !== null) this.view.show(timeAt(event) - grip, this.view.lengthS);
      });
      for (const end of ["pointerup", "pointercancel"]) {
        this.canvas.addEventListener(end, () => (grip = null));
      }
    }
  }

  return { Overview };
})();
