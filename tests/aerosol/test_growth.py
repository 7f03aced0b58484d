"""Learned SDEs: densities that are exact, equations that are found again, and trainings that can be repeated."""

import itertools

import numpy as np
import pytest
from scipy import integrate, stats

from particlelab.aerosol import growth, sde_layers
from particlelab.aerosol.sde import SDEParameters, check_steps, load_sde
from particlelab.randomness import generator

QUICK = SDEParameters(layers=2, width=24, epochs=40, batch=256, learning_rate=5e-3)
TINY = QUICK.replace(layers=1, width=8, epochs=3)


def ou_steps(n, rng, h=1.0):
    """Exact transitions of an Ornstein-Uhlenbeck process (theta 1, sigma 0.5) in its stationary state."""
    x = rng.normal(0, 0.5 / np.sqrt(2), n)
    return x, x * np.exp(-h) + 0.5 * np.sqrt((1 - np.exp(-2 * h)) / 2) * rng.standard_normal(n)


def linear_steps(n, rng):
    x = rng.uniform(-1, 1, n)
    return x, x - x / 2 * 0.1 + 0.1 * np.sqrt(0.1) * rng.standard_normal(n)


def cubic_steps(n, rng):
    x = rng.uniform(-2, 2, n)
    return x, x - (4 * x**3 - 8 * x + 3) / 2 * 0.01 + (1 + 0.1 * x) / 2 * np.sqrt(0.01) * rng.standard_normal(n)


@pytest.fixture(scope="module")
def ou():
    rng = generator(0, "ou")
    return growth.fit_sde(*ou_steps(20_000, rng), 1.0, parameters=QUICK.replace(epochs=25, batch=512), rng=rng)


@pytest.mark.parametrize(("steps", "h", "least"), [(linear_steps, 0.1, -2.0349), (cubic_steps, 0.01, -1.58354)])
def test_the_loss_comes_near_to_the_smallest_that_can_be_reached(steps, h, least):
    rng = generator(0, "least")
    sde = growth.fit_sde(*steps(10_000, rng), h, parameters=QUICK, rng=rng)
    assert least - 0.01 < sde.loss(*steps(100_000, rng), h) < least + 0.02
    assert sde.history.val_loss.min() == pytest.approx(least, abs=0.06)  # of 2000 steps


def test_long_steps_give_the_drift_and_diffusivity_of_their_length(ou):
    """Any fit by Euler's scheme converges to a slope of -0.632 and a diffusivity of 0.3288, not to -1 and 0.5."""
    x, _ = ou_steps(100_000, generator(1))
    assert np.polyfit(x, ou.drift(x)[:, 0], 1)[0] == pytest.approx(-0.632, rel=0.03)
    assert np.mean(ou.diffusivity(x) ** 2) ** 0.5 == pytest.approx(0.3288, rel=0.03)


def test_trajectories_have_the_stationary_variance(ou):
    """sigma^2 / (2 theta) = 0.125, and what lies 1 apart is correlated by exp(-1)."""
    paths = ou.sample(np.zeros(100), 12, 1.0, n=200, rng=generator(2))
    assert paths.shape == (100, 200, 13, 1) and (paths[:, :, 0] == 0).all()
    before, last = (paths[:, :, k].ravel() for k in (-2, -1))
    assert last.var() == pytest.approx(0.125, rel=0.05)
    assert np.corrcoef(before, last)[0, 1] == pytest.approx(np.exp(-1), abs=0.03)


