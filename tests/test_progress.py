"""Parts of a progress follow each other within the whole."""

import pytest

from particlelab.progress import part_of


def test_parts_fill_the_whole_in_turn():
    told = []
    for begun, share, name in ((0.0, 0.25, "first"), (0.25, 0.75, "")):
        part = part_of(lambda done, text: told.append((done, text)), begun, share, name)
        part(0.5, "half")
        part(1.0, "done")
    shares, texts = zip(*told, strict=True)
    assert shares == pytest.approx((0.125, 0.25, 0.625, 1.0))
    assert texts == ("first: half", "first: done", "half", "done")


def test_nobody_is_told_what_nobody_wants_to_know():
    assert part_of(None, 0.5, 0.5) is None
