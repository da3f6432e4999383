#!/usr/bin/env python3
"""Holds our crit against upstream's on the same images, both ways.

usage: compare.py OUR_CRIT PYCRIU_PATH DIR

PYCRIU_PATH is where `import pycriu` finds upstream's module (Debian's python3-pycriu, or lib/ of a
built CRIU). DIR is searched for images; `cargo run --example made-up-images -- DIR` fills one.

For each image: decode, decode --pretty and show --nopl must print the same bytes; our JSON given to
upstream's encode, and upstream's given to ours, must make the image again. Where upstream fails
by itself, or does not bring its own JSON back, the image is counted as such and named with -v.
"""
import io
import json
import os
import subprocess
import sys

verbose = "-v" in sys.argv
crit, path, folder = [a for a in sys.argv[1:] if a != "-v"]
sys.path.insert(0, path)
import pycriu  # noqa: E402


def ours(args, data=None):
    run = subprocess.run([crit] + args, input=data, capture_output=True)
    return run.stdout if run.returncode == 0 else run.stderr


def upstream_decode(data, pretty=False, nopl=False):
    try:
        image = pycriu.images.load(io.BytesIO(data), pretty, nopl)
        return json.dumps(image, indent=4 if pretty else None).encode()
    except Exception as error:
        return error


def upstream_encode(text):
    try:
        out = io.BytesIO()
        pycriu.images.dump(json.loads(text), out)
        return out.getvalue()
    except Exception as error:
        return error


count = dict.fromkeys(("images", "compared", "upstream fails", "upstream loses", "differ"), 0)


def differ(name, what, a, b):
    count["differ"] += 1
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    window = slice(max(0, at - 60), at + 60)
    print(f"{name}: {what}: at byte {at}: ours {a[window]!r}, expected {b[window]!r}")


for root, _, files in sorted(os.walk(folder)):
    for file in sorted(files):
        name = os.path.join(root, file)
        data = open(name, "rb").read()
        count["images"] += 1
        forms = (
            (["decode", "-i", name], False, False),
            (["decode", "--pretty", "-i", name], True, False),
            (["show", "--nopl", name], True, True),
        )
        lost = False
        for args, pretty, nopl in forms:
            expected = upstream_decode(data, pretty, nopl)
            what = " ".join(a for a in args if a != name)
            if isinstance(expected, Exception):
                count["upstream fails"] += 1
                if verbose:
                    print(f"{name}: {what}: upstream fails: {expected}")
                continue
            # What upstream does not bring back may have to look different here.
            if nopl and lost:
                continue
            broken = False
            if not nopl:
                back = upstream_encode(expected)
                broken = isinstance(back, Exception)
                lost = not broken and back != data
                if broken or lost:
                    count["upstream loses"] += 1
                    if verbose:
                        print(f"{name}: {what}: upstream does not bring it back: {back!r:.200}")
                if lost:
                    continue
                made = ours(["encode"], expected)
                if made != data:
                    differ(name, "encode of upstream's " + what, made, data)
            printed = ours(args)
            count["compared"] += 1
            if printed != expected + b"\n":
                differ(name, what, printed, expected)
            elif not nopl and not broken and upstream_encode(printed) != data:
                differ(name, "upstream's encode of our " + what, printed, data)

print(", ".join(f"{n} {what}" for what, n in count.items()))
sys.exit(1 if count["differ"] or not count["compared"] else 0)
