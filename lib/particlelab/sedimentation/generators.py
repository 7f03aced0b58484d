"""Generators of transmission spectra: what can be trained, and a trained one as one uses it (IPMT report, AP2.3)."""

from typing import Literal, NamedTuple

import numpy as np
from pydantic import model_validator

from particlelab.learning.models import half_precision, load_trained, save_model
from particlelab.parameters import Parameters, parameter
from particlelab.randomness import check_rng
from particlelab.sedimentation.common_axes import Axes, add_noise, choose_places, shares
from particlelab.sedimentation.conditions import Conditions
from particlelab.sedimentation.one_spectrum import simulate_one
from particlelab.sedimentation.pictures import from_grey_image, grey_image
from particlelab.sedimentation.spectra import RANGE, Spectrum

TOGETHER = 32  # pictures that are drawn at once
NO_SPECTRA = (
    "{} was trained on SEP pictures: it draws pictures (draw), and no spectrum can be had from them, since lines of "
    "profiles hide one another and the background is drawn with them (IPMT report, figure 13); "
    "train with picture='grey'"
)


class Kind(NamedTuple):
    """A kind of generator."""

    title: str
    conditional: bool
    document: bool  # whether the report has it
    settings: dict  # what is otherwise than the defaults of `Generation`


_CRITIC = {"learning_rate": 2e-4, "critic_steps": 2}
KINDS = {
    "gan": Kind("GAN", False, True, {"critic_steps": 1, "learning_rate": 2e-4}),
    "wgan": Kind("WGAN", False, True, {"critic_steps": 5, "learning_rate": 1e-4}),
    "cwgan-gp": Kind("cWGAN-GP", True, True, _CRITIC),
    "cwgan-div": Kind("cWGAN-DIV", True, True, _CRITIC),
    "cvae": Kind("cVAE", True, True, {"learning_rate": 2e-3}),
    "cvae-wgan-div": Kind("cVAE-WGAN-DIV", True, True, _CRITIC | {"critic_steps": 1, "learning_rate": 4e-4}),
    "lstm-ae": Kind("LSTM-AE", True, True, {"learning_rate": 5e-3, "latent": 16, "channels": 48, "batch": 8}),
    "flow": Kind("Flow matching", True, False, {"learning_rate": 2e-3, "channels": 24}),
    "spectrum": Kind("Moving boundaries", True, False, {"learning_rate": 3e-3, "latent": 16, "kl_weight": 1e-4}),
    "physical": Kind("Physics", True, False, {}),
}
SEP_KINDS = ("gan", "wgan", "cwgan-gp", "cwgan-div")
PHYSICAL_KINDS = (*SEP_KINDS, "cvae", "cvae-wgan-div")  # that can be told that nothing runs backwards


class Generation(Parameters):
    """How a generator is trained; what a kind needs otherwise is set by `generation_settings`."""

    picture: Literal["grey", "sep"] = parameter("grey", "Pictures it learns from; SEP pictures give no spectra")
    size_px: int = parameter(64, "Edge of a picture, a power of 2; 512 in the document", unit="px", low=16, high=1024)
    latent: int = parameter(64, "Numbers of the noise vector, or of a code", low=0, high=4096)
    channels: int = parameter(8, "Channels at the full size, or width of an LSTM", low=1, high=1024)
    most_channels: int = parameter(64, "Most channels at a smaller size", low=1, high=4096)
    fronts: int = parameter(12, "Moving boundaries of a spectrum", low=1, high=256)
    edges: int = parameter(8, "Edges in it that stand still, such as the meniscus", low=0, high=256)
    steep: float = parameter(
        0.0,
        "Share of the radii at which it is compared that lie where a profile is steep; the others anywhere",
        low=0,
        high=1,
    )
    width: int = parameter(128, "Width of the layers that move them", low=1, high=4096)
    iterations: int = parameter(1500, "Iterations; for critics, turns of either side", low=1, high=10_000_000)
    batch: int = parameter(16, "Spectra in an iteration", low=2, high=4096)
    learning_rate: float = parameter(2e-4, "Learning rate, or its highest value", above=0, high=1)
    weight_decay: float = parameter(1e-4, "Weight decay, where there is no critic", low=0, high=1)
    critic_steps: int = parameter(2, "Turns of the critic for one of the generator", low=1, high=100)
    kl_weight: float = parameter(3e-4, "Weight that keeps codes normal against the squared error", low=0, high=100)
    adversarial_weight: float = parameter(0.01, "Weight of the critic against the squared error", low=0, high=100)
    physical_weight: float = parameter(
        0.0, "Weight of the physical constraint: nothing runs backwards", low=0, high=1e4
    )
    physical_edge: float = parameter(0.15, "Share of radii at either end where it is not asked for", low=0, below=0.5)
    balance: bool = parameter(True, "Show rare classes as often as frequent ones")
    copies: int = parameter(2, "Varied copies of each measurement to learn from", low=0, high=1000)
    augment: float = parameter(0.3, "How far copies vary in density, light and duration, as a share", low=0, below=1)
    steps: int = parameter(20, "Steps in which a flow draws", low=1, high=1000)
    mixing: bool = parameter(
        True, "Mix spectra of a class of the codes of its measurements; otherwise a flow draws codes"
    )
    guidance: float = parameter(1.5, "How strongly a flow on pictures follows its condition", low=0, high=20)
    noise: bool = parameter(True, "Add to smooth spectra the noise of the measurements")

    @model_validator(mode="after")
    def _sizes(self):
        if self.size_px & (self.size_px - 1):
            raise ValueError(f"size_px = {self.size_px} must be a power of 2, such as 64, 128, 256 or 512")
        return self


