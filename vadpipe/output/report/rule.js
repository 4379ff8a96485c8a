// The threshold and the rest of the rule: what was given, what has been moved, and the way back.
"use strict";

vadpipe.rule = (() => {
  const PARTS = ["hysteresis", "merge_gap_s", "min_length_s"];

  /**
   * Wire the inputs; `onChange(threshold, rule)` is called at most once a screen frame.
   * A threshold of null, where none was given, finds no events.
   */
  function wire({ form, given, onChange }) {
    const field = (name) => form.querySelector(`[name=${name}]`);
    const [slider, number, reset] = [field("slider"), field("threshold"), form.querySelector(".reset")];
    let [threshold, rule] = [given.threshold, { ...given.rule }];
    let due = false;

    const short = (value) => (value === null ? "" : String(Number(value.toFixed(4))));

    // The exact number stays in `threshold`; what the inputs show is rounded.
    function show() {
      slider.value = threshold ?? 1;
      number.value = short(threshold);
      slider.setAttribute("aria-valuetext", threshold === null ? "none" : short(threshold));
      for (const name of PARTS) field(name).value = short(rule[name]);
      told();
    }

    function told() {
      const same = threshold === given.threshold && PARTS.every((name) => rule[name] === given.rule[name]);
      reset.disabled = same;
    }

    function changed() {
      told();
      if (due) return;
      due = true;
      requestAnimationFrame(() => {
        due = false;
        onChange(threshold, rule);
      });
    }

    slider.addEventListener("input", () => {
      threshold = Math.round(slider.valueAsNumber * 1000) / 1000;
      number.value = short(threshold);
      slider.setAttribute("aria-valuetext", short(threshold));
      changed();
    });
    number.addEventListener("input", () => {
      threshold = Number.isFinite(number.valueAsNumber) ? number.valueAsNumber : null;
      slider.value = threshold ?? 1;
      changed();
    });
    for (const name of PARTS) {
      field(name).addEventListener("input", (event) => {
        const value = event.target.valueAsNumber;
        if (!(value >= 0)) return; // half typed: what was there goes on
        rule = { ...rule, [name]: value };
        changed();
      });
      field(name).addEventListener("change", show);
    }
    reset.addEventListener("click", () => {
      [threshold, rule] = [given.threshold, { ...given.rule }];
      show();
      changed();
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    show();
  }

  return { wire };
})();
