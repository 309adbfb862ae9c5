"""Captions of Snakemake's report, as its readers see them."""

import itertools
import textwrap
from types import SimpleNamespace

import jinja2
import pytest

from support import ROOT

TASKS = ("semantic", "instance", "panoptic", "colorization")
TABLES = ("table1", "table4", "memories_selected", "ablations", "architectures")
IDS = {"study": "paper", "dataset": "coco_videos", "video": "0012", "seed": 0, "sweep": "window",
       "method": "online_ttt_mae"}  # fmt: skip


@pytest.mark.parametrize(
    "file", sorted((ROOT / "workflow/report").glob("*.rst")), ids=lambda file: file.stem
)
def test_no_caption_of_the_report_has_more_than_five_lines(file):
    template = jinja2.Template(file.read_text(), undefined=jinja2.StrictUndefined)
    for task, table in itertools.product(TASKS, TABLES):
        wildcards = SimpleNamespace(**IDS, task=task, table=table)
        shown = template.render(snakemake=SimpleNamespace(wildcards=wildcards))
        assert len(textwrap.wrap(" ".join(shown.split()), 110)) <= 5
