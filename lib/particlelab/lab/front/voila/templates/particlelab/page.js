(() => {
  const heading = document.querySelector("#rendered_cells h1");
  if (heading) document.title = `${heading.firstChild.textContent.trim()} · Particle Lab`;

  // Say so when the kernel behind the page is gone, instead of controls that no longer answer
  const config = JSON.parse(document.getElementById("jupyter-config-data").textContent);
  const lost = document.getElementById("page-lost");
  const tell = (text) => {
    lost.hidden = !text;
    lost.querySelector("span").textContent = text;
  };
  const look = async () => {
    let answer;
    try {
      answer = await fetch(`${config.baseUrl}api/kernels/${config.kernelId}`, { cache: "no-store" });
    } catch {
      tell("The server does not answer; the controls below have no effect.");
      return;
    }
    if (answer.ok) {
      tell("");
    } else {
      clearInterval(timer);
      removeEventListener("focus", look);
      tell("This page was idle for too long or its computation failed; the controls below have no effect.");
    }
  };
  const timer = setInterval(look, 15000);
  addEventListener("focus", look);
})();
