"""Buttons that hand results to the browser as files, made at the moment somebody asks for them."""

from pathlib import Path

import anywidget
import pandas as pd
import traitlets

KINDS = {
    "csv": "text/csv",
    "html": "text/html",
    "json": "application/json",
    "png": "image/png",
    "svg": "image/svg+xml",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "txt": "text/plain",
    "zip": "application/zip",
}


class Download(anywidget.AnyWidget):
    """A button that downloads one file.

    Parameters
    ----------
    name : str
        Name of the file; its ending says what it is.
    content : bytes, str, DataFrame or callable
        The content, or a function without arguments that gives it; a table becomes CSV.
    label : str, optional
        What stands on the button.
    """

    _esm = Path(__file__).parent / "front" / "download.js"

    name = traitlets.Unicode().tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)

    def __init__(self, name, content, label=None):
        super().__init__(name=name, label=label or f"Download {name}")
        self.content = content
        self.on_msg(self._answer)

    def _answer(self, widget, message, buffers):
        try:
            data = file_bytes(self.content)
        except Exception as error:  # whatever a caller's function raises is told in words, not as a traceback
            self.send({"error": f"{self.name} could not be made: {error}"})
        else:
            kind = KINDS.get(self.name.rpartition(".")[2].lower(), "application/octet-stream")
            self.send({"name": self.name, "kind": kind}, buffers=[data])


def file_bytes(content):
    """Return the bytes of a file: of bytes, text, a table (CSV with a header) or a function that gives one of them.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if callable(content):
        content = content()
    if isinstance(content, pd.DataFrame):
        numbered = content.index.equals(pd.RangeIndex(len(content)))
        content = content.to_csv(index=not numbered, lineterminator="\n")
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, bytes | bytearray | memoryview):
        return bytes(content)
    raise TypeError(f"a download is bytes, text, a table or a function that gives one, got {type(content).__name__}")
