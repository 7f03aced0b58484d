// The picture of canvas.py: painted on with strokes, marked with a region, moved and zoomed.
const STEP = 1.4; // of a zoom
const NEAREST = 40; // largest zoom
const KEYS =
  "Keys, once the picture has the focus: arrows move the cross (ten times as far with Shift), Space or Enter begins " +
  "and ends a stroke or a region, Escape gives it up, + and − zoom, 0 shows all, [ and ] change the brush, " +
  "Ctrl+Z takes a stroke back. Ctrl and the wheel, or two fingers, zoom as well.";

function element(kind, style, parent, attributes = {}) {
  const made = document.createElement(kind);
  if (style) made.className = style;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  parent.append(made);
  return made;
}

function button(text, parent, act, attributes = {}) {
  const made = element("button", "pl-button pl-canvas-button", parent, { type: "button", ...attributes });
  made.textContent = text;
  made.addEventListener("click", act);
  return made;
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

function render({ model, el }) {
  el.classList.add("pl-canvas");
  const bar = element("div", "pl-canvas-bar", el, { role: "toolbar", "aria-label": "Tools" });
  const view = element("div", "pl-canvas-view", el, { tabindex: 0, role: "application" });
  const stage = element("div", "pl-canvas-stage", view);
  const picture = element("img", "pl-canvas-picture", stage, { alt: "", draggable: "false" });
  const masks = element("div", "pl-canvas-masks", stage);
  const paint = element("canvas", "pl-canvas-paint", stage, { "aria-hidden": "true" });
  const frame = element("div", "pl-canvas-region", stage);
  const pen = element("div", "pl-canvas-pen", stage);
  const legend = element("div", "pl-canvas-legend", el);
  const said = element("div", "pl-canvas-said", el, { role: "status", "aria-live": "polite" });
  const help = element("details", "pl-canvas-help", el);
  element("summary", "", help).textContent = "Keys and gestures";
  const keys = element("p", "", help, { id: `pl-keys-${Math.random().toString(36).slice(2)}` });
  keys.textContent = KEYS;
  view.setAttribute("aria-describedby", keys.id);

  let width, height; // of the image, in its pixels
  let scale = 1; // pixels of the screen for one of the image
  let zoom = 1;
  let centre = { x: 0, y: 0 }; // the point of the image in the middle of the view
  let cross = { x: 0, y: 0 }; // where the keyboard draws
  let begun = null; // the stroke or the corner of a region that is being drawn
  let history = []; // strokes as they were before each change
  let own = null; // the strokes that came from here last
  const fingers = new Map();
  const hidden = new Set(); // names of masks that are not to be seen

  // Tools
  const tools = [{ name: "Move", hint: "Move the picture" }];
  if (model.get("takes_region")) tools.push({ name: "Region", region: true, hint: "Drag a rectangle" });
  model.get("classes").forEach(({ name, colour }, i) => tools.push({ name, colour, kind: i + 1, hint: `Paint ${name}` }));
  const paints = model.get("classes").length > 0;
  if (paints) tools.push({ name: "Eraser", kind: 0, hint: "Erase what was painted" });
  let tool = tools[1] ?? tools[0];
  const choices = element("div", "pl-canvas-group", bar, { role: "group", "aria-label": "Tool" });
  for (const one of tools) {
    one.button = button(one.name, choices, () => choose(one), { title: one.hint });
    if (one.colour) one.button.prepend(Object.assign(document.createElement("span"), { className: "pl-canvas-dot" }));
    one.button.style.setProperty("--colour", one.colour ?? "transparent");
  }
  let size = { value: model.get("brush_px") };
  if (paints) {
    const field = element("label", "pl-canvas-size", bar);
    field.append("Brush ");
    size = element("input", "", field, { type: "range", min: 1, max: 100, "aria-label": "Brush width in pixels" });
    size.value = model.get("brush_px");
    const shown = element("output", "", field);
    const tell = () => (shown.textContent = `${size.value} px`);
    size.addEventListener("input", tell);
    size.addEventListener("input", () => drawPen());
    tell();
    const edits = element("div", "pl-canvas-group", bar, { role: "group", "aria-label": "Strokes" });
    button("Undo", edits, undo, { title: "Take the last stroke back" });
    button("Clear", edits, () => commit([]), { title: "Take all strokes away" });
  }
  const zooms = element("div", "pl-canvas-group", bar, { role: "group", "aria-label": "Zoom" });
  button("−", zooms, () => zoomBy(1 / STEP), { "aria-label": "Zoom out", title: "Zoom out" });
  button("+", zooms, () => zoomBy(STEP), { "aria-label": "Zoom in", title: "Zoom in" });
  button("All", zooms, () => zoomBy(1 / zoom), { "aria-label": "Show the whole picture", title: "Show all of it" });

  function choose(one) {
    drop();
    tool = one;
    for (const other of tools) other.button.setAttribute("aria-pressed", String(other === tool));
    view.dataset.tool = tool.kind !== undefined ? "paint" : tool.region ? "region" : "move";
    place();
  }

  // Where things are
  function place() {
    const [roomX, roomY] = [view.clientWidth, view.clientHeight];
    if (!roomX || !roomY) return;
    scale = zoom * Math.min(roomX / width, roomY / height);
    const keep = (point, length, room) =>
      length * scale <= room ? length / 2 : clamp(point, room / 2 / scale, length - room / 2 / scale);
    centre = { x: keep(centre.x, width, roomX), y: keep(centre.y, height, roomY) };
    Object.assign(stage.style, {
      width: `${width * scale}px`,
      height: `${height * scale}px`,
      left: `${roomX / 2 - centre.x * scale}px`,
      top: `${roomY / 2 - centre.y * scale}px`,
    });
    picture.style.imageRendering = scale > 3 ? "pixelated" : "auto";
    // A finger on a picture that shows all of itself scrolls the page
    view.style.touchAction = zoom < 1.01 && view.dataset.tool === "move" ? "pan-y" : "none";
    drawPen();
  }

  function zoomBy(factor, x, y) {
    const box = view.getBoundingClientRect();
    const [dx, dy] = x === undefined ? [0, 0] : [x - box.left - box.width / 2, y - box.top - box.height / 2];
    const fixed = { x: centre.x + dx / scale, y: centre.y + dy / scale };
    const before = zoom;
    zoom = clamp(zoom * factor, 1, NEAREST);
    const after = (scale * zoom) / before;
    centre = { x: fixed.x - dx / after, y: fixed.y - dy / after };
    place();
  }

  function moveBy(dx, dy) {
    centre = { x: centre.x - dx / scale, y: centre.y - dy / scale };
    place();
  }

  function at(event) {
    const box = stage.getBoundingClientRect();
    const [x, y] = [(event.clientX - box.left) / scale, (event.clientY - box.top) / scale];
    return { x: clamp(x, 0, width), y: clamp(y, 0, height) };
  }

  // What is drawn
  function begin(point) {
    if (tool.region) begun = { from: point, to: point };
    else if (tool.kind !== undefined) begun = { stroke: { class: tool.kind, width: Number(size.value), points: [] } };
    extend(point);
  }

  function extend(point) {
    if (begun?.stroke) {
      const { points, width: brush } = begun.stroke;
      const [x, y] = points.slice(-2);
      if (points.length && Math.hypot(point.x - x, point.y - y) < Math.max(0.5, brush / 8)) return;
      points.push(Math.round(point.x * 10) / 10, Math.round(point.y * 10) / 10);
      drawStrokes();
    } else if (begun) {
      begun.to = point;
      drawRegion(boxOf(begun));
    }
  }

  function end() {
    const done = begun;
    begun = null;
    if (done?.stroke) commit([...model.get("strokes"), done.stroke]);
    else if (done) setRegion(boxOf(done));
  }

  function drop() {
    begun = null;
    if (width) drawStrokes();
    drawRegion(model.get("region"));
  }

  function boxOf({ from, to }) {
    const [left, right] = [Math.floor(Math.min(from.x, to.x)), Math.ceil(Math.max(from.x, to.x))];
    const [top, bottom] = [Math.floor(Math.min(from.y, to.y)), Math.ceil(Math.max(from.y, to.y))];
    return right - left > 2 && bottom - top > 2 ? [top, left, bottom, right] : []; // a click chooses nothing
  }

  function setRegion(region) {
    model.set("region", region);
    model.save_changes();
    drawRegion(region);
    const [top, left, bottom, right] = region;
    say(region.length ? `Region: rows ${top} to ${bottom}, columns ${left} to ${right}` : "No region");
  }

  function commit(strokes) {
    history.push(model.get("strokes"));
    put(strokes);
  }

  function undo() {
    if (history.length) put(history.pop());
  }

  function put(strokes) {
    own = strokes;
    model.set("strokes", strokes);
    model.save_changes();
    drawStrokes();
    say(`${strokes.length} ${strokes.length === 1 ? "stroke" : "strokes"}`);
  }

  function say(text) {
    said.textContent = text;
  }

  function drawStrokes() {
    const context = paint.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, paint.width, paint.height);
    context.setTransform(paint.width / width, 0, 0, paint.height / height, 0, 0);
    context.lineCap = context.lineJoin = "round";
    const colours = model.get("classes");
    for (const stroke of [...model.get("strokes"), ...(begun?.stroke ? [begun.stroke] : [])]) {
      context.globalCompositeOperation = stroke.class ? "source-over" : "destination-out";
      context.strokeStyle = stroke.class ? colours[stroke.class - 1].colour : "#000";
      context.lineWidth = stroke.width;
      context.beginPath();
      context.moveTo(stroke.points[0], stroke.points[1]);
      for (let i = 0; i < stroke.points.length; i += 2) context.lineTo(stroke.points[i], stroke.points[i + 1]);
      context.stroke();
    }
  }

  function drawRegion([top, left, bottom, right]) {
    frame.hidden = top === undefined;
    if (frame.hidden) return;
    const share = (length, whole) => `${(100 * length) / whole}%`;
    frame.style.inset = [share(top, height), share(width - right, width), share(height - bottom, height)]
      .concat(share(left, width)).join(" ");
  }

  function drawPen() {
    const brush = tool.kind === undefined ? 0 : Number(size.value) * scale;
    pen.classList.toggle("pl-canvas-cross", brush < 6);
    const edge = Math.max(brush, 16);
    Object.assign(pen.style, {
      width: `${edge}px`,
      height: `${edge}px`,
      left: `${cross.x * scale - edge / 2}px`,
      top: `${cross.y * scale - edge / 2}px`,
    });
  }

  // Mouse, pen and fingers: one draws, two move and zoom
  view.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    view.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, event);
    if (fingers.size > 1) drop();
    else begin(at(event));
  });
  view.addEventListener("pointermove", (event) => {
    cross = at(event);
    drawPen();
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const other = [...fingers.values()].find((finger) => finger.pointerId !== event.pointerId);
    fingers.set(event.pointerId, event);
    if (other) {
      const apart = (finger) => Math.hypot(finger.clientX - other.clientX, finger.clientY - other.clientY) || 1;
      moveBy((event.clientX - before.clientX) / 2, (event.clientY - before.clientY) / 2);
      zoomBy(apart(event) / apart(before), (event.clientX + other.clientX) / 2, (event.clientY + other.clientY) / 2);
    } else if (view.dataset.tool === "move") {
      moveBy(event.clientX - before.clientX, event.clientY - before.clientY);
    } else {
      for (const part of event.getCoalescedEvents?.() ?? [event]) extend(at(part));
      extend(at(event));
    }
  });
  view.addEventListener("pointerup", (event) => {
    fingers.delete(event.pointerId);
    if (!fingers.size) end();
  });
  view.addEventListener("pointercancel", (event) => {
    fingers.delete(event.pointerId);
    drop();
  });
  view.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey) return; // otherwise the page scrolls
      event.preventDefault();
      zoomBy(Math.exp(-event.deltaY / 300), event.clientX, event.clientY);
    },
    { passive: false }
  );

  // Keyboard
  const go = (event, dx, dy) => {
    const far = (event.shiftKey ? 10 : 1) * Math.max(1, Math.round(8 / scale));
    if (view.dataset.tool === "move") return moveBy(-dx * far * scale, -dy * far * scale);
    cross = { x: clamp(cross.x + dx * far, 0, width), y: clamp(cross.y + dy * far, 0, height) };
    if (zoom > 1) centre = { ...cross };
    place();
    extend(cross);
  };
  const resize = (by) => {
    size.value = Number(size.value) + by;
    if (paints) size.dispatchEvent(new Event("input"));
  };
  const turn = () => (begun ? end() : begin(cross));
  const acts = {
    ArrowLeft: (event) => go(event, -1, 0),
    ArrowRight: (event) => go(event, 1, 0),
    ArrowUp: (event) => go(event, 0, -1),
    ArrowDown: (event) => go(event, 0, 1),
    " ": turn,
    Enter: turn,
    Escape: () => (begun ? drop() : model.get("region").length && setRegion([])),
    "+": () => zoomBy(STEP),
    "=": () => zoomBy(STEP),
    "-": () => zoomBy(1 / STEP),
    0: () => zoomBy(1 / zoom),
    "[": () => resize(-2),
    "]": () => resize(2),
  };
  view.addEventListener("keydown", (event) => {
    const act = event.ctrlKey || event.metaKey ? event.key === "z" && paints && undo : acts[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation(); // JupyterLab has keys of its own
    act(event);
  });

  // What the kernel shows
  function address(bytes) {
    return URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
  }
  function showPicture() {
    [width, height] = [model.get("width"), model.get("height")];
    view.style.setProperty("--ratio", width / height);
    URL.revokeObjectURL(picture.src);
    picture.src = address(model.get("picture"));
    const sharp = Math.min(1, 1600 / Math.max(width, height));
    [paint.width, paint.height] = [Math.ceil(width * sharp), Math.ceil(height * sharp)];
    [zoom, centre, cross] = [1, { x: width / 2, y: height / 2 }, { x: width / 2, y: height / 2 }];
    history = [];
    choose(tool);
  }
  function showStrokes() {
    if (model.get("strokes") !== own) history = [];
    drawStrokes();
  }
  async function showMasks() {
    const overlays = model.get("overlays");
    const made = overlays.map(({ name, picture: bytes }) => {
      const mask = Object.assign(new Image(), { src: address(bytes), alt: "", draggable: false });
      mask.dataset.name = name;
      mask.hidden = hidden.has(name);
      return mask;
    });
    await Promise.all(made.map((mask) => mask.decode().catch(() => {}))); // so that nothing flickers
    if (model.get("overlays") !== overlays) return; // newer ones are there
    for (const old of masks.children) URL.revokeObjectURL(old.src);
    masks.replaceChildren(...made);
    const names = overlays.map(({ name }) => name).join("|");
    if (legend.dataset.names === names) return;
    legend.dataset.names = names;
    legend.replaceChildren();
    for (const { name, colour } of overlays) {
      const field = element("label", "", legend);
      const shown = element("input", "", field, { type: "checkbox" });
      shown.checked = !hidden.has(name);
      shown.addEventListener("change", () => {
        shown.checked ? hidden.delete(name) : hidden.add(name);
        for (const mask of masks.children) mask.hidden = hidden.has(mask.dataset.name);
      });
      element("span", "pl-canvas-dot", field).style.setProperty("--colour", colour);
      field.append(name);
    }
  }
  const showRegion = () => drawRegion(model.get("region"));
  const name = () => view.setAttribute("aria-label", model.get("label"));
  const shows = { label: name, picture: showPicture, strokes: showStrokes, overlays: showMasks, region: showRegion };
  for (const [trait, show] of Object.entries(shows)) {
    model.on(`change:${trait}`, show);
    show();
  }
  const sizes = new ResizeObserver(place);
  sizes.observe(view);
  return () => {
    sizes.disconnect();
    for (const [trait, show] of Object.entries(shows)) model.off(`change:${trait}`, show);
    for (const image of el.querySelectorAll("img")) URL.revokeObjectURL(image.src);
  };
}

export default { render };
