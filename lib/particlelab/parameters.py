"""Parameter sets: one definition of an experiment's parameters, from which everything else follows.

A parameter set is a class with one line a field::

    class Imaging(Parameters):
        "How the microscope sees."

        pixel_size_nm: float = parameter(0.5, "Edge of a pixel in the sample", unit="nm", above=0, high=100)
        frames: int = parameter(16, "Frames of a movie", low=1, high=10_000)
        method: Literal["otsu", "kmeans"] = parameter("otsu", "Classifier")

From it come validation with plain errors, the papermill cell of a notebook (`Parameters.cell`), the
controls of a dashboard (`particlelab.lab.controls`) and the table of a report (`Parameters.table`).
"""

import json
import types
import typing
from dataclasses import dataclass

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

_LINE = 120  # characters of a line of a notebook's cell


class ParameterError(ValueError):
    """A parameter has a value that it cannot have; the message names field, value, bounds and unit."""


@dataclass(frozen=True)
class Description:
    """What is known of one parameter: everything that a control or a table needs."""

    name: str
    kind: type  # bool, int, float or str
    default: object
    unit: str
    text: str
    low: float | None  # smallest value allowed
    high: float | None
    above: float | None  # open bounds: the value itself is not allowed
    below: float | None
    choices: tuple | None
    optional: bool  # may be None
    several: bool  # a tuple of `kind`

    @property
    def bounds(self):
        """The allowed values in words, such as ``0 < pixel_size_nm <= 100 nm``."""
        if self.choices:
            text = "one of " + ", ".join(map(str, self.choices))
        else:
            unit = f" {self.unit}" if self.unit else ""
            lower = (
                f"{self.low:g} <= " if self.low is not None else f"{self.above:g} < " if self.above is not None else ""
            )
            upper = (
                f" <= {self.high:g}"
                if self.high is not None
                else f" < {self.below:g}"
                if self.below is not None
                else ""
            )
            kind = {bool: "True or False", int: "a whole number", float: "a number", str: "text"}[self.kind]
            text = f"{lower}{self.name}{upper}{unit}" if lower or upper else kind + (f" in {self.unit}" if unit else "")
            if self.kind is int and (lower or upper):
                text += ", a whole number"
        if self.several:
            text = f"a list, each {text}"
        return text + (" or None" if self.optional else "")


def parameter(default, text, *, unit="", low=None, high=None, above=None, below=None):
    """Declare one field of a `Parameters` class.

    Parameters
    ----------
    default : object
        The value in the tour: small enough for a notebook of seconds.
    text : str
        One line that a newcomer understands.
    unit : str
        As it is written on an axis: ``"nm"``, ``"um^2/s"``; empty for pure numbers.
    low, high, above, below : float, optional
        Closed (``low``, ``high``) or open (``above``, ``below``) bounds.
    """
    return Field(default, description=text, ge=low, le=high, gt=above, lt=below, json_schema_extra={"unit": unit})


