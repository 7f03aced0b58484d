// The button of downloads.py: asks the kernel for the file and hands it to the browser.
function render({ model, el }) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "jupyter-button pl-button";
  const problem = document.createElement("span");
  problem.className = "pl-error";
  problem.setAttribute("role", "alert");
  el.append(button, problem);

  const name = () => (button.textContent = model.get("label"));
  name();
  model.on("change:label", name);

  button.addEventListener("click", () => {
    button.disabled = true;
    problem.textContent = "";
    model.send({ kind: "ask" });
    setTimeout(() => (button.disabled = false), 15000); // whatever became of the answer
  });

  const answer = (message, buffers) => {
    button.disabled = false;
    if (message.error) {
      problem.textContent = message.error;
      return;
    }
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(buffers, { type: message.kind }));
    link.download = message.name;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  };
  model.on("msg:custom", answer);
  return () => {
    model.off("change:label", name);
    model.off("msg:custom", answer);
  };
}

export default { render };
