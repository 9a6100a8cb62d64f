"""`python -m bench [NAME...]`: run the benchmarks and print their rows. Each name is a module of this folder."""

from __future__ import annotations

import importlib
import sys

ORDER = ("start", "restart", "api", "reads", "watch", "hostile", "idle", "scale", "pods")


def main() -> None:
    names = sys.argv[1:] or ORDER
    unknown = [name for name in names if name not in ORDER]
    if unknown:
        sys.exit(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(ORDER)}")
    for name in names:
        for row, measured in importlib.import_module(f"bench.{name}").run():
            print(row.report(measured), flush=True)


if __name__ == "__main__":
    main()
