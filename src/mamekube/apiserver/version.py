"""What the server says it is: `/version`, and the server's version wherever else it is told."""

from __future__ import annotations

import platform
from typing import Final

MAJOR: Final = "1"
MINOR: Final = "36"
GIT_VERSION: Final = "v1.36.2"


def describe() -> dict[str, str]:
    """`version.Info`: the API's version, built by and running on Python."""
    return {
        "major": MAJOR,
        "minor": MINOR,
        "emulationMajor": MAJOR,
        "emulationMinor": MINOR,
        "minCompatibilityMajor": MAJOR,
        "minCompatibilityMinor": "35",
        "gitVersion": GIT_VERSION,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "",
        "goVersion": f"python{platform.python_version()}",
        "compiler": platform.python_implementation().lower(),
        "platform": f"linux/{_ARCHITECTURES.get(platform.machine(), platform.machine())}",
    }


_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
