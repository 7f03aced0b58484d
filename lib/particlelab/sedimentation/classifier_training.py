"""Training of the networks that judge spectra (IPMT report, AP2.5, AP3.3.d), and their fine-tuning.

The class is told by a network that has seen the rare classes as often as the frequent ones, if ``balance`` is 1. No
batch shows a measurement as it is: the camera's light, its noise, the ends of the liquid and the time at which the
measurement was ended vary, which change no class. Of a coefficient only light and noise vary, since a front that is
elsewhere at another time has another.
"""

import copy
from typing import Literal

import numpy as np

from particlelab.learning.digests import digest
from particlelab.parameters import Parameters, parameter
from particlelab.randomness import check_rng, generator
from particlelab.sedimentation.classifier import LARGEST_S, Classifier, Regressor, build_network, see
from particlelab.sedimentation.spectra import CLASSES, check_spectrum

MIRRORED = {"sedimentation": "creaming", "creaming": "sedimentation"}
NEAR = 0.005  # of the largest coefficient: nearer, the loss is square, farther linear
SETTLING = 32  # batches by which the normalisation is set after a training
CHANGED = ("iterations", "learning_rate")  # what a fine-tuning does otherwise by default


class _Training(Parameters):
    """What both trainings have."""

    picture: Literal["grey", "sep"] = parameter("grey", "What the network sees: grey image or SEP image")
    size_px: int = parameter(64, "Edge of the picture; 512 in the document", unit="px", low=16, high=1024)
    width: int = parameter(16, "Channels of the first level; 64 is ResNet34 as the document has it", low=4, high=256)
    iterations: int = parameter(1500, "Iterations", low=1, high=10_000_000)
    batch: int = parameter(32, "Spectra in an iteration", low=2, high=4096)
    learning_rate: float = parameter(3e-3, "Highest learning rate", above=0, high=1)
    weight_decay: float = parameter(0.02, "Weight decay", low=0, high=1)
    noise: float = parameter(0.02, "Noise that is added to the transmission, at most", low=0, high=1)
    light: float = parameter(0.05, "The light is so much brighter or dimmer at most, as a share", low=0, below=1)


class ClassifierTraining(_Training):
    """How a classifier learns."""

    balance: float = parameter(1.0, "0: classes are drawn as often as they are; 1: all equally often", low=0, high=1)
    crop: float = parameter(0.04, "Share of the radii that is cut off at most, at either end", low=0, high=0.4)
    end: float = parameter(0.3, "Share of the times that is cut off at most, at the end", low=0, high=0.9)
    mirror: bool = parameter(False, "Show every second spectrum upside down: creaming for sedimentation")
    smoothing: float = parameter(0.05, "Share of a label that is spread over all classes", low=0, below=1)


class RegressorTraining(_Training):
    """How a regressor of the sedimentation coefficient learns."""

    size_px: int = parameter(128, "Edge of the picture; 512 in the document", unit="px", low=16, high=1024)
    light: float = parameter(0.01, "The light is so much brighter or dimmer at most, as a share", low=0, below=1)
    noise: float = parameter(0.01, "Noise that is added to the transmission, at most", low=0, high=1)
    weight_decay: float = parameter(0.01, "Weight decay", low=0, high=1)


def train_classifier(spectra, parameters=None, rng=None, *, start=None, folder=None, progress=None):
    """Train a network to tell the class of a spectrum.

    Parameters
    ----------
    spectra : sequence of Spectrum
        With a class as label.
    parameters : ClassifierTraining, optional
    rng : numpy.random.Generator
        Gives the seed of the first weights and of the batches.
    start : Classifier, optional
        Whose weights the training goes on from; picture, size and width are then its own.
    folder : path, optional
        For checkpoints: a training that was killed goes on from the last one, if all else is the same.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    Classifier
        With a table ``history`` of the training: ``iteration``, ``loss``, ``learning_rate``.

    Raises
    ------
    ValueError
        If a label is no class, fewer than two classes are there, parameters or start are of another kind, or rng is no
        Generator.
    """
    p = _check(parameters, ClassifierTraining, start, Classifier)
    labels = [spectrum.label for spectrum in spectra]
    if unknown := [label for label in labels if label not in CLASSES]:
        raise ValueError(f"a label must be one of {', '.join(CLASSES)}, got {unknown[0]!r}")
    if len(set(labels)) < 2:
        raise ValueError(f"spectra must be of 2 classes at least, got {len(spectra)} of {len(set(labels))}")
    classes = np.array([CLASSES.index(label) for label in labels])
    counts = np.bincount(classes, minlength=len(CLASSES))
    chances = counts[classes] ** -p.balance
    learned = {name: int(count) for name, count in zip(CLASSES, counts, strict=True) if count}
    entry = {"tells": Classifier.tells, "outputs": len(CLASSES)}
    return _train(Classifier, spectra, chances, p, entry, learned, rng, start, folder, progress)


