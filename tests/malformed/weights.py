"""Checkpoints: of ours, and of other programs."""

import json
import os
import pickle
import struct

import numpy as np
import safetensors.torch
import torch
from safetensors import safe_open

from malformed.case import CLASSES, cases, command, predicting


def raw(change):
    """Return the maker of a checkpoint with other bytes."""

    def make(folder, whole):
        path = folder / "spoilt.safetensors"
        path.write_bytes(change(whole.checkpoint.read_bytes()))
        return predicting(folder, whole, checkpoint=path)

    return make


def changed(tensors=lambda tensors: None, metadata=lambda metadata: None):
    """Return the maker of a checkpoint with other weights or other metadata."""

    def make(folder, whole):
        path = folder / "spoilt.safetensors"
        with safe_open(whole.checkpoint, "pt") as file:
            facts = dict(file.metadata())
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        tensors(weights)
        metadata(facts)
        safetensors.torch.save_file(weights, path, facts)
        return predicting(folder, whole, checkpoint=path)

    return make


def fact(**values):
    return changed(metadata=lambda facts: facts.update(values))


def no_fact(name):
    return changed(metadata=lambda facts: facts.pop(name))


def first(change):
    """Return a change of the first weights by name."""

    def spoil(weights):
        name = min(weights)
        weights[name] = change(weights[name])

    return changed(spoil)


def filled(value):
    def spoil(weights):
        name = next(each for each in sorted(weights) if weights[each].is_floating_point())
        weights[name].view(-1)[0] = value

    return changed(spoil)


def header(content, **entries):
    length = int.from_bytes(content[:8], "little")
    found = json.loads(content[8 : 8 + length])
    found.update(entries)
    text = json.dumps(found).encode()
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


def imported(name, write):
    """Return the maker of a checkpoint of another program."""

    def make(folder, _):
        write(folder / name)
        return command("import-checkpoint", {
            "from": folder / name, "task": "semantic", "settings": json.dumps(CLASSES),
            "output": folder / "out/x.safetensors",
        })  # fmt: skip

    return make


class Command:
    def __reduce__(self):
        return os.system, ("echo",)


def torch_zip(path, kept=0.5):
    torch.save({"model": {"a": torch.zeros(1000)}}, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])


def dumped(value):
    return lambda path: path.write_bytes(pickle.dumps(value, protocol=2))


def text(content):
    return lambda path: path.write_bytes(content)