@pytest.mark.parametrize("slope", [0.5, -0.5, 1.5, 0.0])
def test_the_density_of_a_milstein_step(slope):
    """It integrates to 1, is that of simulated steps and of scipy's non-central chi-square."""
    sigma, h, n = 0.8, 0.3, 200_000
    z = generator(3).standard_normal(n)
    excess = sigma * np.sqrt(h) * z + sigma * slope * h * (z**2 - 1) / 2

    def density(e):
        e = np.atleast_1d(e)[:, None]
        columns = (np.full(e.shape, value) for value in (h, sigma, slope))
        return np.exp(sde_layers.log_density(e, *columns, "diagonal"))

    edge = -sigma * (1 + slope**2 * h) / (2 * slope) if slope else -8.0  # where the square root is 0
    far = edge + np.sign(edge) * -16
    near, away = (edge, far) if edge < far else (far, edge)
    substituted = integrate.quad(  # u^2 = distance to the edge, where the density is infinite
        lambda u: float(2 * u * density(edge + np.sign(far - edge) * u**2)[0]), 0, 4, limit=200, epsabs=1e-9
    )
    assert substituted[0] == pytest.approx(1, abs=1e-4)
    if slope:
        beyond = edge + np.sign(edge) * np.array([1e-6, 1.0])
        assert (density(beyond) == 0).all()
        c = sigma * slope * h / 2
        variable = stats.ncx2(1, 1 / (slope**2 * h))
        inside = np.linspace(near + 0.05, away - 12 if edge < far else away - 0.05, 50)
        inside = inside[density(inside) > 1e-8]
        assert np.allclose(density(inside), variable.pdf((inside - edge) / c) / abs(c), rtol=1e-6)
    ends = np.quantile(excess, np.linspace(0, 1, 21)[1:-1])
    shares = [integrate.quad(lambda e: float(density(e)[0]), a, b)[0] for a, b in itertools.pairwise(ends)]
    assert np.allclose(shares, 0.05, atol=5 * np.sqrt(0.05 / n))


@pytest.mark.parametrize("strength", [0.05, 0.3, 0.7, 1.0, 2.0, 5.0, -1.0])
def test_what_a_training_takes_for_milsteins_density_is_nearly_one(strength):
    """Continuous, about 1 in all, so that nothing but the true equation makes the loss small; and it is no cliff."""
    half = 8 + 40 * strength**2
    e = np.linspace(-half, half, 400_001)[:, None]
    columns = (np.full(e.shape, value) for value in (1.0, 1.0, strength))
    density = sde_layers.log_density(e, *columns, "diagonal", finite=True)
    assert np.exp(density).sum() * (e[1, 0] - e[0, 0]) == pytest.approx(1, abs=0.06)
    assert np.isfinite(density).all() and abs(np.diff(density)).max() < 0.2 + 40 * abs(strength) * (e[1, 0] - e[0, 0])
    exact = sde_layers.log_density(e, *(np.full(e.shape, value) for value in (1.0, 1.0, strength)), "diagonal")
    away = 1 + 2 * strength * (e[:, 0] + strength / 2) > 0.051
    assert np.array_equal(density[away], exact[away])


def test_without_a_slope_milstein_is_euler():
    rng = generator(4)
    excess, h, sigma = rng.standard_normal((50, 2)), rng.uniform(0.1, 2, (50, 1)), rng.uniform(0.2, 3, (50, 2))
    euler = sde_layers.log_density(excess, h, sigma, None, "diagonal")
    assert np.allclose(euler, stats.norm(0, sigma * np.sqrt(h)).logpdf(excess).sum(axis=1))
    for slope in (0.0, 1e-9, -1e-9):
        assert np.allclose(sde_layers.log_density(excess, h, sigma, np.full_like(excess, slope), "diagonal"), euler)


@pytest.mark.parametrize("kind", ["triangular", "spd"])
def test_the_density_of_a_step_with_a_matrix_is_that_of_scipy(kind, affine_sde):
    sigma = np.array([[1.1, 0.3, 0.2], [0.3, 0.7, -0.1], [0.2, -0.1, 0.9]])
    sigma = np.linalg.cholesky(sigma) if kind == "triangular" else sigma
    sde, rng = affine_sde(-0.5 * np.eye(3), sigma, kind=kind), generator(5)
    x0, x1, h = rng.standard_normal((9, 3)), rng.standard_normal((9, 3)), rng.uniform(0.1, 2, 9)
    assert np.allclose(sde.diffusivity(x0), sigma, atol=1e-6)
    expected = [
        stats.multivariate_normal(a - 0.5 * a * c, c * sigma @ sigma.T).logpdf(b)
        for a, b, c in zip(x0, x1, h, strict=True)
    ]
    assert np.allclose(sde.log_density(x0, x1, h), expected, atol=1e-5)
    z = sde.noise(x0, x1, h)
    assert np.allclose(x0 - 0.5 * x0 * h[:, None] + np.sqrt(h)[:, None] * (z @ sigma.T), x1, atol=1e-5)
    paths = sde.sample(np.zeros(3)[None], 1, 0.7, n=40_000, rng=rng)[0, :, 1]
    assert np.allclose(np.cov(paths.T), 0.7 * sigma @ sigma.T, atol=0.03)


