"""Work that compiled code does without Python's lock, on several threads."""

from concurrent.futures import ThreadPoolExecutor

from numba import get_num_threads


def in_chunks(fill, count, size, *more):
    """Call a function for each chunk of so many things, on as many threads as numba may have.

    Parameters
    ----------
    fill : callable
        Called with the slice of a chunk, and with the chunk's element of each of ``more``. It writes what it finds
        where it belongs; what it returns is lost, but not what it raises.
    count : int
        Of all things.
    size : int
        Of a chunk; the last one may be smaller.
    *more : iterables
    """
    chunks = (slice(start, min(start + size, count)) for start in range(0, count, size))
    with ThreadPoolExecutor(get_num_threads()) as pool:
        list(pool.map(fill, chunks, *more))
