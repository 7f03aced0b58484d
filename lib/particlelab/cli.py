"""The command line: ``particlelab run | batch | serve | report | doctor | measure | train | sample``.

What a command needs is imported by it: help comes at once, and the workers of a batch, which import this module again,
load nothing that they do not use.
"""

import contextlib
import importlib
import inspect
import pkgutil
import shutil
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

import particlelab

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Particle Lab: measure particles from images and signals. Notebooks stand in `notebooks`; "
    "what they find stands in `reports/index.html`.",
)


def main():
    """Entry point of the command ``particlelab``."""
    try:
        app()
    except (ValueError, OSError) as error:
        typer.echo(f"particlelab: {error}", err=True)
        raise SystemExit(2) from None


@app.command()
def run(
    notebook: Annotated[str, typer.Argument(help="Name or path of a notebook, such as 50_soot_measure_tem_images.")],
    parameter: Annotated[
        list[str] | None, typer.Option("-p", "--parameter", help="NAME=VALUE; may be given again.")
    ] = None,
):
    """Run one notebook with parameters of your own and write its report."""
    from particlelab.lab.sweeps import Sweep

    given = dict(_assignment(text) for text in parameter or [])
    _execute(Sweep.single(notebook, given), workers=1)


@app.command()
def batch(
    sweep: Annotated[Path, typer.Argument(help="YAML file that names notebooks, parameters and grids.")],
    workers: Annotated[int, typer.Option(help="Notebooks that run at the same time on this machine.", min=1)] = 2,
    scheduler: Annotated[str | None, typer.Option(help="Address of a dask scheduler to run on instead.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds that each notebook may take.", min=1)] = None,
):
    """Run all notebooks of a sweep; what is done already is skipped."""
    from particlelab.lab.sweeps import load_sweep

    _execute(load_sweep(sweep), workers=workers, scheduler=scheduler, timeout_s=timeout)


@app.command()
def serve(
    notebook: Annotated[list[str] | None, typer.Argument(help="Names or paths of notebooks; all by default.")] = None,
    port: Annotated[
        int, typer.Option(help="Port of the server; a free one near it if it is taken.", min=0, max=65535)
    ] = 8866,
    ip: Annotated[str, typer.Option(help="Address to listen on; others than this machine need a token.")] = "127.0.0.1",
    browser: Annotated[bool, typer.Option(help="Open the browser.")] = True,
    token: Annotated[str | None, typer.Option(help="Token of the address; drawn at random if not given.")] = None,
    idle_minutes: Annotated[float, typer.Option(help="A page that nobody touches for so long is closed.", min=1)] = 60,
    preheat: Annotated[int, typer.Option(help="Kernels that wait for the next visitor of each notebook.", min=0)] = 0,
    verbose: Annotated[bool, typer.Option("--verbose", help="Print what the server does.")] = False,
):
    """Serve the notebooks as dashboards."""
    from particlelab.lab import dashboards
    from particlelab.lab.sweeps import find_notebook

    notebooks = [find_notebook(given) for given in notebook or []]
    options = {"idle_minutes": idle_minutes, "preheat": preheat, "verbose": verbose}
    dashboards.serve(notebooks, port=port, ip=ip, open_browser=browser, token=token, **options)


@app.command()
def report():
    """Write reports/index.html and reports/scoreboard.md anew from the runs that are there."""
    from particlelab.lab.overview import write_index, write_scoreboard

    typer.echo(f"Report: {write_index()}\nScoreboard: {write_scoreboard()}")


