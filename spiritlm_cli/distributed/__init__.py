"""Clips to units on a Ray cluster: what `SpeechTokenizer.encode_stream` does, by a model in each of many processes.

Clips go to the workers, and answers come back, as JSON. Ray is an extra: only functions import it.
"""

from spiritlm_cli.distributed.encoding import encode_on_ray
from spiritlm_cli.distributed.worker import Loading

__all__ = ["Loading", "encode_on_ray"]
