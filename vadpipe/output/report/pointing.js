// Pointers on the curve: press or drag to go somewhere, wheel or two fingers to zoom, hover to read.
"use strict";

vadpipe.pointing = (() => {
  function onCurve({ canvas, chart, view, tip, seek, describe }) {
    const fingers = new Map(); // pointer id -> x
    let pinch = null; // how the two fingers lay when the second came

    const spread = () => {
      const [a, b] = [...fingers.values()];
      return { apart: Math.max(Math.abs(a - b), 10), middle: (a + b) / 2 };
    };

    canvas.addEventListener("pointerdown", (event) => {
      if (event.button > 0) return;
      canvas.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, event.clientX);
      if (fingers.size === 2) {
        const { apart, middle } = spread();
        pinch = { apart, timeS: chart.timeAt(middle), lengthS: view.lengthS };
      } else if (fingers.size === 1) seek(chart.timeAt(event.clientX));
    });

    canvas.addEventListener("pointermove", (event) => {
      showTip(event);
      if (!fingers.has(event.pointerId)) return;
      fingers.set(event.pointerId, event.clientX);
      if (!pinch) seek(chart.timeAt(event.clientX));
      else if (fingers.size === 2) {
        const { apart, middle } = spread();
        const lengthS = (pinch.lengthS * pinch.apart) / apart;
        const share = (chart.timeAt(middle) - view.fromS) / view.lengthS;
        view.show(pinch.timeS - share * lengthS, lengthS);
      }
    });

    const lift = (event) => {
      fingers.delete(event.pointerId);
      if (!fingers.size) pinch = null; // the finger that stays after a pinch goes nowhere
    };
    canvas.addEventListener("pointerup", lift);
    canvas.addEventListener("pointercancel", lift);
    canvas.addEventListener("pointerleave", () => (tip.hidden = true));

    canvas.addEventListener(
      "wheel",
      (event) => {
        const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
        const turn = (event.deltaX || event.deltaY) * (event.deltaMode ? 30 : 1);
        // Nothing is left to zoom out of: the page scrolls.
        if (view.isWhole && (sideways || event.deltaY > 0)) return;
        event.preventDefault();
        if (sideways) view.show(view.fromS + (turn / canvas.clientWidth) * view.lengthS, view.lengthS);
        else view.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 30 : 1) * 0.002), chart.timeAt(event.clientX));
      },
      { passive: false },
    );

    function showTip(event) {
      tip.hidden = event.pointerType === "touch";
      if (tip.hidden) return;
      tip.textContent = describe(chart.timeAt(event.clientX));
      const { left, width } = canvas.getBoundingClientRect();
      const x = Math.min(Math.max(event.clientX - left, tip.offsetWidth / 2), width - tip.offsetWidth / 2);
      tip.style.left = `${x}px`;
    }
  }

  return { onCurve };
})();
