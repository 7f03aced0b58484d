const button = document.getElementById("code");
button.addEventListener("click", () => {
  const show = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", show);
  button.textContent = show ? "Hide code" : "Show code";
  for (const cell of document.querySelectorAll("details.code")) cell.open = show;
});

const draw = (place) => {
  if (place.dataset.drawn) return;
  place.dataset.drawn = "yes";
  Plotly.newPlot(place, JSON.parse(place.querySelector("script").textContent));
};
const figures = [...document.querySelectorAll(".figure")];
const watch = new IntersectionObserver(
  (seen) => seen.filter((item) => item.isIntersecting).forEach((item) => draw(item.target)),
  { rootMargin: "100%" },
);
figures.forEach((place) => watch.observe(place));
addEventListener("beforeprint", () => figures.forEach(draw));
