"""File names for ids."""

import re
from urllib.parse import quote

# Characters that are encoded: all but letters and digits of any script, and punctuation that is safe on every system.
# A dot or space is encoded at the start and at the end only.
_UNSAFE = re.compile(r"[^\w .,+=@#()-]|^[. ]|[. ]$")


def filename_for(id: str) -> str:  # noqa: A002
    """Return a file name, without suffix, for an id.

    Unsafe characters, path separators and percent signs are percent-encoded (UTF-8). Different ids get different names.
    """
    return _UNSAFE.sub(lambda match: "%2E" if match[0] == "." else quote(match[0], safe=""), id)