@pytest.mark.parametrize("kind", ["triangular", "spd"])
def test_a_known_covariance_is_found_again(kind):
    """With steps of different length; the diffusivity has the form that was asked for."""
    rng, n = generator(6, kind), 6000
    covariance = np.array([[0.5, 0.2], [0.2, 0.3]])
    x0, h = rng.uniform(-1, 1, (n, 2)), rng.uniform(0.02, 0.5, n)
    x1 = x0 - h[:, None] * x0 + np.sqrt(h)[:, None] * rng.multivariate_normal([0, 0], covariance, n)
    sde = growth.fit_sde(x0, x1, h, parameters=QUICK.replace(diffusivity=kind, epochs=15), rng=rng)
    sigma = sde.diffusivity(x0)
    assert np.allclose((sigma @ sigma.swapaxes(1, 2)).mean(axis=0), covariance, atol=0.025)
    if kind == "triangular":
        assert (sigma[:, 0, 1] == 0).all()
    else:
        assert np.allclose(sigma, sigma.swapaxes(1, 2)) and (np.linalg.eigvalsh(sigma) > 0).all()


def test_milstein_finds_how_noise_grows_where_steps_are_long():
    """dx = 0.5 x dW in steps of 0.5: the step is skewed, which Euler's scheme cannot say."""
    rng, h = generator(7), 0.5

    def steps(n):
        x, z = rng.uniform(1, 3, n), rng.standard_normal(n)
        return x, x * (1 + 0.5 * np.sqrt(h) * z + 0.25 * h * (z**2 - 1) / 2)

    data, fresh = steps(8000), steps(50_000)
    fits = {
        name: growth.fit_sde(*data, h, parameters=QUICK.replace(scheme=name, epochs=20), rng=rng)
        for name in ("euler", "milstein")
    }
    x0, x1 = fresh
    c = x0 * 0.25 * h / 2
    best = -np.mean(np.log(stats.ncx2(1, 1 / (0.25 * h)).pdf((x1 - x0 + c) / c + 1 / (0.25 * h)) / c))
    assert best - 0.01 < fits["milstein"].loss(x0, x1, h) < best + 0.02
    assert fits["euler"].loss(x0, x1, h) > best + 0.03
    x = np.linspace(1.2, 2.8, 9)
    assert np.allclose(fits["milstein"].diffusivity(x)[:, 0], 0.5 * x, rtol=0.06)
    z = rng.standard_normal(100_000)
    drawn = fits["milstein"].sample([2.0], 1, h, n=100_000, rng=rng)[0, :, 1, 0]
    assert stats.skew(drawn) == pytest.approx(stats.skew(0.5 * np.sqrt(h) * z + 0.125 * h * z**2), rel=0.2)


@pytest.fixture(scope="module")
def driven():
    """dx = (p0 - x) dt + (0.2 + 0.1 p1) dW, in unusual units."""
    rng, n, h = generator(8), 12_000, 0.2
    x, p = rng.uniform(-1, 1, n), np.stack([rng.uniform(-1, 1, n), rng.uniform(-1, 1, n)], axis=1)
    y = x + (p[:, 0] - x) * h + (0.2 + 0.1 * p[:, 1]) * np.sqrt(h) * rng.standard_normal(n)
    units = np.array([1e4, 1e-5])
    sde = growth.fit_sde(1e-6 * x, 1e-6 * y, 1e3 * h, p * units, parameters=QUICK.replace(epochs=25), rng=rng)
    return sde, units


def test_covariates_are_used(driven):
    sde, units = driven
    corners = np.array([[a, b] for a in (-0.7, 0, 0.7) for b in (-0.7, 0, 0.7)])
    for x in (-0.5, 0.5):
        state = np.full(9, 1e-6 * x)
        assert np.allclose(sde.drift(state, corners * units)[:, 0] * 1e9, corners[:, 0] - x, atol=0.1)
        assert np.allclose(
            sde.diffusivity(state, corners * units)[:, 0] * 1e6 * 1e3**0.5, 0.2 + 0.1 * corners[:, 1], atol=0.02
        )


