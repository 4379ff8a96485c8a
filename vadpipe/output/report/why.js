// Why an event was called one: the part of the picture, and the snippets.
"use strict";

vadpipe.why = (() => {
  const { clock } = vadpipe.clock;

  function picture(element, reason) {
    const [still, heat] = [element.querySelector(".still"), element.querySelector(".heat")];
    still.src = reason.still;
    still.alt = `Frame at ${reason.still_s.toFixed(2)} s. ${reason.where}`;
    element.querySelector(".where").textContent = reason.where;
    const toggle = element.querySelector(".toggle");
    if (!reason.heat) {
      heat.remove();
      toggle.remove();
      return;
    }
    const [left, top, right, bottom] = reason.box.map((share) => 100 * share);
    heat.src = reason.heat;
    Object.assign(heat.style, {
      left: `${left}%`,
      top: `${top}%`,
      width: `${right - left}%`,
      height: `${bottom - top}%`,
    });
    const box = toggle.querySelector("input");
    box.addEventListener("change", () => (heat.hidden = !box.checked));
  }

  function snippets(list, reason, endS, seek) {
    for (const { start_s: startS, end_s: stopS, score } of reason.snippets) {
      const button = document.createElement("button");
      button.type = "button";
      const [time, value] = [document.createElement("span"), document.createElement("span")];
      time.textContent = `${clock(startS, endS, 2)} – ${clock(stopS, endS, 2)}`;
      value.textContent = score.toFixed(2);
      value.className = "value";
      button.append(time, value);
      button.addEventListener("click", () => seek(startS));
      const item = document.createElement("li");
      item.append(button);
      list.append(item);
    }
  }

  // A folded part for a row of the list.
  function explain(template, reason, endS, seek) {
    const element = template.content.firstElementChild.cloneNode(true);
    picture(element, reason);
    snippets(element.querySelector(".snippets"), reason, endS, seek);
    return element;
  }

  return { explain };
})();
