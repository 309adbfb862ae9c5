"""Declare the whole configuration: what a user touches, and everything that a study is made of."""

from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import Field

from videottt.core.annotations import Count, Id, Ids, MustBe, NotNegative, SomeOf, Text, Whole
from videottt.core.ids import TaskName
from videottt.core.settings import settings
from videottt.settings.dataset import Classes, Dataset
from videottt.settings.method import Method
from videottt.settings.presets import Preset
from videottt.settings.study import NOT_OF_A_METHOD, Study, Updates
from videottt.settings.tables import DrawnMethods, Table


@settings
class Protocol:
    """One reading of the paper, where its text and the authors' code differ.

    Attributes:
        options: objective -> its options; those of mae hold for joint training, too.
        updates: what an update at test time is.
    """

    options: dict[str, dict[str, Any]]
    updates: Updates


@settings
class TrainedCheckpoint:
    """A checkpoint that is trained: for the main task alone, or jointly (section 4.3).

    Attributes:
        reconstruction: whether the decoder g is trained, too.
        initial: checkpoint that f and h start from.
    """

    reconstruction: bool
    initial: str | None = None


@settings
class MethodEntry:
    """A method; beside these settings it has those of an update at test time (class Method).

    Attributes:
        label: name in tables and figures.
        objective: what each update minimises: a name in videottt.ttt.objectives, or "none".
        checkpoint: id of the checkpoint that the model starts from.
        colourizer: network that colours each frame, in place of objective and checkpoint.
        segmenter: network that segments each frame, in place of objective and checkpoint.
        weights: id of a download: the weights of a colourizer or segmenter.
        tasks: tasks that the method can run on; all by default.
        predictions_of: method whose predictions this one is scored on; it runs no job of its own.
        iteration: updates after which an offline method is scored: a number, "last", "oracle" (the
            best by the test scores of each video) or "selected" (on validation videos).
        hyperparameters_of: methods whose selected or pinned values are used; its own by default.
    """

    label: Text
    objective: str | None = None
    checkpoint: str | None = None
    colourizer: Literal["zhang2016", "left_grey"] | None = None
    segmenter: Literal["segformer_b4", "deeplabv3plus_r101"] | None = None
    weights: str | None = None
    tasks: Annotated[list[TaskName], Field(min_length=1)] | None = None
    predictions_of: str | None = None
    iteration: Annotated[
        Literal["last", "oracle", "selected"] | Whole,
        MustBe("a number of updates, 'last', 'oracle' or 'selected'"),
    ] = "last"
    hyperparameters_of: Ids | None = None


@settings
class ModelEntry:
    """A model of one's own; beside this setting it has those of a preset.

    Attributes:
        like: preset whose settings it has where it names none: "tiny", "lite" or "swin_small". Its
            encoder is taken as a whole, or not at all.
    """

    like: str | None = None


SomeModel = Annotated[dict[str, Any], SomeOf(ModelEntry, Preset)]
SomeMethod = Annotated[dict[str, Any], SomeOf(MethodEntry, Method, omit=NOT_OF_A_METHOD[1:])]


@settings
class ConfigFile:
    """The configuration.

    Attributes:
        study: which study `snakemake --cores N` runs.
        data_root: folder of the data sets and networks; downloads go there, too.
        mirror: address of a server that has the same files under their own names and is asked
            first; or null.
        sources: the list of all downloads: addresses, sizes, checksums, licences.
        offline: whether nothing is downloaded; what is not below data_root is missing.
        container: the image, a file or an address, that `--sdm apptainer` runs every job in; or
            null.
        device: "auto" takes a GPU where one is visible, else the CPU; or "cpu", "cuda", "cuda:N".
        jobs_per_gpu: jobs that share one GPU at the same time; must be 1 where training_processes
            is more than 1.
        training_processes: processes that share one joint training, each with a GPU of its own;
            they divide the parts of its batches evenly. Changes numbers by the order of summation
            only.
        save_every: seconds between two saved states of a job that learns or predicts; a killed
            job goes on from there.
        hdf5_locking: how HDF5 locks files: "best-effort" where the file system can, "on" or "off".
        protocols: id -> one reading of the paper.
        models: id -> a model of one's own, which a study names as its `model`.
        checkpoints: id -> a checkpoint that is trained.
        methods: id -> a method.
        tables: id -> the rows of a table.
        drawn: which methods figures and videos show.
        classes: id -> the classes of data sets.
        datasets: id -> a data set.
        studies: id -> a study.
    """

    protocols: dict[Id, Protocol]
    checkpoints: dict[Id, TrainedCheckpoint]
    methods: dict[Id, SomeMethod]
    tables: Annotated[dict[Id, Table], Field(min_length=1)]
    drawn: DrawnMethods
    datasets: dict[Id, Dataset]
    studies: dict[Id, Study]
    classes: dict[Id, Classes] = field(default_factory=dict)
    models: dict[Id, SomeModel] = field(default_factory=dict)
    study: str = "paper"
    data_root: Text = "data"
    mirror: Annotated[str, Field(pattern=r"^https?://\S+$"), MustBe("an http address")] | None = (
        None
    )
    sources: Text = "workflow/resources/datasets.yaml"
    offline: bool = False
    container: Annotated[str, Field(pattern=r"^\S+$"), MustBe("a file or an address")] | None = None
    device: Annotated[
        str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$"), MustBe("auto, cpu, cuda or cuda:N")
    ] = "auto"
    jobs_per_gpu: Count = 1
    training_processes: Count = 1
    save_every: NotNegative = 60
    hdf5_locking: Literal["best-effort", "on", "off"] = "best-effort"

    def __post_init__(self) -> None:
        if self.jobs_per_gpu > 1 and self.training_processes > 1:
            raise ValueError(
                "jobs_per_gpu must be 1 where training_processes is more: processes that share a "
                "training need a GPU each"
            )
        if "classes" in self.tables:
            raise ValueError("tables.classes: the tables by class have this name; choose another")
