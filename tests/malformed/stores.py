"""HDF5 files of ours: frames, predictions and scores."""

import shutil

import h5py
import numpy as np

from malformed.case import cases, command, predicting, replaced, rewritten


def raw(change):
    """Return what copies a file and changes its bytes."""

    def spoil(path, source):
        path.write_bytes(change(source.read_bytes()))

    return spoil


def inside(change):
    """Return what copies a file with another content, of which its checksum is right."""
    return lambda path, source: rewritten(path, source, change)


def unsealed(change):
    """Return what copies a file and changes it without its checksum."""

    def spoil(path, source):
        shutil.copy(source, path)
        with h5py.File(path, "r+") as file:
            change(file)

    return spoil


def frames(spoil):
    def make(folder, whole):
        spoil(folder / "spoilt.h5", whole.frames)
        return predicting(folder, whole, frames=folder / "spoilt.h5")

    return make


def scoring(folder, frames, predictions):
    return command("score", {"frames": frames, "predictions": predictions, "split": "test",
                             "device": "cpu", "output": folder / "out/x.h5"})  # fmt: skip


def labels(spoil):
    def make(folder, whole):
        spoil(folder / "spoilt.h5", whole.frames)
        return scoring(folder, folder / "spoilt.h5", whole.predictions)

    return make


def predictions(spoil):
    def make(folder, whole):
        spoil(folder / "spoilt.h5", whole.predictions)
        return scoring(folder, whole.frames, folder / "spoilt.h5")

    return make


def scores(spoil, *others):
    def make(folder, whole):
        spoil(folder / "spoilt.h5", whole.scores)
        paths = [str(folder / "spoilt.h5"), *(str(getattr(whole, each)) for each in others)]
        return ["aggregate", "--scores", *paths, "--output", str(folder / "out/t.csv")]

    return make


def without(name):
    return inside(lambda file: file.__delitem__(name))


def attribute(**values):
    return inside(lambda file: file.attrs.update(values))


def no_attribute(name):
    return inside(lambda file: file.attrs.__delitem__(name))


def shortened(name):
    def change(file):
        values = file[name][:-1]
        del file[name]
        file[name] = values

    return inside(change)


def promised(file):
    """Promise 10^12 frames without storing any."""
    size = file["frames"].shape[1:]
    del file["frames"]
    file.create_dataset("frames", (10**12, *size), "u1", chunks=(1, *size), compression="gzip")


def damaged_chunk(name):
    def spoil(path, source):
        shutil.copy(source, path)
        with h5py.File(path) as file:
            chunk = file[name].id.get_chunk_info(0)
        with path.open("rb+") as stream:
            stream.seek(chunk.byte_offset)
            stream.write(b"\xff" * chunk.size)

    return spoil


def filled(name, value):
    def change(file):
        file[name][0] = value

    return inside(change)


def external(file):
    del file["labels"]
    file["labels"] = h5py.ExternalLink("/etc/secret.h5", "/labels")


def soft(file):
    del file["names"]
    file["names"] = h5py.SoftLink("/elsewhere")


def nothing(path, source):
    """Make no file at all."""


def folder(path, source):
    path.mkdir()


