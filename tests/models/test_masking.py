import numpy as np
import pytest
import torch

from support import small_model
from videottt.core.randomness import generator
from videottt.models.inputs import denormalise, normalise, pad_to_stride
from videottt.models.masking import masked, random_visible, reconstruction_loss


def patches_of(visible, patch):
    """Return [batch, rows, columns] of masks after checking that no patch is half visible."""
    grid = visible[:, 0, ::patch, ::patch]
    whole = grid.repeat_interleave(patch, 1).repeat_interleave(patch, 2)
    assert torch.equal(whole[:, : visible.shape[2], : visible.shape[3]], visible[:, 0])
    return grid


@pytest.mark.parametrize(
    ("size", "patch", "ratio", "kept"),
    [
        ((96, 160), 16, 0.85, 9),  # of 60: the authors' code, docs/fidelity.md
        ((96, 160), 16, 0.80, 12),
        ((80, 80), 8, 0.80, 20),  # of 100, although 100 * (1 - 0.8) is 19.999...
        ((64, 96), 8, 0.75, 24),
        ((50, 70), 16, 0.5, 10),  # of 4 x 5 patches, cut below and at the right
        ((32, 32), 16, 0.0, 4),
        ((32, 32), 16, 1.0, 0),
    ],
)
def test_a_mask_keeps_the_authors_number_of_whole_patches(size, patch, ratio, kept):
    visible = random_visible(5, size, patch, ratio, generator("count"))
    assert visible.shape == (5, 1, *size)
    assert set(visible.unique().tolist()) <= {0.0, 1.0}
    assert patches_of(visible, patch).sum(dim=(1, 2)).tolist() == [kept] * 5


def test_masks_are_uniform_and_independent_within_a_batch():
    visible = patches_of(random_visible(4000, (32, 64), 8, 0.75, generator("uniform")), 8)
    flat = visible.reshape(4000, 32)
    assert (flat.mean(dim=0) - 0.25).abs().max() < 0.03
    together = (flat[:-1] * flat[1:]).mean(dim=0)
    assert (together - 0.25**2).abs().max() < 0.02
    assert len({row.numpy().tobytes() for row in flat}) > 3990


def test_masks_depend_on_their_generator_and_not_on_how_a_batch_is_cut():
    def draw(*sizes):
        draws = generator("masks", 1)
        return torch.cat([random_visible(size, (64, 96), 8, 0.8, draws) for size in sizes])

    assert torch.equal(draw(6), draw(2, 1, 3))
    other = random_visible(6, (64, 96), 8, 0.8, generator("masks", 2))
    assert not torch.equal(draw(6), other)


@pytest.fixture
def example():
    draws = generator("example")
    pixels, images = (torch.randn(3, 3, 40, 56, generator=draws) for _ in range(2))
    return pixels, images, random_visible(3, (40, 56), 16, 0.75, draws)


def test_the_loss_is_the_mean_squared_error_of_masked_or_all_pixels(example):
    pixels, images, visible = (each.numpy().astype(np.float64) for each in example)
    error = (pixels - images) ** 2
    masked = np.broadcast_to(visible == 0, error.shape)
    by_image = [error[i][masked[i]].mean() for i in range(3)]
    assert len({int(masked[i].sum()) for i in range(3)}) > 1, "cut patches differ in size"
    assert reconstruction_loss(*example, "masked").item() == pytest.approx(np.mean(by_image))
    assert reconstruction_loss(*example, "all").item() == pytest.approx(error.mean())


@pytest.mark.parametrize("region", ["visible", "masked"])
def test_visible_pixels_count_only_when_all_pixels_do(example, region):
    pixels, images, visible = example
    spoilt = pixels + 5 * (visible if region == "visible" else 1 - visible)
    for loss_on, counts in (("masked", region == "masked"), ("all", True)):
        before = reconstruction_loss(pixels, images, visible, loss_on)
        after = reconstruction_loss(spoilt, images, visible, loss_on)
        assert (before != after) == counts


