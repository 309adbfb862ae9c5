"""Turn a preset into the configuration of transformers' Mask2Former."""

from transformers import Mask2FormerConfig, SwinConfig

from videottt.settings.presets import Preset, SwinSizes

# Stands in the configuration for an encoder of timm, which transformers does not build here.
STAND_IN = SwinSizes(embed_dim=32, depths=(1, 1, 1, 1), num_heads=(1, 1, 1, 1), drop_path_rate=0)


def mask2former_config(preset: Preset, queries: int, classes: int) -> Mask2FormerConfig:
    """Return the transformers configuration of a four-channel Swin encoder with one branch.

    Args:
        preset: sizes of encoder and branch.
        queries: number of queries of the branch.
        classes: number of classes, without "no object".
    """
    swin = preset.encoder if isinstance(preset.encoder, SwinSizes) else STAND_IN
    backbone = SwinConfig(  # type: ignore[call-arg]
        num_channels=4,
        patch_size=4,
        embed_dim=swin.embed_dim,
        depths=list(swin.depths),
        num_heads=list(swin.num_heads),
        window_size=7,
        drop_path_rate=swin.drop_path_rate,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    return Mask2FormerConfig(  # type: ignore[call-arg]
        backbone_config=backbone,
        feature_size=preset.hidden_dim,
        mask_feature_size=preset.mask_dim,
        hidden_dim=preset.hidden_dim,
        encoder_layers=preset.pixel_decoder_layers,
        encoder_feedforward_dim=preset.pixel_decoder_feedforward,
        # Like Mask2Former, transformers builds one layer fewer than this number.
        decoder_layers=preset.decoder_layers + 1,
        dim_feedforward=preset.feedforward,
        num_attention_heads=preset.attention_heads,
        dropout=0.0,
        num_queries=queries,
        num_labels=classes,
        train_num_points=preset.loss_points,
    )
