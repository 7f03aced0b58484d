"""Controls: a parameter set as sliders, fields, choices and check boxes."""

import math
import re
from html import escape

import ipywidgets as widgets
import traitlets

MOST_STEPS = 1000  # of a slider: more cannot be set with a mouse or a finger


def controls(model, *, main=(), groups=None, names=None):
    """Make the controls of a parameter set.

    Parameters
    ----------
    model : type or Parameters
        A `Parameters` class, or an instance whose values the controls start from.
    main : sequence of str
        The parameters that matter most: they stand on top, in this order. The first three of the
        set if neither this nor ``groups`` is given.
    groups : dict of str to sequence of str, optional
        Titles and parameters of the groups folded below. What neither names goes into a last
        group, "More settings". A group whose parameters all begin with a choice of another one, such as
        ``otsu_closing_nm``, is shown only while that choice (``otsu``) is made.
    names : dict of str to str, optional
        What stands for choices, for words of titles and for the beginnings of parameters' names, such as
        ``{"kmeans": "k-means", "dp": "Primary diameter"}``.

    Returns
    -------
    Controls
        Shown with its attribute ``widget``.

    Raises
    ------
    ValueError
        If ``main`` or ``groups`` names a parameter that does not exist, or one twice.
    """
    return Controls(model, main, groups, names)


class Controls:
    """The controls of one parameter set; made by `controls`."""

    def __init__(self, model, main=(), groups=None, names=None):
        self.model = model if isinstance(model, type) else type(model)
        start = self.model() if isinstance(model, type) else model
        self._descriptions = {d.name: d for d in self.model.describe()}
        self._names = names or {}
        self._fields = {name: _field(d, getattr(start, name), self._names) for name, d in self._descriptions.items()}
        self._boxes = {name: widgets.VBox([field]) for name, field in self._fields.items()}
        for box in self._boxes.values():
            box.add_class("pl-field")
        self.widget = self._arranged(*_arrangement(list(self._fields), main, groups))

    def values(self):
        """Return the values as they stand, a dict by name, checked or not."""
        return {name: _read(self._descriptions[name], field) for name, field in self._fields.items()}

    def parameters(self):
        """Return the values as a parameter set.

        Raises
        ------
        ParameterError
            If a value is not allowed; the message names field, value, bounds and unit.
        """
        return self.model(**self.values())

    def set(self, **values):
        """Set some values, all or (if one is not allowed) none of them.

        Raises
        ------
        ParameterError
            If a value is not allowed.
        """
        wanted = self.model(**{**self.values(), **values})
        for name in values:
            _write(self._fields[name], getattr(wanted, name))

    def observe(self, callback):
        """Call ``callback(name)`` after each change of a value."""
        for name, field in self._fields.items():
            field.observe(lambda change, name=name: callback(name), names="value")

    def show_error(self, name, text):
        """Write ``text`` below the control of a parameter; an empty text takes it away."""
        field, box = self._fields[name], self._boxes[name]
        if text:
            box.children = (field, _message(text))
            box.add_class("pl-invalid")
            self._unfold(name)
        elif len(box.children) > 1:
            box.children = (field,)
            box.remove_class("pl-invalid")
            self._show_groups()

    def show_errors(self, error):
        """Write each part of an error below the control whose parameter it begins with.

        Understands `ParameterError`, which may name several parameters, and errors such as
        ``ValueError("pixel_size_nm must be positive, got -0.5")``.

        Returns
        -------
        str
            What is left: the parts that begin with no parameter of this set.
        """
        names = "|".join(self._fields)
        rest = []
        for part in re.split(rf"; (?=(?:{names}) = )", str(error)):
            named = re.match(rf"({names})\b( = )?", part)
            if named:
                self.show_error(named[1], part.removeprefix(f"{named[1]} = "))
            else:
                rest.append(part)
        return "; ".join(rest)

    def clear_errors(self):
        """Take all messages away."""
        for name in self._fields:
            self.show_error(name, "")

    def _arranged(self, main, groups):
        self._groups = {_named(title, self._names): tuple(names) for title, names in groups.items()}
        self._contents = {t: widgets.VBox([self._boxes[n] for n in names]) for t, names in self._groups.items()}
        self._folded = widgets.Accordion()
        self._folded.add_class("pl-groups")
        for choice in {owner[0] for names in self._groups.values() if (owner := self._owner(names))}:
            self._fields[choice].observe(lambda change: self._show_groups(), names="value")
        self._show_groups()
        box = widgets.VBox([self._boxes[name] for name in main] + [self._folded] * bool(groups))
        box.add_class("pl-controls")
        return box

    def _owner(self, names):
        """The parameter and its choice that all names of a group begin with, or None."""
        for d in self._descriptions.values():
            for choice in d.choices or ():
                if not d.several and all(name.startswith(f"{choice}_") for name in names):
                    return d.name, choice
        return None

    def _show_groups(self):
        """Show the groups that matter as things stand; what was unfolded stays so."""
        shown = []
        for title, names in self._groups.items():
            owner = self._owner(names)
            wrong = any(len(self._boxes[name].children) > 1 for name in names)
            if owner is None or self._fields[owner[0]].value == owner[1] or wrong:
                shown.append(title)
        if tuple(shown) == self._folded.titles:
            return
        index = self._folded.selected_index
        unfolded = None if index is None else self._folded.titles[index]
        self._folded.selected_index = None
        self._folded.children = [self._contents[title] for title in shown]
        self._folded.titles = shown
        self._folded.selected_index = shown.index(unfolded) if unfolded in shown else None

    def _unfold(self, name):
        self._show_groups()
        for index, title in enumerate(self._folded.titles):
            if name in self._groups[title]:
                self._folded.selected_index = index


