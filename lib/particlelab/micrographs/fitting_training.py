"""Training of a fitter: of each recipe pictures with turned parameters, their textures, networks that read them."""

from pathlib import Path
from typing import Literal

import numpy as np

from particlelab.learning.digests import digest
from particlelab.micrographs.fitter import Fitter, build_network
from particlelab.micrographs.recipe import load_recipe
from particlelab.micrographs.synthesis import synthesise
from particlelab.micrographs.texture import describe_texture
from particlelab.micrographs.turning import draw_values, knobs, known_values, to_unit, turn
from particlelab.parameters import Parameters, parameter
from particlelab.progress import part_of
from particlelab.randomness import check_rng, generator

LIBRARY = (
    *("beads", "bimodal", "carbonyl_iron", "categorical", "crystals", "droplets", "ellipsoids", "metaballs"),
    *("potatoes", "rods", "shadows", "spheres_sem", "tem_aggregates", "tem_crystals", "worms"),
)
PART = 20  # pictures of a recipe whose textures are written together
FOLDS = 5
TEMPERATURE = 5.0  # of discriminants
RIDGES = np.geomspace(3, 30_000, 13)
DRAWING = 0.9  # share of the time that drawing textures takes


class FitterTraining(Parameters):
    """What a fitter learns from, and how."""

    recipes: tuple[str, ...] = parameter(LIBRARY, "Recipes that ship, or paths of YAML files")
    pictures: int = parameter(160, "Pictures of each recipe", low=20, high=100_000)
    size_px: int = parameter(384, "Edge of a picture", unit="px", low=64, high=4096)
    descriptor: Literal["bank", "random", "vgg19"] = parameter("bank", "Texture descriptor (`describe_texture`)")
    held_out: float = parameter(0.15, "Share of the pictures by which it is judged and calibrated", low=0.05, high=0.5)
    members: int = parameter(2, "Networks that answer the same question", low=1, high=20)
    width: int = parameter(32, "Numbers in a layer of a network", low=4, high=1024)
    dropout: float = parameter(0.3, "Share of numbers that are left out while it learns", low=0, high=0.9)
    jitter: float = parameter(0.2, "Noise on descriptors while it learns, in their spreads", low=0, high=2)
    iterations: int = parameter(600, "Iterations", low=1, high=1_000_000)
    batch: int = parameter(32, "Pictures of each recipe in an iteration", low=2, high=4096)
    learning_rate: float = parameter(1e-3, "Highest learning rate", above=0, high=1)
    weight_decay: float = parameter(0.05, "Weight decay", low=0, high=10)
    seed: int = parameter(0, "Seed of the pictures", low=0)


