"""The conda environments and the images have the versions of the locks."""

import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from support import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
IMAGES = ("Dockerfile", "apptainer.def")
PYTHON = "3.11"


def named(requirements):
    found = {canonicalize_name(each.name): each for each in map(Requirement, requirements)}
    assert len(found) == len(requirements)
    return found


EXTRAS = PROJECT["optional-dependencies"]
# Several extras may need one library.
DIRECT = named(
    {*PROJECT["dependencies"], *EXTRAS["workflow"], *EXTRAS["figures"], *EXTRAS["colour"]}
)
# Snakemake starts the jobs, and is no part of where they run.
IN_JOBS = {name for name in DIRECT if not name.startswith("snakemake")}
TEST = named(EXTRAS["test"])
DOCS = named(EXTRAS["docs"])


def versions(requirements):
    """Return versions by name of requirements that must all be pinned."""
    found = {}
    for name, requirement in named(requirements).items():
        (pinned,) = requirement.specifier
        assert pinned.operator == "==", requirement
        found[name] = pinned.version
    return found


def lock(name):
    lines = (ROOT / name).read_text().splitlines()
    return versions([line for line in lines if line and not line.startswith(("#", "-r "))])


def environment(name):
    """Return what conda and what pip installs into an environment."""
    dependencies = yaml.safe_load((ROOT / f"envs/{name}.yaml").read_text())["dependencies"]
    (pip,) = (each["pip"] for each in dependencies if isinstance(each, dict))
    return [each for each in dependencies if isinstance(each, str)], versions(pip)


def test_the_environment_of_the_rules_is_the_direct_dependencies_as_locked():
    _, own = environment("videottt")
    locked = lock("requirements.lock")
    assert own == {name: locked[name] for name in IN_JOBS}


def test_the_environment_of_detectron2_is_that_and_what_detectron2_imports():
    (conda, own), (more_conda, more) = environment("videottt"), environment("detectron2")
    assert more.items() >= own.items()
    assert set(more_conda) >= set(conda)
    # What the lock has too, it has at the same version.
    locked = lock("requirements.lock")
    assert {name: locked.get(name, version) for name, version in more.items()} == more


@pytest.mark.parametrize(
    ("wanted", "pinned"),
    [
        (DIRECT, lock("requirements.lock")),
        (TEST, lock("requirements.lock") | lock("requirements-test.lock")),
        (DOCS, lock("requirements-docs.lock")),
        ({name: DIRECT[name] for name in IN_JOBS}, environment("videottt")[1]),
        ({name: DIRECT[name] for name in IN_JOBS}, environment("detectron2")[1]),
    ],
    ids=[
        "requirements.lock",
        "requirements-test.lock",
        "requirements-docs.lock",
        "videottt.yaml",
        "detectron2.yaml",
    ],
)
def test_what_is_pinned_is_what_the_package_asks_for(wanted, pinned):
    assert wanted.keys() <= pinned.keys()
    assert not [
        f"{requirement}, not {pinned[name]}"
        for name, requirement in wanted.items()
        if not requirement.specifier.contains(pinned[name], prereleases=True)
    ]


@pytest.mark.parametrize("name", ["videottt", "detectron2"])
def test_what_is_installed_after_an_environment_is_what_is_locked_without_dependencies(name):
    script = (ROOT / f"envs/{name}.post-deploy.sh").read_text()
    (installed,) = re.findall(r"^python -m pip install --no-deps (.+)$", script, re.MULTILINE)
    assert versions(installed.split()) == lock("requirements-no-deps.lock")


@pytest.mark.parametrize(
    ("name", "naming"),
    [
        ("envs/videottt.yaml", r"^  - python =(\S+)$"),
        ("envs/detectron2.yaml", r"^  - python =(\S+)$"),
        ("Dockerfile", r"^FROM python:([\d.]+)-"),
        ("apptainer.def", r"^From: python:([\d.]+)-"),
        (".github/workflows/ci.yaml", r'python-version: "(.+)"'),
    ],
)
def test_python_has_the_same_version_wherever_one_is_named(name, naming):
    assert set(re.findall(naming, (ROOT / name).read_text(), re.MULTILINE)) == {PYTHON}
    assert PYTHON in Requirement(f"python{PROJECT['requires-python']}").specifier


def copied(name):
    """Return what the build of an image copies from the repository."""
    text = (ROOT / name).read_text()
    if name == "Dockerfile":
        return [
            word for line in re.findall(r"^COPY (.+) \S+$", text, re.M) for word in line.split()
        ]
    (section,) = re.findall(r"^%files\n((?: .+\n)+)", text, re.M)
    return [line.split()[0] for line in section.splitlines()]


def test_both_images_are_made_of_the_same_files_and_packages():
    assert set(copied("Dockerfile")) == set(copied("apptainer.def"))
    shipped = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    needed = {"pyproject.toml", PROJECT["readme"], *PROJECT["license-files"], "src", *shipped}
    assert {*needed, "requirements.lock", "requirements-no-deps.lock"} == set(copied("Dockerfile"))
    for source in copied("Dockerfile"):
        assert (ROOT / source).exists()
        # Everything else is left out of what is sent to the build.
        assert f"!{source}" in (ROOT / ".dockerignore").read_text().splitlines()
    commands = [
        re.findall(r"python -m pip install .+?(?=$| \\$| &&)", (ROOT / name).read_text(), re.M)
        for name in IMAGES
    ]
    assert commands[0] == commands[1] == [
        "python -m pip install -r requirements.lock",
        "python -m pip install --no-deps -r requirements-no-deps.lock",
        "python -m pip install --no-deps .",
    ]  # fmt: skip
    bases = [
        re.findall(r"^(?:FROM|From:) (\S+)$", (ROOT / name).read_text(), re.M) for name in IMAGES
    ]
    assert bases[0] == bases[1]


def test_the_image_runs_as_a_user_that_is_not_root():
    users = re.findall(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(), re.M)
    assert users
    assert "0" not in users[-1]
