"""Training of generators of transmission spectra (IPMT report, AP2.3)."""

import numpy as np
from scipy import ndimage

from particlelab.learning.digests import digest
from particlelab.progress import part_of
from particlelab.randomness import check_rng, generator
from particlelab.sedimentation.common_axes import collect_axes, shares
from particlelab.sedimentation.conditions import Conditions, find_conditions
from particlelab.sedimentation.generators import (
    PHYSICAL_KINDS,
    SEP_KINDS,
    Generator,
    build_model,
    check_kind,
    document_settings,
)
from particlelab.sedimentation.pictures import grey_image, sep_image
from particlelab.sedimentation.spectra import check_spectrum

PREPARING = 0.05  # share of the progress
READ_PX = 64  # edge of the picture by which a spectrum is encoded
RADII, TIMES = 96, 16  # at which each spectrum of a batch is compared, drawn at random
BETAS = {"gan": (0.5, 0.999), "cvae-wgan-div": (0.5, 0.9)}  # of Adam; otherwise those of WGAN-GP
BESIDE = 3  # radii beside which a profile still counts as steep
EVERY = 200  # iterations between checkpoints
LARGEST_GRADIENT = 1.0  # longer ones are shortened, where there is no critic
PURPOSE = "Draws transmission spectra: {}. Trained on {} measurements{}."


def train_generator(kind, spectra, parameters=None, rng=None, folder=None, progress=None):
    """Train a generator on spectra.

    Parameters
    ----------
    kind : str
        One of `KINDS`. ``"gan"`` and ``"wgan"`` know no condition, and what they draw has no label; ``"physical"``
        learns nothing but the axes: it simulates, and is the yardstick.
    spectra : sequence of Spectrum
        Their labels are the conditions: classes, or sedimentation coefficients (S).
    parameters : Generation, optional
        The report's setting by default (`document_settings`); `generation_settings` gives those for a quick one.
    rng : numpy.random.Generator
        Gives first weights, order, noise and varied copies.
    folder : path, optional
        For checkpoints: a training that was killed goes on from the last one, if all else is the same.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    Generator
        With a table ``history`` of the training: ``iteration``, ``loss``, ``learning_rate`` and ``turn`` (``"critic"``
        or ``"generator"``).

    Raises
    ------
    ValueError
        If there is no such kind, spectra are fewer than two or none, labels are missing or of two sorts, the kind
        cannot be trained on SEP pictures or with the physical constraint, rng is missing, or the folder holds another
        training's checkpoint.
    """
    told, p = check_kind(kind), parameters or document_settings(kind)
    spectra, seed = [check_spectrum(spectrum) for spectrum in spectra], int(check_rng(rng).integers(2**31))
    conditions = _check(kind, told, p, spectra)
    axes = collect_axes(spectra, conditions)
    card = _card(kind, spectra, p, seed, conditions)
    if kind == "physical":
        return Generator(kind, None, card, axes, conditions)
    return _train(kind, spectra, p, seed, conditions, axes, card, folder, progress)


def vary(spectrum, strength, rng):
    """Return a measurement as it might have been otherwise: denser or thinner, in other light, ended sooner.

    Its class stays.

    Parameters
    ----------
    spectrum : Spectrum
    strength : float
        Largest change as a share; 0 changes nothing.
    rng : numpy.random.Generator

    Returns
    -------
    Spectrum
    """
    density, light = 1 + strength * rng.uniform(-1, 1), 1 + 0.1 * strength * rng.uniform(-1, 1)
    kept = max(2, round(len(spectrum.times_s) * (1 - strength * rng.uniform(0, 1))))
    values = light * np.sign(spectrum.transmission) * np.abs(spectrum.transmission) ** density
    return spectrum._replace(times_s=spectrum.times_s[:kept], transmission=values[:kept].astype(np.float32))


