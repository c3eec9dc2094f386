"""Processes whose clock is wrong, by as much as a file says, and jumps when that changes.

A small library stands between a program and the C library: what tells the time of day is shifted, and no other clock
is, as where somebody sets a machine's time. A C compiler makes it; where there is none, clocks are right.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

__all__ = ["can_be_wrong", "wrong_clock"]

_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int (*tell)(clockid_t, struct timespec *);
static __thread time_t looked = -1;
static __thread long shift;

int clock_gettime(clockid_t id, struct timespec *at) {
    if (!tell) tell = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int code = tell(id, at);
    if (code || id != CLOCK_REALTIME) return code;
    if (at->tv_sec != looked) {
        const char *name = getenv("MU2NET_TEST_CLOCK");
        FILE *file = name ? fopen(name, "r") : NULL;
        looked = at->tv_sec;
        if (file) {
            if (fscanf(file, "%ld", &shift) != 1) shift = 0;
            fclose(file);
        }
    }
    at->tv_sec += shift;
    return code;
}
"""


def can_be_wrong() -> bool:
    """Returns whether there is a compiler."""
    return shutil.which("cc") is not None


def wrong_clock(folder: Path, file: Path) -> Mapping[str, str]:
    """Returns the environment of processes whose clock is wrong by the seconds that ``file`` says, which is made."""
    file.write_text("0\n")
    if not can_be_wrong():
        return {}
    library, source = folder / "clock.so", folder / "clock.c"
    if not library.exists():
        source.write_text(_SOURCE)
        command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
        subprocess.run(command, check=True)
    return {"LD_PRELOAD": str(library), "MU2NET_TEST_CLOCK": str(file)}
