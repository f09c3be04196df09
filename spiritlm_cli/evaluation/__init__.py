"""One module a benchmark, the metrics they share, and the report."""
