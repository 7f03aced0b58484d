"""What a notebook shows: figures in the lab's look, and the progress of long steps."""

import os

from IPython.display import display
from tqdm.auto import tqdm

from particlelab.lab.theme import bundle


def show(*figures):
    """Show plotly figures in the lab's look, as JupyterLab, Voila and reports draw them without internet."""
    for figure in figures:
        display(bundle(figure), raw=True)


def show_progress(title):
    """Return a function ``progress(fraction, text="")`` that shows how far a long step is.

    A bar in JupyterLab and in Voila; nothing in a batch, which shows its runs itself.
    """
    bar = None

    def update(fraction, text=""):
        nonlocal bar
        if bar is None:
            frame = "{desc} {percentage:3.0f}% |{bar}| {elapsed} {postfix}"
            bar = tqdm(total=1.0, desc=title, bar_format=frame, disable=os.environ.get("PARTICLELAB_LIVE") == "0")
        bar.set_postfix_str(text, refresh=False)
        bar.update(fraction - bar.n)
        if fraction >= 1:
            bar.close()

    return update
