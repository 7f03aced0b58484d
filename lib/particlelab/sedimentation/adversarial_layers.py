"""Generators that learn against a critic, and the autoencoder that joins in, in torch (IPMT report, AP2.3.a).

One iteration is a turn of either the critic or the generator; the batch says whose it is.
"""

import torch
from torch import nn
from torch.nn import functional

from particlelab.sedimentation.generator_layers import Average, PictureDecoder, PictureReader, running_backwards

CLIP = 0.01  # largest weight of a WGAN's critic (Arjovsky et al. 2017)
PENALTY = 10.0  # of WGAN-GP (Gulrajani et al. 2017)
DIVERGENCE = 2.0, 6.0  # k and p of WGAN-DIV (Wu et al. 2018), as in the document
DECAY = 0.995  # of the average over the training


class Adversarial(nn.Module):
    """GAN, WGAN, and conditional WGAN with gradient penalty or divergence.

    Parameters
    ----------
    kind : {"gan", "wgan", "cwgan-gp", "cwgan-div", "cvae", "cvae-wgan-div"}
    shape : dict
        ``latent``, ``conditions``, ``picture_channels``, ``size``, ``channels``, ``most``.
    weights : dict
        ``physical``, ``physical_edge``, ``kl``, ``adversarial``.
    """

    def __init__(self, kind, shape, weights):
        super().__init__()
        self.kind, self.weights = kind, weights
        self.generator = PictureDecoder(**shape)
        self.average = Average(self.generator, DECAY)
        reader = {name: value for name, value in shape.items() if name != "latent"}
        self.critic = PictureReader(1, **reader) if kind != "cvae" else None
        self.encoder = PictureReader(2 * shape["latent"], **reader) if kind.startswith("cvae") else None

    @property
    def sampler(self):
        """What draws."""
        return self.average.network

    def loss(self, pictures, conditions, moving, critics_turn):
        """Return the loss of a turn; the other side gets no gradient."""
        if self.critic is None:
            return self._autoencoding(pictures, conditions, moving)[0]
        self.critic.requires_grad_(bool(critics_turn))
        if critics_turn:
            return self._critics(pictures, conditions)
        if self.encoder is not None:
            loss, drawn = self._autoencoding(pictures, conditions, moving)
            both = torch.cat([drawn, self.generator.draw(conditions)])
            return loss - self.weights["adversarial"] * self.critic(both, torch.cat([conditions] * 2)).mean()
        self.average.follow(self.generator)
        drawn = self.generator.draw(conditions)
        judged = self.critic(drawn, conditions)
        loss = functional.softplus(-judged).mean() if self.kind == "gan" else -judged.mean()
        return loss + self._physical(drawn, moving)

    def _critics(self, pictures, conditions):
        """Return the critic's loss: it is to find the real pictures larger than those that were drawn."""
        if self.kind == "wgan":
            with torch.no_grad():
                for weight in self.critic.parameters():
                    weight.clamp_(-CLIP, CLIP)
        with torch.no_grad():
            drawn = self.generator.draw(conditions)
            if self.encoder is not None:  # half of what it judges are reconstructions
                half = len(drawn) // 2
                drawn[:half] = self.generator(self._code(pictures[:half], conditions[:half])[0], conditions[:half])
        real, false = self.critic(pictures, conditions), self.critic(drawn, conditions)
        if self.kind == "gan":
            return functional.softplus(-real).mean() + functional.softplus(false).mean()
        apart = false.mean() - real.mean()
        return apart if self.kind == "wgan" else apart + self._penalty(pictures, drawn, conditions)

    def _penalty(self, pictures, drawn, conditions):
        """Return the penalty on the critic's gradient between real pictures and drawn ones."""
        share = torch.rand(len(pictures), 1, 1, 1, device=pictures.device)
        between = (share * pictures + (1 - share) * drawn).requires_grad_()
        (slope,) = torch.autograd.grad(self.critic(between, conditions).sum(), between, create_graph=True)
        slope = slope.flatten(1).norm(dim=1)
        if self.kind == "cwgan-gp":
            return PENALTY * ((slope - 1) ** 2).mean()
        k, p = DIVERGENCE
        return k * (slope**p).mean()

    def _autoencoding(self, pictures, conditions, moving):
        """Return the loss of the variational autoencoder and its reconstructions."""
        self.average.follow(self.generator)
        code, kl = self._code(pictures, conditions)
        drawn = self.generator(code, conditions)
        off = ((drawn - pictures) ** 2).mean()
        return off + self.weights["kl"] * kl + self._physical(drawn, moving), drawn

    def _code(self, pictures, conditions):
        mean, log_variance = self.encoder(pictures, conditions).chunk(2, 1)
        log_variance = log_variance.clamp(-10, 10)
        code = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
        kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean()
        return code, kl

    def _physical(self, drawn, moving):
        if not self.weights["physical"]:
            return 0.0
        return self.weights["physical"] * running_backwards(drawn, moving, self.weights["physical_edge"])
