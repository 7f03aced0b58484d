"""The LSTM autoencoder of the columns of grey images, in torch (IPMT report, AP2.3.b)."""

import torch
from torch import nn

MOST_DIRECTIONS = 48  # in which the codes of pictures scatter
POWERS = 6  # of a coefficient, by which the mean of the codes depends on it


class LSTMAutoencoder(nn.Module):
    """Reads each column of a grey image as a sequence, and writes it again from a code.

    An autoencoder draws nothing by itself. Here it draws codes of all columns of a picture from a normal distribution
    that was fitted to the codes of the pictures it learned from: its mean depends on the condition (one for each class;
    a polynomial of a coefficient), the scatter about the mean is that of all.

    Parameters
    ----------
    latent, conditions, size, channels : int
        ``channels``: width of the LSTM.
    columns : int
        Of each picture in an iteration, drawn at random.
    """

    def __init__(self, latent, conditions, size, channels, columns):
        super().__init__()
        self.size, self.columns, self.latent = size, min(columns, size), latent
        self.reader = nn.LSTM(1, channels, batch_first=True)
        self.code = nn.Linear(channels, latent)
        self.writer = nn.LSTM(latent + 1, channels, batch_first=True)
        self.value = nn.Linear(channels, 1)
        terms = len(_terms(torch.zeros(1, conditions))[0])
        self.register_buffer("mean", torch.zeros(terms, size * latent))
        self.register_buffer("scatter", torch.zeros(MOST_DIRECTIONS, size * latent))

    @property
    def sampler(self):
        """What draws."""
        return self

    def loss(self, pictures, *_):
        """Return the mean square error of some columns."""
        which = torch.rand(len(pictures), self.size, device=pictures.device).argsort(1)[:, : self.columns]
        sequences = pictures[:, 0].transpose(1, 2).gather(1, which[:, :, None].expand(-1, -1, self.size)).flatten(0, 1)
        return ((self.write(self.read(sequences)) - sequences) ** 2).mean()

    def read(self, sequences):
        """Return the codes (n, latent) of sequences (n, size)."""
        return self.code(self.reader(sequences[..., None])[0][:, -1])

    def write(self, codes):
        """Return the sequences (n, size) of codes (n, latent)."""
        places = torch.linspace(-1, 1, self.size, device=codes.device).expand(len(codes), -1)[..., None]
        given = torch.cat([codes[:, None].expand(-1, self.size, -1), places], 2)
        return torch.tanh(self.value(self.writer(given)[0])[..., 0])

    def rebuild(self, pictures):
        """Return pictures (n, 1, size, size) as it writes them again."""
        columns = pictures[:, 0].transpose(1, 2).flatten(0, 1)
        written = torch.cat([self.write(self.read(some)) for some in columns.split(2048)])
        return written.unflatten(0, (len(pictures), self.size)).transpose(1, 2)[:, None]

    @torch.no_grad()
    def finish(self, pictures, conditions):
        """Fit the distribution of the codes of pictures."""
        codes = torch.cat([self.read(each[0].T).flatten()[None] for each in pictures])
        terms = _terms(conditions)
        self.mean.copy_(torch.linalg.pinv(terms) @ codes)
        apart = codes - terms @ self.mean
        _, lengths, directions = torch.linalg.svd(apart, full_matrices=False)
        kept = min(MOST_DIRECTIONS, len(lengths))
        self.scatter.zero_()
        self.scatter[:kept] = lengths[:kept, None] / max(1, len(apart)) ** 0.5 * directions[:kept]

    def draw(self, conditions):
        """Draw a picture for each condition."""
        chance = torch.randn(len(conditions), MOST_DIRECTIONS, device=conditions.device)
        codes = _terms(conditions) @ self.mean + chance @ self.scatter
        columns = self.write(codes.unflatten(1, (self.size, self.latent)).flatten(0, 1))
        return columns.unflatten(0, (len(conditions), self.size)).transpose(1, 2)[:, None]


def _terms(conditions):
    """Return what the mean of the codes is linear in."""
    if conditions.shape[1] == 1:
        return torch.cat([conditions**power for power in range(POWERS)], 1)
    return conditions if conditions.shape[1] else torch.ones(len(conditions), 1, device=conditions.device)
