"""Images and protobuf messages as bytes: just enough to cut, reverse and extend them without a schema."""

import os
import struct

COMMON = 0x54564319
SERVICE = 0x55105940
# Bytes follow the messages of these images, so only their first message can be found without a schema.
WITH_PAYLOAD = ("pipes-data", "fifo-data", "sk-queues", "ghost-file", "tcp-stream", "ipcns-", "bpfmap-data")


class NotMessages(Exception):
    """The bytes are no image of messages, or are damaged."""


def read(path):
    with open(path, "rb") as image:
        return image.read()


def header_length(name, data):
    """Returns the length of the magic numbers."""
    if name.startswith("inventory"):
        return 4
    if len(data) < 8 or struct.unpack_from("<I", data)[0] not in (COMMON, SERVICE):
        raise NotMessages(name)
    return 8


def split(name, data):
    """Returns the magic numbers, the messages and the bytes behind the last message that can be found."""
    offset = header_length(name, data)
    header, messages = data[:offset], []
    while offset < len(data):
        if len(data) < offset + 4:
            raise NotMessages(name)
        length = struct.unpack_from("<I", data, offset)[0]
        if len(data) < offset + 4 + length:
            raise NotMessages(name)
        messages.append(data[offset + 4 : offset + 4 + length])
        offset += 4 + length
        if name.startswith(WITH_PAYLOAD):
            break
    return header, messages, data[offset:]


def join(header, messages, rest):
    return header + b"".join(struct.pack("<I", len(message)) + message for message in messages) + rest


def varint(data, offset):
    value = shift = 0
    while True:
        if offset >= len(data) or shift > 63:
            raise NotMessages("varint")
        byte = data[offset]
        value |= (byte & 0x7F) << shift
        offset, shift = offset + 1, shift + 7
        if byte < 0x80:
            return value, offset


def encode_varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def fields(message):
    """Returns the fields of a message: number, value (bytes or int) and all bytes of the field."""
    found, offset = [], 0
    while offset < len(message):
        start = offset
        key, offset = varint(message, offset)
        wire = key & 7
        if wire == 0:
            value, offset = varint(message, offset)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
            value, offset = message[offset : offset + length], offset + length
        elif wire == 2:
            length, offset = varint(message, offset)
            value, offset = message[offset : offset + length], offset + length
        else:
            raise NotMessages("wire type")
        if offset > len(message):
            raise NotMessages("field")
        found.append((key >> 3, value, message[start:offset]))
    return found


def field(message, number, default=None):
    """Returns the last value of a field."""
    for found, value, _ in reversed(fields(message)):
        if found == number:
            return value
    return default


def reversed_fields(message):
    """Returns the message with its fields in the opposite order; fields of one number keep theirs."""
    groups = {}
    for number, _, content in fields(message):
        groups.setdefault(number, []).append(content)
    return b"".join(b"".join(groups[number]) for number in reversed(list(groups)))


def unknown_field(number, content):
    """Returns the bytes of a length-delimited field."""
    return encode_varint(number << 3 | 2) + encode_varint(len(content)) + content


def living_tasks(directory):
    """Returns the process IDs of tasks that are not dead, with their states; None if the images do not tell."""
    try:
        _, entries, _ = split("pstree.img", read(os.path.join(directory, "pstree.img")))
        tasks = {}
        for entry in entries:
            pid = field(entry, 1)
            _, cores, _ = split("core", read(os.path.join(directory, f"core-{pid}.img")))
            state = field(field(cores[0], 3), 1)
            if state != 2:
                tasks[pid] = state
        return tasks
    except (OSError, NotMessages, TypeError, IndexError):
        return None
