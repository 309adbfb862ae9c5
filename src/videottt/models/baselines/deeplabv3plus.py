"""DeepLabV3+ with a ResNet-101, which the paper's section 5.1 compares with Mask2Former.

The network of https://arxiv.org/abs/1802.02611 in mmsegmentation's version ("R-101-D8", 512x1024,
80k iterations on Cityscapes): configs/_base_/models/deeplabv3plus_r50-d8.py with depth 101,
backbones/resnet.py (ResNetV1c) and decode_heads/sep_aspp_head.py. Parameters have mmsegmentation's
names, so ``deeplabv3plus_r101-d8_512x1024_80k_cityscapes_20200606_114143-068fcfe9.pth`` fits. The
network has 60.2 M parameters. The paper's 62.7 M count the 150 classes of ADE20K and the auxiliary
head, which is used in training only.
"""

from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.resnet import Bottleneck, ResNet

from videottt.models.baselines.published import fill, read_published

CLASSES = 19
BLOCKS = [3, 4, 23, 3]  # blocks of the four stages of a ResNet-101
STEM = 64  # channels of the stem
FINE, COARSE = 256, 2048  # channels after the first and the last stage
CHANNELS, FINE_CHANNELS = 512, 48  # channels of the head, and of the first stage's features in it
DILATIONS = (1, 12, 24, 36)
AUXILIARY = "auxiliary_head."


class DeepLabV3PlusR101(nn.Module):
    """Backbone and head; the output stride is 8, as the last two stages dilate and do not stride.

    Args:
        classes: number of classes; 19 for Cityscapes.
    """

    def __init__(self, classes: int = CLASSES) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.decode_head = Head(classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, float [B, classes, h/4, w/4], for normalised images float [B, 3, h, w]."""
        logits: Tensor = self.decode_head(*self.backbone(images))
        return logits


class Backbone(nn.Module):
    """ResNetV1c: a ResNet with three 3x3 convolutions in place of the first 7x7 convolution."""

    def __init__(self) -> None:
        super().__init__()
        # In torchvision, as with mmsegmentation's contract_dilation, the first block of a dilated
        # stage has the dilation of the stage before: the last stages dilate by 1, 2, 2, ... and
        # 2, 4, 4.
        stages = ResNet(Bottleneck, BLOCKS, replace_stride_with_dilation=[False, True, True])
        self.stem = nn.Sequential(
            *_convolved(3, STEM // 2, stride=2),
            *_convolved(STEM // 2, STEM // 2),
            *_convolved(STEM // 2, STEM),
        )
        self.maxpool = stages.maxpool
        self.layer1, self.layer2 = stages.layer1, stages.layer2
        self.layer3, self.layer4 = stages.layer3, stages.layer4

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features after the first and the last stage, at strides of 4 and 8.

        Args:
            images: float [B, 3, h, w], normalised.

        Returns:
            float [B, 256, h/4, w/4] and float [B, 2048, h/8, w/8].
        """
        fine = self.layer1(self.maxpool(self.stem(images)))
        return fine, self.layer4(self.layer3(self.layer2(fine)))


class Head(nn.Module):
    """Atrous spatial pyramid pooling with separable convolutions, refined by the first stage.

    Args:
        classes: number of classes.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.image_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), _block(COARSE, CHANNELS, 1))
        self.aspp_modules = nn.ModuleList(
            _block(COARSE, CHANNELS, 1) if dilation == 1 else _separable(COARSE, CHANNELS, dilation)
            for dilation in DILATIONS
        )
        self.bottleneck = _block((1 + len(DILATIONS)) * CHANNELS, CHANNELS, 3)
        self.c1_bottleneck = _block(FINE, FINE_CHANNELS, 1)
        self.sep_bottleneck = nn.Sequential(
            _separable(CHANNELS + FINE_CHANNELS, CHANNELS), _separable(CHANNELS, CHANNELS)
        )
        self.conv_seg = nn.Conv2d(CHANNELS, classes, 1)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """Return logits [B, classes, H, W] at the size of `fine`, for the backbone's features."""
        pyramid = [_resized(self.image_pool(coarse), coarse)]
        pyramid += [module(coarse) for module in self.aspp_modules]
        fused = self.bottleneck(torch.cat(pyramid, dim=1))
        detail = self.c1_bottleneck(fine)
        fused = torch.cat([_resized(fused, detail), detail], dim=1)
        logits: Tensor = self.conv_seg(self.sep_bottleneck(fused))
        return logits


def _convolved(before: int, after: int, stride: int = 1) -> list[nn.Module]:
    """Return a 3x3 convolution, a norm and a ReLU, in the order of mmsegmentation's stem."""
    convolution = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True)]


def _block(
    before: int, after: int, kernel: int, dilation: int = 1, groups: int = 1
) -> nn.Sequential:
    """Return a size-preserving convolution, a norm and a ReLU, with mmcv's names."""
    padding = dilation * (kernel // 2)
    convolution = nn.Conv2d(
        before, after, kernel, padding=padding, dilation=dilation, groups=groups, bias=False
    )
    layers = {"conv": convolution, "bn": nn.BatchNorm2d(after), "relu": nn.ReLU(inplace=True)}
    return nn.Sequential(OrderedDict(layers))


def _separable(before: int, after: int, dilation: int = 1) -> nn.Sequential:
    """Return a depthwise 3x3 and a pointwise 1x1 convolution, with mmcv's names."""
    layers = {
        "depthwise_conv": _block(before, before, 3, dilation, groups=before),
        "pointwise_conv": _block(before, after, 1),
    }
    return nn.Sequential(OrderedDict(layers))


def _resized(features: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(
        features, size=like.shape[2:], mode="bilinear", align_corners=False
    )


def load_deeplabv3plus_r101(path: Path) -> DeepLabV3PlusR101:
    """Return the network with its published weights, in eval mode, on the CPU.

    Args:
        path: the published checkpoint, of which only tensors are read. Its auxiliary head is left
            out.

    Raises:
        InputError: the file is absent, holds other data than weights, or the weights of another
            network.
    """
    with torch.device("meta"):
        network = DeepLabV3PlusR101()
    weights = {
        name: tensor
        for name, tensor in read_published(path, network.state_dict().__contains__).items()
        if not name.startswith(AUXILIARY)
    }
    fill(network, weights, path, "DeepLabV3+ R101-D8 for Cityscapes")
    return network.eval()