def test_covariates_may_change_on_the_way(driven):
    sde, units = driven
    p = np.stack([np.r_[np.full(30, 0.6), np.full(30, -0.6)], np.full(60, -0.9)], axis=1) * units
    paths = sde.sample(np.zeros(1), 60, 200.0, p[None], n=400, rng=generator(9))[0, :, :, 0].mean(axis=0) * 1e6
    assert paths[[30, 60]] == pytest.approx([0.6, -0.6], abs=0.1)
    steady = sde.sample(np.zeros(1), 30, 200.0, p[0], n=400, rng=generator(9))[0, :, :, 0].mean(axis=0) * 1e6
    assert steady == pytest.approx(paths[:31])


def test_units_change_the_loss_by_a_constant_only():
    """In units c times smaller all densities are c times smaller, and nothing else is another."""
    x, y = linear_steps(2000, generator(10))
    one = growth.fit_sde(x, y, 0.1, parameters=TINY, rng=generator(11))
    other = growth.fit_sde(4096 * x, 4096 * y, 0.1 / 1024, parameters=TINY, rng=generator(11))  # exact in binary
    assert other.loss(4096 * x, 4096 * y, 0.1 / 1024) == pytest.approx(one.loss(x, y, 0.1) + np.log(4096), abs=1e-5)
    assert np.allclose(other.drift(4096 * x), 4096 * 1024 * one.drift(x), rtol=1e-3, atol=1e-2 * 4096 * 1024)
    assert one.history.val_loss.iloc[-1] + np.log(4096) == pytest.approx(other.history.val_loss.iloc[-1], abs=1e-4)


def test_weights_count_like_repeated_steps(affine_sde):
    rng = generator(12)
    x0, x1 = ou_steps(50, rng)
    sde, times = affine_sde(-0.6, 0.3), rng.integers(0, 4, 50)
    repeated = sde.loss(np.repeat(x0, times), np.repeat(x1, times), 1.0)
    assert sde.loss(x0, x1, 1.0, weights=times) == pytest.approx(repeated)
    keras_loss = sde_layers.make_loss(1, "diagonal", "euler", 0.0)
    target = np.stack([x1 - x0, np.ones(50), times / times.mean()], axis=1).astype(np.float32)
    told = np.stack([-0.6 * x0, np.full(50, 0.3)], axis=1).astype(np.float32)
    assert np.mean(keras_loss(target, told)) == pytest.approx(repeated, abs=1e-5)


def test_steps_without_weight_are_not_learned_from():
    rng = generator(13)
    x, y = (
        np.concatenate(pair)
        for pair in zip(linear_steps(5000, rng), (np.full(5000, 0.5), np.full(5000, 9.0)), strict=True)
    )
    sde = growth.fit_sde(x, y, 0.1, weights=np.repeat([2.0, 0.0], 5000), parameters=QUICK.replace(epochs=15), rng=rng)
    assert sde.loss(*linear_steps(20_000, rng), 0.1) == pytest.approx(-2.0349, abs=0.03)


@pytest.mark.parametrize(
    ("scheme", "kind"), [("euler", "diagonal"), ("euler", "triangular"), ("euler", "spd"), ("milstein", "diagonal")]
)
@pytest.mark.parametrize("activation", ["elu", "tanh"])
def test_numpy_says_what_keras_says(scheme, kind, activation):
    """Slopes, too, for which TensorFlow has derivatives of its own."""
    rng = generator(14, scheme, kind)
    p = QUICK.replace(scheme=scheme, diffusivity=kind, activation=activation)
    steps = check_steps(rng.standard_normal((40, 2)), rng.standard_normal((40, 2)), 0.3, rng.standard_normal((40, 1)))
    sde = growth.prepare_sde(steps, p)
    (x, y), _ = growth.make_examples(sde, steps, rng)
    model = growth.make_network(sde, (x, y), p, 1)
    model.set_weights([0.5 * rng.standard_normal(w.shape) for w in model.get_weights()])
    told = np.asarray(model(x))
    weights = sde_layers.dense_weights(model)
    found = sde_layers.evaluate(weights, x, 2, kind, scheme, activation, sde.slope_scale)
    assert np.allclose(np.concatenate(found, axis=1), told, rtol=1e-3, atol=1e-3)
    sde.members.append(weights)
    loss = np.mean(sde_layers.make_loss(2, kind, scheme, float(np.log(sde.card["scale"]).sum()))(y, told))
    seen = sde.standardise(steps.x0, steps.p).astype(np.float32)
    order = [int(np.flatnonzero((seen == row).all(axis=1))[0]) for row in x]
    assert sde.loss(*(values[order] for values in steps[:4])) == pytest.approx(loss, rel=1e-3)


