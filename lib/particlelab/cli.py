"""The command line: ``particlelab run | batch | serve | report | doctor``.

What a command needs is imported by it: help comes at once, and the workers of a batch, which import this module again,
load nothing that they do not use.
"""

from pathlib import Path
from typing import Annotated

import typer

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
