// The list of reports: search by name, order by a column.
"use strict";

window.vadpipe = {};

vadpipe.index = (() => {
  const PAGE = 100; // so many rows at a time: thousands take a browser seconds to lay out
  const $ = (selector) => document.querySelector(selector);
  const [body, template, search] = [$("tbody"), $("template"), $("#search")];
  const headers = [...document.querySelectorAll("th[data-key]")];
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const plain = (text) => text.normalize("NFC").toLowerCase();
  const entries = JSON.parse($("#data").textContent).map((entry) => ({ ...entry, plain: plain(entry.name) }));
  let matching = entries;

  function row(entry) {
    const element = template.content.firstElementChild.cloneNode(true);
    const part = (selector) => element.querySelector(selector);
    part("a").href = entry.address;
    part("bdi").textContent = entry.name;
    if (entry.thumbnail) part("img").src = entry.thumbnail;
    else part("img").remove();
    part(".number").textContent = entry.peak_text;
    if (entry.peak === null) part("meter").remove();
    else part("meter").value = entry.peak;
    part(".count").textContent = entry.events;
    part(".unit").textContent = entry.events === 1 ? " event" : " events";
    part(".length").textContent = entry.length_text;
    return element;
  }

  function more() {
    const from = body.rows.length;
    body.append(...matching.slice(from, from + PAGE).map(row));
    // It tells of changes alone, and an end that is near may be near again, or still, when it next looks.
    ending.disconnect();
    if (body.rows.length < matching.length) ending.observe($("#end"));
  }

  function show() {
    const words = plain(search.value).split(/\s+/).filter(Boolean);
    matching = entries.filter((entry) => words.every((word) => entry.plain.includes(word)));
    body.replaceChildren();
    more();
    $("#found").textContent = words.length ? `${matching.length} of ${entries.length}` : "";
    $("#none").hidden = matching.length > 0 || !entries.length;
  }

  // What has no number comes last, whichever way round.
  function order(key, descending) {
    const sign = descending ? -1 : 1;
    entries.sort((a, b) => {
      if (key === "name") return sign * collator.compare(a.name, b.name);
      const missing = (a[key] === null) - (b[key] === null);
      return missing || sign * (a[key] - b[key]) || collator.compare(a.name, b.name);
    });
    for (const header of headers) {
      if (header.dataset.key !== key) header.removeAttribute("aria-sort");
      else header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    }
    show();
  }

  for (const header of headers) {
    header.querySelector("button").addEventListener("click", () => {
      const now = header.getAttribute("aria-sort");
      // Names begin with the first, numbers with the highest.
      order(header.dataset.key, now ? now === "ascending" : header.dataset.key !== "name");
    });
  }
  search.addEventListener("input", show);
  // Rows come as the end of the list nears the screen; of several changes at once the last one holds.
  const ending = new IntersectionObserver((changes) => changes.at(-1).isIntersecting && more(), {
    rootMargin: "1500px",
  });
  show();
  return { order };
})();
