// Times and scores as people read them.
"use strict";

vadpipe.clock = (() => {
  // 1:02:03.4 or 2:03.4; hours only where the video has some.
  function clock(timeS, endS, digits = 1) {
    const scale = 10 ** digits;
    const ticks = Math.round(timeS * scale);
    const whole = Math.floor(ticks / scale);
    const part = digits ? `.${String(ticks % scale).padStart(digits, "0")}` : "";
    const seconds = String(whole % 60).padStart(2, "0") + part;
    const minutes = Math.floor(whole / 60);
    if (endS < 3600) return `${minutes}:${seconds}`;
    return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${seconds}`;
  }

  // 4.2 s, 3 min 20 s, 1 h 5 min
  function duration(lengthS) {
    if (lengthS < 59.95) return `${lengthS.toFixed(lengthS < 1 ? 2 : 1)} s`;
    const whole = Math.round(lengthS);
    const [hours, minutes, seconds] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    return hours ? `${hours} h ${minutes} min` : `${minutes} min ${seconds} s`;
  }

  // In words, for those who listen.
  function spoken(timeS) {
    const minutes = Math.floor(timeS / 60);
    const seconds = (timeS - 60 * minutes).toFixed(1);
    return minutes ? `${minutes} minutes ${seconds} seconds` : `${seconds} seconds`;
  }

  const score = (value) => (Number.isNaN(value) ? "no score" : value.toFixed(2));

  return { clock, duration, spoken, score };
})();
