// Themes, sliders, search and small comforts. Every page is readable without it.
"use strict";
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const one = (selector, root = document) => root.querySelector(selector);

// ---------------------------------------------------------------- theme
{
  const button = one("#theme-button");
  const page = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const current = () => page.dataset.theme || (system.matches ? "dark" : "light");
  const other = () => (current() === "dark" ? "light" : "dark");
  const describe = () => { button.ariaLabel = `Switch to the ${other()} theme`; };
  button.addEventListener("click", () => {
    page.dataset.theme = other();
    try { localStorage.setItem("book-theme", page.dataset.theme); } catch {}
    describe();
  });
  system.addEventListener("change", describe);
  describe();
  button.hidden = false;
}

// ---------------------------------------------------------------- sweeps
for (const sweep of all(".sweep")) {
  const frames = all(".frame", sweep);
  const [play, slider, output] = ["button", "input", "output"].map(tag => one(tag, sweep));
  const values = JSON.parse(output.dataset.values);
  let timer = null;

  const stop = () => {
    clearInterval(timer);
    timer = null;
    play.ariaLabel = "Play";
  };
  const show = place => {
    slider.value = place;
    slider.setAttribute("aria-valuetext", values[place]);
    output.textContent = values[place];
    frames.forEach((frame, index) => frame.toggleAttribute("data-shown", index === place));
  };
  slider.addEventListener("input", () => { stop(); show(+slider.value); });
  play.addEventListener("click", () => {
    if (timer) return stop();
    if (+slider.value === frames.length - 1) show(0);
    play.ariaLabel = "Pause";
    timer = setInterval(() => {
      show(+slider.value + 1);
      if (+slider.value === frames.length - 1) stop();
    }, 800);
  });
  slider.value = 0; // browsers remember a slider's place over a reload
  slider.hidden = play.hidden = frames.length < 2;
}

// ---------------------------------------------------------------- search
{
  const dialog = one("#search");
  const [input, status, list] = ["input", "[role=status]", "ol"].map(part => one(part, dialog));

  const item = (found, url, title) => {
    const entry = document.createElement("li");
    const link = document.createElement("a");
    link.href = url;
    link.textContent = title;
    const excerpt = document.createElement("p");
    excerpt.innerHTML = found.excerpt; // escaped by pagefind, with <mark> around hits
    entry.append(link, excerpt);
    return entry;
  };
  const index = words => { // two indexes: English is stemmed, Chinese is cut into words
    const language = /\p{Script=Han}/u.test(words) ? "zh" : "en";
    return import(new URL(`${dialog.dataset.index}/${language}/pagefind.js`, location));
  };
  const find = async () => {
    const pagefind = await index(input.value);
    const search = await pagefind.debouncedSearch(input.value, {}, 120);
    if (search === null) return; // the reader typed on
    const pages = await Promise.all(search.results.slice(0, 10).map(hit => hit.data()));
    const entries = pages.flatMap(page => page.sub_results.slice(0, 3).map(part => {
      const inside = part.title === page.meta.title ? "" : ` › ${part.title}`;
      return item(part, part.url, page.meta.title + inside);
    }));
    list.replaceChildren(...entries);
    const count = search.results.length;
    status.textContent = !input.value.trim() ? ""
      : count === 0 ? `Nothing found for “${input.value}”.`
      : `${count} ${count === 1 ? "page" : "pages"}`;
  };
  const refresh = () => find().catch(() => {
    status.textContent = location.protocol === "file:"
      ? "Search needs a web server: python -m http.server -d _book"
      : "The search index could not be loaded.";
  });
  const open = () => {
    dialog.showModal();
    input.select();
    refresh();
  };
  input.addEventListener("input", refresh);
  dialog.addEventListener("click", event => {
    if (event.target === dialog || event.target.closest("a")) dialog.close();
  });
  one("form", dialog).addEventListener("keydown", event => {
    if (event.key === "Enter" && event.target === input) {
      event.preventDefault();
      one("a", list)?.click();
    }
  });
  const button = one("#search-button");
  button.addEventListener("click", open);
  button.hidden = false;
  document.addEventListener("keydown", event => {
    const writing = event.target.closest("input, textarea, [contenteditable]");
    if (event.key === "/" && !writing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      open();
    }
  });
}

// ---------------------------------------------------------------- where am I
{
  const contents = one("#contents");
  for (const link of all("a", contents)) {
    if (link.pathname !== location.pathname) continue;
    link.ariaCurrent = "page";
    contents.scrollTop = link.offsetTop - contents.clientHeight / 2;
  }
  const headings = all("main h2 .header, main h3 .header");
  if (headings.length > 2 && !one("#print-button")) {
    const list = document.createElement("ul");
    for (const heading of headings) {
      const entry = document.createElement("li");
      const link = heading.cloneNode(true);
      link.removeAttribute("class");
      entry.append(link);
      list.append(entry);
    }
    const nav = one("#on-this-page");
    nav.append(list);
    nav.hidden = false;
  }
}

// ---------------------------------------------------------------- comforts
for (const code of all("pre.code")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(one("code", code).textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  code.append(button);
}
{
  // What scrolls sideways can be reached with the keyboard.
  const parts = all("main pre, .table-wrapper, .figure, .formula.display, .frame");
  const update = part => {
    if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
    else part.removeAttribute("tabindex");
  };
  const watch = new ResizeObserver(entries => entries.forEach(entry => update(entry.target)));
  parts.forEach(part => watch.observe(part));
  document.fonts.addEventListener("loadingdone", () => parts.forEach(update));
}
if (one("#print-button")) {
  one("#print-button").addEventListener("click", () => print());
  one("#unfold-button").addEventListener("click", () => {
    all("main details").forEach(fold => { fold.open = true; });
  });
  one("#print-button").parentElement.hidden = false;
}