def _train(kind, spectra, p, seed, conditions, axes, card, folder, progress):
    import torch

    from particlelab.learning.training import course, train

    lesson = _Lesson(kind, spectra, p, seed, conditions, part_of(progress, 0.0, PREPARING))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build_model(kind, p, conditions)
    history = train(
        model,
        lesson,
        lambda model, *batch: model.loss(*batch),
        _optimiser(kind, p),
        iterations=p.iterations,
        seed=seed,
        folder=folder,
        every=EVERY,
        name=f"{kind}, {p!r}, {seed}, {_digest(spectra)}",
        progress=part_of(progress, PREPARING, 1 - PREPARING),
    )
    if hasattr(model, "finish"):
        model.finish(lesson.all_pictures(), torch.from_numpy(lesson.told))
    with_critic = getattr(model, "critic", None) is not None
    turns = np.array([with_critic and lesson.critics_turn(n) for n in history.iteration], bool)
    history = history.assign(turn=np.where(turns, "critic", "generator"))
    for turn, part in history.groupby("turn"):
        card[f"loss, {turn}"] = course(part)
    made = Generator(kind, model.sampler.requires_grad_(False), card, axes, conditions)
    made.history = history
    return made


def _check(kind, told, p, spectra):
    """Return the conditions that a kind learns from spectra."""
    if len(spectra) < 2:
        raise ValueError(f"a generator learns from 2 spectra at least, got {len(spectra)}")
    if p.picture == "sep" and kind not in SEP_KINDS:
        raise ValueError(f"picture = 'sep' is for {', '.join(SEP_KINDS)}; {kind!r} learns from grey images")
    if p.physical_weight and (kind not in PHYSICAL_KINDS or p.picture == "sep"):
        raise ValueError(f"physical_weight is for {', '.join(PHYSICAL_KINDS)} on grey images")
    conditions = find_conditions(spectra) if told.conditional else Conditions()
    if told.conditional and not conditions.length:
        raise ValueError(f"{kind!r} learns conditions: spectra must be labelled by their class or coefficient")
    return conditions


class _Lesson:
    """Spectra and their varied copies as networks see them; called with n, it gives the n-th batch."""

    def __init__(self, kind, spectra, p, seed, conditions, progress):
        self.kind, self.p, self.seed = kind, p, seed
        varied = spectra[:]
        for k in range(0 if conditions.highest_s else p.copies):  # nothing says what may change at one coefficient
            for number, spectrum in enumerate(spectra):
                varied.append(vary(spectrum, p.augment, generator(seed, "copy", k, number)))
        labels = [spectrum.label for spectrum in varied]
        self.told = conditions.encode(labels)
        self.moving = np.array([label != "other" for label in labels], np.float32)
        size = READ_PX if kind == "spectrum" else p.size_px
        drawn = []
        for number, spectrum in enumerate(varied):
            drawn.append(sep_image(spectrum, size) if p.picture == "sep" else grey_image(spectrum, size)[..., None])
            if progress and number % 50 == 0:
                progress(number / len(varied), f"picture {number} of {len(varied)}")
        self.pictures = np.moveaxis(np.stack(drawn), -1, 1)
        self.spectra = varied if kind == "spectrum" else None
        self.weights = None
        if conditions.classes and p.balance:
            often = self.told.sum(0)
            self.weights = self.told @ (1 / often)
            self.weights /= self.weights.sum()

    def critics_turn(self, n):
        """Return whether the n-th iteration is the critic's."""
        return n % (self.p.critic_steps + 1) < self.p.critic_steps

    def all_pictures(self):
        """Return all pictures from -1 to 1."""
        return self._seen(slice(None))

    def __call__(self, n):
        import torch

        rng = generator(self.seed, "batch", n)
        which = rng.choice(len(self.told), self.p.batch, p=self.weights)
        pictures, told = self._seen(which), torch.from_numpy(self.told[which])
        if self.spectra is not None:
            return pictures, told, *self._points(which, rng)
        return pictures, told, torch.from_numpy(self.moving[which]), torch.tensor(self.critics_turn(n))

    def _seen(self, which):
        import torch

        return torch.from_numpy(self.pictures[which].astype(np.float32) / 127.5 - 1)

    def _points(self, which, rng):
        """Return radii (n, TIMES, RADII) and times (n, TIMES) as shares, and the transmission there."""
        import torch

        parts = []
        for k in which:
            spectrum = self.spectra[k]
            t = rng.integers(len(spectrum.times_s), size=TIMES)
            rows = spectrum.transmission[t]
            r = _choose_radii(rows, round(self.p.steep * RADII), rng)
            values = np.take_along_axis(rows, r, 1)
            parts.append((shares(spectrum.radii_mm)[r], shares(spectrum.times_s)[t], values))
        return tuple(torch.from_numpy(np.stack(each).astype(np.float32)) for each in zip(*parts, strict=True))


