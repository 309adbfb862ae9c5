"""Attacks through what others made: none runs anything, or writes or reads outside its folder."""

import ast
import dataclasses
import http.server
import json
import logging
import os
import pickle
import re
import struct
import subprocess
import sys
import threading
import zipfile
import zlib

import h5py
import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from archive_files import WANTED
from source_list import PAIR
from support import ROOT, SPACE, store_frames
from verbs import FIXED, ingesting, predict, refused
from videottt.cli import main
from videottt.core.errors import InputError
from videottt.data.fetch.unpacking import unpack
from videottt.evaluation.perception.inception import InceptionFeatures
from videottt.evaluation.perception.lpips import PerceptualDistance
from videottt.report.tables.formats import escaped
from videottt.runtime.saved_state import SavedState
from videottt.store.frames import FrameStore
from videottt.store.hdf5 import new_file, write_attributes
from videottt.store.predictions import FORMAT, VERSION, PredictionReader
from videottt.store.source_frame import SourceFrame
from videottt.study import config as settings
from videottt.study import validation
from videottt.study.layers import Layers
from workflow.clone import Clone

CANARY = "canary"  # what every attack makes if it succeeds
SECRET = b"a secret of this machine"


@pytest.fixture(autouse=True)
def _in_a_folder_where_no_canary_appears(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    assert not list(tmp_path.rglob(CANARY))


# Pickles


class Runs:
    """Pickled, it makes the canary when it is read."""

    def __init__(self, function, *arguments):
        self._asked = function, arguments

    def __reduce__(self):
        return self._asked


class State(Runs):
    """The same while a state is set."""

    def __reduce__(self):
        return (dict, (), None, None, iter([(1, Runs(*self._flat()))]))

    def _flat(self):
        function, arguments = self._asked
        return (function, *arguments)


TOUCH = f"open({CANARY!r}, 'w')"
ATTACKS = {
    "a command": Runs(os.system, f"touch {CANARY}"),
    "code": Runs(eval, TOUCH),
    "a process": Runs(subprocess.Popen, ["touch", CANARY]),
    "an attribute": Runs(getattr, Runs(__import__, "os"), "system"),
    "a call in a call": Runs(eval, Runs(str, TOUCH)),
    "in a state": State(eval, TOUCH),
    "in a reduction of torch": Runs(torch._utils._rebuild_parameter, Runs(eval, TOUCH), False, {}),
    "in numpy's objects": np.array([Runs(eval, TOUCH)], object),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
@pytest.mark.parametrize("form", ["pickle", "torch", "old torch"])
def test_no_pickle_runs_anything_whoever_reads_it(attack, form, tmp_path, capsys, store_path):
    held = {"model": {"a": attack, "b": torch.zeros(2)}, "iteration": 0}
    path = tmp_path / "x.pth"
    if form == "pickle":
        path.write_bytes(pickle.dumps(held, protocol=2))
    else:
        torch.save(held, path, _use_new_zipfile_serialization=form == "torch")
    space = json.dumps(dataclasses.asdict(SPACE))
    importing = [
        "import-checkpoint",
        "--from",
        str(path),
        "--task",
        "semantic",
        "--settings",
        space,
    ]
    line = refused(capsys, lambda: main([*importing, "--output", "o.safetensors"]))
    assert str(path) in line
    assert str(path) in refused(capsys, lambda: predict(store_path, path, tmp_path / "p.h5"))


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_no_saved_state_runs_anything(attack, tmp_path, caplog):
    saved = SavedState(tmp_path, tmp_path / "x.h5", {"job": 1})
    assert saved.save({"a": 1}, [1])
    assert saved.load() == {"a": 1}
    assert saved.save({"state": attack}, [attack])
    with caplog.at_level(logging.WARNING):
        assert SavedState(tmp_path, tmp_path / "x.h5", {"job": 1}).load() == {"a": 1}
    assert "cannot be used" in caplog.text


@pytest.mark.parametrize("reader", [InceptionFeatures, PerceptualDistance])
def test_networks_of_libraries_that_unpickle_anything_are_given_what_was_read_safely(
    reader, tmp_path
):
    path = tmp_path / "x.pth"
    torch.save({"a": ATTACKS["code"]}, path)
    with pytest.raises(InputError, match=re.escape(str(path))):
        reader(path, torch.device("cpu"))


RUNNING = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "pickle.load", "pickle.loads",
    "pickle.Unpickler", "torch.hub.load", "torch.jit.load", "yaml.load", "yaml.full_load",
    "yaml.unsafe_load", "np.load", "joblib.load", "shutil.unpack_archive", "pd.read_pickle",
}  # fmt: skip


def test_nothing_in_the_code_runs_or_unpacks_what_it_reads():
    sources = [*(ROOT / "src").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    calls = [
        (path.name, ast.unparse(call.func), {each.arg: each.value for each in call.keywords})
        for path in sources
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
    ]
    assert not [call for call in calls if call[1] in RUNNING or call[1].endswith(".extractall")]
    loads = [named for _, function, named in calls if function == "torch.load"]
    assert len(loads) >= 3
    assert all(ast.unparse(named["weights_only"]) == "True" for named in loads)
    assert not [call for call in calls if "shell" in call[2]]


# HDF5


def linked(path, kind):
    """Make an otherwise whole file of predictions that leads to another file."""
    (path.parent / "secret.bin").write_bytes(SECRET)
    with h5py.File(path.parent / "secret.h5", "w") as file:
        file["secret"] = [1.0, 2.0]
    with new_file(path) as file:
        write_attributes(file, format=FORMAT, version=VERSION, dataset="d", classes="[]")
        if kind == "external link":
            file["loss"] = h5py.ExternalLink("secret.h5", "/secret")
        elif kind == "soft link":
            file["loss"] = h5py.SoftLink("/elsewhere")
        elif kind == "external storage":
            external = [("secret.bin", 0, len(SECRET))]
            file.create_dataset("loss", (len(SECRET),), "u1", external=external)
        elif kind == "virtual":
            layout = h5py.VirtualLayout((2,), "f8")
            layout[:] = h5py.VirtualSource("secret.h5", "secret", (2,))
            file.create_virtual_dataset("loss", layout)
        elif kind == "another filter":
            file.create_dataset("loss", (4,), "f8", compression="lzf")
        elif kind == "a cycle":
            file["group/loop"] = file.require_group("group")
        elif kind == "text of any length":
            file["loss"] = ["a", "b"]
        elif kind == "a reference":
            file["loss"] = np.array([file.ref], h5py.ref_dtype)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("external link", "is a link"),
        ("soft link", "is a link"),
        ("external storage", "lies in another file"),
        ("virtual", "lies in another file"),
        ("another filter", "compressed by an unknown filter"),
        ("a cycle", "nested too deeply"),
        ("text of any length", "no fixed length"),
        ("a reference", "no fixed length"),
    ],
)
def test_no_hdf5_file_leads_to_another(kind, reason, tmp_path):
    path = tmp_path / "x.h5"
    try:
        linked(path, kind)
    except RecursionError:
        pytest.skip("cannot even be made")
    with pytest.raises(InputError, match=reason) as caught:
        PredictionReader(path)
    assert str(path) in str(caught.value)