def generation_settings(kind, **changes):
    """Return how a kind of generator is trained.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    **changes
        Fields of `Generation` that are to be otherwise.

    Returns
    -------
    Generation

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    return Generation(**check_kind(kind).settings | changes)


def document_settings(kind):
    """Return the report's setting, at 512 px (sequences of 256 for the LSTM), as far as the report gives it.

    Sizes of networks and numbers of iterations are not in the report.
    """
    size = 256 if kind == "lstm-ae" else 512
    wide = {"channels": 16, "most_channels": 512} if kind in PHYSICAL_KINDS else {}
    return generation_settings(kind, **{"size_px": size, "iterations": 60_000, "batch": 32} | wide)


class Generator:
    """A trained generator and its card.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    conditions : Conditions
        What it can be asked for.
    axes : Axes
        Those of the measurements that it learned from.
    card : dict
        See `particlelab.learning.models.save_model`.
    history : DataFrame or None
        Of its training, where that was just done.
    """

    def __init__(self, kind, network, card, axes, conditions):
        self.kind, self.card, self.axes, self.conditions, self.history = kind, card, axes, conditions, None
        self.network = None if network is None else network.eval()

    @property
    def generation(self):
        """How it was trained, a `Generation`."""
        return Generation.select(self.card["training"])

    @property
    def title(self):
        """Its kind in words."""
        return KINDS[self.kind].title

    def sample(self, condition, n, rng):
        """Draw spectra.

        They lie on the axes of measurements that it learned from (`common_axes.choose_places`): of a class, those of
        one of its measurements, at random; of a coefficient, those between its neighbours.

        Parameters
        ----------
        condition : str or float or None
            Class, or sedimentation coefficient (S), by what it learned from; None for kinds without conditions.
        n : int
        rng : numpy.random.Generator

        Returns
        -------
        list of Spectrum
            Labelled by the condition.

        Raises
        ------
        ValueError
            If it was trained on SEP pictures, knows no such condition, or n is negative.
        """
        condition, n, rng = self._check(condition, n, rng)
        if self.card["training"]["picture"] == "sep":
            raise ValueError(NO_SPECTRA.format(self.title))
        if self.kind == "physical":
            simulated = "lum" if self.conditions.classes else "lfg"
            return [simulate_one(simulated, condition, stream) for stream in rng.spawn(n)]
        places = choose_places(self.axes, self.conditions, condition, n, rng)
        if self.kind == "spectrum":
            return self._decode(condition, places, rng)
        drawn = self._pictures(condition, n, rng)[:, 0]
        return [
            from_grey_image(255 * picture, place.radii_mm, place.times_s, condition, place.rpm)
            for picture, place in zip(drawn, places, strict=True)
        ]

    def draw(self, condition, n, rng, size_px=None):
        """Draw pictures: those that it learned, or the grey images of its spectra.

        Parameters
        ----------
        condition, n, rng
            As for `sample`.
        size_px : int, optional
            Edge of the grey images of kinds that draw spectra.

        Returns
        -------
        (n, size, size) or (n, size, size, 3) ndarray of uint8
        """
        if self.kind in ("spectrum", "physical"):
            size = size_px or self.card["training"]["size_px"]
            spectra = self.sample(condition, n, rng)
            return np.stack([grey_image(s, size) for s in spectra]) if n else np.empty((0, size, size), np.uint8)
        condition, n, rng = self._check(condition, n, rng)
        drawn = np.rint(255 * self._pictures(condition, n, rng)).astype(np.uint8)
        return drawn[:, 0] if drawn.shape[1] == 1 else np.moveaxis(drawn, 1, -1)

    def save(self, path):
        """Write the generator (.safetensors) and its card beside it; return the path."""
        arrays = {f"axes.{name}": np.asarray(value) for name, value in self.axes._asdict().items()}
        if self.kind == "spectrum":  # 16 bits would move its boundaries
            weights = {name: tensor.numpy() for name, tensor in self.network.state_dict().items()}
        else:
            weights = {} if self.network is None else half_precision(self.network)
        return save_model(path, weights | arrays, self.card)

    def _check(self, condition, n, rng):
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 0:
            raise ValueError(f"n must be a whole number of at least 0, got {n!r}")
        return self.conditions.check(condition), int(n), check_rng(rng)

    def _told(self, condition, n):
        import torch

        return torch.from_numpy(self.conditions.encode([condition] * n))

    def _pictures(self, condition, n, rng):
        """Return pictures (n, channels, size, size) from 0 to 1."""
        import torch

        size = self.card["training"]["size_px"]
        channels = 3 if self.card["training"]["picture"] == "sep" else 1
        drawn = [np.empty((0, channels, size, size), np.float32)]
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            torch.manual_seed(int(rng.integers(2**63)))
            for start in range(0, n, TOGETHER):
                some = self.network.draw(self._told(condition, min(TOGETHER, n - start)))
                drawn.append((some.numpy().clip(-1, 1) + 1) / 2)
        return np.concatenate(drawn)

    def _decode(self, condition, places, rng):
        """Draw codes, and read each at its own radii and times."""
        import torch

        spectra, told = [], self._told(condition, len(places))
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            torch.manual_seed(int(rng.integers(2**63)))
            codes = self.network.codes(told)
            for k, place in enumerate(places):
                at = (torch.from_numpy(shares(v).astype(np.float32))[None] for v in (place.radii_mm, place.times_s))
                values = self.network.decoder(codes[k : k + 1], told[k : k + 1], *at)[0].numpy()
                if self.card["training"]["noise"]:
                    values = add_noise(values, self.axes, place, rng)
                values = values.clip(*RANGE).astype(np.float32)
                spectra.append(Spectrum(place.radii_mm, place.times_s, values, condition, place.rpm))
        return spectra


def load_generator(name="spectrum-lum"):
    """Load a generator.

    Parameters
    ----------
    name : str or path
        One that ships, such as ``spectrum-lfg`` or ``cwgan-div-lum``, or the path of a ``.safetensors`` file.

    Returns
    -------
    Generator

    Raises
    ------
    ValueError
        If there is no such file, or it holds something else.
    """
    return load_trained("sedimentation", name, _build)


def check_kind(kind):
    """Return a `Kind`; ValueError if there is none of that name."""
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    return KINDS[kind]


def build_model(kind, generation, conditions):
    """Build what is trained: a torch module with ``loss`` and ``sampler``."""
    from particlelab.sedimentation import adversarial_layers, flow_layers, front_layers, sequence_layers

    g, told = generation, conditions.length
    pictures = {
        "conditions": told,
        "picture_channels": 3 if g.picture == "sep" else 1,
        "size": g.size_px,
        "channels": g.channels,
        "most": g.most_channels,
    }
    if kind == "lstm-ae":
        return sequence_layers.LSTMAutoencoder(g.latent, told, g.size_px, g.channels, columns=32)
    if kind == "flow":
        return flow_layers.Flow(**pictures, steps=g.steps, guidance=g.guidance)
    if kind == "spectrum":
        return front_layers.Fronts(
            g.latent, told, g.fronts, g.edges, g.width, g.steps, g.kl_weight, g.mixing, g.iterations
        )
    weights = {
        "physical": g.physical_weight,
        "physical_edge": g.physical_edge,
        "kl": g.kl_weight,
        "adversarial": g.adversarial_weight,
    }
    return adversarial_layers.Adversarial(kind, {"latent": g.latent} | pictures, weights)


def _build(path, tensors, card):
    import torch

    try:
        kind, conditions = card["kind"], Conditions(**card["conditions"])
        conditions = conditions._replace(classes=tuple(conditions.classes))
        axes = Axes(**{name: tensors.pop(f"axes.{name}") for name in Axes._fields})
        network = None
        if kind != "physical":
            network = build_model(kind, Generation.select(card["training"]), conditions).sampler
            for name, buffer in network.named_buffers():  # as many codes as were kept
                buffer.resize_(tensors[name].shape)
            network.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in tensors.items()})
            network.float().requires_grad_(False)
    except (KeyError, RuntimeError, TypeError) as error:
        raise ValueError(f"{path} holds no generator of spectra: {error}") from None
    return Generator(kind, network, card, axes, conditions)
