"""Jobs that are all done, in their order, and a view that is always of the latest state."""

import threading
import time
from collections import deque

from particlelab.lab.explore import PROGRESS_EVERY_S
from particlelab.lab.worker import Stopped, Worker

DELAY_S = 0.05  # a view follows a slider at once


class Jobs:
    """Does in one thread what buttons ask for, none of it left out, and shows what came of it.

    While a job is at work, requests for a view wait for its end; a view that is at work is called off by a newer one.

    Parameters
    ----------
    view : callable
        ``view(ticket)`` shows things as they stand; what it shows, it shows after ``ticket.check()``.
    show_state : callable
        ``show_state(state, text="", fraction=None)``; see `Screen`.
    show_error : callable
        Given the exception that ended a job or a view; jobs that waited are given up.

    Attributes
    ----------
    worker : Worker
    lock : threading.RLock
        Held while something is shown, so that nothing old comes after something new.
    """

    def __init__(self, view, show_state, show_error):
        self.worker, self.lock = Worker(DELAY_S), threading.RLock()
        self._view, self._show_state, self._show_error = view, show_state, show_error
        self._waiting, self._busy = deque(), False

    def request(self, job=None):
        """Do ``job(progress)`` soon, and show what came of it; return at once.

        ``progress(fraction, text="")`` shows how far the job is, and raises `Stopped` when nobody waits any longer.
        """
        with self.lock:
            if job is not None:
                self._waiting.append(job)
            if not self._busy:  # what is at work looks for other jobs, and at the controls, once it is done
                self._show_state("working")
                self.worker.submit(self._run)

    def stop(self):
        """Call off what is at work and what waits."""
        with self.lock:
            self._waiting.clear()
            self._busy = False
            self.worker.stop()
            self._show_state("stopped")

    def _run(self, ticket):
        began_s = shown_s = time.monotonic()

        def progress(fraction, text=""):
            nonlocal shown_s
            with self.lock:
                ticket.check()
                if time.monotonic() - shown_s >= PROGRESS_EVERY_S:
                    shown_s = time.monotonic()
                    self._show_state("working", text, fraction)

        try:
            while (job := self._next(ticket)) is not None:
                job(progress)
            self._view(ticket)
            with self.lock:
                ticket.check()
                self._show_state("done", f"in {time.monotonic() - began_s:.1f} s")
        except Stopped:
            pass  # who stopped it has said so, or a newer request is at work
        except Exception as error:
            with self.lock:
                if ticket.wanted:
                    self._waiting.clear()
                    self._busy = False
                    self._show_error(error)

    def _next(self, ticket):
        with self.lock:
            ticket.check()
            self._busy = bool(self._waiting)
            return self._waiting.popleft() if self._waiting else None
