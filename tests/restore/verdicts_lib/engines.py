"""Containers by runc and podman, inside of a cell. Their storage is in the home of the cell."""

import json
import os
import shutil
import subprocess
import tarfile
import time

NAME = "crit-verdicts"


class Failed(Exception):
    """A command of an engine failed."""


class Engine:
    """The common part of the engines. `spec` is the one of the cell."""

    command = []

    def __init__(self, spec):
        self.spec = spec
        self.log = spec["work"] + "/engine.log"
        path = os.path.dirname(spec["criu"]) + ":" + os.environ["PATH"]
        self.environment = {**os.environ, "PATH": path, "HOME": spec["home"]}

    def run(self, *arguments, output=subprocess.DEVNULL, **more):
        """Runs the engine. A container inherits standard input and output, so they are /dev/null."""
        command = [*self.command, *arguments]
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self.environment, check=False, **more
        ).returncode

    def must(self, *arguments, **more):
        if self.run(*arguments, **more) != 0:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                line = (log.read().strip().splitlines() or ["no message"])[-1]
            raise Failed(f"{self.command[0]} {arguments[0]} failed: {line}")

    def restore_in_time(self):
        """Restores the container. Returns the exit code, or None if there is none in time."""
        try:
            return self.restore()
        except subprocess.TimeoutExpired:
            return None


class Runc(Engine):
    """The bundle is the home of the cell, with the program in `rootfs`."""

    def __init__(self, spec):
        super().__init__(spec)
        self.command = ["runc", "--root", spec["home"] + "/state", "--log", self.log]

    def bundle(self):
        for directory in ("rootfs", "rootfs/proc", "rootfs/dev", "rootfs/sys", "rootfs/tmp"):
            os.mkdir(directory)
        os.rename("program", "rootfs/program")
        subprocess.run(["runc", "spec"], check=True)
        with open("config.json", encoding="utf-8") as text:
            config = json.load(text)
        config["process"]["terminal"] = False
        config["process"]["args"] = ["/program"]
        # Not every system lets runc set them.
        config["process"].pop("rlimits", None)
        config["root"]["readonly"] = False
        with open("config.json", "w", encoding="utf-8") as out:
            json.dump(config, out)

    def dump(self):
        self.bundle()
        self.must("run", "-d", NAME)
        end = time.monotonic() + 10
        while not os.path.exists("rootfs/ready"):
            if time.monotonic() > end:
                raise Failed("the program is not ready after ten seconds")
            time.sleep(0.05)
        self.must("checkpoint", "--image-path", self.spec["images"], "--work-path", self.spec["work"], NAME)
        self.delete()
        shutil.rmtree("state", ignore_errors=True)
        os.unlink("rootfs/ready")

    def restore(self):
        options = ["--image-path", self.spec["images"], "--work-path", self.spec["work"], "-b", self.spec["home"]]
        return self.run("restore", "-d", *options, NAME, timeout=self.spec["seconds"])

    def delete(self):
        """Ends the container after a dump. After a restore the end of the cell does that."""
        self.run("delete", "-f", NAME)


class Podman(Engine):
    """The container image holds only the program. `archive` has the members of the exported checkpoint without the
    images."""

    def __init__(self, spec):
        super().__init__(spec)
        home = spec["home"]
        self.command = ["podman", "--root", home + "/storage", "--runroot", home + "/run", "--tmpdir", home + "/tmp"]
        self.command += ["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--runtime", shutil.which("runc")]
        self.command += ["--runtime-flag", f"root={home}/state"]

    def dump(self):
        os.mkdir("rootfs")
        os.rename("program", "rootfs/program")
        with tarfile.open("rootfs.tar", "w") as out:
            out.add("rootfs", "")
        limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]
        with open(self.log, "ab") as log:
            self.must("import", "rootfs.tar", "judged", output=log)
            self.must("run", "-d", "--network", "none", *limits, "--name", NAME, "judged", "/program", output=log)
            time.sleep(1)
            self.must("container", "checkpoint", "-e", "out.tar", "-c", "none", NAME, output=log)
        self.delete()
        with tarfile.open("out.tar") as exported:
            exported.extractall("archive")
        for name in os.listdir("archive/checkpoint"):
            shutil.move("archive/checkpoint/" + name, self.spec["images"])
        os.unlink("out.tar")

    def restore(self):
        with tarfile.open("out.tar", "w") as out:
            for name in sorted(os.listdir("archive")):
                out.add("archive/" + name, name)
            for name in os.listdir(self.spec["images"]):
                out.add(os.path.join(self.spec["images"], name), "checkpoint/" + name)
        with open(self.log, "ab") as log:
            arguments = ["container", "restore", "--keep", "-i", "out.tar"]
            code = self.run(*arguments, output=log, timeout=self.spec["seconds"])
        for directory, _, names in os.walk("storage/vfs-containers"):
            if "restore.log" in names:
                shutil.copy(os.path.join(directory, "restore.log"), self.spec["work"])
        return code

    def delete(self):
        self.run("rm", "-a", "-f", "-t", "0")


CGROUPS = "/sys/fs/cgroup"


def cgroups():
    """Returns the directories of all cgroups."""
    return {directory for directory, _, _ in os.walk(CGROUPS)}


def remove_cgroups(before):
    """Removes cgroups that were not there before and that no process is in: they outlive a cell."""
    for directory in sorted(cgroups() - before, reverse=True):
        try:
            os.rmdir(directory)
        except OSError:
            pass


def engine(spec):
    """Returns the engine of a cell, or None."""
    kinds = {"runc": Runc, "podman": Podman}
    return kinds[spec["engine"]](spec) if spec["engine"] else None