def train_fitter(parameters=None, rng=None, folder=None, progress=None):
    """Train a fitter on pictures of recipes whose parameters are turned at random (IPMT report, AP1.3, figure 2).

    Parameters
    ----------
    parameters : FitterTraining, optional
    rng : numpy.random.Generator
        Gives the seed of the first weights and of what is left out by chance.
    folder : path, optional
        Where textures and checkpoints are kept: a training that was stopped goes on there.
    progress : callable, optional

    Returns
    -------
    Fitter
        With a table ``history`` of the training.

    Raises
    ------
    ValueError
        If a recipe is not there, rng is no Generator, or the folder holds another training's checkpoint.
    """
    import torch

    from particlelab.learning import training

    p, seed = parameters or FitterTraining(), int(check_rng(rng).integers(2**31))
    library = {load_recipe(name).name: load_recipe(name) for name in p.recipes}
    textures, units = draw_textures(p, folder and Path(folder) / "textures", part_of(progress, 0, DRAWING, "pictures"))
    learned = np.arange(textures.shape[1]) < round((1 - p.held_out) * p.pictures)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build_network(p.model_dump(), len(library), units.shape[2], textures.shape[2])
    rows = textures[:, learned].reshape(-1, textures.shape[2])
    network.mean.copy_(torch.from_numpy(rows.mean(0)))
    network.spread.copy_(torch.from_numpy(rows.std(0) + 1e-4))
    seen = network.normalise(torch.from_numpy(textures[:, learned])).numpy()
    linear = regress_apart(seen, units[:, learned])
    logits = discriminate_apart(seen)
    directions, thresholds = discriminate(seen)
    network.directions.copy_(torch.from_numpy(directions))
    network.thresholds.copy_(torch.from_numpy(thresholds))
    for which, (rows, known) in enumerate(zip(seen, units[:, learned], strict=True)):
        slopes, middles = regress(rows, known)
        network.slopes[which], network.middles[which] = torch.from_numpy(slopes), torch.from_numpy(middles)
    history = training.train(
        network,
        _Rows(p, textures[:, learned], units[:, learned], linear, logits, seed),
        _loss,
        training.one_cycle(p),
        iterations=p.iterations,
        seed=seed,
        folder=folder and Path(folder) / "checkpoints",
        name=f"{p!r}, {seed}, {digest(textures, units)}",
        progress=part_of(progress, DRAWING, 1 - DRAWING, "training"),
    )
    card = {
        "purpose": "Reads from the texture of a picture which recipe of the library it could be of, and the parameters "
        "of that recipe; trained on synthetic pictures only.",
        "training": p.model_dump(mode="json") | {"seed of the first weights": seed},
        "command": "particlelab.micrographs.train_fitter(FitterTraining(...as above...), rng, folder).save(path)",
        "stretch": 1.0,
        "recipes": {name: recipe.to_dict() for name, recipe in library.items()},
        "loss": training.course(history),
    }
    fitter = Fitter(network, _scatter(textures[:, learned], units[:, learned]), card)
    fitter.card["scores"] = _calibrate(fitter, textures[:, ~learned], units[:, ~learned])
    fitter.history = history
    return fitter


def draw_textures(parameters, folder=None, progress=None):
    """Synthesise pictures of each recipe with turned parameters, and describe their textures.

    Parameters
    ----------
    parameters : FitterTraining
    folder : path, optional
        What was drawn before with the same parameters is read from there.
    progress : callable, optional

    Returns
    -------
    textures : (recipes, pictures, m) float32 ndarray
    units : (recipes, pictures, k) float32 ndarray
        Unit coordinates of the knobs; NaN beyond those that a recipe has.
    """
    p = parameters
    library = [load_recipe(name).reframe(p.size_px) for name in p.recipes]
    most = max(len(knobs(recipe)) for recipe in library)
    parts, done = {}, 0
    starts = range(0, p.pictures, PART)
    for start in starts:  # all recipes by turns: whoever stops early has as many of each
        for which, recipe in enumerate(library):
            numbers = range(start, min(start + PART, p.pictures))
            file = folder and Path(folder) / f"{recipe.name}-{start // PART:03d}.npz"
            parts[which, start] = _draw_part(recipe, numbers, p, file)
            done += 1
            if progress:
                progress(done / (len(starts) * len(library)), f"{recipe.name} {numbers[-1] + 1} of {p.pictures}")
    textures = np.stack([np.concatenate([parts[k, s][0] for s in starts]) for k in range(len(library))])
    units = np.full((*textures.shape[:2], most), np.nan, np.float32)
    for which in range(len(library)):
        known = np.concatenate([parts[which, start][1] for start in starts])
        units[which, :, : known.shape[1]] = known
    return textures, units


def draw_turned(recipe, seed, number):
    """Return a picture of a recipe with parameters turned at random, and the turned recipe.

    Parameters
    ----------
    recipe : Recipe
    seed, number : int
        The same ones give the same picture.

    Returns
    -------
    micrograph : Micrograph
    turned : Recipe
    """
    rng = generator(seed, "fitter", recipe.name, number)
    turned = turn(recipe, draw_values(recipe, rng))
    return synthesise(turned, int(rng.integers(2**31))), turned


