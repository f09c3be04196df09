"""Words and their times to sequences in which text and speech take turns. No torch here."""
