"""One spectrum of a generator, and the measurement that is nearest to it: does it copy?"""

from typing import Literal, NamedTuple

from particlelab.parameters import Parameters, parameter
from particlelab.randomness import generator
from particlelab.sedimentation.boundaries import estimate_s
from particlelab.sedimentation.generation_studies import Nearest, find_generator, model_name, neighbours_in
from particlelab.sedimentation.generators import KINDS, load_generator
from particlelab.sedimentation.spectra import Spectrum


class OneDrawing(Parameters):
    """Which generator draws what."""

    dataset: Literal["LUM", "LFG"] = parameter("LUM", "What the generator learned from")
    kind: Literal["spectrum", "cvae-wgan-div", "cwgan-div", "physical"] = parameter("spectrum", "Kind of generator")
    class_name: Literal["sedimentation", "creaming", "combined", "other"] = parameter(
        "sedimentation", "Class that is asked for, of LUM"
    )
    s_svedberg: float = parameter(
        15_625.0, "Sedimentation coefficient that is asked for, of LFG", unit="S", low=0, high=100_000
    )
    seed: int = parameter(0, "Seed", low=0, high=10_000)


class Drawn(NamedTuple):
    """A spectrum, and the measurement of the training that it is nearest to."""

    spectrum: Spectrum
    measured: Spectrum
    nearest: Nearest
    s_read: float  # S, of LFG by the second moment of the boundary; NaN otherwise


def draw_one(parameters):
    """Draw a spectrum, and find the nearest measurement.

    Parameters
    ----------
    parameters : OneDrawing

    Returns
    -------
    Drawn
    """
    p = parameters
    condition = p.class_name if p.dataset == "LUM" else p.s_svedberg
    made = _generator(p)
    spectrum = made.sample(condition, 1, generator(p.seed, "one drawing"))[0]
    neighbours = neighbours_in(p.dataset)
    nearest = neighbours.find(spectrum)
    s_read = estimate_s(spectrum).s if p.dataset == "LFG" else float("nan")
    return Drawn(spectrum, neighbours.spectra[nearest.index], nearest, s_read)


def tell_drawn(parameters, drawn):
    """Return in a sentence what was drawn."""
    asked = drawn.spectrum.label if isinstance(drawn.spectrum.label, str) else f"{drawn.spectrum.label:g} S"
    read = "" if drawn.s_read != drawn.s_read else f", read back {drawn.s_read:.0f} S"
    times = drawn.nearest.distance / drawn.nearest.usual
    label = drawn.measured.label
    near = label if isinstance(label, str) else f"{label:g} S"
    return (
        f"{KINDS[parameters.kind].title}: {asked}{read}. The nearest measurement ({near}) is {times:.1f} times as far "
        "away as measurements usually are from their nearest."
    )


def _generator(p):
    if p.kind != "physical":
        return load_generator(model_name(p.kind, p.dataset))
    return _physics(p.dataset)


def _physics(dataset):
    from particlelab.sedimentation.generation_studies import GenerationStudy

    return find_generator(dataset, "physical", "grey", GenerationStudy())
