"""Every code block of the README and of docs/ runs, or is parsed and says why it does not run."""

import collections
import concurrent.futures
import contextlib
import functools
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib

import imageio_ffmpeg
import pytest
import torch
import yaml
from snakemake.cli import parse_args

from docs.pages import PAGES, TARGETS, blocks_of
from support import ROOT, SMALLEST, SPACE
from videottt.cli import main, parser
from videottt.models.checkpoint import save_checkpoint
from videottt.models.y_shaped import YShapedModel
from videottt.runtime.slurm_site import SITE
from videottt.study.config_file import read_config
from videottt.tasks import model_classes
from videottt.ttt.objectives.objective import REGISTERED

BLOCKS = [block for page in PAGES for block in blocks_of(page)]
# Neither code nor settings.
INERT = ("text", "bibtex")
# Studies that need nothing but this repository, whose DAG is made in a few seconds.
DRY = re.compile(r"study=(demo|demo_full|demo_coco)$")
CHECKPOINTS = "results/checkpoints/synthetic/{}/joint/seed0.safetensors"


def blocks(language, *, excused=False):
    chosen = [b for b in BLOCKS if b.language == language and (excused or not b.excuse)]
    return pytest.mark.parametrize("block", chosen, ids=str)


def commands_of(block):
    """Return the words of each command of a block of shell."""
    lines = block.text.replace("\\\n", " ").splitlines()
    commands = (shlex.split(line, comments=True) for line in lines)
    return [[words[0].removeprefix(".venv/bin/"), *words[1:]] for words in commands if words]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A clone without data, with the video and the checkpoints that the pages speak of."""
    root = tmp_path_factory.mktemp("clone")
    for name in ("workflow", "rules", "envs"):
        shutil.copytree(ROOT / name, root / name)
    shutil.copy(ROOT / "config.yaml", root)
    source = ("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=10:duration=0.3")
    encoder = imageio_ffmpeg.get_ffmpeg_exe()
    command = [encoder, "-loglevel", "error", *source, "-pix_fmt", "yuv420p", root / "clip.mp4"]
    subprocess.run(command, check=True)
    for task, head in (("panoptic", "segments"), ("colorization", "colours")):
        classes = model_classes(task, SPACE)
        path = root / CHECKPOINTS.format(task)
        path.parent.mkdir(parents=True)
        made = {"model": "tiny", "task": task}
        model = YShapedModel(SMALLEST, len(classes), 0, head)
        save_checkpoint(path, model, list(classes), SPACE, decoder=True, provenance=made)
    return root


@pytest.fixture(scope="module")
def dry_runs(folder):
    """Plan what the pages run, two studies at a time; return a future for each set of options."""
    asked = collections.defaultdict(set)
    for block in BLOCKS:
        if block.language == "sh" and not block.excuse:
            for words in filter(is_planned, commands_of(block)):
                options, targets = parted(words)
                asked[options] |= targets

    def plan(options):
        command = [sys.executable, "-m", "snakemake", *sorted(asked[options]), "--dry-run"]
        return subprocess.run(
            [*command, "--quiet", "rules", *options],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            text=True,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        yield {options: pool.submit(plan, options) for options in sorted(asked)}


def is_planned(words):
    """Return whether a command is one of Snakemake on a study that needs no data."""
    return words[0] == "snakemake" and any(DRY.match(word) for word in words)


def parted(words):
    """Return the options of a command of Snakemake that decide its jobs, and its targets."""
    targets = set(parse_args([*words[1:], "--cores", "1"])[1].targets)
    ignored = {"-n", "-q", "rules", *targets}
    options = [word for word in words[1:] if word not in ignored]
    while "--cores" in options:
        at = options.index("--cores")
        del options[at : at + 2]
    return tuple(options), targets or {"all"}


@contextlib.contextmanager
def inside(folder):
    """Run the block in a folder, and leave no objective behind that it defines."""
    registered, threads = dict(REGISTERED), torch.get_num_threads()
    try:
        with contextlib.chdir(folder):
            yield
    finally:
        REGISTERED.clear()
        REGISTERED.update(registered)
        torch.set_num_threads(threads)


def test_every_block_has_a_language_that_is_run():
    unknown = {str(b) for b in BLOCKS if b.language not in ("python", "sh", "yaml", *INERT)}
    assert not unknown


@blocks("python")
def test_python_runs(block, folder, capsys):
    code = compile(block.text, str(block), "exec")
    with inside(folder):
        exec(code, {"__name__": "__main__"})


@blocks("python", excused=True)
def test_python_is_python(block):
    compile(block.text, str(block), "exec")


@blocks("yaml")
def test_settings_are_valid_on_top_of_the_configuration(block, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(block.text, encoding="utf-8")
    read_config(mine)


@blocks("yaml", excused=True)
def test_yaml_is_yaml(block):
    assert isinstance(yaml.safe_load(block.text), dict)


@blocks("sh", excused=True)
def test_shell_is_understood(block, folder, capsys):
    for words in commands_of(block):
        with inside(folder):
            check_command(words, excused=bool(block.excuse))


@blocks("sh")
def test_shell_runs(block, folder, dry_runs, capfd):
    for line, words in zip(lines_of(block), commands_of(block), strict=True):
        if is_planned(words):
            done = dry_runs[parted(words)[0]].result()
            assert done.returncode == 0, f"{block}: {shlex.join(words)}\n{done.stdout}"
        elif words[0] == "videottt" and words[1] == "run":
            with inside(folder):
                # As few updates as will do, on a frame as small as the model takes.
                main([*words[1:], "--override", '{"batch": 1, "shortest_edge": 64}'])
        elif words[:2] in (["videottt", "plan"], ["videottt", "doctor"]):
            assert_answers(folder, *words[1:])
        elif words[0] == "printf":
            subprocess.run(["sh", "-c", line], cwd=folder, check=True)
            assert yaml.safe_load((folder / SITE).read_text())["account"]
            (folder / SITE).unlink()


@functools.cache
def assert_answers(folder, *words):
    """Check that a verb which only looks at things answers; doctor ends with 1 where it warns."""
    command = [sys.executable, "-m", "videottt", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode in ((0, 1) if words[0] == "doctor" else (0,)), done.stderr
    assert done.stdout.strip(), done.stderr
    assert "videottt: error" not in done.stderr


def lines_of(block):
    joined = block.text.replace("\\\n", " ").splitlines()
    return [line for line in joined if shlex.split(line, comments=True)]


def check_command(words, *, excused):
    """Check that a command could be given, by the parser of the program that it calls."""
    program, *rest = words
    if program == "videottt":
        check_verb(rest)
    elif program == "snakemake":
        # Parses targets, and reads the profile; mine.yaml and an image are the reader's own.
        asked = [word for word in rest if word not in ("--configfile", "mine.yaml")]
        parse_args([*asked, "--cores", "1"] if "--cores" not in asked else asked)
    elif program == "make":
        assert rest[0] in TARGETS
    elif program == "pip":
        check_install(rest)
    elif program == "python":
        assert (ROOT / rest[0]).is_file()
    elif program == ".":
        assert rest == [".venv/bin/activate"]
    else:
        assert excused or program in ("printf",), f"no one here knows {program}"


def check_verb(words):
    """Check the arguments of a verb by its own parser."""
    assert words
    if words[-1] != "--help":
        parser([words[0]]).parse_args(words)


def check_install(words):
    """Check that what is installed of this project is one of its extras."""
    assert words[0] == "install"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name in words[1:]:
        extras = re.fullmatch(r"\.(?:\[([\w,]+)\])?", name)
        assert extras, name
        assert set((extras[1] or "").split(",")) - {""} <= set(project["optional-dependencies"])
