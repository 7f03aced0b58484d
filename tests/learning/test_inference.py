"""A model is asked once for an image, and again for any other."""

import numpy as np

from particlelab.learning.inference import once_an_image


class Model:
    def __init__(self):
        self.calls = 0

    @once_an_image
    def double(self, image, more=0):
        self.calls += 1
        return 2 * np.asarray(image) + more


def test_an_image_is_computed_once_and_what_comes_back_is_the_callers_own():
    model, image = Model(), np.arange(6.0).reshape(2, 3)
    first = model.double(image)
    first[:] = -1
    np.testing.assert_array_equal(model.double(image.copy()), 2 * image)
    assert model.calls == 1


def test_another_image_option_shape_or_model_is_computed_anew():
    model, image = Model(), np.arange(6.0).reshape(2, 3)
    model.double(image)
    for other in (image + 1, image.reshape(3, 2), image.astype(np.float32)):
        np.testing.assert_array_equal(model.double(other), 2 * other)
    np.testing.assert_array_equal(model.double(image, more=5), 2 * image + 5)
    assert model.calls == 5
    image[0, 0] = 7  # changed in place
    np.testing.assert_array_equal(model.double(image), 2 * image)
    assert Model().double(image)[0, 0] == 14
