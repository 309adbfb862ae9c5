"""What others call the parameters of the model, and what they store beside them, as data.

A pair is a template of their name and one of ours; ``{i}``, ``{j}`` and ``{k}`` are numbers and
``{rest}`` is anything. ``{qkv}`` stands for q, k and v: what they store as one tensor is, cut in
three along its first axis, those three of ours.

Sources: for detectron2 facebookresearch/Mask2Former (mask2former/modeling); for Hugging Face
transformers 5.23 (conversion_mapping.py for what older versions called things), whose
convert_mask2former_original_pytorch_checkpoint_to_pytorch.py pairs the two.
"""

import functools
import re
from dataclasses import dataclass, field

_SWIN = [
    ("patch_embed.proj.{rest}", "encoder.swin.embeddings.patch_embeddings.projection.{rest}"),
    ("patch_embed.norm.{rest}", "encoder.swin.embeddings.norm.{rest}"),
    *(
        (f"layers.{{i}}.{theirs}", f"encoder.swin.encoder.layers.{{i}}.{ours}")
        for theirs, ours in [
            ("blocks.{j}.norm1.{rest}", "blocks.{j}.layernorm_before.{rest}"),
            ("blocks.{j}.norm2.{rest}", "blocks.{j}.layernorm_after.{rest}"),
            ("blocks.{j}.attn.qkv.{rest}", "blocks.{j}.attention.{qkv}_proj.{rest}"),
            ("blocks.{j}.attn.proj.{rest}", "blocks.{j}.attention.o_proj.{rest}"),
            (
                "blocks.{j}.attn.relative_position_bias_table",
                "blocks.{j}.attention.relative_position_bias.relative_position_bias_table",
            ),
            ("blocks.{j}.mlp.{rest}", "blocks.{j}.mlp.{rest}"),
            ("downsample.{rest}", "downsample.{rest}"),
        ]
    ),
    *(
        (f"norm{stage}.{{rest}}", f"encoder.hidden_states_norms.stage{stage + 1}.{{rest}}")
        for stage in range(4)
    ),
]
_LAYER = "encoder.layers.{k}"
_PIXEL_DECODER = [
    ("input_proj.{rest}", "input_projections.{rest}"),
    ("transformer.level_embed", "level_embed"),
    *(
        (f"transformer.{_LAYER}.{theirs}.{{rest}}", f"{_LAYER}.{ours}.{{rest}}")
        for theirs, ours in [
            ("self_attn", "self_attn"),
            ("norm1", "self_attn_layer_norm"),
            ("linear1", "fc1"),
            ("linear2", "fc2"),
            ("norm2", "final_layer_norm"),
        ]
    ),
    ("mask_features.{rest}", "mask_projection.{rest}"),
    *(
        pair
        for name in ("adapter_1", "layer_1")
        for pair in [
            (f"{name}.weight", f"{name}.0.weight"),
            (f"{name}.norm.{{rest}}", f"{name}.1.{{rest}}"),
        ]
    ),
]
_SELF, _CROSS, _FFN = (
    f"transformer_{name}_layers.{{k}}" for name in ("self_attention", "cross_attention", "ffn")
)
_QUERY_DECODER = [
    ("query_feat.{rest}", "queries_features.{rest}"),
    ("query_embed.{rest}", "queries_embedder.{rest}"),
    ("level_embed.{rest}", "level_embed.{rest}"),
    *(
        (theirs, f"decoder.layers.{{k}}.{ours}")
        for theirs, ours in [
            (f"{_SELF}.self_attn.in_proj_{{rest}}", "self_attn.{qkv}_proj.{rest}"),
            (f"{_SELF}.self_attn.out_proj.{{rest}}", "self_attn.out_proj.{rest}"),
            (f"{_SELF}.norm.{{rest}}", "self_attn_layer_norm.{rest}"),
            (f"{_CROSS}.multihead_attn.{{rest}}", "cross_attn.{rest}"),
            (f"{_CROSS}.norm.{{rest}}", "cross_attn_layer_norm.{rest}"),
            (f"{_FFN}.linear1.{{rest}}", "fc1.{rest}"),
            (f"{_FFN}.linear2.{{rest}}", "fc2.{rest}"),
            (f"{_FFN}.norm.{{rest}}", "final_layer_norm.{rest}"),
        ]
    ),
    ("decoder_norm.{rest}", "decoder.layernorm.{rest}"),
    ("mask_embed.layers.{k}.{rest}", "decoder.mask_predictor.mask_embedder.{k}.0.{rest}"),
]


def _branch(theirs: str, ours: str) -> list[tuple[str, str]]:
    return [
        (f"{theirs}.{part}.{their}", f"{ours}.{own_part}.{our}")
        for part, own_part, pairs in [
            ("pixel_decoder", "pixel_decoder", _PIXEL_DECODER),
            ("predictor", "query_decoder", _QUERY_DECODER),
        ]
        for their, our in pairs
    ]


