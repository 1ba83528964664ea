"use strict";
(() => {
  const form = document.querySelector(".filters");
  if (!form) return;
  const rows = [...document.querySelectorAll(".check")].map((element) => ({
    element,
    chapter: element.parentElement,
    outcome: element.dataset.o,
    level: element.dataset.l,
    differs: "d" in element.dataset,
    facts: element.dataset.f.toLowerCase().split(" "),
    text: element.firstElementChild.textContent.toLowerCase(),
  }));
  // 4.6 finds the facts 4.6 and 4.6.2, but not 4.60 or 14.6.
  const finds = (row, word) =>
    row.text.includes(word) || row.facts.some((fact) => fact === word || fact.startsWith(`${word}.`));
  const kinds = {
    all: () => true,
    failing: (row) => ["failed", "errored", "xpassed"].includes(row.outcome),
    differs: (row) => row.differs,
    xfailed: (row) => row.outcome === "xfailed",
    skipped: (row) => row.outcome === "skipped",
    passed: (row) => row.outcome === "passed",
  };
  const found = form.querySelector(".found");
  const fields = form.elements;

  const apply = () => {
    const words = fields.q.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = kinds[fields.show.value] || kinds.all;
    const level = fields.level.value;
    const counts = new Map();
    let shown = 0;
    for (const row of rows) {
      const visible =
        wanted(row) && (!level || row.level === level) && words.every((word) => finds(row, word));
      row.element.hidden = !visible;
      shown += visible;
      counts.set(row.chapter, (counts.get(row.chapter) || 0) + visible);
    }
    for (const [chapter, count] of counts) {
      chapter.hidden = count === 0;
      chapter.querySelector(".count").textContent = count;
    }
    found.textContent = shown === rows.length ? `${shown} checks` : `${shown} of ${rows.length} checks`;
  };

  // The filter is part of the address, so that a view can be sent to somebody.
  const remember = () => {
    const state = new URLSearchParams();
    for (const name of ["q", "show", "level"]) {
      const value = fields[name].value;
      if (value && value !== "all") state.set(name, value);
    }
    history.replaceState(null, "", state.size ? `#?${state}` : "#checks");
  };
  const recall = () => {
    if (location.hash.startsWith("#?")) {
      const state = new URLSearchParams(location.hash.slice(2));
      fields.q.value = state.get("q") || "";
      fields.show.value = state.get("show") in kinds ? state.get("show") : "all";
      fields.level.value = state.get("level") || "";
      apply();
      form.scrollIntoView();
    } else if (location.hash.length > 1) {
      const target = document.getElementById(location.hash.slice(1));
      if (!target) return;
      if (target.hidden || target.parentElement.hidden) {
        form.reset();
        apply();
      }
      if (target.matches(".check")) target.open = true;
      target.scrollIntoView();
    }
  };

  for (const [name, matches] of Object.entries(kinds)) {
    form.querySelector(`[data-count="${name}"]`).textContent = rows.filter(matches).length;
  }
  for (const button of document.querySelectorAll(".copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = button.nextElementSibling;
      try {
        await navigator.clipboard.writeText(text.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(text);
        button.textContent = "Selected: press Ctrl-C";
      }
    });
  }
  form.hidden = false;
  form.addEventListener("input", () => { apply(); remember(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", recall);
  addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.matches("input, select")) {
      event.preventDefault();
      fields.q.focus();
    }
  });
  apply();
  recall();
})();
