"""The work of each command over many inputs, usable from Python."""
