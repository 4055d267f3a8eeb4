"""Commands about metrics, experiments and champions.

Heavy imports stay inside the commands, which keeps `--help` fast.
"""

from typing import Annotated

import typer

from pipeline.cli.root import Dry, app, flag


@app.command()
def metrics(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Runs: workspace, champion, champion/N, an experiment's name or a git revision. "
            "Default: all."
        ),
    ] = None,
    csv: Annotated[bool, flag("--csv", help="Print every metric as CSV, one row each.")] = False,
) -> None:
    """Show the metrics of runs, one row per run and person; with --csv all of them."""
    from pipeline.report.metrics_table import headline_table, metrics_csv

    typer.echo(metrics_csv(runs or ()) if csv else headline_table(runs or ()), nl=not csv)


@app.command()
def experiments(
    metric: Annotated[
        list[str] | None, typer.Option(help="Short name of a headline metric; repeat for more.")
    ] = None,
) -> None:
    """List every experiment with the params that it changed and its metrics."""
    from pipeline.experiments.listing import SHOWN, table

    typer.echo(table(metric or SHOWN))


@app.command()
def champion() -> None:
    """Show the champion, its metrics, and the earlier champions."""
    from pipeline.promotion import champions

    typer.echo(champions.describe())


@app.command()
def promote(
    anyway: Annotated[
        str, typer.Option(metavar="WHY", help="Promote against the rules; WHY is recorded.")
    ] = "",
    dry: Dry = False,
) -> None:
    """Promote the results in the workspace if they pass the rules of promotion.yaml."""
    from pipeline.promotion import champions
    from pipeline.report.page.updater import refresh_page

    decision = champions.decide_workspace()
    if anyway:
        decision = decision.overridden(anyway)
    typer.echo(decision.markdown())
    if decision.faulty:
        raise typer.Exit(1)
    if not dry and not decision.unchanged:
        typer.echo(champions.record(decision))
        refresh_page()


@app.command()
def compare(
    first: Annotated[
        str, typer.Argument(help="Git revision, name of an experiment, or `champion`.")
    ],
    second: Annotated[str, typer.Argument(help="Another revision.")] = "workspace",
) -> None:
    """Compare params, metrics and images of two revisions."""
    from pipeline.promotion import champions
    from pipeline.promotion.compare import compare as compare_revisions
    from pipeline.promotion.rules import read_rules
    from pipeline.report.page.comparison import comparison_page

    sides = (champions.resolve(first), champions.resolve(second))
    typer.echo(compare_revisions(*sides, read_rules(), comparison_page).text())


@app.command()
def rollback(
    to: Annotated[
        int | None, typer.Option(help="Number of the champion. Default: the previous one.")
    ] = None,
) -> None:
    """Return to the models and params of an earlier champion; keep the code."""
    from pipeline.promotion.rollback import rollback as roll
    from pipeline.report.page.updater import refresh_page

    typer.echo("\n".join(roll(to)))
    refresh_page()
