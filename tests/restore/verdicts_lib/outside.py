"""Reasons outside the images: refusals that no reader of the images can foresee."""

import re

# A pattern of the log, and the reason. The first that fits is taken. A group is the name of a file.
PATTERNS = [
    (r"Can't fork for \d+: File exists|Unable to create a thread: -17", "a process ID is busy"),
    (r"Can't (?:open|stat) file .*No such file or directory", "a file is missing here"),
    (r"File (\S+) has bad (?:size|mode|build-ID)", "a file has another size, mode or build ID here"),
    (r"Can't mount.*(?:Operation not permitted|No such device)", "the kernel lacks the file system"),
    (r"Can't (?:set|setup|restore) .*limit.*Operation not permitted", "a limit above what this system permits"),
    (r"oom_score_adj.*Permission denied", "this system does not permit that OOM score"),
    (r"Can't set (?:up )?(?:sock|SO_).*Operation not permitted", "this system does not permit a socket option"),
    (r'(?:level=error msg="|OCI runtime error: \S+ )(?:invalid character|unexpected end of JSON)', "the engine can't read its own file, and does not start CRIU"),
    (r"loginuid.*(?:Operation not permitted|Permission denied)", "this system does not permit another login user"),
]


def reason(log, exists):
    """Returns why the restore failed, with the line of the log, if the cause is not in the images; else None.

    `exists` tells whether a file is on this system. One that is not there comes from the images, as a ghost file does.
    """
    for pattern, why in PATTERNS:
        for line in log:
            found = re.search(pattern, line)
            if found and all(exists(path) for path in found.groups()):
                return f"{why} ({line})"
    return None
