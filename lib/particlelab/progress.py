"""Progress of long work: a function that is called with the share that is done, 0 to 1, and a text."""


def part_of(progress, begun, share, name=""):
    """Return the progress of a part of something.

    Parameters
    ----------
    progress : callable or None
        Of the whole.
    begun, share : float
        What is done of the whole when the part begins, and how much of it the part is.
    name : str
        Of the part, which its texts begin with.

    Returns
    -------
    callable or None
        None if nobody wants to know.
    """
    return progress and (lambda done, text: progress(begun + share * done, f"{name}: {text}" if name else text))
