"""The command line: ``particlelab run | batch | serve | report | doctor | measure``.

What a command needs is imported by it: help comes at once, and the workers of a batch, which import this module again,
load nothing that they do not use.
"""

import importlib
import inspect
import pkgutil
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


class _Domains(TyperGroup):
    """A command for each domain that can measure files, made when it is asked for."""

    def list_commands(self, ctx):
        packages = [package.name for package in pkgutil.iter_modules(particlelab.__path__) if package.ispkg]
        domains = sorted(set(packages) - {"lab", "learning", "measure"})
        return [name for name in domains if hasattr(importlib.import_module(f"particlelab.{name}"), "measure_file")]

    def get_command(self, ctx, cmd_name):
        domains = self.list_commands(ctx)
        if cmd_name not in domains:
            raise ValueError(f"there is no domain {cmd_name!r} that measures files; there are {', '.join(domains)}")
        return _measuring(cmd_name)


app.add_typer(
    typer.Typer(cls=_Domains, no_args_is_help=True, subcommand_metavar="DOMAIN FILE..."),
    name="measure",
    help="Measure files of a domain, one or many, with options of its own.",
)


def _measuring(name):
    """Return the command that measures files of a domain; its options are the fields of the domain's Measurement."""
    from particlelab.lab.options import flag, options

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
        parameter: Annotated[
            list[str] | None, typer.Option("-p", "--parameter", help="NAME=VALUE of any parameter; may be given again.")
        ] = None,
        **given,
    ):
        more = dict(_assignment(text) for text in parameter or [])
        for item in domain.Measurement.describe():
            if item.name in more and given.get(item.name, item.default) != item.default:
                raise ValueError(
                    f"{item.name} is given twice: {flag(item)} {given[item.name]} and -p {more[item.name]}"
                )
        _measure(domain, domain.Measurement(**given | more), files, output, workers, fresh)

    signature = inspect.signature(measure)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    generated = options(domain.Measurement, getattr(domain, "MEASUREMENT_GROUPS", None))
    measure.__signature__ = signature.replace(parameters=[*own, *generated])
    command = typer.Typer(add_completion=False)
    command.command(
        name, help=f"Measure files of {name}: a table with a line for each particle or frame, and its summary."
    )(measure)
    return typer.main.get_command(command)


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
