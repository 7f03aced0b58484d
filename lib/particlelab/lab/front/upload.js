// The field of uploads.py: sends a chosen or dropped file to the kernel in pieces.
const PIECE = 2 * 1024 * 1024;
const ALSO = { jpg: "jpeg", tif: "tiff" }; // one name is enough to read

function render({ model, el }) {
  const kinds = model.get("kinds");
  const most = model.get("max_bytes");
  el.innerHTML = `
    <label class="pl-upload">
      <span class="pl-upload-text"></span>
      <input type="file">
      <span class="pl-button" aria-hidden="true">Choose or drop a file</span>
      <span class="pl-upload-hint"></span>
      <span class="pl-upload-state" role="status" aria-live="polite"></span>
    </label>
    <div class="pl-error" role="alert"></div>`;
  const [field, input, state, problem] = ["label", "input", ".pl-upload-state", ".pl-error"].map((s) =>
    el.querySelector(s)
  );
  el.querySelector(".pl-upload-text").textContent = model.get("text");
  el.querySelector(".pl-upload-hint").textContent =
    `${kinds.filter((k) => !(ALSO[k] && kinds.includes(ALSO[k]))).map((k) => k.toUpperCase()).join(", ")}; at most ${most / 1e6} MB. Stays in this session.`;
  input.accept = kinds.map((k) => "." + k).join(",");

  let file = null;
  let sent = -1; // offset of the piece that waits for its answer
  let timer = 0;

  // A message that is not answered in time is sent again: the kernel ignores what it has already
  const send = (message, buffers = [], tries = 6) => {
    clearTimeout(timer);
    if (tries === 0) {
      problem.textContent = "The kernel does not answer; please reload the page.";
      return;
    }
    model.send(message, undefined, buffers);
    timer = setTimeout(() => send(message, buffers, tries - 1), 5000);
  };
  const begin = (chosen) => {
    if (!chosen) return;
    file = chosen;
    sent = -1;
    problem.textContent = "";
    if (file.size > most) {
      problem.textContent = `${file.name} has ${(file.size / 1e6).toFixed(1)} MB; at most ${most / 1e6} MB are allowed.`;
      return;
    }
    state.textContent = `Sending ${file.name} …`;
    send({ kind: "begin", name: file.name, size: file.size });
  };
  const answer = async (message) => {
    if (message.complete) {
      clearTimeout(timer);
      state.textContent = model.get("received");
      input.value = ""; // so that the same file can be chosen again
    } else if (file && message.next > sent) {
      const offset = (sent = message.next);
      const piece = await file.slice(offset, offset + PIECE).arrayBuffer();
      state.textContent = `Sending ${file.name}: ${Math.round((100 * offset) / file.size)} %`;
      send({ kind: "piece", offset }, [piece]);
    }
  };
  const show = () => {
    problem.textContent = model.get("error");
    state.textContent = model.get("received");
  };

  input.addEventListener("change", () => begin(input.files[0]));
  field.addEventListener("dragover", (event) => event.preventDefault());
  field.addEventListener("drop", (event) => {
    event.preventDefault();
    begin(event.dataTransfer.files[0]);
  });
  model.on("msg:custom", answer);
  model.on("change:error", show);
  model.on("change:received", show);
  show();
  return () => {
    clearTimeout(timer);
    model.off("msg:custom", answer);
    model.off("change:error", show);
    model.off("change:received", show);
  };
}

export default { render };