AGAIN = "make it again"
WRONG = r"spoilt\.h5: is damaged or incomplete \(.*{}.*\); make"
CASES = [
    *cases("frame store", [
        ("missing", frames(nothing), r"spoilt\.h5: no such file; check the path"),
        ("a folder", frames(folder), r"spoilt\.h5: no such file; check the path"),
        ("empty", frames(raw(lambda _: b"")), rf"spoilt\.h5: not a readable HDF5 file .*; {AGAIN}"),
        ("truncated", frames(raw(lambda content: content[: len(content) // 2])),
         rf"spoilt\.h5: not a readable HDF5 file \(.*truncated.*\); {AGAIN}"),
        ("no HDF5", frames(raw(lambda _: b"frames," * 999)),
         rf"spoilt\.h5: not a readable HDF5 file .*; {AGAIN}"),
        ("of another program", frames(unsealed(lambda f: f.attrs.update(format=np.bytes_(b"x")))),
         r"spoilt\.h5: is 'x' version 5, but this program reads 'videottt frames' version \d"),
        ("of another version", frames(unsealed(lambda f: f.attrs.update(version=99))),
         r"spoilt\.h5: is 'videottt frames' version 99, but .*; make it again with this version"),
        ("predictions in its place", lambda folder, whole: predicting(
            folder, whole, frames=whole.predictions),
         r"predictions\.h5: is 'videottt predictions' version \d, but .* 'videottt frames'"),
        ("changed after it was made", frames(unsealed(lambda f: f["timestamps"].write_direct(
            np.zeros(len(f["timestamps"]))))),
         rf"spoilt\.h5: is damaged or was never finished \(its checksum .*\); {AGAIN}"),
        ("never finished", frames(unsealed(lambda f: f.attrs.__delitem__("checksum"))),
         rf"spoilt\.h5: is damaged or was never finished \(its checksum .*\); {AGAIN}"),
        ("without labels", frames(without("labels")), WRONG.format("labels")),
        ("without sizes", frames(without("sizes")), WRONG.format("sizes")),
        ("without classes", frames(no_attribute("classes")), WRONG.format("classes")),
        ("classes that are no JSON", frames(attribute(classes=np.bytes_(b"road"))),
         WRONG.format("Expecting value")),
        ("classes that are numbers", frames(attribute(classes=np.bytes_(b"[1, 2]"))),
         WRONG.format("not lists of names")),
        ("a rate that is text", frames(attribute(fps=np.bytes_(b"fast"))), WRONG.format("fast")),
        ("a rate that is NaN", frames(attribute(fps=np.nan)), WRONG.format("its rate or a time")),
        ("a time stamp that is NaN", frames(filled("timestamps", np.nan)),
         WRONG.format("its rate or a time")),
        ("too few times", frames(shortened("timestamps")),
         WRONG.format("another number of time stamps")),
        ("too few names", frames(shortened("names")), WRONG.format("/frames is not uint8")),
        ("a size beyond the frame", frames(filled("sizes", (9999, 9999))),
         WRONG.format("not within that of the store")),
        ("pictures of another type", frames(inside(replaced("frames", np.zeros((12, 64, 96, 3))))),
         WRONG.format("/frames is not uint8")),
        ("pictures of two dimensions", frames(inside(replaced("frames", np.zeros((12, 9), "u1")))),
         WRONG.format("/frames is not uint8")),
        ("10^12 promised frames", frames(inside(promised)), WRONG.format("is not uint8")),
        ("a damaged frame", frames(damaged_chunk("frames")),
         r"spoilt\.h5: frame 0 cannot be read \(.*\); make the file again"),
        ("a damaged map", labels(damaged_chunk("labels/semantic")),
         r"spoilt\.h5: frame 0 cannot be read \(.*\); make the file again"),
        ("labels beyond the classes", labels(filled("labels/semantic", 77)),
         r"spoilt\.h5: frame 0 has invalid labels \(.*\); make"),
        ("a link to another file", frames(inside(external)),
         r"spoilt\.h5: is damaged or was never finished \('labels' is a link\)"),
        ("a link to nowhere", frames(inside(soft)),
         r"spoilt\.h5: .*'names' is a link"),
    ]),
    *cases("predictions", [
        ("truncated", predictions(raw(lambda content: content[:-700])),
         rf"spoilt\.h5: not a readable HDF5 file .*; {AGAIN}"),
        ("of another video", predictions(attribute(video=np.bytes_(b"other"))),
         r"spoilt\.h5: predicts 12 frames of 'other' .*, but .* holds 12 .*; predict that video"),
        ("of another data set", predictions(attribute(dataset=np.bytes_(b"other"))),
         r"spoilt\.h5: predicts 12 frames of 'tiny_0' \(other\).*; predict that video again"),
        ("of another task", predictions(attribute(task=np.bytes_(b"instance"))),
         r"spoilt\.h5: holds predictions of the kind 'classes', but the task 'instance'"),
        ("of an unknown task", predictions(attribute(task=np.bytes_(b"sematic"))),
         r"(spoilt\.h5: .*)?task 'sematic'.*mean 'semantic'|spoilt\.h5: .*sematic"),
        ("without maps", predictions(without("prediction")), WRONG.format("prediction")),
        ("without its loss", predictions(without("loss")), r"spoilt\.h5: .*loss.*; make"),
        ("of fewer frames", predictions(shortened("loss")), WRONG.format("12 frames")),
        ("a class beyond the last", predictions(filled("prediction/map", 77)),
         r"spoilt\.h5: frame 0 cannot be read \(.*77.*|spoilt\.h5: frame 0 .*class.*; make"),
        ("wall times that are NaN", predictions(filled("wall_time/predict", np.nan)),
         WRONG.format("time is not finite")),
        ("of the version before", predictions(attribute(version=5)),
         r"spoilt\.h5: is 'videottt predictions' version 5, but .* version 6; make it again with"),
        ("a memory below 0", predictions(inside(replaced("memory/peak_gpu", np.float64(-1)))),
         WRONG.format("peak of memory is negative")),
        ("a count below 0", predictions(filled("resets", -1)), WRONG.format("count is negative")),
        ("a seed that is text", predictions(attribute(seed=np.bytes_(b"x"))), WRONG.format("x")),
        ("a damaged map", predictions(damaged_chunk("prediction/map")),
         r"spoilt\.h5: frame 0 cannot be read \(.*\); make the file again"),
    ]),
    *cases("scores", [
        ("truncated", scores(raw(lambda content: content[:-700])),
         rf"spoilt\.h5: not a readable HDF5 file .*; {AGAIN}"),
        ("frames in their place", lambda folder, whole: [
            "aggregate", "--scores", str(whole.frames), "--output", str(folder / "out/t.csv")],
         r"tiny\.h5: is 'videottt frames' version \d, but this program reads 'videottt scores'"),
        ("without statistics", scores(without("statistics")), WRONG.format("statistics")),
        ("without confusions", scores(without("statistics/confusion")), WRONG.format("confusion")),
        ("confusions below 0", scores(inside(replaced(
            "statistics/confusion", np.full((12, 19, 19), -1), compression="gzip"))),
         WRONG.format("count below 0")),
        ("confusions of other classes", scores(inside(replaced(
            "statistics/confusion", np.zeros((12, 3, 3), np.int64), compression="gzip"))),
         WRONG.format("has the shape")),
        ("too few wall times", scores(shortened("wall_time/predict")),
         WRONG.format("times and counts differ in their number of frames")),
        ("too few score times", scores(shortened("wall_time/score")),
         WRONG.format("times and counts differ in their number of frames")),
        ("a score time below 0", scores(filled("wall_time/score", -1)),
         WRONG.format("negative or not finite")),
        ("wall times that are NaN", scores(filled("wall_time/predict", np.nan)),
         WRONG.format("negative or not finite")),
        ("of an unknown task", scores(attribute(task=np.bytes_(b"sematic"))),
         WRONG.format("task 'sematic'")),
        ("one job twice", lambda folder, whole: [
            "aggregate", "--scores", str(whole.scores), str(whole.scores), "--output",
            str(folder / "out/t.csv")],
             r"synthetic test semantic m 0: the video 'tiny_0' is listed twice; name each"),
        ("things that are no classes", scores(attribute(things=np.bytes_(b'["horse"]'))),
         WRONG.format("horse")),
    ]),
]  # fmt: skip
