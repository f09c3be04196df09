"""One module a trained part, and what they share."""
