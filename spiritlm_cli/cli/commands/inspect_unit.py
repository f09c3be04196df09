"""`spiritlm inspect unit`: all places of a unit."""

from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.imports import importing
from spiritlm_cli.jobs.options import InspectUnitOptions


@command(InspectUnitOptions)
def unit(options: InspectUnitOptions) -> object:
    """Find all places of a unit, or of several units in succession: what does it stand for?

    Prints the times of each place, the units around it, and its words if they are known. Runs of equal units are one
    unit. -o joins the places as one sound; --phones prints which phones are spoken there. The sound of a token line is
    made by the vocoder; ~ marks times that are predicted, since the line does not say how long its units last.

    \b
    Examples:
      spiritlm inspect unit Hu28 corpus/ -o places.wav --limit 50
      spiritlm inspect unit 'Hu28 Hu5' tokens.txt
      spiritlm inspect unit Hu28 --manifest clips.tsv --phones
    """
    with importing():
        from spiritlm_cli.jobs.inspect_unit import run

    return run(options)
