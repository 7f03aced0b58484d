"""What all figures of diffusion share: colours and names of methods, axes, and where a legend stands."""

from typing import NamedTuple


class Style(NamedTuple):
    """How a method is shown, wherever it is."""

    label: str
    colour: str
    symbol: str


# Okabe and Ito's palette
BLUE, ORANGE, GREEN, PINK, SKY, RED, BROWN = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C6D31",
)  # fmt: skip
QUIET = "#8a939c"  # of what is no measurement: bounds, bands, the truth
METHODS = {
    "msd": Style("MSD", ORANGE, "square"),
    "cve": Style("Covariance (CVE)", GREEN, "diamond"),
    "mle": Style("Maximum likelihood", BLUE, "circle"),
    "default": Style("Network", RED, "star"),
    "document": Style("As in the document", PINK, "triangle-up"),
    "centroid": Style("Centre of gravity", SKY, "diamond"),
    "radial": Style("Radial symmetry", BROWN, "square"),
}
OTHERS = ((SKY, "pentagon"), (BROWN, "hexagon"), ("#000000", "x"))
BELOW = {"orientation": "h", "x": 0.5, "xanchor": "center", "yref": "container", "y": 0, "yanchor": "bottom"}
LOG = {"type": "log", "dtick": "D2", "minorloglabels": "complete"}  # ticks at 1, 2 and 5, all written out
TRUE_D = "True D / (µm²/s)"


def styles(names):
    """Return the `Style` of each method, a dict by name; the n-th one without its own gets the n-th of `OTHERS`."""
    others = [name for name in dict.fromkeys(names) if name not in METHODS]
    cycled = {name: Style(name, *OTHERS[number % len(OTHERS)]) for number, name in enumerate(others)}
    return {name: METHODS.get(name) or cycled[name] for name in dict.fromkeys(names)}
