// The list of events: one row each, in the order of time or of peaks.
"use strict";

vadpipe.list = (() => {
  const { clock, duration } = vadpipe.clock;
  const PAGE = 200; // so many rows at a time: a low threshold can make events by the thousand

  class EventList {
    /**
     * @param root what holds .rows, .more and .none
     * @param stills data URIs by the frame of the peak
     * @param placeOf (event) -> {name, box} of where in the picture it is, or null
     * @param reasonFor (event) -> an element that says why, or null
     */
    constructor({ root, template, stills, endS, placeOf, reasonFor, onJump }) {
      Object.assign(this, { template, stills, endS, placeOf, reasonFor, onJump });
      [this.rows, this.more, this.none] = [".rows", ".more", ".none"].map((name) => root.querySelector(name));
      this.byPeak = false;
      this.events = [];
      this.limit = PAGE;
      this.shown = new Map(); // index of an event -> its row
      this.more.addEventListener("click", () => {
        this.limit += PAGE;
        this.fill();
      });
    }

    show(events) {
      this.events = events;
      this.limit = PAGE;
      this.order = undefined;
      this.fill();
    }

    sort(byPeak) {
      this.byPeak = byPeak;
      this.show(this.events);
    }

    fill() {
      const { events } = this;
      this.order ??= events.map((_, index) => index);
      if (this.byPeak) this.order.sort((a, b) => events[b].peak - events[a].peak || a - b);
      const visible = this.order.slice(0, this.limit);
      this.shown = new Map(visible.map((index) => [index, this.row(events[index], index)]));
      this.rows.replaceChildren(...this.shown.values());
      this.more.hidden = visible.length === events.length;
      this.more.textContent = `Show more (${visible.length} of ${events.length})`;
      this.none.hidden = events.length > 0;
      this.mark(this.current ?? -1);
    }

    row(event, index) {
      const row = this.template.content.firstElementChild.cloneNode(true);
      const text = (name, value) => (row.querySelector(name).textContent = value);
      const { startS, endS, peak, peakFrame, peakS } = event;
      text(".span", `${clock(startS, this.endS)} – ${clock(endS, this.endS)}`);
      text(".peak", `peak ${peak.toFixed(2)}`);
      text(".length", duration(endS - startS));
      text(".number", index + 1);
      row.querySelector(".meter").style.width = `${100 * Math.min(peak, 1)}%`;
      row.title = `frames ${event.start} to ${event.stop - 1}, mean ${event.mean.toFixed(3)}`;
      Object.assign(row.dataset, { start: event.start, stop: event.stop, startS, endS, peak, peakFrame, peakS });
      const still = this.stills[peakFrame];
      if (still) row.querySelector(".thumb img").src = still;
      else row.classList.add("bare");
      const place = this.placeOf(event);
      if (place) this.showPlace(row, place);
      row.querySelector(".jump").addEventListener("click", () => this.onJump(index));
      const reason = this.reasonFor(event);
      if (reason) row.append(reason);
      return row;
    }

    // Say where in the picture an event is, in words and by an outline on its still.
    showPlace(row, { name, box }) {
      row.querySelector(".place").textContent = name;
      row.dataset.place = name;
      if (!box) return;
      const [left, top, right, bottom] = box.map((share) => 100 * share);
      const outline = row.querySelector(".outline");
      outline.hidden = false;
      Object.assign(outline.style, {
        left: `${left}%`,
        top: `${top}%`,
        width: `${right - left}%`,
        height: `${bottom - top}%`,
      });
      row.classList.add("placed");
    }

    // Say which event the cursor is in: by colour, by a bar, by a word, and to screen readers.
    mark(index) {
      this.shown.get(this.current)?.classList.remove("current");
      this.shown.get(this.current)?.querySelector(".jump").removeAttribute("aria-current");
      this.current = index;
      this.shown.get(index)?.classList.add("current");
      this.shown.get(index)?.querySelector(".jump").setAttribute("aria-current", "true");
    }

    // Bring a row into sight within the list's own scrolling, never that of the page.
    reveal(index) {
      while (this.order && !this.shown.has(index) && this.limit < this.events.length) {
        this.limit += PAGE;
        this.fill();
      }
      const row = this.shown.get(index);
      const box = this.rows.parentElement;
      if (!row || box.scrollHeight <= box.clientHeight) return;
      const above = row.offsetTop - box.offsetTop - box.scrollTop;
      const below = above + row.offsetHeight - box.clientHeight;
      if (above < 0) box.scrollTop += above - 8;
      else if (below > 0) box.scrollTop += below + 8;
    }
  }

  return { EventList };
})();
