"""Uploads: files that a visitor hands to one dashboard, checked before anything reads them."""

import re
from pathlib import Path, PureWindowsPath

import anywidget
import traitlets

SIGNATURES = {  # how files of a kind begin; a kind that is not here is known by its ending alone
    "png": (b"\x89PNG\r\n\x1a\n",),
    "jpg": (b"\xff\xd8\xff",),
    "tif": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
}
SAME = {"jpeg": "jpg", "tiff": "tif"}


class Upload(anywidget.AnyWidget):
    """A field to hand over one file, by choosing it or dropping it there.

    The file comes in pieces, so that no server's limit on the size of a message stands in its way, and
    stays in the memory of this kernel.

    Parameters
    ----------
    kinds : sequence of str
        Endings of the files that are taken. Content that cannot be of its kind is refused.
    max_megabytes : float
        The largest file that is taken (1 MB = 10^6 bytes).
    read : callable, optional
        ``read(name, content: bytes) -> object``, what a dashboard's function gets; its `ValueError` is shown
        in words. Without it the function gets the pair ``(name, content)``.
    text : str
        What to hand over, in words.
    """

    _esm = Path(__file__).parent / "front" / "upload.js"

    kinds = traitlets.List(traitlets.Unicode()).tag(sync=True)
    max_bytes = traitlets.Int().tag(sync=True)
    text = traitlets.Unicode().tag(sync=True)
    error = traitlets.Unicode().tag(sync=True)
    received = traitlets.Unicode().tag(sync=True)  # name of the file in use

    def __init__(
        self, kinds=("png", "jpg", "jpeg", "tif", "tiff", "csv"), max_megabytes=50, read=None, text="Choose a file"
    ):
        super().__init__(kinds=[kind.lower() for kind in kinds], max_bytes=int(max_megabytes * 1e6), text=text)
        self.read = read or (lambda name, content: (name, content))
        self._callbacks = []
        self._name, self._size, self._pieces = "", 0, bytearray()
        self.on_msg(self._receive)

    def on_file(self, callback):
        """Call ``callback(name, content)`` with each file that was taken."""
        self._callbacks.append(callback)

    def take(self, name, content):
        """Take a file as if it had been uploaded.

        Raises
        ------
        ValueError
            If its kind or its size is not allowed.
        """
        name = _plain(name)
        self._check(name, len(content))
        self._check_content(name, content)
        for callback in self._callbacks:
            callback(name, bytes(content))

    def _receive(self, widget, message, buffers):
        """One step of the conversation with upload.js: a file is announced, then sent piece by piece."""
        try:
            if message.get("kind") == "begin":
                self.error = ""
                name, size = _plain(message.get("name")), message.get("size")
                self._check(name, size)
                self._name, self._size, self._pieces = name, size, bytearray()
            elif self._size == 0:  # nothing is awaited: it was refused, or is complete and this was sent twice
                self.send({"complete": True})
                return
            elif not buffers or message.get("offset", 0) > len(self._pieces):
                raise ValueError("The upload was interrupted; please try again.")
            elif message.get("offset") == len(self._pieces):  # otherwise it was sent twice
                self._pieces += buffers[0]
            if len(self._pieces) > self._size:
                raise ValueError("The upload is longer than announced; please try again.")
            if len(self._pieces) < self._size:
                self.send({"next": len(self._pieces)})
            else:
                content, self._size, self._pieces = bytes(self._pieces), 0, bytearray()
                self.send({"complete": True})
                self.take(self._name, content)
        except ValueError as error:
            self._size, self._pieces = 0, bytearray()
            self.error = str(error)
            self.send({"complete": True})

    def _check(self, name, size):
        if _ending(name) not in {SAME.get(kind, kind) for kind in self.kinds}:
            raise ValueError(f"{name} is not a file of a kind that can be read here: {', '.join(self.kinds)}.")
        if not isinstance(size, int) or size <= 0:
            raise ValueError(f"{name} is empty.")
        if size > self.max_bytes:
            raise ValueError(f"{name} has {size / 1e6:.1f} MB; at most {self.max_bytes / 1e6:g} MB are allowed.")

    def _check_content(self, name, content):
        kind = _ending(name)
        if kind in SIGNATURES and not content.startswith(SIGNATURES[kind]):
            raise ValueError(f"{name} is not what its name says: its content is not {kind.upper()}.")
        if kind == "csv" and b"\0" in content:
            raise ValueError(f"{name} is not what its name says: its content is not text.")


def _ending(name):
    kind = name.rpartition(".")[2].lower() if "." in name else ""
    return SAME.get(kind, kind)


def _plain(name):
    """The bare name of a file, whatever folders or odd characters came with it."""
    bare = PureWindowsPath(str(name)).name
    return re.sub(r"[^\w .()+-]", "_", bare)[-150:] or "file"
