"""Kernels for notebooks that run side by side."""

import contextlib
import os
import sys
import tempfile
import uuid
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

from particlelab.lab.atomic import claim


class PrivateKernelManager(AsyncKernelManager):
    """Starts kernels of this very Python that talk over sockets in a folder of their own.

    Kernels that start at the same time race for TCP ports, and with sockets in a shared folder for their names. What
    killed processes have left of such folders goes when the next kernel starts.
    """

    def __init__(self, **options):
        self._held = contextlib.ExitStack()
        place = Path(tempfile.gettempdir(), f"lab-{os.getuid()}", uuid.uuid4().hex[:8])
        folder = self._held.enter_context(claim(place))  # short: names of sockets have at most 103 characters
        super().__init__(transport="ipc", connection_file=str(folder / "kernel.json"), **options)

    @property
    def kernel_spec(self):
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=ERROR"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")

    async def cleanup_resources(self, restart=False):
        await super().cleanup_resources(restart)
        if not restart:
            self._held.close()