# YAML and ids


@pytest.mark.parametrize(
    "text",
    [
        f"!!python/object/apply:os.system ['touch {CANARY}']",
        f'studies: !!python/object/apply:builtins.eval ["{TOUCH}"]',
        f"sources: !!python/object/new:subprocess.Popen [['touch', '{CANARY}']]",
    ],
)
def test_no_yaml_file_makes_objects(text, tmp_path, capsys, main_task_checkpoint):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    out = ["--output", str(tmp_path / "o")]
    commands = [
        ["fetch", "x", "--sources", str(path), "--data-root", "d", *out],
        ["run", "clip.mp4", "--checkpoint", str(main_task_checkpoint), "--task", "semantic",
         "--config", str(path), *out],
        ["aggregate", "--scores", "none", "--published", str(path), *out],
    ]  # fmt: skip
    for command in commands:
        assert str(path) in refused(capsys, lambda command=command: main(command))


HOSTILE = [
    "-rf", "--output", f"$(touch {CANARY})", f"`touch {CANARY}`", f"a;touch {CANARY}", "a b", "a'b",
    'a"b', "a\nb", "a\n", "../a", "a/b", "{wildcards}", "", ".", "é",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_an_id_is_letters_digits_and_dashes_and_never_an_option(config, name):
    changes = (
        lambda c: c["datasets"]["my_videos"].update(splits={"test": [name]}),
        lambda c: c["datasets"].update({name: c["datasets"]["my_videos"]}),
        lambda c: c["methods"].update({name: c["methods"]["online_ttt_mae"]}),
        lambda c: c["studies"].update({name: c["studies"]["my_videos"]}),
    )
    for change in changes:
        changed = json.loads(json.dumps(config))
        change(changed)
        with pytest.raises(InputError):
            validation.validate(Layers(changed))
    with pytest.raises(InputError):
        settings.split_of(config, "my_videos", name)


def test_no_value_of_a_variant_makes_objects(config):
    with pytest.raises(InputError, match="is not a value"):
        settings.method_of(
            config, f"online_ttt_mae,window=!!python/object/apply:os.system ['touch {CANARY}']"
        )


# Names of videos and frames


NAMES = [
    f"$(touch {CANARY})", f"`touch {CANARY}`", f"a; touch {CANARY} #", "-i", "--output", "a b'\"c",
    "a\nb", "\x1b[2Jcleared", "{wildcards.video}", "%03d", "concat:a", "é" * 60, "=1+1", "<b>x<b>",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_any_name_of_a_video_and_its_frames_is_only_a_name(tmp_path, capfd, name):
    folder = tmp_path / "videos" / name
    folder.mkdir(parents=True)
    image = Image.fromarray(np.zeros((32, 32, 3), np.uint8))
    for place in (name, f"{name}2"):
        image.save(folder / f"{place}.png")
    command = ingesting(tmp_path / "videos", tmp_path / "x.h5")
    command[command.index("--video") : command.index("--video") + 2] = [f"--video={name}"]
    main(command)
    with FrameStore(tmp_path / "x.h5") as store:
        assert sorted(store.names) == sorted([name, f"{name}2"])
        assert store.video == name
    assert "\x1b" not in capfd.readouterr().err


def test_a_name_that_is_no_text_is_a_name_too(tmp_path):
    name = os.fsdecode(b"\xff\xfe")
    path = store_frames(tmp_path / "x.h5", [SourceFrame(name, np.zeros((8, 8, 3), np.uint8))])
    with FrameStore(path) as store:
        assert store.names == [name]


def test_no_name_moves_the_cursor_or_begins_a_line(tmp_path, capfd):
    with pytest.raises(SystemExit):
        main(ingesting(tmp_path / "\x1b[2J\x1b]0;title\x07\r\nvideottt: error: none\x9b", "x.h5"))
    said = capfd.readouterr().err
    assert "\\x1b[2J" in said
    assert all(character.isprintable() for character in said.removesuffix("\n"))


@pytest.mark.workflow
def test_the_workflow_takes_names_for_names(tmp_path):
    (tmp_path / "clone").mkdir()
    clone = Clone(tmp_path / "clone")
    data = tmp_path / f'it\'s "$(touch {CANARY})" `touch {CANARY}` {{ -rf'
    videos = data / "my_videos"
    videos.mkdir(parents=True)
    command = [sys.executable, "-c", "import imageio_ffmpeg as f; print(f.get_ffmpeg_exe())"]
    ffmpeg = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    hostile = videos / f"clip.$(touch {CANARY}) 'q\" {{ }}; touch {CANARY}"
    subprocess.run(
        [ffmpeg, "-v", "error", "-f", "lavfi", "-i", "testsrc=s=64x64:r=10:d=0.3", "-f", "matroska",
         f"file:{hostile}"],
        check=True,
    )  # fmt: skip
    asked = ["--cores", "1", "--configfile", "own.yaml", "--", "results/frames/my_videos/clip.h5"]
    (clone.root / "own.yaml").write_text(yaml.safe_dump({"data_root": str(data)}))
    shown = clone.snakemake("-n", "-p", *asked)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    done = clone.snakemake(*asked)
    assert done.returncode == 0, done.stdout + done.stderr
    with FrameStore(clone.root / "results/frames/my_videos/clip.h5") as store:
        assert len(store) == 3
    (clone.root / "own.yaml").write_text(f"x: !!python/object/apply:os.system ['touch {CANARY}']")
    assert clone.snakemake("-n", *asked).returncode != 0
    # What Snakemake would take for more than a name is refused in a line.
    (clone.root / "{video}/my_videos/clip").mkdir(parents=True)
    (clone.root / "own.yaml").write_text("data_root: '{video}'")
    refusal = clone.snakemake("-n", *asked)
    assert refusal.returncode == 2
    assert "takes the braces in this name for a wildcard; rename it" in refusal.stderr


# Pictures and films


POSTSCRIPT = f"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 32 32
({CANARY}) (w) file closefile (%pipe%touch {CANARY}) (w) file closefile showpage
%%EOF
"""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("0.png", POSTSCRIPT.encode()),
        ("0.jpg", b"%PDF-1.4\n"),
        ("0.png", b"P6 99999 99999 255\n"),
        ("0.tif", b"II*\0\x08\0\0\0\0\0"),
    ],
)
def test_an_image_is_of_a_known_kind_whatever_it_is_called(tmp_path, capsys, name, content):
    folder = tmp_path / "videos/clip"
    folder.mkdir(parents=True)
    (folder / name).write_bytes(content)
    line = refused(capsys, lambda: main(ingesting(tmp_path / "videos", tmp_path / "x.h5")))
    assert "not a readable image" in line


def test_an_image_that_unpacks_to_too_much_is_refused(tmp_path, capsys):
    def chunk(kind, content):
        crc = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    bomb += chunk(b"IDAT", zlib.compress(bytes(10**6))) + chunk(b"IEND", b"")
    folder = tmp_path / "videos/clip"
    folder.mkdir(parents=True)
    (folder / "0.png").write_bytes(bomb)
    assert "could be decompression bomb" in refused(
        capsys, lambda: main(ingesting(tmp_path / "videos", tmp_path / "x.h5"))
    )


@pytest.mark.parametrize(
    "content",
    [
        "#EXTM3U\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:{port}/{name}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{secret}'\n",
        "ffconcat version 1.0\nfile 'subfile,,start,0,end,9,,:{secret}'\n",
        '<?xml version="1.0"?><MPD><Period><BaseURL>file://{secret}</BaseURL></Period></MPD>',
        "[playlist]\nFile1={secret}\n",
    ],
)
def test_no_playlist_makes_ffmpeg_open_anything_else(tmp_path, capsys, content):
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (tmp_path / "secret.txt").write_bytes(SECRET)
        (tmp_path / "videos").mkdir()
        text = content.replace("{secret}", str(tmp_path / "secret.txt"))
        text = text.replace("{port}", str(server.server_port))
        (tmp_path / "videos/clip.mp4").write_text(text)
        line = refused(capsys, lambda: main(ingesting(tmp_path / "videos", tmp_path / "x.h5")))
        server.shutdown()
    assert "clip.mp4" in line
    assert SECRET.decode() not in line
    assert asked == []


# Downloads and archives


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "//["])
def test_no_redirection_leaves_the_web(sources, capsys, target):
    sources.server.redirections["/w.pth"] = target
    sources.refusal(capsys, "weights")
    assert not (sources.root / "weights").exists()


def test_a_login_is_known_to_no_other_server(sources, tmp_path, monkeypatch):
    heard = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            heard.append(dict(self.headers))
            content = (tmp_path / "served/city.zip").read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    monkeypatch.setenv("CITYSCAPES_USERNAME", PAIR["username"])
    monkeypatch.setenv("CITYSCAPES_PASSWORD", PAIR["password"])
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        city = sources.entries["city"]
        city["urls"] = [f"{sources.server.url}/file-handling/moved?packageID=3"]
        place = f"http://localhost:{other.server_port}/city.zip"
        sources.server.redirections["/file-handling/moved"] = place
        sources.fetch("city")
        other.shutdown()
    assert len(heard) == 1
    assert not {"cookie", "authorization"} & {name.lower() for name in heard[0]}
    assert PAIR["password"] not in str(heard)


def test_what_a_server_packs_is_not_unpacked_on_the_way(sources, capsys):
    bomb = zlib.compress(bytes(10**8), 9)
    (sources.folder / "served/film.webm").write_bytes(bomb)
    record = sources.fetch("film")
    assert record["bytes"] == len(bomb)


def test_an_archive_of_overlapping_members_is_no_bomb(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("data/images/0.png", bytes(10**6))
        first = file.filelist[0]
        for number in range(1, 200):
            again = zipfile.ZipInfo(f"data/images/{number}.png")
            for name in ("header_offset", "compress_size", "file_size", "CRC", "compress_type"):
                setattr(again, name, getattr(first, name))
            file.filelist.append(again)
            file.NameToInfo[again.filename] = again
    with pytest.raises(InputError, match=re.escape(str(path))):
        unpack(path, WANTED, tmp_path / "data", "set/images")
    assert not list((tmp_path / "data").rglob("*.png"))


# Tables, and predictions of others


@pytest.mark.parametrize("text", [r"\input{/etc/passwd}", r"$\write18{x}$", "a & b % c", "#1 ^^5c"])
def test_a_label_commands_nothing_in_latex(text):
    kept = re.sub(r"\\(textbackslash|textasciicircum)\{\}|\\[&%$#_{}]", "", escaped(text))
    assert not set("\\$&%#^{}") & set(kept)


@pytest.mark.parametrize("name", ["dataset", "task", "method", "seed", "video"])
def test_predictions_of_another_job_are_refused(store_path, main_task_checkpoint, tmp_path, name):
    predict(store_path, main_task_checkpoint, tmp_path / "p.h5", settings=FIXED)
    with PredictionReader(tmp_path / "p.h5") as predictions:
        predictions.check_job({name: getattr(predictions.key, name)})
        with pytest.raises(InputError, match=f"its {name} is '.*', not 'other'"):
            predictions.check_job({name: "other"})
