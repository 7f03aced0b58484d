"""The network that finds the cloud: its form and how it is trained."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from particlelab.parameters import Parameters, parameter

ENCODER_STRIDE = 32  # an encoder of segmentation_models_pytorch sees one pixel for so many at its deepest


class UNetTraining(Parameters):
    """A U-Net and how it is trained; the defaults train a small one in minutes on two cores."""

    network: Literal["document", "smp"] = parameter(
        "document", "The document's U-Net, or segmentation_models_pytorch's with an encoder"
    )
    widths: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = parameter(
        (16, 32, 64, 128), "Channels of the levels (document)"
    )
    stride: int = parameter(1, "Pixels along a side that the first level takes as one (document: 1)", low=1, high=8)
    background: bool = parameter(False, "Show the network the picture before the breath, too (document: no)")
    disturbed: float = parameter(
        0.3, "Share of pieces whose background is moved, lighter or darker, and noisy (background)", low=0, high=1
    )
    dropout: float = parameter(0.1, "Share of channels that are dropped after each convolution", low=0, below=1)
    encoder: str = parameter("tu-regnetx_002", "Encoder, by its name in segmentation_models_pytorch (smp)")
    iterations: int = parameter(600, "Iterations", low=1, high=1_000_000)
    batch: int = parameter(8, "Pieces of images in an iteration", low=2, high=1024)
    piece_px: int = parameter(128, "Edge of a piece, a multiple of 32", unit="px", low=32, high=2048)
    mirrored: float = parameter(0.5, "Share of pieces that are flipped from left to right", low=0, high=1)
    upside_down: float = parameter(0.5, "Share of pieces that are flipped upside down", low=0, high=1)
    blur: float = parameter(0.3, "Share of pieces that are blurred", low=0, high=1)
    noise: float = parameter(
        0.0,
        "Largest standard deviation of the noise that pieces get besides their own",
        unit="grey levels",
        low=0,
        high=50,
    )
    learning_rate: float = parameter(2e-3, "Highest learning rate", above=0, high=1)
    weight_decay: float = parameter(1e-4, "Weight decay", low=0, high=1)
    workers: int = parameter(0, "Processes that cut pieces ahead of the training", low=0, high=64)

    @model_validator(mode="after")
    def _pieces(self):
        if self.piece_px % ENCODER_STRIDE:
            raise ValueError(f"piece_px = {self.piece_px} must be a multiple of {ENCODER_STRIDE}")
        if not 1 <= len(self.widths) <= 6:
            raise ValueError(f"widths must be those of one to six levels, got {len(self.widths)}")
        deepest = self.stride * 2 ** (len(self.widths) - 1)
        if ENCODER_STRIDE % deepest:
            raise ValueError(
                f"stride = {self.stride} and {len(self.widths)} levels see {deepest} pixels as one; must divide "
                f"{ENCODER_STRIDE}"
            )
        return self


def build_network(parameters):
    """Return the network of a `UNetTraining`, with random weights.

    Raises
    ------
    ValueError
        If the encoder is unknown.
    """
    p, channels = parameters, 6 if parameters.background else 3
    if p.network == "document":
        from particlelab.aerosol.unet_layers import UNet

        return UNet(p.widths, p.dropout, p.stride, channels)
    import segmentation_models_pytorch as smp

    try:
        return smp.Unet(p.encoder, encoder_weights=None, in_channels=channels, classes=1)
    except (KeyError, RuntimeError) as error:
        raise ValueError(f"encoder = {p.encoder!r}: {error.args[0]}") from None
