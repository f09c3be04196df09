"""The options of the jobs: frozen dataclasses, from which the command line is made too. No torch."""

from spiritlm_cli.jobs.options.align import AlignOptions
from spiritlm_cli.jobs.options.decode import DecodeOptions
from spiritlm_cli.jobs.options.evaluate_choice import ChoiceOptions, MmluOptions
from spiritlm_cli.jobs.options.evaluate_continuation import ContinuationOptions
from spiritlm_cli.jobs.options.evaluate_generation import AsrOptions, IntentOptions, TtsOptions
from spiritlm_cli.jobs.options.evaluate_pairs import (
    BlimpOptions,
    PairsOptions,
    ProsauditOptions,
    SalmonOptions,
    StoryclozeOptions,
    TopicStoryclozeOptions,
    WuggyOptions,
)
from spiritlm_cli.jobs.options.evaluate_perplexity import PerplexityOptions
from spiritlm_cli.jobs.options.evaluate_report import EvaluateReportOptions
from spiritlm_cli.jobs.options.evaluate_resynthesis import ResynthesisOptions
from spiritlm_cli.jobs.options.evaluate_similarity import SimilarityOptions
from spiritlm_cli.jobs.options.evaluate_stsp import StspOptions
from spiritlm_cli.jobs.options.evaluate_toxicity import ToxicityOptions
from spiritlm_cli.jobs.options.evaluate_units import AbxOptions, UnitsOptions
from spiritlm_cli.jobs.options.generate import GenerateOptions
from spiritlm_cli.jobs.options.inspect import InspectOptions
from spiritlm_cli.jobs.options.inspect_batch import InspectBatchOptions
from spiritlm_cli.jobs.options.inspect_diff import InspectDiffOptions
from spiritlm_cli.jobs.options.inspect_unit import InspectUnitOptions
from spiritlm_cli.jobs.options.interleave import InterleaveOptions
from spiritlm_cli.jobs.options.shared import ClipOptions
from spiritlm_cli.jobs.options.tokenize import TokenizeOptions

__all__ = [
    "AbxOptions",
    "AlignOptions",
    "AsrOptions",
    "BlimpOptions",
    "ChoiceOptions",
    "ClipOptions",
    "ContinuationOptions",
    "DecodeOptions",
    "EvaluateReportOptions",
    "GenerateOptions",
    "InspectBatchOptions",
    "InspectDiffOptions",
    "InspectOptions",
    "InspectUnitOptions",
    "IntentOptions",
    "InterleaveOptions",
    "MmluOptions",
    "PairsOptions",
    "PerplexityOptions",
    "ProsauditOptions",
    "ResynthesisOptions",
    "SalmonOptions",
    "SimilarityOptions",
    "StoryclozeOptions",
    "StspOptions",
    "TokenizeOptions",
    "TopicStoryclozeOptions",
    "ToxicityOptions",
    "TtsOptions",
    "UnitsOptions",
    "WuggyOptions",
]
