"""Classes of changes that restore mostly accepts. CRIU decides; the name only says what they are meant to be."""

import random

from . import images as im
from . import wire
from .images import Impossible


def draw(rng, images, prefixes, field, after):
    """Draws a value of a field in images of the given prefixes and replaces it."""
    candidates = []
    for name in images.named(*prefixes):
        try:
            entries = images.json(name)["entries"]
        except Impossible:
            continue
        candidates += [(name, path) for path in im.scalars(entries) if im.field_name(path) == field]
    if not candidates:
        raise Impossible(field)
    name, path = rng.choice(candidates)
    value = images.json(name)
    before = im.get(value["entries"], path)
    return images.edit(name, path, after(before), value)


def unread_image(rng, images):
    """An image that restore does not read is removed, or added."""
    there = [name for name in images.names if name.startswith(("stats-", "irmap-cache"))]
    if there and rng.random() < 0.5:
        name = rng.choice(there)
        return {name: None}, f"{name}: removed"
    name = rng.choice(["stats-restore", "irmap-cache", "cpuinfo.img"])
    return {name: b"never read"}, f"{name}: added, with other content"


def extra_file(rng, images):
    """A file that belongs to no task, or to no checkpoint at all."""
    source = images.pick(rng, images.with_json())
    name = rng.choice(["core-9999.img", "fdinfo-9999.img", "x.log", "core.bak", "descriptors.json", "pages-77.img"])
    if name.startswith("core-"):
        source = rng.choice(images.named("core-"))
    if name.startswith("fdinfo-"):
        source = rng.choice(images.named("fdinfo-"))
    return {name: images.raw(source)}, f"{name}: added, a copy of {source}"


def unknown_field(rng, images):
    name = images.pick(rng, images.with_json())
    header, messages, rest = wire.split(name, images.raw(name))
    index, number = rng.randrange(len(messages)), rng.choice([500, 1900, 20000])
    if rng.random() < 0.5:
        extra = wire.encode_varint(number << 3) + wire.encode_varint(rng.randrange(1 << 40))
    else:
        extra = wire.unknown_field(number, b"new")
    messages[index] += extra
    return {name: wire.join(header, messages, rest)}, f"{name}: entries[{index}]: unknown field {number} appended"


def fields_reversed(rng, images):
    name = images.pick(rng, images.with_json())
    header, messages, rest = wire.split(name, images.raw(name))
    index = rng.randrange(len(messages))
    messages[index] = wire.reversed_fields(messages[index])
    return {name: wire.join(header, messages, rest)}, f"{name}: entries[{index}]: fields in the opposite order"


def field_repeated(rng, images):
    """A number is encoded a second time in front of its message; protobuf takes the last one."""
    name = images.pick(rng, images.with_json())
    header, messages, rest = wire.split(name, images.raw(name))
    index = rng.randrange(len(messages))
    fields = [part for part in wire.fields(messages[index]) if isinstance(part[1], int)]
    once = [part for part in fields if sum(other[0] == part[0] for other in fields) == 1]
    if not once:
        raise Impossible("no number")
    number, value, _ = rng.choice(once)
    messages[index] = wire.encode_varint(number << 3) + wire.encode_varint(value + 1) + messages[index]
    what = f"field {number} also with {value + 1}, first"
    return {name: wire.join(header, messages, rest)}, f"{name}: entries[{index}]: {what}"


def command_name(rng, images):
    return draw(rng, images, ["core-"], "comm", lambda _: rng.choice(["renamed", "", "a b", "exactly15bytes!"]))


def descriptors_shuffled(rng, images):
    name = images.pick(rng, images.named("fdinfo-"))
    value = images.json(name)
    random.Random(rng.random()).shuffle(value["entries"])
    return {name: images.encode(value)}, f"{name}: entries in another order"


def files_shuffled(rng, images):
    """Regular files change places; other files stay where they are."""
    value = images.json("files.img")
    entries = value["entries"]
    places = [index for index, entry in enumerate(entries) if entry.get("type") == "REG"]
    moved = [entries[index] for index in places]
    random.Random(rng.random()).shuffle(moved)
    for index, entry in zip(places, moved):
        entries[index] = entry
    return {"files.img": images.encode(value)}, "files.img: regular files in another order"


def file_added(rng, images):
    """An entry of files.img that nothing refers to."""
    value = images.json("files.img")
    kind = rng.choice(["REG", "REG", "EVENTFD", "SIGNALFD", "EVENTPOLL", "TIMERFD"])
    owner = {"uid": 0, "euid": 0, "signum": 0, "pid_type": 0, "pid": 0}
    common = {"id": 9000 + rng.randrange(100), "flags": 2, "fown": owner}
    inner = {
        "REG": ("reg", {**common, "pos": 0, "name": "/nowhere/at/all"}),
        "EVENTFD": ("efd", {**common, "counter": 1}),
        "SIGNALFD": ("sgfd", {**common, "sigmask": 2}),
        "EVENTPOLL": ("epfd", {**common, "tfd": [{"id": 0, "tfd": 77, "events": 1, "data": 1}]}),
        "TIMERFD": (
            "tfd",
            {**common, "clockid": 1, "ticks": 0, "settime_flags": 0, "vsec": 0, "vnsec": 0, "isec": 0, "insec": 0},
        ),
    }[kind]
    value["entries"].append({"type": kind, "id": common["id"], inner[0]: inner[1]})
    return {"files.img": images.encode(value)}, f"files.img: {kind} {common['id']} added without a reference to it"


