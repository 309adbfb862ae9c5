import pytest
import torch

from videottt.runtime.device import fitting_micro_batch, prepare_device
from videottt.runtime.precision import Precision, allow_tf32

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def arithmetic():
    """Restore torch's arithmetic after a test."""
    yield
    allow_tf32(False)


def tf32():
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize(
    ("batch", "one", "free", "expected"),
    [
        (32, 4, 80, 16),  # 18 fit; two parts of 16 are as fast as 18 and 14
        (32, 4, 1000, 32),
        (32, 4, 40, 8),
        (32, 4, 3, 1),
        (1, 4, 80, 1),
        (7, 1, 5, 4),
    ],
)
def test_a_micro_batch_fits_and_cuts_the_batch_into_equal_parts(batch, one, free, expected):
    assert fitting_micro_batch(batch, one, free) == expected


def test_a_prepared_device_has_no_tf32(arithmetic):
    allow_tf32(True)
    prepare_device("cpu", torch.get_num_threads())
    assert tf32() == (False, False)


@pytest.mark.parametrize(
    ("name", "device", "allowed"),
    [
        ("float32", GPU, False),
        ("bfloat16", GPU, True),
        ("float16", GPU, True),
        ("bfloat16", CPU, False),
    ],
)
def test_tf32_is_for_updates_in_mixed_precision_alone(arithmetic, name, device, allowed):
    allow_tf32(False)
    precision = Precision(name, CPU)
    precision._device = device.type
    with precision.products():
        assert tf32() == (allowed, allowed)
    assert tf32() == (False, False)


def test_auto_is_float32_on_a_cpu():
    assert Precision("auto", CPU).name == "float32"
