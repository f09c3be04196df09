"""Speed and memory of each stage on this machine."""
