// Names, roles and keys for those parts of a widget that a keyboard or a screen reader could not use otherwise.
const KEYS = ["Enter", " "];

function name(root, part, selector, describe) {
  for (const element of root.querySelectorAll(part)) {
    const holder = element.closest(selector);
    const label = holder && holder.querySelector(".widget-label");
    if (label) describe(element, label.textContent);
  }
}

function improve(root) {
  name(root, ".noUi-handle:not([aria-label])", ".widget-inline-hbox", (handle, text) =>
    handle.setAttribute("aria-label", text)
  );
  name(root, ".widget-readout[contenteditable]:not([aria-label])", ".widget-inline-hbox", (readout, text) => {
    readout.setAttribute("role", "textbox");
    readout.setAttribute("aria-label", `${text}, value`);
  });
  name(root, ".widget-toggle-buttons .widget-inline-hbox, .widget-toggle-buttons > div", ".widget-toggle-buttons",
    (group, text) => {
      group.setAttribute("role", "group");
      group.setAttribute("aria-label", text);
      for (const button of group.querySelectorAll("button"))
        button.setAttribute("aria-pressed", String(button.classList.contains("mod-active")));
    });
  for (const group of root.querySelectorAll(".pl-several:not([role])")) {
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", group.querySelector(".widget-label")?.textContent ?? "");
  }
  for (const header of root.querySelectorAll(".jupyter-widget-Collapse-header")) {
    const open = header.parentElement.classList.contains("jupyter-widget-Collapse-open");
    header.setAttribute("aria-expanded", String(open));
    if (header.tabIndex === 0) continue;
    header.tabIndex = 0;
    header.setAttribute("role", "button");
    header.setAttribute("aria-label", header.textContent.trim()); // without the sign before it
    header.addEventListener("keydown", (event) => {
      if (KEYS.includes(event.key) && event.target === header) {
        event.preventDefault();
        header.click();
      }
    });
  }
  // What a parameter means stands below it too: a phone shows no tool tips
  for (const field of root.querySelectorAll(".pl-field:not(:has(> .pl-hint))")) {
    const text = field.querySelector("[title*='. Allowed: ']")?.title.split(". Allowed: ")[0];
    if (!text) continue;
    const hint = document.createElement("div");
    hint.className = "pl-hint";
    hint.textContent = text;
    field.append(hint);
  }
  for (const line of root.querySelectorAll(".pl-status-line:not([role])")) {
    line.setAttribute("role", "status");
    line.setAttribute("aria-live", "polite");
  }
  for (const bar of root.querySelectorAll(".widget-progress .progress:not([role])")) {
    bar.setAttribute("role", "progressbar");
    bar.setAttribute("aria-label", "Progress");
  }
}

function watch() {
  if (window.particlelabWatches) return;
  window.particlelabWatches = true;
  let planned = false;
  const plan = () => {
    if (planned) return;
    planned = true;
    setTimeout(() => {
      planned = false;
      document.querySelectorAll(".pl-dashboard").forEach(improve);
    }, 100);
  };
  new MutationObserver(plan).observe(document.body, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ["class"],
  });
  plan();
}

// ipywidgets 8.1 passes messages of the page's layout on to a view that is gone, which throws: nobody is there to be told
async function mendLateMessages(model) {
  const itself = await model.widget_manager.get_model(model.get("itself"));
  const view = await Object.values(itself.views ?? {})[0];
  const holder = view?.luminoWidget && Object.getPrototypeOf(view.luminoWidget);
  if (!holder || holder.particlelabMended) return;
  const process = holder.processMessage;
  holder.particlelabMended = true;
  holder.processMessage = function (message) {
    if (!this.isDisposed) process.call(this, message);
  };
}

function render({ model, el }) {
  el.style.display = "none";
  watch();
  mendLateMessages(model);
}

export default { render };