@dataclass(frozen=True)
class Layout:
    """How one program names and stores the parameters.

    Attributes:
        title: of the program.
        mark: a name that no other layout has.
        pairs: of templates, theirs and ours; the first that fits counts.
        spellings: older names as a pattern, and what they are called today; all are applied.
        dropped: patterns of what is no parameter of our model, once spelt as today.
    """

    title: str
    mark: str
    pairs: list[tuple[str, str]]
    spellings: list[tuple[str, str]] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def spelt_today(self, theirs: str) -> str:
        """Return what their name is today."""
        for old, new in self.spellings:
            theirs = re.sub(old, new, theirs)
        return theirs

    def is_dropped(self, theirs: str) -> bool:
        """Return whether our model has nothing that their name could mean."""
        return any(re.fullmatch(pattern, theirs) for pattern in self.dropped)

    def ours(self, theirs: str) -> tuple[str, ...]:
        """Return our one or three names; none if their name is unknown."""
        return next((names for pair in self.pairs if (names := _renamed(theirs, *pair))), ())

    def theirs(self, ours: str) -> str | None:
        """Return their name; None if they have no such parameter."""
        found = (names for pair in self.pairs if (names := _renamed(ours, *pair[::-1])))
        return next(found, (None,))[0]


DETECTRON2 = Layout(
    title="Mask2Former as detectron2 stores it",
    mark="backbone.patch_embed.proj.weight",
    pairs=[
        *((f"backbone.{theirs}", ours) for theirs, ours in _SWIN),
        *_branch("sem_seg_head", "head"),
        ("sem_seg_head.predictor.class_embed.{rest}", "head.class_predictor.{rest}"),
        *_branch("recon_head", "decoder"),
    ],
    spellings=[
        # The model zoo's name; and what loading a file without versions makes of the other.
        (r"\.static_query\.", ".query_feat."),
        (r"\.pixel_decoder\.pixel_decoder\.", ".pixel_decoder."),
    ],
    dropped=[r"backbone\..*\.relative_position_index", r"criterion\.empty_weight"],
)
_ENCODER = "model.pixel_level_module.encoder"
HUGGING_FACE = Layout(
    title="Mask2Former as Hugging Face stores it",
    mark=f"{_ENCODER}.swin.embeddings.patch_embeddings.projection.weight",
    pairs=[
        (f"{_ENCODER}.{{rest}}", "encoder.{rest}"),
        ("model.pixel_level_module.decoder.{rest}", "head.pixel_decoder.{rest}"),
        ("model.transformer_module.{rest}", "head.query_decoder.{rest}"),
        ("class_predictor.{rest}", "head.class_predictor.{rest}"),
    ],
    spellings=[
        (rf"^{re.escape(_ENCODER)}\.(embeddings|encoder)\.", rf"{_ENCODER}.swin.\1."),
        (r"\.attention\.self\.([qkv])(uery|ey|alue)\.", r".attention.\1_proj."),
        (
            r"\.attention\.self\.relative_position_bias_table$",
            ".attention.relative_position_bias.relative_position_bias_table",
        ),
        (r"\.attention\.output\.dense\.", ".attention.o_proj."),
        (r"\.intermediate\.dense\.", ".mlp.fc1."),
        (r"(\.blocks\.\d+)\.output\.dense\.", r"\1.mlp.fc2."),
    ],
    dropped=[
        r".*\.relative_position_index",
        r"criterion\.empty_weight",
        # Of which its own encoder makes no use.
        rf"{re.escape(_ENCODER)}\.swin\.layernorm\..*",
    ],
)
SWIN = Layout(
    title="Swin Transformer as its authors store it",
    mark="patch_embed.proj.weight",
    pairs=_SWIN,
    # Its classifier, the norm before that, and what is computed anew.
    dropped=[r"head\..*", r"norm\..*", r"layers\..*\.(relative_position_index|attn_mask)"],
)
LAYOUTS = (DETECTRON2, HUGGING_FACE, SWIN)

_PLACES = {name: r"(\d+)" for name in "ijk"} | {"rest": "(.+)", "qkv": "([qkv])"}


@functools.cache
def _pattern(template: str) -> tuple[re.Pattern[str], list[str]]:
    """Return what a template matches, and the names of its groups in order."""
    pieces = re.split(r"\{(\w+)\}", template)
    texts, places = pieces[::2], pieces[1::2]
    pattern = re.escape(texts[0])
    for place, text in zip(places, texts[1:], strict=True):
        pattern += _PLACES[place] + re.escape(text)
    return re.compile(pattern), places


def _renamed(name: str, template: str, other: str) -> tuple[str, ...]:
    """Return the name, or the names of q, k and v, that `other` is for what fits a template."""
    pattern, places = _pattern(template)
    found = pattern.fullmatch(name)
    if not found:
        return ()
    values = dict(zip(places, found.groups(), strict=True))
    letters = "qkv" if "{qkv}" in other and "qkv" not in values else [values.get("qkv", "")]
    return tuple(other.format(**{**values, "qkv": letter}) for letter in letters)
