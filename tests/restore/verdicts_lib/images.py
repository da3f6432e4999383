"""The images of a dump as JSON, decoded and encoded by `crit`, and paths to the values in them."""

import copy
import json
import os
import re
import subprocess

# Registers are not changed: no tool can tell whether a program survives with others.
EXCLUDED = {"gpregs", "fpregs", "tls", "vfp", "fpsimd"}


class Impossible(Exception):
    """This change does not fit the dump; another one is drawn."""


class Images:
    """The decoded images of one directory."""

    def __init__(self, directory, crit):
        self.directory = directory
        self.crit = crit
        self.names = sorted(name for name in os.listdir(directory) if name != "options")
        self.decoded = {}

    def kinds(self, names):
        """Groups names by their kind, so that a kind with many images is not drawn more often."""
        groups = {}
        for name in names:
            groups.setdefault(re.sub(r"[0-9]+|-[0-9a-f]+(?=\.img)", "N", name), []).append(name)
        return [groups[kind] for kind in sorted(groups)]

    def pick(self, rng, names=None):
        """Draws an image: first a kind, then one of its images."""
        kinds = self.kinds(self.names if names is None else names)
        if not kinds:
            raise Impossible("no image")
        return rng.choice(rng.choice(kinds))

    def raw(self, name):
        with open(os.path.join(self.directory, name), "rb") as image:
            return image.read()

    def json(self, name):
        """Returns a copy of the JSON of an image that the caller may edit."""
        if name not in self.decoded:
            command = [self.crit, "decode", "-q", "-i", os.path.join(self.directory, name)]
            done = subprocess.run(command, capture_output=True, check=False)
            self.decoded[name] = json.loads(done.stdout) if done.returncode == 0 else None
        if self.decoded[name] is None:
            raise Impossible(name)
        return copy.deepcopy(self.decoded[name])

    def with_json(self):
        """Returns the names of the images that have JSON with entries."""
        names = []
        for name in self.names:
            try:
                if self.json(name).get("entries"):
                    names.append(name)
            except Impossible:
                pass
        return names

    def named(self, *prefixes):
        return [name for name in self.names if name.startswith(prefixes)]

    def encode(self, value):
        text = json.dumps(value).encode()
        done = subprocess.run([self.crit, "encode", "-q"], input=text, capture_output=True, check=False)
        if done.returncode != 0:
            raise Impossible(done.stderr.decode(errors="replace"))
        return done.stdout

    def edit(self, name, path, after, decoded=None):
        """Returns the bytes of an image with the value at a path replaced, and a description of the change."""
        value = decoded or self.json(name)
        before = put(value["entries"], path, after)
        return {name: self.encode(value)}, f"{name}: {text_of(path)}: {short(before)} -> {short(after)}"


MISSING = object()


def put(value, path, after):
    """Replaces the value at a path and returns what was there; MISSING as the new value removes the field."""
    for step in path[:-1]:
        value = value[step]
    last = path[-1]
    before = value[last] if isinstance(value, list) else value.get(last, MISSING)
    if after is MISSING:
        del value[last]
    else:
        value[last] = after
    return before


def get(value, path):
    for step in path:
        value = value[step]
    return value


def scalars(value, path=()):
    """Yields the paths of all values that are no messages and no lists, registers left out."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in EXCLUDED and not key.startswith("@"):
                yield from scalars(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from scalars(inner, (*path, index))
    else:
        yield path


def lists(value, path=()):
    """Yields the paths of all lists that are not empty."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in EXCLUDED:
                yield from lists(inner, (*path, key))
    elif isinstance(value, list):
        if value:
            yield path
        for index, inner in enumerate(value):
            yield from lists(inner, (*path, index))


def field_name(path):
    """Returns the name of the field that a path ends at."""
    return next((step for step in reversed(path) if isinstance(step, str)), "")


def pick_path(rng, paths):
    """Draws a path: first a field, whatever its position in lists, then one of its values."""
    groups = {}
    for path in paths:
        groups.setdefault(tuple("*" if isinstance(step, int) else step for step in path), []).append(path)
    if not groups:
        raise Impossible("no path")
    return rng.choice(groups[rng.choice(sorted(groups))])


def text_of(path):
    return "entries" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


def short(value):
    if value is MISSING:
        return "(no field)"
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
