"""Run a program that ends with its parent, if need be as another account.

Started by path, as `python -I -S leash.py SIGNAL PARENT_PID ACCOUNT REACH PROGRAM [ARGUMENT ...]`,
and gone once PROGRAM has replaced it, so a leash costs a few milliseconds and no memory:

- SIGNAL: the signal's number that the kernel sends PROGRAM when its parent dies, however it dies;
- PARENT_PID: the process that must still be the parent by then;
- ACCOUNT: `-`, or `UID:GID` to become for good (PostgreSQL refuses to run as root);
- REACH: `yes` keeps CAP_DAC_OVERRIDE across that change, for a project below a folder that only
  root may enter. Whoever can talk to PROGRAM's socket there is root already.

It is its own little program rather than a `preexec_fn`, which is not safe beside threads.
The kernel's part exists on Linux alone; elsewhere PROGRAM runs without the leash.
"""

from __future__ import annotations

import ctypes
import os
import sys

# <linux/prctl.h>, <linux/capability.h>
PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522


def main(arguments: list[str]) -> None:
    """Do what the module's docstring says; raises OSError where the kernel refuses."""
    signal_number, parent_pid, account, reach, *program = arguments
    if account != "-":
        _become(*(int(number) for number in account.split(":")), reach=reach == "yes")
    if sys.platform == "linux":
        # After the change of account, which would take the setting back.
        _prctl(PR_SET_PDEATHSIG, int(signal_number))
        if os.getppid() != int(parent_pid):
            raise SystemExit(f"{program[0]}: the parent has ended already")
    os.execvp(program[0], program)  # noqa: S606 (replaces this process; there is no shell)


def _become(uid: int, gid: int, *, reach: bool) -> None:
    if reach:
        _prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if reach:
        _keep_only(CAP_DAC_OVERRIDE)


def _keep_only(capability: int) -> None:
    mask = 1 << capability
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    # Two words each of (effective, permitted, inheritable).
    data = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    if ctypes.CDLL(None, use_errno=True).capset(header, data) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)


def _prctl(option: int, value: int, extra: int = 0) -> None:
    call = ctypes.CDLL(None, use_errno=True).prctl
    call.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    if call(option, value, extra, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")


if __name__ == "__main__":
    main(sys.argv[1:])
