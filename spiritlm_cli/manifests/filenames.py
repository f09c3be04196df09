"""File names for ids."""

import re
from urllib.parse import quote

# Kept as they are in a file's name: letters and digits of any script, and what is harmless on every system.
_UNSAFE = re.compile(r"[^\w .,+=@#()-]|^[. ]|[. ]$")


def filename_for(id: str) -> str:  # noqa: A002
    """A file name for an id, without suffix; it has no path in it, and no two ids have the same.

    What is unsafe is percent-encoded, as is the percent sign.
    """
    return _UNSAFE.sub(lambda found: "%2E" if found[0] == "." else quote(found[0], safe=""), id)