@app.command()
def doctor():
    """Say what is installed here, what is missing, and what each thing is for."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from particlelab.lab import folders
    from particlelab.lab.doctor import examine

    table = Table("", "what", "found", "for", box=None)
    findings = examine()
    for finding in findings:
        mark = "[green]ok[/green]" if finding.good else "[red]missing[/red]" if finding.needed else "[yellow]-[/yellow]"
        table.add_row(mark, *map(escape, (finding.name, finding.found, finding.purpose)))
    Console(highlight=False).print(table)
    typer.echo(f"Project: {folders.home()}")
    raise typer.Exit(any(finding.needed and not finding.good for finding in findings))


_PARAMETER = Annotated[
    list[str] | None, typer.Option("-p", "--parameter", help="NAME=VALUE of any parameter; may be given again.")
]


class _Domains(TyperGroup):
    """A command for each domain that offers something, made when it is asked for."""

    offer, verb = "", ""  # function by which a domain offers it; what it does then

    def list_commands(self, ctx):
        packages = [package.name for package in pkgutil.iter_modules(particlelab.__path__) if package.ispkg]
        domains = sorted(set(packages) - {"lab", "learning", "measure"})
        return [name for name in domains if hasattr(importlib.import_module(f"particlelab.{name}"), self.offer)]

    def get_command(self, ctx, cmd_name):
        domains = self.list_commands(ctx)
        if cmd_name not in domains:
            raise ValueError(f"there is no domain {cmd_name!r} that {self.verb}; there are {', '.join(domains)}")
        return self.make(cmd_name)


class _Measuring(_Domains):
    offer, verb = "measure_file", "measures files"

    def make(self, name):
        return _measuring(name)


class _Training(_Domains):
    offer, verb = "train_files", "trains generators"

    def make(self, name):
        return _training(name)


class _Sampling(_Domains):
    offer, verb = "sample_files", "draws from generators"

    def make(self, name):
        return _sampling(name)


app.add_typer(
    typer.Typer(cls=_Measuring, no_args_is_help=True, subcommand_metavar="DOMAIN FILE..."),
    name="measure",
    help="Measure files of a domain, one or many, with options of its own.",
)
app.add_typer(
    typer.Typer(cls=_Training, no_args_is_help=True, subcommand_metavar="DOMAIN FILE... -o MODEL"),
    name="train",
    help="Train a generator of a domain on files of your own.",
)
app.add_typer(
    typer.Typer(cls=_Sampling, no_args_is_help=True, subcommand_metavar="DOMAIN MODEL -o FOLDER"),
    name="sample",
    help="Draw from a generator: one that ships, or of your own training.",
)


def _measuring(name):
    """Return the command that measures files of a domain; its options are the fields of the domain's Measurement."""
    domain = importlib.import_module(f"particlelab.{name}")
    found = f"Files, or folders of files: {', '.join(_endings(domain))}."
    if frames := _frames(domain):
        found += f" A folder of frames ({', '.join(frames)}) is one series."

    def measure(
        files: Annotated[list[Path], typer.Argument(help=found, metavar="FILE")],
        output: Annotated[
            Path | None, typer.Option("-o", "--output", help="Table to write: .csv or .parquet; printed if not given.")
        ] = None,
        workers: Annotated[int, typer.Option(help="Files that are measured at the same time.", min=1)] = 1,
        fresh: Annotated[bool, typer.Option("--fresh", help="Measure again what stands in the output.")] = False,
        parameter: _PARAMETER = None,
        **given,
    ):
        asked = _asked(domain.Measurement, given, parameter)
        _measure(domain, asked, files, output, workers, fresh)

    text = f"Measure files of {name}: a table with a line for each particle or frame, and its summary."
    return _command(name, measure, text, domain.Measurement, getattr(domain, "MEASUREMENT_GROUPS", None))


def _training(name):
    """Return the command that trains a generator on files of a domain; its options are the fields of its Training."""
    domain = importlib.import_module(f"particlelab.{name}")
    endings = getattr(domain, "TRAINED_ENDINGS", _endings(domain))
    found = f"Files, or folders of files: {', '.join(endings)}."

    def train(
        files: Annotated[list[Path], typer.Argument(help=found, metavar="FILE")],
        output: Annotated[
            Path, typer.Option("-o", "--output", help="Model to write, .safetensors; its card is written beside it.")
        ],
        parameter: _PARAMETER = None,
        **given,
    ):
        from particlelab.lab.measuring import find_files

        asked = _asked(domain.Training, given, parameter)
        paths = find_files(files, endings)
        checkpoints = output.with_name(f"{output.stem}-checkpoints")
        with _bar("Training", f"The same command goes on from {checkpoints}.") as progress:
            domain.train_files(paths, asked, output, folder=checkpoints, progress=progress)
        shutil.rmtree(checkpoints, ignore_errors=True)
        typer.echo(f"{output}\n{output.with_suffix('.md')}")

    text = f"Train a generator on files of {name}, and write it with its card."
    return _command(name, train, text, domain.Training, getattr(domain, "TRAINING_GROUPS", None), "Training")


def _sampling(name):
    """Return the command that draws from a generator of a domain; its options are the fields of its Sampling."""
    from particlelab.learning.models import shipped_models

    domain = importlib.import_module(f"particlelab.{name}")
    ship = ", ".join(getattr(domain, "shipped_generators", lambda: shipped_models(name))()) or "none"

    def sample(
        model: Annotated[str, typer.Argument(help=f"File of a generator, or one that ships: {ship}.")],
        output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write to, made if it is not there.")],
        parameter: _PARAMETER = None,
        **given,
    ):
        asked = _asked(domain.Sampling, given, parameter)
        with _bar("Drawing", "") as progress:
            written = domain.sample_files(model, asked, output, progress=progress)
        typer.echo(f"{len(written)} files: {output}")

    text = f"Draw from a generator of {name}, and write what it draws."
    return _command(name, sample, text, domain.Sampling, getattr(domain, "SAMPLING_GROUPS", None), "Sampling")


