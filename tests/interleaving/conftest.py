from alignment_fixtures import aligner, published_units, recording

__all__ = ["aligner", "published_units", "recording"]
