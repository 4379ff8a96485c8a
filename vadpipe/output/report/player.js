// The video, and where in time the page stands. Without a video that plays, time still moves by hand.
"use strict";

vadpipe.player = (() => {
  class Player {
    constructor({ video, frames, onTime, onState, onBroken }) {
      Object.assign(this, { video, frames, onTime, onState, onBroken });
      this.timeS = 0;
      this.usable = false;
      this.wanted = null; // where to go when the seek under way is done: dragging asks faster than it is done
      this.offsetS = 0; // of the browser's clock against the curve's, in files that do not begin at 0
      this.settled = false; // whether that is known, as far as it can be
      this.listen();
    }

    get playing() {
      return this.usable && !this.video.paused && !this.video.ended;
    }

    get frame() {
      return this.frames.at(this.timeS);
    }

    listen() {
      const { video } = this;
      video.requestVideoFrameCallback?.((_, { mediaTime }) => this.compareClocks(mediaTime));
      video.addEventListener("loadedmetadata", () => {
        if (!video.videoWidth) {
          this.fail(); // only its sound can be played
          return;
        }
        this.usable = true;
        setTimeout(() => this.compareClocks(this.frames.edges[0]), 1000);
        this.onState();
      });
      video.addEventListener("error", () => this.fail());
      video.addEventListener("seeked", () => {
        if (this.wanted !== null) this.carryOut(this.wanted);
      });
      for (const name of ["play", "pause", "ended", "volumechange"]) {
        video.addEventListener(name, () => this.onState());
      }
      video.addEventListener("play", () => this.track());
      video.addEventListener("ended", () => this.moveTo(this.frames.endS));
    }

    // The first picture that is shown is the curve's first frame. In a tab out of sight none is.
    compareClocks(mediaTime) {
      if (this.settled) return;
      this.settled = true;
      const offsetS = mediaTime - this.frames.edges[0];
      if (Math.abs(offsetS) > 0.001) this.offsetS = offsetS; // else players' rounding
      if (this.wanted !== null) this.carryOut(this.wanted);
    }

    load(address) {
      this.video.src = address;
    }

    fail() {
      this.usable = false;
      this.onBroken();
      this.onState();
    }

    // While it plays, each frame that is shown moves the cursor.
    track() {
      const { video } = this;
      const next = (callback) =>
        video.requestVideoFrameCallback
          ? video.requestVideoFrameCallback(callback)
          : requestAnimationFrame(() => callback(0, { mediaTime: video.currentTime }));
      const shown = (_, { mediaTime }) => {
        if (!this.playing) return;
        if (!video.seeking && this.wanted === null) {
          this.moveTo(this.frames.edges[this.frames.nearest(mediaTime - this.offsetS)]);
        }
        next(shown);
      };
      next(shown);
    }

    moveTo(timeS) {
      this.timeS = Math.min(Math.max(timeS, 0), this.frames.endS);
      this.onTime();
    }

    seek(timeS) {
      this.moveTo(timeS);
      // The end belongs to no frame; the last one is shown there.
      const target = Math.min(this.timeS, this.frames.middle(this.frames.count - 1));
      if (!this.settled || this.video.seeking) this.wanted = target;
      else this.carryOut(target);
    }

    carryOut(timeS) {
      this.wanted = null;
      this.video.currentTime = timeS + this.offsetS;
    }

    // One frame on or back. By the video's own times, since frames need not be equally long.
    step(direction) {
      this.pause();
      const other = this.frames.neighbour(this.frame, direction);
      if (other !== this.frame) this.seek(this.frames.middle(other));
    }

    pause() {
      if (this.usable) this.video.pause();
    }

    toggle() {
      if (!this.usable) return;
      if (this.playing) this.video.pause();
      // A browser may refuse, as when the file goes away; its error event says the rest.
      else this.video.play().catch(() => this.onState());
    }
  }

  return { Player };
})();
