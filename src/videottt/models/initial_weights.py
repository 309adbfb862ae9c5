"""Draw the initial weights of the Y-shaped model, as transformers initialises Mask2Former."""

from torch import Tensor, nn
from transformers import Mask2FormerForUniversalSegmentation

from videottt.core.randomness import global_draws
from videottt.models.mask2former_config import mask2former_config
from videottt.settings.presets import Preset


def initial_weights(
    preset: Preset, classes: int, queries: int, colours: int, seed: int
) -> dict[str, Tensor]:
    """Return the initial weights of encoder, head and decoder by name.

    Args:
        preset: all sizes.
        classes: number of classes that h predicts; 0 for colours.
        queries: number of queries of the head h.
        colours: number of queries of the decoder g.
        seed: of the draws.
    """
    with global_draws("initial weights", seed):
        main = Mask2FormerForUniversalSegmentation(mask2former_config(preset, queries, classes))
        reconstruction = Mask2FormerForUniversalSegmentation(
            mask2former_config(preset, colours, classes)
        )
    parts = {
        "encoder": main.model.pixel_level_module.encoder,
        "head": _branch(main),
        "decoder": _branch(reconstruction),
    }
    return {
        f"{part}.{name}": weight
        for part, module in parts.items()
        for name, weight in module.state_dict().items()
    }


def _branch(model: Mask2FormerForUniversalSegmentation) -> nn.ModuleDict:
    return nn.ModuleDict(
        {
            "pixel_decoder": model.model.pixel_level_module.decoder,
            "query_decoder": model.model.transformer_module,
            "class_predictor": model.class_predictor,
        }
    )
