import dataclasses
import json
import os
import pickle
import subprocess
import sys

import h5py
import numpy as np
import pytest
import torch

from support import store_frames
from videottt.cli import main
from videottt.core.errors import InputError
from videottt.core.files import sha256
from videottt.core.frame_result import PHASES, FrameResult
from videottt.core.ids import JobKey
from videottt.core.segments import ClassSpace
from videottt.evaluation.aggregation import aggregate
from videottt.evaluation.metrics import frame_value, headline, label_of, labelled, statistics_of
from videottt.evaluation.metrics.colour import ColourErrors, frechet_distance, inception_score
from videottt.evaluation.perception import NETWORKS, load_networks
from videottt.evaluation.scores import Cost, Scores, read_scores
from videottt.store.frames import FrameStore
from videottt.store.predictions import WALL_TIMES, write_predictions
from videottt.store.source_frame import SourceFrame

SPACE = ClassSpace(("a",))
SIZE = (32, 48)
CPU = torch.device("cpu")


def draws(seed=0):
    return np.random.default_rng(seed)


def noise(size=SIZE, seed=0):
    return draws(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def structure(size=SIZE):
    """Edges, ramps and flat parts, light and dark."""
    y, x = np.mgrid[: size[0], : size[1]]
    planes = [5 * x, 255 * (x // 7 % 2), np.where(y < size[0] // 2, 255, 3 * y)]
    return np.stack(planes, axis=-1).astype(np.uint8)


def disturbed(image, amount=20, seed=1):
    change = draws(seed).integers(-amount, amount + 1, image.shape)
    return np.clip(image + change, 0, 255).astype(np.uint8)


def statistics(*pairs):
    return ColourErrors.of_frames(pairs, SPACE)


# PSNR and SSIM

PAIRS = {
    "noise": (noise(), noise(seed=1)),
    "little noise": (noise(), disturbed(noise())),
    "structure": (structure(), disturbed(structure())),
    "shifted": (structure(), np.roll(structure(), 3, axis=1)),
    "smallest": (noise((11, 11)), disturbed(noise((11, 11)))),
}


def planes(image):
    return torch.from_numpy(image).double().permute(2, 0, 1)[None]


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_psnr_and_ssim_are_those_of_other_libraries(pair):
    from kornia.metrics import ssim
    from skimage.metrics import peak_signal_noise_ratio as skimage_psnr
    from torchmetrics.functional.image import peak_signal_noise_ratio as torchmetrics_psnr
    from torchmetrics.functional.image import structural_similarity_index_measure

    values = statistics(pair).metrics()
    first, second = map(planes, pair)
    assert values["psnr_frames"] == pytest.approx(skimage_psnr(*pair), rel=1e-12)
    other = torchmetrics_psnr(second, first, data_range=255.0)
    assert values["psnr_pooled"] == pytest.approx(float(other), rel=1e-6)

    map_of = ssim(first, second, 11, 255.0, eps=0, padding="valid")
    assert values["ssim_frames"] == pytest.approx(float(map_of.mean()), rel=1e-12)
    # torchmetrics pads the images, and averages over their borders too.
    _, padded = structural_similarity_index_measure(
        second, first, data_range=255.0, return_full_image=True
    )
    assert values["ssim_frames"] == pytest.approx(float(padded[..., 5:-5, 5:-5].mean()), rel=1e-9)


def test_psnr_and_ssim_by_hand():
    grey, lighter = (np.full((16, 16, 3), level, np.uint8) for level in (100, 110))
    values = statistics((grey, lighter)).metrics()
    assert values["psnr_frames"] == pytest.approx(20 * np.log10(255 / 10))
    constant = (0.01 * 255) ** 2
    wanted = (2 * 100 * 110 + constant) / (100**2 + 110**2 + constant)
    assert values["ssim_frames"] == pytest.approx(wanted, rel=1e-9)
    # The one frame has four times the pixels of the other, whose error is twice as large.
    large = (np.full((32, 32, 3), 100, np.uint8), np.full((32, 32, 3), 105, np.uint8))
    pooled = statistics((grey, lighter), large).metrics()
    mean_squared = (10**2 + 4 * 5**2) / 5
    assert pooled["psnr_pooled"] == pytest.approx(10 * np.log10(255**2 / mean_squared))
    each = [20 * np.log10(255 / 10), 20 * np.log10(255 / 5)]
    assert pooled["psnr_frames"] == pytest.approx(np.mean(each))


def test_a_frame_without_error_has_no_psnr_and_the_mean_leaves_it_out():
    image, found = structure(), disturbed(structure())
    values = statistics((image, image), (image, found)).metrics()
    alone = statistics((image, found))
    assert values["frames_undefined"] == 1
    assert values["psnr_frames"] == alone.metrics()["psnr_frames"]
    assert values["psnr_pooled"] == pytest.approx(10 * np.log10(2) + values["psnr_frames"])
    assert values["ssim_frames"] == pytest.approx((1 + alone.ssim[0]) / 2)
    assert np.isnan(frame_value("colorization", image, image, SPACE))
    perfect = statistics((image, image)).metrics()
    assert np.isnan([perfect["psnr_pooled"], perfect["psnr_frames"]]).all()
    assert perfect["ssim_frames"] == 1


def test_what_is_not_defined_or_has_no_network_is_nan():
    values = statistics((noise((10, 40)), noise((10, 40), 1))).metrics()
    nothing = {name for name, value in values.items() if np.isnan(value)}
    networks = {"lpips_frames", "fid_pooled", "inception_score_pooled"}
    # The window of SSIM does not fit.
    assert nothing == {*networks, "inception_score_std_pooled", "ssim_frames"}


def test_joined_statistics_are_those_of_the_joined_frames():
    pairs = list(PAIRS.values())
    whole = statistics(*pairs)
    joined = ColourErrors.joined([statistics(*pairs[:2]), statistics(*pairs[2:])])
    for name, values in whole.arrays().items():
        np.testing.assert_array_equal(joined.arrays()[name], values)
        assert joined.arrays()[name].dtype == values.dtype
        assert len(values) == len(pairs)
    np.testing.assert_equal(joined.metrics(), whole.metrics())
    each = [frame_value("colorization", found, label, SPACE) for label, found in pairs]
    np.testing.assert_equal(whole.frame_values(), each)


def test_every_frame_is_the_truth_of_its_colours(tmp_path):
    frames = [SourceFrame(str(i), noise(seed=i)) for i in range(3)]
    path = store_frames(tmp_path / "frames.h5", frames)
    with FrameStore(path) as store:
        assert labelled(store, "colorization").tolist() == [True] * 3
        assert labelled(store, "semantic").tolist() == [False] * 3
        np.testing.assert_array_equal(label_of(store, 2, "colorization"), frames[2].image)
    shown = headline("colorization")
    assert (shown.unit, shown.scale, headline("semantic").unit) == ("dB", 1, "%")
    assert statistics_of("colorization").kind == "images"


# FID and inception score


def gaussian(mean, root, number, seed):
    return mean + draws(seed).normal(size=(number, len(mean))) @ root


def closed_form(m, s, n, t):
    from scipy.linalg import sqrtm

    return np.square(m - n).sum() + np.trace(s + t - 2 * sqrtm(s @ t).real)


def test_fid_is_the_closed_form_of_two_gaussians():
    width, number = 6, 20_000
    means = draws(1).normal(size=(2, width))
    roots = draws(2).normal(size=(2, width, width))
    sets = [gaussian(means[i], roots[i], number, seed=i) for i in range(2)]
    found = frechet_distance(*sets)
    (m, s), (n, t) = ((each.mean(axis=0), np.cov(each.T)) for each in sets)
    assert found == pytest.approx(closed_form(m, s, n, t), rel=1e-9)
    assert found == pytest.approx(frechet_distance(sets[1], sets[0]), rel=1e-9)
    covariances = [root.T @ root for root in roots]
    true = closed_form(means[0], covariances[0], means[1], covariances[1])
    assert true > 5
    assert found == pytest.approx(true, rel=0.02)


@pytest.mark.parametrize("number", [2, 20, 300])
def test_fid_is_that_of_torchmetrics_for_few_frames_and_many(number):
    from torchmetrics.image.fid import FrechetInceptionDistance

    sets = [gaussian(np.full(64, i), np.diag(np.arange(64) + i), number, i) for i in range(2)]
    features = torch.nn.Identity()
    features.num_features = 64
    library = FrechetInceptionDistance(feature=features)
    for each, real in zip(sets, (True, False), strict=True):
        library.update(torch.from_numpy(each), real=real)
    # The library takes roots of eigenvalues that are 0 but for rounding.
    assert frechet_distance(*sets) == pytest.approx(float(library.compute()), rel=1e-5)


def test_fid_of_fewer_frames_than_features_is_exact():
    features = draws().normal(size=(40, 2048)).astype(np.float32) * np.arange(2048, dtype="f4")
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-4)
    # Of the same covariance, only the means are apart.
    moved = features.astype(np.float64) + 3
    assert frechet_distance(features, moved) == pytest.approx(9 * 2048, rel=1e-9)
    # Without a direction in common, the variances add up.
    left, right = features.copy(), features.copy()
    left[:, 1024:] = right[:, :1024] = 0
    total = sum(np.trace(np.cov(each.T)) for each in (left, right))
    apart = np.square(left.astype(float).mean(axis=0) - right.astype(float).mean(axis=0)).sum()
    assert frechet_distance(left, right) == pytest.approx(total + apart, rel=1e-6)
    assert np.isnan(frechet_distance(features[:1], features[:1]))


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (1, ["FID of one frame is not defined"]),
        (5, ["FID of 5 frames: it needs 2048", "5 splits of one frame"]),
        (40, ["FID of 40 frames: it needs 2048"]),
        (2048, []),
    ],
)
def test_what_few_frames_do_to_fid_is_said(number, said):
    features = np.ones((number, 1), np.float32)
    every = np.ones(number)
    logits = np.ones((number, 2), np.float32)
    space = ClassSpace(())
    errors = ColourErrors(space, every, every, every, every, features, features, logits)
    lines = errors.caveats()
    assert len(lines) == len(said)
    assert all(part in line for part, line in zip(said, lines, strict=True))


