"""Archives, made for a test, and what is unpacked of them."""

import io
import tarfile
import zipfile

from videottt.data.fetch.catalogue import Unpacking

IMAGES = {f"data/images/{name}.png": name.encode() * 4000 for name in ("a", "b", "c")}
MEMBERS = {**IMAGES, "data/README": b"read me", "other/x": b"other"}
WANTED = Unpacking({"data/images/": "set/images/"}, 100_000, 10)


def make_zip(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def make_tar(path, members, mode="w"):
    with tarfile.open(path, mode) as file:
        for name, content in members.items():
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path


def make_tar_gz(path, members):
    return make_tar(path, members, "w:gz")


def below(folder):
    """Return the content of all files below a folder by their names, hidden ones too."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
