"""A user's film: disks that grow have the sizes of geometry, whatever kind of file they come from."""

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from particlelab import aerosol
from particlelab.aerosol import figures, films
from particlelab.aerosol.segmentation import Segmenter
from particlelab.aerosol.unet import UNetTraining, build_network
from particlelab.randomness import generator
from particlelab.reading import ReadError

HEIGHT, WIDTH, FRAMES, BETWEEN = 128, 192, 20, 0.04
RADII = 12 + 1.5 * np.arange(FRAMES)  # px: the radius grows by 37.5 px/s
SIZES = 100 * np.pi * RADII**2 / (HEIGHT * WIDTH)


def film(radii=RADII, factor=1, column=96, row=64, move=0):
    """Bright disks before dark, patterned walls; sizes are those of disks with soft edges."""
    y, x = np.mgrid[: HEIGHT * factor, : WIDTH * factor] / factor + 0.5 / factor
    wall = 20 + 12 * np.sin(x / 5) * np.cos(y / 7)
    frames = []
    for number, radius in enumerate(radii):
        inside = np.clip((radius - np.hypot(y - row, x - column)) * factor + 0.5, 0, 1)
        frames.append(np.roll(wall, move * number, axis=1) * (1 - inside) + 200 * inside)
    return np.repeat(np.rint(frames).astype(np.uint8)[..., None], 3, axis=-1)


def threshold(parameters, channels, level, path):
    """Save a U-Net of one level whose weights are a threshold at a grey level of the mean of some channels."""
    import torch

    net = build_network(parameters)
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if name.endswith("running_var") or (tensor.ndim == 1 and name.endswith(("1.weight", "5.weight"))):
                tensor.fill_(1)
            else:
                tensor.zero_()
        net.down[0][0].weight[0, channels, 1, 1] = 1 / 3
        net.down[0][4].weight[0, 0, 1, 1] = 1
        net.answer.weight.fill_(16)
        net.answer.bias.fill_(-16 * level / 255)
    card = {"purpose": "a threshold", "training": parameters.model_dump(mode="json")}
    return str(Segmenter(net, card | {"data": {"edge of an image": HEIGHT}}).save(path))


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "threshold.safetensors"
    return threshold(UNetTraining(widths=(1,)), slice(3), 110, path)


@pytest.fixture
def options(network):
    return {"model": network, "frame_time_s": BETWEEN}


def write_video(path, frames, codec="FFV1", rate=1 / BETWEEN):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), rate, frames.shape[2:0:-1])
    assert writer.isOpened()
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
    return path


def write_folder(path, frames):
    path.mkdir()
    for number, frame in enumerate(frames, 1):
        Image.fromarray(frame).save(path / f"frame_{number}.png")  # 10 comes before 2 by letters
    return path


def measured(table):
    return table[table.kind == "measured"].reset_index(drop=True)


def test_a_disk_that_grows_has_its_sizes_speed_and_forecast(options):
    """To 2 %, by which the outline of a disk of few pixels is off."""
    table, summary = aerosol.measure(film(), **options)
    rows, known = measured(table), summary.set_index("quantity")
    assert rows.frame.tolist() == list(range(1, FRAMES + 1)) and rows.time_s.to_numpy() == pytest.approx(
        BETWEEN * np.arange(FRAMES)
    )
    assert rows.cloud_size_percent.to_numpy() == pytest.approx(SIZES, rel=0.02)
    assert ((rows.low <= SIZES) & (rows.high >= SIZES)).all()
    assert rows.perimeter_px.to_numpy() == pytest.approx(2 * np.pi * RADII, rel=0.02)
    assert rows.area_px2.to_numpy() == pytest.approx(np.pi * RADII**2, rel=0.02)
    assert rows.centre_column_px.to_numpy() == pytest.approx(96, abs=0.1)
    assert rows.clouds.eq(1).all() and not rows.touches_edge.any()
    speed = 100 * 2 * np.pi * RADII[-1] * 1.5 / BETWEEN / (HEIGHT * WIDTH)
    found = known.loc["growth at the last frame"]
    assert found.low < speed < found.high and found.value == pytest.approx(speed, rel=0.03)
    ahead = table[table.kind == "forecast"]
    true = 100 * np.pi * (12 + 1.5 * (ahead.frame - 1)) ** 2 / (HEIGHT * WIDTH)
    assert len(ahead) == 10 and ((ahead.fit_low < true) & (true < ahead.fit_high)).all()
    assert ahead.fit_percent.to_numpy() == pytest.approx(true.to_numpy(), rel=0.03)
    assert known.note["forecast"].startswith("at 1.16 s") and known.value["forecast"] == ahead.fit_percent.iloc[-1]
    drawn = {trace.name: trace for trace in figures.measured_sizes(table).data}
    assert list(drawn["measured"].y) == list(rows.cloud_size_percent)
    assert list(drawn["forecast"].x) == list(ahead.time_s) and len(drawn["forecast, 95 %"].y) == 2 * len(ahead)
    assert ahead.cloud_size_percent.isna().all()


