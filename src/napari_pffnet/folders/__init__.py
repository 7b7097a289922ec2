"""Many images: files in, files out, one image after the other.

The public names are those of ``__init__.pyi``; each loads what it needs when it is
first used, as the window lists images without torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
