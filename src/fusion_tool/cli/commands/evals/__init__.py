"""`fusion-tool eval`: is a panel worth its price on one's own questions?"""

import typer

from fusion_tool.cli.commands.evals.options import ESTIMATE, GRADE, PROFILES, REPORT, RUN, WATCH
from fusion_tool.cli.commands.evals.report import estimate, profiles, report_evaluation
from fusion_tool.cli.commands.evals.run import grade, run_evaluation, watch

evals = typer.Typer(
    name="eval",
    no_args_is_help=True,
    help="Is the panel worth its price on your own questions? Ask, grade blindly, compare with error bars.",
)
evals.command("run", epilog=RUN)(run_evaluation)
evals.command(epilog=GRADE)(grade)
evals.command("report", epilog=REPORT)(report_evaluation)
evals.command(epilog=ESTIMATE)(estimate)
evals.command(epilog=PROFILES)(profiles)
evals.command(epilog=WATCH)(watch)
