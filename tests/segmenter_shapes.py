"""Names and shapes of the parameters in the published files of section 5.1's architectures."""

B4 = {"widths": (64, 128, 320, 512), "depths": (3, 8, 27, 3), "decoder": 768, "classes": 19}


def convolution(name, out, before, kernel, bias=True):
    weight = {f"{name}.weight": (out, before, kernel, kernel)}
    return weight | ({f"{name}.bias": (out,)} if bias else {})


def norm(name, width):
    return {f"{name}.{part}": (width,) for part in ("weight", "bias")}


def batch_norm(name, width):
    running = {f"{name}.{part}": (width,) for part in ("running_mean", "running_var")}
    return norm(name, width) | running | {f"{name}.num_batches_tracked": ()}


def linear(name, out, before):
    return {f"{name}.weight": (out, before), f"{name}.bias": (out,)}


def segformer_shapes(widths, depths, decoder, classes):
    """Return the shapes of the files on the Hugging Face Hub, by name."""
    shapes = {}
    for stage, (width, depth, reduction) in enumerate(
        zip(widths, depths, (8, 4, 2, 1), strict=True)
    ):
        embedding = f"segformer.encoder.patch_embeddings.{stage}"
        before, kernel = (widths[stage - 1], 3) if stage else (3, 7)
        shapes |= convolution(f"{embedding}.proj", width, before, kernel)
        shapes |= norm(f"{embedding}.layer_norm", width)
        for block in range(depth):
            name = f"segformer.encoder.block.{stage}.{block}"
            shapes |= norm(f"{name}.layer_norm_1", width) | norm(f"{name}.layer_norm_2", width)
            for part in ("self.query", "self.key", "self.value", "output.dense"):
                shapes |= linear(f"{name}.attention.{part}", width, width)
            if reduction > 1:
                shapes |= convolution(f"{name}.attention.self.sr", width, width, reduction)
                shapes |= norm(f"{name}.attention.self.layer_norm", width)
            shapes |= linear(f"{name}.mlp.dense1", 4 * width, width)
            shapes |= convolution(f"{name}.mlp.dwconv.dwconv", 4 * width, 1, 3)
            shapes |= linear(f"{name}.mlp.dense2", width, 4 * width)
        shapes |= norm(f"segformer.encoder.layer_norm.{stage}", width)
        shapes |= linear(f"decode_head.linear_c.{stage}.proj", decoder, width)
    shapes |= convolution("decode_head.linear_fuse", decoder, 4 * decoder, 1, bias=False)
    shapes |= batch_norm("decode_head.batch_norm", decoder)
    return shapes | convolution("decode_head.classifier", classes, decoder, 1)


def deeplab_shapes():
    """Return the shapes of mmsegmentation's R-101-D8, by name, the auxiliary head among them."""
    shapes = {}
    for place, (before, out) in zip((0, 3, 6), ((3, 32), (32, 32), (32, 64)), strict=True):
        shapes |= convolution(f"backbone.stem.{place}", out, before, 3, bias=False)
        shapes |= batch_norm(f"backbone.stem.{place + 1}", out)
    before = 64
    for stage, blocks in enumerate((3, 4, 23, 3)):
        width = 64 * 2**stage
        for block in range(blocks):
            name = f"backbone.layer{stage + 1}.{block}"
            sizes = ((width, before, 1), (width, width, 3), (4 * width, width, 1))
            for number, size in enumerate(sizes, start=1):
                shapes |= convolution(f"{name}.conv{number}", *size, bias=False)
                shapes |= batch_norm(f"{name}.bn{number}", size[0])
            if block == 0:
                shapes |= convolution(f"{name}.downsample.0", 4 * width, before, 1, bias=False)
                shapes |= batch_norm(f"{name}.downsample.1", 4 * width)
            before = 4 * width
    for name, size in {
        "decode_head.image_pool.1": (512, 2048, 1),
        "decode_head.aspp_modules.0": (512, 2048, 1),
        "decode_head.bottleneck": (512, 2560, 3),
        "decode_head.c1_bottleneck": (48, 256, 1),
        "auxiliary_head.convs.0": (256, 1024, 3),
    }.items():
        shapes |= convolution(f"{name}.conv", *size, bias=False)
        shapes |= batch_norm(f"{name}.bn", size[0])
    for name, before in {
        **{f"decode_head.aspp_modules.{module}": 2048 for module in (1, 2, 3)},
        "decode_head.sep_bottleneck.0": 560,
        "decode_head.sep_bottleneck.1": 512,
    }.items():
        for part, size in {"depthwise": (before, 1, 3), "pointwise": (512, before, 1)}.items():
            shapes |= convolution(f"{name}.{part}_conv.conv", *size, bias=False)
            shapes |= batch_norm(f"{name}.{part}_conv.bn", size[0])
    shapes |= convolution("auxiliary_head.conv_seg", 19, 256, 1)
    return shapes | convolution("decode_head.conv_seg", 19, 512, 1)
