"""DeepLabV3+ with a ResNet-101, one of the two networks that section 5.1 compares Mask2Former with.

https://arxiv.org/abs/1802.02611 as mmsegmentation has it ("R-101-D8", 512x1024, 80k iterations on
Cityscapes): configs/_base_/models/deeplabv3plus_r50-d8.py with depth 101, backbones/resnet.py
(ResNetV1c) and decode_heads/sep_aspp_head.py. Parameters have its names, so that
``deeplabv3plus_r101-d8_512x1024_80k_cityscapes_20200606_114143-068fcfe9.pth`` fits. It has 60.2 M
parameters; the 62.7 M that the paper states are those with the 150 classes of ADE20K and with the
auxiliary head, which only training uses.
"""

from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.resnet import Bottleneck, ResNet

from videottt.models.baselines.published import fill, read_published

CLASSES = 19
BLOCKS = [3, 4, 23, 3]  # of the four stages of a ResNet-101
STEM = 64
FINE, COARSE = 256, 2048  # channels after the first and the last stage
CHANNELS, FINE_CHANNELS = 512, 48  # of the head, and of the first stage in it
DILATIONS = (1, 12, 24, 36)
AUXILIARY = "auxiliary_head."


class DeepLabV3PlusR101(nn.Module):
    """Backbone and head; at a stride of 8, as the last two stages dilate instead of striding."""

    def __init__(self, classes: int = CLASSES) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.decode_head = Head(classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, float [B, classes, h/4, w/4], of images float [B, 3, h, w]."""
        logits: Tensor = self.decode_head(*self.backbone(images))
        return logits


class Backbone(nn.Module):
    """ResNetV1c: a ResNet whose first 7x7 convolution is three of 3x3."""

    def __init__(self) -> None:
        super().__init__()
        # In both the first block of a dilated stage has the dilation of the stage before:
        # mmsegmentation's contract_dilation. So the last stages dilate by 1, 2, 2, ... and 2, 4, 4.
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
        """Return features after the first and the last stage, at strides of 4 and 8."""
        fine = self.layer1(self.maxpool(self.stem(images)))
        return fine, self.layer4(self.layer3(self.layer2(fine)))


class Head(nn.Module):
    """Atrous spatial pyramid pooling with separable convolutions, refined by the first stage."""

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
        """Return logits at the size of `fine`."""
        pyramid = [_resized(self.image_pool(coarse), coarse)]
        pyramid += [module(coarse) for module in self.aspp_modules]
        fused = self.bottleneck(torch.cat(pyramid, dim=1))
        detail = self.c1_bottleneck(fine)
        fused = torch.cat([_resized(fused, detail), detail], dim=1)
        logits: Tensor = self.conv_seg(self.sep_bottleneck(fused))
        return logits


def _convolved(before: int, after: int, stride: int = 1) -> list[nn.Module]:
    """Return the layers of a 3x3 convolution, by place as in mmsegmentation's stem."""
    convolution = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True)]


def _block(
    before: int, after: int, kernel: int, dilation: int = 1, groups: int = 1
) -> nn.Sequential:
    """Return a convolution that keeps the size, a norm and a ReLU, by mmcv's names."""
    padding = dilation * (kernel // 2)
    convolution = nn.Conv2d(
        before, after, kernel, padding=padding, dilation=dilation, groups=groups, bias=False
    )
    layers = {"conv": convolution, "bn": nn.BatchNorm2d(after), "relu": nn.ReLU(inplace=True)}
    return nn.Sequential(OrderedDict(layers))


def _separable(before: int, after: int, dilation: int = 1) -> nn.Sequential:
    """Return a 3x3 convolution of each channel and one across channels, by mmcv's names."""
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

    The auxiliary head, which the file has, is left out.

    Args:
        path: the published checkpoint; nothing but tensors is read of it.

    Raises:
        InputError: the file is absent, holds anything but weights, or those of another network.
    """
    weights = {
        name: tensor
        for name, tensor in read_published(path).items()
        if not name.startswith(AUXILIARY)
    }
    with torch.device("meta"):
        network = DeepLabV3PlusR101()
    fill(network, weights, path, "DeepLabV3+ R101-D8 for Cityscapes")
    return network.eval()