def test_a_saved_sde_says_the_same(tmp_path):
    rng = generator(15)
    p = TINY.replace(scheme="milstein", members=2)
    sde = growth.fit_sde(
        rng.standard_normal((200, 2)),
        rng.standard_normal((200, 2)),
        0.5,
        rng.standard_normal(200),
        parameters=p,
        rng=rng,
    )
    again = load_sde(sde.save(tmp_path / "grown.safetensors"))
    x, q = rng.standard_normal((20, 2)), rng.standard_normal(20)
    assert np.array_equal(again.drift(x, q), sde.drift(x, q)) and np.array_equal(
        again.diffusivity(x, q), sde.diffusivity(x, q)
    )
    assert np.array_equal(again.sample(x, 3, 0.1, q, 2, generator(0)), sde.sample(x, 3, 0.1, q, 2, generator(0)))
    assert again.card == sde.card and "milstein" in (tmp_path / "grown.md").read_text()


def test_a_killed_training_ends_where_one_that_was_not_ends(tmp_path):
    class Killed(Exception):
        pass

    def kill(done, text):
        if text.startswith("network 2 of 2: epoch 2 "):
            raise Killed

    data, p = linear_steps(1000, generator(16)), TINY.replace(members=2)
    whole = growth.fit_sde(*data, 0.1, parameters=p, rng=generator(17))
    with pytest.raises(Killed):
        growth.fit_sde(*data, 0.1, parameters=p, rng=generator(17), folder=tmp_path, progress=kill)
    resumed = growth.fit_sde(*data, 0.1, parameters=p, rng=generator(17), folder=tmp_path)
    assert resumed.history.equals(whole.history)
    assert np.array_equal(resumed.drift(data[0]), whole.drift(data[0]))
    assert not np.array_equal(*whole.scatter(data[0])[0])  # members are not the same network
    with pytest.raises(ValueError, match="another training"):
        growth.fit_sde(*data, 0.2, parameters=p, rng=generator(17), folder=tmp_path)


def test_noise_with_a_memory_is_correlated_and_each_step_alone_is_as_without(affine_sde):
    """Of an autoregressive process: correlation m, m^2, ...; after a last noise of 2, mean 2 m and variance 1 - m^2."""
    sde, m = affine_sde(0.0, 0.5), 0.7
    noise = np.diff(sde.sample(np.zeros(2), 4, 1.0, n=40_000, rng=generator(19), memory=m)[..., 0]) / 0.5
    assert np.corrcoef(noise.reshape(-1, 4).T) == pytest.approx(
        m ** np.abs(np.subtract.outer(range(4), range(4))), abs=0.02
    )
    assert noise.std(axis=(0, 1)) == pytest.approx(1, abs=0.015)
    after = sde.sample([0.0], 2, 1.0, n=40_000, rng=generator(20), memory=m, last=[2.0])[0, :, :, 0]
    first, second = np.diff(after).T / 0.5
    assert (first.mean(), second.mean()) == pytest.approx((2 * m, 2 * m**2), abs=0.02)
    assert first.std() == pytest.approx((1 - m**2) ** 0.5, abs=0.015)


