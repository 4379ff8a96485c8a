// The keyboard. Keys that a focused control needs for itself are left to it.
"use strict";

vadpipe.keys = (() => {
  const taken = (target, key) => {
    if (target.closest("select, input[type=number]")) return true;
    if (target.closest("input[type=range]")) return /^(Arrow|Home|End|Page)/.test(key);
    return (key === " " || key === "Enter") && target.closest("button, summary, input");
  };

  /** @param actions key -> what it does; with "Shift+" ahead where it is held */
  function listen(actions, isOpen) {
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (taken(event.target, event.key)) return;
      // Shift makes another character of most keys; only arrows stay what they are.
      const key = event.shiftKey && event.key.startsWith("Arrow") ? `Shift+${event.key}` : event.key;
      const action = Object.hasOwn(actions, key) ? actions[key] : actions[key.toLowerCase()];
      if (!action || (isOpen() && key !== "?")) return;
      event.preventDefault();
      action();
    });
  }

  return { listen };
})();
