"""Small files in the very forms of those that workflow/resources/datasets.yaml says are elsewhere.

They show streets of the project's own renderer, and networks without training. What publishers
write is written here by code of its own, not by what the project's readers could be turned into.
"""

import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from replicas import (
    camvid,
    checkpoints,
    cityscapes,
    coco,
    films,
    imagenet,
    kitti_step,
    networks,
)

Write = Callable[[Path, int], None]
Entry = dict[str, Any]

CITYSCAPES, COCO_THINGS, COCO_PANOPTIC = 19, 80, 133
# Id of a source -> what writes it.
WRITERS: dict[str, Write] = {
    "kitti_step_images": kitti_step.write_images,
    "kitti_step_labels": kitti_step.write_labels,
    "cityscapes_images": cityscapes.write_images,
    "cityscapes_labels": cityscapes.write_labels,
    "coco_train_images": functools.partial(coco.write_images, "train2017"),
    "coco_val_images": functools.partial(coco.write_images, "val2017"),
    "coco_annotations": coco.write_annotations,
    "coco_panoptic": coco.write_panoptic,
    "coco_videos": coco.write_videos,
    "imagenet": imagenet.write_train,
    "camvid": camvid.write_tutorial,
    "mask2former_coco_panoptic": functools.partial(checkpoints.write_zoo, COCO_PANOPTIC),
    "mask2former_coco_instance": functools.partial(checkpoints.write_zoo, COCO_THINGS),
    "mask2former_cityscapes_semantic": functools.partial(checkpoints.write_zoo, CITYSCAPES),
    "mask2former_coco_panoptic_hf": functools.partial(
        checkpoints.write_hugging_face, COCO_PANOPTIC
    ),
    "mask2former_coco_instance_hf": functools.partial(checkpoints.write_hugging_face, COCO_THINGS),
    "mask2former_cityscapes_semantic_hf": functools.partial(
        checkpoints.write_hugging_face, CITYSCAPES
    ),
    "release_coco_panoptic": functools.partial(checkpoints.write_release, COCO_PANOPTIC),
    "release_coco_instance": functools.partial(checkpoints.write_release, COCO_THINGS),
    "release_kitti_step_semantic": functools.partial(checkpoints.write_release, CITYSCAPES),
    "swin_small_imagenet": networks.write_swin,
    "segformer_b4": networks.write_segformer,
    "deeplabv3plus_r101": networks.write_deeplab,
    "zhang2016": networks.write_zhang2016,
    "inception": networks.write_inception,
    "alexnet": networks.write_alexnet,
}
FILMS = (
    "workers_leaving",
    "gardener",
    "congress_of_photographers",
    "horse_trick_riders",
    "goldfish",
    "blacksmiths",
    "babys_meal",
    "jumping_onto_the_blanket",
    "cordeliers_square",
    "the_sea",
)
FAMILIES: dict[str, Write] = {"lumiere_": films.write_film, "project_page_": films.write_clip}


def writer_of(source: str) -> Write:
    """Return what writes the replica of a source."""
    families = (write for start, write in FAMILIES.items() if source.startswith(start))
    return WRITERS.get(source) or next(families)


@dataclass(frozen=True)
class Replicas:
    """Replicas of files, in a folder for each way to come by them.

    Attributes:
        open: what a mirror has.
        cityscapes: what needs a login.
        by_hand: what a person has to download.
        entries: what the file that lists sources says of each, by its id.
        seed: of what they show.
    """

    open: Path
    cityscapes: Path
    by_hand: Path
    entries: Mapping[str, Entry]
    seed: int

    def file(self, source: str) -> Path:
        """Return the replica of a source."""
        entry = self.entries[source]
        return getattr(self, entry["access"]) / entry["file"]

    def write(self, source: str, path: Path) -> None:
        """Write the replica of a source."""
        writer_of(source)(path, self.seed)

    def give(self, source: str, data_root: Path) -> None:
        """Put the replica of a source where a person would who has downloaded it."""
        entry = self.entries[source]
        place = f"downloads/{entry['file']}" if "unpack" in entry else entry["provides"][0]
        target = data_root / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(self.file(source).read_bytes())

    def sources(self, cityscapes: str) -> str:
        """Return the list of sources with the sizes and checksums of the replicas.

        Checksums have as many digits as before, and where there was none there is none. Addresses
        stay: they must not be asked, but for the one of Cityscapes, which no mirror has.

        Args:
            cityscapes: address in place of https://www.cityscapes-dataset.com.
        """
        found = {}
        for name, entry in self.entries.items():
            content = self.file(name).read_bytes()
            new = {**entry, "bytes": len(content), "exact_bytes": True}
            for kind in ("sha256", "md5"):
                if entry.get(kind):
                    new[kind] = hashlib.new(kind, content).hexdigest()[: len(entry[kind])]
            if entry["access"] == "cityscapes":
                official = "https://www.cityscapes-dataset.com"
                new["urls"] = [url.replace(official, cityscapes) for url in entry["urls"]]
            found[name] = new
        return yaml.safe_dump({"sources": found}, sort_keys=False, allow_unicode=True)


def published() -> str:
    """Return what is published about the replicas, as workflow/resources/published.yaml has it."""
    videos = {v: size for each in kitti_step.SEQUENCES.values() for v, size in each.items()}
    frames = {
        split: dict.fromkeys(videos, kitti_step.FRAMES)
        for split, videos in kitti_step.SEQUENCES.items()
    }
    stills = {
        split: sum(cities.values())
        for split, cities in cityscapes.CITIES.items()
        if split != "test"
    }
    every = coco.LABEL_EVERY
    found = {
        "kitti_step": {
            "splits": {"val": frames["val"], "test": frames["train"]},
            "sizes": {video: list(size) for video, size in videos.items()},
        },
        "coco_videos": {
            "splits": {"test": dict.fromkeys(coco.VIDEOS)},
            "labelled": dict.fromkeys(coco.VIDEOS, -(-coco.VIDEO_FRAMES // every)),
            "labelled_every": every,
        },
        "cityscapes": {
            "splits": {split: {split: count} for split, count in stills.items()},
            "sizes": {split: list(cityscapes.SIZE) for split in stills},
        },
        "coco": {
            "splits": {
                split.removesuffix("2017"): {split: len(images)}
                for split, images in coco.IMAGES.items()
            }
        },
        "imagenet": {
            "splits": {"train": {"train": len(imagenet.CLASSES) * imagenet.IMAGES}},
            "folders": {"train": len(imagenet.CLASSES)},
        },
        "lumiere": {"duration_s": dict.fromkeys(FILMS, 1)},
    }
    return yaml.safe_dump(found)


def write_replicas(folder: Path, sources: Path, seed: int = 0) -> Replicas:
    """Write a replica of every source in a file such as datasets.yaml."""
    entries = yaml.safe_load(sources.read_text(encoding="utf-8"))["sources"]
    folders = {access: folder / access for access in ("open", "cityscapes", "by_hand")}
    for each in folders.values():
        each.mkdir(parents=True)
    replicas = Replicas(**folders, entries=entries, seed=seed)
    for source in entries:
        # Two sources may be one file.
        if not replicas.file(source).exists():
            replicas.write(source, replicas.file(source))
    return replicas