def _choose_radii(rows, steep_ones, rng):
    """Return radii (T, RADII) at which profiles (T, R) are compared: the last ones where they are steep."""
    anywhere = rng.integers(rows.shape[1], size=(len(rows), RADII - steep_ones))
    if not steep_ones:
        return anywhere
    steep = np.abs(np.diff(rows, axis=1, append=rows[:, -1:]))
    steep = (steep - 3 * np.median(steep, axis=1, keepdims=True)).clip(0) + 1e-6
    steep = ndimage.maximum_filter1d(steep, 2 * BESIDE + 1, axis=1)
    reached = np.cumsum(steep, axis=1, dtype=float)
    reached = reached / reached[:, -1:] + np.arange(len(rows))[:, None]  # rising through all rows
    there = rng.random((len(rows), steep_ones)) + np.arange(len(rows))[:, None]
    found = np.searchsorted(reached.ravel(), there.ravel()).reshape(there.shape)
    found = (found - np.arange(len(rows))[:, None] * rows.shape[1]).clip(0, rows.shape[1] - 1)
    return np.concatenate([anywhere, found], axis=1)


def _optimiser(kind, p):
    """Return what `train` configures by."""
    import torch

    if kind == "wgan":
        return lambda model: (torch.optim.RMSprop(model.parameters(), p.learning_rate), None)
    if kind in SEP_KINDS or kind == "cvae-wgan-div":
        return lambda model: (torch.optim.Adam(model.parameters(), p.learning_rate, BETAS.get(kind, (0.0, 0.9))), None)

    class Clipped(torch.optim.AdamW):
        """Shortens long gradients, without which recurrent networks do not learn (IPMT report, AP2.3.b)."""

        def step(self, closure=None):
            with torch.enable_grad():
                loss = closure()
            every = [weight for group in self.param_groups for weight in group["params"]]
            torch.nn.utils.clip_grad_norm_(every, LARGEST_GRADIENT)
            super().step()
            return loss

    def configure(model):
        optimiser = Clipped(model.parameters(), p.learning_rate, weight_decay=p.weight_decay)
        steps = p.iterations + 1
        return optimiser, torch.optim.lr_scheduler.OneCycleLR(
            optimiser, p.learning_rate, steps, pct_start=max(0.1, 2 / steps)
        )

    return configure


def _card(kind, spectra, p, seed, conditions):
    by = "" if not conditions.length else " with their classes" if conditions.classes else " with their coefficients"
    told = check_kind(kind)
    what = (
        "it simulates them"
        if kind == "physical"
        else f"{told.title} on {'SEP' if p.picture == 'sep' else 'grey'} pictures"
    )
    counted = {name: sum(s.label == name for s in spectra) for name in conditions.classes}
    return {
        "purpose": PURPOSE.format(what if kind != "spectrum" else f"{told.title}, on spectra", len(spectra), by),
        "kind": kind,
        "conditions": conditions._asdict() | {"classes": list(conditions.classes)},
        "training": p.model_dump(mode="json") | {"seed of order, first weights and copies": seed},
        "data": {"measurements": len(spectra)} | counted | {"digest": _digest(spectra)},
    }


def _digest(spectra):
    labels = np.frombuffer(repr([spectrum.label for spectrum in spectra]).encode(), np.uint8)
    return digest(labels, *(part for spectrum in spectra for part in spectrum[:3]))
