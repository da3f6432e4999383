"""Classes of changes that often break a restore. They do not depend on the findings of `crit check`: fields are
drawn from all that the images have."""

import base64
import struct

from . import images as im
from . import wire
from .images import MISSING, Impossible

# Fields that refer to another image, entry, descriptor, process or namespace.
REFERENCES = set(
    "id files_id vm_id fs_id sighand_id regf_id cwd_id root_id exe_file_id peer pipe_id shmid mnt_id parent_mnt_id "
    "pid_ns_id net_ns_id ipc_ns_id uts_ns_id mnt_ns_id user_ns_id cgroup_ns_id time_ns_id ppid pid pgid sid threads "
    "cg_set root_cg_set seccomp_filter prev tty_info_id inode_id tfd orig_id remap_id id_for tty_id ns_id ino fd fds "
    "it_id notify_thread_id nspid pgrp pages_id map_id master_id shared_id root_id file_id sdev s_dev i_ino "
    "orig_id owner_id scm remap_type peer_netns_id netnsid".split()
)
# Fields with a set of values or a range.
LIMITED = set(
    "task_state state type clock_id clockid it_sigev_notify si_signo sched_policy sched_prio sched_nice family proto "
    "flags mode seccomp_mode pdeath_sig size nr_pages compat_nr_pages nsems qnum bytes length img_version shutdown "
    "counter mtype fstype futex_rla_len rseq_abi_size rseq_abi_pointer membarrier_registration_mask msize mtype "
    "isec iusec vsec vusec insec vnsec prot status start end pgoff madv vaddr fdflags lsmtype backlog mask events wd "
    "seals hugetlb_flag rdev uflags exit_code cap_eff cap_prm cap_bnd secbits dumpable mm_start_code mm_end_code "
    "mm_brk mm_start_brk mm_arg_end mm_start_stack inner first lower_first count key signum pid_type inq_len outq_len "
    "fdinfo_per_id ns_per_id network_lock_method tcp_close allow_uprobes ss_flags uid gid umask".split()
)