def _draw_part(recipe, numbers, parameters, file):
    """Return textures and unit coordinates of some pictures, from a file if it holds them."""
    p = parameters
    name = f"{recipe!r}, {p.descriptor}, {p.seed}, {numbers}"
    if file and file.is_file():
        with np.load(file) as known:
            if str(known["name"]) == name:
                return known["textures"], known["units"]
    textures, units = [], []
    for number in numbers:
        micrograph, turned = draw_turned(recipe, p.seed, number)
        textures.append(describe_texture(micrograph.image, p.descriptor))
        units.append(to_unit(recipe, known_values(recipe, turned)))
    drawn = np.stack(textures).astype(np.float32), np.stack(units).astype(np.float32)
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f".{file.name}")
        np.savez(draft, name=name, textures=drawn[0], units=drawn[1])
        draft.replace(file)
    return drawn


class _Rows:
    """The n-th batch of a training: for each network descriptors of its own, from those of its recipe or of all."""

    def __init__(self, parameters, textures, units, linear, logits, seed):
        self.parameters, self.textures, self.units, self.seed = parameters, textures, units, seed
        self.linear, self.logits = linear, logits
        self.spread = textures.reshape(-1, textures.shape[2]).std(0) + 1e-4

    def __call__(self, n):
        import torch

        p, rng = self.parameters, generator(self.seed, "rows", n)
        recipes, pictures, _ = self.textures.shape
        which = np.repeat(np.arange(recipes), p.members)[:, None]
        at = rng.integers(pictures, size=(recipes * p.members, p.batch))
        own = self._jitter(self.textures[which, at], rng)
        labels = rng.integers(recipes, size=(p.members, 4 * p.batch))
        among = rng.integers(pictures, size=labels.shape)
        others = self._jitter(self.textures[labels, among], rng)
        rows = own, self.linear[which, at], self.units[which, at], others, self.logits[labels, among], labels
        return tuple(map(torch.from_numpy, rows))

    def _jitter(self, rows, rng):
        return rows + np.float32(self.parameters.jitter) * self.spread * rng.standard_normal(rows.shape, np.float32)


def _loss(network, own, linear, units, others, logits, labels):
    """Return the negative logarithm of the likelihood of parameters, and of the recipes."""
    from torch.nn import functional

    mean, log_spread = network.predict(own, linear)
    known = ~units.isnan()
    miss = (units.nan_to_num() - mean) / log_spread.exp()
    parameters = (log_spread + miss**2 / 2)[known].mean()
    return parameters + functional.cross_entropy(network.classify(others, logits).flatten(0, 1), labels.flatten())


def regress(rows, known):
    """Fit ridge regressions of parameters.

    The ridge is that of the least generalised cross-validation (Golub, Heath and Wahba 1979), for each parameter.

    Parameters
    ----------
    rows : (n, m) ndarray
        Normalised descriptors.
    known : (n, k) ndarray
        Unit coordinates; a column of NaN is left alone.

    Returns
    -------
    slopes : (m, k) float32 ndarray
    middles : (1, k) float32 ndarray
        ``rows @ slopes + middles`` is the prediction.
    """
    x = rows.astype(float)
    centre = x.mean(0)
    left, values, right = np.linalg.svd(x - centre, full_matrices=False)
    slopes, middles = np.zeros((x.shape[1], known.shape[1])), np.full((1, known.shape[1]), 0.5)
    for k in np.flatnonzero(~np.isnan(known[0])):
        y = known[:, k] - known[:, k].mean()
        scores = []
        for ridge in RIDGES:
            kept = values**2 / (values**2 + ridge)
            rest = y - left @ (kept * (left.T @ y))
            scores.append((rest @ rest) / (len(y) - 1 - kept.sum()) ** 2)
        ridge = RIDGES[int(np.argmin(scores))]
        slopes[:, k] = right.T @ (values / (values**2 + ridge) * (left.T @ y))
        middles[0, k] = known[:, k].mean() - centre @ slopes[:, k]
    return slopes.astype(np.float32), middles.astype(np.float32)