def _command(name, function, text, parameters, groups, title="Measurement"):
    """Return the command of a function, with an option for each parameter of a set."""
    from particlelab.lab.options import options

    signature = inspect.signature(function)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    own.sort(key=lambda p: p.default is not p.empty)  # those that must be given come first, as Python wants it
    signed = [p.replace(kind=p.KEYWORD_ONLY) for p in own]
    others = [item.name for item in parameters.describe()] if title != "Measurement" else []
    groups = {title: others} | (groups or {}) if others else groups
    function.__signature__ = signature.replace(parameters=[*signed, *options(parameters, groups)])
    command = typer.Typer(add_completion=False)
    command.command(name, help=text)(function)
    return typer.main.get_command(command)


def _asked(parameters, given, assignments):
    """Return a parameter set of the options of a command and of ``-p NAME=VALUE``, which may not both name a field."""
    from particlelab.lab.options import flag

    more = dict(_assignment(text) for text in assignments or [])
    for item in parameters.describe():
        if item.name in more and given.get(item.name, item.default) != item.default:
            raise ValueError(f"{item.name} is given twice: {flag(item)} {given[item.name]} and -p {more[item.name]}")
    return parameters(**given | more)


@contextlib.contextmanager
def _bar(title, stopped):
    """Give a progress that a terminal shows; Ctrl-C ends the command with a word."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task(title, total=1.0)
            yield lambda share, text="": bar.update(task, completed=share, description=text or title)
    except KeyboardInterrupt:
        typer.echo(f"Stopped. {stopped}".rstrip(), err=True)
        raise typer.Exit(130) from None


def _endings(domain):
    """Return the endings of the files that a domain measures: images, if it does not name others."""
    from particlelab.reading import IMAGE_ENDINGS

    return getattr(domain, "MEASURED_ENDINGS", IMAGE_ENDINGS)


def _frames(domain):
    """Return the endings of frames, of which a domain measures a folder as one series: none, if it does not say."""
    return getattr(domain, "MEASURED_FRAMES", ())


def _measure(domain, parameters, paths, output, workers, fresh):
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from particlelab.lab.fingerprint import fingerprint
    from particlelab.lab.measuring import find_files, measure_files, summary_in_words
    from particlelab.learning.models import shipped_models

    measure, name = domain.measure_file, domain.__name__.rpartition(".")[2]
    files = find_files(paths, _endings(domain), output, _frames(domain))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        console = Console(stderr=True)
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("Measuring", total=len(files))
            basis = fingerprint(measure, shipped_models(name))
            measured = measure_files(
                measure, parameters, files, output, workers, fresh, lambda file, error: bar.advance(task), basis
            )
    except KeyboardInterrupt:
        kept = f" What was measured stands in {output}; the same command goes on." if output else ""
        typer.echo(f"Stopped.{kept}", err=True)
        raise typer.Exit(130) from None
    if output is None and len(measured.summary):
        Console(highlight=False).print(summary_in_words(measured.summary))
    if output is not None:
        typer.echo(f"{len(files) - len(measured.errors)} of {len(files)} files measured: {output}")
    for row in measured.errors.itertuples():
        typer.echo(f"{row.file}: {row.error}", err=True)
    raise typer.Exit(int(len(measured.errors) > 0))


def _assignment(text):
    from particlelab.lab.sweeps import read_yaml

    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ValueError(f"-p {text}: expected NAME=VALUE")
    try:
        return name.strip(), read_yaml(value)
    except ValueError as error:
        raise ValueError(f"-p {text}: {error}") from None


def _execute(sweep, **options):
    """Run a sweep and write the page of all runs; the exit status tells whether everything is done."""
    try:
        from particlelab.lab.batch import run_sweep
        from particlelab.lab.overview import write_index

        runs = run_sweep(sweep, progress=typer.echo, **options)
        typer.echo(f"Report: {write_index()}")
    except KeyboardInterrupt:
        typer.echo("Stopped. The same command goes on where it was.", err=True)
        raise typer.Exit(130) from None
    raise typer.Exit(int((runs["status"] == "failed").any()))