def memfd_added(rng, images):
    name, number = "memfd.img", 900000 + rng.randrange(100)
    value = images.json(name) if name in images.names else {"magic": "MEMFD_INODE", "entries": []}
    inode = {"name": "nobody", "uid": 0, "gid": 0, "size": 4096, "shmid": number, "seals": 1, "inode_id": number}
    value["entries"].append({**inode, "mode": 33279})
    return {name: images.encode(value)}, f"{name}: inode {number} added that nothing opens"


def pipe_data_added(rng, images):
    name, number = rng.choice(["pipes-data.img", "fifo-data.img"]), 800000 + rng.randrange(100)
    magic = "PIPES_DATA" if name.startswith("pipes") else "FIFO_DATA"
    value = images.json(name) if name in images.names else {"magic": magic, "entries": []}
    value["entries"].append({"pipe_id": number, "bytes": 4, "size": 65536, "extra": "YWJjZA==\n"})
    return {name: images.encode(value)}, f"{name}: four bytes added for the missing pipe {number}"


def filter_added(rng, images):
    value = images.json("seccomp.img")
    value["entries"][0].setdefault("seccomp_filters", []).append({"filter": "BgAAAAAA/38=\n"})
    return {"seccomp.img": images.encode(value)}, "seccomp.img: a filter added that no thread uses"


def limit_lowered(rng, images):
    name = images.pick(rng, images.named("core-"))
    value = images.json(name)
    limits = im.get(value["entries"], (0, "tc", "rlimits", "rlimits"))
    index = rng.choice([1, 2, 4, 5, 6, 7, 8, 11, 12, 13, 14])
    return images.edit(name, (0, "tc", "rlimits", "rlimits", index, "cur"), limits[index]["cur"] // 2, value)


def pages_lengthened(rng, images):
    name = images.pick(rng, images.named("pages-"))
    extra = rng.choice([1, 100, 4096, 8192])
    return {name: images.raw(name) + bytes(extra)}, f"{name}: {extra} bytes appended"


def content_changed(rng, images):
    """The content of a ghost file, a pipe or a socket, which only the program knows."""
    names = images.named("ghost-file-", "pipes-data", "fifo-data", "sk-queues")
    name = images.pick(rng, names)
    data = bytearray(images.raw(name))
    data[-1] ^= 1
    return {name: bytes(data)}, f"{name}: the last byte changed"


def field_value(prefixes, field, *choices):
    """Returns a class of changes that gives a field one of some values, each of them valid."""

    def change(rng, images):
        def after(before):
            return rng.choice([choice for choice in choices if choice != before])

        return draw(rng, images, prefixes, field, after)

    change.__name__ = f"field_value_{field}"
    return change


CLASSES = [
    unread_image,
    extra_file,
    extra_file,
    unknown_field,
    unknown_field,
    fields_reversed,
    fields_reversed,
    field_repeated,
    command_name,
    descriptors_shuffled,
    files_shuffled,
    file_added,
    file_added,
    memfd_added,
    pipe_data_added,
    filter_added,
    limit_lowered,
    pages_lengthened,
    content_changed,
    field_value(["fs-"], "umask", 0, 0o77, 0o777),
    field_value(["core-"], "oom_score_adj", 0, 100, 1000),
    field_value(["core-"], "exit_code", 0, 9, 256, 0x0B00),
    field_value(["core-"], "sched_nice", 0, 5, 19),
    field_value(["core-"], "pdeath_sig", 0, 9, 15, 64),
    field_value(["core-"], "child_subreaper", True, False),
    field_value(["core-"], "blk_sigset", 0, 512, 1 << 40),
    field_value(["core-"], "vsec", 500, 100000),
    field_value(["core-"], "isec", 1, 100000),
    field_value(["core-"], "overrun", 3, 7),
    field_value(["core-"], "secbits", 0, 1, 4),
    field_value(["core-"], "cap_inh", 0, 1, 2),
    field_value(["core-"], "uid", 0, 1, 1000),
    field_value(["core-"], "personality", 0, 40000),
    field_value(["mm-"], "dumpable", 0, 1),
    field_value(["mm-"], "thp_disabled", True, False),
    field_value(["mm-"], "madv", 0, 2),
    field_value(["inventory"], "dump_criu_run_id", "another", ""),
    field_value(["inventory"], "ns_per_id", True, False),
    field_value(["files"], "pos", 0, 1, 100),
    field_value(["files"], "counter", 0, 1, 1000),
    field_value(["files"], "sigmask", 0, 2),
    field_value(["files"], "vsec", 0, 5000),
    field_value(["files"], "data", 0, 99),
    field_value(["files"], "uid", 0, 7),
    field_value(["files"], "signum", 0, 10),
    field_value(["files"], "so_sndbuf", 8192, 100000),
    field_value(["files"], "backlog", 0, 1, 10),
    field_value(["fdinfo"], "flags", 0, 1),
    field_value(["utsns-"], "nodename", "elsewhere", "a.b"),
    field_value(["ipcns-"], "mode", 0o600, 0o666),
    field_value(["tty-info"], "ws_row", 25, 50),
    field_value(["mountpoints-"], "source", "other", "none"),
    field_value(["timens-"], "tv_sec", 1, 100000),
]