def test_lengths_are_those_of_the_file_and_the_pixel(options):
    usual, large = (measured(aerosol.measure(film(factor=f), **options)[0]) for f in (1, 3))
    in_mm = measured(aerosol.measure(film(), pixel_size_mm=2.0, **options)[0])
    assert large.cloud_size_percent.to_numpy() == pytest.approx(usual.cloud_size_percent.to_numpy(), rel=0.01)
    for name in ("perimeter", "width", "feret", "centre_row"):
        assert large[f"{name}_px"].to_numpy() == pytest.approx(3 * usual[f"{name}_px"].to_numpy(), rel=0.03)
        assert in_mm[f"{name}_mm"].to_numpy() == pytest.approx(2 * usual[f"{name}_px"].to_numpy())
    assert in_mm.area_mm2.to_numpy() == pytest.approx(4 * usual.area_px2.to_numpy())


def test_video_folder_pages_and_array_agree(options, tmp_path):
    expected, _ = aerosol.measure(film(), **options)
    tifffile.imwrite(tmp_path / "pages.tif", film(), photometric="rgb")
    p = aerosol.Measurement(**options)
    paths = [
        write_video(tmp_path / "film.avi", film()),
        write_folder(tmp_path / "film", film()),
        tmp_path / "pages.tif",
    ]
    for path in paths:
        table, _ = aerosol.measure_file(path, p)
        assert table.equals(expected), path
    uploaded = aerosol.examine(aerosol.read_film(paths[0].read_bytes(), "film.avi", HEIGHT), p)
    assert uploaded.table.equals(expected)
    lossy, summary = aerosol.measure_file(
        write_video(tmp_path / "film.mp4", film(), "mp4v"), p.replace(frame_time_s=None)
    )
    assert measured(lossy).cloud_size_percent.to_numpy() == pytest.approx(SIZES, rel=0.03)
    assert summary.set_index("quantity").value["time between frames"] == pytest.approx(BETWEEN)
    assert summary.set_index("quantity").note["time between frames"] == "as the file is played"


def test_grey_and_sixteen_bits_are_the_same_film(options):
    expected, _ = aerosol.measure(film(), **options)
    grey = film()[..., 0]
    white = np.where(np.arange(WIDTH) == 0, 255, grey)  # so that the film tells what white is
    for frames in (grey, white.astype(np.uint16) * 257, white / 255, white.astype(np.uint16) * 16):
        rows = measured(aerosol.measure(frames, **options)[0])
        line = 0 if frames is grey else 100 / WIDTH
        assert rows.cloud_size_percent.to_numpy() == pytest.approx(
            measured(expected).cloud_size_percent.to_numpy() + line, abs=0.05
        )


def test_of_every_second_frame_time_goes_twice_as_fast(options):
    every, _ = aerosol.measure(film(), every=2, **options)
    usual, _ = aerosol.measure(film(), **options)
    kept = measured(usual).iloc[::2].reset_index(drop=True)
    for name in ("frame", "time_s", "cloud_size_percent", "perimeter_px"):
        assert measured(every)[name].to_numpy() == pytest.approx(kept[name].to_numpy())
    assert every[every.kind == "forecast"].frame.iloc[0] == 21


def test_what_may_be_wrong_is_said(options):
    def notes(frames):
        return aerosol.measure(frames, **options)[1].set_index("quantity").note

    assert (notes(film())[-6:] == "").all()
    assert "the camera or the person moved by 19.0 pixels" in notes(film(RADII / 2, move=1))["shift of the picture"]
    beyond = notes(film(column=160))["frames in which the cloud leaves the picture"]
    first = 1 + np.flatnonzero(160 + RADII > WIDTH)[0]
    assert beyond == f"the cloud leaves the picture, from frame {first} on: it is larger than what is seen"
    late = film(np.where(np.arange(FRAMES) < 3, -9, RADII))
    assert notes(late)["frames without a cloud"] == "no cloud was found in 3 of 20 frames"
    rows = measured(aerosol.measure(late, **options)[0])
    assert rows.fit_percent.isna().tolist() == [True] * 3 + [False] * 17
    assert rows.fit_percent[3:].to_numpy() == pytest.approx(SIZES[3:], rel=0.02)


