"""Looking at tokens: their times, statistics, plots, the HTML page, and differences."""
