"""Packages that are broken, in a folder that comes before the installed ones."""

from pathlib import Path


class SitePackages:
    """A folder of packages, as pip would install them. folder: to be put at the start of `sys.path`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def add(
        self, name: str, version: str = "1.0", code: str | None = "", requires: tuple[str, ...] = ()
    ) -> None:
        """Add a distribution, and a package of its name that runs `code` when it is imported (None: no package)."""
        module = name.replace("-", "_").lower()
        if code is not None:
            (self.folder / module).mkdir(exist_ok=True)
            (self.folder / module / "__init__.py").write_text(code)
        information = self.folder / f"{module}-{version}.dist-info"
        information.mkdir(exist_ok=True)
        lines = [f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}"]
        lines += [f"Requires-Dist: {one}" for one in requires]
        lines += [f"Provides-Extra: {one}" for one in {r.split('"')[1] for r in requires if "extra ==" in r}]
        (information / "METADATA").write_text("\n".join(lines) + "\n")