class Several(widgets.VBox):
    """Check boxes for a parameter that takes several of its choices; `value` is a tuple of them."""

    value = traitlets.Tuple()

    def __init__(self, choices, value, label, tooltip):
        self._boxes = {c: widgets.Checkbox(c in value, description=text, indent=False) for text, c in choices}
        title = widgets.Label(label, tooltip=tooltip)
        super().__init__([title, *self._boxes.values()])
        self.add_class("pl-several")
        self.value = tuple(value)
        for box in self._boxes.values():
            box.observe(self._gather, names="value")

    @traitlets.observe("value")
    def _spread(self, change):
        self._spreading = True
        for choice, box in self._boxes.items():
            box.value = choice in change.new
        self._spreading = False

    def _gather(self, change):
        if not self._spreading:
            self.value = tuple(choice for choice, box in self._boxes.items() if box.value)


def label(description, names=None):
    """The name of a parameter in plain words with its unit, such as ``Pixel size (nm)``."""
    words, unit = description.name, description.unit
    written = unit.replace("^", "").replace("/", "_").replace(" ", "_").replace("%", "percent")
    if unit and words.endswith(f"_{written}"):
        words = words[: -len(written) - 1]
    for beginning in sorted(names or {}, key=len, reverse=True):
        if f"{words}_".startswith(f"{beginning}_"):
            words = names[beginning] + words.removeprefix(beginning)
            break
    words = words.replace("_", " ")
    return words[:1].upper() + words[1:] + (f" ({_printed(unit)})" if unit else "")


def _printed(unit):
    superscripts = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    unit = re.sub(r"\^(-?\d+)", lambda power: power[1].translate(superscripts), unit)
    return re.sub(r"\bu(?=[a-zA-Z])", "µ", unit)


def _message(text):
    return widgets.HTML(f'<div class="pl-error" role="alert">{escape(text)}</div>')


def _arrangement(names, main, groups):
    groups = {title: tuple(group) for title, group in (groups or {}).items()}
    named = [*main, *(name for group in groups.values() for name in group)]
    for name in named:
        if name not in names:
            raise ValueError(f"main and groups may name only {', '.join(names)}, got {name!r}")
        if named.count(name) > 1:
            raise ValueError(f"main and groups name {name!r} more than once")
    if not named:
        main = named = names[:3]
    rest = tuple(name for name in names if name not in named)
    return main, {**groups, "More settings": rest} if rest else groups


