"""Draws changes of a dump. The same program, seed and index give the same change, as long as the dump has the same
form; addresses and inode numbers may differ."""

import random
import zlib

from . import harmful, harmless, wire
from .images import Impossible


class Change:
    """One change: files that are replaced (or removed, if their content is None), and its description."""

    def __init__(self, identifier, kind, files, about):
        self.id = identifier
        self.kind = kind
        self.files = files
        self.about = about


def differs(images, name, content):
    return content is None or name not in images.names or content != images.raw(name)


def draw(images, program, seed, index):
    """Draws one change. Even indexes are of the harmless classes, odd ones of the others."""
    identifier = f"{program}/{seed}/{index}"
    rng = random.Random(zlib.crc32(identifier.encode()))
    classes = harmless.CLASSES if index % 2 == 0 else harmful.CLASSES
    for _ in range(200):
        change = rng.choice(classes)
        try:
            files, about = change(rng, images)
        except (Impossible, wire.NotMessages, KeyError, IndexError, TypeError, ValueError):
            continue
        if any(differs(images, name, content) for name, content in files.items()):
            return Change(identifier, change.__name__, files, about)
    raise RuntimeError(f"{identifier}: no change fits this dump")


def draw_all(images, program, seed, count):
    """Draws `count` changes; one that an earlier change repeats is left out."""
    seen, changes = set(), []
    for index in range(count):
        change = draw(images, program, seed, index)
        if change.about not in seen:
            seen.add(change.about)
            changes.append(change)
    return changes
