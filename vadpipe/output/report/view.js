// Which part of the video the curve shows.
"use strict";

vadpipe.view = (() => {
  class View {
    constructor(frames, onChange) {
      this.endS = frames.endS;
      // No closer than a few frames.
      this.leastS = Math.min(frames.endS, (8 * frames.endS) / frames.count);
      [this.fromS, this.toS] = [0, frames.endS];
      this.onChange = onChange;
    }

    get lengthS() {
      return this.toS - this.fromS;
    }

    get isWhole() {
      return this.fromS <= 0 && this.toS >= this.endS;
    }

    // Show a stretch that begins at a time; moved and cut so that it lies within the video.
    show(fromS, lengthS) {
      lengthS = Math.min(Math.max(lengthS, this.leastS), this.endS);
      fromS = Math.min(Math.max(fromS, 0), this.endS - lengthS);
      const toS = lengthS === this.endS ? this.endS : fromS + lengthS;
      if (fromS === this.fromS && toS === this.toS) return;
      [this.fromS, this.toS] = [fromS, toS];
      this.onChange();
    }

    whole() {
      this.show(0, this.endS);
    }

    // Zoom so that a time stays where it is on the screen.
    zoom(factor, aroundS) {
      const lengthS = Math.min(Math.max(this.lengthS / factor, this.leastS), this.endS);
      const share = (aroundS - this.fromS) / this.lengthS;
      this.show(aroundS - share * lengthS, lengthS);
    }

    // Turn the page where a time lies outside.
    follow(timeS) {
      if (timeS < this.fromS || timeS > this.toS) this.show(timeS - this.lengthS / 10, this.lengthS);
    }
  }

  return { View };
})();