UNREADABLE = r"spoilt\.safetensors: not a readable safetensors file \(.*\)"
FACTS = r"spoilt\.safetensors: its metadata are not those of a checkpoint \(.*{}.*\); train it"
CASES = [
    *cases("checkpoint", [
        ("missing", lambda folder, whole: predicting(
            folder, whole, checkpoint=folder / "none.safetensors"),
         r"none\.safetensors: no such checkpoint; check the path"),
        ("empty", raw(lambda _: b""), UNREADABLE),
        ("truncated", raw(lambda content: content[:-100]), UNREADABLE),
        ("a header of 2^60 bytes", raw(lambda content: struct.pack("<Q", 2**60) + content[8:]),
         UNREADABLE),
        ("a header that is no JSON", raw(lambda content: content[:9] + b"\xff" + content[10:]),
         UNREADABLE),
        ("weights beyond the file", raw(lambda content: header(content, extra={
            "dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]})), UNREADABLE),
        ("no safetensors", raw(lambda _: b"PK\x03\x04" * 99), UNREADABLE),
        ("of another program", changed(metadata=lambda facts: facts.clear()),
         r"spoilt\.safetensors: is not a 'videottt checkpoint' of version 3; train it with this"),
        ("of another version", fact(version="9"), r"is not a 'videottt checkpoint' of version 3"),
        ("classes that are no JSON", fact(classes="[road"), FACTS.format("Expecting value")),
        ("classes that are a number", fact(classes="7"), FACTS.format("'classes' is no list")),
        ("without classes", no_fact("classes"), FACTS.format("classes")),
        ("without a space", no_fact("space"), FACTS.format("space")),
        ("without a preset", no_fact("preset"), FACTS.format("preset")),
        ("a preset of unknown sizes", fact(preset='{"wings": 2}'), FACTS.format("wings")),
        ("a preset of negative sizes", changed(metadata=lambda facts: facts.update(
            preset=json.dumps({**json.loads(facts["preset"]), "hidden_dim": -32}))),
         FACTS.format("hidden_dim: -32 is not allowed; it must be at least 1")),
        ("an enormous preset", changed(metadata=lambda facts: facts.update(
            preset=json.dumps({**json.loads(facts["preset"]), "hidden_dim": 10**9}))),
         FACTS.format("hidden_dim: 1000000000 is not allowed; it must be at most 65536")),
        ("a preset of heads that share nothing", changed(metadata=lambda facts: facts.update(
            preset=json.dumps(json.loads(facts["preset"])
                              | {"encoder": {**json.loads(facts["preset"])["encoder"],
                                             "num_heads": [255, 2, 4, 8]}}))),
         FACTS.format("attention heads do not share")),
        ("an unknown head", fact(head='"sounds"'), FACTS.format("sounds")),
        ("a decoder that is text", fact(decoder='"no"'), FACTS.format("decoder")),
        ("weights missing", changed(lambda weights: weights.pop(min(weights))),
         r"spoilt\.safetensors: does not fit the model it names: .*missing"),
        ("weights too many", changed(lambda weights: weights.update(extra=torch.zeros(1))),
         r"spoilt\.safetensors: does not fit the model it names: .*extra"),
        ("weights of another shape", first(lambda tensor: torch.zeros(2, 3, 5)),
         r"spoilt\.safetensors: does not fit the model it names: "),
        ("weights of another type", first(lambda tensor: tensor.to(torch.int64)),
         r"spoilt\.safetensors: the weights '.+' are of another type.*; train it again"),
        ("a weight that is NaN", filled(float("nan")),
         r"spoilt\.safetensors: the weights '.+' are .*not finite; train it again"),
        ("a weight that is infinite", filled(float("inf")), r"spoilt\.safetensors: .*not finite"),
    ]),
    *cases("foreign checkpoint", [
        ("text named .pkl", imported("x.pkl", text(b"Not Found\n")),
         r"x\.pkl: not a readable pickle of arrays \(.*\); take an unbroken copy"),
        ("empty", imported("x.pkl", text(b"")), r"x\.pkl: is no file of weights but text or empty"),
        ("a pickle broken off", imported("x.pkl", text(pickle.dumps({"a": list(range(99))})[:-30])),
         r"x\.pkl: not a readable pickle of arrays \(.*\); take an unbroken copy"),
        ("a pickle that runs a command", imported("x.pkl", dumped({"model": Command()})),
         r"x\.pkl: refused, because it asks for '(posix|nt)\.system'; a checkpoint holds only"),
        ("a pickle of objects", imported("x.pkl", dumped({"model": np.array([Command()], object)})),
         r"x\.pkl: refused, because it "),
        ("a pickle of a list", imported("x.pkl", dumped([1, 2])),
         r"x\.pkl: holds no weights by name; take a checkpoint of a model"),
        ("a pickle without weights", imported("x.pkl", dumped({"model": {}})),
         r"x\.pkl: holds no weights by name; take a checkpoint of a model"),
        ("weights of no network", imported("x.pkl", dumped({"model": {"a": np.zeros(3)}})),
         r"x\.pkl: has none of the names of Mask2Former .*; take the checkpoint of one"),
        ("a zip of torch broken off", imported("x.pth", torch_zip),
         r"x\.pth: holds no weights that can be read safely .*; take a file of weights"),
        ("a missing file", imported("x.pth", lambda path: None), r"x\.pth: no such file"),
        ("a folder", imported("x.pth", lambda path: path.mkdir()),
         r"x\.pth: no such file of weights; check the path"),
        ("weights that are NaN", imported("x.pkl", dumped(
            {"model": {"a": np.full(3, np.nan)}})),
         r"x\.pkl: the weights 'a' are not finite; download it again"),
    ]),
]  # fmt: skip
