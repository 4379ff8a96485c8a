// Puts the parts together: what one changes, the others show.
"use strict";

vadpipe.page = (() => {
  const { clock, duration, spoken, score } = vadpipe.clock;
  const { findEvents, eventAt, lastBegun } = vadpipe.events;
  const $ = (selector) => document.querySelector(selector);
  const data = JSON.parse($("#data").textContent);
  const frames = new vadpipe.frames.Frames(data);
  const state = { timeS: 0, threshold: data.threshold, rule: data.rule, events: [], current: -1 };

  // Draw once a screen frame, however many parts ask.
  let due = false;
  function redraw() {
    if (due) return;
    due = true;
    requestAnimationFrame(drawNow);
  }
  function drawNow() {
    due = false;
    chart.draw();
    overview.draw();
  }
  function redrawAll() {
    chart.stale = overview.stale = true;
    redraw();
  }

  const view = new vadpipe.view.View(frames, () => {
    chart.stale = true;
    $("#whole").disabled = view.isWhole;
    redraw();
  });
  const shared = { frames, truth: data.truth, state, view };
  const chart = new vadpipe.chart.Chart({ canvas: $("#curve"), ...shared });
  const overview = new vadpipe.overview.Overview({ canvas: $("#overview"), ...shared });
  const player = new vadpipe.player.Player({ video: $("video"), frames, onTime: moved, onState: showState, onBroken });
  const list = new vadpipe.list.EventList({
    root: $("#events"),
    template: $("#event-row"),
    stills: data.stills,
    endS: frames.endS,
    placeOf: ({ peakFrame }) => frames.placeAt(peakFrame),
    reasonFor: ({ peakFrame }) => {
      const reason = data.explanations[peakFrame];
      return reason ? vadpipe.why.explain($("#event-why"), reason, frames.endS, goTo) : null;
    },
    onJump: jumpTo,
  });

  function goTo(timeS) {
    player.seek(timeS);
    view.follow(player.timeS);
  }

  function jumpTo(index) {
    if (!state.events[index]) return;
    const { start: first, startS, endS } = state.events[index];
    // Within the first frame: at its very beginning a player may still show the one before.
    goTo(frames.middle(first));
    // Zoomed in, show all of it where it fits.
    if (endS > view.toS && endS - startS < view.lengthS) view.show(endS - 0.95 * view.lengthS, view.lengthS);
    list.reveal(index);
  }

  function nextEvent() {
    jumpTo(lastBegun(state.events, player.timeS) + 1);
  }

  // To the event before; well inside one, to its own beginning first.
  function previousEvent() {
    const index = lastBegun(state.events, player.timeS);
    if (index < 0) return;
    jumpTo(frames.at(player.timeS) > state.events[index].start ? index : index - 1);
  }

  function verdict(value) {
    if (Number.isNaN(value)) return "no score";
    if (state.threshold === null) return "";
    return value >= Math.fround(state.threshold) ? "at or above the threshold" : "below the threshold";
  }

  function moved() {
    const timeS = (state.timeS = player.timeS);
    const value = frames.scores[player.frame];
    $("#time").textContent = clock(timeS, frames.endS, 2);
    $("#frame").textContent = `frame ${player.frame} of ${frames.count}`;
    $("#score").textContent = Number.isNaN(value) ? "–" : score(value);
    $("#verdict").textContent = verdict(value);
    $("#now").classList.toggle("alarm", state.threshold !== null && value >= Math.fround(state.threshold));
    const slider = $("#curve");
    slider.setAttribute("aria-valuenow", timeS.toFixed(2));
    slider.setAttribute("aria-valuetext", `${spoken(timeS)}, ${Number.isNaN(value) ? "" : "score "}${score(value)}`);
    const current = eventAt(state.events, timeS);
    if (current !== state.current) {
      state.current = current;
      chart.stale = true;
      list.mark(current);
      if (player.playing && current >= 0) list.reveal(current);
    }
    if (player.playing) view.follow(timeS);
    redraw();
  }

  function showState() {
    document.body.classList.toggle("playing", player.playing);
    $("#play").setAttribute("aria-label", player.playing ? "Pause" : "Play");
    for (const name of ["#play", "#rate", "#mute", "#full"]) $(name).disabled = !player.usable;
    $("#mute").setAttribute("aria-pressed", String(player.video.muted));
  }

  function onBroken() {
    $("#broken").hidden = false;
    player.video.hidden = true;
  }

  function judge(threshold, rule) {
    Object.assign(state, { threshold, rule, current: -1 });
    state.events = findEvents(frames.scores, frames.edges, threshold, rule);
    const totalS = state.events.reduce((sum, { startS, endS }) => sum + endS - startS, 0);
    const n = state.events.length;
    $("#count").textContent = `${n} ${n === 1 ? "event" : "events"}`;
    $("#total").textContent = n ? `${duration(totalS)} in all` : "";
    $("#terms").textContent =
      threshold === null ? "" : `Scores of ${Number(threshold.toFixed(4))} and above; hysteresis ${rule.hysteresis}, ` +
      `gaps below ${rule.merge_gap_s} s joined, at least ${rule.min_length_s} s long.`;
    $("#none-text").textContent =
      threshold === null ? "No threshold was given. Move the slider to set one." : "No events at this threshold.";
    $("#previous").disabled = $("#next").disabled = !n;
    list.current = -1;
    list.show(state.events);
    moved();
    redrawAll();
  }

  function toggleHelp() {
    const help = $("#help");
    if (help.open) help.close();
    else help.showModal();
  }

  const zoomIn = () => view.zoom(2, middleOfZoom());
  const zoomOut = () => view.zoom(0.5, middleOfZoom());
  // Around the cursor where it is in sight.
  function middleOfZoom() {
    const inSight = view.fromS <= player.timeS && player.timeS <= view.toS;
    return inSight ? player.timeS : (view.fromS + view.toS) / 2;
  }

  const byStep = (direction) => {
    player.step(direction);
    view.follow(player.timeS);
  };
  const actions = {
    " ": () => player.toggle(), k: () => player.toggle(),
    ArrowLeft: () => byStep(-1), ArrowRight: () => byStep(1),
    "Shift+ArrowLeft": () => goTo(player.timeS - 5), "Shift+ArrowRight": () => goTo(player.timeS + 5),
    n: nextEvent, ".": nextEvent, p: previousEvent, ",": previousEvent,
    "+": zoomIn, "=": zoomIn, "-": zoomOut, "_": zoomOut, 0: () => view.whole(), "?": toggleHelp,
    Home: () => goTo(0), End: () => goTo(frames.endS),
  };
  const clicks = {
    "#play": actions.k, "#back": actions.ArrowLeft, "#forward": actions.ArrowRight,
    "#previous": previousEvent, "#next": nextEvent,
    "#in": zoomIn, "#out": zoomOut, "#whole": actions[0], "#keys": toggleHelp, "#close": toggleHelp,
    "#mute": () => (player.video.muted = !player.video.muted),
    "#full": () => player.video.requestFullscreen?.().catch(() => {}), // a browser may not allow it here
    video: actions.k,
  };

  function start() {
    for (const [selector, action] of Object.entries(clicks)) $(selector).addEventListener("click", action);
    $("#rate").addEventListener("change", (event) => (player.video.playbackRate = Number(event.target.value)));
    $("#order").addEventListener("change", (event) => list.sort(event.target.value === "peak"));
    vadpipe.keys.listen(actions, () => $("#help").open);
    vadpipe.pointing.onCurve({
      canvas: $("#curve"), chart, view, tip: $("#tip"), seek: (timeS) => player.seek(timeS),
      describe: (timeS) => `${clock(timeS, frames.endS, 2)} · ${score(frames.scores[frames.at(timeS)])}`,
    });
    vadpipe.rule.wire({ form: $("#rule"), given: data, onChange: judge });
    watchLooks();
    showState();
    judge(data.threshold, data.rule);
    drawNow();
    vadpipe.openedMs = performance.now(); // from navigation to the first full drawing
    // An embedded video is the end of the page, so that the curve is there before it has been read.
    if (data.video !== null) player.load(data.video);
    else addEventListener("DOMContentLoaded", () => player.load($("#clip").textContent));
  }

  // Sizes, dark mode, paper.
  function watchLooks() {
    new ResizeObserver(redraw).observe($("#curve"));
    for (const query of ["(prefers-color-scheme: dark)", "print"]) {
      matchMedia(query).addEventListener("change", redrawAll);
    }
    const paper = (on) => () => {
      document.documentElement.classList.toggle("paper", on);
      chart.stale = overview.stale = true;
      drawNow(); // there is no next screen frame before the paper
    };
    addEventListener("beforeprint", paper(true));
    addEventListener("afterprint", paper(false));
  }

  start();
  return { frames, state, view, player, chart, list, actions };
})();
