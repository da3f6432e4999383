"""Makes dumps of the programs and restores copies of them with CRIU."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading

from . import engines, wire

HERE = os.path.dirname(os.path.abspath(__file__))
# All dumped paths begin with this directory. Each run mounts its own tmpfs there.
HOME = "/run/crit-verdicts"
ENGINE = threading.Lock()
NAMESPACES = ["--mount", "--pid", "--fork", "--mount-proc", "--net", "--uts", "--ipc", "--kill-child"]


def in_cell(spec, seconds):
    """Runs cell.py with `spec` in fresh namespaces and returns its answer."""
    os.makedirs(HOME, exist_ok=True)
    path = spec["work"] + "/spec.json"
    spec["answer"] = spec["work"] + "/answer.json"
    spec["home"] = HOME
    with open(path, "w", encoding="utf-8") as out:
        json.dump(spec, out)
    command = ["unshare", *NAMESPACES, sys.executable, "-B", HERE + "/cell.py", path]
    with open(spec["work"] + "/cell.log", "wb") as log:
        cell = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        try:
            cell.wait(seconds)
        except subprocess.TimeoutExpired:
            cell.kill()
            cell.wait()
    try:
        with open(spec["answer"], encoding="utf-8") as text:
            return json.load(text)
    except (FileNotFoundError, ValueError):
        with open(spec["work"] + "/cell.log", encoding="utf-8", errors="replace") as log:
            why = (log.read().strip().splitlines() or ["no answer"])[-1]
        return {"ok": False, "restored": False, "how": "broken", "why": why}


class Dump:
    """A dump of one program: its images, the files the program needs, and the options of CRIU."""

    def __init__(self, program, base, criu):
        self.program = program
        self.name = program.name
        self.images = os.path.join(base, program.name)
        self.files = os.path.join(base, program.name + ".files")
        self.criu = criu
        self.seconds = 10

    def make(self, built):
        """Starts the program and dumps it. Returns None, or why that failed."""
        for directory in (self.images, self.files):
            shutil.rmtree(directory, ignore_errors=True)
            os.makedirs(directory)
        with tempfile.TemporaryDirectory(prefix="verdicts-") as work:
            spec = {
                "do": "dump",
                "engine": self.program.engine,
                "program": built,
                "criu": self.criu,
                "files": None,
                "keep_files": self.files,
                "images": self.images,
                "work": work,
                "options": self.program.dump_options,
            }
            answer = self.in_cell(spec, 90)
        if not answer.get("ok"):
            return answer["why"]
        with open(os.path.join(self.images, "options"), "w", encoding="utf-8") as out:
            root = ["--root", HOME + "/" + self.program.root] if self.program.root else []
            command = self.program.engine or "criu"
            out.write(" ".join([command, "restore", *self.program.restore_options, *root]) + "\n")
        return None

    def in_cell(self, spec, seconds):
        """The containers of an engine have the same cgroups: one at a time."""
        if not self.program.engine:
            return in_cell(spec, seconds)
        with ENGINE:
            before = engines.cgroups()
            try:
                return in_cell(spec, seconds)
            finally:
                engines.remove_cgroups(before)

    def has_file(self, path):
        """Returns true if a restored program finds this file on the system: in the home of the cell or elsewhere."""
        path = "/" + path.lstrip("./")
        if self.program.root or self.program.engine:
            return os.path.exists(self.files + "/rootfs" + path)
        return os.path.exists(self.files + path[len(HOME) :] if path.startswith(HOME) else path)

    def restore(self, images, work):
        """Restores `images` and returns the answer of the cell with the error lines of the log."""
        expected = wire.living_tasks(images)
        if expected is None:
            expected = wire.living_tasks(self.images)
        spec = {
            "do": "restore",
            "engine": self.program.engine,
            "criu": self.criu,
            "files": self.files,
            "images": images,
            "work": work,
            "options": self.program.restore_options,
            "root": HOME + "/" + self.program.root if self.program.root else None,
            "nested": bool(self.program.root or self.program.engine),
            "expected": expected,
            "seconds": self.seconds,
        }
        answer = self.in_cell(spec, self.seconds + 20)
        answer["log"] = error_lines(work + "/restore.log") or last_lines(work + "/engine.log", 2)
        return answer


def error_lines(path):
    """Returns the lines of a log of CRIU that report errors, without times and process IDs."""
    try:
        with open(path, encoding="utf-8", errors="replace") as log:
            lines = [line.rstrip("\n") for line in log]
    except FileNotFoundError:
        return []
    # Without CAP_SYS_RESOURCE each log has the line about RLIMIT_NOFILE.
    lines = [line for line in lines if "Can't setup RLIMIT_NOFILE for self" not in line]
    wanted = [line for line in lines if "Error" in line or "BUG" in line or "killed by signal" in line]
    return [line.split(") ", 1)[-1].strip() if line.startswith("(") else line.strip() for line in wanted]


def last_lines(path, count):
    try:
        with open(path, encoding="utf-8", errors="replace") as log:
            return [line.strip() for line in log][-count:]
    except FileNotFoundError:
        return []


def copy(images, target):
    """Copies a directory of images as hard links. Changes replace whole files, so the originals stay as they are."""
    os.makedirs(target)
    for name in os.listdir(images):
        source = os.path.join(images, name)
        if os.path.islink(source):
            os.symlink(os.readlink(source), os.path.join(target, name))
        else:
            os.link(source, os.path.join(target, name))


def write(directory, name, content):
    """Replaces a file of a copy."""
    path = os.path.join(directory, name)
    if os.path.lexists(path):
        os.unlink(path)
    with open(path, "wb") as out:
        out.write(content)
