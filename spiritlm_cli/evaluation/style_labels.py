"""Reference labels of clips, such as the styles of Expresso: a table with the columns id and style."""

from pathlib import Path

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.tables import read_table
from spiritlm_cli.text_files import numbered_lines


def read_style_labels(path: Path) -> dict[str, str]:
    """Read the style of each clip, by id, from a TSV whose first line names its columns; others are ignored.

    Raises ManifestError, with file and line, for a table without these columns, a row without a style, and an id that
    occurs twice.
    """
    table = read_table(numbered_lines(path), str(path))
    if missing := {"id", "style"} - set(table.columns):
        raise ManifestError(f"{path}: line {table.header_line}: no column {' or '.join(sorted(missing))}")
    labels: dict[str, str] = {}
    for line_number, cells in table.rows:
        where = f"{path}: line {line_number}"
        if isinstance(cells, ManifestError):
            raise cells
        row = table.by_column(cells, where)
        if not row["style"].strip():
            raise ManifestError(f"{where}: no style")
        if row["id"] in labels:
            raise ManifestError(f"{where}: duplicate id {row['id']!a}")
        labels[row["id"]] = row["style"].strip()
    return labels