def logits_of(probabilities, number):
    return np.log(np.repeat(probabilities, number, axis=0)).astype(np.float32)


@pytest.mark.parametrize(
    ("probabilities", "score"),
    [
        # Every image is of one class, and there are as many of each.
        (np.eye(4) * (1 - 1e-6) + 1e-9, 4),
        # KL of (3/4, 1/4) from (1/2, 1/2).
        ([[3 / 4, 1 / 4], [1 / 4, 3 / 4]], 2 * (3 / 4) ** (3 / 4) * (1 / 4) ** (1 / 4)),
        # Nothing is learnt from an image.
        ([[1 / 5, 4 / 5]], 1),
    ],
    ids=["certain", "likely", "uninformative"],
)
def test_the_inception_score_of_known_probabilities(probabilities, score):
    logits = logits_of(np.array(probabilities), 12_000 // len(probabilities))
    mean, deviation = inception_score(logits)
    # Of ten splits of 1,200 images, in which classes are not equally frequent by chance.
    assert mean == pytest.approx(score, rel=2e-3)
    assert 0 <= deviation < 2e-3 * score
    assert (deviation > 1e-6) == (score > 1)
    assert inception_score(logits) == (mean, deviation)
    # Logits are known but for a number that is the same for all classes of an image.
    assert inception_score(logits + 3)[0] == pytest.approx(mean, rel=1e-5)


def test_the_inception_score_of_few_images_has_as_many_splits():
    assert inception_score(logits_of(np.eye(3) + 0.1, 1)) == pytest.approx((1, 0))
    # Eleven images are nine splits of one, and one of two images, which are of different classes.
    mean, deviation = inception_score(logits_of(np.eye(11) + 1e-12, 1))
    assert mean == pytest.approx((9 * 1 + 2) / 10)
    assert deviation == pytest.approx(np.std([1] * 9 + [2]))


# The networks


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files as they are published, of weights that were never trained."""
    import torch_fidelity
    import torchvision

    class Untrained(torch_fidelity.FeatureExtractorInceptionV3):
        def load_state_dict(self, *_):
            pass

    folder = tmp_path_factory.mktemp("weights")
    torch.save({}, folder / "none.pth")
    torch.manual_seed(0)
    inception = Untrained("inception", ["2048"], folder / "none.pth")
    for weights in inception.parameters():
        if weights.ndim == 4:  # by default, images would hardly differ after so many layers
            torch.nn.init.kaiming_normal_(weights, nonlinearity="relu")
    torch.save(inception.state_dict(), folder / "inception.pth")
    trunk = torchvision.models.AlexNet().features
    weights = {f"features.{name}": each for name, each in trunk.state_dict().items()}
    torch.save({**weights, "classifier.1.bias": torch.zeros(1)}, folder / "alexnet.pth")
    return {name: folder / f"{name}.pth" for name in NETWORKS}


@pytest.fixture(scope="module")
def networks(files):
    def fetch(*_, **__):
        raise AssertionError("something was to be fetched")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.hub, "download_url_to_file", fetch)
        return load_networks(files, CPU)


def test_inception_is_the_network_of_torch_fidelity(networks, files):
    from torch_fidelity import FeatureExtractorInceptionV3

    images = np.stack([noise(), structure(), 255 - structure()])
    features, logits = networks.inception(images)
    assert (features.shape, logits.shape) == ((3, 2048), (3, 1008))
    assert features.dtype == logits.dtype == np.float32
    wanted = ["2048", "logits_unbiased"]
    library = FeatureExtractorInceptionV3("x", wanted, str(files["inception"]))
    expected = library(torch.from_numpy(images).permute(0, 3, 1, 2))
    for found, each in zip((features, logits), expected, strict=True):
        np.testing.assert_array_equal(found, each.numpy())
        assert np.ptp(found, axis=0).mean() > 0.1 * np.abs(found).mean()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_lpips_is_that_of_its_authors_with_the_trunk_of_torchvision(networks, files):
    import lpips

    library = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    convolutions = [each for each in library.net.modules() if isinstance(each, torch.nn.Conv2d)]
    weights = torch.load(files["alexnet"], weights_only=True)
    for place, each in zip((0, 3, 6, 8, 10), convolutions, strict=True):
        names = ("weight", "bias")
        each.load_state_dict({name: weights[f"features.{place}.{name}"] for name in names})
    images, others = (np.stack([noise(seed=i), structure()]) for i in (0, 1))
    found = networks.distance(images, others)
    with torch.no_grad():
        scaled = [
            torch.from_numpy(each).permute(0, 3, 1, 2) / 127.5 - 1 for each in (images, others)
        ]
        wanted = library(*scaled).flatten().numpy()
    assert found == pytest.approx(wanted, rel=1e-6)
    assert found[0] > 1e-3
    assert found[1] == 0
    assert found.dtype == np.float64
    small = noise((30, 64))[None]
    assert np.isnan(networks.distance(small, small)).all()


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def spoilt(path, kind, files):
    """Write a file that holds no weights of the network, and return what is said of it."""
    if kind == "absent":
        return "no such file of weights"
    if kind == "pickle":
        path.write_bytes(pickle.dumps({"fc.bias": Malicious(path.parent / "made")}, protocol=2))
        return "mkdir"
    elif kind == "torch pickle":
        torch.save({"fc.bias": Malicious(path.parent / "made")}, path)
    elif kind == "truncated":
        path.write_bytes(files["alexnet"].read_bytes()[:100_000])
    elif kind == "empty":
        path.touch()
        return "text or empty"
    elif kind == "list":
        torch.save([torch.zeros(1)], path)
        return "holds no weights by name"
    else:
        torch.save({"features.0.weight": torch.zeros(1)}, path)
        return "not the weights of (Inception v3|AlexNet)"
    return "holds no weights that can be read safely"


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    "kind", ["absent", "pickle", "torch pickle", "truncated", "empty", "list", "other"]
)
def test_what_is_not_the_weights_of_a_network_is_one_line_and_runs_nothing(
    tmp_path, files, network, kind
):
    path = tmp_path / "weights.pth"
    message = spoilt(path, kind, files)
    with pytest.raises(InputError, match=rf"weights\.pth: .*{message}") as caught:
        load_networks({network: path}, CPU)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "made").exists()


def test_weights_of_another_shape_are_not_those_of_alexnet(tmp_path, files):
    weights = torch.load(files["alexnet"], weights_only=True)
    weights["features.3.bias"] = torch.zeros(7)
    torch.save(weights, tmp_path / "weights.pth")
    with pytest.raises(
        InputError, match=r"weights\.pth: not the weights of AlexNet .*size mismatch"
    ):
        load_networks({"alexnet": tmp_path / "weights.pth"}, CPU)


def test_a_network_that_does_not_exist_is_bad_input(files):
    with pytest.raises(InputError, match="no network 'alexnett'; did you mean 'alexnet'"):
        load_networks({"alexnett": files["alexnet"]}, CPU)


# Scores of videos


def predict(path, task, frames, classes):
    """Write predictions of frames: uint8 [T, H, W] or [T, H, W, 3]."""
    with write_predictions(
        path,
        JobKey("synthetic", task, "m", 0, "tiny_0"),
        kind=statistics_of(task).kind,
        frames=len(frames),
        size=SIZE,
        classes=classes,
        settings={},
        provenance={},
    ) as writer:
        for index, shown in enumerate(frames):
            nan = float("nan")
            writer.add(FrameResult(index, shown, nan, nan, 0, dict.fromkeys(PHASES, 0.5)))


@pytest.fixture
def video(tmp_path):
    """Three frames of which one has labels, and predictions of two tasks."""
    images = np.stack([noise(), structure(), 255 - structure()])
    labels = np.zeros(SIZE, np.uint8)
    frames = [SourceFrame("0", images[0], labels)]
    frames += [SourceFrame(str(i), images[i]) for i in (1, 2)]
    store_frames(tmp_path / "frames.h5", frames, classes=["a", "b"], things=())
    found = images.mean(axis=-1, keepdims=True).repeat(3, axis=-1).astype(np.uint8)
    predict(tmp_path / "colorization.h5", "colorization", found, ["a", "b"])
    predict(tmp_path / "semantic.h5", "semantic", found[..., 0] % 2, ["a", "b"])
    return tmp_path, images, found


def words(folder, task, output, **options):
    return [
        "score", "--frames", str(folder / "frames.h5"), "--predictions", str(folder / f"{task}.h5"),
        "--split", "test", "--output", str(folder / output),
        *(word for name, value in options.items() for word in (f"--{name}", value)),
    ]  # fmt: skip


def test_a_video_is_scored_with_its_networks(video, files, networks, caplog):
    folder, images, found = video
    given = json.dumps({name: str(path) for name, path in files.items()})
    main(words(folder, "colorization", "scores.h5", networks=given, device="cpu"))
    assert "FID of 3 frames: it needs 2048 or more" in caplog.text
    assert "3 splits of one frame instead of 10" in caplog.text
    scores = read_scores(folder / "scores.h5")
    assert scores.index.tolist() == [0, 1, 2]
    pairs = zip(images, found, strict=True)
    parts = [ColourErrors.of_frame(*pair, scores.space, networks) for pair in pairs]
    wanted = ColourErrors.joined(parts)
    for name, values in wanted.arrays().items():
        np.testing.assert_array_equal(scores.statistics.arrays()[name], values)
        assert scores.statistics.arrays()[name].dtype == values.dtype
    seen = {
        "true_features": networks.inception(images)[0],
        "features": networks.inception(found)[0],
        "logits": networks.inception(found)[1],
    }
    for name, values in seen.items():
        np.testing.assert_allclose(getattr(wanted, name), values, atol=1e-5 * np.ptp(values))
    assert wanted.lpips == pytest.approx(networks.distance(found, images), rel=1e-4)
    assert wanted.lpips.min() > 1e-3
    apart = np.abs(seen["features"] - seen["true_features"])
    assert apart.max() > 0.01 * np.ptp(seen["features"])
    table = aggregate([scores])
    pooled = table[table.aggregation == "pooled"].set_index("metric").value
    assert not pooled.drop(["iteration", "peak_gpu_memory_bytes"]).isna().any()
    assert pooled["frames"] == 3
    assert pooled["fid_pooled"] == frechet_distance(wanted.true_features, wanted.features)
    with h5py.File(folder / "scores.h5") as file:
        made = json.loads(file.attrs["provenance"])
    assert made["networks"] == {name: sha256(path) for name, path in files.items()}


def test_segmentation_and_colours_without_networks_are_scored_without_torch(video):
    folder, *_ = video
    # Segmentation does not even look for networks.
    absent = json.dumps({"inception": "absent.pth"})
    jobs = [
        words(folder, "semantic", "semantic_scores.h5", networks=absent),
        words(folder, "colorization", "scores.h5"),
    ]
    program = (
        "import json, sys\n"
        "from videottt.cli import main\n"
        "for job in json.loads(sys.argv[1]): main(job)\n"
        "heavy = {'torch', 'lpips', 'torch_fidelity', 'torchvision', 'torchmetrics', 'kornia'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, json.dumps(jobs)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "[]"
    values = read_scores(folder / "scores.h5").statistics.metrics()
    assert values["psnr_frames"] > 0
    assert np.isnan(values["fid_pooled"])


def scores_of(video, statistics, ladder=None):
    number = len(statistics.values)
    cost = Cost({name: np.ones(number) for name in WALL_TIMES}, np.zeros(number), np.ones(number))
    return Scores(
        key=JobKey("d", "colorization", "m", 0, video),
        split="test",
        fps=10.0,
        index=np.arange(number),
        statistics=statistics,
        **vars(cost),
        resets=np.zeros(number),
        peak_memory=1,
        ladder=ladder or {},
        costs=dict.fromkeys(ladder or {}, cost),
    )


def seen(statistics, seed):
    """Return statistics with what networks might have made of the frames."""
    sizes = {"lpips": (), "true_features": (16,), "features": (16,), "logits": (5,)}
    number = len(statistics.values)
    made = {name: draws(seed).random((number, *size)) for name, size in sizes.items()}
    return dataclasses.replace(statistics, **made)


def test_videos_are_pooled_and_weighted_by_their_frames(caplog):
    pairs = list(PAIRS.values())[:3]
    parts = [seen(statistics(*pairs), 0), seen(statistics(pairs[0]), 1)]
    members = [scores_of(name, each) for name, each in zip("xy", parts, strict=True)]
    table = aggregate(members)
    assert "d test colorization m 0: FID of 4 frames: it needs 2048" in caplog.text
    values = table.pivot_table(
        index="metric", columns=["aggregation", "video"], values="value", dropna=False
    )
    x, y = values["video", "x"], values["video", "y"]
    pooled, weighted = values["pooled", "all"], values["frame_weighted", "all"]
    for name in ("psnr_frames", "ssim_frames", "lpips_frames"):
        assert weighted[name] == pytest.approx((3 * x[name] + y[name]) / 4)
        assert pooled[name] == pytest.approx(weighted[name])
    assert weighted["psnr_pooled"] == pytest.approx((3 * x["psnr_pooled"] + y["psnr_pooled"]) / 4)
    assert pooled["psnr_pooled"] == statistics(*pairs, pairs[0]).metrics()["psnr_pooled"]
    features = [
        np.concatenate([getattr(each, name) for each in parts])
        for name in ("true_features", "features")
    ]
    assert pooled["fid_pooled"] == pytest.approx(frechet_distance(*features))
    logits = np.concatenate([each.logits for each in parts])
    assert pooled["inception_score_pooled"] == pytest.approx(inception_score(logits)[0])
    # One frame has no covariance.
    assert np.isnan([y["fid_pooled"], weighted["fid_pooled"]]).all()
    with pytest.raises(InputError, match="with and without Inception cannot be pooled"):
        aggregate([members[0], scores_of("y", statistics(pairs[2]))])


def test_the_oracle_and_a_selection_take_the_largest_psnr(tmp_path):
    image = structure()
    rungs = {amount: statistics((image, disturbed(image, amount))) for amount in (90, 5, 200)}
    assert scores_of("x", rungs[200], rungs).oracle().iteration == 5
    with pytest.raises(SystemExit):
        main(["select", "--method", "m", "--metric", "fid_pooled", "--trial", "{}", "--grid",
              str(tmp_path / "grid.csv"), "--output", str(tmp_path / "selected.json")])  # fmt: skip
    assert not (tmp_path / "selected.json").exists()
