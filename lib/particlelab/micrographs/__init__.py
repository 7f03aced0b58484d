"""Micrographs: synthesise particle images, find particles in real ones, and measure their sizes."""

from particlelab.micrographs.bodies import Body, Mesh, draw_bodies
from particlelab.micrographs.camera import take
from particlelab.micrographs.recipe import Camera, Placement, Population, Recipe, Technique, load_recipe, recipes
from particlelab.micrographs.scene import Particle, Scene, build_scene
from particlelab.micrographs.surfaces import Patch, Surfaces, trace
from particlelab.micrographs.synthesis import ENGINES, Micrograph, synthesise
from particlelab.micrographs.techniques import expose
from particlelab.micrographs.variants import draw_recipe
