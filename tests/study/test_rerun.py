"""What re-runs a job, computed from what its verb imports."""

import ast
import shutil
import subprocess
import sys

import pytest

from support import ROOT
from videottt.cli import VERBS, module_of
from videottt.core.errors import InputError
from videottt.core.ids import MethodId
from videottt.study import rerun

PACKAGE = ROOT / "src/videottt"
OBJECTIVE = "videottt.ttt.objectives.mae"
LAYOUT = "videottt.data.layouts.kitti_step"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A copy of the package that tests may change."""
    return shutil.copytree(PACKAGE, tmp_path_factory.mktemp("copy") / "videottt")


def added(text):
    return f"{text}\nADDED = 1\n"


def changed(package, module, change=added):
    """Return which of some verbs a change of a module would run again."""
    verbs = {
        "predict": [OBJECTIVE],
        "train": [],
        "score": [],
        "plot-bars": [],
        "ingest": [LAYOUT],
    }

    def prints():
        return {
            verb: rerun.fingerprint(module_of(verb), *chosen, root=package)
            for verb, chosen in verbs.items()
        }

    file = package / module
    content, before = file.read_text(), prints()
    file.write_text(change(content))
    try:
        after = prints()
    finally:
        file.write_text(content)
    return {verb for verb in verbs if before[verb] != after[verb]}


@pytest.mark.parametrize(
    ("module", "verbs"),
    [
        ("ttt/objectives/objective.py", {"predict", "train"}),
        ("ttt/objectives/mae.py", {"predict", "train"}),
        ("ttt/objectives/tent.py", set()),
        ("ttt/stream.py", {"predict"}),
        ("core/frame_result.py", {"predict", "score"}),
        ("runtime/device.py", {"predict", "train", "score"}),
        ("training/joint.py", {"train"}),
        ("report/figures/bars.py", {"plot-bars"}),
        ("evaluation/metrics/semantic.py", {"score", "plot-bars"}),
        ("data/layouts/kitti_step.py", {"ingest"}),
        ("data/layouts/camvid.py", set()),
        ("store/frames.py", {"predict", "train", "score", "plot-bars", "ingest"}),
        ("core/progress.py", set()),
        ("cli/predict.py", {"predict"}),
    ],
)
def test_a_change_of_a_module_reruns_the_verbs_that_import_it(package, module, verbs):
    assert changed(package, module) == verbs


def test_a_comment_and_a_docstring_rerun_nothing(package):
    def commented(text):
        return f'"""Changed."""\n{text[text.index(chr(34) * 3, 3) + 3 :]}\n# Changed.\n'

    assert changed(package, "ttt/stream.py", commented) == set()


def modules(verb, *chosen):
    return rerun.modules_behind(module_of(verb), *chosen, root=PACKAGE).keys()


def test_every_verb_is_found_in_its_module_with_what_it_imports():
    for verb in VERBS:
        assert {"videottt.core", module_of(verb)} <= modules(verb)
    predicted = modules("predict", OBJECTIVE)
    assert {"videottt.ttt", "videottt.ttt.objectives", OBJECTIVE, "videottt.ttt.job"} <= predicted
    assert not [
        name for name in predicted if name.startswith(("videottt.report", "videottt.study"))
    ]


@pytest.mark.parametrize("place", ["ttt.job", "training.job", "data.ingest", "evaluation.scoring"])
def test_no_module_that_python_imports_is_overlooked(place):
    module = f"videottt.{place}"
    code = f"import sys, {module}; print(*(m for m in sys.modules if m.startswith('videottt')))"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    known = {*rerun.modules_behind(module, root=PACKAGE), *rerun.PLUMBING}
    looked_up = ("videottt.ttt.objectives.", "videottt.data.layouts.")
    overlooked = set(result.stdout.split()) - known
    assert [name for name in overlooked if not name.startswith(looked_up)] == []


def test_modules_are_looked_up_by_name_only_where_the_rules_say_which():
    found = {
        file.relative_to(PACKAGE).as_posix()
        for file in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute | ast.Name)
        and ast.unparse(node) in ("importlib.import_module", "import_module", "__import__")
    }
    assert found == {
        "__init__.py",  # of the public names
        "cli/__init__.py",  # of the verb
        "data/layouts/__init__.py",
        "ttt/objectives/__init__.py",
        "evaluation/crosscheck/reference.py",  # of detectron2
        "study/doctor/machine.py",  # of other packages
    }


def test_what_is_looked_up_by_name_is_of_the_data_set_or_the_method(config):
    assert rerun.layout_module(config, "cityscapes") == "videottt.data.layouts.cityscapes"
    method = MethodId.parse("tent_class_balance,window=4")
    assert rerun.objective_module(config, method) == "videottt.ttt.objectives.tent"
    assert rerun.theory_module(config, "synthetic") == OBJECTIVE
    for method, entry in config["methods"].items():
        if "objective" in entry:
            modules("predict", rerun.objective_module(config, MethodId(method)))
    for dataset in config["datasets"]:
        modules("ingest", rerun.layout_module(config, dataset))


def test_plumbing_is_there_and_each_module_says_why_it_decides_no_number():
    assert all(rerun.PLUMBING.values())
    for module in rerun.PLUMBING:
        place = PACKAGE.joinpath(*module.split(".")[1:])
        assert place.with_suffix(".py").is_file() or (place / "__init__.py").is_file(), module


def write(root, **files):
    for name, text in files.items():
        file = root / f"{name.replace('__', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        for folder in file.relative_to(root).parents:
            (root / folder / "__init__.py").touch()


def test_imports_are_followed_wherever_they_are_but_those_for_type_checkers(tmp_path):
    write(
        tmp_path,
        a__start="""
import os
import videottt.b.whole as other
from videottt.b import named, value
from . import beside
from .. import d
if TYPE_CHECKING:
    from videottt.c import typed
else:
    from videottt.c import real
def run():
    with open(os.devnull):
        try:
            from videottt.c.inner import thing
        except ImportError:
            import videottt.c.handled
    match other:
        case 1:
            import videottt.c.matched
""",
        a__beside="",
        b__whole="from videottt.b.further import x",
        b__named="",
        b__further="import videottt.a.start",
        c__typed="",
        c__real="",
        c__inner="",
        c__handled="",
        c__matched="",
        d="",
    )
    found = rerun.modules_behind("videottt.a.start", root=tmp_path)
    assert {name.removeprefix("videottt.") for name in found} == {
        *("a", "a.start", "a.beside", "b", "b.whole", "b.named", "b.further"),
        *("c", "c.real", "c.inner", "c.handled", "c.matched", "d"),
    }
    assert found["videottt.a.beside"].imported == ()


def test_a_verb_without_a_module_is_said_so(tmp_path):
    with pytest.raises(InputError, match=r"videottt\.cli\.plot_nothing: there is no such module"):
        rerun.fingerprint(module_of("plot-nothing"))
    write(tmp_path, cli__verb="import videottt.cli.gone")
    with pytest.raises(InputError, match=r"videottt\.cli\.gone: there is no such module"):
        rerun.fingerprint("videottt.cli.verb", root=tmp_path)
