"""Declare a study: which methods run on which videos, from which models, with which values."""

from dataclasses import field
from typing import Annotated, Any

from pydantic import Field

from videottt.core.annotations import Count, Id, Ids, SomeOf, Texts, Whole
from videottt.core.ids import TaskName
from videottt.core.settings import settings
from videottt.settings.augmentation import Augmentation
from videottt.settings.decoding import Decoding
from videottt.settings.method import Method
from videottt.settings.tables import DrawnMethods
from videottt.settings.training import TrainingSettings

# What the input size, the study and the recipe of training say, no method says.
NOT_OF_A_METHOD = ("objective", "shortest_edge", "longest_edge", "augmentation", "decoding")
Updates = Annotated[dict[str, Any], SomeOf(Method, omit=NOT_OF_A_METHOD)]
SomeDecoding = Annotated[dict[str, Any], SomeOf(Decoding)]
Recipe = Annotated[dict[str, Any], SomeOf(Augmentation, omit=("shortest_edge", "longest_edge"))]
# What the checkpoint and the options of the objective `mae` say.
_NOT_OF_AN_OPTIMIZER = ("iterations", "reconstruction", "mask_ratio", "loss_on", "masked_with")
TrainingOptimizer = Annotated[dict[str, Any], SomeOf(TrainingSettings, omit=_NOT_OF_AN_OPTIMIZER)]
Seeds = Annotated[list[Whole], Field(min_length=1)]


@settings
class InputSize:
    """The size that frames are resized to before the model.

    Attributes:
        shortest_edge: length of the frame's shorter side, in pixels.
        longest_edge: largest length of its longer side; a longer frame is scaled down to it.
    """

    shortest_edge: Annotated[int, Field(ge=32)]
    longest_edge: Annotated[int, Field(ge=32)]


@settings
class TaskTraining:
    """How the checkpoints of a task are trained.

    Attributes:
        dataset: id of the data set with the stills.
        split: split of the data set.
        also: other data sets -> the split with stills that are trained on too; those without
            labels serve colorization.
        augmentation: the recipe; its edges are those of the study's input.
        optimizer: how large a batch is, and how the optimizer steps.
        iterations: checkpoint -> gradient steps.
        threads: CPU threads; their number decides the last bits of the result.
        optimizers: checkpoint -> what is different for it, such as the learning rate and the
            warm-up of joint training.
        initial: checkpoint -> the one that f and h start from, in place of what `checkpoints` says;
            "new" is new weights, or those that the study imports as `pretrained`.
    """

    dataset: str
    split: str
    augmentation: Recipe
    optimizer: TrainingOptimizer
    iterations: dict[str, Count]
    threads: Count
    optimizers: dict[str, TrainingOptimizer] = field(default_factory=dict)
    initial: dict[str, str] = field(default_factory=dict)
    also: dict[Id, Id] = field(default_factory=dict)


@settings
class Training(TaskTraining):
    """How the checkpoints of a study are trained.

    Attributes:
        tasks: task -> what is different for its checkpoints.
    """

    tasks: dict[TaskName, Annotated[dict[str, Any], SomeOf(TaskTraining)]] = field(
        default_factory=dict
    )


@settings
class OfDataset:
    """What is different for the streams of one data set.

    Attributes:
        input: size of what the model sees, in place of the study's; of stills too.
        updates: settings of updates, merged over the study's.
        decoding: settings of decoding, merged over the study's.
    """

    input: InputSize | None = None
    updates: Updates = field(default_factory=dict)
    decoding: SomeDecoding = field(default_factory=dict)


@settings
class Selection:
    """How hyper-parameters are selected: on validation videos, by grids with the same axes.

    Methods of one objective have the same values on the same axes, but for what a method fixes by
    itself, or takes from another method (`hyperparameters_of`).

    Attributes:
        split: split whose videos the trials run on.
        seeds: seeds of the trials.
        grids: method -> dotted setting -> values; every combination is a trial. What a method takes
            from other methods (`hyperparameters_of`) is selected first, and its trials have it.
        dataset: data set whose videos are used; by default each data set selects on its own.
        task: task whose score decides; by default each task selects by its own.
    """

    split: str
    seeds: Seeds
    grids: Annotated[
        dict[
            str,
            Annotated[dict[str, Annotated[list[Any], Field(min_length=1)]], Field(min_length=1)],
        ],
        Field(min_length=1),
    ]
    dataset: str | None = None
    task: TaskName | None = None


