"""Word times of a known text: aligners, and the files that store their results."""
