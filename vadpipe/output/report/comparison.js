// The list of videos with their curves: order, search by name, scores under the pointer.
"use strict";

vadpipe.comparison = (() => {
  const PAGE = 20; // so many videos at a time: hundreds take a browser seconds to draw
  const N_TICKS = 5;
  const $ = (selector) => document.querySelector(selector);
  const [list, template, search, order] = [$("#videos"), $("template"), $("#search"), $("#order")];
  const { clock, score } = vadpipe.clock;
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const plain = (text) => text.normalize("NFC").toLowerCase();
  const { candidates, videos } = JSON.parse($("#data").textContent);
  for (const video of videos) video.plain = plain(`${video.name} ${video.facts.join(" ")}`);
  let matching = videos;

  const timeText = (timeS, endS) => (endS < 10 ? `${timeS.toFixed(1)} s` : clock(timeS, endS, 0));

  function span(text, className = "") {
    const element = document.createElement("span");
    element.className = className;
    element.textContent = text;
    return element;
  }

  const own = (index, text) => span(text, `own ${candidates[index].colour}`);

  function facts(video) {
    const texts = [...video.facts, `apart ${video.apart.toFixed(2)}`].map((text) => span(text));
    if (video.auc_apart === null) return texts;
    const aucs = span("AUC ");
    aucs.append(...video.auc.flatMap((auc, index) => [own(index, auc === null ? "-" : auc.toFixed(3)), " "]));
    return [...texts, aucs];
  }

  function point(event, area, video, line) {
    const box = area.getBoundingClientRect();
    const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    const timeS = share * video.end_s;
    const tip = area.querySelector(".tip");
    const digits = video.end_s < 10 ? `${timeS.toFixed(2)} s` : clock(timeS, video.end_s);
    const scores = video.curves.map((curve, index) => own(index, score(vadpipe.curves.at(curve, timeS) ?? NaN)));
    tip.replaceChildren(span(digits), ...scores);
    tip.classList.toggle("left", share > 0.5);
    tip.hidden = false;
    for (const end of ["x1", "x2"]) line.setAttribute(end, share * vadpipe.curves.WIDTH);
  }

  function card(video) {
    const element = template.content.firstElementChild.cloneNode(true);
    const part = (selector) => element.querySelector(selector);
    part("bdi").textContent = video.name;
    part(".facts").append(...facts(video));
    const [svg, area, tip] = [part("svg"), part(".area"), part(".tip")];
    svg.setAttribute("aria-label", `The curves of ${video.name}`);
    const line = vadpipe.curves.draw(svg, video, candidates);
    area.addEventListener("pointermove", (event) => point(event, area, video, line));
    area.addEventListener("pointerleave", () => {
      tip.hidden = true;
      for (const end of ["x1", "x2"]) line.setAttribute(end, -9);
    });
    const ticks = Array.from({ length: N_TICKS }, (_, at) => (video.end_s * at) / (N_TICKS - 1));
    part(".ticks").append(...ticks.map((timeS) => span(timeText(timeS, video.end_s))));
    return element;
  }

  function more() {
    const from = list.children.length;
    list.append(...matching.slice(from, from + PAGE).map(card));
    ending.disconnect();
    if (list.children.length < matching.length) ending.observe($("#end"));
  }

  function show() {
    const words = plain(search.value).split(/\s+/).filter(Boolean);
    const key = order.value;
    matching = videos.filter((video) => words.every((word) => video.plain.includes(word)));
    matching.sort((a, b) => {
      if (key === "name") return collator.compare(a.name, b.name);
      const missing = (a[key] === null) - (b[key] === null);
      return missing || b[key] - a[key] || collator.compare(a.name, b.name);
    });
    list.replaceChildren();
    more();
    $("#found").textContent = words.length ? `${matching.length} of ${videos.length}` : "";
    $("#none").hidden = matching.length > 0 || !videos.length;
  }

  search.addEventListener("input", show);
  order.addEventListener("change", show);
  const ending = new IntersectionObserver((changes) => changes.at(-1).isIntersecting && more(), {
    rootMargin: "1500px",
  });
  show();
  return { candidates, videos };
})();
