"""Where the project lies."""

import os
from pathlib import Path


def home():
    """The folder of the project: ``PARTICLELAB_HOME``, or the checkout that holds this package."""
    return Path(os.environ.get("PARTICLELAB_HOME") or Path(__file__).parents[2]).resolve()
