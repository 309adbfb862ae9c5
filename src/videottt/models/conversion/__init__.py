"""Checkpoints of other programs, in and out."""

from videottt.models.conversion.exporting import export_checkpoint
from videottt.models.conversion.importing import Imported, import_checkpoint

__all__ = ["Imported", "export_checkpoint", "import_checkpoint"]