@settings
class Sweep:
    """One setting of a method through a list of values.

    Attributes:
        method: id of the method.
        setting: name of the setting, dotted.
        values: values to try; "all" is allowed for the window.
        split: split whose videos it runs on.
        splits: data set -> the split that it runs on there, where it has no `split`.
        tasks: tasks that it runs for; all by default.
    """

    method: str
    setting: str
    values: Annotated[list[Any], Field(min_length=1)]
    split: str
    splits: dict[Id, Id] = field(default_factory=dict)
    tasks: list[TaskName] | None = None


@settings
class PublishedNumbers:
    """Whose published numbers stand beside those of a task.

    Attributes:
        dataset: data set of the paper, by its id, such as kitti_step.
        splits: our split -> the paper's split; by default the same name.
    """

    dataset: str
    splits: dict[str, str] = field(default_factory=dict)


@settings
class Study:
    """A study: what is run, and what tables and figures of it show.

    Attributes:
        streams: data set -> tasks.
        model: preset of the model: "tiny", "lite", or "swin_small" as in the paper; or one of the
            top-level `models`.
        protocol: id of a protocol: one reading of the paper.
        seeds: seeds of training and of every random draw; each is a run of its own.
        splits: splits whose videos are reported; of each data set those that it has.
        input: the size of what the model sees.
        training: how the checkpoints are trained.
        updates: settings of all methods that learn; they override the protocol's, and a method's
            own settings override them.
        methods: ids of methods, or variants such as ``online_ttt_mae,window=4``.
        task_methods: task -> methods that are compared in it; by default all that exist for it.
        options: objective -> options of it that differ from those of the protocol.
        offline: whether nothing is downloaded for this study.
        own_videos: whether `videottt run` and the library take settings from here, for models of
            this preset; of several such studies the first does.
        imported: task -> checkpoint -> id of the download that it is imported from, in place of
            training it; ``pretrained`` is what the training of a checkpoint without `initial`
            starts from.
        shipped: task -> checkpoint -> id of one that ships with videottt (`videottt list
            checkpoints`), in place of training it.
        also_trained: task -> checkpoints that are trained although no method starts from them.
        by_dataset: data set -> what is different for its streams.
        task_seeds: task -> its seeds, in place of those of the study.
        checkpoint_tasks: task -> another task whose checkpoint it uses; by default its own.
        decoding: how queries become segments.
        pinned: method -> dotted setting -> value, in place of a selection.
        selection: how hyper-parameters are selected.
        sizes: method -> settings that this study changes to save time, such as fewer votes.
        sweeps: id -> one setting of a method through a list of values.
        diagnosed: tasks whose checkpoints are diagnosed; all by default.
        drawn: methods that figures of this study show, in place of the top-level `drawn`.
        paper: task -> whose published numbers stand beside ours.
    """

    streams: Annotated[
        dict[Id, Annotated[list[TaskName], Field(min_length=1)]], Field(min_length=1)
    ]
    model: str
    protocol: str
    seeds: Seeds
    splits: Ids
    input: InputSize
    training: Training
    updates: Updates
    methods: Texts
    task_methods: dict[TaskName, Texts] = field(default_factory=dict)
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    offline: bool = False
    own_videos: bool = False
    imported: dict[TaskName, dict[str, Id]] = field(default_factory=dict)
    shipped: dict[TaskName, dict[str, Id]] = field(default_factory=dict)
    also_trained: dict[TaskName, list[str]] = field(default_factory=dict)
    by_dataset: dict[Id, OfDataset] = field(default_factory=dict)
    task_seeds: dict[TaskName, Seeds] = field(default_factory=dict)
    checkpoint_tasks: dict[TaskName, TaskName] = field(default_factory=dict)
    decoding: SomeDecoding = field(default_factory=dict)
    pinned: dict[str, dict[str, Any]] = field(default_factory=dict)
    selection: Selection | None = None
    sizes: dict[str, Updates] = field(default_factory=dict)
    sweeps: dict[Id, Sweep] = field(default_factory=dict)
    diagnosed: list[TaskName] | None = None
    drawn: Annotated[dict[str, Any], SomeOf(DrawnMethods)] = field(default_factory=dict)
    paper: dict[TaskName, PublishedNumbers] = field(default_factory=dict)
