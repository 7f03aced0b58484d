"""What all figures of diffusion share: colours and names of methods, and where a legend stands."""

from typing import NamedTuple

from particlelab.drawing import BLACK, BLUE, BROWN, GREEN, ORANGE, PINK, RED, SKY


class Style(NamedTuple):
    """How a method is shown, wherever it is."""

    label: str
    colour: str
    symbol: str


QUIET = "#8a939c"  # of what is no measurement: bounds, bands, the truth
METHODS = {
    "msd": Style("MSD", ORANGE, "square"),
    "cve": Style("Covariance (CVE)", GREEN, "diamond"),
    "mle": Style("Maximum likelihood", BLUE, "circle"),
    "default": Style("Network", RED, "star"),
    "general": Style("General network", BROWN, "hexagram"),
    "document": Style("As in the document", PINK, "triangle-up"),
    "centroid": Style("Centre of gravity", SKY, "diamond"),
    "radial": Style("Radial symmetry", BROWN, "square"),
}
OTHERS = ((SKY, "pentagon"), (BROWN, "hexagon"), (BLACK, "x"))
BELOW = {"orientation": "h", "x": 0.5, "xanchor": "center", "yref": "container", "y": 0, "yanchor": "bottom"}
TRUE_D = "True D / (µm²/s)"


def styles(names):
    """Return the `Style` of each method, a dict by name; the n-th one without its own gets the n-th of `OTHERS`."""
    others = [name for name in dict.fromkeys(names) if name not in METHODS]
    cycled = {name: Style(name, *OTHERS[number % len(OTHERS)]) for number, name in enumerate(others)}
    return {name: METHODS.get(name) or cycled[name] for name in dict.fromkeys(names)}
