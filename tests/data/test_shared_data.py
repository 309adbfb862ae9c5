"""Checks against the real data that lies beside the repository, not in it."""

import numpy as np
import pytest

from support import DATA
from videottt.cli import main
from videottt.core.segments import VOID
from videottt.store.frames import FrameStore
from videottt.study.job_settings import ingest_settings

pytestmark = pytest.mark.shared_data


@pytest.fixture(scope="module")
def camvid_root():
    if not (DATA / "camvid").is_dir():
        pytest.skip(f"no CamVid in {DATA}: set VIDEOTTT_SHARED_DATA to the folder that has it")
    return DATA / "camvid"


def test_the_dusk_sequence_of_camvid_is_ingested_whole(camvid_root, config, tmp_path):
    import json

    from PIL import Image

    path = tmp_path / "0001TP.h5"
    settings = ingest_settings(config, "camvid", "0001TP")
    main([
        "ingest", "--dataset", "camvid", "--split", "val", "--video", "0001TP", "--root",
        str(camvid_root), "--settings", json.dumps(settings), "--output", str(path),
    ])  # fmt: skip
    with FrameStore(path) as store:
        assert len(store) == 62
        assert store.size == (360, 480)
        assert store.labelled.all()
        assert store.names[0] == "006690"
        assert store.names == sorted(store.names)
        found = set()
        for index in range(0, 62, 6):
            labels = store.semantic(index)
            source = camvid_root / "labels" / "0001TP" / f"{store.names[index]}.png"
            ids = np.asarray(Image.open(source))
            assert np.array_equal(labels == VOID, ids == 11)
            assert np.array_equal(labels[ids != 11], ids[ids != 11])
            found |= set(np.unique(labels).tolist())
        assert found <= {*range(11), VOID}
        assert {0, 1, 3, VOID} <= found


@pytest.mark.parametrize(
    ("video", "frames"), [("0001TP", 62), ("0006R0", 101), ("0016E5", 305), ("Seq05VD", 171)]
)
def test_the_sequences_of_camvid_are_as_long_as_they_are_said_to_be(camvid_root, video, frames):
    from videottt.core.segments import ClassSpace
    from videottt.data.layouts.camvid import list_frames

    listed = list_frames(camvid_root, "any", video, ClassSpace(()))
    assert (len(listed.frames), list(listed.problems)) == (frames, [])