def _named(title, names):
    return re.sub(r"\w+", lambda word: names.get(word[0], word[0]), title)


def _field(d, value, names):
    """The widget that suits a parameter; its `value` is read and written by `_read` and `_write`."""
    common = {"description": label(d, names), "tooltip": f"{d.text.rstrip('.')}. Allowed: {d.bounds}"}
    choices = [(names.get(str(c), str(c)), c) for c in d.choices or ((True, False) if d.kind is bool else ())]
    if d.several and choices:
        return Several(choices, value or (), common["description"], common["tooltip"])
    if d.kind is bool and not d.optional:
        return widgets.Checkbox(value, indent=False, **common)
    if choices:
        choices += [("none", None)] * d.optional
        if len(choices) <= 3 and sum(len(text) + 4 for text, _ in choices) <= 36:
            return widgets.ToggleButtons(options=choices, value=value, **common)
        return widgets.Dropdown(options=choices, value=value, **common)
    if d.kind is str or d.optional or d.several:
        return widgets.Text(_written(value), continuous_update=False, **common)
    return _slider(d, value, common) or _number(d, value, common)


def _number(d, value, common):
    kind = widgets.IntText if d.kind is int else widgets.FloatText
    return kind(value, continuous_update=False, step=1 if d.kind is int else None, **common)


def _slider(d, value, common):
    """A slider on which bounds and value lie, or None where it would be too coarse or too fine to use."""
    low = d.low if d.low is not None else d.above
    high = d.high if d.high is not None else d.below
    if low is None or high is None or low >= high:
        return None
    if d.kind is int:
        low, high = math.ceil(low) + (d.above == low), math.floor(high) - (d.below == high)
        return widgets.IntSlider(value, low, high, **common) if high - low <= MOST_STEPS else None
    if d.low and low > 0 and d.high and high / low > 300:
        return widgets.FloatLogSlider(
            value, min=math.log10(low) - 1e-12, max=math.log10(high) + 1e-12, step=0.01, readout_format=".4", **common
        )
    step = _step(low, high, value)
    if step is None:
        return None
    low, high = low + step * (d.above == low), high - step * (d.below == high)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return widgets.FloatSlider(value, min=low, max=high, step=step, readout_format=f".{digits}f", **common)


def _step(low, high, value):
    """A power of ten, else 2 or 5 times one, that divides the range in 50 to 1000 and meets the value, or None.

    Powers of ten come first: what is typed beside a slider jumps to its nearest step.
    """
    power = 10.0 ** math.floor(math.log10((high - low) / 50))
    for step in (power, power / 10, 5 * power, 2 * power, power / 2, power / 5, power / 20):
        steps = [(x - low) / step for x in (value, high)]
        on_grid = all(abs(s - round(s)) < 1e-6 for s in steps)
        if on_grid and 50 <= steps[1] <= MOST_STEPS and (steps[0] >= 5 or value == low):
            return step
    return None


def _written(value):
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _read(d, field):
    value = field.value
    if isinstance(field, widgets.FloatLogSlider):  # its ends are powers of ten, a rounding error wider
        return min(max(value, d.low), d.high)
    if isinstance(field, widgets.FloatSlider):  # low + step + step ... may give 0.30000000000000004
        return round(value, 12)
    if not isinstance(field, widgets.Text) or (d.kind is str and not d.several and not d.optional):
        return value
    text = value.strip()
    if not text and d.optional:
        return None
    if d.several:
        return tuple(_converted(d.kind, part.strip()) for part in text.split(",") if part.strip())
    return _converted(d.kind, text)


def _converted(kind, text):
    """The number that a text means; the text itself if it means none, so that the check names it."""
    try:
        return kind(text)
    except ValueError:
        return text


def _write(field, value):
    if isinstance(field, widgets.FloatSlider):  # between an open bound and the first step
        field.min, field.max = min(field.min, value), max(field.max, value)
    field.value = _written(value) if isinstance(field, widgets.Text) else value
