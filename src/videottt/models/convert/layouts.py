"""Map the parameter names of other programs to ours, and list what else their files hold.

A pair is a template of a foreign name and the template of our name. ``{i}``, ``{j}`` and ``{k}``
stand for numbers, ``{rest}`` for any text. ``{qkv}`` stands for q, k and v: the foreign file stores
the three parameters as one tensor, concatenated along its first axis.

Sources: facebookresearch/Mask2Former (mask2former/modeling) for detectron2; transformers 5.23 for
Hugging Face (conversion_mapping.py has the names of older versions). The pairs of the two follow
transformers' convert_mask2former_original_pytorch_checkpoint_to_pytorch.py.
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
    """The names under which one program stores parameters.

    Attributes:
        title: the program and its model, for messages.
        mark: parameter name by which the layout is recognised; no other layout has it.
        pairs: (foreign template, our template); the first pair that fits counts.
        spellings: (pattern of an older name, current name); all are applied in order.
        dropped: patterns of current foreign names without a counterpart in our model.
    """

    title: str
    mark: str
    pairs: list[tuple[str, str]]
    spellings: list[tuple[str, str]] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def current_name(self, theirs: str) -> str:
        """Return the current spelling of a foreign name."""
        for old, new in self.spellings:
            theirs = re.sub(old, new, theirs)
        return theirs

    def is_dropped(self, theirs: str) -> bool:
        """Return whether a foreign name has no counterpart in our model and can be left out."""
        return any(re.fullmatch(pattern, theirs) for pattern in self.dropped)

    def ours(self, theirs: str) -> tuple[str, ...]:
        """Return our name, or our names of q, k and v; an empty tuple for an unknown name."""
        return next((names for pair in self.pairs if (names := _renamed(theirs, *pair))), ())

    def theirs(self, ours: str) -> str | None:
        """Return the foreign name of our parameter; None if the layout has no such parameter."""
        matches = (names for pair in self.pairs if (names := _renamed(ours, *pair[::-1])))
        return next(matches, (None,))[0]


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
        # The model zoo's name of the queries; and the prefix that detectron2 doubles when it loads
        # a file without module versions.
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
        # Hugging Face's encoder has this norm, but never applies it.
        rf"{re.escape(_ENCODER)}\.swin\.layernorm\..*",
    ],
)
SWIN = Layout(
    title="Swin Transformer as its authors store it",
    mark="patch_embed.proj.weight",
    pairs=_SWIN,
    # The classifier, the norm before the classifier, and buffers that are computed from sizes.
    dropped=[r"head\..*", r"norm\..*", r"layers\..*\.(relative_position_index|attn_mask)"],
)
LAYOUTS = (DETECTRON2, HUGGING_FACE, SWIN)

_PLACES = {name: r"(\d+)" for name in "ijk"} | {"rest": "(.+)", "qkv": "([qkv])"}


@functools.cache
def _pattern(template: str) -> tuple[re.Pattern[str], list[str]]:
    """Return the pattern of a template, and the names of its placeholders in order."""
    pieces = re.split(r"\{(\w+)\}", template)
    texts, places = pieces[::2], pieces[1::2]
    pattern = re.escape(texts[0])
    for place, text in zip(places, texts[1:], strict=True):
        pattern += _PLACES[place] + re.escape(text)
    return re.compile(pattern), places


def _renamed(name: str, template: str, other: str) -> tuple[str, ...]:
    """Rewrite a name that fits `template` by the template `other`.

    Returns:
        one name; the three names of q, k and v if only `other` has ``{qkv}``; an empty tuple if the
        name does not fit.
    """
    pattern, places = _pattern(template)
    match = pattern.fullmatch(name)
    if not match:
        return ()
    values = dict(zip(places, match.groups(), strict=True))
    letters = "qkv" if "{qkv}" in other and "qkv" not in values else [values.get("qkv", "")]
    return tuple(other.format(**{**values, "qkv": letter}) for letter in letters)
