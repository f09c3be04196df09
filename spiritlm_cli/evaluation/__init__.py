"""Benchmarks, one module each, and the metrics they report."""
