"""Import and export checkpoints in the formats of detectron2, Hugging Face and Swin Transformer."""

from videottt.models.convert.exporting import export_checkpoint
from videottt.models.convert.importing import Imported, import_checkpoint

__all__ = ["Imported", "export_checkpoint", "import_checkpoint"]