def test_what_was_there_before_the_breath_is_no_cloud(options, tmp_path):
    """A bright poster on the wall: frames before the breath tell it from a cloud."""
    p = UNetTraining(widths=(1,), background=True)
    told = threshold(p, slice(3, 6), 90, tmp_path / "told.safetensors")
    frames = film(np.where(np.arange(FRAMES) < 4, -9, RADII))
    frames[:, :20, :30] = 200
    frames[1, 100:105, 10:14] = 200  # a reflection; breath there is none yet
    noisy = (frames + generator(2).normal(0, 5, frames.shape)).clip(0, 255).round().astype(np.uint8)
    asked = options | {"model": told, "empty_frames": 4}
    table, summary = aerosol.measure(noisy, **asked)
    rows = measured(table)
    assert (rows.cloud_size_percent[:4] > 0).tolist() == [False, True, False, False]
    assert rows.fit_percent.isna().tolist() == [True] * 4 + [False] * 16
    assert rows.cloud_size_percent[4:].to_numpy() == pytest.approx(SIZES[4:], rel=0.02)
    assert (summary.note[-6:] == "").all()
    fooled = measured(aerosol.measure(noisy, **options)[0])
    assert fooled.cloud_size_percent[0] == pytest.approx(100 * 600 / (HEIGHT * WIDTH), rel=0.02)
    for changes, message in [
        ({"empty_frames": 0}, "empty_frames = 0: model = .*is shown the mean of frames before the breath"),
        ({"empty_frames": 20}, "empty_frames = 20 leaves nothing of 20 frames"),
        ({"model": options["model"]}, "empty_frames = 4: model = .*has not learned to use them; give 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            aerosol.measure(noisy, **asked | changes)


def test_pictures_unlike_the_learned_are_told():
    usual = [film() for _ in range(2)]
    card = {"pictures": aerosol.survey_pictures([*usual, film() // 2])}
    assert aerosol.find_departures(film(), card) == [] == aerosol.find_departures(255 - film(), {})
    sentences = aerosol.find_departures(255 - film(), card)
    assert any(sentence.startswith("brightness is") for sentence in sentences)
    noisy = (film() + generator(0).normal(0, 10, film().shape)).clip(0, 255).astype(np.uint8)
    assert aerosol.describe_pictures(noisy)["noise"] - aerosol.describe_pictures(film())["noise"] == pytest.approx(
        10 / 3**0.5, rel=0.15
    )


def test_a_film_without_colours_is_unlike_one_with_them():
    """Though the range that was learned is wide, and half of it below its lowest value is less than 0."""
    card = {"pictures": {"colour": [5.0, 25.0], "noise": [2.0, 3.0]}}
    assert aerosol.find_departures(film(), card) == ["colour is 0, learned 5 to 25"]  # and no noise does no harm


def test_frames_that_are_missing_in_a_folder_are_told(tmp_path):
    folder = write_folder(tmp_path / "frames", film())
    assert aerosol.read_film(folder).notes == []
    (folder / "frame_9.png").unlink()
    (note,) = aerosol.read_film(folder).notes
    assert note.startswith("the numbers of the frames jump from 8 to 10")


def test_the_forecast_is_half_as_long_as_the_breath_however_the_time_is_rounded(options):
    """19 frames after the first, of which half is 9.5: 10 frames, at 1 / 25 s as a computer has it."""
    lengths = {
        len(table) - len(measured(table))
        for between in (0.04, 0.039999999999999994, 0.04000000000000001)
        for table, _ in [aerosol.measure(film(), **options | {"frame_time_s": between})]
    }
    assert lengths == {10}


def test_noise_that_a_training_added_is_no_departure():
    clean = np.full((2, 64, 64, 3), 120, np.uint8)
    noisy = (clean + generator(0).normal(0, 9, clean.shape)).round().astype(np.uint8)
    for added, told in ((0.0, 1), (10.0, 0)):
        card = {"pictures": aerosol.survey_pictures([clean], added)}
        assert sum(text.startswith("noise is") for text in aerosol.find_departures(noisy, card)) == told


def test_calibrated_doubt_covers():
    """Outlines that are off by chance, all around: of other pictures 95 % are held, to four standard errors."""
    y, x = np.mgrid[:64, :64] + 0.5
    rng = generator(1)
    radius, off = rng.uniform(8, 25, (600, 1, 1)), rng.normal(0, 1, (600, 1, 1))
    away = radius - np.hypot(y - 32, x - 32)
    probabilities, masks = 1 / (1 + np.exp(-3 * (away + off))), away > 0
    doubt = aerosol.calibrate_doubt(probabilities[:300], masks[:300])
    low, high = aerosol.bound_sizes(probabilities[300:], doubt)
    true = aerosol.cloud_size(masks[300:])
    assert np.mean((low <= true) & (true <= high)) == pytest.approx(0.95, abs=4 * (2 * 0.05 * 0.95 / 300) ** 0.5)
    assert doubt < 0.05  # this network is too sure
    with pytest.raises(ValueError, match=r"doubt must be between 0 and 0\.5, got 0\.5"):
        aerosol.bound_sizes(probabilities, 0.5)


def test_a_learned_sde_forecasts_at_the_strength_that_it_finds(options, tmp_path, affine_sde):
    """Of a line: in a frame of 0.04 s 0.05 strength, and a scatter of 0.05."""
    path = affine_sde([0, 0.05], 0.05).save(tmp_path / "line.safetensors")
    sizes = 2 + 0.05 * 9 * np.arange(FRAMES)
    disks = film(np.sqrt(sizes * HEIGHT * WIDTH / 100 / np.pi))
    table, summary = aerosol.measure(disks, growth="learned", sde=str(path), **options)
    known, last = summary.set_index("quantity"), table.iloc[-1]
    found = known.loc["strength of the turbulence"]
    assert found.low < 9 < found.high and found.value == pytest.approx(9, abs=4 * 1 / 19**0.5)
    assert last.fit_low < 2 + 0.05 * 9 * (FRAMES + 9) < last.fit_high
    with pytest.raises(ValueError, match="no model 'none' ships for aerosol"):
        aerosol.measure(disks, growth="learned", sde="none", **options)


def test_bad_films_are_refused_by_name(options, tmp_path):
    p = aerosol.Measurement(**options)
    folder = write_folder(tmp_path / "mixed", film()[:6])
    Image.fromarray(film()[0, :, :100]).save(folder / "frame_7.png")
    (tmp_path / "text.mp4").write_text("no film")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "nothing").mkdir()
    whole = write_video(tmp_path / "whole.mp4", film(), "mp4v").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    write_folder(tmp_path / "short", film()[:4])
    pages = write_folder(tmp_path / "pages", film()[:6])
    tifffile.imwrite(pages / "frame_9.tif", film(), photometric="rgb")
    write_folder(tmp_path / "whole", film())
    for name, message in [
        ("mixed", r"mixed: frame_7\.png has 100 x 128 pixels, but frame_1\.png has 192 x 128; all frames"),
        ("text.mp4", r"text\.mp4 is no video that can be read"),
        ("cut.mp4", r"cut\.mp4 is no video that can be read"),
        ("empty.mp4", r"empty\.mp4 is empty"),
        ("none.mp4", r"none\.mp4 is not a file"),
        ("nothing", r"nothing holds no frames"),
        ("short", r"short holds 4 frames; a series has at least 5"),
        ("pages", r"frame_9\.tif holds 20 frames: in a folder of frames each must hold one; give the file itself"),
    ]:
        with pytest.raises(ReadError, match=message):
            aerosol.measure_file(tmp_path / name, p)
    with pytest.raises(ReadError, match=r"whole does not say the time between frames; give frame_time_s"):
        aerosol.measure_file(tmp_path / "whole", p.replace(frame_time_s=None))
    with pytest.raises(ReadError, match=r"holds 4 frames \(every = 5\)"):
        aerosol.measure(film(), every=5, **options)
    with pytest.raises(ValueError, match="no cloud was found in any of the 20 frames"):
        aerosol.measure(film(-RADII), **options)
    with pytest.raises(ReadError, match=r"frames must be \(n, H, W\) or \(n, H, W, 3\), got \(4, 5\)"):
        aerosol.measure(np.zeros((4, 5)), **options)
    with pytest.raises(ReadError, match="negative values"):
        aerosol.make_film(np.full((6, 8, 8), -1.0))


def test_a_film_that_is_too_long_says_what_to_do(monkeypatch):
    monkeypatch.setattr(films, "MOST_FRAMES", 10)
    with pytest.raises(ReadError, match="more than 10 frames; take fewer of them: every = 2"):
        aerosol.make_film(film())
    assert len(aerosol.make_film(film(), every=2).frames) == 10
