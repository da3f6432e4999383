"""What the tests need of the system: root, a C compiler, namespaces, a CRIU."""

import os
import shutil
import subprocess

from . import truth

GET_CRIU = os.path.join(os.path.dirname(truth.HERE), "get-criu")


class Skip(Exception):
    """This system can't run the test."""


def require():
    """Raises Skip if dumps can't be made here at all."""
    if os.geteuid() != 0:
        raise Skip("CRIU needs root")
    if not shutil.which("cc"):
        raise Skip("there is no C compiler")
    if subprocess.run(["unshare", *truth.NAMESPACES, "true"], capture_output=True, check=False).returncode != 0:
        raise Skip("there can be no namespaces")


def find_criu(given, work):
    """Returns the path of a CRIU that runs here: the one that is given, or Debian's newest."""
    criu = given
    if not criu:
        if not shutil.which("apt-get"):
            raise Skip("there is neither $CRIU nor apt-get")
        done = subprocess.run([GET_CRIU, work + "/get"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Skip("no CRIU: " + (done.stderr.strip().splitlines() or ["get-criu failed"])[-1])
        criu = done.stdout.strip().splitlines()[-1]
    try:
        done = subprocess.run([criu, "check"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise Skip(f"no CRIU: {error}") from error
    if done.returncode != 0:
        raise Skip("CRIU can't run here: " + (done.stderr.strip().splitlines() or ["criu check failed"])[-1])
    return criu
