"""A thread that runs the latest of the jobs it is given, so that a dashboard's kernel stays free to listen."""

import threading
import time


class Stopped(Exception):
    """A computation was stopped, by its stop button or by a newer request."""


class Ticket:
    """What a running job knows of its own standing."""

    def __init__(self):
        self.wanted = True  # False once the job is stopped or a newer one is there

    def check(self):
        """Raise `Stopped` if nobody waits for the job any longer."""
        if not self.wanted:
            raise Stopped


class Worker:
    """Runs jobs one at a time; of those that wait only the latest is run, and a newer one calls off the running one.

    Since there is one thread, what an older job draws is never drawn over what a newer one drew.

    Parameters
    ----------
    delay_s : float
        Quiet time after the latest request before it is run: a slider that is dragged asks once.
    """

    def __init__(self, delay_s=0.15):
        self.delay_s = delay_s
        self._changed = threading.Condition()
        self._waiting = self._running = self._thread = None
        self._due_s = 0.0

    def submit(self, job):
        """Run ``job(ticket)`` soon, instead of anything that waits or runs now."""
        with self._changed:
            self._call_off()
            self._waiting = job
            self._due_s = time.monotonic() + self.delay_s
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="particlelab-dashboard", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def stop(self):
        """Call off what waits and what runs."""
        with self._changed:
            self._call_off()
            self._changed.notify_all()

    def wait(self, timeout_s=None):
        """Wait until nothing waits or runs; return whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: self._thread is None, timeout_s)

    def _call_off(self):
        self._waiting = None
        if self._running is not None:
            self._running.wanted = False

    def _run(self):
        while (job := self._next()) is not None:
            job(self._running)

    def _next(self):
        """The latest job once its quiet time is over, or None (and the thread ends) if there is none."""
        with self._changed:
            self._running = None
            while self._waiting is not None and (left_s := self._due_s - time.monotonic()) > 0:
                self._changed.wait(left_s)
            job, self._waiting = self._waiting, None
            if job is None:
                self._thread = None
                self._changed.notify_all()
            else:
                self._running = Ticket()
            return job
