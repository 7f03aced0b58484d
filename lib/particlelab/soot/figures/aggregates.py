"""Figures of aggregates: their spheres in 3-D, and the fractal law."""

import numpy as np
import plotly.graph_objects as go
from scipy.spatial import ConvexHull

from particlelab.drawing import LOG_AXIS
from particlelab.soot.figures.look import COLOURS


def aggregate_3d(centres_nm, radii_nm, title=""):
    """Draw the spheres of an aggregate in 3-D.

    Parameters
    ----------
    centres_nm : (N, 3) ndarray
    radii_nm : (N,) ndarray
    title : str

    Returns
    -------
    plotly.graph_objects.Figure
    """
    points = 120 if len(radii_nm) <= 150 else 40
    polar = np.arccos(1 - 2 * (np.arange(points) + 0.5) / points)
    turn = np.pi * (1 + 5**0.5) * np.arange(points)  # golden angle: points spread evenly
    unit = np.c_[np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)]
    faces = ConvexHull(unit).simplices
    a, b, c = (unit[corner] for corner in faces.T)
    outward = np.einsum("ij,ij->i", np.cross(b - a, c - a), a) > 0
    faces[outward] = faces[outward, ::-1]  # all corners in one sense, by which plotly's light knows the outside
    vertices = (np.asarray(centres_nm)[:, None] + np.asarray(radii_nm)[:, None, None] * unit).reshape(-1, 3)
    faces = (np.arange(len(radii_nm))[:, None, None] * points + faces).reshape(-1, 3)
    mesh = go.Mesh3d(
        **dict(zip("xyz", vertices.T, strict=True)),
        **dict(zip("ijk", faces.T, strict=True)),
        color="#7f8c99",
        lighting={"ambient": 0.45, "diffuse": 0.8, "specular": 0.2, "roughness": 0.6},
        lightposition={"x": 2000, "y": -1000, "z": 3000},
        hoverinfo="skip",
    )
    axes = {f"{axis}axis": {"title": f"{axis} / nm", "nticks": 5, "tickfont": {"size": 12}} for axis in "xyz"}
    camera = {"eye": {"x": 1.15, "y": 1.15, "z": 0.7}, "center": {"x": 0, "y": 0, "z": -0.08}}
    scene = {"aspectmode": "data", "camera": camera, "dragmode": "orbit", **axes}
    top = 40 if title else 0
    return go.Figure(mesh).update_layout(
        title=title, scene=scene, height=560, margin={"l": 0, "r": 0, "b": 0, "t": top}
    )


def fractal_law(primaries, rg_over_rp, fractal_dimension, prefactor):
    """Draw numbers of primaries against radii of gyration in units of rp, and the law N = kf (Rg / rp)^Df.

    Parameters
    ----------
    primaries, rg_over_rp : (N,) array_like
    fractal_dimension, prefactor : float

    Returns
    -------
    plotly.graph_objects.Figure
    """
    grid = np.geomspace(min(rg_over_rp) / 1.3, max(rg_over_rp) * 1.3, 50)
    law = f"{prefactor:g} (R<sub>g</sub> / r<sub>p</sub>)<sup>{fractal_dimension:g}</sup>"
    line = {"color": "#999999"}
    figure = go.Figure(go.Scatter(x=grid, y=prefactor * grid**fractal_dimension, mode="lines", name=law, line=line))
    marker = {"color": COLOURS["cnn"], "size": 9}
    figure.add_trace(go.Scatter(x=rg_over_rp, y=primaries, mode="markers", name="Simulated", marker=marker))
    figure.update_xaxes(**LOG_AXIS, title="R<sub>g</sub> / r<sub>p</sub>")
    figure.update_yaxes(**LOG_AXIS, title="Primary particles N")
    return figure.update_layout(height=420)
