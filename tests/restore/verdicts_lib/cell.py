"""Runs inside fresh namespaces: makes a dump of a program, or restores one.

`unshare` starts it as the first process of a process namespace, so that the kernel ends everything that is left when
it exits. Mounts, the network, the host name and IPC are fresh too, so that no run influences another.

Usage: cell.py SPEC, where SPEC is a JSON file. The answer is written to the file `answer` names.
"""

import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

import engines

# Programs get process IDs from here on, far from those of CRIU and of this script.
FIRST_PID = 1000


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = bytearray(struct.pack("16sh14x", b"lo", 0))
        fcntl.ioctl(sock, 0x8913, request)  # SIOCGIFFLAGS
        flags = struct.unpack_from("h", request, 16)[0] | 1
        fcntl.ioctl(sock, 0x8914, struct.pack("16sh14x", b"lo", flags))  # SIOCSIFFLAGS


def run(arguments, log, seconds):
    """Returns the exit code, or None if the command did not end in time."""
    with open(log, "ab") as out:
        child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
        try:
            return child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            return None


def protect(writable):
    """Makes the file system read-only but for some directories: damaged images name any path."""
    for directory in writable:
        subprocess.run(["mount", "--bind", directory, directory], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", "/"], check=True)


def prepare(spec):
    home = spec["home"]
    if not spec["engine"]:
        protect(["/run", "/tmp", spec["work"], spec["images"]] + ([spec["keep_files"]] if spec["do"] == "dump" else []))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "home", home], check=True)
    if spec["files"]:
        subprocess.run(["cp", "-a", spec["files"] + "/.", home], check=True)
    # Terminals have the same numbers in each run.
    devpts = ["-t", "devpts", "-o", "newinstance,ptmxmode=0666,mode=0620", "devpts", "/dev/pts"]
    subprocess.run(["mount", *devpts], check=True)
    if spec["engine"]:
        # Podman has its locks there.
        subprocess.run(["mount", "-t", "tmpfs", "shm", "/dev/shm"], check=True)
    os.chdir(home)
    loopback_up()
    for command in spec.get("before", []):
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def dump(spec):
    shutil.copy2(spec["program"], "program")
    engine = engines.engine(spec)
    if engine:
        try:
            engine.dump()
        except engines.Failed as why:
            return {"ok": False, "why": f"{why}; {last_error(spec['work'] + '/dump.log')}"}
        subprocess.run(["cp", "-a", ".", spec["keep_files"]], check=True)
        return {"ok": True}
    with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as last:
        last.write(str(FIRST_PID - 1))
    subprocess.Popen(
        ["setarch", "-R", "./program"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin", "PROGRAM": "dumped"},
        start_new_session=True,
    )
    end = time.monotonic() + 10
    while not (os.path.exists("ready") or os.path.exists("rootfs/ready")):
        for failed in ("failed", "rootfs/failed"):
            if os.path.exists(failed):
                time.sleep(0.05)
                with open(failed, encoding="utf-8") as reason:
                    return {"ok": False, "why": "the program: " + reason.read().strip()}
        if time.monotonic() > end:
            return {"ok": False, "why": "the program is not ready after ten seconds"}
        time.sleep(0.05)
    pid = FIRST_PID
    if os.path.exists("pid"):
        with open("pid", encoding="ascii") as number:
            pid = int(number.read())
    images = spec["images"]
    command = [spec["criu"], "dump", "-t", str(pid), "-D", images, "-W", spec["work"], "-o", "dump.log", "-v4"]
    code = run(command + spec["options"], spec["work"] + "/output", 60)
    if code != 0:
        return {"ok": False, "why": "criu dump failed: " + last_error(spec["work"] + "/dump.log")}
    # Without a work directory CRIU writes it beside the images.
    shutil.copy(spec["work"] + "/stats-dump", images)
    for name in ("ready", "pid", "rootfs/ready"):
        if os.path.exists(name):
            os.unlink(name)
    subprocess.run(["cp", "-a", ".", spec["keep_files"]], check=True)
    return {"ok": True}


def last_error(log):
    try:
        with open(log, encoding="utf-8", errors="replace") as lines:
            errors = [line.strip() for line in lines if "Error" in line and "RLIMIT_NOFILE" not in line]
    except FileNotFoundError:
        return "no log"
    return errors[0] if errors else "no error in the log"


def process_states(depth):
    """Returns the states of all processes by their process IDs in the namespace `depth` levels below this one."""
    states = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/status", encoding="utf-8", errors="replace") as status:
                fields = dict(line.split(":", 1) for line in status if ":" in line)
        except (FileNotFoundError, ProcessLookupError):
            continue
        ids = fields.get("NSpid", name).split()
        if len(ids) == depth + 1:
            states[int(ids[-1])] = fields["State"].split()[0]
    return states


def ask(spec):
    """Asks the first process of a program that answers questions (programs/asked.h). Returns its lines, or None."""
    said = "rootfs/said" if spec["nested"] else "said"
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with open(f"/proc/{name}/status", encoding="utf-8", errors="replace") as status:
            ids = next(line.split()[1:] for line in status if line.startswith("NSpid:"))
        if len(ids) == 1 + spec["nested"] and int(ids[-1]) == (1 if spec["nested"] else FIRST_PID):
            os.kill(int(name), signal.SIGUSR1)
    # A program waits up to two seconds for what does not come, a few times.
    end = time.monotonic() + 15
    while not os.path.exists(said):
        if time.monotonic() > end:
            return None
        time.sleep(0.02)
    with open(said, encoding="utf-8", errors="replace") as lines:
        return lines.read().splitlines()


def restore_by_criu(spec):
    options = list(spec["options"])
    if spec["root"]:
        subprocess.run(["mount", "--bind", spec["root"], spec["root"]], check=True)
        options += ["--root", spec["root"]]
    command = [spec["criu"], "restore", "-d", "-D", spec["images"], "-W", spec["work"], "-o", "restore.log", "-v2"]
    return run(command + options, spec["work"] + "/output", spec["seconds"])


def restore(spec):
    start = time.monotonic()
    code = engines.engine(spec).restore_in_time() if spec["engine"] else restore_by_criu(spec)
    took = time.monotonic() - start
    if code is None:
        return {"restored": False, "how": "hang", "took": took}
    if code != 0:
        return {"restored": False, "how": "error", "code": code, "took": took}
    time.sleep(1)
    states = process_states(1 if spec["nested"] else 0)
    bad = []
    for pid, state in sorted((int(pid), state) for pid, state in spec["expected"].items()):
        now = states.get(pid, "gone")
        if now in ("gone", "Z", "X") or (state == 3 and now not in "Tt"):
            bad.append(f"{pid} is {now}")
    if bad:
        return {"restored": False, "how": "died", "bad": bad, "took": took}
    answer = {"restored": True, "how": "restored", "took": took}
    if spec.get("ask"):
        answer["said"] = ask(spec)
    return answer


def main():
    with open(sys.argv[1], encoding="utf-8") as text:
        spec = json.load(text)
    try:
        prepare(spec)
        answer = {"dump": dump, "restore": restore}[spec["do"]](spec)
    except (OSError, subprocess.SubprocessError) as error:
        answer = {"ok": False, "restored": False, "how": "broken", "why": str(error)}
    with open(spec["answer"], "w", encoding="utf-8") as out:
        json.dump(answer, out)


main()
