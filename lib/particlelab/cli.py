"""The command line: ``particlelab run | batch | serve | report | doctor``."""

from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.console import Console
from rich.table import Table

from particlelab.lab import batch as batches
from particlelab.lab import folders
from particlelab.lab import report as reports
from particlelab.lab.doctor import examine

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Particle Lab: measure particles from images and signals. Notebooks stand in `notebooks`; "
    "what they find stands in `reports/index.html`.",
)
console = Console(highlight=False)


def main():
    """Entry point of the command ``particlelab``."""
    try:
        app()
    except (ValueError, OSError) as error:
        console.print(f"[red]particlelab:[/red] {error}", soft_wrap=True)
        raise SystemExit(2) from None


@app.command()
def run(
    notebook: Annotated[str, typer.Argument(help="Name or path of a notebook, such as 50_soot_measure_tem_images.")],
    parameter: Annotated[
        list[str] | None, typer.Option("-p", "--parameter", help="NAME=VALUE; may be given again.")
    ] = None,
):
    """Run one notebook with parameters of your own and write its report."""
    given = dict(_assignment(text) for text in parameter or [])
    _execute(batches.Sweep.single(Path(notebook).stem, given), workers=1)


@app.command()
def batch(
    sweep: Annotated[Path, typer.Argument(help="YAML file that names notebooks, parameters and grids.")],
    workers: Annotated[int, typer.Option(help="Notebooks that run at the same time on this machine.", min=1)] = 2,
    scheduler: Annotated[str | None, typer.Option(help="Address of a dask scheduler to run on instead.")] = None,
):
    """Run all notebooks of a sweep; what is done already is skipped."""
    _execute(batches.load_sweep(sweep), workers=workers, scheduler=scheduler)


@app.command()
def serve(
    port: Annotated[int, typer.Option(help="Port of the server.", min=0, max=65535)] = 8866,
    ip: Annotated[str, typer.Option(help="Address to listen on; others than this machine need a token.")] = "127.0.0.1",
    token: Annotated[str | None, typer.Option(help="Token of the address; drawn at random if not given.")] = None,
    browser: Annotated[bool, typer.Option(help="Open the browser.")] = True,
):
    """Serve the notebooks as dashboards."""
    from particlelab.lab.dashboards import serve as serve_dashboards

    serve_dashboards(port=port, ip=ip, token=token, open_browser=browser)


@app.command()
def report():
    """Write reports/index.html anew from the runs that are there."""
    console.print(f"Report: {reports.write_index()}", soft_wrap=True)


@app.command()
def doctor():
    """Say what is installed here, what is missing, and what each thing is for."""
    table = Table("", "what", "found", "for", box=None)
    findings = examine()
    for finding in findings:
        mark = "[green]ok[/green]" if finding.good else "[red]missing[/red]" if finding.needed else "[yellow]-[/yellow]"
        table.add_row(mark, finding.name, finding.found, finding.purpose)
    console.print(table)
    console.print(f"Project: {folders.home()}", soft_wrap=True)
    raise typer.Exit(any(finding.needed and not finding.good for finding in findings))


def _assignment(text):
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"-p {text}: expected NAME=VALUE")
    return name.strip(), yaml.safe_load(value)


def _execute(sweep, **options):
    runs = batches.run_sweep(sweep, **options)
    console.print(f"Report: {reports.write_index()}", soft_wrap=True)
    raise typer.Exit(int((runs.status == "failed").any()))
