"""Says what a measurement was made on: a result without its machine and versions is a rumour."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from datetime import date
from pathlib import Path


def describe(packages: list[str]) -> list[str]:
    """Return Markdown lines: processor, cores, Python, package versions, BLAS kernels, date."""
    import scipy.linalg  # noqa: F401  # so that SciPy's BLAS is loaded and listed
    from threadpoolctl import threadpool_info

    kernels = sorted(
        {
            f"{Path(lib['filepath']).name.split('-')[0]} {lib['version']} ({lib['architecture']})"
            for lib in threadpool_info()
            if lib["user_api"] == "blas" and "architecture" in lib
        }
    )
    return [
        f"* {processor()}, {len(os.sched_getaffinity(0))} cores; {platform.system()}; "
        f"Python {platform.python_version()}; {date.today().isoformat()}",
        "* " + ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages),
        f"* BLAS: {'; '.join(kernels)}",
    ]


def processor() -> str:
    """Return the processor's name as the kernel gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "unknown")
