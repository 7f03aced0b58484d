"""Users' own films: a video, a folder of frames or a file of several pages, at the size that the network knows."""

import re
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from particlelab.reading import ENDINGS, ReadError, read_colours

VIDEO_ENDINGS = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv")
FRAME_ENDINGS = (*ENDINGS["PNG"], *ENDINGS["JPEG"], *ENDINGS["TIFF"])
EDGE = 256  # pixels along the shorter side of a picture that the network is shown, where its card says nothing
FEWEST_FRAMES = 5  # of a series: one more than a straight line and its scatter take
MOST_FRAMES = 2000
MOST_PIXELS = 100_000_000  # of a frame
FULL = (255, 1023, 4095, 16383, 65535)  # values of white, by the bits of a camera
UNEVEN = 0.2  # of the time between frames, by which times in a file may differ from it


class Film(NamedTuple):
    """Frames of one series."""

    frames: np.ndarray  # (n, h, w, 3) uint8, as the network is shown them
    numbers: np.ndarray  # (n,) of the frames in the file, from 1
    shape: tuple  # (H, W) of the pictures in the file
    frame_time_s: float | None  # between frames that were read; None if the file does not say
    notes: list  # sentences on what is odd about the file
    source: str

    @property
    def scale(self):
        """Pixels of the file along one pixel that the network is shown."""
        height, width = self.frames.shape[1:3]
        return (self.shape[0] * self.shape[1] / (height * width)) ** 0.5


def read_film(path_or_bytes, name=None, edge=EDGE, every=1):
    """Read a series of frames.

    Parameters
    ----------
    path_or_bytes : path or bytes
        A video (any that OpenCV decodes), a folder of frames (PNG, JPEG, TIFF; in the order of the numbers in their
        names), a TIFF file of several pages, or the content of an upload.
    name : str, optional
        Of an upload: its ending says what it is.
    edge : int
        Pixels along the shorter side to which pictures are scaled.
    every : int
        Take each so many-th frame only.

    Returns
    -------
    Film
        A video states the time between its frames as it is to be played, which need not be that of the recording.

    Raises
    ------
    ReadError
        If there is no such file or folder, it cannot be read, frames differ in size or type, are too large, or there
        are fewer than 5 or more than 2000.
    """
    path = None if isinstance(path_or_bytes, bytes | bytearray | memoryview) else Path(path_or_bytes)
    name = name or ("the upload" if path is None else path.resolve().name)
    if path is not None and path.is_dir():
        paths = _frames_of(path, name)
        film = _collect(((frame.name, _read_frame(frame)) for frame in paths[::every]), name, edge, every)
        return film._replace(notes=_find_gaps(paths))
    if Path(name).suffix.lower() in VIDEO_ENDINGS:
        return _read_video(path_or_bytes, name, edge, every)
    frames = read_colours(path_or_bytes, name).frames[::every]
    return _collect(((name, frame) for frame in frames), name, edge, every)


def make_film(frames, edge=EDGE, every=1, source="the film"):
    """Make a film of frames in memory.

    Parameters
    ----------
    frames : (n, H, W) or (n, H, W, 3) array_like
        Grey or in colours. Numbers of 16 bits and floats are taken for a camera's: white is the smallest of 1 (floats
        only), 255, 1023, 4095, 16383 and 65535 that no pixel exceeds.
    edge, every, source
        As of `read_film`.

    Returns
    -------
    Film

    Raises
    ------
    ReadError
        As `read_film`.
    """
    frames = np.asarray(frames)
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise ReadError(f"every must be a whole number of at least 1, got {every!r}")
    if frames.dtype == bool:
        raise ReadError("frames must be pictures, grey or in colours, got bool: masks")
    if frames.ndim not in (3, 4) or (frames.ndim == 4 and frames.shape[3] != 3) or 0 in frames.shape:
        raise ReadError(f"frames must be (n, H, W) or (n, H, W, 3), got {frames.shape}")
    if frames.ndim == 3:
        frames = np.broadcast_to(frames[..., None], (*frames.shape, 3))
    return _collect(((source, frame) for frame in frames[::every]), source, edge, every)


def _frames_of(folder, name):
    """Return the frames of a folder in their order."""
    paths = [path for path in folder.iterdir() if path.suffix.lower() in FRAME_ENDINGS and path.stem[-5:] != "_mask"]
    if not paths:
        raise ReadError(f"{name} holds no frames ({', '.join(FRAME_ENDINGS)})")
    return sorted(paths, key=_by_number)


def _read_frame(path):
    frames = read_colours(path).frames
    if len(frames) > 1:
        raise ReadError(
            f"{path.name} holds {len(frames)} frames: in a folder of frames each must hold one; give the file itself"
        )
    return frames[0]


def _find_gaps(paths):
    """Say where numbers of frames, the last ones of their names, do not follow each other evenly."""
    numbers = [int(found[-1]) for path in paths if (found := re.findall(r"\d+", path.stem))]
    steps = np.diff(numbers) if len(numbers) == len(paths) else np.array([])
    if not len(steps) or (steps == steps[0]).all():
        return []
    usual = np.bincount(np.maximum(steps, 0)).argmax()
    at = int(np.argmax(steps != usual))
    return [
        f"the numbers of the frames jump from {numbers[at]} to {numbers[at + 1]}: times are those of a whole series"
    ]