def regress_apart(rows, known):
    """Return what regressions say of rows (recipes, n, m) that they have not seen, from the other folds of a recipe.

    Networks learn what these leave over: what is left of rows that a regression has seen is smaller than what comes.
    """
    found = np.empty(known.shape, np.float32)
    fold = np.arange(rows.shape[1]) % FOLDS
    for which, (x, y) in enumerate(zip(rows, known, strict=True)):
        for k in range(FOLDS):
            slopes, middles = regress(x[fold != k], y[fold != k])
            found[which, fold == k] = x[fold == k] @ slopes + middles
    return found


def discriminate(rows):
    """Fit linear discriminants of recipes, whose covariance is shrunk after Ledoit and Wolf (2004).

    Parameters
    ----------
    rows : (recipes, n, m) ndarray
        Normalised descriptors.

    Returns
    -------
    directions : (m, recipes) float32 ndarray
    thresholds : (recipes,) float32 ndarray
        ``rows @ directions + thresholds`` are logits, at a temperature that makes them about as sure as they should be.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    recipes, pictures, size = rows.shape
    if recipes == 1:
        return np.zeros((size, 1), np.float32), np.zeros(1, np.float32)
    means = rows.mean(1)
    pooled = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    pooled.fit(rows.reshape(-1, size), np.repeat(np.arange(recipes), pictures))
    directions = np.linalg.solve(pooled.covariance_, means.T)
    thresholds = -0.5 * np.einsum("km,mk->k", means, directions)
    return (directions / TEMPERATURE).astype(np.float32), (thresholds / TEMPERATURE).astype(np.float32)


def discriminate_apart(rows):
    """Return logits (recipes, n, recipes) that discriminants say of rows that they have not seen."""
    found = np.empty((*rows.shape[:2], len(rows)), np.float32)
    fold = np.arange(rows.shape[1]) % FOLDS
    for k in range(FOLDS):
        directions, thresholds = discriminate(rows[:, fold != k])
        found[:, fold == k] = rows[:, fold == k] @ directions + thresholds
    return found


def _scatter(textures, units):
    """Return the scatter of descriptors about what a recipe's parameters explain (by a quadratic regression)."""
    squares = []
    for rows, known in zip(textures.astype(float), units, strict=True):
        x = known[:, ~np.isnan(known[0])] - 0.5
        first, second = np.triu_indices(x.shape[1])
        design = np.concatenate([np.ones((len(x), 1)), x, x[:, first] * x[:, second]], 1)
        if len(design) < 2 * design.shape[1]:  # too few pictures for squares
            design = design[:, : 1 + x.shape[1]]
        rest = rows - design @ np.linalg.lstsq(design, rows, rcond=None)[0]
        squares.append((rest**2).sum(0) / max(len(design) - design.shape[1], 1))
    return np.sqrt(np.mean(squares, axis=0)) + 1e-3


def _calibrate(fitter, textures, units):
    """Stretch the intervals so that 90 % of them hold the truth of pictures held out; return scores of these."""
    recipes, pictures, size = textures.shape
    prediction = fitter.predict(textures.reshape(-1, size))
    right = prediction.shares.reshape(recipes, pictures, -1).argmax(2) == np.arange(recipes)[:, None]
    pulls, misses = [], {}
    for which, name in enumerate(prediction.recipes):
        known = units[which][:, : len(fitter.knobs[name])]
        own = slice(which * pictures, (which + 1) * pictures)
        mean, spread = prediction.means[which][own], prediction.spreads[which][own]
        pulls.append(np.abs((known - mean) / spread).ravel())
        for k, knob in enumerate(fitter.knobs[name]):
            value, truth = knob.from_unit(mean[:, k]), knob.from_unit(known[:, k])
            misses.setdefault(knob.name, []).append(np.abs(value / truth - 1))
    fitter.card["stretch"] = float(np.quantile(np.concatenate(pulls), 0.9) / 1.6449)
    errors = {
        f"median error of {name} / %": 100 * float(np.median(np.concatenate(parts))) for name, parts in misses.items()
    }
    return {"pictures held out": int(right.size), "right recipe first / %": 100 * float(right.mean())} | errors
