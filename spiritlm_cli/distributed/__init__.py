"""Computation on a Ray cluster: inputs in order, each with its outcome, by worker processes that load the models once.

Inputs and results travel as bytes that a `Codec` makes. Ray is an optional extra: only functions import it.
"""

from spiritlm_cli.distributed.cluster import WorkerPool
from spiritlm_cli.distributed.executor import ClusterJob, compute_on_cluster
from spiritlm_cli.distributed.messages import Codec
from spiritlm_cli.distributed.worker import Computation

__all__ = ["ClusterJob", "Codec", "Computation", "WorkerPool", "compute_on_cluster"]
