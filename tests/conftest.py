"""Settings for all tests."""

from hypothesis import settings

# The machines that run the tests are shared, and Numba compiles in the middle of an example.
settings.register_profile("backpass", deadline=None, max_examples=40)
settings.load_profile("backpass")
