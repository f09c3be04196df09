"""The figures of clips and statistics, with matplotlib.

Import these modules only where matplotlib is known to be installed; `inspection.plots` checks it.
"""
