"""Kernels for notebooks that run side by side."""

import shutil
import sys
import tempfile
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager


class PrivateKernelManager(AsyncKernelManager):
    """Starts kernels of this very Python that talk over sockets in a folder of their own.

    Kernels that start at the same time race for TCP ports, and with sockets in a shared folder for their names.
    """

    def __init__(self, **options):
        self._folder = Path(tempfile.mkdtemp(prefix="lab-"))  # short: names of sockets have at most 103 characters
        super().__init__(transport="ipc", connection_file=str(self._folder / "kernel.json"), **options)

    @property
    def kernel_spec(self):
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")

    async def cleanup_resources(self, restart=False):
        await super().cleanup_resources(restart)
        if not restart:
            shutil.rmtree(self._folder, ignore_errors=True)