def _read_video(path_or_bytes, name, edge, every):
    """Read a video through OpenCV, which wants a file."""
    if isinstance(path_or_bytes, bytes | bytearray | memoryview):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"film{Path(name).suffix}"
            path.write_bytes(path_or_bytes)
            return _read_video(path, name, edge, every)
    import cv2

    path = Path(path_or_bytes)
    if not path.is_file():
        raise ReadError(f"{path} is not a file")
    if path.stat().st_size == 0:
        raise ReadError(f"{name} is empty")
    video = cv2.VideoCapture(str(path))
    try:
        width, height = (int(video.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if not video.isOpened() or min(width, height) < 1:
            raise ReadError(f"{name} is no video that can be read ({', '.join(VIDEO_ENDINGS)}); it may be damaged")
        if width * height > MOST_PIXELS:
            raise ReadError(f"{name} has {width} x {height} pixels; at most {MOST_PIXELS / 1e6:g} million are read")
        announced, rate, times = int(video.get(cv2.CAP_PROP_FRAME_COUNT)), video.get(cv2.CAP_PROP_FPS), []

        def frames():
            while video.grab():
                times.append(video.get(cv2.CAP_PROP_POS_MSEC) / 1000)
                if (len(times) - 1) % every == 0:
                    found, frame = video.retrieve()
                    if not found:
                        raise ReadError(f"{name}: frame {len(times)} cannot be decoded; the file may be damaged")
                    yield name, frame[..., ::-1]

        film = _collect(frames(), name, edge, every)
    finally:
        video.release()
    between, notes = _time_between(np.array(times), rate)
    if announced > len(times) + 1:
        notes.append(f"the file announces {announced} frames, {len(times)} can be read")
    return film._replace(frame_time_s=between and between * every, notes=[*film.notes, *notes])


def _time_between(times, rate):
    """Return the time between frames that a video states, None if it states none, and what is odd about it."""
    steps = np.diff(times)
    if len(steps) and (steps > 0).all():
        mean = float(steps.mean())
        if np.ptp(steps) > UNEVEN * mean:
            return mean, [f"frames are {1000 * steps.min():.0f} to {1000 * steps.max():.0f} ms apart; the mean counts"]
        return mean, []
    return (1 / rate if 0 < rate < 1e5 else None), []


def _collect(pictures, source, edge, every):
    """Return a film of pictures, of which each comes with a name."""
    frames, first, peak = [], None, 0.0
    for name, picture in pictures:
        kind = (*picture.shape[:2], picture.dtype)
        first = first or (name, kind)
        if kind[:2] != first[1][:2]:
            sizes = [f"{width} x {height}" for height, width in (kind[:2], first[1][:2])]
            raise ReadError(
                f"{source}: {name} has {sizes[0]} pixels, but {first[0]} has {sizes[1]}; "
                "all frames of a series must have one size"
            )
        if kind != first[1]:
            raise ReadError(f"{source}: {name} holds {kind[2]} pixels, but {first[0]} {first[1][2]}")
        if len(frames) == MOST_FRAMES:
            raise ReadError(f"{source} has more than {MOST_FRAMES} frames; take fewer of them: every = {every + 1}")
        if kind[2].kind == "f" and not np.isfinite(picture).all():
            raise ReadError(f"{source}: {name} holds values that are not finite")
        if picture.min() < 0:
            raise ReadError(f"{source}: {name} holds negative values; grey values start at 0")
        peak = max(peak, float(picture.max()))
        frames.append(_resize(picture, edge))
    if len(frames) < FEWEST_FRAMES:
        every = f" (every = {every})" if every > 1 else ""
        raise ReadError(f"{source} holds {len(frames)} frames{every}; a series has at least {FEWEST_FRAMES}")
    numbers = 1 + every * np.arange(len(frames))
    return Film(_to_eight_bits(frames, peak, source), numbers, first[1][:2], None, [], source)


def _resize(picture, edge):
    """Scale a picture so that its shorter side has so many pixels; bytes stay bytes."""
    from PIL import Image

    height, width = picture.shape[:2]
    factor = edge / min(height, width)
    size = (max(edge, round(width * factor)), max(edge, round(height * factor)))
    if (width, height) != size:
        planes = [Image.fromarray(np.asarray(picture[..., c], np.float32)) for c in range(3)]
        scaled = np.stack([plane.resize(size, Image.Resampling.BICUBIC) for plane in planes], axis=-1)
        return np.rint(scaled).clip(0, 255).astype(np.uint8) if picture.dtype == np.uint8 else scaled
    return np.array(picture)


def _to_eight_bits(frames, peak, source):
    if frames[0].dtype == np.uint8:
        return np.stack(frames)
    ladder = (1, *FULL) if frames[0].dtype.kind == "f" else FULL
    white = next((value for value in ladder if peak <= value), None)
    if white is None:
        raise ReadError(f"{source} holds grey values up to {peak:g}; at most {FULL[-1]} are read")
    return np.stack([np.rint(np.clip(frame * (255 / white), 0, 255)).astype(np.uint8) for frame in frames])


def _by_number(path):
    """Return what puts frame 2 before frame 10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part.lower()) for part in re.split(r"(\d+)", path.name)]
