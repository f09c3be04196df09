"""The language model as a model of EleutherAI's Language Model Evaluation Harness, the package `lm_eval`."""