def edge(rng, value):
    """Draws another value of the same type, mostly one at an edge."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        edges = [0, 1, 2, 3, 7, -1, value + 1, value - 1, value ^ (1 << rng.randrange(31)), value * 2, value + 4096]
        edges += [99, 1000, 65535, 65536, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 47, (1 << 63) - 1]
        edges += [(1 << 64) - 1, rng.randrange(1 << 16), rng.randrange(1 << 31)]
        return rng.choice([other for other in edges if other != value])
    if isinstance(value, str):
        return rng.choice(["", value + "x", value[:-1], "/nowhere/at/all", "x" * 300, rng.randrange(100)])
    raise Impossible("no edge")


def draw_edit(rng, images, accept, after):
    """Draws a value whose field `accept` takes, and replaces it by what `after` returns for it."""
    names = images.with_json()
    for _ in range(100):
        name = images.pick(rng, names)
        value = images.json(name)
        paths = [path for path in im.scalars(value["entries"]) if accept(im.field_name(path))]
        if paths:
            path = im.pick_path(rng, paths)
            return images.edit(name, path, after(name, value, path), value)
    raise Impossible("no such field")


def image_removed(rng, images):
    name = images.pick(rng)
    return {name: None}, f"{name}: removed"


def entry_removed(rng, images):
    name = images.pick(rng, images.with_json())
    value = images.json(name)
    index = rng.randrange(len(value["entries"]))
    gone = value["entries"].pop(index)
    return {name: images.encode(value)}, f"{name}: entries[{index}]: {im.short(gone)} -> removed"


def entry_doubled(rng, images):
    names = [name for name in images.with_json() if len(images.json(name)["entries"]) > 1]
    name = images.pick(rng, names or images.with_json())
    value = images.json(name)
    index = rng.randrange(len(value["entries"]))
    value["entries"].insert(rng.randrange(index, len(value["entries"])) + 1, value["entries"][index])
    return {name: images.encode(value)}, f"{name}: entries[{index}]: {im.short(value['entries'][index])} -> twice"


def reference_broken(rng, images):
    def other(name, value, path):
        """Another value of the same field anywhere in the dump, or a number that refers to nothing."""
        before = im.get(value["entries"], path)
        if not isinstance(before, int):
            raise Impossible("no number")
        field, found = im.field_name(path), set()
        for image in images.with_json():
            entries = images.json(image)["entries"]
            found |= {
                str(im.get(entries, inner)) for inner in im.scalars(entries) if im.field_name(inner) == field
            }
        others = [int(text) for text in sorted(found) if text.lstrip("-").isdigit() and int(text) != before]
        choices = [before + 1000, before + 1, 0, 77]
        return rng.choice(others if others and rng.random() < 0.5 else [x for x in choices if x != before])

    return draw_edit(rng, images, lambda field: field in REFERENCES, other)


def out_of_range(rng, images):
    def far(_name, value, path):
        before = im.get(value["entries"], path)
        if isinstance(before, bool) or not isinstance(before, int):
            raise Impossible("no number")
        return rng.choice([0, 1 << 22, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 64) - 1, -1])

    return draw_edit(rng, images, lambda field: field in REFERENCES, far)


def limited_value(rng, images):
    def other(_name, value, path):
        return edge(rng, im.get(value["entries"], path))

    return draw_edit(rng, images, lambda field: field in LIMITED, other)


def any_value(rng, images):
    def other(_name, value, path):
        return edge(rng, im.get(value["entries"], path))

    return draw_edit(rng, images, lambda field: True, other)


def field_removed(rng, images):
    name = images.pick(rng, images.with_json())
    value = images.json(name)
    paths = [path for path in im.scalars(value["entries"]) if isinstance(path[-1], str)]
    path = im.pick_path(rng, paths)
    if rng.random() < 0.3 and len(path) > 2 and isinstance(path[-2], str):
        path = path[:-1]  # The whole message that the field is in.
    return images.edit(name, path, MISSING, value)


def element_changed(rng, images):
    """A list inside a message loses an element, or has one twice, or in another order."""
    name = images.pick(rng, images.with_json())
    value = images.json(name)
    path = im.pick_path(rng, [path for path in im.lists(value["entries"]) if path])
    elements = im.get(value["entries"], path)
    index, how = rng.randrange(len(elements)), rng.choice(["removed", "twice", "moved to the end"])
    element = elements[index]
    if how == "twice":
        elements.insert(index, element)
    else:
        del elements[index]
        if how != "removed":
            elements.append(element)
    what = f"{im.text_of(path)}[{index}]: {im.short(element)}"
    return {name: images.encode(value)}, f"{name}: {what} -> {how}"


def truncated(rng, images):
    name = images.pick(rng)
    data = images.raw(name)
    if not data:
        raise Impossible("empty")
    length = rng.choice([0, 3, 8, len(data) - 1, len(data) // 2, rng.randrange(len(data))])
    length = min(length, len(data) - 1)
    return {name: data[:length]}, f"{name}: {len(data)} bytes -> truncated to {length}"


def lengthened(rng, images):
    name = images.pick(rng)
    extra = bytes(rng.choice([[0], [0, 0, 0, 0], [255] * 4, [1, 0, 0, 0], [2, 0, 0, 0, 8, 1], [7] * 30]))
    return {name: images.raw(name) + extra}, f"{name}: {len(extra)} bytes appended: {extra[:6].hex()}"


def pages_changed(rng, images):
    """A pages image is missing, short, or swapped with another."""
    names = images.named("pages-")
    name = images.pick(rng, names)
    data = images.raw(name)
    how = rng.randrange(4)
    if how == 0:
        return {name: None}, f"{name}: removed"
    if how == 1 and len(names) > 1:
        other = rng.choice([other for other in names if other != name])
        return {name: images.raw(other)}, f"{name}: {len(data)} bytes -> the bytes of {other}"
    if not data:
        raise Impossible("empty")
    length = rng.choice([len(data) - 4096, len(data) - 1, 0, 4096 * (len(data) // 8192)])
    return {name: data[:length]}, f"{name}: {len(data)} bytes -> truncated to {length}"


def magic_changed(rng, images):
    name = images.pick(rng, images.with_json())
    data = bytearray(images.raw(name))
    at = rng.choice([0, 4]) if len(data) >= 8 and not name.startswith("inventory") else 0
    struct.pack_into("<I", data, at, struct.unpack_from("<I", data, at)[0] ^ (1 << rng.randrange(32)))
    return {name: bytes(data)}, f"{name}: one bit of the magic number at {at} flipped"


def length_changed(rng, images):
    """The length in front of a message is another."""
    name = images.pick(rng, images.with_json())
    header, messages, rest = wire.split(name, images.raw(name))
    index = rng.randrange(len(messages))
    before = len(messages[index])
    after = rng.choice([0, before - 1, before + 1, before + 100, (1 << 31) - 1, (1 << 32) - 1])
    data = bytearray(wire.join(header, messages, rest))
    at = len(header) + sum(4 + len(message) for message in messages[:index])
    struct.pack_into("<I", data, at, after & 0xFFFFFFFF)
    return {name: bytes(data)}, f"{name}: entries[{index}]: length {before} -> {after}"


def image_swapped(rng, images):
    """One image has the content of another of its kind."""
    kinds = [kind for kind in images.kinds(images.names) if len(kind) > 1]
    if not kinds:
        raise Impossible("no kind with two images")
    name, other = rng.sample(rng.choice(kinds), 2)
    return {name: images.raw(other)}, f"{name}: the content of {other}"


def signal_changed(rng, images):
    """A pending signal has another number, or is cut."""
    name = images.pick(rng, images.named("core-"))
    value = images.json(name)
    paths = [path for path in im.scalars(value["entries"]) if im.field_name(path) == "siginfo"]
    path = im.pick_path(rng, paths)
    content = base64.b64decode(im.get(value["entries"], path))
    number = rng.choice([0, 65, 9, 19, 1 << 30])
    after = rng.choice([b"", content[:64], struct.pack("<i", number) + content[4:]])
    return images.edit(name, path, base64.b64encode(after).decode() + "\n", value)


CLASSES = [
    image_removed,
    entry_removed,
    entry_doubled,
    reference_broken,
    reference_broken,
    reference_broken,
    out_of_range,
    limited_value,
    limited_value,
    limited_value,
    any_value,
    any_value,
    field_removed,
    element_changed,
    truncated,
    lengthened,
    pages_changed,
    magic_changed,
    length_changed,
    image_swapped,
    signal_changed,
]
