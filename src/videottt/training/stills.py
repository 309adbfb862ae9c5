"""Open labelled still images, and draw an endless, shuffled and augmented sequence of them."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from videottt.core.errors import InputError
from videottt.core.files import sha256
from videottt.core.randomness import generator, numpy_generator
from videottt.core.segments import ClassSpace
from videottt.data.layouts import imagenet
from videottt.data.layouts.imagenet import StillFolder
from videottt.data.transforms.recipe import Augmentation, augment
from videottt.store.frames import FrameStore

StillStore = FrameStore | StillFolder
# An image with its classes and its instances.
Still = tuple[Tensor, Tensor, Tensor]


@contextlib.contextmanager
def opened_stills(paths: Sequence[Path]) -> Iterator[list[StillStore]]:
    """Yield the stills of frame stores and of folders.

    Raises:
        InputError: in one of them there are none.
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
    """Return a hash of a frame store, or of the names and sizes of a folder's images.

    Raises:
        InputError: there is no such file, or no image in the folder.
    """
    return imagenet.fingerprint(path) if path.is_dir() else sha256(path)


def common_space(stores: Sequence[StillStore]) -> ClassSpace:
    """Return the classes of all frame stores.

    Raises:
        InputError: they differ.
    """
    first = stores[0]
    for store in stores[1:]:
        if store.space != first.space:
            raise InputError(
                f"{store.path}: its classes or things are not those of {first.path}; train on data "
                "of one class list, or ingest again"
            )
    return first.space


class StillImages(Dataset[Still]):
    """The labelled frames of several frame stores as an endless, shuffled, augmented sequence.

    Sample i is a function of (seed, i) alone: epoch i // n has its own permutation, and every draw
    of the augmentation is keyed by i.

    Raises:
        InputError: there is no labelled frame.
    """

    def __init__(
        self,
        stores: Sequence[StillStore],
        augmentation: Augmentation,
        seed: int,
        samples: int,
    ) -> None:
        self._augmentation = augmentation
        self._seed = seed
        self._samples = samples
        self._drawn = -1, torch.empty(0, dtype=torch.int64)
        self._stills = [
            (store, int(index)) for store in stores for index in np.flatnonzero(store.labelled)
        ]
        if not self._stills:
            where = ", ".join(str(store.path) for store in stores) or "the list of frame stores"
            raise InputError(f"{where}: no labelled frame to train on")

    def __len__(self) -> int:
        return self._samples

    def __getitem__(self, index: int) -> Still:
        """Return an image with its labels, all of the crop's size.

        Returns:
            image uint8 [H, W, 3], classes uint8 [H, W] (255 = void), instances int32 [H, W] (0 =
            none).
        """
        epoch, position = divmod(index, len(self._stills))
        store, frame = self._stills[self._order(epoch)[position]]
        draws = numpy_generator(self._seed, "augmentation", index)
        layers = store.frame(frame), store.semantic(frame), store.instance(frame)
        found = augment(*layers, self._augmentation, draws)
        image, semantic, instance = (torch.from_numpy(layer) for layer in found)
        return image, semantic, instance

    def _order(self, epoch: int) -> Tensor:
        # Drawn once an epoch: of a million images it takes longer than to read one.
        if self._drawn[0] != epoch:
            draws = generator(self._seed, "training order", epoch)
            self._drawn = epoch, torch.randperm(len(self._stills), generator=draws)
        return self._drawn[1]
