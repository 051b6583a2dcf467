"""``nox``: the tests that need neither PyTorch nor Keras, on each Python from 3.10 on that this machine has.

``nox`` says which interpreters are missing, and passes them over. The whole suite is for one Python: CONTRIBUTING.md.
"""

from __future__ import annotations

import nox

nox.options.error_on_missing_interpreters = False
nox.options.default_venv_backend = "venv"

NEEDED = ("pytest>=8", "hypothesis>=6", "mypy>=1.8", "pypng>=0.20220715")
TESTS = ("engine/test_autodiff.py", "engine/kernels", "optimize/test_lbfgs.py", "recipe", "style/test_own_losses.py",
         "images/test_given.py", "cli/test_main.py", "test_painting.py")  # fmt: skip


@nox.session(python=["3.10", "3.11", "3.12", "3.13", "3.14"])
def tests(session: nox.Session) -> None:
    """minstyle installed from here, and its tests."""
    session.install(".", *NEEDED)
    session.run("python", "-m", "pytest", "-q", *(session.posargs or [f"tests/{name}" for name in TESTS]))
