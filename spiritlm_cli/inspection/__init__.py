"""Looking at tokens: their times, statistics, plots, the HTML page, and differences.

- An input and its times: `inspector` makes an `inspected` clip or token line, whose `timeline` has the times of its
  units.
- Statistics: `statistics` of inputs, made of those of `streams`, with `histogram`, `ngrams` and the sizes of
  `codebooks`.
- On a terminal: `rendering`, with `tables`, `bars` and the token line in rows (`wrapping`).
- Files: the HTML `page` (`page_data`, `page_diff`), `plots` (drawn by `figures`, in the colors of `palette`), and
  `textgrid`.
- Differences: `unit_diff`, printed by `diff_rendering`; `batches` against single clips.
- Places of a unit: `concordance`, printed by `concordance_rendering`, with `unit_phones` and `unit_sound`.
"""