def test_members_make_bands_and_scatter_of_trajectories(affine_sde):
    """Two members whose drifts are -x + 1 and -x - 1."""
    sde = affine_sde(-1.0, 0.5)
    apart = [
        {name: a + np.float32(shift) if name == "drift_0.bias" else a for name, a in sde.members[0].items()}
        for shift in (1, -1)
    ]
    sde.members = apart
    x = np.array([0.0, 2.0])
    half = stats.t.ppf(0.95, 1) * np.sqrt(2)  # deviation of +-1 is sqrt(2)
    bands = sde.bands(x)
    assert np.allclose(sde.drift(x)[:, 0], [0, -2], atol=1e-4)
    assert np.allclose(bands.drift[1] - bands.drift[0], 2 * half, rtol=1e-4)
    assert np.allclose(bands.diffusivity, 0.5, atol=1e-5)
    mean, each = (
        sde.sample([0.0], 1, 0.5, n=20_000, rng=generator(18), by_member=b)[0, :, 1, 0] for b in (False, True)
    )
    assert mean.var() == pytest.approx(0.125, rel=0.04) and each.var() == pytest.approx(0.125 + 0.25, rel=0.04)


def test_the_loss_of_the_true_equation_is_the_smallest(affine_sde):
    """In closed form: 1-D, f = -x / 2, sigma = 0.1, h = 0.1."""
    x0, x1 = linear_steps(200_000, generator(19))
    assert affine_sde(-0.5, 0.1).loss(x0, x1, 0.1) == pytest.approx(-2.0349, abs=0.005)
    assert affine_sde(-0.4, 0.1).loss(x0, x1, 0.1) > -2.0349 < affine_sde(-0.5, 0.11).loss(x0, x1, 0.1)


STEPS = np.linspace(0, 1, 20)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x1": STEPS[1:]}, r"as many rows.*got 20, 19 and \(\)"),
        ({"x1": np.ones((20, 2))}, r"x1 must be \(n, 1\), got \(20, 2\)"),
        ({"x0": np.where(STEPS > 0.5, np.nan, STEPS)}, "x0 must be finite"),
        ({"h": 0.0}, "h must be positive and finite"),
        ({"h": np.ones(3)}, "as many rows"),
        ({"covariates": np.ones((3, 2))}, r"covariates must be \(20, k\), got \(3, 2\)"),
        ({"covariates": np.full(20, np.inf)}, "covariates must be finite"),
        ({"weights": -STEPS}, "weights must be .* not negative"),
        ({"weights": 0 * STEPS}, "not all 0"),
        ({"rng": 3}, "rng must be a numpy.random.Generator, such as .*, got 3"),
        ({"x0": STEPS[:5], "x1": STEPS[:5]}, "at least 10 steps, got 5"),
    ],
)
def test_steps_that_cannot_be_learned_from_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        growth.fit_sde(**{"x0": STEPS, "x1": STEPS, "h": 1.0, "rng": generator(0)} | changes)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda sde: sde.drift(np.ones((3, 2))), r"x must be \(n, 1\), got \(3, 2\)"),
        (lambda sde: sde.drift([1.0], [2.0]), r"covariates must be \(1, 0\)"),
        (lambda sde: sde.bands([1.0]), "members = 2 or more, got 1"),
        (lambda sde: sde.sample([1.0], 3, -1.0, rng=generator(0)), "h must be a positive number, got -1.0"),
        (lambda sde: sde.sample([1.0], 0, 1.0, rng=generator(0)), "at least 1, got 0 and 1"),
        (lambda sde: sde.sample([1.0], 3, 1.0, rng=generator(0), memory=1.0), "memory must be at least 0 and below 1"),
        (lambda sde: sde.sample([1.0], 3, 1.0), "rng is missing"),
        (lambda sde: sde.sample([1.0], 3, 1.0, np.ones((1, 2, 1)), rng=generator(0)), r"with 3 steps, got \(1, 2, 1\)"),
        (lambda sde: sde.loss([1.0], [2.0], [0.0]), "h must be positive"),
    ],
)
def test_what_an_sde_cannot_tell_is_refused(call, message, affine_sde):
    with pytest.raises(ValueError, match=message):
        call(affine_sde(-1, 1))


def test_what_milstein_cannot_do_is_said():
    with pytest.raises(ValueError, match="scheme = 'milstein' needs diffusivity = 'diagonal', got 'spd'"):
        SDEParameters(scheme="milstein", diffusivity="spd")


def test_a_file_of_something_else_is_refused(tmp_path):
    from particlelab.learning.models import save_model

    path = save_model(tmp_path / "other.safetensors", {"a": np.ones(3)}, {"purpose": "something else"})
    with pytest.raises(ValueError, match="holds no stochastic differential equation"):
        load_sde(path)