def train_regressor(spectra, parameters=None, rng=None, *, start=None, folder=None, progress=None):
    """Train a network to tell the sedimentation coefficient of a spectrum.

    Parameters
    ----------
    spectra : sequence of Spectrum
        With a coefficient (S) as label, between -1e6 and 1e6.
    parameters : RegressorTraining, optional
    rng, start, folder, progress
        As for `train_classifier`; ``start`` is a `Regressor`.

    Returns
    -------
    Regressor

    Raises
    ------
    ValueError
        If a label is no such number, there are fewer than two spectra, parameters or start are of another kind, or rng
        is no Generator.
    """
    p = _check(parameters, RegressorTraining, start, Regressor)
    for spectrum in spectra:
        if isinstance(spectrum.label, str) or spectrum.label is None or not abs(spectrum.label) <= 10 * LARGEST_S:
            raise ValueError(f"a label must be a coefficient of at most {10 * LARGEST_S:g} S, got {spectrum.label!r}")
    if len(spectra) < 2:
        raise ValueError(f"at least 2 spectra are needed, got {len(spectra)}")
    s = [float(spectrum.label) for spectrum in spectra]
    learned = {"spectra": len(s), "smallest coefficient, S": min(s), "largest coefficient, S": max(s)}
    entry = {"tells": Regressor.tells, "outputs": 1}
    reader = _train(Regressor, spectra, np.ones(len(s)), p, entry, learned, rng, start, folder, progress)
    return _straighten(reader, spectra, np.array(s))


def fine_tune(reader, spectra, parameters=None, rng=None, *, folder=None, progress=None):
    """Go on training a classifier or a regressor on other spectra (IPMT report, AP3.3.d).

    Parameters
    ----------
    reader : Classifier or Regressor
        Stays as it is.
    spectra : sequence of Spectrum
    parameters : ClassifierTraining or RegressorTraining, optional
        By default a third of the usual iterations at a third of the usual learning rate.
    rng, folder, progress
        As for `train_classifier`.

    Returns
    -------
    Classifier or Regressor

    Raises
    ------
    ValueError
        As `train_classifier` or `train_regressor`.
    """
    kinds = {"classes": (ClassifierTraining, train_classifier), "coefficient": (RegressorTraining, train_regressor)}
    kind, train = kinds[reader.tells]
    if parameters is None:
        usual = kind()
        parameters = kind(**{name: type(getattr(usual, name))(getattr(usual, name) / 3) for name in CHANGED})
    return train(spectra, parameters, rng, start=reader, folder=folder, progress=progress)


