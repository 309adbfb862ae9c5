"""Open labelled still images, and draw shuffled and augmented training samples from them."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from videottt.core.errors import InputError
from videottt.core.files import sha256
from videottt.core.randomness import DrawKey, generator, numpy_generator
from videottt.core.segments import ClassSpace
from videottt.data.layouts import imagenet
from videottt.data.layouts.imagenet import StillFolder
from videottt.data.transforms.recipe import augment
from videottt.settings.augmentation import Augmentation
from videottt.store.frames import FrameStore

StillStore = FrameStore | StillFolder
# An image with its classes and its instances.
Still = tuple[Tensor, Tensor, Tensor]


@contextlib.contextmanager
def opened_stills(paths: Sequence[Path]) -> Iterator[list[StillStore]]:
    """Open frame stores and image folders, and close them at the end of the block.

    Raises:
        InputError: a path is no frame store, or a folder without images.
    """
    with contextlib.ExitStack() as stack:
        stores: list[StillStore] = []
        for path in paths:
            if path.is_dir():
                stores.append(StillFolder(path, ClassSpace(())))
            else:
                stores.append(stack.enter_context(FrameStore(path)))
        yield stores


def fingerprint(path: Path) -> str:
    """Return a hash of a frame store's bytes, or of the names and sizes of a folder's images.

    Raises:
        InputError: the file is absent, or the folder has no images.
    """
    return imagenet.fingerprint(path) if path.is_dir() else sha256(path)


def common_space(stores: Sequence[StillStore]) -> ClassSpace:
    """Return the classes of the frame stores, which must be the same in all that have some.

    Raises:
        InputError: the classes or things of two frame stores differ.
    """
    labelled = [store for store in stores if store.space.classes] or list(stores)
    first = labelled[0]
    for store in labelled[1:]:
        if store.space != first.space:
            raise InputError(
                f"{store.path}: its classes or things are not those of {first.path}; train on data "
                "sets with one class list, or ingest again"
            )
    return first.space


class StillImages(Dataset[Still]):
    """The labelled frames of frame stores as a shuffled, augmented sequence of training samples.

    Sample i depends on (`draws`, i) only: epoch i // n of the n frames has its own permutation, and
    every draw of the augmentation is keyed by i.

    Args:
        stores: frame stores and image folders.
        augmentation: recipe.
        draws: key of random draws: the stage, such as the checkpoint's id, and the seed.
        samples: length of the sequence.

    Raises:
        InputError: no frame is labelled.
    """

    def __init__(
        self,
        stores: Sequence[StillStore],
        augmentation: Augmentation,
        draws: DrawKey,
        samples: int,
    ) -> None:
        self._augmentation = augmentation
        self._key = draws
        self._samples = samples
        self._drawn = -1, torch.empty(0, dtype=torch.int64)
        self._stills = [
            (store, int(index)) for store in stores for index in np.flatnonzero(store.labelled)
        ]
        if not self._stills:
            where = ", ".join(str(store.path) for store in stores) or "the list of frame stores"
            raise InputError(
                f"{where}: no labelled frame to train on; ingest still images with labels"
            )

    def __len__(self) -> int:
        return self._samples

    def __getitem__(self, index: int) -> Still:
        """Return sample `index`: an augmented image with its labels, at the size of the crop.

        Returns:
            image uint8 [H, W, 3], classes uint8 [H, W] (255 = void), instances int32 [H, W] (0 =
            none).
        """
        epoch, position = divmod(index, len(self._stills))
        store, frame = self._stills[self._order(epoch)[position]]
        draws = numpy_generator(*self._key, "augmentation", index)
        layers = store.frame(frame), store.semantic(frame), store.instance(frame)
        augmented = augment(*layers, self._augmentation, draws)
        image, semantic, instance = (torch.from_numpy(layer) for layer in augmented)
        return image, semantic, instance

    def _order(self, epoch: int) -> Tensor:
        # Drawn once an epoch: permuting a million images takes longer than reading one.
        if self._drawn[0] != epoch:
            draws = generator(*self._key, "order", epoch)
            self._drawn = epoch, torch.randperm(len(self._stills), generator=draws)
        return self._drawn[1]