class Parameters(BaseModel):
    """Base of every parameter set: immutable, complete, checked when it is made.

    Raises
    ------
    ParameterError
        At construction, if a field is unknown or its value lies outside what is allowed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    def __init__(self, **values):
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ParameterError("; ".join(self._explain(item) for item in error.errors())) from None

    def replace(self, **values):
        """Return a copy with some values changed, checked like a new one."""
        return type(self)(**{**self.model_dump(), **values})

    @classmethod
    def describe(cls):
        """Return a `Description` of each field, in the order of their definition."""
        return [_description(name, field) for name, field in cls.model_fields.items()]

    @classmethod
    def select(cls, values):
        """Make a parameter set of those of ``values`` (such as a notebook's ``globals()``) that it names."""
        return cls(**{name: values[name] for name in cls.model_fields if name in values})

    @classmethod
    def cell(cls, **values):
        """Return the source of the papermill cell of a notebook over this parameter set.

        Plain assignments of the defaults (or of ``values``), each with its unit and its line of
        description as a comment.
        """
        lines = []
        defaults = cls(**values).model_dump()
        for item in cls.describe():
            assignment = _assignment(item.name, defaults[item.name])
            comment = f"# {item.unit}: {item.text}" if item.unit else f"# {item.text}"
            choices = f" ({', '.join(map(str, item.choices))})" if item.choices else ""
            whole = [
                f"{assignment}  {comment}{choices}",
                f"{assignment}  {comment}",
                f"{comment}{choices}\n{assignment}",
            ]
            lines.append(next((line for line in whole if len(line) <= _LINE), whole[-1]))
        return "\n".join(lines)

    def table(self):
        """Return a table of the parameters, one row a field: value, unit, allowed values, meaning."""
        rows = [(d.name, getattr(self, d.name), d.unit, d.bounds, d.text) for d in self.describe()]
        return pd.DataFrame(rows, columns=["parameter", "value", "unit", "allowed", "meaning"])

    @classmethod
    def _explain(cls, error):
        if not error["loc"]:
            return error["msg"].removeprefix("Value error, ")
        name, value = error["loc"][0], error["input"]
        if error["type"] == "extra_forbidden":
            known = ", ".join(cls.model_fields)
            return f"{cls.__name__} has no parameter {name!r}; it has {known}"
        return f"{name} = {value!r} is not allowed; expected {_description(name, cls.model_fields[name]).bounds}"


def compose(name, base, **parts):
    """Make one flat parameter set of several, so that one dashboard can turn all of them.

    Parameters
    ----------
    name : str
        Of the new class.
    base : type
        A `Parameters` class whose fields come first, under their own names.
    **parts : type
        `Parameters` classes; a field ``size`` of the part ``otsu`` becomes ``otsu_size``.

    Returns
    -------
    type
        A `Parameters` class; `part` takes its sets apart again.
    """
    fields = {
        f"{prefix}_{field}": (info.annotation, info)
        for prefix, model in parts.items()
        for field, info in model.model_fields.items()
    }
    return create_model(name, __base__=base, __module__=base.__module__, **fields)  # where processes look for it


def part(parameters, prefix, model):
    """Take one set out of a set that `compose` made."""
    return model(**{field: getattr(parameters, f"{prefix}_{field}") for field in model.model_fields})


def _assignment(name, value):
    """Source of an assignment; a list that is too long for a line has one member a line."""
    line = f"{name} = {_literal(value)}"
    if len(line) <= _LINE or not isinstance(value, tuple | list):
        return line
    return "\n".join([f"{name} = [", *(f"    {_literal(item)}," for item in value), "]"])


def _literal(value):
    """Source of a value as the formatter of the notebooks writes it."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_literal, value))}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _description(name, field):
    kind, metadata, optional, several, choices = field.annotation, list(field.metadata), False, False, None
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        inner = [a for a in typing.get_args(kind) if a is not type(None)]
        kind, optional = inner[0], len(inner) < len(typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        kind, several = typing.get_args(kind)[0], True
    if typing.get_origin(kind) is typing.Annotated:  # bounds of each member of a tuple
        kind, *more = typing.get_args(kind)
        metadata += [m for item in more for m in getattr(item, "metadata", [item])]
    if typing.get_origin(kind) is typing.Literal:
        choices = typing.get_args(kind)
        kind = type(choices[0])
    limits = {limit: getattr(m, limit) for m in metadata for limit in ("ge", "le", "gt", "lt") if hasattr(m, limit)}
    return Description(
        name=name,
        kind=kind,
        default=field.default,
        unit=(field.json_schema_extra or {}).get("unit", ""),
        text=field.description or "",
        low=limits.get("ge"),
        high=limits.get("le"),
        above=limits.get("gt"),
        below=limits.get("lt"),
        choices=choices,
        optional=optional,
        several=several,
    )
