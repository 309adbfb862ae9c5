"""Draw the initial weights of the Y-shaped model, as transformers initialises Mask2Former."""

from torch import Tensor, nn
from transformers import Mask2FormerForUniversalSegmentation
from transformers.models.mask2former.modeling_mask2former import Mask2FormerPixelDecoder

from videottt.core.randomness import global_draws
from videottt.models.mask2former_config import mask2former_config
from videottt.models.pretrained_weights import pretrained_weights
from videottt.settings.presets import Preset, TimmBackbone


def initial_weights(
    preset: Preset, encoder: nn.Module, classes: int, queries: int, colours: int, seed: int
) -> dict[str, Tensor]:
    """Return the initial weights of encoder, head and decoder by name.

    Args:
        preset: all sizes.
        encoder: a backbone of timm has its drawn weights already, or takes pre-trained ones.
        classes: number of classes that h predicts; 0 for colours.
        queries: number of queries of the head h.
        colours: number of queries of the decoder g.
        seed: of the draws.
    """
    with global_draws("initial weights", seed):
        main, reconstruction = (
            Mask2FormerForUniversalSegmentation(mask2former_config(preset, number, classes))
            for number in (queries, colours)
        )
        if isinstance(preset.encoder, TimmBackbone):
            for model in (main, reconstruction):
                _take_maps_of(encoder, model)
    if isinstance(preset.encoder, TimmBackbone):
        weights = pretrained_weights(encoder, preset.encoder)
    else:
        weights = main.model.pixel_level_module.encoder.state_dict()
    parts = {"encoder": weights, "head": _branch(main), "decoder": _branch(reconstruction)}
    return {
        f"{part}.{name}": weight for part, state in parts.items() for name, weight in state.items()
    }


def _take_maps_of(encoder: nn.Module, model: Mask2FormerForUniversalSegmentation) -> None:
    """Replace the pixel decoder by one for maps with the encoder's channels, with new weights."""
    decoder = Mask2FormerPixelDecoder(model.config, feature_channels=encoder.channels)
    decoder.apply(model._init_weights)
    model.model.pixel_level_module.decoder = decoder


def _branch(model: Mask2FormerForUniversalSegmentation) -> dict[str, Tensor]:
    modules = nn.ModuleDict(
        {
            "pixel_decoder": model.model.pixel_level_module.decoder,
            "query_decoder": model.model.transformer_module,
            "class_predictor": model.class_predictor,
        }
    )
    weights: dict[str, Tensor] = modules.state_dict()
    return weights
