"""Where the lab keeps its things: notebooks, reports, caches and data."""

import os
from pathlib import Path

from particlelab.home import home


def notebooks():
    """The folder of the notebooks."""
    return home() / "notebooks"


def reports():
    """The folder that batches and notebooks write into: ``PARTICLELAB_REPORTS`` or ``reports``."""
    return Path(os.environ.get("PARTICLELAB_REPORTS") or home() / "reports").resolve()


def cache():
    """The folder of finished runs: ``PARTICLELAB_CACHE`` or ``data/cache``."""
    return Path(os.environ.get("PARTICLELAB_CACHE") or home() / "data" / "cache").resolve()


def data(domain):
    """The folder that holds real data of a domain, or None: ``PARTICLELAB_DATA/domain``, then ``data/domain``."""
    places = [Path(os.environ["PARTICLELAB_DATA"])] if os.environ.get("PARTICLELAB_DATA") else []
    for place in [*places, home() / "data"]:
        if (place / domain).is_dir():
            return (place / domain).resolve()
    return None
