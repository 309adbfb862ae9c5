"""The help of the command line, and its errors before a verb runs."""

import builtins
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import videottt
from videottt import cli
from videottt.cli import GROUPS, VERBS, WORKFLOW, extras, help_text, main, module_of, parser

SHARED = {"__init__", "arguments", "extras", "job_arguments", "report_arguments"}


def test_every_module_of_a_verb_is_a_verb_once():
    modules = {path.stem for path in Path(cli.__file__).parent.glob("*.py")} - SHARED
    assert {module_of(verb).rpartition(".")[2] for verb in VERBS} == modules
    assert len(VERBS) == len(modules)


def test_help_is_by_group_and_has_examples(capsys):
    main(["--help"])
    shown = capsys.readouterr().out.splitlines()
    assert shown == help_text().splitlines()
    for title, verbs in GROUPS.items():
        below = shown[shown.index(f"{title}:") + 1 :]
        assert [line.split()[0] for line in below[: len(verbs)]] == list(verbs)
        assert all(len(line.split()) > 3 for line in below[: len(verbs)])
    named = " ".join(shown)
    assert all(verb in named for verb in WORKFLOW)
    assert "  videottt run clip.mp4" in shown
    assert max(map(len, shown)) <= 120


def test_help_imports_no_verb_and_no_heavy_library():
    words = "import sys; from videottt.cli import main; main(['--help']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not loaded & {module_of(verb) for verb in VERBS}
    assert not loaded & {"numpy", "pandas", "pydantic", "torch", "yaml"}


def test_version(capsys):
    main(["--version"])
    assert capsys.readouterr().out == f"videottt {videottt.__version__}\n"


@pytest.mark.parametrize(
    ("verb", "message"),
    [
        ("runn", "unknown verb 'runn'; did you mean 'run'? see videottt --help"),
        ("0", "unknown verb '0'; see videottt --help"),
    ],
)
def test_an_unknown_verb_is_one_line(capsys, verb, message):
    with pytest.raises(SystemExit) as ended:
        main([verb])
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"videottt: error: {message}\n"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_whose_commands_are_whole_lines(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    docstring = sys.modules[module_of(verb)].__doc__
    commands = [line for line in docstring.splitlines() if line.startswith("    ")]
    assert all(line in shown.splitlines() for line in commands)
    for command in "\n".join(commands).replace("\\\n", "").splitlines():
        words = shlex.split(command)
        # Others are of torchrun and srun, or need a file.
        if words[0] == "videottt" and not any(word.startswith("@") for word in words):
            assert parser([verb]).parse_args(words[1:]).verb == verb


@pytest.mark.parametrize(
    ("module", "advice"),
    [
        ("seaborn", "seaborn; install it with pip install 'videottt[figures]'"),
        ("skimage.metrics", "scikit-image; install it with pip install 'videottt[colour]'"),
        ("torch_fidelity", "torch-fidelity; install it with pip install 'videottt[colour]'"),
        # Of several extras the one with most libraries, which a study needs anyhow.
        ("pandas", "pandas; install it with pip install 'videottt[workflow]'"),
        ("panopticapi", "panopticapi-lite; install it with pip install --no-deps panopticapi-lite"),
        ("unheard_of", None),
    ],
)
def test_a_missing_library_is_named_with_the_extra_that_has_it(monkeypatch, module, advice):
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda name: None)
    assert extras.advice(module) == advice


def test_a_module_missing_from_an_installed_library_is_no_matter_of_extras():
    assert extras.advice("pandas.nonsense") is None


def test_a_verb_without_its_library_is_one_line(monkeypatch, capsys, tmp_path):
    def absent(name, *arguments, importing=builtins.__import__, **options):
        if name.partition(".")[0] == "matplotlib":
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
        return importing(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", absent)
    monkeypatch.delitem(sys.modules, "videottt.report.figures.bars", raising=False)
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda name: None)
    files = [word for kind in ("png", "pdf") for word in (f"--{kind}", str(tmp_path / kind))]
    with pytest.raises(SystemExit) as ended:
        main(["plot-bars", "--metrics", "m.csv", "--methods", "a", *files])
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "videottt: error: plot-bars needs matplotlib; "
        "install it with pip install 'videottt[figures]'\n"
    )