def hold_out(spectra, share, rng):
    """Divide spectra into those to train on and those to test on: of each class, the same share to test on.

    Parameters
    ----------
    spectra : sequence of Spectrum
        With a class as label.
    share : float
        To test on, between 0 and 1; of each class one at least, if it has two.
    rng : numpy.random.Generator

    Returns
    -------
    learned, tested : list of Spectrum

    Raises
    ------
    ValueError
        If the share is not between 0 and 1, or rng no Generator.
    """
    if not 0 < share < 1:
        raise ValueError(f"share must lie between 0 and 1, got {share!r}")
    tested = np.zeros(len(spectra), bool)
    labels = np.array([str(spectrum.label) for spectrum in spectra])
    rng = check_rng(rng)
    for label in dict.fromkeys(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        tested[members[: min(max(1, round(share * len(members))), len(members) - 1)]] = True
    return _chosen(spectra, ~tested), _chosen(spectra, tested)


def hold_out_every(spectra, every=5):
    """Divide spectra by their coefficients: in ascending order, every fifth to test on, none of the two ends.

    Parameters
    ----------
    spectra : sequence of Spectrum
        With a coefficient as label.
    every : int
        At least 2.

    Returns
    -------
    learned, tested : list of Spectrum

    Raises
    ------
    ValueError
        If ``every`` is below 2.
    """
    if every < 2:
        raise ValueError(f"every must be at least 2, got {every}")
    ordered = sorted(spectra, key=lambda spectrum: spectrum.label)
    tested = np.arange(len(ordered)) % every == every // 2
    tested[-1:] = False
    return _chosen(ordered, ~tested), _chosen(ordered, tested)


def vary(spectrum, parameters, rng):
    """Return a spectrum as another measurement of the same sample might have shown it.

    Parameters
    ----------
    spectrum : Spectrum
    parameters : ClassifierTraining or RegressorTraining
    rng : numpy.random.Generator

    Returns
    -------
    Spectrum
        Transmission in float32.
    """
    p = parameters
    radii, times, values, label = spectrum.radii_mm, spectrum.times_s, spectrum.transmission, spectrum.label
    if isinstance(p, ClassifierTraining):
        ends = (rng.uniform(0, p.crop, 2) * len(radii)).astype(int)
        last = max(2, round(len(times) * (1 - rng.uniform(0, p.end))))
        kept = slice(ends[0], len(radii) - ends[1])
        radii, times, values = radii[kept], times[:last], values[:last, kept]
        if p.mirror and rng.uniform() < 0.5:
            radii, values, label = radii[0] + radii[-1] - radii[::-1], values[:, ::-1], MIRRORED.get(label, label)
    values = np.asarray(values, np.float32) * np.float32(1 + rng.uniform(-p.light, p.light))
    deviation = np.float32(rng.uniform(0, p.noise))
    values = values + deviation * rng.standard_normal(values.shape, np.float32)
    return spectrum._replace(
        radii_mm=radii, times_s=times, transmission=values.clip(-0.5, 2, dtype=np.float32), label=label
    )


def _check(parameters, kind, start, reader):
    p = kind() if parameters is None else parameters
    if not isinstance(p, kind):
        raise ValueError(f"parameters must be a {kind.__name__}, got {p!r}")
    if start is None:
        return p
    if not isinstance(start, reader):
        raise ValueError(f"start must be a {reader.__name__}, got {start!r}")
    return p.replace(**{name: start.card["network"][name] for name in ("picture", "size_px", "width")})


def _chosen(spectra, which):
    return [spectrum for spectrum, chosen in zip(spectra, which, strict=True) if chosen]


def _train(kind, spectra, chances, p, entry, learned, rng, start, folder, progress):
    """Train a network of either kind; ``chances`` say how often each spectrum is drawn."""
    import torch

    from particlelab.learning import training

    seed = int(check_rng(rng).integers(2**31))
    spectra = [check_spectrum(spectrum) for spectrum in spectra]
    entry = entry | {"picture": p.picture, "size_px": p.size_px, "width": p.width}
    if start is None:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = build_network(entry)
    else:
        network = copy.deepcopy(start.network)
    network.train()
    batches = _Batches(spectra, chances / chances.sum(), p, seed)
    before = digest(*(tensor.numpy() for tensor in network.state_dict().values()))
    sort = digest(*(part for spectrum in spectra for part in spectrum[:3]), np.array([str(s.label) for s in spectra]))
    history = training.train(
        network,
        batches,
        _Loss(p),
        training.one_cycle(p),
        iterations=p.iterations,
        seed=seed,
        folder=folder,
        name=f"{p!r}, {seed}, {before}, {sort}",
        progress=progress,
    )
    _settle(network, batches, p.iterations)
    card = {
        "purpose": f"Tells the {kind.tells} of a transmission spectrum from its picture.",
        "network": entry,
        "training": p.model_dump(mode="json") | {"seed": seed},
        "learned from": learned,
        "loss": training.course(history),
    }
    if start is not None:
        card["went on from"] = start.card.get("training", {}) | {"learned from": start.card.get("learned from", {})}
    reader = kind(network, card)
    reader.history = history
    return reader


def _settle(network, batches, begun):
    """Set what batches are normalised by to its mean over some more of them, now that the weights rest.

    The running means of a training lag behind its weights: a regressor would be off by 1 % of its range.
    """
    import torch

    layers = [layer for layer in network.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the plain mean
    network.train()
    with torch.no_grad():
        for n in range(begun, begun + SETTLING):
            network(batches(n)[0])
    for layer in layers:
        layer.momentum = 0.1
    network.eval()


def _straighten(reader, spectra, s):
    """Fit a straight line to what a regressor tells of spectra as they are: it has seen none without further noise."""
    import torch

    told = reader.coefficients(spectra)
    slope, offset = np.polyfit(told, s, 1) if np.ptp(told) > 0 else (1.0, np.mean(s - told))
    with torch.no_grad():
        reader.network.last.weight *= slope
        reader.network.last.bias *= slope
        reader.network.last.bias += offset / LARGEST_S
    return reader


class _Batches:
    """The n-th batch of a training, the same at every call."""

    def __init__(self, spectra, chances, parameters, seed):
        self.spectra, self.chances, self.parameters, self.seed = spectra, chances, parameters, seed

    def __call__(self, n):
        import torch

        p, rng = self.parameters, generator(self.seed, "batch", n)
        chosen = rng.choice(len(self.spectra), p.batch, p=self.chances)
        shown = [vary(self.spectra[k], p, rng) for k in chosen]
        seen = torch.from_numpy(see(shown, p.picture, p.size_px))
        if isinstance(p, ClassifierTraining):
            return seen, torch.tensor([CLASSES.index(spectrum.label) for spectrum in shown])
        return seen, torch.tensor([spectrum.label / LARGEST_S for spectrum in shown], dtype=torch.float32)


class _Loss:
    """What a training makes small: cross entropy, or the error of the coefficient."""

    def __init__(self, parameters):
        self.parameters = parameters

    def __call__(self, network, seen, truth):
        from torch.nn import functional

        told = network(seen)
        if isinstance(self.parameters, ClassifierTraining):
            return functional.cross_entropy(told, truth, label_smoothing=self.parameters.smoothing)
        return functional.smooth_l1_loss(told[:, 0], truth, beta=NEAR) / NEAR