def test_a_loss_without_a_masked_pixel_is_zero(example):
    pixels, images, visible = example
    assert reconstruction_loss(pixels, images, torch.ones_like(visible), "masked") == 0


def test_query_c_p_q_is_colour_c_of_row_p_and_column_q_of_each_patch():
    model = small_model().eval()
    images = torch.randn(2, 3, 32, 64, generator=generator("images"))
    visible = random_visible(2, (32, 64), 8, 0.5, generator("visible"))
    with torch.no_grad():
        pixels = model.reconstruct(images, visible).numpy()
        states, refined = model.decoder.query(model.features(images, visible))
        queries = model.decoder.query_decoder.masks(states[-1], refined).numpy()
    assert queries.shape == (2, 48, 8, 16)
    expected = np.empty((2, 3, 32, 64), np.float32)
    for colour in range(3):
        for p in range(4):
            for q in range(4):
                expected[:, colour, p::4, q::4] = queries[:, colour * 16 + p * 4 + q]
    assert np.array_equal(pixels, expected)


def test_masked_pixels_do_not_reach_the_encoder_but_the_mask_does():
    model = small_model().eval()
    draws = generator("leak")
    images, other = (torch.randn(1, 3, 32, 64, generator=draws) for _ in range(2))
    visible = random_visible(1, (32, 64), 8, 0.5, draws)
    with torch.no_grad():
        shown = model.reconstruct(images, visible)
        same_where_visible = torch.where(visible.bool(), images, other)
        assert torch.equal(model.reconstruct(same_where_visible, visible), shown)
        black = images * visible
        assert not torch.equal(model.reconstruct(black, torch.ones_like(visible)), shown)


def test_pixels_survive_normalising_and_denormalising():
    images = torch.arange(256, dtype=torch.uint8).repeat(3, 1).T.reshape(1, 16, 16, 3).contiguous()
    normalised = normalise(images)
    assert normalised.shape == (1, 3, 16, 16)
    assert torch.equal(denormalise(normalised), images)
    black = normalise(torch.zeros(1, 1, 1, 3, dtype=torch.uint8)).flatten()
    assert black.tolist() == pytest.approx([-123.675 / 58.395, -116.28 / 57.12, -103.53 / 57.375])
    padded = pad_to_stride(normalised)
    assert padded.shape == (1, 3, 32, 32)
    assert padded[..., 16:, :].abs().sum() == 0


def test_masked_pixels_are_the_mean_colour_or_black_and_visible_ones_are_unchanged():
    draws = generator("filling")
    images = torch.randn(2, 3, 32, 64, generator=draws)
    visible = random_visible(2, (32, 64), 8, 0.5, draws)
    mean, black = (
        denormalise(masked(images, visible, filling)).movedim(3, 1) for filling in ("mean", "black")
    )
    seen, hidden = visible.bool().expand_as(images), ~visible.bool()[:, 0]
    for shown in (mean, black):
        assert torch.equal(shown[seen], denormalise(images).movedim(3, 1)[seen])
    assert mean.movedim(1, 3)[hidden].unique(dim=0).tolist() == [[124, 116, 104]]
    assert black.movedim(1, 3)[hidden].unique(dim=0).tolist() == [[0, 0, 0]]


def test_the_colour_of_masked_pixels_reaches_the_encoder():
    model = small_model().eval()
    draws = generator("filling")
    images = torch.randn(1, 3, 32, 64, generator=draws)
    visible = random_visible(1, (32, 64), 8, 0.5, draws)
    with torch.no_grad():
        mean, black = (model.reconstruct(images, visible, each) for each in ("mean", "black"))
        by_hand = model.reconstruct(masked(images, visible, "black"), torch.ones_like(visible))
        assert torch.equal(model.reconstruct(images, visible), mean)
    assert not torch.equal(mean, black)
    # The fourth channel still says what is masked.
    assert not torch.equal(by_hand, black)
