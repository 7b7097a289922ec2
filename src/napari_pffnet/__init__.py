"""Instance segmentation of microscope images with PFFNet.

The public names are those of ``__init__.pyi``.  Each loads what it needs when it
is first used, so importing the package loads neither torch nor Qt.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
