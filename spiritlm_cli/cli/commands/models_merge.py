"""`spiritlm models merge`: an adapter and its base model as one model."""

from spiritlm_cli.cli.command import command
from spiritlm_cli.console import notify
from spiritlm_cli.jobs.options.merge import MergeOptions


@command(MergeOptions)
def merge(options: MergeOptions) -> None:
    """Merge an adapter (LoRA) into the weights of its base model.

    The new folder is a Hugging Face folder, which --lm reads.

    \b
    Examples:
      spiritlm models merge my-adapter/ -o my-model/
      spiritlm models merge my-adapter/ -o my-model/ --from Qwen/Qwen2.5-0.5B
    """
    from spiritlm_cli.jobs.merge import merge as run

    notify(f"{run(options)}: the merged model is here")
