"""Checkpoints of other programs, in and out."""

from videottt.models.convert.exporting import export_checkpoint
from videottt.models.convert.importing import Imported, import_checkpoint

__all__ = ["Imported", "export_checkpoint", "import_checkpoint"]
