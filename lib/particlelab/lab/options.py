"""Options of the command line from a parameter set: ``pixel_size_nm`` becomes ``--pixel-size``."""

import inspect
from typing import Annotated, Literal

import typer


def options(model, groups=None):
    """Return an option for each parameter of a set, for the signature of a command.

    Parameters
    ----------
    model : type
        A `Parameters` class. Parameters of several values have no option.
    groups : dict of str to sequence of str, optional
        Titles under which help lists parameters.

    Returns
    -------
    list of inspect.Parameter
        Of the parameters' own names.
    """
    titles = {name: title for title, names in (groups or {}).items() for name in names}
    return [
        inspect.Parameter(
            item.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=item.default,
            annotation=Annotated[_kind(item), _option(item, titles.get(item.name, "Measurement"))],
        )
        for item in model.describe()
        if not item.several
    ]


def flag(item):
    """Return the option of one `Description`: its name without its unit."""
    unit = "_" + item.unit.replace("^", "").replace("/", "_")
    return "--" + item.name.removesuffix(unit).replace("_", "-")


def _option(item, title):
    name = flag(item)
    flags = f"{name}/--no-{name[2:]}" if item.kind is bool else name
    return typer.Option(
        flags, help=item.text + ".", metavar=f"<{item.unit}>" if item.unit else None, rich_help_panel=title
    )


def _kind(item):
    kind = Literal[item.choices] if item.choices else item.kind
    return kind | None if item.optional else kind
