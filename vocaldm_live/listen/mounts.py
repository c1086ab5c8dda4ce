"""Mounts: whether a folder lies on a network, where the kernel reports no changes that others make."""

from __future__ import annotations

from pathlib import Path

MOUNTS = Path("/proc/mounts")
# Also the shared folders of virtual machines: the host's changes are not reported there either.
NETWORK = frozenset(
    {
        *(
            "nfs",
            "nfs4",
            "cifs",
            "smb",
            "smb2",
            "smb3",
            "smbfs",
            "9p",
            "afs",
            "ceph",
            "glusterfs",
            "davfs",
            "drvfs",
        ),
        *("virtiofs", "vboxsf", "prl_fs", "fuse.sshfs", "fuse.rclone", "fuse.davfs2", "fuse.glusterfs"),
        *("fuse.s3fs", "fuse.vmhgfs-fuse"),
    }
)


def filesystem_of(folder: Path, mounts: Path = MOUNTS) -> str:
    """The type of the file system that `folder` lies on, as in /proc/mounts; "" where that cannot be known."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        place = folder.resolve()
    except OSError:
        return ""
    best, kind = -1, ""
    for line in lines:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(_plain(fields[1]))
        # A later line covers an earlier one at the same place.
        if (place == point or point in place.parents) and len(point.parts) >= best:
            best, kind = len(point.parts), fields[2]
    return kind


def on_network(folder: Path, mounts: Path = MOUNTS) -> bool:
    """Whether a folder has to be polled because its file system is a network's or another machine's."""
    return filesystem_of(folder, mounts) in NETWORK


def _plain(text: str) -> str:
    """Blanks and backslashes stand as octal numbers in /proc/mounts."""
    for code, sign in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, sign)
    return text
