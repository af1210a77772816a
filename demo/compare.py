# SPDX-License-Identifier: GPL-2.0-or-later
"""What is left: every file compared with what its user counts on."""

import os
from dataclasses import dataclass, field

from disk import sha256


@dataclass
class Comparison:
    """Paths, sorted. A file that says that it cannot be read is lost; one that reads well and holds
    other bytes is wrong, which is worse."""
    whole: list = field(default_factory=list)
    lost: list = field(default_factory=list)     # cannot be read
    missing: list = field(default_factory=list)
    wrong: list = field(default_factory=list)


def compare(root, expected):
    """`root` None: the file system could not be mounted, and nothing of it is left."""
    found = Comparison()
    for name in sorted(expected):
        if root is None:
            found.missing.append(name)
            continue
        try:
            same = sha256(os.path.join(root, name)) == expected[name]
            (found.whole if same else found.wrong).append(name)
        except (FileNotFoundError, NotADirectoryError):
            found.missing.append(name)
        except OSError:  # EIO; EUCLEAN and EBADMSG for metadata that ext4 cannot trust
            found.lost.append(name)
    return found
