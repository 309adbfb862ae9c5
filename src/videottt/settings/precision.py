"""Declare the floating-point formats that a model may be trained in."""

from typing import Literal

# auto: bfloat16 on GPUs that have it, else float32.
Precision = Literal["auto", "float32", "bfloat16", "float16"]
